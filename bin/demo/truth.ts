/**
 * What the generator knows about a call it made: the answer sheet for Trunkscope's numbers.
 *
 * Everything here comes from the plan of the call, nothing from our decoder or fold. Times are microseconds since
 * 1970 UTC as the site's agent sees them; definitions are those of metrics.md.
 */
import type { Attempt } from '../../schemas/attempt.js'
import type { Attestation } from '../../schemas/passport.js'

export type { CancelClass, Disposition } from '../../schemas/attempt.js'
export type { Direction } from '../../schemas/config.js'

export interface ExpectedAttempt {
  callId: string
  fromTag: string
  carrier: string
  site: string
  direction: 'inbound' | 'outbound'
  sbcAddress: string
  farAddress: string
  agentId: number
  invitedAtUs: number
  /** When the attempt has its outcome: the final response, or 32 s after the last INVITE of one nobody answered. */
  closedAtUs: number
  /** 0 when no final response came. */
  finalCode: number
  disposition: Exclude<Attempt['disposition'], ''>
  cancelClass: Attempt['cancelClass']
  rang: boolean
  attestation: Attestation
  pddMs: number | null
  /** 200 to BYE; null on an attempt that was not answered. */
  durationMs: number | null
  /** When the BYE comes; 0 without one. */
  byeAtUs: number
  byeFrom: 'caller' | 'callee' | ''
  tries: number
  inviteRetransmissions: number
  callingNumber: string
  calledNumber: string
}
