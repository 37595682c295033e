/**
 * The agents: what each sent in a span, and how it is doing at as_of, whatever the span (`verdict.ts`).
 */
import { z } from 'zod'
import { LOOPBACK } from '../../schemas/tokens.js'
import type { RouteDeps } from '../deps.js'
import type { Connections, Readers } from '../readers.js'
import { isoUsOf, type Span } from '../time-span.js'
import { FORMULAS } from './formulas.js'
import {
  AGENTS_MAX,
  HEARD_OF_COLUMNS,
  type HeardOf,
  heardOfRow,
  type MinutesHistory,
  readHeardOf,
  readHistories,
} from './history.js'
import { KernelDrops } from './kernel-drops.js'
import { type OneSided, OneSidedCalls } from './one-sided.js'
import { type CollectorView, type Judgement, VERDICTS, verdictOf } from './verdict.js'

const COUNTS = [
  'frames',
  'sip_messages',
  'keepalives',
  'refused',
  'unreadable',
  'truncated',
  'timestamps_replaced',
  'duplicates',
  'identity_seen',
  'identity_cut',
  'sdp_seen',
  'sdp_cut',
] as const
type Counts = Record<(typeof COUNTS)[number], number>

const ratio = (id: keyof typeof FORMULAS) => z.number().nullable().describe(FORMULAS[id].formula)

export const agent = z
  .object({
    agent: z.string(),
    peer_address: z.string(),
    agent_id: z.number(),
    agent_name: z.string(),
    site: z.string().describe('By its capture id; empty when no site names it.'),
    verdict: z
      .enum(VERDICTS)
      .describe('At as_of, whatever the range; docs/tap-health.md says when each is given.'),
    why: z.string().describe('One sentence; empty when the verdict is ok.'),
    also: z
      .array(z.object({ verdict: z.enum(VERDICTS), why: z.string() }))
      .describe('What else is wrong with it.'),
    frames: z.number(),
    sip_messages: z.number(),
    keepalives: z.number(),
    refused: z.number().describe('Accepted frames that hold no SIP message to store.'),
    unreadable: z.number().describe('SIP messages that were stored raw with a parse error.'),
    truncated: z.number(),
    timestamps_replaced: z.number(),
    duplicates: z.number().describe('SIP messages that the agent sent again.'),
    duplicate_ratio: ratio('duplicate_ratio'),
    identity_seen: z.number().describe('SIP messages with an Identity header.'),
    identity_cut: z.number().describe('Those of them whose token breaks off.'),
    identity_cut_ratio: ratio('identity_cut_ratio'),
    sdp_seen: z.number().describe('SIP messages with SDP, or that announce it and are cut.'),
    sdp_cut: z.number().describe('Those of them that are cut.'),
    sdp_cut_ratio: ratio('sdp_cut_ratio'),
    frames_per_s: z.number().describe(FORMULAS.frames_per_s.formula),
    last_seen: z.string(),
    silent_s: z.number().describe('Since its last frame, at as_of.'),
    last_sip: z.string().nullable().describe('Null when none is known.'),
    silence_limit_s: z.number().nullable().describe(FORMULAS.silence_limit_s.formula),
    history_minutes: z.number().describe('Minutes with SIP in the hour up to its last SIP message.'),
    skew_s: ratio('skew_s'),
    skew_spread_s: z.number().nullable().describe(FORMULAS.skew_spread_s.formula),
    skew_messages: z.number().describe('How many messages the estimate rests on.'),
    lateness_s: ratio('lateness_s'),
    attempts_seen_alone: z.number().describe(FORMULAS.attempts_seen_alone.formula),
    one_sided_ratio: ratio('one_sided_ratio'),
  })
  .meta({ title: 'Agent' })

export type AgentJson = z.output<typeof agent>

/** What an app remembers of the tap between questions. */
interface Watch {
  drops: KernelDrops
  oneSided: OneSidedCalls
  /** The newest look at the agents, and the as_of it is of. */
  now: { asOfUs: number; agents: Promise<Now> } | undefined
}
const watches = new WeakMap<Connections, Watch>()

