/**
 * Failure classes that a dispute pack can be about: a closed list, each a condition on columns of `call_attempts` that a
 * reader of the pack can check row by row in its attempts.csv. Of closed attempts only.
 *
 * A 487 or CANCEL whose call was completed elsewhere (cancel class ELSEWHERE) is our own doing and in none of the classes.
 */
import { DISPOSITIONS, type Disposition } from '../../schemas/attempt.js'
import { nearestNames } from '../errors.js'

export interface FailureClass {
  id: string
  /** After "attempts". */
  words: string
  /** Columns of `call_attempts`; one that has no value never makes it true. */
  sql: string
  /** The KPI whose definition is nearest: its number and target say the same with its exclusions. */
  kpi?: string
}

/** What a PDD is slow by when the contract names no `pdd_p95_s`: as the grade of a scorecard has it (metrics.md §9). */
export const SLOW_PDD_DEFAULT_MS = 6_000
export const SHORT_CALL_MS = 6_000

const NOT_ELSEWHERE = "cancel_class != 'ELSEWHERE'"

/** @param pddTargetMs `targets.pdd_p95_s` of the carrier */
export function failureClasses(pddTargetMs: number = SLOW_PDD_DEFAULT_MS): readonly FailureClass[] {
  return [
    { id: 'bad', words: 'that are bad in the availability SLI', sql: "sli = 'bad'", kpi: 'availability' },
    {
      id: '487',
      words: 'with final 487, rung or not',
      sql: `final_code = 487 AND ${NOT_ELSEWHERE}`,
      kpi: 'rate_487',
    },
    {
      id: 'no_ring_487',
      words: 'with final 487 before anything rang (no 18x)',
      sql: `final_code = 487 AND NOT rang AND ${NOT_ELSEWHERE}`,
      kpi: 'pre_ring_487_rate',
    },
    {
      id: 'ring_487',
      words: 'with final 487 after an 18x',
      sql: `final_code = 487 AND rang AND ${NOT_ELSEWHERE}`,
    },
    {
      id: '5xx',
      words: 'with a final 500 to 599',
      sql: 'final_code >= 500 AND final_code <= 599',
      kpi: 'rate_5xx',
    },
    { id: '503', words: 'with final 503', sql: 'final_code = 503' },
    {
      id: 'no_response',
      words: 'without any final response in 32 s, or with final 408',
      sql: "disposition = 'TIMEOUT' OR final_code = 408",
      kpi: 'no_response_rate',
    },
    {
      id: 'short_call',
      words: `answered and over within ${SHORT_CALL_MS / 1_000} s`,
      sql: `disposition = 'ANSWERED' AND ifNull(duration_ms <= ${SHORT_CALL_MS}, false) AND cancel_class != 'CANCEL_RACE_200'`,
    },
    {
      id: 'slow_pdd',
      words: `with a post-dial delay above ${pddTargetMs / 1_000} s`,
      sql: `ifNull(pdd_ms > ${pddTargetMs}, false)`,
      kpi: 'pdd_p95',
    },
    ...FAILED.map((disposition) => ({
      id: disposition.toLowerCase(),
      words: `with the disposition ${disposition}`,
      sql: `disposition = '${disposition}'`,
    })),
  ]
}

/** An answered call and one that was completed elsewhere are no failure of anybody. */
const FAILED = DISPOSITIONS.filter(
  (disposition): disposition is Exclude<Disposition, 'ANSWERED' | 'ELSEWHERE'> =>
    disposition !== 'ANSWERED' && disposition !== 'ELSEWHERE',
)

export const CLASS_IDS: readonly string[] = failureClasses().map(({ id }) => id)

/** "BLOCKED" and "blocked" are one. */
export function classIdOf(text: string): string | undefined {
  const id = text.toLowerCase()
  return CLASS_IDS.includes(id) ? id : undefined
}

export function nearestClasses(text: string): string[] {
  return nearestNames(text.toLowerCase(), CLASS_IDS)
}
