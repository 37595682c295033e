/**
 * Messages → facts, and facts + facts → facts.
 *
 * `factsOf` turns one observed message into the facts it alone proves about an attempt; `mergeFacts` joins two of them.
 * Folding a call is nothing but merging what its messages prove: no order, no state, no clock.
 *
 * Takes    messages with `parseError` '' (or `no_via`: the CSeq finds their transaction). The attempt key of an in-dialog request (BYE, ACK) is not known from the message
 *          alone, because the callee's requests carry the tags the other way round: `dialogTags` gives both candidates.
 * Source   design.md §4, metrics.md §0; RFC 3261 §12 (dialogs), §17 (transactions), §9.1 (CANCEL matches by top Via).
 */
import type {
  AttemptFacts,
  AttemptKey,
  ByeFacts,
  EndsFacts,
  FinalFacts,
  InviteFacts,
  TryFacts,
  TryView,
} from '../../schemas/attempt-facts.js'
import { readFacts, writeFacts } from '../../schemas/facts-text.js'
import type { ObservedMessage } from '../../schemas/observed-message.js'
import type { IdentityToken } from '../../schemas/passport.js'
import type { SipMessage } from '../../schemas/sip-message.js'
import { detached } from '../../sip/sip-message.js'
import { type CappedSet, earlier, later, mergeStamps, putAll, texts, times } from './merge.js'

/** Largest sizes of the sets: a legitimate call stays far below them. */
export const CAPS = { tries: 24, agents: 8, stamps: 16, finals: 8, byes: 8, tags: 16, reasons: 8 } as const

/** A text from the wire is kept up to this many characters in the facts. */
export const TEXT_MAX = 512

/** V8 copies a slice below this length; a longer one keeps the whole message in memory. */
const COPIED_BELOW = 13

const scratch = Buffer.allocUnsafe(TEXT_MAX)

/** At most TEXT_MAX chars of latin1 text, as a string of its own: kept for as long as the call, it must not keep the message. */
export function cut(text: string): string {
  if (text.length < COPIED_BELOW) return text
  return scratch.toString('latin1', 0, scratch.write(text, 0, TEXT_MAX, 'latin1'))
}

/** The From-tags an attempt of this message may have: one for INVITE, its responses and CANCEL; both ways for BYE and ACK. */
export function dialogTags(
  observed: ObservedMessage,
): readonly [string] | readonly [string, string] | undefined {
  const { method, statusCode, cseqMethod, fromTag, toTag } = observed.message
  const about = statusCode > 0 ? cseqMethod : method
  if (about === 'INVITE' || (about === 'CANCEL' && statusCode === 0) || (about === 'ACK' && statusCode === 0))
    return [fromTag]
  if (about === 'BYE') return fromTag === toTag ? [fromTag] : [fromTag, toTag]
  return undefined
}

/** The key of the attempt on this message's leg with that From-tag; its texts do not keep the message in memory. */
export function attemptKey(observed: ObservedMessage, fromTag: string): AttemptKey {
  const { sourceAddress, destinationAddress } = observed
  const swap = destinationAddress < sourceAddress
  return {
    addressLow: swap ? destinationAddress : sourceAddress,
    addressHigh: swap ? sourceAddress : destinationAddress,
    callId: detached(observed.message.callId),
    fromTag: detached(fromTag),
  }
}

/** @param identities  reads the Identity values of an INVITE; handed in so that only INVITEs pay for it. */
export function factsOf(
  observed: ObservedMessage,
  key: AttemptKey,
  identities: (values: readonly string[]) => IdentityToken[],
): AttemptFacts {
  const { message, agent, capturedAtUs } = observed
  const facts: AttemptFacts = { key, tries: [], byes: [], acks: [], overflow: false }
  const about = message.statusCode > 0 ? message.cseqMethod : message.method
  if (about === 'BYE') facts.byes.push(byeOf(observed))
  else if (about === 'ACK') facts.acks.push({ agent, atUs: capturedAtUs })
  else facts.tries.push(tryOf(observed, identities))
  return facts
}

export function tryOf(
  observed: ObservedMessage,
  identities: (values: readonly string[]) => IdentityToken[],
): TryFacts {
  const { message, agent, capturedAtUs: atUs } = observed
  const view: TryView = { agent, invites: [] }
  const attempt: TryFacts = {
    cseq: message.cseqNumber,
    branch: cut(message.branch),
    reinvite: false,
    views: [view],
    finals: [],
    cancelReasons: [],
    earlyTags: [],
  }
  if (message.method === 'INVITE') {
    if (message.toTag !== '') {
      attempt.reinvite = true
      attempt.views = []
      attempt.ends = endsOf(observed, false)
      return attempt
    }
    view.invites.push(atUs)
    view.lastInvite = atUs
    attempt.invite = inviteOf(observed, identities(message.identities))
    return attempt
  }
  if (message.method === 'CANCEL') {
    view.firstCancel = atUs
    attempt.ends = endsOf(observed, false)
    attempt.cancelReasons = reasonsOf(message)
    return attempt
  }
  const code = message.statusCode
  attempt.ends = endsOf(observed, true)
  view.firstResponse = atUs
  if (code < 200) {
    view.lastProvisional = atUs
    if (code === 100) view.first100 = atUs
    // 199 tells the caller that an early dialog ended (RFC 6228): nobody hears it.
    if (code > 100 && code < 190) {
      view.first18x = atUs
      if (code === 180) view.first180 = atUs
      if (message.hasSdp) view.firstSdp18x = atUs
      if (message.toTag !== '') attempt.earlyTags.push(cut(message.toTag))
    }
  } else {
    attempt.finals.push(finalOf(observed))
  }
  return attempt
}

