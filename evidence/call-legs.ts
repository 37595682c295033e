/**
 * Which attempts are legs of one call.
 *
 *   session_id    an INVITE of each holds the same UUID in Session-ID, whichever half (RFC 7989 §5: the halves change places
 *                 with the direction, the nil UUID says nothing)                                        confidence 1
 *   header        the configured header (X-CID …) has the same value                                    confidence 1
 *   call_id       they share the Call-ID: a proxy between them, or another leg of the same dialog        confidence 0.95
 *   numbers_time  on one agent's clock the same caller and callee: an outbound leg belongs to the inbound one that was being
 *                 set up when it was invited; where no inbound leg was captured, to the outbound one that ended unanswered at
 *                 most `route_advance_ms` before.                 0.9 where one leg fits, 0.5 where the newest of several does
 *                 On the clocks of two agents: a lone inbound leg belongs to the one call without any whose leg was invited
 *                 while it was set up, give or take `CLOCKS_APART_MS`.                                               0.5
 *
 * The first three join: what shares any of them with a leg of a call is of that call, whatever the clocks of their agents say, as
 * long as legs follow each other within `CALL_REACH_S` on these clocks. Numbers and time only attach a leg
 * that nothing else joins, so that two calls never become one by chance. A value that more than `LEGS_MAX` attempts share
 * is no name of a call: it is ignored.
 *
 * Takes    attempts that were invited within `CALL_REACH_S` of each other, and the names that their INVITEs hold.
 * Returns  the legs of every call that has at least two, each with the key of the call.
 * Source   metrics.md §0 (correlate at call level); RFC 7989 §5, §6; confidences are ours.
 */
import { createHash } from 'node:crypto'
import type { CallLeg, CallLinkRule } from '../schemas/verdicts.js'
import { byKey, firstFrom, giveUpOrAnswerUs, type Leg, numbersKey, partiesKey } from './leg.js'

/**
 * Legs of a call are invited within this of each other: two routes that ring for half a minute each, and the third; or one, and
 * a minute between the clocks of two agents.
 */
export const CALL_REACH_S = 120

/**
 * Agents that the health of the tap calls sound are less than a second off each (docs/tap-health.md). What is further off fits
 * by its numbers to any call of the minute: it is not attached.
 */
const CLOCKS_APART_MS = 2_000

export interface CallNames {
  /** 32 hex digits each, lower case, not nil. */
  sessionIds: readonly string[]
  /** Value of the configured header; '' for none. */
  header: string
}

const LEGS_MAX = 64
/** An outbound leg looks back at so many inbound ones of the same numbers. */
const LOOK_MAX = 64
const SEVERAL_MAX = 4

const CONFIDENCE: Readonly<Record<CallLinkRule, number>> = {
  session_id: 1,
  header: 1,
  call_id: 0.95,
  numbers_time: 0.9,
}
const UNSURE = 0.5

/** A name of a call, its kind first, so that names sort by what they are worth. */
type Token = `${0 | 1 | 2}${string}`
const RULE_OF: Readonly<Record<string, CallLinkRule>> = { 0: 'session_id', 1: 'header', 2: 'call_id' }

export function callLegs(
  legs: readonly Leg[],
  namesOf: (leg: Leg) => CallNames | undefined,
  routeAdvanceMs: number,
): CallLeg[] {
  const tokens = tokensOf(legs, namesOf)
  const groups = new Groups()
  const shared = new Map<string, number>()
  for (const leg of legs) {
    const own = tokens.get(leg.attemptId) ?? []
    for (const token of own) {
      groups.join(own[0]!, token)
      shared.set(token, (shared.get(token) ?? 0) + 1)
    }
  }
  const groupOf = (leg: Leg) => groups.nameOf(tokens.get(leg.attemptId)![0]!)
  const attached = attachedByNumbers(legs, groupOf, routeAdvanceMs)
  attachOverClocks(legs, groupOf, attached)
  const found: CallLeg[] = []
  const keys = new Map<string, string>()
  for (const leg of legs) {
    const group = groupOf(leg)
    const link = attached.links.get(group)
    const best = (tokens.get(leg.attemptId) ?? []).filter((token) => (shared.get(token) ?? 0) > 1).sort()[0]
    if (best === undefined && link === undefined && !attached.roots.has(group)) continue
    const rule = best === undefined ? 'numbers_time' : RULE_OF[best[0]!]!
    const root = attached.rootOf(group)
    const callKey = keys.get(root) ?? keyText(nameOfRun(root))
    keys.set(root, callKey)
    const { minuteS, attemptId, party, carrier } = leg
    const confidence = Math.min(CONFIDENCE[rule], link?.confidence ?? 1)
    found.push({ minuteS, attemptId, party, carrier, callKey, rule, confidence })
  }
  return found
}

