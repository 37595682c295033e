import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BAD_MIN,
  badRatioLow,
  budgetRatioOf,
  burnOf,
  burnPairs,
  burnText,
  burnVerdict,
  percentText,
  type WindowCount,
  windowName,
} from '../../../api/slo/burn.js'

const PAIRS = burnPairs(30)

/** Counts by window name; the others are empty. */
function counts(written: Record<string, [bad: number, valid: number]>) {
  return (windowS: number): WindowCount => {
    const [bad, valid] = written[windowName(windowS)] ?? [0, 0]
    return { windowS, bad, valid }
  }
}

describe('burn', () => {
  it('is the share of bad attempts over the share the objective allows', () => {
    expect(burnOf({ bad: 20, valid: 1_000 }, 0.999)).toBe(20)
    expect(burnOf({ bad: 0, valid: 10 }, 0.999)).toBe(0)
    expect(burnOf({ bad: 1, valid: 1_000 }, 0.99999)).toBeCloseTo(100, 9)
  })

  it('is not known without valid attempts', () => {
    expect(burnOf({ bad: 0, valid: 0 }, 0.999)).toBeNull()
  })

  it('leaves 0.001 of 0.999, not 0.0010000000000000009', () => {
    expect(budgetRatioOf(0.999)).toBe(0.001)
    expect(budgetRatioOf(0.99999)).toBe(0.00001)
  })
})

describe('burn pairs', () => {
  const table = (days: number) =>
    burnPairs(days).map(({ severity, longS, shortS, threshold, budgetRatio }) => [
      severity,
      windowName(longS),
      windowName(shortS),
      threshold,
      budgetRatio,
    ])

  it('of 30 days are 14.4, 6 and 1 (metrics.md §8)', () => {
    expect(table(30)).toEqual([
      ['page', '1h', '5m', 14.4, 0.02],
      ['page', '6h', '30m', 6, 0.05],
      ['ticket', '3d', '6h', 1, 0.1],
    ])
  })

  it('of 7 days are 16.8, 5.6 and 2.8 (metrics.md §8)', () => {
    expect(table(7)).toEqual([
      ['page', '1h', '5m', 16.8, 0.1],
      ['page', '6h', '30m', 5.6, 0.2],
      ['ticket', '1d', '2h', 2.8, 0.4],
    ])
  })

  it('of any window are share × period / long window, never below 1, and short is long / 12', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90 }), (days) => {
        for (const pair of burnPairs(days)) {
          expect(pair.threshold).toBeCloseTo(Math.max(1, (pair.budgetRatio * days * 86_400) / pair.longS), 9)
          expect(pair.shortS * 12).toBe(pair.longS)
          expect(pair.shortS % 60).toBe(0)
          expect(pair.longS).toBeLessThanOrEqual(days * 86_400)
        }
      }),
    )
  })
})

