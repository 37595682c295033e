/**
 * Sums of rollups over a range, by the coarsest grain that fits (grains.ts).
 *
 * What is over keeps its sums: a table of carriers is asked for every few seconds with only its last minutes new. So the
 * range is cut into pieces (pieces.ts), those that were read before and did not change since are taken from memory
 * (kept-sums.ts), and one statement reads all others.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { ROLLUP_COLUMNS, type RollupColumn } from '../../schemas/kpi-rollup.js'
import type { Readers } from '../readers.js'
import { type Grain, partsOf, type Range, readMarks, readStale } from './grains.js'
import { type GroupSums, keptSumsOf } from './kept-sums.js'
import { piecesOf } from './pieces.js'
import { DIMENSIONS, type Dimension, firstStepUs, type KpiQuery } from './query.js'
import { sumsOfRow } from './sums.js'

export type Row = Record<string, unknown>
export type Statement = [sql: string, parameters: Row]

export const PARTIES = "party IN ('carrier', 'unknown')"

const GRAINS = ['minute', 'hour', 'day'] as const

/** A range to read; rows of all with number 0 are one sum, each other number is a sum of its own. */
interface NumberedRange extends Range {
  grain: Grain
  number: number
}

/** Sums of the whole range; those of a group come in several parts. They may be kept: add them, never change them. */
export async function readTotals(
  readers: Readers,
  config: TrunkscopeConfig,
  query: KpiQuery,
): Promise<GroupSums[]> {
  const columns = columnsFor(query)
  const marks = await readMarks(readers, query, config)
  const kept = keptSumsOf(readers)
  // Who may see other carriers has other sums.
  const question = JSON.stringify([
    readers.principal.carriers,
    query.groupBy,
    query.where,
    columns.map(({ name }) => name),
  ])
  const totals: GroupSums[] = []
  const missing: NumberedRange[] = []
  const missingKeys: string[] = []
  for (const { grain, fromS, toS, state } of piecesOf(partsOf(query, marks.stale), marks)) {
    const key = `${question} ${grain} ${fromS} ${toS} ${state}`
    const known = state === undefined ? undefined : kept.get(key)
    if (known !== undefined) totals.push(...known)
    else missing.push({ grain, fromS, toS, number: state === undefined ? 0 : missingKeys.push(key) })
  }
  if (missing.length === 0) return totals
  const read = missingKeys.map((): GroupSums[] => [])
  for (const row of await readers.select<Row>(...statementOf(query, columns, missing))) {
    const group = { by: byOf(row, query.groupBy), sums: sumsOfRow(row, columns) }
    totals.push(group)
    read[Number(row.number ?? 0) - 1]?.push(group)
  }
  for (const [at, key] of missingKeys.entries()) kept.put(key, read[at] ?? [])
  return totals
}

/** Sums of each step, by its number. */
export async function readSteps(
  readers: Readers,
  config: TrunkscopeConfig,
  query: KpiQuery,
): Promise<(GroupSums & { step: number })[]> {
  const columns = columnsFor(query)
  const parts = partsOf(query, await readStale(readers, query, config))
  const ranges = GRAINS.flatMap((grain) => parts[grain].map((range) => ({ ...range, grain, number: 0 })))
  const rows = await readers.select<Row>(...statementOf(query, columns, ranges))
  return rows.map((row) => ({
    by: byOf(row, query.groupBy),
    step: Number(row.bucket),
    sums: sumsOfRow(row, columns),
  }))
}

export function byOf(row: Row, groupBy: readonly Dimension[]): GroupSums['by'] {
  return Object.fromEntries(groupBy.map((dimension) => [dimension, String(row[dimension]) || 'unknown']))
}

/** The columns that every answer shows, and those of the KPIs asked for: the others cost most of the time. Sums of others are 0. */
export function columnsFor(query: KpiQuery): RollupColumn[] {
  const prefixes = query.kpis.map(({ kpi }) => (kpi.kind === 'quantile' ? `${kpi.histogram}_` : `${kpi.id}_`))
  return ROLLUP_COLUMNS.filter(({ name }) => {
    if (query.without?.includes(name)) return false
    if (!/_(numerator|denominator|excluded|count|sum_ms|histogram)$/.test(name)) return true
    return name !== 'pdd_sum_ms' && prefixes.some((prefix) => name.startsWith(prefix))
  })
}

