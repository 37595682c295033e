/**
 * Why an attempt was given up, as far as other attempts tell: completed elsewhere, or the route was advanced.
 *
 *   ELSEWHERE      a sibling was answered within ±`sibling_answer_ms` of the give-up (CANCEL; where none was seen, the 487). A sibling
 *                  is another leg of the same call in the same direction, invited before the give-up: a fork. The A-leg is no
 *                  sibling of its B-legs, and a leg that was invited only afterwards is the next route.
 *   ROUTE_ADVANCE  the same caller and callee were invited to another carrier within `route_advance_ms` after the CANCEL,
 *                  both legs outbound. Before ringing that is the carrier's fault (bad), after it nobody's (NO_ANSWER).
 *
 * The first that fits wins, before every sub-class that one leg tells (collector/fold/cancel.ts). What is answered, and
 * what its CANCEL says was completed elsewhere, is settled. Both carriers must be known by name: unknown may be the same.
 *
 * Takes    legs with the judgement of the fold, and which of them are known to be of one call.
 * Returns  a verdict for each attempt whose judgement changes; the nearest event in time is its evidence, the lower attempt
 *          id in a draw.
 * Limits   Times are compared on one agent's clock only (design.md §3.5): siblings that different agents saw say nothing.
 *          Legs that only share both numbers are siblings where no other call of these numbers was up (`ALIKE_MAX`).
 * Source   metrics.md §4 (sub-classes, order), §11 point 10; which legs are siblings is our decision.
 */
import type { Judgement, Verdict, VerdictEvidence } from '../schemas/verdicts.js'
import { byKey, firstFrom, giveUpOrAnswerUs, type Leg, numbersKey } from './leg.js'

export interface CancelThresholds {
  sibling_answer_ms: number
  route_advance_ms: number
}

/** A leg and how it is known to be of its call; undefined: it is known of no other. */
export type CallOf = (leg: Leg) => { callKey: string; rule: VerdictEvidence['link'] } | undefined

/** An attempt is given up within this of its INVITE: Timer C and the longest ring timer are shorter. */
export const GIVE_UP_REACH_S = 300

/** Legs of the same numbers at once: more are several calls, and nobody can tell which of them was completed. */
const ALIKE_MAX = 4

const SETTLED: readonly string[] = ['', 'CANCEL_RACE_200', 'ELSEWHERE']

/** What rang longer is left to the fold: its other legs would not be looked at. */
export function isGivenUp(leg: Leg): boolean {
  const atUs = giveUpUs(leg)
  return (
    leg.state === 'closed' &&
    !SETTLED.includes(leg.cancelClass) &&
    atUs > 0 &&
    leg.invitedAtUs > 0 &&
    atUs - leg.invitedAtUs <= GIVE_UP_REACH_S * 1e6
  )
}

/** When it was given up: the CANCEL, else the final response. */
export function giveUpUs({ cancelledAtUs, finalAtUs }: Leg): number {
  return cancelledAtUs > 0 ? cancelledAtUs : finalAtUs
}

export function cancelVerdicts(
  legs: readonly Leg[],
  callOf: CallOf,
  thresholds: CancelThresholds,
): Verdict[] {
  const answered = legs.filter(({ state, answeredAtUs }) => state === 'closed' && answeredAtUs > 0)
  const answeredAt = ({ answeredAtUs }: Leg) => answeredAtUs
  const ofCall = (leg: Leg) => {
    const call = callOf(leg)
    return call === undefined ? undefined : `${call.callKey} ${leg.clockAgent}`
  }
  const siblings = {
    byCall: byKey(answered, ofCall, answeredAt),
    byNumbers: byKey(answered, numbersKey, answeredAt),
    /** Every leg of these numbers, by its INVITE. */
    alike: byKey(legs, numbersKey),
    callOf,
    ofCall,
  }
  const routes = routesOf(legs)
  return legs.filter(isGivenUp).flatMap((leg) => {
    const evidence = siblingOf(leg, siblings, thresholds.sibling_answer_ms * 1_000)
    if (evidence !== undefined) {
      return [verdictOf(leg, elsewhere, 'sibling_answered', evidence)]
    }
    const next = nextRoute(leg, routes, thresholds.route_advance_ms * 1_000)
    return next === undefined ? [] : [verdictOf(leg, routeAdvanced(leg), 'route_advanced', next)]
  })
}

const elsewhere: Judgement = {
  disposition: 'ELSEWHERE',
  sli: 'excluded',
  nerNumerator: 0,
  nerDenominator: 0,
  cancelClass: 'ELSEWHERE',
}

/** metrics.md §11, 10: before ringing PRE_RING_CANCEL and bad, after it NO_ANSWER. */
function routeAdvanced({ rang }: Leg): Judgement {
  return {
    disposition: rang ? 'NO_ANSWER' : 'PRE_RING_CANCEL',
    sli: rang ? 'good' : 'bad',
    nerNumerator: rang ? 1 : 0,
    nerDenominator: 1,
    cancelClass: 'ROUTE_ADVANCE',
  }
}

interface Siblings {
  byCall: ReadonlyMap<string, Leg[]>
  byNumbers: ReadonlyMap<string, Leg[]>
  alike: ReadonlyMap<string, Leg[]>
  callOf: CallOf
  ofCall: (leg: Leg) => string | undefined
}

