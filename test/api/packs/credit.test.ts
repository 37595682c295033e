import { describe, expect, test } from 'vitest'
import { wilsonInterval } from '../../../api/kpi/interval.js'
import { emptySums, type Sums } from '../../../api/kpi/sums.js'
import { creditOf } from '../../../api/packs/credit.js'

const DAY = { fromS: Date.UTC(2026, 10, 20) / 1_000, toS: Date.UTC(2026, 10, 21) / 1_000 }
const MONTH = { fromS: Date.UTC(2026, 10, 1) / 1_000, toS: Date.UTC(2026, 11, 1) / 1_000 }

function nerOf(effective: number, attempts: number): Sums {
  const sums = emptySums()
  sums.counts.attempts = attempts
  sums.counts.ner_numerator = effective
  sums.counts.ner_denominator = attempts
  return sums
}

const TIERS = [
  { target: 'ner', below: 0.95, percent: 5 },
  { target: 'ner', below: 0.9, percent: 10 },
]
const percents = (effective: number, attempts: number) => {
  const { certain_percent, point_estimate_percent } = creditOf(
    { credits: TIERS },
    nerOf(effective, attempts),
    DAY,
  )
  return [certain_percent, point_estimate_percent]
}

describe('service credit', () => {
  test('a tier counts for certain only where the whole interval lies beyond it', () => {
    expect(percents(9_600, 10_000)).toEqual([0, 0])
    expect(percents(9_400, 10_000)).toEqual([5, 5])
    expect(percents(94, 100)).toEqual([0, 5])
    expect(percents(8_980, 10_000)).toEqual([5, 10])
    expect(wilsonInterval(8_980, 10_000)![1]).toBeGreaterThan(0.9)
    expect(percents(8_000, 10_000)).toEqual([10, 10])
  })

  test('a value on the bound has not gone beyond it', () => {
    expect(percents(9_500, 10_000)).toEqual([0, 0])
    expect(percents(9_000, 10_000)).toEqual([5, 5])
    expect(percents(950_000, 1_000_000)).toEqual([0, 0])
  })

  test('nothing measured is nothing owed, and says so', () => {
    const credit = creditOf({ credits: TIERS }, emptySums(), DAY)
    expect(credit.targets[0]!.tiers.map(({ reached }) => reached)).toEqual(['not_measured', 'not_measured'])
    expect(credit.certain_percent).toBe(0)
  })

  test('no credits in the configuration are told as such', () => {
    for (const carrier of [undefined, {}, { credits: [] }]) {
      expect(creditOf(carrier, nerOf(1, 100), DAY)).toMatchObject({
        is_configured: false,
        targets: [],
        certain_percent: 0,
      })
    }
  })

  test('targets add up, to the whole charge at most', () => {
    const credits = [
      { target: 'ner', below: 0.9, percent: 70 },
      { target: 'asr', below: 0.9, percent: 70 },
    ]
    const sums = nerOf(100, 1_000)
    sums.counts.asr_numerator = 100
    sums.counts.asr_denominator = 1_000
    expect(creditOf({ credits }, sums, DAY).certain_percent).toBe(100)
  })

  test('a mean has no interval, so nothing is certain', () => {
    const sums = nerOf(100, 100)
    sums.counts.acd_sum_ms = 1_000_000
    sums.counts.acd_count = 100
    const credit = creditOf({ credits: [{ target: 'acd_s', below: 60, percent: 3 }] }, sums, DAY)
    expect(credit).toMatchObject({ certain_percent: 0, point_estimate_percent: 3 })
  })

  test('money only of a calendar month, and only where the charge is known', () => {
    const sums = nerOf(8_980, 10_000)
    const monthly_charge = { amount: 12_345.67, currency: 'EUR' }
    expect(creditOf({ credits: TIERS }, sums, MONTH).amount_note).toContain('names no monthly_charge')
    expect(creditOf({ credits: TIERS, monthly_charge }, sums, DAY)).toMatchObject({
      amount: null,
      amount_note: expect.stringContaining('no calendar month'),
    })
    expect(creditOf({ credits: TIERS, monthly_charge }, sums, MONTH)).toMatchObject({
      period: { is_calendar_month: true },
      amount: { currency: 'EUR', certain: 617.28, point_estimate: 1_234.57 },
    })
  })
})
