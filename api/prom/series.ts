/**
 * What the evaluator of PromQL asks of the store, and what it gets: the one seam between `evaluate.ts` and the SQL.
 *
 * All times are whole seconds since 1970 UTC. A request names points of evaluation; a value belongs to each. Counters are
 * virtual: their increase over a window is the sum of the minutes whose end lies in `(t − window, t]` (ecosystem.md §6.3).
 */

export interface Matcher {
  label: string
  op: '=' | '!=' | '=~' | '!~'
  value: string
}

export interface Selector {
  /** Undefined: the name is in a matcher of `__name__`. */
  metric: string | undefined
  matchers: readonly Matcher[]
  /** Where it stands in the query text, for error messages. */
  at: number
}

/** start, start + step … ≤ end. An instant query has start = end. */
export interface Grid {
  startS: number
  endS: number
  stepS: number
}

/**
 * How a point gets its value.
 *
 * `last`: an instant selector: the sample at or before t. Counters: the running sum since the first kept day; gauges: the last
 * sample within 5 minutes.
 * `increase`: counters only, the window's sum. `sum`, `avg`, `max`: over the samples of the window (`*_over_time`).
 */
export type Over = 'last' | 'increase' | 'sum' | 'avg' | 'max'

export interface SeriesRequest {
  selector: Selector
  grid: Grid
  /** Of `offset`: the points are looked at so much earlier; may be negative. */
  offsetS: number
  /** Undefined with `last`. */
  windowS: number | undefined
  over: Over
}

export interface Series {
  /** With `__name__`; without empty values. */
  labels: Readonly<Record<string, string>>
  /** One for each point of the grid; undefined: no sample there (not the same as NaN). */
  values: readonly (number | undefined)[]
}

export interface SeriesAnswer {
  series: Series[]
  /** For `warnings` of the answer: a cut, a window that was too short. */
  warnings: string[]
}

export interface SeriesSource {
  /** Throws PromError `execution` where a selector or window is not supported, `timeout` where the store stopped it. */
  read(request: SeriesRequest): Promise<SeriesAnswer>
}
