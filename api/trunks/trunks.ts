/**
 * The trunks as they are at as_of: state with its reason, what was counted, and their peaks of the last day.
 * Definitions: docs/trunks.md.
 */
import { z } from 'zod'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { LOOPBACK } from '../../schemas/tokens.js'
import {
  OTHER_ADDRESSES,
  TRUNK_COUNT_COLUMNS,
  type Trunk,
  trunkAddress,
  trunkId,
} from '../../schemas/trunks.js'
import { addressBytes, ipv4Text, ipv6Text } from '../../sip/ip-address.js'
import { readPrefix } from '../../sip/ip-prefix.js'
import { heldBy } from '../alerts/rules/held.js'
import type { RouteDeps, SeenDeps } from '../deps.js'
import { readAgents } from '../tap/agents.js'
import { isoOf, isoOrNull } from '../time-span.js'
import { type Failover, failoverOf } from './failover.js'
import { capacityPeak, readPeaks, type ScopePeaks } from './peaks.js'
import { readTrunkMinutes, type SeenTrunk, type TrunkFilter } from './read-minutes.js'
import { flapsSince, type Reachability, reachabilityOf, TRUNK_STATES, type TrunkState } from './state.js'

const DAY_S = 86_400
/** Walked before the day, so that the state at its beginning is known. */
const LEAD_IN_S = 3_600
/** Newest downs of which a failover is looked for. */
const FAILOVERS_MAX = 10

const state = z.enum(TRUNK_STATES)
const change = z.object({ at: z.string(), from: state, to: state, why: z.string() })

export const trunkShape = z
  .object({
    id: z.string(),
    carrier: z.string(),
    site: z.string().describe('Empty when unknown.'),
    address: z
      .string()
      .describe(
        'Far address, with its port where a peer names one; `other addresses`: those beyond 64 of a carrier at a site.',
      ),
    state: state.describe('At as_of. unknown while the tap of the site is blind.'),
    seen_state: state.describe('From what was seen of it alone.'),
    why: z.string(),
    since: z.string().nullable().describe('Start of the minute; null: longer than a day.'),
    flaps_1h: z.number().describe('Changes of state without those from and to unknown.'),
    flaps_24h: z.number(),
    last_sign_of_life: z.string().nullable(),
    last_options: z
      .object({ at: z.string(), status: z.number().nullable().describe('Null: no answer.') })
      .nullable(),
    last_hour: z.object({
      options_answered: z.number(),
      options_refused: z.number().describe('Answered with a 5xx, 503 among them.'),
      options_unanswered: z.number(),
      options_in: z.number().describe('Sent by the far side.'),
      calls_out: z.number(),
      calls_in: z.number(),
      calls_503: z.number(),
      calls_unanswered: z.number().describe('No response at all within 32 s.'),
    }),
    peak_24h: capacityPeak.nullable(),
  })
  .meta({ title: 'Trunk' })

export const failoverShape = z
  .object({
    trunk: z.string(),
    at: z.string(),
    calls_before: z.number().describe('Of 10 minutes that end 5 minutes before it was judged down.'),
    calls_after: z.number().describe('Of the 10 minutes after.'),
    to: z.array(z.object({ trunk: z.string(), calls_before: z.number(), calls_after: z.number() })),
    verdict: z.enum(['moved', 'partly', 'not_seen']),
    text: z.string(),
  })
  .meta({ title: 'Failover' })

export const trunksAnswer = z
  .object({
    as_of: z.string().nullable(),
    trunks: z.array(trunkShape),
    more: z.number().describe('Trunks beyond those shown, the ones with the fewest calls.'),
    failovers: z.array(failoverShape).describe('Of the last day, the newest first.'),
    thresholds: z.record(z.string(), z.number()),
  })
  .meta({ title: 'Trunks' })

export const trunkAnswer = z
  .object({
    as_of: z.string().nullable(),
    trunk: trunkShape,
    changes: z.array(change).describe('Of the last day, the oldest first.'),
    failovers: z.array(failoverShape),
    route_advances: z.number().describe('Attempts of the last day that the SBC gave up for another route.'),
  })
  .meta({ title: 'Trunk, with its timeline' })

export type TrunkJson = z.output<typeof trunkShape>
export type TrunksAnswer = z.output<typeof trunksAnswer>
export type FailoverJson = z.output<typeof failoverShape>

/** A trunk and its walk. */
export interface JudgedTrunk {
  json: TrunkJson
  changes: Reachability['changes']
}

export interface JudgedTrunks {
  asOfUs: number
  /** The day that is judged. */
  fromS: number
  untilS: number
  trunks: JudgedTrunk[]
  more: number
  failovers: FailoverJson[]
}