describe('burn verdict', () => {
  it('vector L: 20 of 1000 in the hour and 3 of 80 in 5 minutes page at 99.9 %', () => {
    const verdict = burnVerdict(0.999, PAIRS, counts({ '1h': [20, 1_000], '5m': [3, 80] }))
    expect(verdict.severity).toBe('page')
    expect(verdict.fired).toMatchObject({
      longBurn: 20,
      shortBurn: 37.5,
      held: undefined,
      isInsufficient: false,
    })
    expect(verdict.fired!.badRatioLow).toBeCloseTo(0.013, 4)
    expect(verdict.fired!.why).toBe(
      '1h burns 20 (20 bad of 1000), 5m burns 37.5 (3 of 80), both at 14.4 or above',
    )
  })

  it('vector M: 1 of 40 in the hour shows "insufficient data" and is silent', () => {
    const verdict = burnVerdict(0.999, PAIRS, counts({ '1h': [1, 40], '5m': [1, 10] }))
    expect(verdict.severity).toBeUndefined()
    expect(verdict.pairs[0]).toMatchObject({ fires: false, held: 'too_few_bad', isInsufficient: true })
  })

  it('a carrier that fails all of its 60 calls pages, although the display says "insufficient data"', () => {
    const verdict = burnVerdict(0.995, PAIRS, counts({ '1h': [60, 60], '5m': [5, 5] }))
    expect(verdict.severity).toBe('page')
    expect(verdict.fired!.isInsufficient).toBe(true)
  })

  it('exactly at the threshold fires, whatever binary fractions make of it', () => {
    const at = (bad: number) =>
      burnVerdict(0.999, PAIRS, counts({ '1h': [bad, 100_000], '5m': [144, 10_000] })).severity
    expect(at(1_440)).toBe('page')
    expect(at(1_439)).toBeUndefined()
  })

  it('a page needs 5 bad attempts, a ticket 3', () => {
    const page = (bad: number) =>
      burnVerdict(0.995, PAIRS, counts({ '1h': [bad, 20], '5m': [1, 2] })).pairs[0]!.held
    expect(page(4)).toBe('too_few_bad')
    expect(page(5)).toBeUndefined()
    const ticket = (bad: number) => burnVerdict(0.995, PAIRS, counts({ '3d': [bad, 300], '6h': [1, 20] }))
    expect(ticket(2).pairs[2]!.held).toBe('too_few_bad')
    expect(ticket(3).severity).toBe('ticket')
  })

  it('a page waits until the long window shows for sure that the budget burns', () => {
    // 5 of 40 at 90 %: the burn of 7-day windows does not matter here, only the gate.
    const pair = { ...PAIRS[0]!, threshold: 1 }
    const held = (valid: number) =>
      burnVerdict(0.9, [pair], counts({ '1h': [5, valid], '5m': [1, 1] })).pairs[0]!.held
    expect(held(40)).toBe('not_sure')
    expect(held(10)).toBeUndefined()
  })

  it('a burn that is over does not fire: the short window has to burn too', () => {
    const verdict = burnVerdict(0.999, PAIRS, counts({ '1h': [50, 1_000], '5m': [0, 80] }))
    expect(verdict.pairs[0]).toMatchObject({ fires: false, held: 'short_burn' })
    expect(burnVerdict(0.999, PAIRS, counts({ '1h': [50, 1_000] })).pairs[0]!.held).toBe('short_burn')
  })

  it('says which pair can never fire because a total outage burns less than its threshold', () => {
    const [hour, hours] = burnVerdict(0.9, PAIRS, counts({ '1h': [60, 60], '5m': [5, 5] })).pairs
    expect(hour).toMatchObject({ fires: false, isOutOfReach: true })
    expect(hour!.why).toContain('can never fire')
    expect(hours!.isOutOfReach).toBe(false)
  })

  it('99.999 %: the hour of a page holds 5 bad calls only from 25 million a month', () => {
    const [hour] = PAIRS
    const callsForFive = 5 / hour!.budgetRatio / budgetRatioOf(0.99999)
    expect(callsForFive).toBeCloseTo(25_000_000, 3)
  })

  const count = fc
    .tuple(fc.nat(2_000), fc.nat(2_000))
    .map(([bad, good]): [number, number] => [bad, bad + good])
  const objective = fc.constantFrom(0.9, 0.99, 0.995, 0.999, 0.9999, 0.99999)
  const RANK = { page: 2, ticket: 1, none: 0 }

  it('one more bad attempt in place of a good one never makes it less grave', () => {
    fc.assert(
      fc.property(objective, count, count, count, (slo, hour, five, days) => {
        const seen = (more: number) => {
          const worse = ([bad, valid]: [number, number]): [number, number] => [
            Math.min(valid, bad + more),
            valid,
          ]
          return burnVerdict(
            slo,
            PAIRS,
            counts({
              '1h': worse(hour),
              '5m': worse(five),
              '6h': worse(days),
              '30m': worse(hour),
              '3d': worse(days),
            }),
          )
        }
        expect(RANK[seen(1).severity ?? 'none']).toBeGreaterThanOrEqual(RANK[seen(0).severity ?? 'none'])
        expect(burnOf({ bad: hour[0] + 1, valid: hour[1] + 1 }, slo)!).toBeGreaterThanOrEqual(
          burnOf({ bad: hour[0], valid: hour[1] + 1 }, slo)!,
        )
      }),
    )
  })

  it('nothing pages with fewer than 5 bad attempts, nor without a sure excess', () => {
    fc.assert(
      fc.property(objective, count, count, (slo, hour, five) => {
        const [pair] = burnVerdict(slo, PAIRS, counts({ '1h': hour, '5m': five })).pairs
        if (!pair!.fires) return
        expect(pair!.long.bad).toBeGreaterThanOrEqual(BAD_MIN.page)
        expect(badRatioLow(pair!.long)!).toBeGreaterThan(budgetRatioOf(slo))
        expect(pair!.longBurn! * (1 + 1e-9)).toBeGreaterThanOrEqual(pair!.pair.threshold)
        expect(pair!.shortBurn! * (1 + 1e-9)).toBeGreaterThanOrEqual(pair!.pair.threshold)
      }),
    )
  })

  it('does not depend on the order of the pairs', () => {
    fc.assert(
      fc.property(objective, fc.array(count, { minLength: 5, maxLength: 5 }), (slo, [a, b, c, d, e]) => {
        const seen = counts({ '5m': a!, '30m': b!, '1h': c!, '6h': d!, '3d': e! })
        const forth = burnVerdict(slo, PAIRS, seen)
        const back = burnVerdict(slo, [...PAIRS].reverse(), seen)
        expect(back.severity).toBe(forth.severity)
        expect([...back.pairs].reverse()).toEqual(forth.pairs)
      }),
    )
  })
})

describe('words', () => {
  it('names windows as Prometheus does', () => {
    expect([300, 1_800, 3_600, 21_600, 86_400, 2_592_000].map(windowName)).toEqual([
      '5m',
      '30m',
      '1h',
      '6h',
      '1d',
      '30d',
    ])
  })

  it('writes burns and shares without the digits of binary fractions', () => {
    expect([burnText(14.4), burnText(0.033333), burnText(20)]).toEqual(['14.4', '0.0333', '20'])
    expect([percentText(0.005), percentText(0.00001), percentText(0.1)]).toEqual(['0.5 %', '0.001 %', '10 %'])
  })
})
