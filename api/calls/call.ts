/**
 * The call of an attempt: its legs with their parts, in order, how each ended, and who completed what another one failed.
 *
 * The A-leg is the one that came in (inbound: the far side called us), B-legs are those that we sent on. The customer is judged
 * by the A-leg, a carrier by every try of a B-leg: so a call has as many judgements as it has legs, and none for itself.
 *
 * Takes    an attempt that was found for this principal.
 * Returns  the legs that may be seen: another carrier's leg is not there for who may not see that carrier.
 * Source   metrics.md §0 (correlate at call level, never sum legs); docs/evidence.md for how legs are known.
 */
import { z } from 'zod'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { CALL_LINK_RULES } from '../../schemas/verdicts.js'
import { type AttemptJson, attemptSelection } from '../attempts/attempt-json.js'
import { attemptsOfCall, type FoundAttempt, foundOf, maskedFound } from '../attempts/search.js'
import type { SeenDeps } from '../deps.js'
import { readVerdict, verdict } from './verdict.js'

const callLeg = z.object({
  attempt_id: z.string(),
  role: z.enum(['a_leg', 'b_leg', 'transit', 'unknown']),
  party: z.string(),
  carrier: z.string(),
  customer: z.string(),
  site: z.string(),
  call_id: z.string(),
  invited_at: z.string().nullable(),
  state: z.string(),
  final_code: z.number(),
  disposition: z.string(),
  cancel_class: z.string(),
  sli: z.string(),
  linked_by: z
    .enum(CALL_LINK_RULES)
    .nullable()
    .describe('How it is known to be of this call; null: this attempt itself, alone.'),
  confidence: z
    .number()
    .describe('1: a name of the call says so; 0.5: the newest of several that fit, or told by two clocks.'),
})

const rescue = z.object({
  failed_attempt_id: z.string(),
  failed_carrier: z.string(),
  attempt_id: z.string(),
  carrier: z.string(),
  invited_later_ms: z.number().describe('From the end of the failed leg to the INVITE of the other.'),
  answered_later_ms: z.number(),
  sentence: z.string(),
})

export const call = z
  .object({
    call_key: z.string().nullable().describe('null: no other leg of it is known.'),
    legs: z.array(callLeg).describe('In the order of their INVITEs.'),
    rescues: z.array(rescue).describe('B-legs that failed, and the later one that was answered.'),
    verdict: verdict.nullable().describe('What other legs say of this attempt; null: nothing.'),
    is_cut: z.boolean(),
  })
  .meta({ title: 'Call' })

export type CallJson = z.output<typeof call>

/** A call has no more (evidence/call-legs.ts). */
const LEGS_MAX = 64
const REACH_S = 900

interface Link {
  id: string
  minute_s: number
  key: string
  rule: CallJson['legs'][number]['linked_by']
  confidence: number
}

const KEY = `SELECT call_key FROM call_legs FINAL WHERE attempt_id = toFixedString(unhex({id:String}), 16)`
const LINKS = `SELECT lower(hex(attempt_id)) AS id, toUInt32(minute) AS minute_s, lower(hex(call_key)) AS key, rule, confidence
  FROM call_legs FINAL
  WHERE minute >= toDateTime({from:UInt32}, 'UTC') AND minute < toDateTime({to:UInt32}, 'UTC') AND call_key IN (${KEY})
  ORDER BY minute, attempt_id LIMIT {limit:UInt32}`
const IN_MINUTES = "minute IN (SELECT toDateTime(arrayJoin({minutes:Array(UInt32)}), 'UTC'))"
const LEGS = `SELECT ${attemptSelection(false)} FROM ${judgedAttempts({
  minutes: IN_MINUTES,
  prewhere: `${IN_MINUTES} AND attempt_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))`,
})} WHERE state != 'fragment' ORDER BY invited_at_us, attempt_id`

export interface LegsOfCall {
  /** How legs are known; none: of this attempt no pass knows another leg. */
  links: readonly Link[]
  /** Those that may be seen. */
  found: readonly FoundAttempt[]
}

/**
 * Legs that evidence links, whatever their Call-IDs; else those that share this one.
 *
 * @param sharing asked only where none is linked
 */
export async function readLegsOfCall(
  deps: SeenDeps,
  attempt: AttemptJson,
  sharing: () => Promise<{ found: FoundAttempt[] }>,
): Promise<LegsOfCall> {
  const links = await readLinks(deps, attempt)
  const found = links.length > 0 ? await readLegs(deps, links) : (await sharing()).found
  return { links, found }
}

