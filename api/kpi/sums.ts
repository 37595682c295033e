/**
 * Sums of rollup columns: what every number is made from. They add up over minutes and groups; numbers do not.
 */
import { bucketDelayMs } from '../../schemas/delay-histogram.js'
import { ROLLUP_COLUMNS, type RollupColumn } from '../../schemas/kpi-rollup.js'

export interface Sums {
  /** By rollup column. */
  counts: Record<string, number>
  /** By rollup column, then by key. */
  maps: Record<string, Record<string, number>>
  /** Milliseconds by KPI id, read from attempts; undefined where the histogram has to answer. */
  exactMs: Record<string, number> | undefined
}

const isMap = (column: RollupColumn) => column.type.startsWith('Map(')

const NO_COUNTS = Object.fromEntries(ROLLUP_COLUMNS.filter((c) => !isMap(c)).map(({ name }) => [name, 0]))
const MAPS = ROLLUP_COLUMNS.filter(isMap).map(({ name }) => name)

export function emptySums(): Sums {
  return {
    counts: { ...NO_COUNTS },
    maps: Object.fromEntries(MAPS.map((name) => [name, {}])),
    exactMs: undefined,
  }
}

/** A row whose columns carry the prefix `sum_`, and `exact_<id>` where attempts were read. */
export function sumsOfRow(row: Record<string, unknown>, columns: readonly RollupColumn[]): Sums {
  const sums = emptySums()
  for (const column of columns) {
    const value = row[`sum_${column.name}`]
    if (!isMap(column)) {
      // Milliseconds made of whole microseconds: rounded to these they do not depend on the order in which they were added.
      sums.counts[column.name] =
        column.type === 'Float64' ? Math.round(Number(value) * 1_000) / 1_000 : Number(value)
      continue
    }
    const map = sums.maps[column.name] as Record<string, number>
    const written = value as Record<string, unknown>
    for (const key in written) {
      const count = Number(written[key])
      if (count > 0) map[key] = count
    }
  }
  for (const [name, value] of Object.entries(row)) {
    if (!name.startsWith('exact_')) continue
    sums.exactMs ??= {}
    sums.exactMs[name.slice('exact_'.length)] = Number(value)
  }
  return sums
}

/** Adds `more` into `sums`. Exact quantiles do not add up and are dropped. */
export function addSums(sums: Sums, more: Sums): Sums {
  for (const name in more.counts) {
    const value = more.counts[name] as number
    if (value !== 0) sums.counts[name] = (sums.counts[name] ?? 0) + value
  }
  for (const name in more.maps) {
    const map = more.maps[name] as Record<string, number>
    const into = sums.maps[name]
    // Most sums begin as nothing, and copying is quicker than adding.
    if (into === undefined || isBlank(into)) {
      sums.maps[name] = { ...map }
      continue
    }
    for (const key in map) into[key] = (into[key] ?? 0) + (map[key] as number)
  }
  sums.exactMs = undefined
  return sums
}

function isBlank(map: object): boolean {
  for (const _ in map) return false
  return true
}

export function countOf(sums: Sums, column: string): number {
  return sums.counts[column] ?? 0
}

export function mapOf(sums: Sums, column: string): Record<string, number> {
  return sums.maps[column] ?? {}
}

/** Attempts in any state. */
export function anyAttempts(sums: Sums): number {
  return countOf(sums, 'attempts') + countOf(sums, 'open') + countOf(sums, 'incomplete')
}

export function isEmpty(sums: Sums): boolean {
  return Object.values(sums.counts).every((count) => count === 0)
}

export function histogramOf(sums: Sums): Map<number, number> {
  return new Map(
    Object.entries(mapOf(sums, 'pdd_histogram')).map(([bucket, count]) => [Number(bucket), count]),
  )
}

/** Milliseconds: the exact value where attempts were read, otherwise that of the histogram; null without measurements. */
export function quantileMs(sums: Sums, id: string, p: number): number | null {
  const count = countOf(sums, 'pdd_count')
  if (count === 0) return null
  const exactMs = sums.exactMs?.[id]
  if (exactMs !== undefined) return exactMs
  // Nearest rank, as histogramQuantileMs has it. Keys that are whole numbers are walked in ascending order.
  let rank = Math.max(1, Math.ceil(p * count))
  const counts = mapOf(sums, 'pdd_histogram')
  for (const bucket in counts) {
    rank -= counts[bucket] as number
    if (rank <= 0) return bucketDelayMs(Number(bucket))
  }
  return null
}
