/**
 * Which headers of a SIP message are read: their names, as they stand on the wire, and what is kept of those whose value is
 * taken over as a text. Values that have parts are read by sip-message.ts.
 *
 * Throws   nothing.
 * Source   RFC 3261 §7.3 and §20; the compact forms of the IANA registry.
 */
import type { SipMessage } from '../schemas/sip-message.js'
import { splitValues } from './uri.js'

/** Values kept of P-Asserted-Identity, Identity and Reason each. */
export const LIST_VALUES_MAX = 32

export const FIELD = {
  via: 1,
  from: 2,
  to: 3,
  callId: 4,
  cseq: 5,
  contact: 6,
  contentType: 7,
  contentLength: 8,
  identity: 9,
  assertedIdentity: 10,
  reason: 11,
  earlyMedia: 12,
  require: 13,
  supported: 14,
  sessionId: 15,
  userAgent: 16,
} as const

/** The name of a header we read, and what it is. */
class HeaderName {
  readonly field: number
  readonly size: number
  /** In lower case, without the first letter: whoever compares has looked at that. */
  readonly rest: Uint8Array
  constructor(name: string, field: number) {
    this.field = field
    this.size = name.length
    this.rest = Buffer.from(name.slice(1))
  }
}

const NAME = {
  assertedIdentity: new HeaderName('p-asserted-identity', FIELD.assertedIdentity),
  callId: new HeaderName('call-id', FIELD.callId),
  contact: new HeaderName('contact', FIELD.contact),
  contentLength: new HeaderName('content-length', FIELD.contentLength),
  contentType: new HeaderName('content-type', FIELD.contentType),
  cseq: new HeaderName('cseq', FIELD.cseq),
  earlyMedia: new HeaderName('p-early-media', FIELD.earlyMedia),
  from: new HeaderName('from', FIELD.from),
  identity: new HeaderName('identity', FIELD.identity),
  reason: new HeaderName('reason', FIELD.reason),
  require: new HeaderName('require', FIELD.require),
  server: new HeaderName('server', FIELD.userAgent),
  sessionId: new HeaderName('session-id', FIELD.sessionId),
  supported: new HeaderName('supported', FIELD.supported),
  to: new HeaderName('to', FIELD.to),
  userAgent: new HeaderName('user-agent', FIELD.userAgent),
  via: new HeaderName('via', FIELD.via),
}

/**
 * The compact forms of the IANA registry for the headers we read; a b d e j n o r s u x are known and of no
 * interest here.
 */
const COMPACT = {
  c: new HeaderName('c', FIELD.contentType),
  f: new HeaderName('f', FIELD.from),
  i: new HeaderName('i', FIELD.callId),
  k: new HeaderName('k', FIELD.supported),
  l: new HeaderName('l', FIELD.contentLength),
  m: new HeaderName('m', FIELD.contact),
  t: new HeaderName('t', FIELD.to),
  v: new HeaderName('v', FIELD.via),
  y: new HeaderName('y', FIELD.identity),
}

/**
 * The one header the line that begins at `at` can be, from its first letter and from the first place where one of
 * our names would end; the caller compares the letters. undefined: none that we read.
 */
export function candidateAt(bytes: Buffer, at: number): HeaderName | undefined {
  // Shorter names come first: a value may hold a colon where a longer name would end.
  switch (bytes[at]! | 0x20) {
    case 0x63: // c
      if (endsName(bytes, at + 1)) return COMPACT.c
      if (endsName(bytes, at + 4)) return NAME.cseq
      if (endsName(bytes, at + 7)) return (bytes[at + 1]! | 0x20) === 0x61 ? NAME.callId : NAME.contact
      return endsName(bytes, at + 12) ? NAME.contentType : NAME.contentLength
    case 0x66: // f
      return endsName(bytes, at + 1) ? COMPACT.f : NAME.from
    case 0x69: // i
      return endsName(bytes, at + 1) ? COMPACT.i : NAME.identity
    case 0x6b: // k
      return COMPACT.k
    case 0x6c: // l
      return COMPACT.l
    case 0x6d: // m
      return COMPACT.m
    case 0x70: // p
      return endsName(bytes, at + 13) ? NAME.earlyMedia : NAME.assertedIdentity
    case 0x72: // r
      return endsName(bytes, at + 6) ? NAME.reason : NAME.require
    case 0x73: // s
      if (endsName(bytes, at + 6)) return NAME.server
      return endsName(bytes, at + 9) ? NAME.supported : NAME.sessionId
    case 0x74: // t
      return endsName(bytes, at + 1) ? COMPACT.t : NAME.to
    case 0x75: // u
      return NAME.userAgent
    case 0x76: // v
      return endsName(bytes, at + 1) ? COMPACT.v : NAME.via
    case 0x79: // y
      return COMPACT.y
    default:
      return undefined
  }
}

/** What stands behind a name: a colon or white space. */
const ENDS_NAME = new Uint8Array(256)
for (const code of [0x3a, 0x20, 0x09]) ENDS_NAME[code] = 1

function endsName(bytes: Buffer, at: number): boolean {
  return at < bytes.length && ENDS_NAME[bytes[at]!] !== 0
}

export function readListHeader(field: number, value: string, message: SipMessage): void {
  switch (field) {
    case FIELD.identity:
      // An array made with its value is smaller and quicker than an empty one that grows.
      if (message.identities.length === 0) message.identities = [value]
      else if (message.identities.length < LIST_VALUES_MAX) message.identities.push(value)
      break
    case FIELD.assertedIdentity:
      message.assertedIdentities = extended(message.assertedIdentities, value)
      break
    case FIELD.reason:
      message.reasons = extended(message.reasons, value)
      break
    case FIELD.earlyMedia:
      message.earlyMedia = joined(message.earlyMedia, value)
      break
    case FIELD.require:
      message.require = joined(message.require, value)
      break
    case FIELD.supported:
      message.supported = joined(message.supported, value)
      break
    case FIELD.sessionId:
      if (message.sessionId === '') message.sessionId = value
      break
    case FIELD.userAgent:
      if (message.userAgent === '') message.userAgent = value
      break
  }
}

function extended(values: string[], list: string): string[] {
  if (values.length === 0 && list.indexOf(',') < 0) return [list]
  splitValues(list, values)
  if (values.length > LIST_VALUES_MAX) values.length = LIST_VALUES_MAX
  return values
}

/** RFC 3261 §7.3.1: repeated headers of a list are one list. */
function joined(list: string, value: string): string {
  return list === '' ? value : `${list}, ${value}`
}
