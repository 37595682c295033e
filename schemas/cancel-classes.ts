/**
 * The sub-classes of CANCEL and 487 for whoever reads their numbers: what makes each, and whose fault it is. An attempt has
 * one of them at most. The rules themselves: collector/fold/cancel.ts (one leg), evidence/cancels.ts (the other legs).
 */
import type { CancelClass } from './attempt.js'

/** Of calls to a carrier. Of two of them a part is the carrier's, and the attempt's own SLI says which. */
export type CancelFault = 'none' | 'carrier' | 'carrier_in_part'

export interface CancelClassRule {
  /** In the reference and on the scorecard, where it is a share of attempts. */
  id: string
  name: string
  evidence: string
  fault: CancelFault
  faultText: string
  source: string
  version: number
}

const ours = { source: 'metrics.md §4, our decision', version: 1 } as const

export const CANCEL_CLASS_RULES: Readonly<Record<CancelClass, CancelClassRule>> = {
  ELSEWHERE: {
    ...ours,
    id: 'cancel_elsewhere',
    name: 'Answered elsewhere',
    evidence:
      'The Reason of the CANCEL says SIP cause 200, or another leg of the call was answered within thresholds.sibling_answer_ms of it.',
    fault: 'none',
    faultText: 'nobody’s',
    source: 'RFC 3326 §3.1; metrics.md §4, our decision',
  },
  ROUTE_ADVANCE: {
    ...ours,
    id: 'cancel_route_advance',
    name: 'Given up for another route',
    evidence:
      'The Reason of the CANCEL says SIP cause 408, Q.850 cause 102 or a timeout, or the same numbers went to another carrier within thresholds.route_advance_ms of it.',
    fault: 'carrier_in_part',
    faultText: 'the carrier’s before an 18x, nobody’s after it',
  },
  RING_TIMER: {
    ...ours,
    id: 'cancel_ring_timer',
    name: 'Our ring timer ran out',
    evidence: 'A CANCEL within half a second of one of thresholds.ring_timers_s after the first 18x.',
    fault: 'none',
    faultText: 'nobody’s, the callee did not answer',
  },
  CALLER_ABANDON_RING: {
    ...ours,
    id: 'cancel_while_ringing',
    name: 'Caller hung up while it rang',
    evidence: 'Any other CANCEL after an 18x.',
    fault: 'none',
    faultText: 'nobody’s, the callee did not answer',
  },
  PRE_RING_CANCEL: {
    ...ours,
    id: 'cancel_pre_ring',
    name: 'Given up before it rang',
    evidence: 'A CANCEL without any 18x.',
    fault: 'carrier_in_part',
    faultText: 'the carrier’s from thresholds.pre_ring_patience_ms on, the caller’s before',
  },
  '487_NO_CANCEL': {
    ...ours,
    id: 'cancel_not_seen',
    name: '487 without a CANCEL',
    evidence: 'A final 487, and no CANCEL was seen on the leg.',
    fault: 'carrier',
    faultText: 'the carrier’s',
    source: 'RFC 3261 §9; metrics.md §4, our decision',
  },
  CANCEL_RACE_200: {
    ...ours,
    id: 'cancel_race',
    name: 'CANCEL crossed the answer',
    evidence: 'A CANCEL, and a 2xx all the same.',
    fault: 'none',
    faultText: 'nobody’s, it was answered',
    source: 'RFC 3261 §9.1; metrics.md §4, our decision',
  },
}

/** What its share is, for whoever looks a number up. */
export function cancelClassFormula(name: CancelClass): string {
  const { evidence, fault, faultText } = CANCEL_CLASS_RULES[name]
  const over =
    name === 'CANCEL_RACE_200'
      ? 'Counted, in no share.'
      : `Over attempts that have ended${name === 'ELSEWHERE' ? '' : ', those answered elsewhere taken out'}.`
  const inbound = fault === 'none' ? '' : ' Of inbound calls the side that is called is ours.'
  return `${evidence} ${over} Whose fault it is: ${faultText}.${inbound}`
}
