/**
 * Which INVITE transactions of the facts are tries of the attempt, which one decides its outcome, and when things
 * happened on the clock of one agent. Pure; sorts copies.
 *
 * Source   metrics.md §0: the outcome of an attempt is that of its last try (highest CSeq, then latest start). An answered
 *          try ends the hunting: whatever bears a later CSeq belongs to the dialog.
 */
import type { AgentTime, AttemptFacts, FinalFacts, TryFacts, TryView } from '../../schemas/attempt-facts.js'
import { mergeTry } from './attempt-facts.js'
import { earlier, later } from './merge.js'

export interface Tries {
  /** In order of CSeq, then start. */
  all: TryFacts[]
  /** Decides the outcome. */
  last: TryFacts
  final: FinalFacts | undefined
}

export function triesOf(facts: AttemptFacts): Tries | undefined {
  const [only] = facts.tries
  // Most attempts have one try, and this runs for every change of every attempt.
  if (only !== undefined && facts.tries.length === 1) {
    if (only.reinvite) return undefined
    return { all: [only], last: only, final: answerOf(only) ?? firstFinal(only) }
  }
  const sorted = withoutBranchless(facts.tries)
    .filter((attempt) => !attempt.reinvite)
    .sort((a, b) => a.cseq - b.cseq || startOf(a) - startOf(b) || (a.branch < b.branch ? -1 : 1))
  const answered = sorted.find((attempt) => answerOf(attempt) !== undefined)
  // A response whose INVITE was lost may belong to a re-INVITE: after an answer it does.
  const all = sorted.filter(
    (attempt) => attempt.invite !== undefined || answered === undefined || attempt.cseq <= answered.cseq,
  )
  const last = answered ?? all.at(-1)
  if (last === undefined) return undefined
  return { all, last, final: answerOf(last) ?? firstFinal(last) }
}

/**
 * A message that lost its Via on the way belongs to the transaction of its CSeq number: its facts go to the latest of that
 * number that has a branch (metrics.md §13.6: parse tolerantly).
 */
function withoutBranchless(tries: readonly TryFacts[]): TryFacts[] {
  const branchless = tries.filter((attempt) => attempt.branch === '')
  if (branchless.length === 0 || branchless.length === tries.length) return [...tries]
  const joined = tries.filter((attempt) => attempt.branch !== '')
  for (const attempt of branchless) {
    const homes = joined.filter((home) => home.cseq === attempt.cseq)
    const home = homes.sort((a, b) => startOf(a) - startOf(b) || (a.branch < b.branch ? -1 : 1)).at(-1)
    if (home === undefined) {
      joined.push(attempt)
      continue
    }
    const whole = structuredClone(home)
    mergeTry(whole, structuredClone(attempt))
    joined[joined.indexOf(home)] = whole
  }
  return joined
}

function startOf(attempt: TryFacts): number {
  let start: number | undefined
  for (const view of attempt.views) {
    start = earlier(start, earlier(view.invites[0], earlier(view.firstResponse, view.firstCancel)))
  }
  return start ?? 0
}

function answerOf(attempt: TryFacts): FinalFacts | undefined {
  let answer: FinalFacts | undefined
  for (const final of attempt.finals)
    if (final.code < 300 && (answer === undefined || final.code < answer.code)) answer = final
  return answer
}

function firstFinal(attempt: TryFacts): FinalFacts | undefined {
  let first: FinalFacts | undefined
  for (const final of attempt.finals) {
    if (first === undefined || (final.atUs - first.atUs || final.code - first.code) < 0) first = final
  }
  return first
}

/** Times of some tries on one agent's clock; absent where the agent saw none. */
export interface AgentTimes {
  agent: string
  invited?: number
  first100?: number
  first18x?: number
  first180?: number
  firstSdp18x?: number
  firstResponse?: number
  /** Of the deciding try. */
  cancelled?: number
  final?: number
  acked?: number
  bye?: number
  byeFinal?: number
  /** Another INVITE copy more than 50 ms after the one before: a retransmission, not a copy (metrics.md §11.15). */
  retransmissions: number
}

/** Two sightings of one payload at one agent within this time are copies of one packet. */
const COPY_WINDOW_US = 50_000

