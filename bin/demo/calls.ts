/**
 * The messages of one call, in the order an agent at the SBC sees them.
 *
 * Takes    a planned call.
 * Returns  SIP messages with their routes and times, ascending.
 * Throws   nothing.
 */
import type { Route } from './network.js'
import type { PlannedCall, PlannedLeg } from './planned-call.js'
import { LegText } from './sip-text.js'

export interface TimedMessage {
  /** Capture time, microseconds since 1970 UTC. */
  atUs: number
  /** Addresses, ports, IP protocol, and the agent that sees it. */
  route: Route
  /** ASCII. */
  text: string
}

export function callMessages(call: PlannedCall): TimedMessage[] {
  const messages = legMessages(call.carrierLeg)
  if (call.customerLeg !== undefined) messages.push(...legMessages(call.customerLeg))
  // The sort is stable: where two times are equal, the order of writing stays.
  return messages.sort((one, other) => one.atUs - other.atUs)
}

function legMessages(leg: PlannedLeg): TimedMessage[] {
  const text = new LegText(leg)
  const { toFar, fromFar } = leg.connection
  const forth = leg.fromSbc ? toFar : fromFar
  const back = leg.fromSbc ? fromFar : toFar
  const messages: TimedMessage[] = []
  const say = (atUs: number, route: Route, words: string) => messages.push({ atUs, route, text: words })

  const first = text.invite(0)
  say(leg.invitedAtUs, forth, first)
  for (const atUs of leg.inviteCopiesAtUs) say(atUs, forth, first)
  let attempt = 0
  if (leg.challengedAtUs > 0) {
    say(leg.challengedAtUs, back, text.challenge())
    say(leg.challengedAtUs + leg.callerAnswersInUs, forth, text.ackOfFailure(0, 'a407'))
    attempt = 1
    say(leg.retriedAtUs, forth, text.invite(1))
  }
  if (leg.tryingAtUs > 0) say(leg.tryingAtUs, back, text.trying(attempt))
  for (const { atUs, code, sdp } of leg.progress) say(atUs, back, text.progress(attempt, code, sdp))
  if (leg.cancel !== undefined) {
    say(leg.cancel.atUs, forth, text.cancel(attempt, leg.cancel.reason))
    say(leg.cancel.atUs + leg.calleeAnswersInUs, back, text.cancelled(attempt))
  }
  if (leg.final !== undefined) {
    const words = text.final(attempt, leg.final)
    const ack = leg.final.code === 200 ? text.ackOfAnswer(attempt) : text.ackOfFailure(attempt, leg.toTag)
    for (const atUs of [leg.final.atUs, ...leg.final.copiesAtUs]) {
      say(atUs, back, words)
      say(atUs + leg.callerAnswersInUs, forth, ack)
    }
  }
  if (leg.bye !== undefined) {
    const [route, answerRoute] = leg.bye.from === 'caller' ? [forth, back] : [back, forth]
    const answersInUs = leg.bye.from === 'caller' ? leg.calleeAnswersInUs : leg.callerAnswersInUs
    say(leg.bye.atUs, route, text.bye(leg.bye.from))
    say(leg.bye.atUs + answersInUs, answerRoute, text.byeAnswer(leg.bye.from))
  }
  return messages
}
