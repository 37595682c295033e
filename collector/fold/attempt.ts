// tidy: long because every field of the record stands in one literal, spelled out for speed
/**
 * Facts → the attempt: every derived field in one pure function of (facts, as_of).
 *
 * Takes    the facts of one key; `asOfUs`, the highest received-at seen so far, because "no answer yet" needs a clock and
 *          the fold has none; and what enrich and the configuration know: whose leg it is, numbers, attestation, timers.
 * Returns  the record, `open`, `closed`, `incomplete`, or `fragment` when the facts hold no attempt at all.
 * Source   metrics.md §0 (states), §2 to §4, §12 (fields).
 */
import { hash } from 'node:crypto'
import type { Attempt, AttemptFlag, AttemptState } from '../../schemas/attempt.js'
import type {
  AttemptFacts,
  AttemptKey,
  EndsFacts,
  InviteFacts,
  TryFacts,
} from '../../schemas/attempt-facts.js'
import { HEP_FLAG } from '../../schemas/hep-frame.js'
import type { CallNumbers, Ends, LegAttributes } from '../../schemas/leg-attributes.js'
import type { Attestation, IdentityToken } from '../../schemas/passport.js'
import { readReason } from '../../sip/reason.js'
import { type CancelRules, cancelOf } from './cancel.js'
import { judge } from './disposition.js'
import { type Delay, failDelay, invited, postDialDelay } from './post-dial-delay.js'
import {
  type AgentTimes,
  agentTimes,
  deltaMs,
  earliest,
  latest,
  type Tries,
  triesOf,
  viewOf,
} from './tries.js'

export interface FoldContext extends CancelRules {
  attributesOf: (ends: Ends) => LegAttributes
  numbersOf: (invite: InviteFacts) => CallNumbers
  attestationOf: (tokens: IdentityToken[]) => Attestation
}

/** 64·T1, RFC 3261 §17.1.1.2. */
const TIMER_B_US = 32_000_000
/** Timer C, RFC 3261 §16.6, at least 3 min. */
const TIMER_C_US = 180_000_000

/** FAS_NO_PROGRESS: answered without ringing sooner than this (metrics.md §5). */
const NO_PROGRESS_MS = 1_500

export function attemptIdOf(key: AttemptKey): string {
  const text = `${key.addressLow}\n${key.addressHigh}\n${key.callId}\n${key.fromTag}`
  return hash('sha256', text, 'hex').slice(0, 32)
}

