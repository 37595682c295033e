/**
 * Reads a call's messages the plain way, by looking for strings: an account of it that owes nothing to our decoder,
 * our fold, or the generator's plan.
 */
import type { TimedMessage } from '../../../bin/demo/calls.js'

export interface ObservedCall {
  callId: string
  fromTag: string
  tries: number
  inviteRetransmissions: number
  invitedAtUs: number
  finalCode: number
  finalAtUs: number
  rang: boolean
  pddMs: number | null
  cancelClass: string
  disposition: string
  durationMs: number | null
  byeFrom: string
  attestation: string
  direction: string
}

export const headerOf = (text: string, name: string): string => {
  const start = text.indexOf(`\r\n${name}: `)
  if (start < 0) return ''
  return text.slice(start + name.length + 4, text.indexOf('\r\n', start + 2))
}

export function observe(messages: TimedMessage[], sbcAddress: string): ObservedCall {
  const of = (start: string, cseqMethod: string) =>
    messages.filter(({ text }) => text.startsWith(start) && headerOf(text, 'CSeq').endsWith(` ${cseqMethod}`))
  const invites = of('INVITE ', 'INVITE')
  const first = invites[0]!
  const cseqs = new Set(invites.map(({ text }) => headerOf(text, 'CSeq')))
  const responses = of('SIP/2.0 ', 'INVITE')
  const code = (message: TimedMessage) => Number(message.text.slice(8, 11))
  const lastCseq = [...cseqs].at(-1)
  const final = responses.find(
    (message) => code(message) >= 200 && headerOf(message.text, 'CSeq') === lastCseq,
  )
  const ringing = responses.filter((message) => code(message) > 100 && code(message) < 200)
  const heard = responses.find(
    (message) => code(message) > 100 && (code(message) < 200 || code(message) === 200),
  )
  const cancel = of('CANCEL ', 'CANCEL')[0]
  const bye = of('BYE ', 'BYE')[0]
  const fromTag = headerOf(first.text, 'From').split(';tag=')[1]!
  const finalCode = final ? code(final) : 0
  const cancelClass = classOf(cancel, finalCode, first.atUs, ringing[0]?.atUs)
  return {
    callId: headerOf(first.text, 'Call-ID'),
    fromTag,
    tries: cseqs.size,
    inviteRetransmissions: invites.length - cseqs.size,
    invitedAtUs: first.atUs,
    finalCode,
    finalAtUs: final?.atUs ?? invites.at(-1)!.atUs + 32_000_000,
    rang: ringing.length > 0,
    pddMs: heard ? (heard.atUs - first.atUs) / 1_000 : null,
    cancelClass,
    disposition: dispositionOf(finalCode, cancelClass, ringing.length > 0, final?.text ?? ''),
    durationMs: finalCode === 200 ? (bye!.atUs - final!.atUs) / 1_000 : null,
    byeFrom:
      bye === undefined ? '' : headerOf(bye.text, 'From').endsWith(`=${fromTag}`) ? 'caller' : 'callee',
    attestation: attestationOf(headerOf(invites.at(-1)!.text, 'Identity')),
    direction: first.route.sourceAddress === sbcAddress ? 'outbound' : 'inbound',
  }
}

/** metrics.md §4. */
function classOf(
  cancel: TimedMessage | undefined,
  code: number,
  invitedAtUs: number,
  rangAtUs?: number,
): string {
  if (cancel === undefined) return code === 487 ? '487_NO_CANCEL' : ''
  if (code === 200) return 'CANCEL_RACE_200'
  const reason = headerOf(cancel.text, 'Reason')
  if (reason.startsWith('SIP;cause=200')) return 'ELSEWHERE'
  if (reason.startsWith('SIP;cause=408')) return 'ROUTE_ADVANCE'
  if (rangAtUs === undefined) return cancel.atUs > invitedAtUs ? 'PRE_RING_CANCEL' : ''
  const rangS = (cancel.atUs - rangAtUs) / 1_000_000
  return [30, 60, 90, 120, 180].some((timerS) => Math.abs(timerS - rangS) <= 0.5)
    ? 'RING_TIMER'
    : 'CALLER_ABANDON_RING'
}

/** metrics.md §2. */
function dispositionOf(code: number, cancelClass: string, rang: boolean, final: string): string {
  const cause = Number(/Q\.850;cause=(\d+)/.exec(headerOf(final, 'Reason'))?.[1])
  if (code === 0) return 'TIMEOUT'
  if (code === 200) return 'ANSWERED'
  if (code < 400) return 'REDIRECT'
  if (cancelClass === 'ELSEWHERE') return 'ELSEWHERE'
  if (cancelClass === '487_NO_CANCEL') return 'UNKNOWN'
  if (cancelClass !== '') return rang ? 'NO_ANSWER' : 'PRE_RING_CANCEL'
  if (final.includes('Network Blocked')) return 'BLOCKED'
  if (cause === 17 || code === 486 || code === 600) return 'BUSY'
  if (cause === 19 || code === 480 || (code === 408 && rang)) return 'NO_ANSWER'
  if (code === 603) return 'REJECTED'
  if ([404, 410, 484].includes(code)) return 'INVALID_NUMBER'
  if (code === 403) return 'POLICY'
  return code === 503 ? 'CONGESTION' : 'NETWORK'
}

function attestationOf(identity: string): string {
  if (identity === '') return 'none'
  const [, payload, signature] = identity.split(';')[0]!.split('.')
  try {
    const { attest } = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as { attest: string }
    return signature !== undefined && 'ABC'.includes(attest) ? attest : 'malformed'
  } catch {
    return 'malformed'
  }
}