/** The Call-ID always, and the names that few enough attempts share. */
function tokensOf(legs: readonly Leg[], namesOf: (leg: Leg) => CallNames | undefined): Map<string, Token[]> {
  const written = new Map<string, Token[]>()
  const uses = new Map<Token, number[]>()
  for (const leg of legs) {
    const names = namesOf(leg)
    const own: Token[] = [
      ...(names?.sessionIds ?? []).map((uuid): Token => `0${uuid}`),
      ...(names === undefined || names.header === '' ? [] : [`1${names.header}` as Token]),
      `2${leg.callId}`,
    ]
    const distinct = [...new Set(own)]
    written.set(leg.attemptId, distinct)
    for (const token of distinct) {
      const times = uses.get(token)
      if (times === undefined) uses.set(token, [momentUs(leg)])
      else times.push(momentUs(leg))
    }
  }
  for (const times of uses.values()) if (times.length > 1) times.sort((a, b) => a - b)
  for (const leg of legs) {
    const own = written.get(leg.attemptId)!
    const kept = own.filter((token) => uses.get(token)!.length <= LEGS_MAX)
    const named = kept.map((token) => inRun(token, uses.get(token)!, momentUs(leg)))
    // One that shares everything with a flood is a call of its own.
    written.set(leg.attemptId, kept.length > 0 ? named : [`2${own.at(-1)!.slice(1)}\n${leg.attemptId}`])
  }
  return written
}

/** Without an INVITE the minute in which it is counted. */
function momentUs({ invitedAtUs, minuteS }: Leg): number {
  return invitedAtUs > 0 ? invitedAtUs : minuteS * 1e6
}

/**
 * A name says nothing across a pause longer than the reach: a pass that looks at one end of it does not see the other. So what
 * comes after a pause has a name of its own.
 */
function inRun(token: Token, times: readonly number[], atUs: number): Token {
  let run = 0
  for (let at = 1; at < times.length && times[at]! <= atUs; at++) {
    if (times[at]! - times[at - 1]! > CALL_REACH_S * 1e6) run++
  }
  return run === 0 ? token : `${token}\r${run}`
}

/** The name again; no header value holds a line end. */
function nameOfRun(token: string): string {
  return token.replace(/\r\d+$/, '')
}

class Attached {
  /** Of groups of outbound legs: the group that they belong to. */
  readonly links = new Map<string, { root: string; confidence: number }>()
  /** Groups that others belong to. */
  readonly roots = new Set<string>()

  /** A root may have been attached to another one after it became one. */
  rootOf(group: string): string {
    let root = group
    for (let link = this.links.get(root); link !== undefined; link = this.links.get(root)) root = link.root
    return root
  }
}

/** Groups without an inbound leg find theirs by numbers and time; one that has several legs only where one fits. */
function attachedByNumbers(
  legs: readonly Leg[],
  groupOf: (leg: Leg) => string,
  routeAdvanceMs: number,
): Attached {
  const sizes = new Map<string, number>()
  const withInbound = new Set<string>()
  for (const leg of legs) {
    const group = groupOf(leg)
    sizes.set(group, (sizes.get(group) ?? 0) + 1)
    if (leg.direction === 'inbound') withInbound.add(group)
  }
  const timed = legs.filter(({ invitedAtUs }) => invitedAtUs > 0)
  const of = (wanted: string) => timed.filter(({ direction }) => direction === wanted)
  const inbound = byKey(of('inbound'), numbersKey)
  const attached = new Attached()
  // In the order of the keys: what is attached first must not depend on who came first.
  const byNumbers = [...byKey(of('outbound'), numbersKey)].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [key, list] of byNumbers) {
    const parents = inbound.get(key) ?? []
    for (const [at, leg] of list.entries()) {
      const group = groupOf(leg)
      if (withInbound.has(group) || attached.links.has(group)) continue
      const up = inboundAt(parents, leg.invitedAtUs)
      if (up.length > ((sizes.get(group) ?? 1) > 1 ? 1 : SEVERAL_MAX)) continue
      const found = up.at(-1) ?? routeBefore(list, at, routeAdvanceMs * 1_000)
      if (found === undefined || groupOf(found) === group) continue
      // A chain is as sure as the link that it hangs on.
      const before = attached.links.get(groupOf(found))
      const confidence = Math.min(up.length > 1 ? UNSURE : CONFIDENCE.numbers_time, before?.confidence ?? 1)
      const root = attached.rootOf(groupOf(found))
      if (root === group) continue
      attached.links.set(group, { root, confidence })
      attached.roots.add(root)
    }
  }
  return attached
}

/**
 * Lone inbound legs, each to the one call of its numbers that another agent saw and that has no inbound leg. The inbound leg is
 * what is unsure, so that what the others know of each other stays as sure as it was. Whatever else fits on either side, of this
 * call or not, and nothing is attached: on two clocks nobody can tell which was first.
 */
