/**
 * The rollup sums of each carrier before and after, read from attempts: as `/v1/kpis?exact=true` would answer now, and as it
 * would after the swap.
 *
 * After the swap means: the rows of `call_attempts` without those that the job replaces, and the job's rows. Sums are taken
 * a day at a time, so that a long span needs no more memory than a short one; they add up, post-dial delays as a
 * histogram.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { attemptMeasures, ROLLUP_COLUMNS } from '../../schemas/kpi-rollup.js'
import type { Span } from './stored-calls.js'

/** Columns: `side`, `carrier`, and `sum_<rollup column>`. */
export type SumsRow = Record<string, unknown>

const PART_S = 86_400

/** A customer's leg and one between SBCs of ours say nothing about a carrier. */
const PARTIES = "party IN ('carrier', 'unknown')"
const within = (column: string) =>
  `${column} >= toDateTime({first:UInt32}, 'UTC') AND ${column} < toDateTime({end:UInt32}, 'UTC')`
const SUMS = ROLLUP_COLUMNS.map((column) => `${column.aggregate} AS sum_${column.name}`).join(',\n  ')

const STANDING = attemptMeasures(
  `${within('minute')} AND ${PARTIES}`,
  `${within('end_minute')} AND ${PARTIES}`,
  ['carrier'],
)

const AFTER = (() => {
  const replacedBy = (condition: string) =>
    `(minute, attempt_id) NOT IN (SELECT minute, attempt_id FROM call_attempts_new WHERE ${condition})`
  const staying = attemptMeasures(
    `${within('minute')} AND ${PARTIES} AND ${replacedBy(within('minute'))}`,
    `${within('end_minute')} AND ${PARTIES} AND ${replacedBy(within('replaces_end_minute'))}`,
    ['carrier'],
  )
  const coming = attemptMeasures(
    `is_deleted = 0 AND ${within('minute')} AND ${PARTIES}`,
    `is_deleted = 0 AND ${within('end_minute')} AND ${PARTIES}`,
    ['carrier'],
    'call_attempts_new',
  )
  return `${staying}\n  UNION ALL ${coming}`
})()

export async function* movedSums(client: ClickHouseClient, span: Span): AsyncGenerator<SumsRow[]> {
  for (let first = span.fromS; first < span.toS; first += PART_S) {
    const end = Math.min(span.toS, first + PART_S)
    for (const [side, measures] of [
      ['before', STANDING],
      ['after', AFTER],
    ]) {
      const result = await client.query({
        query: `SELECT '${side}' AS side, carrier, ${SUMS}\nFROM (${measures}\n) GROUP BY carrier`,
        query_params: { first, end },
        format: 'JSONEachRow',
      })
      yield result.json<SumsRow>()
    }
  }
}