export async function readCall(
  deps: SeenDeps,
  attempt: AttemptJson,
  callId: string,
  known?: LegsOfCall,
): Promise<CallJson> {
  const [{ links, found }, verdictOf] = await Promise.all([
    known ?? readLegsOfCall(deps, attempt, () => attemptsOfCall(deps.readers, callId)),
    readVerdict(deps, attempt.attempt_id),
  ])
  const legs = found.map((one) => one.attempt)
  const byId = new Map(links.map((link) => [link.id, link]))
  const all = legs.some(({ attempt_id }) => attempt_id === attempt.attempt_id) ? legs : [attempt, ...legs]
  const sharesCallId = links.length === 0 && all.length > 1
  return {
    call_key: links[0]?.key ?? null,
    legs: all.slice(0, LEGS_MAX).map((leg) => {
      const link = byId.get(leg.attempt_id)
      return {
        ...legOf(leg),
        linked_by: link?.rule ?? (sharesCallId ? 'call_id' : null),
        confidence: link === undefined ? (sharesCallId ? 0.95 : 1) : Number(link.confidence.toFixed(2)),
      }
    }),
    rescues: rescuesOf(deps, all),
    verdict: verdictOf,
    is_cut: links.length > LEGS_MAX || all.length > LEGS_MAX,
  }
}

async function readLinks({ readers }: SeenDeps, { attempt_id, minute }: AttemptJson): Promise<Link[]> {
  const minuteS = Date.parse(minute) / 1_000
  return readers.select<Link>(LINKS, {
    id: attempt_id,
    from: Math.max(0, minuteS - REACH_S),
    to: minuteS + REACH_S,
    limit: LEGS_MAX + 1,
  })
}

function readLegs({ readers }: SeenDeps, links: readonly Link[]): Promise<FoundAttempt[]> {
  return readers.selectMasked(
    LEGS,
    {
      minutes: [...new Set(links.map(({ minute_s }) => minute_s))],
      ids: links.map(({ id }) => id),
    },
    foundOf,
    maskedFound,
  )
}

const ROLES: Readonly<Record<string, CallJson['legs'][number]['role']>> = {
  inbound: 'a_leg',
  outbound: 'b_leg',
}

function legOf(leg: AttemptJson): Omit<CallJson['legs'][number], 'linked_by' | 'confidence'> {
  const { attempt_id, party, carrier, customer, site, call_id, invited_at, state } = leg
  const { final_code, disposition, cancel_class, sli, direction } = leg
  return {
    attempt_id,
    role: party === 'internal' ? 'transit' : (ROLES[direction] ?? 'unknown'),
    party,
    carrier,
    customer,
    site,
    call_id,
    invited_at: invited_at as string | null,
    state,
    final_code,
    disposition,
    cancel_class,
    sli,
  }
}

/** Legs that the carrier failed; what was refused for the callee's sake needs no rescue. */
const isFailed = (leg: AttemptJson) =>
  leg.state === 'closed' && leg.direction === 'outbound' && leg.party === 'carrier' && leg.sli === 'bad'

function rescuesOf({ config }: SeenDeps, legs: readonly AttemptJson[]): CallJson['rescues'] {
  const name = (id: string) => config.carriers.find((carrier) => carrier.id === id)?.name ?? id
  return legs.filter(isFailed).flatMap((failed) => {
    const endUs = failed.cancelled_at_us || failed.final_at_us || failed.invited_at_us
    const by = legs.find(
      (leg) =>
        leg.direction === 'outbound' &&
        leg.party === 'carrier' &&
        leg.carrier !== failed.carrier &&
        leg.answered_at_us > 0 &&
        leg.invited_at_us >= failed.invited_at_us &&
        // Times of two agents are not subtracted.
        leg.clock_agent === failed.clock_agent,
    )
    if (by === undefined) return []
    const invitedMs = (by.invited_at_us - endUs) / 1_000
    const answeredMs = (by.answered_at_us - endUs) / 1_000
    const how = failed.final_code > 0 ? String(failed.final_code) : failed.disposition
    return [
      {
        failed_attempt_id: failed.attempt_id,
        failed_carrier: failed.carrier,
        attempt_id: by.attempt_id,
        carrier: by.carrier,
        invited_later_ms: invitedMs,
        answered_later_ms: answeredMs,
        sentence: `${name(failed.carrier)} failed (${how}), rescued by ${name(by.carrier)} in ${(answeredMs / 1_000).toFixed(1)} s`,
      },
    ]
  })
}
