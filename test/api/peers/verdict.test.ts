import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wilsonInterval } from '../../../api/kpi/interval.js'
import { COMPARED_ATTEMPTS_MIN, type Ner, type PrefixNer, peersVerdict } from '../../../api/peers/verdict.js'

const ner = (carrier: string, numerator: number, denominator: number, prefix = '+4969955'): PrefixNer => ({
  carrier,
  prefix,
  numerator,
  denominator,
})
const NOWHERE = new Map<string, Ner>()
const fine = (...carriers: string[]) =>
  new Map(carriers.map((carrier) => [carrier, { numerator: 950, denominator: 1_000 }]))

describe('is it the carrier or the destination', () => {
  it.each([
    // Wilson: 45 of 100 ends at 0.5476.
    ['45 of 100 against 60 of 100 (0.5020 …)', [45, 100], [60, 100], 'both_fine'],
    ['45 of 100 against 65 of 100 (0.5525 …)', [45, 100], [65, 100], 'carrier'],
    ['65 of 100 against 45 of 100: better is not worse', [65, 100], [45, 100], 'both_fine'],
    ['all of both', [100, 100], [100, 100], 'both_fine'],
    ['none against all, at the floor', [0, 30], [30, 30], 'carrier'],
    ['none against all, one below the floor of the carrier', [0, 29], [30, 30], 'not_enough'],
    ['none against all, one below the floor of the others', [0, 30], [29, 29], 'not_enough'],
    ['none of none', [0, 0], [0, 0], 'not_enough'],
  ] as const)('%s: %s', (_, own, others, verdict) => {
    const here = [ner('alpha', own[0], own[1]), ner('beta', others[0], others[1])]
    expect(peersVerdict('alpha', here, NOWHERE).verdict).toBe(verdict)
  })

  it('a carrier alone, and one that was not called, have nobody to be compared with', () => {
    expect(peersVerdict('alpha', [ner('alpha', 0, 1_000)], NOWHERE).verdict).toBe('not_enough')
    const silent = peersVerdict('alpha', [ner('beta', 0, 1_000), ner('gamma', 900, 1_000)], NOWHERE)
    expect(silent).toMatchObject({ verdict: 'not_enough', own: { ner: null, interval: null, attempts: 0 } })
    expect(peersVerdict('alpha', [], NOWHERE).sentence).toBe(
      'too few calls to compare: 0 of alpha and 0 of others on the same prefixes, 30 of each are needed',
    )
  })

  it('all below their own other prefixes: the destination, and it is said when one is worse still', () => {
    const here = [ner('alpha', 20, 100), ner('beta', 50, 100)]
    const judged = peersVerdict('alpha', here, fine('alpha', 'beta'))
    expect(judged).toMatchObject({ verdict: 'destination', is_worse: true })
    expect(judged.sentence).toBe(
      'it is the destination: alpha 20.0 % NER (13.3 to 28.9, 100 attempts), elsewhere 95.0 % NER (93.5 to 96.2, 1000 attempts); ' +
        'beta 50.0 % NER (40.4 to 59.6, 100 attempts), elsewhere 95.0 % NER (93.5 to 96.2, 1000 attempts); alpha is below the others there as well',
    )
  })

  it('one that is not below its own other prefixes there makes it no destination', () => {
    const here = [ner('alpha', 20, 100), ner('beta', 50, 100), ner('gamma', 95, 100)]
    expect(peersVerdict('alpha', here, fine('alpha', 'beta', 'gamma')).verdict).toBe('carrier')
  })

  it('one that has too few attempts elsewhere is not asked, but two must be left', () => {
    const here = [ner('alpha', 40, 100), ner('beta', 45, 100), ner('gamma', 42, 100)]
    const below = (...carriers: string[]) => peersVerdict('alpha', here, fine(...carriers))
    expect(below('alpha', 'beta').verdict).toBe('destination')
    expect(below('alpha', 'beta').below_own.map(({ is_below }) => is_below)).toEqual([true, true, null])
    expect(below('alpha').verdict).toBe('both_fine')
    // The others are bad there, and nothing is known of the one that is asked about.
    expect(below('beta', 'gamma').verdict).toBe('both_fine')
    const few = new Map([
      ...fine('alpha'),
      ['beta', { numerator: 29, denominator: COMPARED_ATTEMPTS_MIN - 1 }],
    ])
    expect(peersVerdict('alpha', here, few).verdict).toBe('both_fine')
  })

  it('a mix of good and bad prefixes is no fault of who carries more of the bad ones', () => {
    const here = [
      ner('alpha', 450, 900, '+1'),
      ner('alpha', 95, 100, '+2'),
      ner('beta', 50, 100, '+1'),
      ner('beta', 855, 900, '+2'),
    ]
    const judged = peersVerdict('alpha', here, NOWHERE)
    expect(judged.verdict).toBe('both_fine')
    expect(judged.own.ner).toBeCloseTo(0.545, 9)
    expect(judged.others.ner).toBeCloseTo(0.545, 9)
    // 1 / (0.9² / 100 + 0.1² / 900): hardly more than the 100 attempts that the others have on the first.
    expect(judged.others.attempts).toBeCloseTo(123.287671, 5)
  })

  it('prefixes that the others have fewer than ten attempts on are not compared', () => {
    const here = [
      ner('alpha', 0, 500, '+1'),
      ner('beta', 9, 9, '+1'),
      ner('alpha', 95, 100, '+2'),
      ner('beta', 95, 100, '+2'),
    ]
    expect(peersVerdict('alpha', here, NOWHERE)).toMatchObject({
      verdict: 'both_fine',
      shared_prefixes: 1,
      own: { attempts: 100 },
    })
    const tenth = [...here.slice(0, 1), ner('beta', 10, 10, '+1'), ...here.slice(2)]
    expect(peersVerdict('alpha', tenth, NOWHERE)).toMatchObject({
      shared_prefixes: 2,
      own: { attempts: 600 },
    })
  })

  const counts = fc.array(
    fc
      .record({
        carrier: fc.constantFrom('alpha', 'beta', 'gamma'),
        prefix: fc.constantFrom('+1', '+2', '+3'),
        denominator: fc.integer({ min: 0, max: 400 }),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
      })
      .map(({ carrier, prefix, denominator, part }) =>
        ner(carrier, Math.round(part * denominator), denominator, prefix),
      ),
    { maxLength: 9 },
  )
  const elsewhere = fc
    .array(
      fc.tuple(
        fc.constantFrom('alpha', 'beta', 'gamma'),
        fc.integer({ min: 0, max: 500 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
      ),
      { maxLength: 3 },
    )
    .map(
      (list) =>
        new Map(
          list.map(([carrier, den, part]) => [
            carrier,
            { numerator: Math.round(part * den), denominator: den },
          ]),
        ),
    )

  it('equals the definitions worked out another way, and does not depend on the order of the counts', () => {
    fc.assert(
      fc.property(counts, elsewhere, (here, other) => {
        const judged = peersVerdict('alpha', here, other)
        expect(judged.verdict).toBe(verdictByHand('alpha', here, other))
        expect(judged.sentence).not.toMatch(/NaN|Infinity|undefined/)
        const turned = peersVerdict('alpha', [...here].reverse(), other)
        expect(turned.verdict).toBe(judged.verdict)
        expect(turned.own).toEqual(judged.own)
        for (const { interval } of [judged.own, judged.others]) {
          if (interval === null) continue
          expect(interval[0]).toBeGreaterThanOrEqual(0)
          expect(interval[1]).toBeLessThanOrEqual(1)
          expect(interval[0]).toBeLessThanOrEqual(interval[1])
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

/** By table: a row a prefix, and the variance of the weighted share for the worth of the weighting. */
function verdictByHand(
  carrier: string,
  here: readonly PrefixNer[],
  elsewhere: ReadonlyMap<string, Ner>,
): string {
  const total = (of: (x: PrefixNer) => boolean): Ner => ({
    numerator: here.filter(of).reduce((sum, x) => sum + x.numerator, 0),
    denominator: here.filter(of).reduce((sum, x) => sum + x.denominator, 0),
  })
  const table = [...new Set(here.map(({ prefix }) => prefix))]
    .map((prefix) => ({
      own: total((x) => x.prefix === prefix && x.carrier === carrier),
      others: total((x) => x.prefix === prefix && x.carrier !== carrier),
    }))
    .filter(({ own, others }) => own.denominator > 0 && others.denominator >= 10)
  const n = table.reduce((sum, { own }) => sum + own.denominator, 0)
  const k = table.reduce((sum, { own }) => sum + own.numerator, 0)
  const worth =
    n ** 2 / table.reduce((sum, { own, others }) => sum + own.denominator ** 2 / others.denominator, 0)
  if (n < 30 || !(worth > 29.999_999)) return 'not_enough'
  const expected =
    table.reduce(
      (sum, { own, others }) => sum + own.denominator * (others.numerator / others.denominator),
      0,
    ) / n
  const judged = [...new Set(here.map((x) => x.carrier))].flatMap((name) => {
    const there = total((x) => x.carrier === name)
    const other = elsewhere.get(name)
    if (there.denominator < 30 || other === undefined || other.denominator < 30) return []
    return [
      {
        name,
        isBelow:
          wilsonInterval(there.numerator, there.denominator)![1] <
          wilsonInterval(other.numerator, other.denominator)![0],
      },
    ]
  })
  if (
    judged.length > 1 &&
    judged.every(({ isBelow }) => isBelow) &&
    judged.some(({ name }) => name === carrier)
  ) {
    return 'destination'
  }
  const z2 = 1.96 ** 2
  const low =
    (expected +
      z2 / (2 * worth) -
      1.96 * Math.sqrt(Math.max(0, (expected * (1 - expected)) / worth) + z2 / (4 * worth ** 2))) /
    (1 + z2 / worth)
  return wilsonInterval(k, n)![1] < low - 1e-12 ? 'carrier' : 'both_fine'
}