export function endsOf(observed: ObservedMessage, isResponse: boolean): EndsFacts {
  const source = { address: observed.sourceAddress, port: observed.sourcePort }
  const destination = { address: observed.destinationAddress, port: observed.destinationPort }
  const [from, to] = isResponse ? [destination, source] : [source, destination]
  return {
    atUs: observed.capturedAtUs,
    agent: observed.agent,
    agentId: observed.agentId,
    sourceAddress: from.address,
    sourcePort: from.port,
    destinationAddress: to.address,
    destinationPort: to.port,
  }
}

export function inviteOf(observed: ObservedMessage, identities: IdentityToken[]): InviteFacts {
  const { message } = observed
  // Spelled out: a spread in front of a literal this long costs more than all its texts.
  return {
    atUs: observed.capturedAtUs,
    agent: observed.agent,
    agentId: observed.agentId,
    sourceAddress: observed.sourceAddress,
    sourcePort: observed.sourcePort,
    destinationAddress: observed.destinationAddress,
    destinationPort: observed.destinationPort,
    hash: observed.hash,
    requestUri: cut(message.requestUri),
    from: cut(message.from),
    to: cut(message.to),
    contact: cut(message.contact),
    assertedIdentities: message.assertedIdentities.slice(0, 2).map(cut),
    identities,
    userAgent: cut(message.userAgent),
    sdpHash: observed.sdpHash,
    frameFlags: observed.frameFlags,
    truncated: message.truncated,
  }
}

export function finalOf(observed: ObservedMessage): FinalFacts {
  const { message, agent, capturedAtUs: atUs } = observed
  return {
    code: message.statusCode,
    times: [{ agent, atUs }],
    atUs,
    agent,
    hash: observed.hash,
    phrase: cut(message.reasonPhrase),
    toTag: cut(message.toTag),
    reasons: message.reasons.slice(0, CAPS.reasons).map(cut),
    sdpHash: observed.sdpHash,
  }
}

export function byeOf(observed: ObservedMessage): ByeFacts {
  const { message, agent, capturedAtUs: atUs } = observed
  const isRequest = message.statusCode === 0
  return {
    fromTag: cut(message.fromTag),
    toTag: cut(message.toTag),
    times: isRequest ? [{ agent, atUs }] : [],
    finalTimes: message.statusCode >= 200 ? [{ agent, atUs }] : [],
    reasons: isRequest ? reasonsOf(message) : [],
  }
}

/** The Reason values of a CANCEL or BYE as a set: what one message adds must not depend on what is there. */
export function reasonsOf(message: SipMessage): string[] {
  const reasons: string[] = []
  putAll(reasons, message.reasons.map(cut), REASONS)
  return reasons
}

/** No tag holds a line feed. */
const byeKey = (bye: ByeFacts) => `${bye.fromTag}\n${bye.toTag}`

export const REASONS = texts(CAPS.reasons)
export const TAGS = texts(CAPS.tags)
export const TIMES = times(CAPS.agents)

const VIEWS: CappedSet<TryView> = {
  same: (a, b) => a.agent === b.agent,
  mergeInto: mergeView,
  keyOf: (view) => view.agent,
  cap: CAPS.agents,
}

export const FINALS: CappedSet<FinalFacts> = {
  same: (a, b) => a.code === b.code,
  mergeInto: mergeFinal,
  keyOf: (final) => String(final.code),
  cap: CAPS.finals,
}

export const TRIES: CappedSet<TryFacts> = {
  same: (a, b) => a.cseq === b.cseq && a.branch === b.branch,
  mergeInto: mergeTry,
  keyOf: (attempt) => `${attempt.cseq}|${attempt.branch}`,
  cap: CAPS.tries,
}

export const BYES: CappedSet<ByeFacts> = {
  same: (a, b) => a.fromTag === b.fromTag && a.toTag === b.toTag,
  mergeInto: mergeBye,
  keyOf: byeKey,
  cap: CAPS.byes,
}

/** Merges `source` into `target`; `source` must not be used afterwards. Both are of one key. */
export function mergeFacts(target: AttemptFacts, source: AttemptFacts): void {
  const overflow = [
    putAll(target.tries, source.tries, TRIES),
    putAll(target.byes, source.byes, BYES),
    putAll(target.acks, source.acks, TIMES),
    source.overflow,
  ]
  target.overflow ||= overflow.includes(true)
}

