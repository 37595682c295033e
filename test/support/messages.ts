/**
 * Observed messages for tests of the fold: made without SIP text, so that any combination of fields can occur. Source and
 * destination are those of an outbound call unless a field says otherwise.
 */
import { createHash } from 'node:crypto'
import {
  attemptKey,
  dialogTags,
  factsFromText,
  factsOf,
  factsText,
  mergeFacts,
} from '../../collector/fold/attempt-facts.js'
import type { AttemptFacts, AttemptKey } from '../../schemas/attempt-facts.js'
import type { ObservedMessage } from '../../schemas/observed-message.js'
import type { IdentityToken } from '../../schemas/passport.js'
import type { SipMessage } from '../../schemas/sip-message.js'

export const SBC = '192.0.2.11'
export const FAR = '198.51.100.10'
export const START_US = Date.UTC(2026, 8, 14, 9, 0) * 1_000

export interface MessageFields extends Partial<Omit<SipMessage, 'statusCode'>> {
  /** Seconds after the start. */
  at?: number
  agent?: string
  /** A status code; without it the message is a request. */
  code?: number
  sourcePort?: number
  destinationPort?: number
  sdpHash?: string
  frameFlags?: number
  /** The far side sends. */
  fromFar?: boolean
}

/** An INVITE of CSeq 1 unless the fields say otherwise. */
export function observed(fields: MessageFields): ObservedMessage {
  const {
    at = 0,
    agent = 'tap/1',
    code = 0,
    sourcePort = 5060,
    destinationPort = 5060,
    sdpHash = '',
    frameFlags = 0,
    ...sip
  } = fields
  const fromFar = fields.fromFar ?? code > 0
  const cseqMethod = sip.cseqMethod ?? (code > 0 ? 'INVITE' : (sip.method ?? 'INVITE'))
  const message: SipMessage = {
    parseError: '',
    method: code > 0 ? '' : cseqMethod,
    requestUri: code > 0 ? '' : 'sip:+13035550123@carrier.example',
    statusCode: code,
    reasonPhrase: '',
    callId: 'call-1',
    cseqNumber: 1,
    cseqMethod,
    fromTag: 'from-1',
    toTag: code > 100 || cseqMethod === 'BYE' ? 'to-1' : '',
    branch: 'z9hG4bK-1',
    viaHost: SBC,
    viaPort: 5060,
    viaReceived: '',
    from: '<sip:+12155550100@sbc.example>;tag=from-1',
    to: '<sip:+13035550123@carrier.example>',
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
    contentLength: 0,
    bodyOffset: 0,
    bodyLength: 0,
    truncated: false,
    hasSdp: false,
    ...withoutUndefined(sip),
  }
  const seen = {
    message,
    agent,
    agentId: 1,
    capturedAtUs: START_US + Math.round(at * 1_000_000),
    sourceAddress: fromFar ? FAR : SBC,
    sourcePort,
    destinationAddress: fromFar ? SBC : FAR,
    destinationPort,
    frameFlags,
    sdpHash,
  }
  return { ...seen, hash: createHash('sha256').update(JSON.stringify(seen)).digest('hex').slice(0, 32) }
}

function withoutUndefined<Fields extends object>(fields: Fields): Partial<Fields> {
  const kept = Object.entries(fields).filter(([name, value]) => value !== undefined && name !== 'fromFar')
  return Object.fromEntries(kept) as Partial<Fields>
}

/** Stands for `readIdentity`: tokens by their text. */
export const identitiesOf = (values: readonly string[]): IdentityToken[] =>
  values.map((text) => ({
    form: 'full',
    ppt: 'shaken',
    attest: text,
    orig: '',
    dest: [],
    iatS: 0,
    x5u: '',
    origId: '',
    div: '',
    tokenHash: text,
    problem: '',
  }))

/** What the messages prove of the attempt of From-tag `from-1`, merged in the order given. */
export function factsFrom(messages: readonly ObservedMessage[], fromTag = 'from-1'): AttemptFacts {
  const about = messages.filter((message) => dialogTags(message)?.includes(fromTag))
  const key: AttemptKey = attemptKey(about[0] ?? observed({}), fromTag)
  const facts: AttemptFacts = { key, tries: [], byes: [], acks: [], overflow: false }
  for (const message of about) mergeFacts(facts, factsOf(message, key, identitiesOf))
  return facts
}

export function copyOf(facts: AttemptFacts): AttemptFacts {
  return structuredClone(facts)
}

/** Facts with their sets in one order, to compare with `toEqual`. */
export function sortedFacts(facts: AttemptFacts): AttemptFacts {
  return factsFromText(factsText(copyOf(facts)))
}
