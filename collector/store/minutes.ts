/**
 * Recomputes minutes of `kpi_minute` from `call_attempts`. Never adds up: a minute is read whole and written whole, under
 * a version that the caller makes grow, so doing it twice, late, or again after a crash changes nothing.
 *
 * A group that a minute had and has no more (its attempts turned out to be another carrier's) is written with zeros.
 * Before the minutes their hours and days are marked as changed (hours.ts).
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { attemptMeasures, groupsWithoutAttempts, ROLLUP_COLUMNS } from '../../schemas/kpi-rollup.js'
import { markChanged, type Versions, versionsOf } from './freshness.js'

const GROUP = ['bus_partition', 'party', 'carrier', 'site', 'direction'] as const

/** Minutes a statement: bounds its memory after a long replay. */
const MINUTES_A_STATEMENT = 240

const INSERT = (() => {
  const inMinutes = (column: string) =>
    `toUInt32(${column}) IN {minutes:Array(UInt32)} AND ${column} BETWEEN toDateTime({first:UInt32}, 'UTC') AND toDateTime({last:UInt32}, 'UTC') AND bus_partition IN {partitions:Array(UInt16)}`
  const keys = `bus_partition, counted_minute, ${GROUP.slice(1).join(', ')}`
  return `
INSERT INTO kpi_minute (bus_partition, minute, party, carrier, site, direction, version, computed_at, ${ROLLUP_COLUMNS.map((c) => c.name).join(', ')})
SELECT ${keys}, {versions:Array(UInt64)}[indexOf({partitions:Array(UInt16)}, bus_partition)], now(), ${ROLLUP_COLUMNS.map((c) => `sum_${c.name}`).join(', ')}
FROM (
  SELECT ${keys}, ${ROLLUP_COLUMNS.map((c) => `${c.aggregate} AS sum_${c.name}`).join(',\n    ')}
  FROM (
    ${attemptMeasures(inMinutes('minute'), inMinutes('end_minute'), GROUP)}
    UNION ALL
    ${groupsWithoutAttempts(inMinutes('minute'), GROUP)}
  )
  GROUP BY ${keys}
)`
})()

export async function recomputeMinutes(
  client: ClickHouseClient,
  busPartitions: readonly number[],
  minutesS: Iterable<number>,
  versions: Versions,
): Promise<void> {
  const sorted = [...new Set(minutesS)].sort((x, y) => x - y)
  await markChanged(client, ['hour', 'day'], busPartitions, sorted, versions)
  for (let at = 0; at < sorted.length; at += MINUTES_A_STATEMENT) {
    const minutes = sorted.slice(at, at + MINUTES_A_STATEMENT)
    await client.command({
      query: INSERT,
      query_params: {
        minutes,
        first: minutes[0],
        last: minutes.at(-1),
        partitions: busPartitions,
        versions: versionsOf(busPartitions, versions).map(BigInt),
      },
    })
  }
}
