/**
 * Reads what a KPI question needs: rollups in milliseconds (rollups.ts), or with `exact` the attempts themselves, through
 * the same catalog. With `exact` and a step in two statements, because quantiles do not add up.
 *
 * Takes    a checked `KpiQuery`.
 * Returns  groups of sums, with one entry a step where one was asked for. Only carriers' legs and unknown ones count:
 *          a customer's leg and one between SBCs of ours say nothing about a carrier.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { QUANTILE_KPIS } from '../../schemas/kpi-catalog.js'
import { attemptMeasures, type RollupColumn } from '../../schemas/kpi-rollup.js'
import { ApiError, didYouMean, nearestNames } from '../errors.js'
import type { Readers } from '../readers.js'
import { shown } from '../time-span.js'
import { type Dimension, isWholeMinutes, type KpiQuery, stepStartsOf } from './query.js'
import {
  bucketParametersOf,
  byOf,
  columnsFor,
  conditionsOf,
  groupingOf,
  PARTIES,
  parametersOf,
  type Row,
  readSteps,
  readTotals,
  type Statement,
  selectedOf,
} from './rollups.js'
import { addSums, emptySums, isEmpty, type Sums, sumsOfRow } from './sums.js'

export interface KpiGroup {
  by: Partial<Record<Dimension, string>>
  total: Sums
  /** One entry a step, empty ones included; undefined without a step. */
  steps: Sums[] | undefined
}

/** Entries of all series together, times the KPIs of each: bounds an answer's size. */
const VALUES_MAX = 200_000

export async function readKpiGroups(
  readers: Readers,
  config: TrunkscopeConfig,
  query: KpiQuery,
): Promise<KpiGroup[]> {
  await checkKnown(readers, query, config)
  const starts = query.stepS === null ? undefined : stepStartsOf({ ...query, stepS: query.stepS })
  const groups = new Map<string, KpiGroup>()
  const groupOf = (by: KpiGroup['by']) => {
    const key = query.groupBy.map((dimension) => by[dimension]).join('\n')
    let group = groups.get(key)
    if (group === undefined) {
      group = { by, total: emptySums(), steps: starts?.map(emptySums) }
      groups.set(key, group)
      checkSize(groups.size, starts?.length ?? 0, query)
    }
    return group
  }

  if (query.exact) await readExact(readers, query, groupOf)
  else if (query.stepS === null) {
    for (const { by, sums } of await readTotals(readers, config, query)) addSums(groupOf(by).total, sums)
  } else {
    for (const { by, step, sums } of await readSteps(readers, config, query)) addStep(groupOf(by), step, sums)
  }
  for (const [key, group] of groups) if (query.groupBy.length > 0 && isEmpty(group.total)) groups.delete(key)
  // A carrier that is silent is news: it is shown, with "no traffic" where its numbers would stand.
  if (query.groupBy.length === 1 && query.groupBy[0] === 'carrier') {
    for (const { id } of config.carriers) {
      if (query.where.carrier.length === 0 || query.where.carrier.includes(id)) groupOf({ carrier: id })
    }
  }
  if (query.groupBy.length === 0) groupOf({})
  return [...groups.values()].sort(orderOf(query.groupBy, config))
}

function addStep(group: KpiGroup, step: number, sums: Sums): void {
  addSums(group.total, sums)
  if (group.steps !== undefined) group.steps[step] = sums
}

async function readExact(
  readers: Readers,
  query: KpiQuery,
  groupOf: (by: KpiGroup['by']) => KpiGroup,
): Promise<void> {
  const columns = columnsFor(query)
  if (query.stepS !== null) {
    for (const row of await readers.select<Row>(...exactStatementOf(query, columns, true))) {
      addStep(groupOf(byOf(row, query.groupBy)), Number(row.bucket), sumsOfRow(row, columns))
    }
  }
  for (const row of await readers.select<Row>(...exactStatementOf(query, columns, false))) {
    groupOf(byOf(row, query.groupBy)).total = sumsOfRow(row, columns)
  }
}

function exactStatementOf(query: KpiQuery, columns: readonly RollupColumn[], withSteps: boolean): Statement {
  const conditions = conditionsOf(query)
  const sums = columns.map((column) => `${column.aggregate} AS sum_${column.name}`)
  return [
    `SELECT ${selectedOf(query, withSteps, 'counted_minute', [...sums, ...exactQuantiles(query)])}
FROM (${attemptMeasures(
      within(query, 'minute', conditions),
      within(query, 'end_minute', conditions),
      query.groupBy,
      'call_attempts',
      judgedAttempts({ minutes: minutesOf(query, 'minute'), where: conditions }),
    )}
)
${groupingOf(query, withSteps)}`,
    {
      ...parametersOf(query),
      ...(withSteps ? bucketParametersOf(query) : {}),
      from_s: Math.floor(query.fromUs / 1e6),
      to_s: Math.ceil(query.toUs / 1e6),
      ...(isWholeMinutes(query)
        ? {}
        : { from_us: query.fromUs, to_us: query.toUs, from_minute_s: Math.floor(query.fromUs / 6e7) * 60 }),
    },
  ]
}

