/**
 * The other side of the SBC: the same call between SBC and customer, under its own Call-ID.
 *
 * Takes    the carrier's leg, and who the customer is.
 * Returns  its leg, a few milliseconds before or after the carrier's, depending on who speaks; undefined when the
 *          call never got that far. Challenges and retransmissions stay where they were.
 * Throws   nothing.
 */
import type { Outcome } from './behaviour.js'
import type { Connection } from './network.js'
import type { PlannedFinal, PlannedLeg } from './planned-call.js'

const INVITE_PASSES_IN_US = 6_000
const PASSES_IN_US = 2_000
const SBC_ANSWERS_IN_US = 900
const CUSTOMER_ANSWERS_IN_US = 2_500

export interface CustomerEnd {
  connection: Connection
  agent: string
  callId: string
  fromTag: string
  toTag: string
  branch: string
}

export function customerLegOf(leg: PlannedLeg, outcome: Outcome, end: CustomerEnd): PlannedLeg | undefined {
  const calls = leg.fromSbc // The customer is the caller.
  if (outcome === 'no_response' && !calls) return undefined
  // What the callee says comes later to a customer who calls, and earlier from one who is called.
  const calleeUs = calls ? PASSES_IN_US : -PASSES_IN_US
  const invitedAtUs = leg.invitedAtUs + (calls ? -INVITE_PASSES_IN_US : INVITE_PASSES_IN_US)
  const calleeAnswersInUs = calls ? SBC_ANSWERS_IN_US : CUSTOMER_ANSWERS_IN_US
  const gaveUp = calls && GIVEN_UP_BY_US[outcome]
  const cancel =
    leg.cancel && !gaveUp ? { atUs: leg.cancel.atUs - calleeUs, reason: leg.cancel.reason } : undefined
  return {
    connection: end.connection,
    fromSbc: !calls,
    callId: end.callId,
    fromTag: end.fromTag,
    toTag: end.toTag,
    branch: end.branch,
    cseq: 1,
    caller: leg.caller,
    callee: leg.callee,
    callerName: leg.callerName,
    anonymous: leg.anonymous,
    callingAgent: calls ? end.agent : leg.calledAgent,
    calledAgent: calls ? leg.callingAgent : end.agent,
    identity: '',
    mediaPort: leg.mediaPort,
    invitedAtUs,
    inviteCopiesAtUs: [],
    challengedAtUs: 0,
    retriedAtUs: 0,
    tryingAtUs: invitedAtUs + calleeAnswersInUs,
    progress: leg.progress.map((step) => ({ ...step, atUs: step.atUs + calleeUs })),
    cancel,
    final: finalOf(leg, gaveUp || undefined, calleeUs, cancel?.atUs, calleeAnswersInUs),
    bye: leg.bye && {
      atUs: leg.bye.atUs + (leg.bye.from === 'callee' ? calleeUs : -calleeUs),
      from: leg.bye.from,
    },
    callerAnswersInUs: calls ? CUSTOMER_ANSWERS_IN_US : SBC_ANSWERS_IN_US,
    calleeAnswersInUs,
  }
}

/** What our SBC tells the customer where it gave up itself. */
const GIVEN_UP_BY_US: Partial<Record<Outcome, { code: number; phrase: string }>> = {
  ring_timer: { code: 480, phrase: 'Temporarily Unavailable' },
  route_advanced: { code: 503, phrase: 'Service Unavailable' },
  no_response: { code: 503, phrase: 'Service Unavailable' },
}

function finalOf(
  leg: PlannedLeg,
  gaveUp: { code: number; phrase: string } | undefined,
  calleeUs: number,
  cancelledAtUs: number | undefined,
  calleeAnswersInUs: number,
): PlannedFinal {
  const atUs = leg.final ? leg.final.atUs + calleeUs : leg.invitedAtUs + 32_000_000
  const relayed = leg.final ?? { code: 0, phrase: '', reason: '', contact: '', copiesAtUs: [] }
  const final = { ...relayed, copiesAtUs: [], ...(gaveUp || undefined) }
  const isCancelled = cancelledAtUs !== undefined && final.code === 487
  return { ...final, atUs: isCancelled ? cancelledAtUs + calleeAnswersInUs + 500 : atUs }
}
