/**
 * What the store writes before it does anything else (`store_checkpoints`): the minutes that the coming flush makes
 * stale, and as_of. A process that dies in between leaves rows without their rollups; its successor reads the intent and
 * recomputes them.
 */
import type { ClickHouseClient } from '@clickhouse/client'

export interface Checkpoint {
  basePartition: number
  version: bigint
  asOfUs: number
  staleMinutesS: readonly number[]
}

export async function readCheckpoint(
  client: ClickHouseClient,
  basePartition: number,
): Promise<{ asOfUs: number; staleMinutesS: number[] }> {
  const result = await client.query({
    query: `SELECT as_of_us, stale_minutes FROM store_checkpoints FINAL WHERE bus_partition = {partition:UInt16}`,
    query_params: { partition: basePartition },
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ as_of_us: string; stale_minutes: number[] }>()
  if (row === undefined) return { asOfUs: 0, staleMinutesS: [] }
  return { asOfUs: Number(row.as_of_us), staleMinutesS: row.stale_minutes }
}

export async function writeCheckpoints(
  client: ClickHouseClient,
  checkpoints: readonly Checkpoint[],
): Promise<void> {
  if (checkpoints.length === 0) return
  await client.insert({
    table: 'store_checkpoints',
    values: checkpoints.map((checkpoint) => ({
      bus_partition: checkpoint.basePartition,
      version: String(checkpoint.version),
      as_of_us: checkpoint.asOfUs,
      stale_minutes: checkpoint.staleMinutesS,
    })),
    format: 'JSONEachRow',
  })
}