/** When the INVITE came and when the call ended, to the microsecond, where a minute is not fine enough. */
const MOMENT_US = {
  minute: 'if(invited_at_us > 0, invited_at_us, toUInt64(toUInt32(minute)) * 1000000)',
  end_minute: 'bye_at_us',
} as const

function minutesOf(query: KpiQuery, column: 'minute' | 'end_minute'): string {
  const from = isWholeMinutes(query) ? '{from_s:UInt32}' : '{from_minute_s:UInt32}'
  return `${column} >= toDateTime(${from}, 'UTC') AND ${column} < toDateTime({to_s:UInt32}, 'UTC')`
}

function within(query: KpiQuery, column: 'minute' | 'end_minute', conditions: string): string {
  const minutes = minutesOf(query, column)
  if (isWholeMinutes(query)) return `${minutes} AND ${conditions}`
  return `${minutes} AND ${MOMENT_US[column]} >= {from_us:UInt64} AND ${MOMENT_US[column]} < {to_us:UInt64} AND ${conditions}`
}

/** Nearest rank `x[ceil(p·n) − 1]`; arrays of ClickHouse count from 1. */
function exactQuantiles({ kpis }: KpiQuery): string[] {
  const asked = QUANTILE_KPIS.filter((quantile) => kpis.some(({ kpi }) => kpi.id === quantile.id))
  if (asked.length === 0) return []
  return [
    `arraySort(groupArrayIf(assumeNotNull(pdd_ms), counted = 'start' AND state = 'closed' AND isNotNull(pdd_ms))) AS sorted_pdd_ms`,
    ...asked.map(
      (kpi) =>
        `sorted_pdd_ms[toUInt64(greatest(1, ceil(${kpi.p} * length(sorted_pdd_ms))))] AS exact_${kpi.id}`,
    ),
  ]
}

function checkSize(groups: number, points: number, query: KpiQuery): void {
  if (groups * points * query.kpis.length <= VALUES_MAX) return
  throw new ApiError(
    'TRUNKSCOPE_API_TOO_MANY_POINTS',
    `${points} points for each of at least ${groups} groups and ${query.kpis.length} KPIs is more than one answer holds; ` +
      'write a larger step, fewer KPIs (kpi=ner,asr) or one carrier (carrier=…)',
    { parameter: 'step' },
  )
}

/** A name that is neither configured nor stored was mistyped; an empty answer would look like no traffic. */
export async function checkKnown(readers: Readers, query: KpiQuery, config: TrunkscopeConfig): Promise<void> {
  for (const [dimension, configured, code] of [
    ['carrier', config.carriers.map(({ id }) => id), 'TRUNKSCOPE_API_UNKNOWN_CARRIER'],
    ['site', config.sites.map(({ id }) => id), 'TRUNKSCOPE_API_UNKNOWN_SITE'],
  ] as const) {
    const strange = query.where[dimension].filter((name) => name !== 'unknown' && !configured.includes(name))
    if (strange.length === 0) continue
    const rows = await readers.select<{ name: string }>(
      `SELECT DISTINCT ${dimension} AS name FROM kpi_day WHERE ${PARTIES}
       UNION DISTINCT SELECT DISTINCT ${dimension} AS name FROM kpi_minute WHERE ${PARTIES} LIMIT 1000`,
    )
    const known = [...new Set([...configured, ...rows.map(({ name }) => name)])].filter((name) => name !== '')
    const name = strange.find((written) => !known.includes(written))
    if (name === undefined) continue
    const suggestions = nearestNames(name, known)
    throw new ApiError(
      code,
      `${dimension}=${shown(name)} is neither configured nor stored${didYouMean(suggestions)}`,
      { parameter: dimension, suggestions },
    )
  }
}

/** In the order of the configuration, then by name; unknown last. */
function orderOf(groupBy: readonly Dimension[], config: TrunkscopeConfig) {
  const configured: Record<Dimension, readonly string[]> = {
    carrier: config.carriers.map(({ id }) => id),
    site: config.sites.map(({ id }) => id),
    direction: ['inbound', 'outbound'],
  }
  const rank = (dimension: Dimension, value: string) => {
    const at = configured[dimension].indexOf(value)
    if (at >= 0) return at
    return value === 'unknown' ? Number.MAX_SAFE_INTEGER : configured[dimension].length
  }
  return (a: KpiGroup, b: KpiGroup): number => {
    for (const dimension of groupBy) {
      const left = a.by[dimension] ?? ''
      const right = b.by[dimension] ?? ''
      const order = rank(dimension, left) - rank(dimension, right)
      if (order !== 0) return order
      if (left !== right) return left < right ? -1 : 1
    }
    return 0
  }
}
