/**
 * The attempt as it is stored and asked about: one row of `call_attempts`, made from the facts by one pure function
 * (`collector/fold/attempt.ts`). Absent times and counts are 0 where 0 has no meaning of its own; a measure that may be
 * missing is null. Codes and classes: metrics.md §2 to §6.
 */
import type { Attestation, IdentityToken } from './passport.js'

/**
 * open        no outcome yet: shown, in no ratio
 * closed      it has an outcome
 * incomplete  the capture lost a part of it: in no ratio, counted as capture loss
 * fragment    messages of a dialog whose INVITE this leg and tag never had: no attempt, never shown
 */
export type AttemptState = 'open' | 'closed' | 'incomplete' | 'fragment'

/** Whose leg it is: a carrier's, a customer's (no carrier is judged by it), between SBCs of ours, or nobody's we know. */
export type Party = 'carrier' | 'customer' | 'internal' | 'unknown'

export const DISPOSITIONS = [
  'ANSWERED',
  'BUSY',
  'NO_ANSWER',
  'REJECTED',
  'REDIRECT',
  'INVALID_NUMBER',
  'BLOCKED',
  'IDENTITY',
  'AUTH',
  'CONFIG',
  'POLICY',
  'CONGESTION',
  'NETWORK',
  'TIMEOUT',
  'PRE_RING_CANCEL',
  'ELSEWHERE',
  'UNKNOWN',
] as const
export type Disposition = (typeof DISPOSITIONS)[number]

export const CANCEL_CLASSES = [
  'ELSEWHERE',
  'ROUTE_ADVANCE',
  'RING_TIMER',
  'CALLER_ABANDON_RING',
  'PRE_RING_CANCEL',
  '487_NO_CANCEL',
  'CANCEL_RACE_200',
] as const
export type CancelClass = (typeof CANCEL_CLASSES)[number]

export const ATTEMPT_FLAGS = [
  /** 480 without 18x: some proxies use it for "no route". */
  '480_no_ring',
  /** CANCEL crossed the 200. */
  'race',
  /** CANCEL, and no final response within 32 s. */
  'cancel_no_final',
  /** A delta would have been negative: an agent's clock was set back, or messages were reordered. */
  'clock_stepped',
  'FAS_NO_PROGRESS',
  /** A set of facts ran over its cap. */
  'overflow',
  /** The capture time was out of bounds or missing, and the arrival time stands in. */
  'timestamp_replaced',
  /** The INVITE was cut on its way to us. */
  'truncated',
] as const
export type AttemptFlag = (typeof ATTEMPT_FLAGS)[number]

export type Sli = 'good' | 'bad' | 'excluded'

export interface Attempt {
  /** 32 hex digits: SHA-256 of the key, cut to 128 bits. */
  attemptId: string
  callId: string
  fromTag: string
  addressLow: string
  addressHigh: string
  state: AttemptState
  party: Party
  /** Carrier id; 'unknown' when nobody's; '' on a customer's or internal leg. */
  carrier: string
  customer: string
  /** '' when unknown. */
  site: string
  direction: 'inbound' | 'outbound' | 'unknown'
  attributionRule: 'sbc_peer' | 'peer' | 'customer_peer' | 'trunk_group' | 'internal' | 'none'
  sbcAddress: string
  farAddress: string
  farPort: number
  /** Start of the minute the attempt began in, seconds since 1970 UTC. */
  minuteS: number
  /** Start of the minute the answered call ended in; 0 while it has no end. */
  endMinuteS: number
  /** The agent whose clock gives the times below. */
  clockAgent: string
  invitedAtUs: number
  first100AtUs: number
  first18xAtUs: number
  first180AtUs: number
  firstSdp18xAtUs: number
  cancelledAtUs: number
  finalAtUs: number
  answeredAtUs: number
  ackedAtUs: number
  byeAtUs: number
  byeFinalAtUs: number
  tries: number
  inviteRetransmissions: number
  earlyDialogs: number
  /** Milliseconds, or null with no number (metrics.md §3). */
  pddMs: number | null
  ringDelayMs: number | null
  mediaDelayMs: number | null
  firstResponseMs: number | null
  failDelayMs: number | null
  authMs: number | null
  /** Answer to end, milliseconds (SDT, RFC 6076 §4.5). */
  durationMs: number | null
  ringBeforeCancelMs: number | null
  /** 0 when there is none. */
  finalCode: number
  finalPhrase: string
  q850Cause: number
  q850Location: string
  reasons: string[]
  /** '' while open, and on an incomplete attempt. */
  disposition: Disposition | ''
  sli: Sli | ''
  /** NER numerator and denominator of metrics.md §2: 0 or 1. */
  nerNumerator: number
  nerDenominator: number
  cancelClass: CancelClass | ''
  cancelReason: string
  /** An 18x (101..189) was seen. */
  rang: boolean
  /** An INVITE was seen. */
  invited: boolean
  byeFrom: 'caller' | 'callee' | ''
  attestation: Attestation
  identities: IdentityToken[]
  /** Request-URI, To, From and P-Asserted-Identity numbers: '+' and digits where they are E.164, '' for none. */
  calledNumber: string
  dialledNumber: string
  callingNumber: string
  fromNumber: string
  requestUri: string
  userAgent: string
  sdpOfferHash: string
  sdpAnswerHash: string
  toTags: string[]
  agents: string[]
  flags: AttemptFlag[]
}