function siblingOf(leg: Leg, siblings: Siblings, withinUs: number): VerdictEvidence | undefined {
  const atUs = giveUpUs(leg)
  const call = siblings.callOf(leg)
  if (call !== undefined) {
    const key = siblings.ofCall(leg)
    const found = nearestAnswer(leg, siblings.byCall.get(key ?? '') ?? [], atUs, withinUs)
    if (found !== undefined) return evidenceOf(found, 'answer', found.answeredAtUs - atUs, call.rule)
  }
  const key = numbersKey(leg)
  if (key === undefined) return undefined
  const found = nearestAnswer(leg, siblings.byNumbers.get(key) ?? [], atUs, withinUs)
  if (found === undefined) return undefined
  // One of them is known to be of another call: their numbers are the same by chance.
  const other = siblings.callOf(found)
  if (call !== undefined && other !== undefined && call.callKey !== other.callKey) return undefined
  if (alikeAtOnce(leg, siblings.alike.get(key) ?? [], atUs) > ALIKE_MAX) return undefined
  return evidenceOf(found, 'answer', found.answeredAtUs - atUs, 'numbers')
}

/** Legs a look: those answered within two seconds of each other under one key. More are a flood, and tell nothing. */
const LOOK_MAX = 64

function nearestAnswer(leg: Leg, answers: readonly Leg[], atUs: number, withinUs: number): Leg | undefined {
  const answeredAt = ({ answeredAtUs }: Leg) => answeredAtUs
  const from = firstFrom(answers, atUs - withinUs, answeredAt)
  const to = firstFrom(answers, atUs + withinUs + 1, answeredAt)
  if (to - from > LOOK_MAX) return undefined
  let best: Leg | undefined
  for (const other of answers.slice(from, to)) {
    if (other.attemptId === leg.attemptId || other.direction !== leg.direction) continue
    if (other.invitedAtUs > atUs || other.invitedAtUs < leg.invitedAtUs - GIVE_UP_REACH_S * 1e6) continue
    const distanceUs = Math.abs(other.answeredAtUs - atUs)
    const bestUs = best === undefined ? Number.POSITIVE_INFINITY : Math.abs(best.answeredAtUs - atUs)
    if (distanceUs < bestUs || (distanceUs === bestUs && other.attemptId < best!.attemptId)) best = other
  }
  return best
}

/** Legs of the same numbers and direction that were invited in the time in which this one was up. */
function alikeAtOnce(leg: Leg, alike: readonly Leg[], atUs: number): number {
  let count = 0
  const from = firstFrom(alike, leg.invitedAtUs - 60e6)
  for (let at = from; at < alike.length; at++) {
    const other = alike[at]!
    if (at - from > LOOK_MAX) return Number.POSITIVE_INFINITY
    if (other.invitedAtUs > atUs || count > ALIKE_MAX) break
    if (other.direction === leg.direction && (giveUpOrAnswerUs(other) || atUs) >= leg.invitedAtUs) count++
  }
  return count
}

type Routes = ReadonlyMap<string, ReadonlyMap<string, Leg[]>>

/** Outbound INVITEs to carriers known by name: by numbers, then by carrier, in order. */
function routesOf(legs: readonly Leg[]): Routes {
  const known = legs.filter(
    ({ party, direction, invitedAtUs }) => party === 'carrier' && direction === 'outbound' && invitedAtUs > 0,
  )
  return new Map(
    [...byKey(known, numbersKey)].map(([key, ofNumbers]) => [
      key,
      byKey(ofNumbers, ({ carrier }) => carrier),
    ]),
  )
}

function nextRoute(leg: Leg, routes: Routes, withinUs: number): VerdictEvidence | undefined {
  if (leg.cancelledAtUs === 0 || leg.party !== 'carrier' || leg.direction !== 'outbound') return undefined
  const key = numbersKey(leg)
  const byCarrier = key === undefined ? undefined : routes.get(key)
  let best: Leg | undefined
  for (const [carrier, invites] of byCarrier ?? []) {
    if (carrier === leg.carrier) continue
    // After the CANCEL: an INVITE of the same microsecond did not wait for it.
    const next = invites[firstFrom(invites, leg.cancelledAtUs + 1)]
    if (next === undefined || next.invitedAtUs - leg.cancelledAtUs > withinUs) continue
    const earlier = best === undefined ? Number.POSITIVE_INFINITY : best.invitedAtUs
    if (next.invitedAtUs < earlier || (next.invitedAtUs === earlier && next.attemptId < best!.attemptId)) {
      best = next
    }
  }
  return best === undefined
    ? undefined
    : evidenceOf(best, 'invite', best.invitedAtUs - leg.cancelledAtUs, 'numbers')
}

function evidenceOf(
  other: Leg,
  event: VerdictEvidence['event'],
  laterUs: number,
  link: VerdictEvidence['link'],
): VerdictEvidence {
  const { attemptId, carrier, party, disposition } = other
  return { attemptId, carrier, party, event, disposition, laterMs: laterUs / 1_000, link }
}

export function verdictOf(
  leg: Leg,
  judgement: Judgement,
  rule: Verdict['rule'],
  evidence: VerdictEvidence,
): Verdict {
  const { minuteS, attemptId, busPartition, party, carrier, disposition, cancelClass, rang } = leg
  return {
    minuteS,
    attemptId,
    busPartition,
    party,
    carrier,
    of: { disposition, cancelClass, rang },
    judgement,
    rule,
    evidence,
  }
}
