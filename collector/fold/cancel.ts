/**
 * Why an attempt was cancelled: the 487 sub-classes that one leg can tell.
 *
 * Takes    what is known of the CANCEL and of ringing. Milliseconds on one agent's clock, undefined where no agent saw
 *          both ends.
 * Returns  the class and who is to blame, as the service level indicator sees it; undefined when nothing was cancelled.
 *          Siblings on other legs (completed elsewhere, route advance by number) are an evidence pass, not this rule.
 * Source   metrics.md §4; RFC 3261 §9, RFC 3326 §3.1 (call completed elsewhere).
 */
import type { CancelClass, Sli } from '../../schemas/attempt.js'
import { readReason } from '../../sip/reason.js'

export interface CancelEvidence {
  answered: boolean
  finalCode: number
  /** A CANCEL was seen, and it came before the final response or there is none. */
  cancelled: boolean
  rang: boolean
  /** CANCEL after the first INVITE. */
  waitMs: number | undefined
  /** CANCEL after the first 18x. */
  ringMs: number | undefined
  /** Raw Reason values of the CANCEL. */
  reasons: readonly string[]
}

export interface CancelRules {
  /** A caller who gives up sooner has misdialled; one who waited longer has been failed by the carrier. */
  preRingPatienceMs: number
  /** Timers of ours that end an unanswered call. */
  ringTimersS: readonly number[]
}

const RING_TIMER_TOLERANCE_MS = 500

export function cancelOf(
  evidence: CancelEvidence,
  rules: CancelRules,
): { class: CancelClass; sli: Sli } | undefined {
  // A CANCEL that crossed the 200 changed nothing: the call was answered.
  if (evidence.answered) return evidence.cancelled ? { class: 'CANCEL_RACE_200', sli: 'good' } : undefined
  if (!evidence.cancelled)
    return evidence.finalCode === 487 ? { class: '487_NO_CANCEL', sli: 'bad' } : undefined

  const reasons = evidence.reasons.map(readReason)
  if (reasons.some((reason) => reason.protocol === 'SIP' && reason.cause === 200))
    return { class: 'ELSEWHERE', sli: 'excluded' }
  const advanced = reasons.some(
    (reason) =>
      (reason.protocol === 'SIP' && reason.cause === 408) ||
      (reason.protocol === 'Q.850' && reason.cause === 102) ||
      /timeout|lose_race|pdd/i.test(reason.text),
  )
  if (advanced) return { class: 'ROUTE_ADVANCE', sli: evidence.rang ? 'good' : 'bad' }
  if (evidence.rang) return { class: ringClass(evidence.ringMs, rules), sli: 'good' }
  const waitedInVain = evidence.waitMs !== undefined && evidence.waitMs >= rules.preRingPatienceMs
  return { class: 'PRE_RING_CANCEL', sli: waitedInVain ? 'bad' : 'excluded' }
}

function ringClass(ringMs: number | undefined, rules: CancelRules): CancelClass {
  if (ringMs === undefined) return 'CALLER_ABANDON_RING'
  const timer = rules.ringTimersS.some(
    (timerS) => Math.abs(ringMs - timerS * 1_000) <= RING_TIMER_TOLERANCE_MS,
  )
  return timer ? 'RING_TIMER' : 'CALLER_ABANDON_RING'
}
