/** A SIP message together with where and when an agent saw it: decode and enrich → fold. */
import type { SipMessage } from './sip-message.js'

export interface ObservedMessage {
  message: SipMessage
  /** Who saw it: `peer address/capture id/name`. */
  agent: string
  agentId: number
  /** Agent's clock, microseconds since 1970 UTC, clamped (design.md §4). */
  capturedAtUs: number
  sourceAddress: string
  sourcePort: number
  destinationAddress: string
  destinationPort: number
  /** HEP_FLAG bits. */
  frameFlags: number
  /** Identity of the row: 32 hex digits. */
  hash: string
  /** Of the SDP of an INVITE or a final response to it (`sip/sdp.ts`); '' for any other message, and without SDP. */
  sdpHash: string
}
