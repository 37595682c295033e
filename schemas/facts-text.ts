/**
 * The facts of an attempt as the text that is stored with it (`call_attempts.facts`), and back.
 *
 *   facts   => '1' name(address_low) name(address_high) text(call_id) name(from_tag) number(overflow)
 *              list(try) list(bye) list(agent_time of an ACK)
 *   try     => number(cseq) text(branch) number(bits: 1 reinvite, 2 invite, 4 ends) [ends invite] [ends] list(view)
 *              list(final) list(text of a CANCEL's Reason) list(name of an early To-tag)
 *   ends    => time name(agent) number(agent_id) name(source) number(port) name(destination) number(port)
 *   invite  => text(hash) text(request_uri) text(from) text(to) text(contact) list(text of P-Asserted-Identity)
 *              list(token) text(user_agent) text(sdp_hash) number(frame_flags) number(truncated)
 *   token   => name(form) name(ppt) name(attest) name(orig) list(name of dest) number(iat) text(x5u) text(origid)
 *              name(div) text(token_hash) name(problem)
 *   view    => name(agent) list(time of an INVITE) number(bits: which of VIEW_TIMES) time*
 *   final   => number(code) list(agent_time) time name(agent) text(hash) text(phrase) name(to_tag) list(text) text(sdp_hash)
 *   bye     => name(from_tag) name(to_tag) list(agent_time of a BYE) list(agent_time of its final) list(text of a Reason)
 *   agent_time => name(agent) time
 *
 *   list(x) => number(how many) x*       number => ['-'] digits ',', to the base 16, 'a' for 0 to 'p' for 15
 *   time    => number: the first of the text since 1970, each other one against the first
 *   text    => length ':' chars ',' | length '"' (char | '\' four digits)* ',', where a char takes more than a byte
 *   name    => text | '=' number: the text of a name before it, counted from 0; for what stands in one text often
 *
 * Lengths instead of quotes: nothing that comes off the wire has to be looked at or escaped. Every char of the whole is below
 * 0x100. The first char is the version; '{' is the JSON of version 0.1, which is read for ever.
 *
 * Takes    facts whose sets stand in one order (`factsText` of the fold): equal facts are equal texts.
 * Throws   a SyntaxError for a text that this did not write.
 */
import type {
  AgentTime,
  AttemptFacts,
  ByeFacts,
  EndsFacts,
  FinalFacts,
  InviteFacts,
  TryFacts,
  TryView,
} from './attempt-facts.js'
import type { IdentityToken } from './passport.js'
import { TextReader, TextWriter } from './text-fields.js'

const VERSION = '1'

const REINVITE = 1
const INVITE = 2
const ENDS = 4

/** In the order of their bits. */
const VIEW_TIMES = [
  'lastInvite',
  'first100',
  'first18x',
  'first180',
  'firstSdp18x',
  'firstResponse',
  'lastProvisional',
  'firstCancel',
] as const satisfies readonly (keyof TryView)[]

export function writeFacts(facts: AttemptFacts): string {
  const to = new TextWriter(VERSION)
  const { key } = facts
  to.name(key.addressLow)
  to.name(key.addressHigh)
  to.text(key.callId)
  to.name(key.fromTag)
  to.number(facts.overflow ? 1 : 0)
  to.number(facts.tries.length)
  for (const attempt of facts.tries) writeTry(to, attempt)
  to.number(facts.byes.length)
  for (const bye of facts.byes) writeBye(to, bye)
  writeTimes(to, facts.acks)
  return to.end()
}

function writeTry(to: TextWriter, attempt: TryFacts): void {
  const { invite, ends } = attempt
  to.number(attempt.cseq)
  to.text(attempt.branch)
  to.number(
    (attempt.reinvite ? REINVITE : 0) | (invite === undefined ? 0 : INVITE) | (ends === undefined ? 0 : ENDS),
  )
  if (invite !== undefined) writeInvite(to, invite)
  if (ends !== undefined) writeEnds(to, ends)
  to.number(attempt.views.length)
  for (const view of attempt.views) writeView(to, view)
  to.number(attempt.finals.length)
  for (const final of attempt.finals) writeFinal(to, final)
  writeTexts(to, attempt.cancelReasons)
  writeNames(to, attempt.earlyTags)
}

function writeEnds(to: TextWriter, ends: EndsFacts): void {
  to.time(ends.atUs)
  to.name(ends.agent)
  to.number(ends.agentId)
  to.name(ends.sourceAddress)
  to.number(ends.sourcePort)
  to.name(ends.destinationAddress)
  to.number(ends.destinationPort)
}

function writeInvite(to: TextWriter, invite: InviteFacts): void {
  writeEnds(to, invite)
  to.text(invite.hash)
  to.text(invite.requestUri)
  to.text(invite.from)
  to.text(invite.to)
  to.text(invite.contact)
  writeTexts(to, invite.assertedIdentities)
  to.number(invite.identities.length)
  for (const token of invite.identities) writeToken(to, token)
  to.text(invite.userAgent)
  to.text(invite.sdpHash)
  to.number(invite.frameFlags)
  to.number(invite.truncated ? 1 : 0)
}

function writeToken(to: TextWriter, token: IdentityToken): void {
  to.name(token.form)
  to.name(token.ppt)
  to.name(token.attest)
  to.name(token.orig)
  writeNames(to, token.dest)
  to.number(token.iatS)
  to.text(token.x5u)
  to.text(token.origId)
  to.name(token.div)
  to.text(token.tokenHash)
  to.name(token.problem)
}

