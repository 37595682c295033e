/**
 * The fields of a SIP message before anything is read, and what is missing when all is read.
 *
 * Throws   nothing: `missingPart` gives the reason for which the fold cannot use the message, '' when it can.
 * Source   RFC 3261 §8.1.1: what every request holds; faults.md §2.4: what agents leave out.
 */
import type { SipReason } from '../schemas/reasons.js'
import type { SipMessage } from '../schemas/sip-message.js'
import { findSdpPart, isMultipart, isSdpType } from './sdp.js'

export function emptyMessage(): SipMessage {
  return {
    parseError: '',
    method: '',
    requestUri: '',
    statusCode: 0,
    reasonPhrase: '',
    callId: '',
    cseqNumber: -1,
    cseqMethod: '',
    fromTag: '',
    toTag: '',
    branch: '',
    viaHost: '',
    viaPort: 0,
    viaReceived: '',
    from: '',
    to: '',
    contact: '',
    assertedIdentities: [],
    identities: [],
    reasons: [],
    earlyMedia: '',
    require: '',
    supported: '',
    sessionId: '',
    userAgent: '',
    contentType: '',
    contentLength: -1,
    bodyOffset: 0,
    bodyLength: 0,
    truncated: false,
    hasSdp: false,
  }
}

export function missingPart(message: SipMessage, anyHeader: boolean): SipReason | '' {
  if (!anyHeader) return 'no_headers'
  if (message.callId === '') return 'no_call_id'
  if (message.cseqNumber < 0 || message.cseqMethod === '') return 'no_cseq'
  if (message.method !== '' && message.method !== message.cseqMethod) return 'cseq_mismatch'
  if (message.from === '') return 'no_from'
  if (message.to === '') return 'no_to'
  // Kamailio mirrors responses without any Via, and an ACK copies what the response had: Call-ID and CSeq still
  // name the transaction. A request that begins one needs its branch.
  const beginsTransaction = message.method !== '' && message.method !== 'ACK'
  if (beginsTransaction && message.viaHost === '' && message.branch === '') return 'no_via'
  return ''
}

export function holdsSdp(text: string, message: SipMessage): boolean {
  const { contentType, bodyOffset } = message
  if (contentType === '') return text.startsWith('v=0', bodyOffset)
  if (isSdpType(contentType)) return true
  return isMultipart(contentType) && findSdpPart(text, bodyOffset, bodyOffset + message.bodyLength) >= 0
}