/** Merges what two sets of messages prove of one try; says whether a set overflowed. */
export function mergeTry(target: TryFacts, source: TryFacts): boolean {
  target.reinvite ||= source.reinvite
  if (
    source.invite !== undefined &&
    (target.invite === undefined || comesFirst(source.invite, target.invite))
  ) {
    target.invite = source.invite
  }
  if (target.invite !== undefined) delete target.ends
  else if (source.ends !== undefined && (target.ends === undefined || comesFirst(source.ends, target.ends))) {
    target.ends = source.ends
  }
  const views = putAll(target.views, source.views, VIEWS)
  const finals = putAll(target.finals, source.finals, FINALS)
  const reasons = putAll(target.cancelReasons, source.cancelReasons, REASONS)
  const tags = putAll(target.earlyTags, source.earlyTags, TAGS)
  return views || finals || reasons || tags
}

function mergeView(target: TryView, source: TryView): boolean {
  mergeStamps(target.invites, source.invites, CAPS.stamps)
  assign(target, 'lastInvite', later(target.lastInvite, source.lastInvite))
  assign(target, 'lastProvisional', later(target.lastProvisional, source.lastProvisional))
  assign(target, 'first100', earlier(target.first100, source.first100))
  assign(target, 'first18x', earlier(target.first18x, source.first18x))
  assign(target, 'first180', earlier(target.first180, source.first180))
  assign(target, 'firstSdp18x', earlier(target.firstSdp18x, source.firstSdp18x))
  assign(target, 'firstResponse', earlier(target.firstResponse, source.firstResponse))
  assign(target, 'firstCancel', earlier(target.firstCancel, source.firstCancel))
  return false
}

/** An absent time stays absent: the stored text must not depend on how the facts came together. */
function assign<Key extends Exclude<keyof TryView, 'agent' | 'invites'>>(
  view: TryView,
  key: Key,
  value: TryView[Key],
): void {
  if (value !== undefined) view[key] = value
}

function mergeFinal(target: FinalFacts, source: FinalFacts): boolean {
  if (comesFirst(source, target)) {
    target.atUs = source.atUs
    target.agent = source.agent
    target.hash = source.hash
    target.phrase = source.phrase
    target.toTag = source.toTag
    target.reasons = source.reasons
    target.sdpHash = source.sdpHash
  }
  return putAll(target.times, source.times, TIMES)
}

function mergeBye(target: ByeFacts, source: ByeFacts): boolean {
  const byes = putAll(target.times, source.times, TIMES)
  const finals = putAll(target.finalTimes, source.finalTimes, TIMES)
  const reasons = putAll(target.reasons, source.reasons, REASONS)
  return byes || finals || reasons
}

/** What decides which of two sightings stands first. */
type Hashed = Pick<FinalFacts, 'atUs' | 'agent' | 'hash'>

/** Smallest (time, agent, hash or ends): one and the same message wins whatever the order. */
export function comesFirst<Seen extends EndsFacts | Hashed>(a: Seen, b: Seen): boolean {
  if (a.atUs !== b.atUs) return a.atUs < b.atUs
  if (a.agent !== b.agent) return a.agent < b.agent
  return lastWord(a) < lastWord(b)
}

/** Some agents stamp several messages with one microsecond (metrics.md §13.3). */
function lastWord(seen: EndsFacts | Hashed): string {
  if ('hash' in seen) return seen.hash
  return `${seen.agentId} ${seen.sourceAddress} ${seen.sourcePort} ${seen.destinationAddress} ${seen.destinationPort}`
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
const byAgent = (a: { agent: string }, b: { agent: string }) => byText(a.agent, b.agent)

/** The stored text: sets in one order, so that equal facts are equal texts. Sorts in place. */
export function factsText(facts: AttemptFacts): string {
  sort(facts.tries, (a, b) => a.cseq - b.cseq || byText(a.branch, b.branch))
  for (const attempt of facts.tries) {
    sort(attempt.views, byAgent)
    sort(attempt.finals, (a, b) => a.code - b.code)
    for (const final of attempt.finals) sort(final.times, byAgent)
    sort(attempt.cancelReasons, byText)
    sort(attempt.earlyTags, byText)
  }
  sort(facts.byes, (a, b) => byText(byeKey(a), byeKey(b)))
  for (const bye of facts.byes) {
    sort(bye.times, byAgent)
    sort(bye.finalTimes, byAgent)
    sort(bye.reasons, byText)
  }
  sort(facts.acks, byAgent)
  return writeFacts(facts)
}

/** Most sets have one entry, and a call into sort() costs as much as writing it. */
function sort<Entry>(entries: Entry[], compare: (a: Entry, b: Entry) => number): void {
  if (entries.length > 1) entries.sort(compare)
}

export const factsFromText = readFacts