/** Pages and scrapes that come together share a look: it reads days of minutes. */
const LOOK_SHARED_US = 5e6

function watchOf(deps: RouteDeps): Watch {
  const watch = watches.get(deps.readers.connections) ?? {
    drops: new KernelDrops(),
    oneSided: new OneSidedCalls(),
    now: undefined,
  }
  watches.set(deps.readers.connections, watch)
  return watch
}

/** Looks at counters that only tell a sum; call it now and then. */
export function watchTap(deps: RouteDeps): void {
  watchOf(deps).drops.note(deps.nowUs(), deps.live())
}

export function kernelDropRatio(deps: RouteDeps): number | null {
  return watchOf(deps).drops.ratio(deps.nowUs(), deps.live()) ?? null
}

/**
 * The tap is of all carriers together, whoever asks: routes that show it are not for a token of some (`isOfAllCarriers`), and
 * readers that are held to carriers refuse.
 *
 * Agents heard of in the span or in the days before as_of: one that fell silent stays in view, with counts of 0.
 */
export async function readAgents(deps: RouteDeps, span: Span): Promise<AgentJson[]> {
  watchTap(deps)
  const watch = watchOf(deps)
  const readers = deps.readers.seenBy(LOOPBACK)
  const { asOfUs } = deps.live()
  const [sums, now] = await Promise.all([readSums(readers, span, asOfUs), nowOf(watch, readers, asOfUs)])
  const collector = collectorOf(deps, watch, now.asOfUs)
  const siteOf = siteOfAgent(deps)
  const countsOf = new Map(sums.map((sum) => [sum.agent, sum]))
  const all = [...now.heardOf, ...sums.filter(({ agent }) => !now.histories.has(agent))]
  return all
    .map((heard): AgentJson => {
      const history = now.histories.get(heard.agent) ?? { ...heard, minutes: [], weekAgo: 'unknown' as const }
      const seenAlone = now.oneSided.get(heard.agent) ?? { attempts: 0, oneSided: 0 }
      const judgement = verdictOf({ ...history, oneSided: seenAlone }, collector)
      const counts = countsOf.get(heard.agent)
      return {
        ...identityOf(heard, siteOf),
        verdict: judgement.verdict,
        why: judgement.why,
        also: judgement.also,
        ...countsJson(counts?.counts ?? NO_COUNTS),
        frames_per_s: counts?.framesPerS ?? 0,
        ...silenceJson(heard, judgement, now.asOfUs),
        ...clockJson(judgement),
        attempts_seen_alone: seenAlone.attempts,
        one_sided_ratio: ratioOf(seenAlone.oneSided, seenAlone.attempts),
      }
    })
    .sort((a, b) => (a.site < b.site ? -1 : a.site > b.site ? 1 : a.agent < b.agent ? -1 : 1))
}

/** What the verdicts rest on, all of one as_of. */
interface Now {
  asOfUs: number
  heardOf: HeardOf[]
  histories: Map<string, MinutesHistory>
  oneSided: Map<string, OneSided>
}

function nowOf(watch: Watch, readers: Readers, asOfUs: number): Promise<Now> {
  const last = watch.now
  if (last !== undefined && Math.abs(asOfUs - last.asOfUs) < LOOK_SHARED_US) return last.agents
  const agents = readNow(watch, readers, asOfUs)
  watch.now = { asOfUs, agents }
  agents.catch(() => {
    if (watch.now?.agents === agents) watch.now = undefined
  })
  return agents
}

async function readNow(watch: Watch, readers: Readers, asOfUs: number): Promise<Now> {
  const [heardOf, oneSided] = await Promise.all([
    readHeardOf(readers, asOfUs),
    watch.oneSided.read(readers, asOfUs),
  ])
  return { asOfUs, heardOf, histories: await readHistories(readers, heardOf, asOfUs), oneSided }
}