export function attemptOf(
  attemptId: string,
  facts: AttemptFacts,
  asOfUs: number,
  context: FoldContext,
): Attempt {
  const tries = triesOf(facts)
  if (tries === undefined) return fragmentOf(attemptId, facts, context)

  const times = agentTimes(facts, tries)
  const clock = clockOf(times)
  const invite = firstInvite(tries.all)
  const ends = invite ?? firstEnds(tries.all)
  const state = stateOf(tries, invite !== undefined, asOfUs)
  const isClosed = state === 'closed'
  const final = tries.final
  const isAnswered = final !== undefined && final.code < 300
  const rang = times.some((agent) => agent.first18x !== undefined)

  const gap = new Gaps()
  const pddMs = gap.ms(postDialDelay(times, isAnswered))
  const cancelled = wasCancelled(tries, times)
  const cancel = cancelOf(
    {
      answered: isAnswered,
      finalCode: final?.code ?? 0,
      cancelled,
      rang,
      waitMs: msOf(deltaMs(times, invited, (agent) => agent.cancelled)),
      ringMs: msOf(
        deltaMs(
          times,
          (agent) => agent.first18x,
          (agent) => agent.cancelled,
        ),
      ),
      reasons: tries.last.cancelReasons,
    },
    context,
  )
  const reasons = (final?.reasons ?? []).map(readReason)
  const q850 = reasons.find((reason) => reason.protocol === 'Q.850')
  const judgement = isClosed
    ? judge({ finalCode: final?.code ?? 0, phrase: final?.phrase ?? '', reasons, rang, cancel })
    : undefined
  const deciding = tries.last.invite ?? invite
  const byeAtUs = isAnswered ? firstBye(facts) : 0
  const leg = context.attributesOf(ends ?? endsOfKey(facts.key))
  const numbers = invite === undefined ? NO_NUMBERS : context.numbersOf(invite)
  const earlyTags = earlyTagsOf(tries)

  // Spelled out, not spread together: this runs for every change of every attempt.

  return {
    attemptId,
    callId: facts.key.callId,
    fromTag: facts.key.fromTag,
    addressLow: facts.key.addressLow,
    addressHigh: facts.key.addressHigh,
    state,
    party: leg.party,
    carrier: leg.carrier,
    customer: leg.customer,
    site: leg.site,
    direction: leg.direction,
    attributionRule: leg.attributionRule,
    sbcAddress: leg.sbcAddress,
    farAddress: leg.farAddress,
    farPort: leg.farPort,
    minuteS: minuteOf(firstInviteAt(tries, clock.agent) ?? ends?.atUs ?? 0),
    endMinuteS: isClosed && byeAtUs > 0 ? minuteOf(clock.bye ?? byeAtUs) : 0,
    clockAgent: clock.agent,
    invitedAtUs: firstInviteAt(tries, clock.agent) ?? 0,
    first100AtUs: clock.first100 ?? 0,
    first18xAtUs: clock.first18x ?? 0,
    first180AtUs: clock.first180 ?? 0,
    firstSdp18xAtUs: clock.firstSdp18x ?? 0,
    cancelledAtUs: clock.cancelled ?? 0,
    finalAtUs: clock.final ?? 0,
    answeredAtUs: isAnswered ? (clock.final ?? 0) : 0,
    ackedAtUs: clock.acked ?? 0,
    byeAtUs: isAnswered ? (clock.bye ?? byeAtUs) : 0,
    byeFinalAtUs: isAnswered ? (clock.byeFinal ?? 0) : 0,
    tries: tries.all.length,
    inviteRetransmissions: clock.retransmissions,
    earlyDialogs: earlyTags.size,
    pddMs,
    ringDelayMs: gap.ms(deltaMs(times, invited, (agent) => agent.first180)),
    mediaDelayMs: gap.ms(deltaMs(times, invited, (agent) => agent.firstSdp18x)),
    firstResponseMs: gap.ms(deltaMs(times, invited, (agent) => agent.firstResponse)),
    failDelayMs: final === undefined ? null : gap.ms(failDelay(times, final.code)),
    authMs: authenticationMs(tries),
    durationMs: isAnswered
      ? gap.ms(
          deltaMs(
            times,
            (agent) => agent.final,
            (agent) => agent.bye,
          ),
        )
      : null,
    ringBeforeCancelMs: gap.ms(ringBeforeCancel(times)),
    finalCode: final?.code ?? 0,
    finalPhrase: final?.phrase ?? '',
    q850Cause: q850 !== undefined && q850.cause > 0 ? q850.cause : 0,
    q850Location: q850?.location ?? '',
    reasons: final?.reasons ?? [],
    disposition: judgement?.disposition ?? '',
    sli: judgement?.sli ?? '',
    nerNumerator: judgement?.nerNumerator ?? 0,
    nerDenominator: judgement?.nerDenominator ?? 0,
    cancelClass: isClosed ? (cancel?.class ?? '') : '',
    cancelReason: least(tries.last.cancelReasons),
    rang,
    invited: invite !== undefined,
    byeFrom: byeAtUs > 0 ? byeFrom(facts, byeAtUs) : '',
    attestation: context.attestationOf(deciding?.identities ?? []),
    identities: deciding?.identities ?? [],
    calledNumber: numbers.calledNumber,
    dialledNumber: numbers.dialledNumber,
    callingNumber: numbers.callingNumber,
    fromNumber: numbers.fromNumber,
    requestUri: deciding?.requestUri ?? '',
    userAgent: invite?.userAgent ?? '',
    sdpOfferHash: deciding?.sdpHash ?? '',
    sdpAnswerHash: isAnswered ? final.sdpHash : '',
    toTags: [...earlyTags.add(final?.toTag ?? '')].filter(Boolean).sort(),
    agents: times.map((agent) => agent.agent),
    flags: flagsOf({
      facts,
      invite,
      final: final?.code ?? 0,
      cancelled,
      rang,
      isClosed,
      isAnswered,
      gap,
      pddMs,
    }),
  }
}

/**
 * Whether the attempt has its outcome at `asOfUs` (metrics.md §0). A clock in the future of ours only delays the judgement.
 */
function stateOf(tries: Tries, hasInvite: boolean, asOfUs: number): AttemptState {
  const { last } = tries
  if (!hasInvite) {
    const first = Math.min(
      ...tries.all.map(
        (attempt) => earliest(attempt, (view) => view.firstResponse ?? view.firstCancel) ?? Infinity,
      ),
    )
    return asOfUs >= first + TIMER_B_US ? 'incomplete' : 'open'
  }
  if (tries.final !== undefined) return 'closed'
  const cancelled = earliest(last, (view) => view.firstCancel)
  if (cancelled !== undefined) return asOfUs >= cancelled + TIMER_B_US ? 'closed' : 'open'
  const provisional = latest(last, (view) => view.lastProvisional)
  if (provisional !== undefined)
    return asOfUs >= provisional + TIMER_C_US + TIMER_B_US ? 'incomplete' : 'open'
  const invitedLast = latest(last, (view) => view.lastInvite) ?? 0
  return asOfUs >= invitedLast + TIMER_B_US ? 'closed' : 'open'
}

