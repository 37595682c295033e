/**
 * Says of hours and days whether their rows hold the newest minutes (`rollup_freshness`): one is fresh while the version
 * it sums up to is not below the version that last changed a minute of it. An hour that was never heard of is empty.
 *
 *   changed   written before the rows below it, so that nobody reads an old hour beside new minutes
 *   summed    written after its own rows, so that nobody reads an hour that is not there
 *
 * A process that dies in between leaves a stale hour, which is read from its minutes until its successor sums it.
 */
import type { ClickHouseClient } from '@clickhouse/client'

export type Grain = 'hour' | 'day'

export const GRAIN_S = { hour: 3_600, day: 86_400 } as const

/** Over HTTP the parameters of a statement travel in its address. */
const MARKS_A_STATEMENT = 500

export interface Mark {
  grain: Grain
  startS: number
  busPartition: number
  /** Decimal digits of a UInt64. */
  version: string
}

/** One version for all bus partitions, or one for each, in their order. */
export type Versions = bigint | readonly bigint[]

export function versionsOf(busPartitions: readonly number[], versions: Versions): string[] {
  return busPartitions.map((_, at) => String(typeof versions === 'bigint' ? versions : versions[at]))
}

/** The hours and days of these minutes, or the days of these hours, no longer sum what they should. */
export function markChanged(
  client: ClickHouseClient,
  grains: readonly Grain[],
  busPartitions: readonly number[],
  timesS: Iterable<number>,
  versions: Versions,
): Promise<void> {
  const times = [...timesS]
  const texts = versionsOf(busPartitions, versions)
  const marks = grains.flatMap((grain) =>
    startsOf(grain, times).flatMap((startS) =>
      busPartitions.map((busPartition, at) => ({ grain, startS, busPartition, version: texts[at] ?? '' })),
    ),
  )
  return insert(client, 'changed', marks)
}

/** To be read before the rows below are: what changes later is not in the sum. */
export async function readChanged(
  client: ClickHouseClient,
  grain: Grain,
  busPartitions: readonly number[],
  startsS: readonly number[],
): Promise<Mark[]> {
  const result = await client.query({
    query: `SELECT grain, toUInt32(start) AS startS, bus_partition AS busPartition, toString(max(changed)) AS version
            FROM rollup_freshness
            WHERE grain = {grain:String} AND start IN (SELECT toDateTime(arrayJoin({starts:Array(UInt32)}), 'UTC'))
              AND bus_partition IN {partitions:Array(UInt16)}
            GROUP BY grain, start, bus_partition`,
    query_params: { grain, starts: startsS, partitions: busPartitions },
    format: 'JSONEachRow',
  })
  return result.json<Mark>()
}

/** The hours or days hold everything up to these versions. */
export function markSummed(client: ClickHouseClient, marks: readonly Mark[]): Promise<void> {
  return insert(client, 'summed', marks)
}

async function insert(
  client: ClickHouseClient,
  column: 'changed' | 'summed',
  marks: readonly Mark[],
): Promise<void> {
  for (let at = 0; at < marks.length; at += MARKS_A_STATEMENT) {
    const some = marks.slice(at, at + MARKS_A_STATEMENT)
    await client.command({
      query: `INSERT INTO rollup_freshness (grain, start, bus_partition, ${column})
              SELECT grain, toDateTime(start_s, 'UTC'), partition, version FROM (SELECT 1) ARRAY JOIN
                {grains:Array(String)} AS grain, {starts:Array(UInt32)} AS start_s,
                {partitions:Array(UInt16)} AS partition, {versions:Array(UInt64)} AS version`,
      query_params: {
        grains: some.map(({ grain }) => grain),
        starts: some.map(({ startS }) => startS),
        partitions: some.map(({ busPartition }) => busPartition),
        versions: some.map(({ version }) => BigInt(version)),
      },
    })
  }
}

/** The hours or days in which these times lie, each once, ascending. */
export function startsOf(grain: Grain, timesS: Iterable<number>): number[] {
  const lengthS = GRAIN_S[grain]
  return [...new Set([...timesS].map((timeS) => timeS - (timeS % lengthS)))].sort((x, y) => x - y)
}
