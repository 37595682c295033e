/**
 * The same samples and the same expressions to Debian's Prometheus (2.42) and to our evaluator: equal label sets, equal
 * values, equal refusals.
 *
 * Prometheus 2.x closes a window at both ends, so `sum_over_time(x[5m])` is asked there as `[4m59s]`, and a sample is looked
 * for 4m59s back. Counters are compared
 * on minute marks only: between them Prometheus extrapolates.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { evaluate } from '../../../api/prom/evaluate.js'
import { parsePromql } from '../../../api/prom/parse.js'
import { PROM_STATUS, PromError } from '../../../api/prom/prom-error.js'
import type { Grid } from '../../../api/prom/series.js'
import { missingPrograms, needs } from '../../support/outside-programs.js'
import { openMetricsOf, Prometheus } from '../../support/prometheus.js'
import { type Answer, answerOf, askPrometheus, compareAll, difference } from './answers.js'
import { FIXED, ORDERED, REFUSED } from './expressions.js'
import { anyKnownScalar, anyKnownVector, FIRST_S, familiesOf, knownSeries } from './known-samples.js'
import { MemorySource } from './memory-source.js'

const test = needs('prometheus', 'promtool')

const SAMPLE_SEED = 7
const EXPRESSION_SEED = 20_260_101
const EXPRESSIONS = 500
/** Two hours in, so that an hour's window an hour ago is full. */
const GRID: Grid = { startS: FIRST_S + 7_200, endS: FIRST_S + 7_200 + 40 * 60, stepS: 300 }
const POINT: Grid = { ...GRID, endS: GRID.startS }

const series = knownSeries(SAMPLE_SEED)
const source = new MemorySource(series)
let prometheus: Prometheus | undefined

beforeAll(async () => {
  if (missingPrograms('prometheus', 'promtool').length > 0) return
  prometheus = await Prometheus.start(openMetricsOf(familiesOf(series)), ['--query.lookback-delta=299s'])
})
afterAll(async () => {
  await prometheus?.stop()
})

describe('the same answers as Prometheus', () => {
  test(`${EXPRESSIONS} generated expressions`, async () => {
    const arbitrary = fc.oneof(
      { weight: 1, arbitrary: anyKnownScalar },
      { weight: 30, arbitrary: anyKnownVector },
    )
    const expressions = fc.sample(arbitrary, { numRuns: EXPRESSIONS, seed: EXPRESSION_SEED })
    const seen = await compareOver(GRID, expressions)
    // The comparison is worth something: most have series, and some are refused.
    expect(seen.withSeries).toBeGreaterThan(EXPRESSIONS / 2)
    expect(seen.refused).toBeGreaterThan(0)
  }, 120_000)

  test('expressions of dashboards and rules, over a range', async () => {
    expect((await compareOver(GRID, FIXED)).refused).toBe(0)
  }, 60_000)

  test('the same ones at one point', async () => {
    expect((await compareOver(POINT, FIXED)).refused).toBe(0)
  }, 60_000)

  test('the order of topk at one point', async () => {
    for (const expression of ORDERED) {
      const [ours, theirs] = [await askOurs(expression, POINT), await askTheirs(expression, POINT)]
      if ('refusal' in ours || 'refusal' in theirs) throw new Error(difference(expression, ours, theirs))
      expect(ours.labels, expression).toEqual(theirs.labels)
    }
  })

  test('what is wrong is refused with the same status', async () => {
    expect((await compareOver(GRID, REFUSED)).refused).toBe(REFUSED.length)
    expect((await compareOver(POINT, REFUSED)).refused).toBe(REFUSED.length)
  }, 60_000)
})

const compareOver = (grid: Grid, expressions: readonly string[]) =>
  compareAll(
    expressions,
    (expression) => askOurs(expression, grid),
    (expression) => askTheirs(expression, grid),
  )

async function askOurs(expression: string, grid: Grid): Promise<Answer> {
  try {
    const value = await evaluate(parsePromql(expression), grid, source)
    const series = value.type === 'scalar' ? [{ labels: {}, values: value.values }] : value.series
    return answerOf(value.type, series)
  } catch (error) {
    if (!(error instanceof PromError)) throw new Error(`on ${expression}`, { cause: error })
    return { refusal: `${PROM_STATUS[error.errorType]} ${error.errorType}: ${error.message}` }
  }
}

const askTheirs = (expression: string, grid: Grid) => askPrometheus(prometheus!, expression, grid)
