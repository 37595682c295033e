import { describe, expect, test } from 'vitest'
import { evaluate } from '../../../api/prom/evaluate.js'
import { parsePromql } from '../../../api/prom/parse.js'
import type { Grid, Series, SeriesRequest, SeriesSource } from '../../../api/prom/series.js'

const GRID: Grid = { startS: 0, endS: 9_999 * 60, stepS: 60 }

/** Series of 10,000 points each. */
class WideSource implements SeriesSource {
  readonly requests: SeriesRequest[] = []
  readonly #series: Series[]

  constructor(count: number) {
    const values = new Array<number>(10_000).fill(1)
    this.#series = Array.from({ length: count }, (_, index) => ({ labels: { a: String(index) }, values }))
  }

  async read(request: SeriesRequest) {
    this.requests.push(request)
    return { series: this.#series, warnings: [`read ${request.selector.metric}`] }
  }
}

/** `x0 + x1 + …` */
const sumOf = (names: number) => Array.from({ length: names }, (_, at) => `x${at}`).join(' + ')

describe('an expression that is too much to work out', () => {
  test('is refused before the arithmetic, and not all of it is read', async () => {
    const source = new WideSource(100)
    await expect(evaluate(parsePromql(sumOf(50)), GRID, source)).rejects.toMatchObject({
      errorType: 'execution',
      message: expect.stringMatching(
        /^too much to work out: \d+ values .*ask for fewer series, a shorter range/,
      ),
    })
    expect(source.requests.length).toBeLessThan(8)
  })

  test('counts what stands in it twice twice, and what many operations are done with as often', async () => {
    const many = 'x + x'.padEnd(5 + 4 * 48, ' + x')
    await expect(evaluate(parsePromql(many), GRID, new WideSource(10))).rejects.toThrow(/too much/)
    const nested = `${'clamp_min('.repeat(100)}x${', 0)'.repeat(100)}`
    await expect(evaluate(parsePromql(nested), GRID, new WideSource(25))).rejects.toThrow(/too much/)
  })

  test('is not what a dashboard asks', async () => {
    const source = new WideSource(50)
    const value = await evaluate(
      parsePromql('sum by (b) (x0) / sum by (b) (x1) and sum by (b) (x1) > 0'),
      GRID,
      source,
    )
    expect(value).toMatchObject({ series: [{ labels: {} }], warnings: ['read x0', 'read x1'] })
  })
})
