import { describe, expect, test } from 'vitest'
import { evaluate, type PromValue } from '../../../api/prom/evaluate.js'
import { parsePromql } from '../../../api/prom/parse.js'
import type { Grid, SeriesSource } from '../../../api/prom/series.js'
import { MemorySource, type MinuteSeries } from './memory-source.js'

const FIRST_S = 1_767_250_860

/** Each list is minute by minute, the first ending at FIRST_S. */
function counter(labels: Record<string, string>, ...minutes: number[]): MinuteSeries {
  return { labels: { __name__: 'calls_total', ...labels }, isCounter: true, firstAtS: FIRST_S, minutes }
}

function gauge(labels: Record<string, string>, ...minutes: (number | undefined)[]): MinuteSeries {
  return { labels: { __name__: 'burn_ratio', ...labels }, isCounter: false, firstAtS: FIRST_S, minutes }
}

async function ask(query: string, series: MinuteSeries[], points = 1, fromMinute = 0): Promise<PromValue> {
  const startS = FIRST_S + fromMinute * 60
  const grid = { startS, endS: startS + (points - 1) * 60, stepS: 60 }
  return evaluate(parsePromql(query), grid, new MemorySource(series))
}

/** `{carrier="a"}` → values. */
async function table(
  ...asked: Parameters<typeof ask>
): Promise<Record<string, readonly (number | undefined)[]>> {
  const value = await ask(...asked)
  if (value.type === 'scalar') throw new Error('a scalar')
  return Object.fromEntries(value.series.map(({ labels, values }) => [JSON.stringify(labels), values]))
}

describe('windows', () => {
  test('an increase is the sum of the minutes that end in it, and a rate is that per second', async () => {
    const series = [counter({}, 4, 8, 16, 32)]
    expect(await table('increase(calls_total[2m])', series, 4)).toEqual({ '{}': [4, 12, 24, 48] })
    expect(await table('rate(calls_total[2m])', series, 1, 3)).toEqual({ '{}': [0.4] })
    expect(await table('increase(calls_total[1m] offset 1m)', series, 3, 1)).toEqual({ '{}': [4, 8, 16] })
  })

  test('one shorter than a minute is answered as a minute, and says so', async () => {
    const value = await ask('rate(calls_total[15s]) + rate(calls_total[1m])', [counter({}, 60)])
    expect(value).toMatchObject({ series: [{ values: [2] }] })
    expect(value.warnings).toEqual([expect.stringContaining('[15s] is answered as [1m]')])
  })

  test('a range vector is no answer', async () => {
    await expect(ask('calls_total[5m]', [])).rejects.toMatchObject({ errorType: 'execution' })
  })
})

describe('reads', () => {
  test('equal selectors are read once, wherever they stand and however their matchers are ordered', async () => {
    const source = new MemorySource([counter({ a: '1', b: '2' }, 1)])
    const query =
      'rate(calls_total{a="1",b="2"}[5m]) / increase(calls_total{b="2",a="1"}[5m]) + rate(calls_total{a="1",b="2"}[1h])'
    await evaluate(parsePromql(query), { startS: FIRST_S, endS: FIRST_S, stepS: 60 }, source)
    expect(source.requests.map(({ windowS, over }) => [windowS, over])).toEqual([
      [300, 'increase'],
      [3_600, 'increase'],
    ])
  })

  test('an expression in a matcher reaches the source untouched, however slow it would be here', async () => {
    const source = new MemorySource([])
    await evaluate(parsePromql('x{a=~"(a+)+$", b!~`(x*)*y`}'), { startS: 0, endS: 0, stepS: 60 }, source)
    expect(source.requests[0]!.selector.matchers).toEqual([
      { label: 'a', op: '=~', value: '(a+)+$' },
      { label: 'b', op: '!~', value: '(x*)*y' },
    ])
  })

  test('warnings of the source come with the answer, each once', async () => {
    const source: SeriesSource = { read: async () => ({ series: [], warnings: ['cut at 1000 series'] }) }
    const grid: Grid = { startS: 0, endS: 0, stepS: 60 }
    const value = await evaluate(parsePromql('x + y'), grid, source)
    expect(value).toEqual({ type: 'vector', series: [], warnings: ['cut at 1000 series'] })
  })

  test('what the source refuses is the answer of the query', async () => {
    await expect(ask('rate(burn_ratio[5m])', [gauge({}, 1)])).rejects.toMatchObject({
      errorType: 'execution',
    })
  })
})

describe('names and labels', () => {
  const series = [gauge({ a: '1' }, 3)]
  test.each([
    ['burn_ratio', '{"__name__":"burn_ratio","a":"1"}'],
    ['burn_ratio > 2', '{"__name__":"burn_ratio","a":"1"}'],
    ['topk(1, burn_ratio)', '{"__name__":"burn_ratio","a":"1"}'],
    ['burn_ratio and burn_ratio', '{"__name__":"burn_ratio","a":"1"}'],
    ['burn_ratio > bool 2', '{"a":"1"}'],
    ['burn_ratio * 1', '{"a":"1"}'],
    ['-burn_ratio', '{"a":"1"}'],
    ['clamp_min(burn_ratio, 0)', '{"a":"1"}'],
    ['sum_over_time(burn_ratio[1m])', '{"a":"1"}'],
    ['burn_ratio * on (a) burn_ratio', '{"a":"1"}'],
    ['sum(burn_ratio)', '{}'],
    ['sum by (a, constructor) (burn_ratio)', '{"a":"1"}'],
  ])('%s is called %s', async (query, labels) => {
    expect(Object.keys(await table(query, series))).toEqual([labels])
  })

  test('a missing label equals the empty one', async () => {
    const sides = [gauge({ a: '1' }, 3), gauge({ a: '1', b: '2' }, 4)]
    expect(await table('burn_ratio{b=""} + on (a, b) burn_ratio{b=""}', sides)).toEqual({ '{"a":"1"}': [6] })
  })
})

