/** A call as it is planned: who, where, and what happens when. `calls.ts` turns it into messages. */
import type { Outcome } from './behaviour.js'
import type { Connection } from './network.js'
import type { ExpectedAttempt } from './truth.js'

export interface PlannedCall {
  /** Counts from 0 in the order the calls begin. */
  number: number
  outcome: Outcome
  carrierLeg: PlannedLeg
  /** The customer's side of the SBC, where the site's agent mirrors it: another Call-ID. */
  customerLeg: PlannedLeg | undefined
  /** What the carrier's leg must come to. */
  expected: ExpectedAttempt
}

/** One side of the SBC. All `…AtUs` are absolute, microseconds since 1970 UTC. */
export interface PlannedLeg {
  connection: Connection
  /** The SBC sends the INVITE. */
  fromSbc: boolean
  callId: string
  fromTag: string
  toTag: string
  /** Start of the branch of all its requests, and the CSeq of the first INVITE. */
  branch: string
  cseq: number
  /** E.164 with '+'. */
  caller: string
  callee: string
  callerName: string
  /** From says "anonymous"; P-Asserted-Identity has the number. */
  anonymous: boolean
  callingAgent: string
  calledAgent: string
  /** Value of the Identity header, '' for none. */
  identity: string
  /** Offset of the media ports, even. */
  mediaPort: number

  invitedAtUs: number
  /** When the INVITE is sent again unchanged. */
  inviteCopiesAtUs: number[]
  /** 407, and the INVITE with credentials that follows; 0 without a challenge. */
  challengedAtUs: number
  retriedAtUs: number
  /** 0 when nobody says 100. */
  tryingAtUs: number
  progress: { atUs: number; code: 180 | 183; sdp: boolean }[]
  cancel: { atUs: number; reason: string } | undefined
  final: PlannedFinal | undefined
  bye: { atUs: number; from: 'caller' | 'callee' } | undefined
  /** How long each party takes to answer a request, as seen at the SBC. */
  callerAnswersInUs: number
  calleeAnswersInUs: number
}

export interface PlannedFinal {
  atUs: number
  code: number
  phrase: string
  /** Reason header, '' for none. */
  reason: string
  /** Contact of a redirection, '' for none. */
  contact: string
  /** When it is sent again because its ACK was lost. */
  copiesAtUs: number[]
}
