import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { askedAt, askedRange, POINTS_MAX, PromParameters, stepOf } from '../../../api/prom/parameters.js'
import { PromError } from '../../../api/prom/prom-error.js'

describe('parameters of the Prometheus API', () => {
  it('a step is seconds or a duration', () => {
    for (const [text, stepS] of [
      ['60', 60],
      ['60.000', 60],
      ['1m', 60],
      ['1m30s', 90],
      ['1h', 3_600],
      ['1d12h', 129_600],
      ['1w', 604_800],
      ['5000ms', 5],
    ] as const) {
      expect(stepOf(text)).toBe(stepS)
    }
    for (const text of ['0', '0s', '-1', '1.5', '500ms', 'm', '1m1h', '1 m', 'NaN', 'Infinity', '1e3', '']) {
      expect(() => stepOf(text), text).toThrow(PromError)
    }
  })

  it('a part of a second is left out of the grid and kept for the answer', () => {
    const { grid, fractionS } = askedAt(1_763_643_600.25)
    expect([grid, fractionS]).toEqual([{ startS: 1_763_643_600, endS: 1_763_643_600, stepS: 60 }, 0.25])
  })

  it('a form comes before the URL, an empty value is none, and the order of what is written does not matter', () => {
    const written = new PromParameters(
      { query: 'a', 'match[]': 'x' },
      { query: 'b', 'match[]': ['y', 'z'], time: '' },
    )
    expect(written.one('query')).toBe('b')
    expect(written.all('match[]')).toEqual(['y', 'z', 'x'])
    expect(written.timeS('time')).toBeUndefined()
    expect(new PromParameters({ a: '1', b: '2' }, null).sorted()).toEqual(
      new PromParameters({ b: '2', a: '1' }, null).sorted(),
    )
    expect(new PromParameters({}, null).one('constructor')).toBeUndefined()
  })

  it('any texts give a grid within bounds or bad data', () => {
    const text = fc.oneof(
      fc.string(),
      fc.double().map(String),
      fc.integer().map(String),
      fc.constantFrom('1m', '2026-11-20T12:00:00Z'),
    )
    fc.assert(
      fc.property(text, text, text, (start, end, step) => {
        try {
          const { grid, fractionS } = askedRange(new PromParameters({ start, end, step }, undefined))
          expect(grid.stepS).toBeGreaterThan(0)
          expect((grid.endS - grid.startS) / grid.stepS).toBeLessThan(POINTS_MAX)
          expect(fractionS).toBeLessThan(1)
        } catch (error) {
          expect(error).toMatchObject({ errorType: 'bad_data' })
        }
      }),
    )
  })
})
