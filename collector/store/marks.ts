/**
 * Minutes that somebody else made stale (`stale_minutes`): a recompute writes attempts, and only the process that has
 * claimed the partition may write its rollups.
 */
import type { ClickHouseClient } from '@clickhouse/client'

export interface Mark {
  basePartition: number
  minuteS: number
  /** "2026-11-21 10:00:00.000000", as the store gives it. */
  markedAt: string
}

export async function readMarks(
  client: ClickHouseClient,
  basePartitions: readonly number[],
): Promise<Mark[]> {
  const result = await client.query({
    query: `SELECT bus_partition AS basePartition, toUInt32(minute) AS minuteS, toString(marked_at) AS markedAt
            FROM stale_minutes FINAL WHERE bus_partition IN {partitions:Array(UInt16)} AND done = 0`,
    query_params: { partitions: [...basePartitions] },
    format: 'JSONEachRow',
  })
  return result.json<Mark>()
}

/** Says that the rollups of these marks are computed; a mark that came meanwhile stands above. */
export async function settleMarks(client: ClickHouseClient, marks: readonly Mark[]): Promise<void> {
  if (marks.length === 0) return
  await client.insert({
    table: 'stale_minutes',
    values: marks.map((mark) => ({
      bus_partition: mark.basePartition,
      minute: mark.minuteS,
      marked_at: mark.markedAt,
      done: 1,
    })),
    format: 'JSONEachRow',
  })
}
