/**
 * The shape of a number. A KPI is one file in this folder: its rule (TypeScript, the oracle) and its SQL say the same
 * sentence in the same order; `schemas/kpi-catalog.ts` lists them; `test/kpi/<id>.kpi` proves both on call flows.
 *
 * Rules and SQL are asked about closed attempts only: open and incomplete ones are counted beside every number and are in
 * no ratio (metrics.md §0). SQL expressions read the columns of `call_attempts`.
 */
import type { Attempt } from '../attempt.js'

/**
 * The part an attempt plays in a ratio.
 *   numerator    counts above and below the line
 *   denominator  counts below the line only
 *   excluded     would belong, but the definition takes it out: shown as `excluded`
 *   outside      the ratio is not about such attempts
 */
export type RatioAnswer = 'numerator' | 'denominator' | 'excluded' | 'outside'

interface Definition {
  id: string
  /** Another name for the same number. */
  alias?: string
  name: string
  /** One sentence a carrier manager understands. */
  description: string
  version: number
  /** Section of the standard or of metrics.md. */
  source: string
  /** Fewest attempts in the denominator (or measurements) for a value; below it the number is "insufficient data". */
  floor: number
  /** Where a panel turns yellow and red; `warn` above `bad`: less is worse. Starting points for the eye: no alert reads them. */
  thresholds?: { warn: number; bad: number }
  /** Whose minute the attempt counts in: that of its INVITE, or that of the end of the call. */
  minute: 'start' | 'end'
}

export interface RatioKpi extends Definition {
  kind: 'ratio'
  unit: 'ratio'
  rule: (attempt: Attempt) => RatioAnswer
  /** Gives one of the four answers as a string. */
  sql: string
}

/** Nearest-rank quantile `x[ceil(p·n) − 1]` of a measure. From rollups: a log-bucket histogram, within 2 %. */
export interface QuantileKpi extends Definition {
  kind: 'quantile'
  unit: 's'
  p: number
  /** Histogram it is read from: the name of a column pair in call_attempts and kpi_minute. */
  histogram: 'pdd'
  /** Milliseconds, or null: no measurement. */
  rule: (attempt: Attempt) => number | null
  sql: string
}

/** Sum of a measure over the count of attempts that have it. */
export interface MeanKpi extends Definition {
  kind: 'mean'
  unit: 's'
  /** Milliseconds, or null: outside. */
  rule: (attempt: Attempt) => number | null
  sql: string
}

export type Kpi = RatioKpi | QuantileKpi | MeanKpi
