/**
 * The grade of a week, A to F: the lower bound of the NER, less one for each thing that makes good connections worth less.
 *
 * Takes    the sums of the week, those of the four weeks before it together, and the FAS score of the week where it was read.
 * Returns  the grade with what it was made of; NR ("not rated") below 100 attempts in the NER. Between 100 and 399 a grade
 *          is shown with low confidence: even a perfect carrier needs 381 attempts for an A and 125 for a B.
 * Throws   nothing.
 * Source   metrics.md §9. When a carrier is flagged for FAS: docs/early-media.md.
 */
import { PROGRESS_LIMIT_MS } from '../../schemas/kpi/progress.js'
import type { ScoredCarrier } from '../early-media/fas-score.js'
import { countOf, type Sums } from '../kpi/sums.js'
import { type Measured, rowOf } from './rows.js'

export const GRADES = ['A', 'B', 'C', 'D', 'F'] as const
export type Letter = (typeof GRADES)[number]
/** Lower NER bound of each; below the last is F. */
export const GRADE_FROM: readonly (readonly [Letter, number])[] = [
  ['A', 0.99],
  ['B', 0.97],
  ['C', 0.94],
  ['D', 0.9],
]
export const RATED_FROM = 100
export const CONFIDENT_FROM = 400
export const BASELINE_WEEKS = 4

export interface Deduction {
  rule: 'pdd_p95' | 'pre_ring_487_rate' | 'fas'
  status: 'applied' | 'not_applied' | 'not_measured'
  /** Says the numbers. */
  why: string
}

export interface Grade {
  grade: Letter | 'NR'
  confidence: 'normal' | 'low' | 'none'
  /** By the NER alone. */
  before_deductions: Letter | null
  ner_low: number | null
  /** Attempts in the NER. */
  attempts: number
  deductions: Deduction[]
  why: string
}

export function gradeOf(week: Sums, baseline: Sums, fas?: ScoredCarrier): Grade {
  const attempts = countOf(week, 'ner_denominator')
  const ner = rowOf('ner').of(week)
  const nerLow = ner.interval?.[0] ?? null
  if (attempts < RATED_FROM || nerLow === null) {
    return {
      grade: 'NR',
      confidence: 'none',
      before_deductions: null,
      ner_low: nerLow,
      attempts,
      deductions: [],
      why: `Not rated: ${attempts} attempts in the NER, and a grade needs ${RATED_FROM}.`,
    }
  }
  const before = GRADE_FROM.find(([, from]) => nerLow >= from)?.[0] ?? 'F'
  const deductions = [pddDeduction(week), preRingDeduction(week, baseline), fasDeduction(fas)]
  const applied = deductions.filter(({ status }) => status === 'applied').length
  const grade = GRADES[Math.min(GRADES.length - 1, GRADES.indexOf(before) + applied)]!
  return {
    grade,
    confidence: attempts < CONFIDENT_FROM ? 'low' : 'normal',
    before_deductions: before,
    ner_low: nerLow,
    attempts,
    deductions,
    why:
      `The lower bound of the NER is ${points(nerLow)}, which is ${before}` +
      (applied === 0 ? '.' : `; ${applied} taken off: ${grade}.`),
  }
}

const points = (ratio: number) => `${(ratio * 100).toFixed(2)} %`

function pddDeduction(week: Sums): Deduction {
  const pdd = rowOf('pdd_p95').of(week)
  const limitS = PROGRESS_LIMIT_MS / 1_000
  if (pdd.value === null) {
    return {
      rule: 'pdd_p95',
      status: 'not_measured',
      why: `PDD p95 needs ${rowOf('pdd_p95').floor} measurements, there are ${pdd.count ?? 0}.`,
    }
  }
  const isOver = pdd.value > limitS
  return {
    rule: 'pdd_p95',
    status: isOver ? 'applied' : 'not_applied',
    why: `PDD p95 is ${pdd.value.toFixed(2)} s, the limit ${limitS} s.`,
  }
}

function preRingDeduction(week: Sums, baseline: Sums): Deduction {
  const row = rowOf('pre_ring_487_rate')
  const [now, before]: [Measured, Measured] = [row.of(week), row.of(baseline)]
  const rule = 'pre_ring_487_rate' as const
  if (before.value === null || before.interval === null || (before.denominator ?? 0) < RATED_FROM) {
    return {
      rule,
      status: 'not_measured',
      why: `The ${BASELINE_WEEKS} weeks before have ${before.denominator ?? 0} attempts: too few for a baseline.`,
    }
  }
  const isAbove = now.value !== null && now.interval !== null && now.interval[0] > before.interval[1]
  return {
    rule,
    status: isAbove ? 'applied' : 'not_applied',
    why: `487 before anything rang: ${now.value === null ? 'not defined' : points(now.value)}, in the ${BASELINE_WEEKS} weeks before ${points(before.value)}; ${isAbove ? 'the intervals do not overlap' : 'not significantly above'}.`,
  }
}

function fasDeduction(fas: ScoredCarrier | undefined): Deduction {
  const rule = 'fas' as const
  if (fas === undefined || fas.score === null) {
    return {
      rule,
      status: 'not_measured',
      why: 'False answer supervision: no destination prefix has enough answers for a score, or the attempts could not be read.',
    }
  }
  return {
    rule,
    status: fas.isFlagged ? 'applied' : 'not_applied',
    why: `False answer supervision, a suspicion from signalling only: score ${fas.score.toFixed(0)} of 100, ${fas.prefixesFlagged} of ${fas.prefixesScored} prefixes flagged.`,
  }
}
