import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isoOf, isoOrNull, isoUsOf, shown, spanOf, timeUsOf } from '../../api/time-span.js'
import { NOON_S, NOON_US } from './support.js'

const rules = { nowUs: NOON_US + 20e6, longestS: 86_400 * 400 }

describe('times', () => {
  it.each([
    ['2026-11-20T12:00:00Z', NOON_US],
    ['2026-11-20t12:00:00z', NOON_US],
    ['2026-11-20 12:00:00Z', NOON_US],
    ['2026-11-20T13:00:00+01:00', NOON_US],
    ['2026-11-20T13:00:00 01:00', NOON_US],
    ['2026-11-20T06:30:00-05:30', NOON_US],
    ['2026-11-20T12:00:00.000001Z', NOON_US + 1],
    ['2026-11-20T12:00:00.5Z', NOON_US + 500_000],
    [String(NOON_S), NOON_US],
    [`${NOON_S}.25`, NOON_US + 250_000],
  ])('%s', (text, us) => {
    expect(timeUsOf('from', text)).toBe(us)
  })

  it.each([
    '',
    'now',
    '2026-11-20',
    '2026-11-20T12:00:00',
    '2026-13-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '-5',
    '1e9',
    '2026-11-20T24:00:00Z',
  ])('"%s" is not a time', (text) => {
    expect(() => timeUsOf('from', text)).toThrow(
      /write RFC 3339, for example 2026-11-20T00:00:00Z, or unix seconds/,
    )
  })

  it('are written as they are read', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_294_967_000 * 1e6 }), (us) => {
        expect(timeUsOf('from', isoOf(us))).toBe(us)
        expect(timeUsOf('from', isoUsOf(us))).toBe(us)
      }),
    )
    expect(isoOf(NOON_US)).toBe('2026-11-20T12:00:00Z')
    expect(isoUsOf(NOON_US)).toBe('2026-11-20T12:00:00.000000Z')
    expect(isoOrNull(0)).toBeNull()
  })

  it('any text gives a time or an error with what to write', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(timeUsOf('to', text)).toBeGreaterThanOrEqual(0)
        } catch (error) {
          expect(error).toMatchObject({ code: 'TRUNKSCOPE_API_BAD_TIME' })
        }
      }),
    )
  })

  it('a span without bounds is the last hour, the running minute included', () => {
    expect(spanOf({}, rules)).toEqual({ fromUs: NOON_US - 59 * 60e6, toUs: NOON_US + 60e6 })
    expect(spanOf({ to: '2026-11-20T10:00:00Z' }, rules)).toEqual({
      fromUs: NOON_US - 3 * 3_600e6,
      toUs: NOON_US - 2 * 3_600e6,
    })
  })

  it('what a person wrote is shown short and without control characters', () => {
    expect(shown('a\u001b[31m\r\nb')).toBe('a?[31m??b')
    expect(shown('x'.repeat(500))).toHaveLength(81)
  })
})
