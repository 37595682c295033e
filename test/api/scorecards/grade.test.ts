import { describe, expect, it } from 'vitest'
import { emptySums, type Sums } from '../../../api/kpi/sums.js'
import { gradeOf } from '../../../api/scorecards/grade.js'
import { worstHours } from '../../../api/scorecards/hours.js'
import { changeOf, ratioOf, rowOf } from '../../../api/scorecards/rows.js'
import { targetResults } from '../../../api/scorecards/targets.js'
import { delayBucket } from '../../../schemas/delay-histogram.js'

interface Week {
  good: number
  bad?: number
  preRing?: number
  /** Of all good attempts. */
  pddMs?: number
}

function sums({ good, bad = 0, preRing = 0, pddMs = 1_000 }: Week): Sums {
  const made = emptySums()
  const attempts = good + bad
  Object.assign(made.counts, {
    attempts,
    ner_numerator: good,
    ner_denominator: attempts,
    asr_numerator: good,
    asr_denominator: attempts,
    pre_ring_487_rate_numerator: preRing,
    pre_ring_487_rate_denominator: attempts,
    pdd_count: good,
  })
  made.maps.pdd_histogram = { [delayBucket(pddMs)]: good }
  return made
}
const grade = (week: Week, baseline: Week = { good: 2_000 }) => gradeOf(sums(week), sums(baseline))

describe('grades', () => {
  it('below 100 attempts nothing is rated; even a perfect carrier needs 125 for a B and 381 for an A', () => {
    expect([99, 100, 124, 125, 380, 381].map((good) => grade({ good }).grade)).toEqual([
      'NR',
      'C',
      'C',
      'B',
      'B',
      'A',
    ])
    expect(grade({ good: 99 }).why).toBe('Not rated: 99 attempts in the NER, and a grade needs 100.')
  })

  it('from 100 to 399 the confidence is low', () => {
    expect([99, 100, 399, 400].map((good) => grade({ good }).confidence)).toEqual([
      'none',
      'low',
      'low',
      'normal',
    ])
  })

  it('goes by the lower bound, not by the ratio', () => {
    // 990 of 1,000 is 99.0 %, and its lower bound 98.17 %.
    expect(grade({ good: 990, bad: 10 })).toMatchObject({ grade: 'B', before_deductions: 'B' })
    expect(grade({ good: 950, bad: 50 }).grade).toBe('D')
    expect(grade({ good: 800, bad: 200 }).grade).toBe('F')
  })

  it('takes one off for a PDD p95 above the limit, and one for 487s above the four weeks before', () => {
    expect(grade({ good: 1_000, pddMs: 8_000 })).toMatchObject({ grade: 'B', before_deductions: 'A' })
    expect(grade({ good: 1_000, preRing: 40 }, { good: 4_000, preRing: 40 }).grade).toBe('B')
    expect(grade({ good: 1_000, preRing: 12 }, { good: 4_000, preRing: 40 }).grade).toBe('A')
    expect(grade({ good: 1_000, preRing: 40, pddMs: 8_000 }, { good: 4_000 }).grade).toBe('C')
    expect(grade({ good: 800, bad: 200, pddMs: 8_000 }).grade).toBe('F')
  })

  it('without a baseline, and without FAS, it says what was not measured', () => {
    expect(
      grade({ good: 1_000, preRing: 100 }, { good: 50 }).deductions.map(({ rule, status }) => [rule, status]),
    ).toEqual([
      ['pdd_p95', 'not_applied'],
      ['pre_ring_487_rate', 'not_measured'],
      ['fas', 'not_measured'],
    ])
  })
})

describe('FAS', () => {
  const scored = (changes: object) => ({
    carrier: 'alpha',
    answers: 1_000,
    answersScored: 900,
    prefixesScored: 3,
    prefixesFlagged: 1,
    score: 38.4,
    isFlagged: true,
    ...changes,
  })
  const week = sums({ good: 1_000 })
  const of = (changes: object) => {
    const { grade, deductions } = gradeOf(week, sums({ good: 2_000 }), scored(changes))
    return [grade, deductions.find(({ rule }) => rule === 'fas')?.status]
  }

  it('takes one off where the carrier is flagged, and says that it is a suspicion', () => {
    expect(of({})).toEqual(['B', 'applied'])
    expect(of({ isFlagged: false })).toEqual(['A', 'not_applied'])
    expect(of({ score: null, isFlagged: false })).toEqual(['A', 'not_measured'])
    expect(gradeOf(week, week, scored({})).deductions.at(-1)?.why).toBe(
      'False answer supervision, a suspicion from signalling only: score 38 of 100, 1 of 3 prefixes flagged.',
    )
  })
})

describe('changes', () => {
  it('are marked only where the intervals do not overlap, and go the way the number does', () => {
    const of = (id: string, now: [number, number], before: [number, number]) =>
      changeOf(rowOf(id), ratioOf(...now), ratioOf(...before))
    expect(of('ner', [900, 1_000], [990, 1_000])).toBe('worse')
    expect(of('ner', [990, 1_000], [900, 1_000])).toBe('better')
    expect(of('rate_503', [100, 1_000], [10, 1_000])).toBe('worse')
    expect(of('ner', [9, 10], [99, 100])).toBe('not_significant')
    expect(of('ner', [0, 0], [99, 100])).toBe('no_test')
  })
})

describe('targets', () => {
  it('a floor for what is good, a ceiling for what is not; certain only with the whole interval', () => {
    const results = targetResults(
      { pdd_p95_s: 6, ner: 0.95, asr: 0.99, pre_ring_487_rate: 0.001, acd_s: 60 },
      sums({ good: 960, bad: 40, preRing: 2 }),
    )
    expect(
      results.map(({ target, bound, status, is_certain }) => [target, bound, status, is_certain]),
    ).toEqual([
      ['asr', 'at_least', 'missed', true],
      ['ner', 'at_least', 'met', false],
      ['pre_ring_487_rate', 'at_most', 'missed', false],
      ['pdd_p95_s', 'at_most', 'met', true],
      ['acd_s', 'at_least', 'not_measured', false],
    ])
  })
})

describe('worst hours', () => {
  it('are those with more failures than the mean of the week explains', () => {
    const hours = [
      sums({ good: 95, bad: 5 }),
      sums({ good: 40, bad: 60 }),
      sums({ good: 0 }),
      sums({ good: 98, bad: 2 }),
    ]
    const found = worstHours(hours, 0)
    expect(found.map(({ from, failures, is_significant }) => [from, failures, is_significant])).toEqual([
      ['1970-01-01T01:00:00Z', 60, true],
    ])
    expect(found[0]!.excess_failures).toBeCloseTo(60 - (100 * 67) / 300, 9)
    expect(worstHours([sums({ good: 10 })], 0)).toEqual([])
  })
})