function statementOf(
  query: KpiQuery,
  columns: readonly RollupColumn[],
  ranges: readonly NumberedRange[],
): Statement {
  const withSteps = query.stepS !== null
  const parameters = { ...parametersOf(query), ...(withSteps ? bucketParametersOf(query) : {}) }
  const withNumbers = ranges.some(({ number }) => number > 0)
  const branches = GRAINS.flatMap((grain) => {
    const own = ranges.filter((range) => range.grain === grain)
    return own.length === 0 ? [] : [branchOf(grain, own, withNumbers, conditionsOf(query), parameters)]
  })
  const sums = columns.map((column) => `${column.sum} AS sum_${column.name}`)
  const names = [...query.groupBy, ...columns.map(({ name }) => name)]
  const [only, ...others] = branches
  // A statement without a subquery is planned in half the time.
  const isFlat = only !== undefined && others.length === 0
  const selected = selectedOf(query, withSteps, isFlat ? only.grain : 'start', [
    ...(withNumbers ? [isFlat ? `${only.number} AS number` : 'number'] : []),
    ...sums,
  ])
  const source = isFlat
    ? only.from
    : `(${branches
        .map(
          ({ grain, number, from }) =>
            `SELECT ${[...names, `${grain} AS start`, ...(withNumbers ? [`${number} AS number`] : [])].join(', ')} FROM ${from}`,
        )
        .join('\n  UNION ALL ')})`
  return [`SELECT ${selected}\nFROM ${source}\n${groupingOf(query, withSteps, withNumbers)}`, parameters]
}

function branchOf(
  grain: Grain,
  ranges: readonly NumberedRange[],
  withNumbers: boolean,
  conditions: string,
  parameters: Row,
) {
  const within = ranges.map(({ fromS, toS }, at) => {
    parameters[`${grain}_${at}_from`] = fromS
    parameters[`${grain}_${at}_to`] = toS
    return `(${grain} >= toDateTime({${grain}_${at}_from:UInt32}, 'UTC') AND ${grain} < toDateTime({${grain}_${at}_to:UInt32}, 'UTC'))`
  })
  const numbered = ranges.flatMap(({ number }, at) => (number === 0 ? [] : [`${within[at]}, ${number}`]))
  return {
    grain,
    number: withNumbers && numbered.length > 0 ? `multiIf(${numbered.join(', ')}, 0)` : '0',
    from: `kpi_${grain} FINAL WHERE (${within.join(' OR ')}) AND ${conditions}`,
  }
}

export function selectedOf(
  query: KpiQuery,
  withSteps: boolean,
  time: string,
  sums: readonly string[],
): string {
  const bucket = `intDiv(toUInt32(${time}) - {first_s:UInt32}, {step_s:UInt32}) AS bucket`
  return [...query.groupBy, ...(withSteps ? [bucket] : []), ...sums].join(',\n  ')
}

export function groupingOf(query: KpiQuery, withSteps: boolean, withNumbers = false): string {
  const keys = [...query.groupBy, ...(withSteps ? ['bucket'] : []), ...(withNumbers ? ['number'] : [])]
  return keys.length === 0 ? '' : `GROUP BY ${keys.join(', ')}`
}

export function bucketParametersOf(query: KpiQuery): Row {
  return { first_s: Math.floor(firstStepUs(query) / 1e6), step_s: query.stepS }
}

function filteredOf(query: KpiQuery): Dimension[] {
  return DIMENSIONS.filter((dimension) => query.where[dimension].length > 0)
}

export function conditionsOf(query: KpiQuery): string {
  return [
    PARTIES,
    ...filteredOf(query).map((dimension) => `${dimension} IN {${dimension}:Array(String)}`),
  ].join(' AND ')
}

export function parametersOf(query: KpiQuery): Row {
  return Object.fromEntries(
    filteredOf(query).map((dimension) => [dimension, storedNames(dimension, query.where[dimension])]),
  )
}

/** A site that nothing tells is stored as ''. */
function storedNames(dimension: Dimension, names: readonly string[]): readonly string[] {
  return dimension === 'site' ? names.map((name) => (name === 'unknown' ? '' : name)) : names
}
