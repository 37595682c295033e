import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alertedVerdict } from '../../../api/peers/alerted.js'
import { type PrefixNer, peersVerdict } from '../../../api/peers/verdict.js'

type Counts = readonly [numerator: number, denominator: number]

/** alpha and beta by prefix. */
const counts = (byPrefix: Record<string, readonly [alpha: Counts, beta: Counts]>): PrefixNer[] =>
  Object.entries(byPrefix).flatMap(([prefix, both]) =>
    both.map(([numerator, denominator], index) => ({
      carrier: ['alpha', 'beta'][index]!,
      prefix,
      numerator,
      denominator,
    })),
  )

describe('is it the carrier of an alert, or a destination', () => {
  it('a carrier that fails everywhere while the others do not: the carrier', () => {
    const prefixes = ['+1212555', '+1312555', '+4969955', '+3312345'].map((prefix) => [
      prefix,
      [
        [50, 100],
        [95, 100],
      ] as const,
    ])
    expect(alertedVerdict('alpha', counts(Object.fromEntries(prefixes)))).toEqual({
      verdict: 'carrier',
      sentence: 'to the same destinations alpha has 50.0 % NER, the other carriers 95.0 %: it is alpha',
    })
  })

  it('a prefix that fails for all: the destination, which is not seen over all prefixes together', () => {
    const seen = counts({
      '+4420794': [
        [30, 100],
        [32, 100],
      ],
      '+1212555': [
        [950, 1_000],
        [950, 1_000],
      ],
    })
    expect(peersVerdict('alpha', seen, new Map()).verdict).toBe('both_fine')
    expect(alertedVerdict('alpha', seen)).toEqual({
      verdict: 'destination',
      sentence:
        'to +4420794 alpha has 30.0 % NER, the other carriers 32.0 %, all more elsewhere: it is the destination',
    })
  })

  it('up to three prefixes are a place; of more the country is, and then nothing', () => {
    const fine = {
      '+1212555': [
        [950, 1_000],
        [950, 1_000],
      ],
    } as const
    const bad = (prefixes: readonly string[]) =>
      Object.fromEntries(
        prefixes.map((prefix) => [
          prefix,
          [
            [24, 60],
            [25, 60],
          ] as const,
        ]),
      )
    const three = alertedVerdict('alpha', counts({ ...fine, ...bad(['+4420794', '+4969955', '+3312345']) }))
    expect(three).toMatchObject({
      verdict: 'destination',
      sentence: expect.stringContaining('to +3312345, '),
    })
    const ofOneCountry = ['+4420790', '+4420791', '+4420792', '+4420793', '+4420794', '+4420795', '+4420796']
    expect(alertedVerdict('alpha', counts({ ...fine, ...bad(ofOneCountry) }))).toMatchObject({
      verdict: 'destination',
      sentence: expect.stringContaining('to United Kingdom alpha has 40.0 % NER'),
    })
    const ofMany = ['+4420790', '+4969955', '+3312345', '+3912345', '+3461234', '+4812345', '+4312345']
    expect(alertedVerdict('alpha', counts({ ...fine, ...bad(ofMany) })).verdict).toBe('both_fine')
  })

  it('a difference that is always there, among many calls, does not hide the destination, and is told', () => {
    const seen = counts({
      '+4420794': [
        [300, 1_000],
        [320, 1_000],
      ],
      '+1212555': [
        [9_600, 10_000],
        [9_800, 10_000],
      ],
    })
    expect(peersVerdict('alpha', seen, new Map()).verdict).toBe('carrier')
    expect(alertedVerdict('alpha', seen)).toEqual({
      verdict: 'destination',
      sentence:
        'to +4420794 alpha has 30.0 % NER, the other carriers 32.0 %, all more elsewhere: it is the destination; ' +
        'to other destinations alpha has 96.0 % NER, the other carriers 98.0 %: that is alpha',
    })
  })

  it('a destination that is worse for all every day does not excuse a carrier that fails everywhere', () => {
    const seen = counts({
      '+4420794': [
        [400, 1_000],
        [800, 1_000],
      ],
      '+1212555': [
        [470, 1_000],
        [950, 1_000],
      ],
    })
    expect(alertedVerdict('alpha', seen).verdict).toBe('carrier')
  })

  it('a destination that is bad for all and worse over this carrier says both', () => {
    const seen = counts({
      '+4420794': [
        [20, 200],
        [100, 200],
      ],
      '+1212555': [
        [950, 1_000],
        [950, 1_000],
      ],
    })
    expect(alertedVerdict('alpha', seen).sentence).toMatch(/it is the destination, and alpha is worse there$/)
  })

  it('half of the failures is the measure: one short of it names no place', () => {
    const at = (elsewhere: number) =>
      counts({
        '+4420794': [
          [30, 100],
          [32, 100],
        ],
        '': [
          [1_000 - elsewhere, 1_000],
          [1_000 - elsewhere, 1_000],
        ],
      })
    expect(alertedVerdict('alpha', at(70)).sentence).toMatch(/^to \+4420794 .* it is the destination$/)
    expect(alertedVerdict('alpha', at(71)).verdict).toBe('both_fine')
  })

  it.each([
    [
      'nobody else',
      counts({
        '+4420794': [
          [30, 100],
          [0, 0],
        ],
      }),
    ],
    [
      'fewer than 30 of the others',
      counts({
        '+4420794': [
          [30, 100],
          [29, 29],
        ],
      }),
    ],
    [
      'only calls without a prefix',
      counts({
        '': [
          [30, 100],
          [90, 100],
        ],
      }),
    ],
    ['nothing', []],
  ])('%s: too few calls to compare', (_, seen) => {
    expect(alertedVerdict('alpha', seen)).toEqual({
      verdict: 'not_enough',
      sentence: 'too few calls to the same destinations to compare with other carriers',
    })
  })

  it('without a failure there is no difference to show', () => {
    expect(
      alertedVerdict(
        'alpha',
        counts({
          '+4420794': [
            [100, 100],
            [99, 100],
          ],
        }),
      ),
    ).toEqual({
      verdict: 'both_fine',
      sentence:
        'to the same destinations alpha has 100.0 % NER, the other carriers 99.0 %: no difference is shown',
    })
  })

  it('the order of the counts does not matter', () => {
    const some = fc.array(
      fc.record({
        carrier: fc.constantFrom('alpha', 'beta', 'gamma'),
        prefix: fc.constantFrom('', '+4420794', '+4420795', '+4969955', '+1212555', '+1312555'),
        denominator: fc.constantFrom(0, 30, 100, 1_000),
        part: fc.constantFrom(0, 0.3, 0.5, 0.95, 1),
      }),
      { maxLength: 15 },
    )
    fc.assert(
      fc.property(some, (records) => {
        const seen = records.map(({ part, ...rest }) => ({ ...rest, numerator: part * rest.denominator }))
        const judged = alertedVerdict('alpha', seen)
        expect(alertedVerdict('alpha', [...seen].reverse())).toEqual(judged)
        expect(judged.sentence).not.toMatch(/NaN|Infinity|undefined|none/)
      }),
      // Sums of another order differ in the last bit: one seed, so that none is rounded the other way one day.
      { numRuns: 300, seed: 7 },
    )
  })
})
