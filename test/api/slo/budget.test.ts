import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { budgetOf, provableFrom } from '../../../api/slo/budget.js'

const WINDOW_S = 30 * 86_400
const window = (bad: number, valid: number, windowS = WINDOW_S) => ({ windowS, bad, valid })
const hour = (bad: number, valid: number) => window(bad, valid, 3_600)

describe('error budget', () => {
  it('allows (1 − objective) of the valid attempts: 0.1, 1, 10 and 100 calls at 99.999 %', () => {
    for (const [valid, calls] of [
      [10_000, 0.1],
      [100_000, 1],
      [1_000_000, 10],
      [10_000_000, 100],
    ] as const) {
      expect(budgetOf(0.99999, window(0, valid), []).calls).toBeCloseTo(calls, 9)
    }
  })

  it('is 25.9 seconds of total outage in 30 days at 99.999 %', () => {
    expect(budgetOf(0.99999, window(0, 1_000_000), []).minutes * 60).toBeCloseTo(25.92, 9)
  })

  it('loses what was spent, in calls and in minutes', () => {
    expect(budgetOf(0.999, window(250, 1_000_000), [])).toMatchObject({
      calls: 1_000,
      callsSpent: 250,
      callsLeft: 750,
      leftRatio: 0.75,
    })
    expect(budgetOf(0.999, window(250, 1_000_000), []).minutesLeft).toBeCloseTo(43.2 * 0.75, 9)
  })

  it('goes below zero when it is overspent, and is exhausted now', () => {
    expect(budgetOf(0.999, window(2_000, 1_000_000), [hour(0, 1_000)])).toMatchObject({
      callsLeft: -1_000,
      leftRatio: -1,
      exhaustedInS: 0,
    })
  })

  it('takes the minutes of maintenance out of the window', () => {
    expect(budgetOf(0.999, window(0, 1_000), [], WINDOW_S / 2).minutes).toBeCloseTo(21.6, 9)
  })

  it('is not known without valid attempts', () => {
    expect(budgetOf(0.999, window(0, 0), [])).toMatchObject({
      leftRatio: null,
      minutesLeft: null,
      exhaustedInS: null,
      exhaustionReason: 'no_traffic',
    })
  })

  it('ends when the present burn has eaten what is left', () => {
    // A burn of 10 eats a whole budget in 3 days, three quarters of it in 54 hours.
    const budget = budgetOf(0.999, window(250, 1_000_000), [hour(10, 1_000)])
    expect(budget).toMatchObject({ exhaustionWindowS: 3_600, exhaustionReason: undefined })
    expect(budget.exhaustedInS).toBeCloseTo(54 * 3_600, 6)
  })

  it('does not end at a burn slower than the window rolls on', () => {
    const budget = budgetOf(0.999, window(250, 1_000_000), [hour(7, 10_000)])
    expect(budget).toMatchObject({ exhaustedInS: null, exhaustionReason: 'outlasts_window' })
    expect(budgetOf(0.999, window(250, 1_000_000), [hour(8, 10_000)]).exhaustedInS).not.toBeNull()
  })

  it('takes the present burn from the shortest window with 100 valid attempts', () => {
    const budget = budgetOf(0.999, window(250, 1_000_000), [hour(40, 40), window(6, 600, 21_600)])
    expect(budget.exhaustionWindowS).toBe(21_600)
    expect(budget.exhaustedInS).toBeCloseTo(54 * 3_600, 6)
    expect(budgetOf(0.999, window(0, 90), [hour(1, 40)]).exhaustionReason).toBe('insufficient_data')
    expect(budgetOf(0.999, window(0, 1_000), [hour(0, 400)]).exhaustionReason).toBe('not_burning')
  })
})

describe('what cannot be shown', () => {
  it('zero failures prove 99.9 % from 2,995 attempts and 99.999 % from 299,572', () => {
    expect(provableFrom(0.999)).toBe(2_995)
    expect(provableFrom(0.99999)).toBe(299_572)
    expect(provableFrom(0.995)).toBe(598)
  })

  it('is the fewest: one attempt less proves nothing at 95 %', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 0.999999, noNaN: true }), (objective) => {
        const n = provableFrom(objective)
        expect(objective ** n).toBeLessThanOrEqual(0.05 * (1 + 1e-9))
        expect(objective ** (n - 1)).toBeGreaterThan(0.05 * (1 - 1e-9))
      }),
    )
  })

  it('says so below that volume', () => {
    expect(budgetOf(0.99999, window(0, 299_571), []).cannotBeShown).toBe(true)
    expect(budgetOf(0.99999, window(0, 299_572), []).cannotBeShown).toBe(false)
  })

  it('but that an objective is missed can be shown by few', () => {
    expect(budgetOf(0.995, window(60, 60), [])).toMatchObject({ cannotBeShown: false, isMissed: true })
    expect(budgetOf(0.995, window(1, 60), [])).toMatchObject({ cannotBeShown: true, isMissed: false })
  })

  it('more bad attempts never leave more, nor last longer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.nat(500), fc.nat(90), (valid, bad, badNow) => {
        const seen = (more: number) =>
          budgetOf(0.995, window(Math.min(valid, bad + more), valid), [
            hour(Math.min(100, badNow + more), 100),
          ])
        const [before, after] = [seen(0), seen(1)]
        expect(after.callsLeft).toBeLessThanOrEqual(before.callsLeft)
        expect(after.leftRatio!).toBeLessThanOrEqual(before.leftRatio!)
        expect(after.exhaustedInS ?? Infinity).toBeLessThanOrEqual(before.exhaustedInS ?? Infinity)
      }),
    )
  })
})
