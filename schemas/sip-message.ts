/**
 * What the SIP reader gives to enrich and fold: the fields of one message that matter here.
 *
 * Strings are as they stood on the wire, decoded as latin1 (one char per byte) and trimmed; use `readableText`
 * of `sip/sip-message.ts` before showing one to a person. Absent strings are '', absent numbers -1 where 0 has a
 * meaning. `parseError` is '' for a message the fold may use; otherwise the fields hold what was legible.
 */
import type { SipReason } from './reasons.js'

export interface SipMessage {
  parseError: SipReason | ''
  /** Method of a request in its own letters (methods are case-sensitive, RFC 3261 §7.1); '' for a response. */
  method: string
  requestUri: string
  /** 100..699 for a response, 0 for a request. */
  statusCode: number
  reasonPhrase: string
  callId: string
  /** -1 when absent. */
  cseqNumber: number
  cseqMethod: string
  fromTag: string
  toTag: string
  /** branch parameter of the top Via, '' when absent. */
  branch: string
  /** sent-by of the top Via: host and port (0 when absent), and its `received` parameter. */
  viaHost: string
  viaPort: number
  viaReceived: string
  /** Whole values of From, To and Contact. */
  from: string
  to: string
  contact: string
  /** P-Asserted-Identity, one entry per value (comma lists split outside quotes and angle brackets). */
  assertedIdentities: string[]
  /** Identity header values in order of appearance (RFC 8224); never comma-split. */
  identities: string[]
  /** Reason header values, comma lists split (RFC 3326). */
  reasons: string[]
  /** P-Early-Media, Require, Supported, Session-ID, User-Agent or Server: raw, '' when absent. */
  earlyMedia: string
  require: string
  supported: string
  sessionId: string
  userAgent: string
  contentType: string
  /** -1 when absent or not a number. */
  contentLength: number
  /** Offset of the body in the bytes, and how many bytes of body there are. */
  bodyOffset: number
  bodyLength: number
  /** Content-Length says more than there is: the agent or the network cut the message. */
  truncated: boolean
  /** The body is SDP, or a multipart that holds SDP. */
  hasSdp: boolean
}
