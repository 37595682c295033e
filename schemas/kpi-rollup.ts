/**
 * The one place where the catalog becomes SQL: the columns of a rollup, the aggregation of attempts into them, and the
 * sum of rollup rows. The store recomputes minutes with it, the api answers exact questions with it, tests compare it
 * with the rules. Text comes from our own catalog only; every value is a query parameter.
 */
import { MEAN_KPIS, RATIO_KPIS } from './kpi-catalog.js'

export interface RollupColumn {
  name: string
  type: string
  /** Aggregates rows of the inner select of `attemptMeasures`. */
  aggregate: string
  /** Sums rows of a rollup. */
  sum: string
}

const count = (name: string, condition: string): RollupColumn => ({
  name,
  type: 'UInt64',
  aggregate: `countIf(${condition})`,
  sum: `sum(${name})`,
})

const countsByKey = (name: string, type: string, key: string, condition: string): RollupColumn => ({
  name,
  type,
  aggregate: `sumMapIf(map(${key}, toUInt64(1)), ${condition})`,
  sum: `sumMap(${name})`,
})

const here = "counted = 'start' AND state = 'closed'"

/** Answers are compared for every attempt and KPI: as small numbers they cost a third of what words cost. */
const ANSWER_CODES = {
  "'outside'": '0',
  "'numerator'": '1',
  "'denominator'": '2',
  "'excluded'": '3',
} as const
function coded(sql: string): string {
  return Object.entries(ANSWER_CODES).reduce((text, [word, code]) => text.replaceAll(word, code), sql)
}

/** What every rollup counts, whatever the catalog says. */
const COMMON: readonly RollupColumn[] = [
  count('attempts', here),
  count('open', "counted = 'start' AND state = 'open'"),
  count('incomplete', "counted = 'start' AND state = 'incomplete'"),
  countsByKey('responses', 'Map(UInt16, UInt64)', 'final_code', `${here} AND final_code > 0`),
  countsByKey('dispositions', 'Map(LowCardinality(String), UInt64)', 'disposition', here),
  countsByKey(
    'cancels',
    'Map(LowCardinality(String), UInt64)',
    'cancel_class',
    `${here} AND cancel_class != ''`,
  ),
  countsByKey('attestations', 'Map(LowCardinality(String), UInt64)', 'attestation', `${here} AND invited`),
  countsByKey('pdd_histogram', 'Map(UInt16, UInt64)', 'pdd_bucket', `${here} AND isNotNull(pdd_ms)`),
  {
    name: 'pdd_sum_ms',
    type: 'Float64',
    aggregate: `sumIf(ifNull(pdd_ms, 0), ${here})`,
    sum: 'sum(pdd_sum_ms)',
  },
  count('pdd_count', `${here} AND isNotNull(pdd_ms)`),
]

/** The columns that the catalog brings; the store adds them to `kpi_minute` when they are missing. */
export const KPI_COLUMNS: readonly RollupColumn[] = [
  ...RATIO_KPIS.flatMap((kpi) => [
    count(`${kpi.id}_numerator`, coded(`${kpi.id}_answer = 'numerator'`)),
    count(`${kpi.id}_denominator`, coded(`${kpi.id}_answer IN ('numerator', 'denominator')`)),
    count(`${kpi.id}_excluded`, coded(`${kpi.id}_answer = 'excluded'`)),
  ]),
  ...MEAN_KPIS.flatMap((kpi) => [
    {
      name: `${kpi.id}_sum_ms`,
      type: 'Float64',
      aggregate: `sum(ifNull(${kpi.id}_ms, 0))`,
      sum: `sum(${kpi.id}_sum_ms)`,
    },
    count(`${kpi.id}_count`, `isNotNull(${kpi.id}_ms)`),
  ]),
]

export const ROLLUP_COLUMNS: readonly RollupColumn[] = [...COMMON, ...KPI_COLUMNS]

/** The answers of attempts counted in their `start` or `end` minute; `none`: no attempt at all, only a group. */
function answers(counted: 'start' | 'end' | 'none'): string {
  return [
    ...RATIO_KPIS.map((kpi) =>
      kpi.minute === counted
        ? `${coded(`if(state = 'closed', ${kpi.sql}, 'outside')`)} AS ${kpi.id}_answer`
        : `${coded("'outside'")} AS ${kpi.id}_answer`,
    ),
    ...MEAN_KPIS.map((kpi) =>
      kpi.minute === counted
        ? `if(state = 'closed', ${kpi.sql}, NULL) AS ${kpi.id}_ms`
        : `CAST(NULL, 'Nullable(Float64)') AS ${kpi.id}_ms`,
    ),
  ].join(',\n    ')
}

/** A branch for a UNION ALL with `attemptMeasures`: the groups that rollup rows of these minutes name, with no attempt. */
export function groupsWithoutAttempts(condition: string, extra: readonly string[]): string {
  return `
  SELECT DISTINCT 'none' AS counted, minute AS counted_minute, ${extra.join(', ')}, '' AS state, toUInt16(0) AS final_code,
    '' AS disposition, '' AS cancel_class, '' AS attestation, false AS invited,
    CAST(NULL, 'Nullable(Float64)') AS pdd_ms, toUInt16(0) AS pdd_bucket,
    ${answers('none')}
  FROM kpi_minute WHERE ${condition}`
}

/**
 * A select over `call_attempts FINAL` that gives each attempt's answer to each KPI. An attempt counts once in the minute
 * of its INVITE and, when its call has ended, once in the minute of the end: `counted` says which, `counted_minute` when.
 *
 * @param startCondition, endCondition  conditions on `minute` and `end_minute` with query parameters
 * @param extra columns to carry along, from our own lists
 * @param table another one of the same columns
 * @param starts what attempts that are counted by their INVITE are read from: as they are judged (judged-attempts.ts). Those
 *               counted by their end were answered, of which no verdict is ever given.
 */
export function attemptMeasures(
  startCondition: string,
  endCondition: string,
  extra: readonly string[],
  table = 'call_attempts',
  starts = `${table} FINAL`,
): string {
  const carried = [
    ...extra,
    'state',
    'final_code',
    'disposition',
    'cancel_class',
    'attestation',
    'invited',
    'pdd_ms',
    'pdd_bucket',
  ].join(', ')
  return `
  SELECT 'start' AS counted, minute AS counted_minute, ${carried},
    ${answers('start')}
  FROM ${starts} WHERE state != 'fragment' AND ${startCondition}
  UNION ALL
  SELECT 'end' AS counted, end_minute AS counted_minute, ${carried},
    ${answers('end')}
  FROM ${table} FINAL WHERE state = 'closed' AND end_minute > 0 AND ${endCondition}`
}