export function siteOfAgent({ config }: Pick<RouteDeps, 'config'>): (agentId: number) => string {
  const sites = new Map(config.sites.flatMap(({ id, agents }) => agents.map((agentId) => [agentId, id])))
  return (agentId) => sites.get(agentId) ?? ''
}

/** @param asOfUs  of what is judged; how far the collector has come since does not make it stale */
function collectorOf(deps: RouteDeps, watch: Watch, asOfUs: number): CollectorView {
  const live = deps.live()
  const nowUs = deps.nowUs()
  return {
    asOfUs,
    nowUs: nowUs - Math.max(0, live.asOfUs - asOfUs),
    listeningSinceUs: live.startedAtUs,
    problem: live.ready ? '' : live.problem === '' ? 'it starts' : live.problem,
    kernelDropRatio: watch.drops.ratio(nowUs, live),
  }
}

interface SumsOfAgent extends HeardOf {
  counts: Counts
  framesPerS: number
}

const NO_COUNTS = Object.fromEntries(COUNTS.map((name) => [name, 0])) as Counts

async function readSums(readers: Readers, span: Span, asOfUs: number): Promise<SumsOfAgent[]> {
  const rows = await readers.select<Record<string, string>>(
    `SELECT ${HEARD_OF_COLUMNS}, ${COUNTS.map((name) => `sum(${name}) AS sum_${name}`).join(', ')}
     FROM agents_minute FINAL
     WHERE minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')
     GROUP BY agent ORDER BY minutes DESC, agent LIMIT {limit:UInt32}`,
    {
      from_s: Math.floor(span.fromUs / 60e6) * 60,
      to_s: Math.ceil(span.toUs / 1e6),
      limit: AGENTS_MAX,
    },
  )
  // What lies ahead of as_of is not there yet: of a minute that runs, a part has passed.
  const passedS = Math.max(1, (Math.min(span.toUs, Math.max(asOfUs, span.fromUs)) - span.fromUs) / 1e6)
  return rows.map((row) => ({
    ...heardOfRow(row),
    counts: Object.fromEntries(COUNTS.map((name) => [name, Number(row[`sum_${name}`])])) as Counts,
    framesPerS: Math.round((Number(row.sum_frames) / passedS) * 1_000) / 1_000,
  }))
}

function identityOf(heard: HeardOf, siteOf: (agentId: number) => string) {
  return {
    agent: heard.agent,
    peer_address: heard.peerAddress,
    agent_id: heard.agentId,
    agent_name: heard.agentName,
    site: siteOf(heard.agentId),
  }
}

function countsJson(counts: Counts) {
  return {
    ...counts,
    duplicate_ratio: ratioOf(counts.duplicates, counts.sip_messages),
    identity_cut_ratio: ratioOf(counts.identity_cut, counts.identity_seen),
    sdp_cut_ratio: ratioOf(counts.sdp_cut, counts.sdp_seen),
  }
}

function silenceJson(heard: HeardOf, judgement: Judgement, asOfUs: number) {
  return {
    last_seen: isoUsOf(heard.lastSeenUs),
    silent_s: Math.max(0, Math.round((asOfUs - heard.lastSeenUs) / 1e6)),
    last_sip: heard.lastSipUs === 0 ? null : isoUsOf(heard.lastSipUs),
    silence_limit_s: secondsOf(judgement.silenceLimitUs),
    history_minutes: judgement.historyMinutes,
  }
}

function clockJson({ skew, latenessUs }: Judgement) {
  return {
    skew_s: secondsOf(skew?.skewUs),
    skew_spread_s: secondsOf(skew?.spreadUs),
    skew_messages: skew?.messages ?? 0,
    lateness_s: secondsOf(latenessUs),
  }
}

const secondsOf = (us: number | undefined) => (us === undefined ? null : us / 1e6)
const ratioOf = (part: number, whole: number) => (whole === 0 ? null : part / whole)