/** @param sites  why the tap of a site sees nothing now (`blindSites`); '' : it sees */
export async function judgeTrunks(
  deps: SeenDeps,
  blind: (site: string) => string,
  filter: TrunkFilter,
): Promise<JudgedTrunks> {
  const { asOfUs } = deps.live()
  const untilS = Math.floor(Math.min(asOfUs, deps.nowUs()) / 60e6) * 60
  const fromS = Math.max(0, untilS - DAY_S)
  const walked = { fromS: Math.max(0, fromS - LEAD_IN_S), untilS }
  const [{ trunks: seen, more }, peaks] = await Promise.all([
    readTrunks(deps, walked, filter),
    readPeaks(deps.readers, deps.config, { fromS, toS: untilS }, { ...filter, scope: ['trunk'] }),
  ])
  const peakOf = new Map(peaks.groups.map((group) => [trunkId(group.by), group]))
  const trunks = seen.map((one) => {
    const reached = reachabilityOf(one.minutes, walked, deps.config.thresholds)
    return judged(one, reached, { fromS, untilS, blind, peaks: peakOf.get(trunkId(one.trunk)) })
  })
  return { asOfUs, fromS, untilS, trunks, more, failovers: await readFailovers(deps, trunks) }
}

/** Those of which anything was seen in the range, then those that are configured and were never seen. */
export async function readTrunks(
  { readers, config }: Pick<SeenDeps, 'readers' | 'config'>,
  walked: { fromS: number; untilS: number },
  filter: TrunkFilter,
): Promise<{ trunks: SeenTrunk[]; more: number }> {
  const { trunks: seen, more } = await readTrunkMinutes(readers, walked, filter)
  const never = configuredTrunks(config)
    .filter((trunk) => fits(trunk, filter) && !seen.some((one) => isSame(one.trunk, trunk)))
    .map(neverSeen)
  return { trunks: [...seen, ...never], more }
}

function judged(
  { trunk, lastHour, lastLifeUs, lastOptionsUs, lastOptionsStatus }: SeenTrunk,
  reached: Reachability,
  around: { fromS: number; untilS: number; blind: (site: string) => string; peaks: ScopePeaks | undefined },
): JudgedTrunk {
  const changes = reached.changes.filter(({ atS }) => atS >= around.fromS)
  const isOther = trunk.farAddress === OTHER_ADDRESSES
  const blind = around.blind(trunk.site)
  const seenState: TrunkState = isOther ? 'unknown' : reached.state
  return {
    changes: isOther ? [] : changes,
    json: {
      id: trunkId(trunk),
      carrier: trunk.carrier,
      site: trunk.site,
      address: trunkAddress(trunk),
      state: blind === '' ? seenState : 'unknown',
      seen_state: seenState,
      why: isOther
        ? 'many addresses together have no state'
        : blind === ''
          ? reached.why
          : `${blind}; before: ${reached.why}`,
      since: isOther || changes.length === 0 ? null : isoOf(changes.at(-1)!.atS * 1e6),
      flaps_1h: isOther ? 0 : flapsSince(changes, around.untilS - 3_600),
      flaps_24h: isOther ? 0 : flapsSince(changes, around.fromS),
      last_sign_of_life: isoOrNull(lastLifeUs),
      last_options:
        lastOptionsUs === 0
          ? null
          : { at: isoOf(lastOptionsUs), status: lastOptionsStatus === 0 ? null : lastOptionsStatus },
      last_hour: {
        options_answered: lastHour.optionsAnswered,
        options_refused: lastHour.options503 + lastHour.options5xx,
        options_unanswered: lastHour.optionsUnanswered,
        options_in: lastHour.optionsIn,
        calls_out: lastHour.callsOut,
        calls_in: lastHour.callsIn,
        calls_503: lastHour.calls503,
        calls_unanswered: lastHour.callsUnanswered,
      },
      peak_24h: around.peaks?.peak ?? null,
    },
  }
}

/** Peers of one address at a known site: a trunk that nobody has ever seen is listed too. */
function configuredTrunks({ carriers, sites }: TrunkscopeConfig): Trunk[] {
  const only = sites.length === 1 ? sites[0]!.id : undefined
  const all = carriers.flatMap(({ id, peers }) =>
    peers.flatMap((peer) => {
      const { cidr, port = 0, site = only } = typeof peer === 'string' ? { cidr: peer } : peer
      const prefix = readPrefix(cidr)
      const isOne = prefix !== undefined && prefix.bits === (cidr.includes(':') ? 128 : 32)
      if (site === undefined || !isOne) return []
      return [{ carrier: id, site, farAddress: textOf(cidr.split('/')[0]!), farPort: port }]
    }),
  )
  // A peer may be listed once for each direction.
  return [...new Map(all.map((trunk) => [trunkId(trunk), trunk])).values()]
}

/** As addresses that were seen are written. */
function textOf(address: string): string {
  const bytes = addressBytes(address)!
  return bytes.length === 4 ? ipv4Text(bytes, 0) : ipv6Text(bytes, 0)
}

const isSame = (a: Trunk, b: Trunk) => trunkId(a) === trunkId(b)
const fits = (trunk: Trunk, { carrier, site, trunk: only }: TrunkFilter) =>
  (carrier.length === 0 || carrier.includes(trunk.carrier)) &&
  (site.length === 0 || site.includes(trunk.site)) &&
  (only === undefined || isSame(only, trunk))