function writeView(to: TextWriter, view: TryView): void {
  to.name(view.agent)
  to.number(view.invites.length)
  for (const atUs of view.invites) to.time(atUs)
  let bits = 0
  for (let at = 0; at < VIEW_TIMES.length; at++)
    if (view[VIEW_TIMES[at] as (typeof VIEW_TIMES)[number]] !== undefined) bits |= 1 << at
  to.number(bits)
  for (const name of VIEW_TIMES) {
    const atUs = view[name]
    if (atUs !== undefined) to.time(atUs)
  }
}

function writeFinal(to: TextWriter, final: FinalFacts): void {
  to.number(final.code)
  writeTimes(to, final.times)
  to.time(final.atUs)
  to.name(final.agent)
  to.text(final.hash)
  to.text(final.phrase)
  to.name(final.toTag)
  writeTexts(to, final.reasons)
  to.text(final.sdpHash)
}

function writeBye(to: TextWriter, bye: ByeFacts): void {
  to.name(bye.fromTag)
  to.name(bye.toTag)
  writeTimes(to, bye.times)
  writeTimes(to, bye.finalTimes)
  writeTexts(to, bye.reasons)
}

function writeTimes(to: TextWriter, times: readonly AgentTime[]): void {
  to.number(times.length)
  for (const { agent, atUs } of times) {
    to.name(agent)
    to.time(atUs)
  }
}

function writeTexts(to: TextWriter, texts: readonly string[]): void {
  to.number(texts.length)
  for (const text of texts) to.text(text)
}

function writeNames(to: TextWriter, names: readonly string[]): void {
  to.number(names.length)
  for (const name of names) to.name(name)
}

export function readFacts(text: string): AttemptFacts {
  if (text.startsWith('{')) return JSON.parse(text) as AttemptFacts
  const from = new TextReader(text, VERSION)
  const facts: AttemptFacts = {
    key: { addressLow: from.name(), addressHigh: from.name(), callId: from.text(), fromTag: from.name() },
    tries: [],
    byes: [],
    acks: [],
    overflow: from.number() === 1,
  }
  facts.tries = from.list(readTry)
  facts.byes = from.list(readBye)
  facts.acks = from.list(readTime)
  from.end()
  return facts
}

function readTry(from: TextReader): TryFacts {
  const cseq = from.number()
  const branch = from.text()
  const bits = from.number()
  const invite = (bits & INVITE) === 0 ? undefined : readInvite(from)
  const ends = (bits & ENDS) === 0 ? undefined : readEnds(from)
  const attempt: TryFacts = {
    cseq,
    branch,
    reinvite: (bits & REINVITE) !== 0,
    views: from.list(readView),
    finals: from.list(readFinal),
    cancelReasons: from.list(readText),
    earlyTags: from.list(readName),
  }
  if (invite !== undefined) attempt.invite = invite
  if (ends !== undefined) attempt.ends = ends
  return attempt
}

// Properties of a literal are read in the order in which they stand, which is that of the text.

function readEnds(from: TextReader): EndsFacts {
  return {
    atUs: from.time(),
    agent: from.name(),
    agentId: from.number(),
    sourceAddress: from.name(),
    sourcePort: from.number(),
    destinationAddress: from.name(),
    destinationPort: from.number(),
  }
}

function readInvite(from: TextReader): InviteFacts {
  return {
    atUs: from.time(),
    agent: from.name(),
    agentId: from.number(),
    sourceAddress: from.name(),
    sourcePort: from.number(),
    destinationAddress: from.name(),
    destinationPort: from.number(),
    hash: from.text(),
    requestUri: from.text(),
    from: from.text(),
    to: from.text(),
    contact: from.text(),
    assertedIdentities: from.list(readText),
    identities: from.list(readToken),
    userAgent: from.text(),
    sdpHash: from.text(),
    frameFlags: from.number(),
    truncated: from.number() === 1,
  }
}

function readToken(from: TextReader): IdentityToken {
  return {
    form: from.name() as IdentityToken['form'],
    ppt: from.name(),
    attest: from.name(),
    orig: from.name(),
    dest: from.list(readName),
    iatS: from.number(),
    x5u: from.text(),
    origId: from.text(),
    div: from.name(),
    tokenHash: from.text(),
    problem: from.name() as IdentityToken['problem'],
  }
}

function readView(from: TextReader): TryView {
  const view: TryView = { agent: from.name(), invites: from.list(readStamp) }
  const bits = from.number()
  for (let at = 0; at < VIEW_TIMES.length; at++)
    if ((bits & (1 << at)) !== 0) view[VIEW_TIMES[at] as (typeof VIEW_TIMES)[number]] = from.time()
  return view
}

function readFinal(from: TextReader): FinalFacts {
  return {
    code: from.number(),
    times: from.list(readTime),
    atUs: from.time(),
    agent: from.name(),
    hash: from.text(),
    phrase: from.text(),
    toTag: from.name(),
    reasons: from.list(readText),
    sdpHash: from.text(),
  }
}

function readBye(from: TextReader): ByeFacts {
  return {
    fromTag: from.name(),
    toTag: from.name(),
    times: from.list(readTime),
    finalTimes: from.list(readTime),
    reasons: from.list(readText),
  }
}

const readTime = (from: TextReader): AgentTime => ({ agent: from.name(), atUs: from.time() })
const readStamp = (from: TextReader): number => from.time()
const readText = (from: TextReader): string => from.text()
const readName = (from: TextReader): string => from.name()
