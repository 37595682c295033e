/**
 * Sums minutes into `kpi_hour` and hours into `kpi_day`, so that long questions read few rows. As with minutes nothing is
 * added up: an hour is summed from all of its minutes and written whole, a day from all of its hours.
 *
 * An hour is summed when it is over and its last calls had time to end, and again when a late message has changed one of
 * its minutes. Until then it is stale (freshness.ts) and the api reads its minutes, so that answers are always those of
 * the minutes; the running hour and the running day are never summed. What is due stands in the store, so a process that
 * died owes nothing that its successor does not find.
 *
 * Minutes may be gone before their hour changes (retention). Then all minutes of the hour are recomputed from attempts
 * first; where these are gone too the hour stays as it is, because the sum of what is left would be less than what happened.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { ROLLUP_COLUMNS } from '../../schemas/kpi-rollup.js'
import { type Kept, keptFromS } from '../../schemas/retention.js'
import { GRAIN_S, type Grain, markChanged, markSummed, readChanged, startsOf } from './freshness.js'
import { recomputeMinutes } from './minutes.js'

const GROUP = 'party, carrier, site, direction'

/** Attempts that begin in an hour end in the next: right after its end an hour still changes with every flush. */
const QUIET_S = 300

/** Hours or days a statement: bounds its memory. */
const STARTS_A_STATEMENT = 12

/** Hours and days a call of `sumDue`: a backlog must not keep the store from its flushes. */
const DUE_A_CALL = 12

const SOURCE = {
  hour: { table: 'kpi_minute', time: 'minute' },
  day: { table: 'kpi_hour', time: 'hour' },
} as const

/** A group that the hour had and its minutes have no more is written with zeros. */
function insertOf(grain: Grain): string {
  const { table, time } = SOURCE[grain]
  const startOf = grain === 'hour' ? 'toStartOfHour' : 'toStartOfDay'
  const names = ROLLUP_COLUMNS.map(({ name }) => name).join(', ')
  const zeros = ROLLUP_COLUMNS.map(({ name, type }) => `defaultValueOfTypeName('${type}') AS ${name}`).join(
    ', ',
  )
  const within = (column: string) =>
    `${column} >= toDateTime({first:UInt32}, 'UTC') AND ${column} < toDateTime({end:UInt32}, 'UTC') AND bus_partition IN {partitions:Array(UInt16)}`
  const asked = (start: string) => `toUInt32(${start}) IN {starts:Array(UInt32)}`
  return `
INSERT INTO kpi_${grain} (bus_partition, ${grain}, ${GROUP}, version, computed_at, ${names})
SELECT bus_partition, start, ${GROUP}, {version:UInt64}, now(), ${ROLLUP_COLUMNS.map(({ name }) => `sum_${name}`).join(', ')}
FROM (
  SELECT bus_partition, start, ${GROUP}, ${ROLLUP_COLUMNS.map(({ name, sum }) => `${sum} AS sum_${name}`).join(', ')}
  FROM (
    SELECT bus_partition, ${startOf}(${time}) AS start, ${GROUP}, ${names}
    FROM ${table} FINAL WHERE ${within(time)} AND ${asked(`${startOf}(${time})`)}
    UNION ALL
    SELECT DISTINCT bus_partition, ${grain} AS start, ${GROUP}, ${zeros}
    FROM kpi_${grain} WHERE ${within(grain)} AND ${asked(grain)}
  )
  GROUP BY bus_partition, start, ${GROUP}
)`
}

const INSERT = { hour: insertOf('hour'), day: insertOf('day') } as const

/**
 * Sums whole hours; their minutes must be there.
 *
 * @param version  of the rows; it must grow for each bus partition, so partitions with versions of their own are summed
 *                 one by one
 */
export async function recomputeHours(
  client: ClickHouseClient,
  busPartitions: readonly number[],
  hoursS: Iterable<number>,
  version: bigint,
): Promise<void> {
  const hours = startsOf('hour', hoursS)
  await markChanged(client, ['day'], busPartitions, hours, version)
  await sum(client, 'hour', busPartitions, hours, version)
}