function neverSeen(trunk: Trunk): SeenTrunk {
  return {
    trunk,
    minutes: [],
    lastHour: Object.fromEntries(
      Object.keys(TRUNK_COUNT_COLUMNS).map((name) => [name, 0]),
    ) as SeenTrunk['lastHour'],
    lastLifeUs: 0,
    lastOptionsUs: 0,
    lastOptionsStatus: 0,
  }
}

/**
 * Why the tap of a site sees nothing now. The tap is of all carriers together: who may see some only is told that it is blind
 * and no more.
 */
export async function blindSites(deps: RouteDeps, seen: SeenDeps): Promise<(site: string) => string> {
  const { asOfUs } = deps.live()
  const untilUs = Math.max(60e6, asOfUs)
  const agents = await readAgents(deps, { fromUs: untilUs - 60e6, toUs: untilUs })
  const held = heldBy(agents, new Map(), '')
  const behindUs = deps.nowUs() - asOfUs
  const behind = behindUs > BEHIND_US ? `the collector is ${Math.round(behindUs / 60e6)} min behind` : ''
  const isHeld = seen.principal !== LOOPBACK && seen.principal.carriers !== 'all'
  return (site) => {
    if (behind !== '') return behind
    const why = held.site(site)
    return why === '' || !isHeld ? why : `the tap of ${site} sees nothing now`
  }
}
const BEHIND_US = 120e6

async function readFailovers(deps: SeenDeps, trunks: readonly JudgedTrunk[]): Promise<FailoverJson[]> {
  const downs = trunks
    .flatMap(({ json, changes }) =>
      changes
        .filter(({ to }) => to === 'down')
        .map(({ atS }) => ({ trunk: json.id, carrier: json.carrier, atS })),
    )
    .sort((a, b) => b.atS - a.atS || (a.trunk < b.trunk ? -1 : 1))
    .slice(0, FAILOVERS_MAX)
  const found = await Promise.all(
    downs.map(async (down) => failoverOf(await readCallsOf(deps, down.carrier, down.atS), down)),
  )
  return found.flatMap((one) => (one === undefined ? [] : [failoverJson(one)]))
}

async function readCallsOf({ readers }: SeenDeps, carrier: string, atS: number) {
  const rows = await readers.select<{
    minute_s: number
    site: string
    far_address: string
    far_port: number
    calls_out: number
  }>(
    `SELECT toUInt32(minute) AS minute_s, site, far_address, far_port, calls_out FROM trunk_minutes FINAL
     WHERE minute >= toDateTime({at:UInt32} - 900, 'UTC') AND minute < toDateTime({at:UInt32} + 600, 'UTC')
       AND carrier = {carrier:String} AND calls_out > 0`,
    { at: atS, carrier },
  )
  return rows.map((row) => ({
    trunk: trunkId({ carrier, site: row.site, farAddress: row.far_address, farPort: row.far_port }),
    minuteS: row.minute_s,
    callsOut: row.calls_out,
  }))
}

function failoverJson({ trunk, atS, callsBefore, callsAfter, to, verdict }: Failover): FailoverJson {
  const gained = to.map((one) => `${one.trunk} ${one.callsBefore} before, ${one.callsAfter} after`).join('; ')
  const text = {
    moved: `its calls moved: ${gained}`,
    partly: `calls were still tried over it, others moved: ${gained}`,
    not_seen: 'its calls did not turn up on another trunk of the carrier',
  }[verdict]
  return {
    trunk,
    at: isoOf(atS * 1e6),
    calls_before: callsBefore,
    calls_after: callsAfter,
    to: to.map((one) => ({ trunk: one.trunk, calls_before: one.callsBefore, calls_after: one.callsAfter })),
    verdict,
    text: `${callsBefore} calls in 10 min before, ${callsAfter} after; ${text}`,
  }
}

/** Attempts on the trunk that were given up for another route, as they are judged. */
export async function readRouteAdvances(
  { readers }: SeenDeps,
  trunk: Trunk,
  { fromS, untilS }: { fromS: number; untilS: number },
): Promise<number> {
  const minutes = `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({until_s:UInt32}, 'UTC')`
  const ofTrunk = `party = 'carrier' AND carrier = {carrier:String} AND site = {site:String} AND far_address = {address:String}${trunk.farPort === 0 ? '' : ' AND far_port = {port:UInt16}'}`
  const [row] = await readers.select<{ attempts: number }>(
    `SELECT toUInt32(count()) AS attempts FROM ${judgedAttempts({ minutes, where: ofTrunk })} WHERE cancel_class = 'ROUTE_ADVANCE'`,
    {
      from_s: fromS,
      until_s: untilS,
      carrier: trunk.carrier,
      site: trunk.site,
      address: trunk.farAddress,
      port: trunk.farPort,
    },
  )
  return row?.attempts ?? 0
}