/** The moment `stateOf` may change without another message; undefined when it cannot. */
export function reviewAtUs(facts: AttemptFacts): number | undefined {
  const tries = triesOf(facts)
  if (tries === undefined) return undefined
  const { last } = tries
  if (!tries.all.some((attempt) => attempt.invite !== undefined)) {
    const first = Math.min(
      ...tries.all.map(
        (attempt) => earliest(attempt, (view) => view.firstResponse ?? view.firstCancel) ?? Infinity,
      ),
    )
    return first + TIMER_B_US
  }
  if (tries.final !== undefined) return undefined
  const cancelled = earliest(last, (view) => view.firstCancel)
  if (cancelled !== undefined) return cancelled + TIMER_B_US
  const provisional = latest(last, (view) => view.lastProvisional)
  if (provisional !== undefined) return provisional + TIMER_C_US + TIMER_B_US
  return (latest(last, (view) => view.lastInvite) ?? 0) + TIMER_B_US
}

/** A CANCEL counts when it was under way before the final response, or when there is no final at all. */
function wasCancelled(tries: Tries, times: readonly AgentTimes[]): boolean {
  if (!tries.last.views.some((view) => view.firstCancel !== undefined)) return false
  if (tries.final === undefined || tries.final.code === 487 || tries.final.code < 300) return true
  const order = deltaMs(
    times,
    (agent) => agent.cancelled,
    (agent) => agent.final,
  )
  return 'delayMs' in order
}

/** The agent whose clock is shown: it saw the INVITE and a response, else the INVITE, else anything; then text order. */
function clockOf(times: readonly AgentTimes[]): AgentTimes {
  const rank = (agent: AgentTimes) =>
    agent.invited === undefined
      ? 2
      : agent.firstResponse === undefined && agent.cancelled === undefined
        ? 1
        : 0
  return [...times].sort((a, b) => rank(a) - rank(b))[0] ?? { agent: '', retransmissions: 0 }
}

/** First INVITE of the attempt, challenged and redirected tries included. */
function firstInviteAt(tries: Tries, agent: string): number | undefined {
  const stamps = tries.all
    .map((attempt) => viewOf(attempt, agent)?.invites[0])
    .filter((stamp) => stamp !== undefined)
  return stamps.length === 0 ? undefined : Math.min(...stamps)
}

function firstInvite(all: readonly TryFacts[]): InviteFacts | undefined {
  return first(all.map((attempt) => attempt.invite))
}

function firstEnds(all: readonly TryFacts[]): EndsFacts | undefined {
  return first(all.map((attempt) => attempt.ends))
}

function first<E extends EndsFacts>(candidates: readonly (E | undefined)[]): E | undefined {
  return candidates
    .filter((candidate) => candidate !== undefined)
    .sort((a, b) => a.atUs - b.atUs || (a.agent < b.agent ? -1 : 1))[0]
}

/** Time between a challenged INVITE and the next one, summed, on one agent's clock; null without a challenge. */
function authenticationMs(tries: Tries): number | null {
  let sum: number | null = null
  tries.all.forEach((attempt, at) => {
    const next = tries.all[at + 1]
    if (next === undefined || !attempt.finals.some((final) => final.code === 401 || final.code === 407))
      return
    // In text order of the agents: which of them comes first must not depend on who was heard first.
    for (const view of [...attempt.views].sort((a, b) => (a.agent < b.agent ? -1 : 1))) {
      const from = view.invites[0]
      const to = viewOf(next, view.agent)?.invites[0]
      if (from === undefined || to === undefined || to < from) continue
      sum = (sum ?? 0) + (to - from) / 1_000
      return
    }
  })
  return sum
}

function ringBeforeCancel(times: readonly AgentTimes[]): Delay {
  const since180 = deltaMs(
    times,
    (agent) => agent.first180,
    (agent) => agent.cancelled,
  )
  if ('delayMs' in since180) return since180
  return deltaMs(
    times,
    (agent) => agent.first18x,
    (agent) => agent.cancelled,
  )
}

function earlyTagsOf(tries: Tries): Set<string> {
  const tags = new Set<string>()
  for (const attempt of tries.all) for (const tag of attempt.earlyTags) tags.add(tag)
  return tags
}

/** First in text order; '' of none. */
const least = (texts: readonly string[]) =>
  texts.reduce((found, text) => (found === '' || text < found ? text : found), '')

function firstBye(facts: AttemptFacts): number {
  const stamps = facts.byes.flatMap((bye) => bye.times.map((time) => time.atUs))
  return stamps.length === 0 ? 0 : Math.min(...stamps)
}

