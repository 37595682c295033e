/**
 * One message more: the same as merging `factsOf(message)` into the facts, without making those facts first.
 *
 * Nearly every message belongs to a try that is known, and changes a time or two. Making an object for each message only to
 * merge it costs more in garbage than the whole reading of the message; so this is the way of the packet, `mergeFacts` that
 * of stored facts, and a property test holds the two together.
 */
import type {
  AgentTime,
  AttemptFacts,
  AttemptKey,
  FinalFacts,
  TryFacts,
  TryView,
} from '../../schemas/attempt-facts.js'
import type { ObservedMessage } from '../../schemas/observed-message.js'
import type { IdentityToken } from '../../schemas/passport.js'
import {
  BYES,
  byeOf,
  CAPS,
  comesFirst,
  cut,
  endsOf,
  FINALS,
  finalOf,
  inviteOf,
  REASONS,
  reasonsOf,
  TAGS,
  TEXT_MAX,
  TIMES,
  TRIES,
  tryOf,
} from './attempt-facts.js'
import { mergeStamps, putAll, putCapped } from './merge.js'

type Sighting = Pick<FinalFacts, 'atUs' | 'agent' | 'hash'>
type Identities = (values: readonly string[]) => IdentityToken[]

export function noFacts(key: AttemptKey): AttemptFacts {
  return { key, tries: [], byes: [], acks: [], overflow: false }
}

export function addMessage(facts: AttemptFacts, observed: ObservedMessage, identities: Identities): void {
  const { message } = observed
  const about = message.statusCode > 0 ? message.cseqMethod : message.method
  const overflowed =
    about === 'BYE'
      ? addBye(facts, observed)
      : about === 'ACK'
        ? addAck(facts, observed)
        : addToTry(facts, observed, identities)
  if (overflowed) facts.overflow = true
}

function addBye(facts: AttemptFacts, observed: ObservedMessage): boolean {
  const { message } = observed
  const fromTag = compared(message.fromTag)
  const toTag = compared(message.toTag)
  const known = facts.byes.find((bye) => bye.fromTag === fromTag && bye.toTag === toTag)
  if (known === undefined) return put(facts, 'byes', byeOf(observed), BYES)
  if (message.statusCode === 0) {
    const times = addTime(known, 'times', observed)
    return putAll(known.reasons, reasonsOf(message), REASONS) || times
  }
  return message.statusCode >= 200 && addTime(known, 'finalTimes', observed)
}

function addAck(facts: AttemptFacts, observed: ObservedMessage): boolean {
  return addTime(facts, 'acks', observed)
}

function addToTry(facts: AttemptFacts, observed: ObservedMessage, identities: Identities): boolean {
  const { message, agent, capturedAtUs: atUs } = observed
  const branch = compared(message.branch)
  const known = facts.tries.find(
    (attempt) => attempt.cseq === message.cseqNumber && attempt.branch === branch,
  )
  if (known === undefined) return put(facts, 'tries', tryOf(observed, identities), TRIES)
  const isInvite = message.method === 'INVITE'
  if (isInvite && message.toTag !== '') {
    known.reinvite = true
    addEnds(known, observed, false)
    return false
  }
  const view = known.views.find((candidate) => candidate.agent === agent)
  // Another agent's first sight of the try: rare enough to go the long way.
  if (view === undefined) return TRIES.mergeInto(known, tryOf(observed, identities))
  if (isInvite) return addInvite(known, view, observed, identities)
  addEnds(known, observed, message.statusCode > 0)
  if (message.method === 'CANCEL') {
    view.firstCancel = least(view.firstCancel, atUs)
    return putAll(known.cancelReasons, reasonsOf(message), REASONS)
  }
  view.firstResponse = least(view.firstResponse, atUs)
  return message.statusCode < 200 ? addProvisional(known, view, observed) : addFinal(known, observed)
}

function addInvite(
  known: TryFacts,
  view: TryView,
  observed: ObservedMessage,
  identities: Identities,
): boolean {
  const { agent, capturedAtUs: atUs, hash } = observed
  mergeStamps(view.invites, [atUs], CAPS.stamps)
  view.lastInvite = view.lastInvite === undefined ? atUs : Math.max(view.lastInvite, atUs)
  if (known.invite === undefined || comesFirst<Sighting>({ atUs, agent, hash }, known.invite)) {
    known.invite = inviteOf(observed, identities(observed.message.identities))
    delete known.ends
  }
  return false
}

function addProvisional(known: TryFacts, view: TryView, observed: ObservedMessage): boolean {
  const { message, capturedAtUs: atUs } = observed
  const code = message.statusCode
  view.lastProvisional = view.lastProvisional === undefined ? atUs : Math.max(view.lastProvisional, atUs)
  if (code === 100) view.first100 = least(view.first100, atUs)
  if (code <= 100 || code >= 190) return false
  view.first18x = least(view.first18x, atUs)
  if (code === 180) view.first180 = least(view.first180, atUs)
  if (message.hasSdp) view.firstSdp18x = least(view.firstSdp18x, atUs)
  return message.toTag !== '' && put(known, 'earlyTags', cut(message.toTag), TAGS)
}

function addFinal(known: TryFacts, observed: ObservedMessage): boolean {
  const { message, agent, capturedAtUs: atUs, hash } = observed
  const present: FinalFacts | undefined = known.finals.find((final) => final.code === message.statusCode)
  if (present === undefined) return put(known, 'finals', finalOf(observed), FINALS)
  // A retransmission comes later than what it repeats, and changes nothing.
  if (comesFirst<Sighting>({ atUs, agent, hash }, present))
    return FINALS.mergeInto(present, finalOf(observed))
  return addTime(present, 'times', observed)
}

function addEnds(known: TryFacts, observed: ObservedMessage, isResponse: boolean): void {
  if (known.invite !== undefined || (known.ends !== undefined && known.ends.atUs < observed.capturedAtUs))
    return
  const ends = endsOf(observed, isResponse)
  if (known.ends === undefined || comesFirst(ends, known.ends)) known.ends = ends
}

function addTime<Name extends string>(
  holder: { [name in Name]: AgentTime[] },
  name: Name,
  observed: ObservedMessage,
): boolean {
  const { agent, capturedAtUs: atUs } = observed
  for (const time of holder[name]) {
    if (time.agent !== agent) continue
    if (atUs < time.atUs) time.atUs = atUs
    return false
  }
  return put(holder, name, { agent, atUs }, TIMES)
}

/** An empty array that is pushed to takes room for 17 entries; most of these sets have one. */
function put<Name extends string, Entry>(
  holder: { [name in Name]: Entry[] },
  name: Name,
  entry: Entry,
  set: Parameters<typeof putCapped<Entry>>[2],
): boolean {
  if (holder[name].length > 0) return putCapped(holder[name], entry, set)
  holder[name] = [entry]
  return false
}

const least = (a: number | undefined, b: number) => (a === undefined || b < a ? b : a)

/** As the facts hold it, without a copy. */
const compared = (text: string) => (text.length > TEXT_MAX ? text.slice(0, TEXT_MAX) : text)