function attachOverClocks(legs: readonly Leg[], groupOf: (leg: Leg) => string, attached: Attached): void {
  const timed = legs.filter(({ invitedAtUs }) => invitedAtUs > 0)
  if (timed.every(({ clockAgent }) => clockAgent === timed[0]!.clockAgent)) return
  const sizes = new Map<string, number>()
  const withInbound = new Set<string>()
  for (const leg of legs) {
    const root = attached.rootOf(groupOf(leg))
    sizes.set(root, (sizes.get(root) ?? 0) + 1)
    if (leg.direction === 'inbound') withInbound.add(root)
  }
  const of = (wanted: string) =>
    byKey(
      timed.filter(({ direction }) => direction === wanted),
      partiesKey,
    )
  const outbound = of('outbound')
  const found: [group: string, root: string][] = []
  for (const [key, parents] of of('inbound')) {
    const children = outbound.get(key) ?? []
    for (const parent of children.length === 0 ? [] : parents) {
      const group = groupOf(parent)
      if (attached.rootOf(group) !== group || sizes.get(group) !== 1) continue
      const fitting = near(
        children,
        parent.invitedAtUs - APART_US,
        parent.invitedAtUs + LATER_MAX_US,
      )?.filter((child) => mayBelong(child, parent))
      const [root, other] = new Set(fitting?.map((child) => attached.rootOf(groupOf(child))))
      if (root === undefined || other !== undefined || withInbound.has(root)) continue
      if (fitting!.every((child) => isOnlyParent(parent, child, parents))) found.push([group, root])
    }
  }
  for (const [group, root] of found) {
    attached.links.set(group, { root, confidence: UNSURE })
    attached.roots.add(root)
  }
}

const APART_US = CLOCKS_APART_MS * 1_000
const LATER_MAX_US = CALL_REACH_S * 1e6 - 2 * APART_US

/** Those of a list that were invited between two moments; undefined: more than anybody can tell apart. */
function near(list: readonly Leg[], fromUs: number, toUs: number): Leg[] | undefined {
  const [from, to] = [firstFrom(list, fromUs), firstFrom(list, toUs + 1)]
  return to - from > LOOK_MAX ? undefined : list.slice(from, to)
}

function isOnlyParent(parent: Leg, child: Leg, parents: readonly Leg[]): boolean {
  const others = near(parents, child.invitedAtUs - LATER_MAX_US, child.invitedAtUs + APART_US)
  return others?.every((other) => other === parent || !mayBelong(child, other)) === true
}

/** On the clocks of two agents. */
function mayBelong(outbound: Leg, inbound: Leg): boolean {
  const laterUs = outbound.invitedAtUs - inbound.invitedAtUs
  const endUs = giveUpOrAnswerUs(inbound)
  return (
    outbound.clockAgent !== inbound.clockAgent &&
    laterUs >= -APART_US &&
    laterUs <= LATER_MAX_US &&
    (endUs === 0 || outbound.invitedAtUs <= endUs + APART_US)
  )
}

/** Inbound legs that were being set up at this moment, in order; too many to tell: as if there were one more than can be told. */
function inboundAt(parents: readonly Leg[], atUs: number): Leg[] {
  const up: Leg[] = []
  const last = firstFrom(parents, atUs + 1) - 1
  for (let at = last; at >= 0; at--) {
    const parent = parents[at]!
    if (atUs - parent.invitedAtUs > CALL_REACH_S * 1e6) break
    if (last - at > LOOK_MAX || up.length > SEVERAL_MAX) return parents.slice(last - SEVERAL_MAX, last + 1)
    const endUs = giveUpOrAnswerUs(parent)
    if (endUs === 0 || endUs >= atUs) up.unshift(parent)
  }
  return up
}

/** The outbound leg of the same numbers before it, if that ended unanswered and this followed at once. */
function routeBefore(list: readonly Leg[], at: number, withinUs: number): Leg | undefined {
  const before = list[at - 1]
  const leg = list[at]!
  if (before === undefined || before.answeredAtUs > 0) return undefined
  const endUs = giveUpOrAnswerUs(before)
  if (endUs === 0 || leg.invitedAtUs < endUs || leg.invitedAtUs - endUs > withinUs) return undefined
  return before
}

function keyText(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32)
}

/** Names that belong together; each group is called by the least of its names, whatever the order in which they met. */
class Groups {
  readonly #parent = new Map<string, string>()

  nameOf(token: string): string {
    let name = token
    for (let up = this.#parent.get(name); up !== undefined; up = this.#parent.get(name)) name = up
    // Shorter ways for those who ask again.
    for (let at = token; at !== name; ) {
      const next = this.#parent.get(at)!
      this.#parent.set(at, name)
      at = next
    }
    return name
  }

  join(one: string, other: string): void {
    const [a, b] = [this.nameOf(one), this.nameOf(other)]
    const [least, greater] = [a, b].sort() as [string, string]
    if (a !== b) this.#parent.set(greater, least)
  }
}