function byeFrom(facts: AttemptFacts, byeAtUs: number): 'caller' | 'callee' {
  const bye = facts.byes
    .filter((candidate) => candidate.times.some((time) => time.atUs === byeAtUs))
    .sort((a, b) => (a.fromTag < b.fromTag ? -1 : 1))[0]
  return bye?.fromTag === facts.key.fromTag ? 'caller' : 'callee'
}

function flagsOf(seen: {
  facts: AttemptFacts
  invite: InviteFacts | undefined
  final: number
  cancelled: boolean
  rang: boolean
  isClosed: boolean
  isAnswered: boolean
  gap: Gaps
  pddMs: number | null
}): AttemptFlag[] {
  const flags: AttemptFlag[] = []
  const frameFlags = seen.invite?.frameFlags ?? 0
  if (seen.final === 480 && !seen.rang) flags.push('480_no_ring')
  if (seen.cancelled && seen.isAnswered) flags.push('race')
  if (seen.cancelled && seen.isClosed && seen.final === 0) flags.push('cancel_no_final')
  if (seen.gap.clockStepped) flags.push('clock_stepped')
  if (seen.isAnswered && !seen.rang && seen.pddMs !== null && seen.pddMs < NO_PROGRESS_MS)
    flags.push('FAS_NO_PROGRESS')
  if (seen.facts.overflow) flags.push('overflow')
  if (frameFlags & (HEP_FLAG.missingTimestamp | HEP_FLAG.clampedTimestamp)) flags.push('timestamp_replaced')
  if (seen.invite?.truncated) flags.push('truncated')
  return flags
}

/** Turns delays into values, and remembers that one of them would have been negative. */
class Gaps {
  clockStepped = false

  ms(delay: Delay): number | null {
    if ('delayMs' in delay) return delay.delayMs
    if (delay.reason === 'clock_stepped') this.clockStepped = true
    return null
  }
}

const msOf = (delay: Delay) => ('delayMs' in delay ? delay.delayMs : undefined)

const minuteOf = (atUs: number) => Math.floor(atUs / 60_000_000) * 60

const NO_NUMBERS: CallNumbers = { calledNumber: '', dialledNumber: '', callingNumber: '', fromNumber: '' }

const endsOfKey = (key: AttemptKey): Ends => ({
  agentId: 0,
  sourceAddress: key.addressLow,
  sourcePort: 0,
  destinationAddress: key.addressHigh,
  destinationPort: 0,
})

/** Facts without an INVITE transaction: BYEs or re-INVITEs whose attempt lies under another tag, or was never captured. */
function fragmentOf(attemptId: string, facts: AttemptFacts, context: FoldContext): Attempt {
  const ends = facts.tries.flatMap((attempt) => attempt.ends ?? [])
  const stamps = [
    ...facts.acks,
    ...ends,
    ...facts.byes.flatMap((bye) => [...bye.times, ...bye.finalTimes]),
  ].map((time) => time.atUs)
  return {
    attemptId,
    callId: facts.key.callId,
    fromTag: facts.key.fromTag,
    addressLow: facts.key.addressLow,
    addressHigh: facts.key.addressHigh,
    state: 'fragment',
    ...context.attributesOf(endsOfKey(facts.key)),
    minuteS: minuteOf(stamps.length === 0 ? 0 : Math.min(...stamps)),
    endMinuteS: 0,
    clockAgent: '',
    invitedAtUs: 0,
    first100AtUs: 0,
    first18xAtUs: 0,
    first180AtUs: 0,
    firstSdp18xAtUs: 0,
    cancelledAtUs: 0,
    finalAtUs: 0,
    answeredAtUs: 0,
    ackedAtUs: 0,
    byeAtUs: 0,
    byeFinalAtUs: 0,
    tries: 0,
    inviteRetransmissions: 0,
    earlyDialogs: 0,
    pddMs: null,
    ringDelayMs: null,
    mediaDelayMs: null,
    firstResponseMs: null,
    failDelayMs: null,
    authMs: null,
    durationMs: null,
    ringBeforeCancelMs: null,
    finalCode: 0,
    finalPhrase: '',
    q850Cause: 0,
    q850Location: '',
    reasons: [],
    disposition: '',
    sli: '',
    nerNumerator: 0,
    nerDenominator: 0,
    cancelClass: '',
    cancelReason: '',
    rang: false,
    invited: false,
    byeFrom: '',
    attestation: 'none',
    identities: [],
    ...NO_NUMBERS,
    requestUri: '',
    userAgent: '',
    sdpOfferHash: '',
    sdpAnswerHash: '',
    toTags: [],
    agents: [],
    flags: [],
  }
}