/** Sums whole days; their hours must be fresh. */
export function recomputeDays(
  client: ClickHouseClient,
  busPartitions: readonly number[],
  daysS: Iterable<number>,
  version: bigint,
): Promise<void> {
  return sum(client, 'day', busPartitions, startsOf('day', daysS), version)
}

async function sum(
  client: ClickHouseClient,
  grain: Grain,
  busPartitions: readonly number[],
  startsS: readonly number[],
  version: bigint,
): Promise<void> {
  for (let at = 0; at < startsS.length; at += STARTS_A_STATEMENT) {
    const starts = startsS.slice(at, at + STARTS_A_STATEMENT)
    const changed = await readChanged(client, grain, busPartitions, starts)
    await client.command({
      query: INSERT[grain],
      query_params: {
        starts,
        first: starts[0],
        end: (starts.at(-1) as number) + GRAIN_S[grain],
        partitions: busPartitions,
        version: version.toString(),
      },
    })
    await markSummed(client, changed)
  }
}

export interface Moment {
  /** The highest received-at: says which hours are over. */
  asOfUs: number
  /** The clock on the wall: says which rows may have been kept long enough to be gone. */
  nowS: number
}

/**
 * Sums some of the hours and days that are due, the newest first.
 *
 * @returns how many; 0: nothing is due any more
 */
export async function sumDue(
  client: ClickHouseClient,
  busPartitions: readonly number[],
  moment: Moment,
  kept: Kept,
  version: bigint,
): Promise<number> {
  const hours = await dueOf(client, 'hour', busPartitions, moment, kept)
  for (const { partitions, startsS } of hours) {
    const aged = startsS.filter((startS) => startS < keptFromS(kept, moment.nowS).minutes)
    const minutes = aged.flatMap((startS) => Array.from({ length: 60 }, (_, minute) => startS + minute * 60))
    await recomputeMinutes(client, partitions, minutes, version)
    await recomputeHours(client, partitions, startsS, version)
  }
  const days = await dueOf(client, 'day', busPartitions, moment, kept)
  for (const { partitions, startsS } of days) await recomputeDays(client, partitions, startsS, version)
  return [...hours, ...days].reduce((count, { startsS }) => count + startsS.length, 0)
}

/** Stale and over. A day waits for its hours. */
async function dueOf(
  client: ClickHouseClient,
  grain: Grain,
  busPartitions: readonly number[],
  moment: Moment,
  kept: Kept,
): Promise<{ partitions: number[]; startsS: number[] }[]> {
  // Frozen: attempts are gone, and what was summed while they were there is better.
  const stale = `changed > summed AND bus_partition IN {partitions:Array(UInt16)}
    AND (summed = 0 OR start >= toDateTime({attempts_from:UInt32}, 'UTC'))`
  const result = await client.query({
    query: `
SELECT toUInt32(start) AS start_s, groupArray(bus_partition) AS partitions FROM (
  SELECT start, bus_partition FROM rollup_freshness FINAL
  WHERE grain = {grain:String} AND start <= toDateTime({over:UInt32}, 'UTC') AND ${stale}
    ${grain === 'hour' ? '' : `AND (start, bus_partition) NOT IN (SELECT toStartOfDay(start), bus_partition FROM rollup_freshness FINAL WHERE grain = 'hour' AND ${stale})`}
  ORDER BY bus_partition)
GROUP BY start ORDER BY start DESC LIMIT ${DUE_A_CALL}`,
    query_params: {
      grain,
      partitions: busPartitions,
      over: Math.max(0, Math.floor(moment.asOfUs / 1e6) - QUIET_S - GRAIN_S[grain]),
      attempts_from: keptFromS(kept, moment.nowS).attempts,
    },
    format: 'JSONEachRow',
  })
  const byPartitions = new Map<string, { partitions: number[]; startsS: number[] }>()
  for (const { start_s, partitions } of await result.json<{ start_s: number; partitions: number[] }>()) {
    const key = partitions.join()
    const due = byPartitions.get(key) ?? { partitions, startsS: [] }
    byPartitions.set(key, due)
    due.startsS.push(start_s)
  }
  return [...byPartitions.values()]
}
