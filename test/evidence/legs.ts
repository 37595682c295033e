/** Legs to compare, as a pass reads them. */
import type { Leg } from '../../evidence/leg.js'
import { NOON_US } from '../api/support.js'

let legs = 0

/** An outbound leg to alpha of which nothing came yet; times in seconds from noon. */
export function leg(
  changes: Partial<Leg> & { invitedS?: number; cancelledS?: number; answeredS?: number } = {},
): Leg {
  legs++
  const { invitedS = 0, cancelledS, answeredS, ...others } = changes
  const us = (seconds: number | undefined) =>
    seconds === undefined ? 0 : NOON_US + Math.round(seconds * 1e6)
  const isCancelled = cancelledS !== undefined
  const isAnswered = answeredS !== undefined
  const rang = others.rang ?? isAnswered
  return {
    minuteS: Math.floor(us(invitedS) / 60e6) * 60,
    attemptId: legs.toString(16).padStart(32, '0'),
    busPartition: 0,
    state: isCancelled || isAnswered ? 'closed' : 'open',
    party: 'carrier',
    carrier: 'alpha',
    direction: 'outbound',
    callId: `leg-${legs}@example.com`,
    addressLow: '192.0.2.11',
    addressHigh: '198.51.100.10',
    clockAgent: '192.0.2.11/2001',
    invitedAtUs: us(invitedS),
    answeredAtUs: us(answeredS),
    cancelledAtUs: us(cancelledS),
    finalAtUs: isCancelled ? us(cancelledS) + 50_000 : us(answeredS),
    byeAtUs: 0,
    rang,
    disposition: isAnswered ? 'ANSWERED' : isCancelled ? (rang ? 'NO_ANSWER' : 'PRE_RING_CANCEL') : '',
    sli: isAnswered || rang ? 'good' : 'bad',
    nerNumerator: isAnswered || rang ? 1 : 0,
    nerDenominator: 1,
    cancelClass: isCancelled ? (rang ? 'CALLER_ABANDON_RING' : 'PRE_RING_CANCEL') : '',
    caller: '12155550101',
    callee: '12155550100',
    e164: '+12155550100',
    ...others,
  }
}
