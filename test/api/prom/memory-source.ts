/**
 * Series in memory behind the seam of the store, with the rule of docs/promql.md: a minute is a sample at its end, and a
 * window holds the samples in (t − w, t]. Expressions in matchers are the tests' own, so they may run here.
 */
import { PromError } from '../../../api/prom/prom-error.js'
import type { Matcher, Series, SeriesAnswer, SeriesRequest, SeriesSource } from '../../../api/prom/series.js'

export const MINUTE_S = 60
const LOOKBACK_S = 300

export interface MinuteSeries {
  labels: Readonly<Record<string, string>>
  isCounter: boolean
  firstAtS: number
  /** Minute by minute; of a counter its growth. Undefined: no sample. */
  minutes: readonly (number | undefined)[]
}

export class MemorySource implements SeriesSource {
  readonly requests: SeriesRequest[] = []
  readonly #series: { series: MinuteSeries; samples: readonly (number | undefined)[] }[]

  constructor(series: readonly MinuteSeries[]) {
    this.#series = series.map((one) => ({ series: one, samples: samplesOf(one) }))
  }

  async read(request: SeriesRequest): Promise<SeriesAnswer> {
    this.requests.push(request)
    const { selector, grid, offsetS, over } = request
    const answer: Series[] = []
    for (const { series, samples } of this.#series) {
      if (selector.metric !== undefined && series.labels.__name__ !== selector.metric) continue
      if (!selector.matchers.every((matcher) => holds(matcher, series.labels[matcher.label] ?? ''))) continue
      if (over === 'increase' && !series.isCounter) {
        throw new PromError('execution', `${series.labels.__name__} is no counter`)
      }
      const values: (number | undefined)[] = []
      for (let atS = grid.startS; atS <= grid.endS; atS += grid.stepS) {
        values.push(valueAt(request, series, samples, atS - offsetS))
        if (grid.startS === grid.endS) break
      }
      answer.push({ labels: series.labels, values })
    }
    return { series: answer, warnings: [] }
  }
}

/** What Prometheus would have scraped. */
export function samplesOf({ isCounter, minutes }: MinuteSeries): readonly (number | undefined)[] {
  if (!isCounter) return minutes
  let total = 0
  return minutes.map((growth) => {
    total += growth ?? 0
    return total
  })
}

function valueAt(
  { over, windowS }: SeriesRequest,
  series: MinuteSeries,
  samples: readonly (number | undefined)[],
  atS: number,
): number | undefined {
  const from = over === 'increase' ? series.minutes : samples
  const inWindow: number[] = []
  for (const [index, value] of from.entries()) {
    const sampleS = series.firstAtS + index * MINUTE_S
    if (sampleS > atS - (windowS ?? LOOKBACK_S) && sampleS <= atS && value !== undefined) inWindow.push(value)
  }
  if (inWindow.length === 0) return undefined
  const sum = inWindow.reduce((total, value) => total + value, 0)
  switch (over) {
    case 'last':
      return inWindow.at(-1)
    case 'increase':
    case 'sum':
      return sum
    case 'avg':
      return sum / inWindow.length
    case 'max':
      // NaN only where there is nothing else.
      return inWindow.reduce((most, value) => (Number.isNaN(most) || value > most ? value : most))
  }
}

function holds({ op, value }: Matcher, found: string): boolean {
  if (op === '=' || op === '!=') return (found === value) === (op === '=')
  return new RegExp(`^(?:${value})$`, 's').test(found) === (op === '=~')
}