/**
 * Every agent's times, in text order of the agents. After a 3xx the clock starts anew: `invited` is the first INVITE after
 * the last redirected try (metrics.md §3).
 */
export function agentTimes(facts: AttemptFacts, tries: Tries): AgentTimes[] {
  const redirected = tries.all.findLastIndex(
    (attempt) =>
      attempt !== tries.last && attempt.finals.some((final) => final.code >= 300 && final.code < 400),
  )
  const timed = tries.all.slice(redirected + 1)
  const agents: string[] = []
  for (const attempt of tries.all)
    for (const { agent } of attempt.views) if (!agents.includes(agent)) agents.push(agent)
  if (agents.length > 1) agents.sort()
  return agents.map((agent) => timesOf(agent, facts, tries, timed))
}

function timesOf(agent: string, facts: AttemptFacts, tries: Tries, timed: TryFacts[]): AgentTimes {
  // All of its names at once: an object that grows name by name is made anew several times.
  const times: AgentTimes = {
    agent,
    invited: undefined,
    first100: undefined,
    first18x: undefined,
    first180: undefined,
    firstSdp18x: undefined,
    firstResponse: undefined,
    cancelled: viewOf(tries.last, agent)?.firstCancel,
    final: timeOf(tries.final?.times, agent),
    acked: timeOf(facts.acks, agent),
    bye: undefined,
    byeFinal: undefined,
    retransmissions: 0,
  }
  for (const attempt of tries.all) {
    const view = viewOf(attempt, agent)
    if (view !== undefined) times.retransmissions += retransmissionsOf(view.invites)
  }
  for (const attempt of timed) {
    const view = viewOf(attempt, agent)
    if (view === undefined) continue
    times.invited = earlier(times.invited, view.invites[0])
    times.first100 = earlier(times.first100, view.first100)
    times.first18x = earlier(times.first18x, view.first18x)
    times.first180 = earlier(times.first180, view.first180)
    times.firstSdp18x = earlier(times.firstSdp18x, view.firstSdp18x)
    times.firstResponse = earlier(times.firstResponse, view.firstResponse)
  }
  for (const bye of facts.byes) {
    times.bye = earlier(times.bye, timeOf(bye.times, agent))
    times.byeFinal = earlier(times.byeFinal, timeOf(bye.finalTimes, agent))
  }
  return times
}

export function viewOf(attempt: TryFacts, agent: string): TryView | undefined {
  for (const view of attempt.views) if (view.agent === agent) return view
  return undefined
}

function timeOf(times: readonly AgentTime[] | undefined, agent: string): number | undefined {
  if (times !== undefined) for (const time of times) if (time.agent === agent) return time.atUs
  return undefined
}

function retransmissionsOf(stamps: readonly number[]): number {
  let count = 0
  let kept: number | undefined
  for (const stamp of stamps) {
    if (kept !== undefined && stamp - kept <= COPY_WINDOW_US) continue
    if (kept !== undefined) count++
    kept = stamp
  }
  return count
}

/**
 * A delta on the clock of one agent: the first agent in text order that saw both ends.
 *
 * @returns milliseconds, or the reason why there is none: `no_ends`, or `clock_stepped` when it would be negative.
 */
export function deltaMs(
  times: readonly AgentTimes[],
  start: (times: AgentTimes) => number | undefined,
  end: (times: AgentTimes) => number | undefined,
): { delayMs: number } | { reason: 'no_ends' | 'clock_stepped' } {
  for (const agent of times) {
    const from = start(agent)
    const to = end(agent)
    if (from === undefined || to === undefined) continue
    return to < from ? { reason: 'clock_stepped' } : { delayMs: (to - from) / 1_000 }
  }
  return { reason: 'no_ends' }
}

/** The latest of a time over all agents that saw the try. */
export function latest(attempt: TryFacts, of: (view: TryView) => number | undefined): number | undefined {
  return attempt.views.reduce<number | undefined>((found, view) => later(found, of(view)), undefined)
}

export function earliest(attempt: TryFacts, of: (view: TryView) => number | undefined): number | undefined {
  return attempt.views.reduce<number | undefined>((found, view) => earlier(found, of(view)), undefined)
}
