import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trendOf, WEEK_S, weekAt, weekBefore, weekOf } from '../../../api/scorecards/week.js'

const at = (text: string) => Date.parse(text) / 1_000
const iso = (atS: number) => new Date(atS * 1_000).toISOString().slice(0, 10)
const NOW_S = at('2026-11-25T12:00:00Z')

describe('ISO weeks', () => {
  it('begin on Monday, and belong to the year of their Thursday', () => {
    for (const [day, id, from] of [
      ['2026-11-16', '2026-W47', '2026-11-16'],
      ['2026-11-22', '2026-W47', '2026-11-16'],
      ['2021-01-03', '2020-W53', '2020-12-28'],
      ['2024-12-30', '2025-W01', '2024-12-30'],
      ['2027-01-03', '2026-W53', '2026-12-28'],
    ]) {
      const week = weekAt(at(`${day}T13:00:00Z`))
      expect([week.id, iso(week.fromS)]).toEqual([id, from])
    }
  })

  it('the text of a week is the week again, whatever the moment', () => {
    fc.assert(
      fc.property(fc.integer({ min: at('1971-01-01T00:00:00Z'), max: at('2105-01-01T00:00:00Z') }), (atS) => {
        const week = weekAt(atS)
        expect(week.fromS).toBeLessThanOrEqual(atS)
        expect(week.toS).toBeGreaterThan(atS)
        expect(new Date(week.fromS * 1_000).getUTCDay()).toBe(1)
        expect(weekOf(week.id, week.toS)).toEqual(week)
        expect(weekBefore(week).toS).toBe(week.fromS)
      }),
    )
  })

  it('without a text it is the last one that is over', () => {
    expect(weekOf(undefined, NOW_S).id).toBe('2026-W47')
    expect(weekOf('2026w48', NOW_S).id).toBe('2026-W48')
  })

  it.each(['', '47', '2026-47', '2026-W00', '2026-W54', '2025-W53', '2026-W49', '0000-W01', '2026-W47x'])(
    '%j is refused, with a week to write instead',
    (text) => {
      expect(() => weekOf(text, NOW_S)).toThrow('write')
    },
  )

  it('a trend is thirteen weeks, the last is the one asked for', () => {
    const weeks = trendOf(weekAt(NOW_S))
    expect([weeks.length, weeks[0]!.id, weeks.at(-1)!.id]).toEqual([13, '2026-W36', '2026-W48'])
    expect(weeks.every(({ fromS, toS }) => toS - fromS === WEEK_S)).toBe(true)
  })
})
