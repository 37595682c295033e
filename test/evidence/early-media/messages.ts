/** The messages of one call, as an agent mirrors them; times in seconds from noon. */
import type { Captured, TriedAttempt } from '../../../evidence/early-media/last-try.js'
import { NOON_US } from '../../api/support.js'

export const TRIED: TriedAttempt = {
  clockAgent: '192.0.2.11/2001',
  addressLow: '192.0.2.11',
  addressHigh: '198.51.100.10',
  fromTag: 'f',
}

export interface Sdp {
  address?: string
  port?: number
  codecs?: string
  direction?: string
  /** Version in o=. */
  version?: number
  more?: string
}

export function sdpOf({
  address = '198.51.100.40',
  port = 20_000,
  codecs = '0 8',
  direction,
  version = 1,
  more = '',
}: Sdp = {}) {
  return `v=0\r\no=- 1 ${version} IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\nm=audio ${port} RTP/AVP ${codecs}\r\n${
    direction === undefined ? '' : `a=${direction}\r\n`
  }${more}`
}

export interface Extra {
  sdp?: Sdp | string
  tag?: string
  headers?: string[]
  cseq?: string
  branch?: string
  agent?: string
  fromTag?: string
}

function text(startLine: string, extra: Extra, [fromTag, toTag]: [string, string], cseq: string): string {
  const body = extra.sdp === undefined ? '' : typeof extra.sdp === 'string' ? extra.sdp : sdpOf(extra.sdp)
  return [
    startLine,
    `Via: SIP/2.0/UDP 192.0.2.11;branch=${extra.branch ?? 'z9hG4bK1'}`,
    `From: <sip:+12155550101@192.0.2.11>;tag=${fromTag}`,
    `To: <sip:+12155550100@198.51.100.10>${toTag === '' ? '' : `;tag=${toTag}`}`,
    'Call-ID: one@example.com',
    `CSeq: ${extra.cseq ?? cseq}`,
    ...(extra.headers ?? []),
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${Buffer.byteLength(body, 'latin1')}`,
    '',
    body,
  ].join('\r\n')
}

function captured(second: number, raw: string, fromCallee: boolean, agent = TRIED.clockAgent): Captured {
  const ends = ['192.0.2.11', '198.51.100.10'] as const
  return {
    agent,
    capturedAtUs: NOON_US + Math.round(second * 1e6),
    source: ends[fromCallee ? 1 : 0],
    destination: ends[fromCallee ? 0 : 1],
    bytes: Buffer.from(raw, 'latin1'),
  }
}

export function request(second: number, method: string, extra: Extra = {}): Captured {
  const isOfCallee = extra.fromTag !== undefined
  const tags: [string, string] = isOfCallee
    ? [extra.fromTag!, TRIED.fromTag]
    : [TRIED.fromTag, extra.tag ?? '']
  const startLine = `${method} sip:+12155550100@198.51.100.10 SIP/2.0`
  return captured(second, text(startLine, extra, tags, `1 ${method}`), isOfCallee, extra.agent)
}

export function response(second: number, code: number, extra: Extra = {}): Captured {
  const raw = text(`SIP/2.0 ${code} Any`, extra, [TRIED.fromTag, extra.tag ?? 'a'], '1 INVITE')
  return captured(second, raw, true, extra.agent)
}

export const RELIABLE = (rseq: number) => ['Require: 100rel', `RSeq: ${rseq}`]
export const RACK = (rseq: number, cseq = 1) => [`RAck: ${rseq} ${cseq} INVITE`]