describe('nothing', () => {
  test('has no sum, and `or vector(0)` stands in without labels', async () => {
    expect(await table('sum(calls_total)', [])).toEqual({})
    expect(await table('sum(calls_total) or vector(0)', [])).toEqual({ '{}': [0] })
  })

  test('is what absent tells, with the labels that were asked for by =', async () => {
    expect(await table('absent(burn_ratio{a="1", b=~"x|y", c="3"})', [])).toEqual({
      '{"a":"1","c":"3"}': [1],
    })
    const gap = [gauge({}, 1, undefined, undefined, undefined, undefined, undefined, 1)]
    expect(await table('absent(burn_ratio)', gap, 7)).toEqual({
      '{}': [undefined, undefined, undefined, undefined, undefined, 1, undefined],
    })
  })

  test('divided by nothing is NaN, and something is infinite', async () => {
    expect(await table('calls_total / 0', [counter({ a: '1' }, 0), counter({ a: '2' }, 1)])).toEqual({
      '{"a":"1"}': [Number.NaN],
      '{"a":"2"}': [Number.POSITIVE_INFINITY],
    })
  })
})

describe('matching is one to one, point by point', () => {
  test('two on the right are refused, two on the left as well', async () => {
    const sides = [gauge({ a: '1', b: '1' }, 1), gauge({ a: '1', b: '2' }, 2)]
    await expect(ask('burn_ratio{b="1"} + on (a) burn_ratio', sides)).rejects.toMatchObject({
      errorType: 'execution',
      message: expect.stringContaining('duplicate series for the match group {a="1"}'),
    })
    await expect(ask('burn_ratio + on (a) burn_ratio{b="1"}', sides)).rejects.toMatchObject({
      errorType: 'execution',
      message: expect.stringContaining('many-to-one'),
    })
  })

  test('series that are never there at once do not collide', async () => {
    const sides = [
      gauge({ a: '1', b: '1' }, 1, undefined, undefined, undefined, undefined, undefined, undefined),
      gauge({ a: '1', b: '2' }, undefined, undefined, undefined, undefined, undefined, undefined, 5),
    ]
    const value = await table(
      'sum_over_time(burn_ratio[1m]) * on (a) vector(1) or sum by (a) (sum_over_time(burn_ratio[1m]))',
      sides,
      7,
    )
    expect(value).toEqual({ '{"a":"1"}': [1, undefined, undefined, undefined, undefined, undefined, 5] })
  })

  test('two series that lose what told them apart are refused', async () => {
    const sides = [gauge({}, 1), { ...gauge({}, 1), labels: { __name__: 'other_ratio' } }]
    await expect(ask('{__name__=~".*_ratio"} * 1', sides)).rejects.toMatchObject({ errorType: 'execution' })
  })
})

describe('topk', () => {
  const series = [gauge({ a: '1' }, 1, 9), gauge({ a: '2' }, 2, 2), gauge({ a: '3' }, Number.NaN, 3)]

  test('comes in falling order at one point, NaN last', async () => {
    expect(Object.values(await table('topk(5, burn_ratio)', series))).toEqual([[2], [1], [Number.NaN]])
  })

  test('is chosen anew at each point', async () => {
    expect(await table('topk(1, burn_ratio) * 1', series, 2)).toEqual({
      '{"a":"2"}': [2, undefined],
      '{"a":"1"}': [undefined, 9],
    })
  })
})

describe('histogram_quantile', () => {
  const buckets = (...counts: [string, number][]) => counts.map(([le, count]) => counter({ le }, count))

  test.each([
    [0.5, 1.5],
    [0, 0],
    [1, 2],
    [-1, Number.NEGATIVE_INFINITY],
    [2, Number.POSITIVE_INFINITY],
  ])('of %d lies at %d', async (quantile, expected) => {
    const series = [...buckets(['1', 10], ['2', 30], ['+Inf', 30]), counter({ le: 'x' }, 5), counter({}, 5)]
    const value = await table(`histogram_quantile(${quantile}, increase(calls_total[1m]))`, series)
    const [[found]] = Object.values(value) as [number[]]
    expect(found).toBeCloseTo(quantile === 0.5 ? 1.25 : expected)
  })

  test('above the last edge is that edge', async () => {
    const value = await table(
      'histogram_quantile(0.9, calls_total)',
      buckets(['1', 1], ['2', 2], ['+Inf', 100]),
    )
    expect(value).toEqual({ '{}': [2] })
  })

  test('is NaN without observations, without +Inf, and of one bucket', async () => {
    for (const series of [
      buckets(['1', 0], ['+Inf', 0]),
      buckets(['1', 1], ['2', 2]),
      buckets(['+Inf', 5]),
    ]) {
      expect(await table('histogram_quantile(0.5, calls_total)', series)).toEqual({ '{}': [Number.NaN] })
    }
  })

  test('a first bucket that reaches below 0 has no beginning: its edge stands for it', async () => {
    const value = await table('histogram_quantile(0.1, calls_total)', buckets(['-1', 5], ['+Inf', 10]))
    expect(value).toEqual({ '{}': [-1] })
  })

  test('a count that falls by rounding does no harm', async () => {
    const value = await table(
      'histogram_quantile(0.5, calls_total)',
      buckets(['1', 10], ['2', 9], ['+Inf', 10]),
    )
    expect(value).toEqual({ '{}': [0.5] })
  })
})

test('a scalar has its value at each point', async () => {
  expect(await ask('1 + 1', [], 3)).toEqual({ type: 'scalar', values: [2, 2, 2], warnings: [] })
})
