/**
 * AttestationLost: fewer calls of a carrier claim A or B than past weeks let expect, or calls that arrive signed leave
 * without a token.
 *
 * Takes    what calls claimed in the last hour and in the same hour of past weeks; what became of signatures between the
 *          legs of the last quarter of an hour.
 * Returns  a ticket for each carrier and direction (`kind` past_weeks), and for each carrier to whom we hand over calls
 *          (`kind` between_legs).
 * Throws   nothing.
 * Source   [decision] The gate is that of all rules: at least so many calls speak for it, and the Wilson interval at 95 % lies
 *          beyond the limit. A token that was cut on its way is no loss (metrics.md §6, docs/attestation.md).
 */
import { type AlertsConfig, EVENTS_FLOOR } from '../../../schemas/alert-rules.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import { LEVELS, type Level } from '../../attestation/attestation.js'
import type { PairOfLegs } from '../../attestation/between-legs.js'
import { rounded, wilsonInterval } from '../../kpi/interval.js'
import type { LevelCell, SampleAsk, Window } from '../numbers.js'
import type { Condition, Timing } from '../state.js'
import { COMPARED_MIN, likelyCause } from './cause.js'
import { type Held, inMaintenance } from './held.js'
import { median } from './kpi.js'
import { sinksOf } from './sinks.js'
import { attestationLink, escalationOf, percentText, runbookUrl } from './words.js'

export const ATTESTATION_LOST = 'AttestationLost'
export const ATTESTATION_TIMING: Timing = { forUs: 300e6, keepFiringUs: 900e6 }

const HOUR_S = 3_600
const WEEK_S = 7 * 86_400
const WEEKS = 4
/** Of the look between the legs. */
const LEGS_S = 900
const SEVERITY = 'ticket'

interface Surroundings {
  config: Pick<TrunkscopeConfig, 'carriers' | 'sinks' | 'maintenance'> & { alerts: AlertsConfig }
  untilS: number
  held: Held
}

/** The last hour, then the same one of past weeks. */
export function levelWindows(untilS: number): Window[] {
  return Array.from({ length: WEEKS + 1 }, (_, week) => ({
    fromS: untilS - week * WEEK_S - HOUR_S,
    toS: untilS - week * WEEK_S,
  }))
}

export const legsWindow = (untilS: number): Window => ({ fromS: untilS - LEGS_S, toS: untilS })

export interface FallenShare {
  condition: Condition
  /** The calls that speak for it, where the search can find them. */
  ask: Omit<SampleAsk, 'key'> | undefined
}

/** @param cells of each of `levelWindows` */
export function fallenShares(cells: readonly (readonly LevelCell[])[], around: Surroundings): FallenShare[] {
  const windows = levelWindows(around.untilS)
  const [now = [], ...past] = cells.map((read, week) =>
    read.filter((cell) => !inMaintenance(around.config.maintenance, cell, windows[week]!)),
  )
  const abouts = new Map(
    now
      .filter(({ carrier }) => carrier !== 'unknown')
      .map(({ carrier, direction }) => [JSON.stringify([carrier, direction]), { carrier, direction }]),
  )
  return [...abouts.values()].flatMap((about) => {
    const found = fallenShare(about, now, past, around)
    return found === undefined ? [] : [found]
  })
}

interface About {
  carrier: string
  direction: string
}

function fallenShare(
  about: About,
  now: readonly LevelCell[],
  past: readonly (readonly LevelCell[])[],
  { config, untilS, held }: Surroundings,
): FallenShare | undefined {
  const isOf = (cell: LevelCell) => cell.carrier === about.carrier && cell.direction === about.direction
  const earlier = past.map((cells) => sumOf(cells.filter(isOf)))
  const usual = median(
    earlier.map((counts) => (allOf(counts) < COMPARED_MIN ? undefined : attestedOf(counts) / allOf(counts))),
    WEEKS,
  )
  const fallsBy = config.alerts.attestation_lost.falls_by_ratio
  if (usual === undefined || usual <= fallsBy) return undefined
  const limit = usual - fallsBy
  const own = now.filter(isOf)
  const counts = sumOf(own)
  const judged = below(counts, limit)
  if (!judged.holds) return undefined
  const window = levelWindows(untilS)[0]!
  const cause = likelyCause(
    { carrier: about.carrier },
    now
      .filter(({ direction }) => direction === about.direction)
      .map((cell) => ({
        carrier: cell.carrier,
        site: cell.site,
        isBad: below(cell.counts, limit).holds,
        n: allOf(cell.counts),
      })),
  )
  const risen = risenLevel(counts, earlier.reduce(added, none()))
  const labels = { alertname: ATTESTATION_LOST, severity: SEVERITY, kind: 'past_weeks', ...about }
  const unseen = own.map(({ site }) => held.site(site)).find((reason) => reason !== '') ?? ''
  const seen = sumOf(own.filter(({ site }) => held.site(site) === ''))
  return {
    condition: {
      rule: ATTESTATION_LOST,
      severity: SEVERITY,
      sinks: sinksOf(config, SEVERITY),
      labels,
      annotations: {
        summary:
          `${about.carrier}, ${about.direction}: ${percentText(judged.share)} of calls claim A or B over 60 min, below ` +
          `${percentText(limit)}, which past weeks set (usually ${percentText(usual)}); n = ${judged.n}, ` +
          `95 % interval ${percentText(judged.low)} to ${percentText(judged.high)}`,
        likely_cause: [cause, RISEN_WORDS[risen]].filter((text) => text !== '').join('; '),
        runbook_url: runbookUrl(config.alerts, ATTESTATION_LOST),
        escalation: escalationOf(config, about.carrier),
        link: attestationLink(config.alerts, about, window),
      },
      details: {
        value: rounded(judged.share),
        limit: rounded(limit),
        usual: rounded(usual),
        numerator: attestedOf(counts),
        denominator: judged.n,
        interval_low: rounded(judged.low),
        interval_high: rounded(judged.high),
        window_s: HOUR_S,
      },
      sites: [...new Set(own.map(({ site }) => site))].sort(),
      held: held.all !== '' ? held.all : unseen !== '' && !below(seen, limit).holds ? unseen : '',
    },
    ask: KPI_OF_RISEN[risen] === undefined ? undefined : askOf(KPI_OF_RISEN[risen], about, window),
  }
}

const RISEN_WORDS: Record<'none' | 'malformed' | 'C', string> = {
  none: 'calls come without a token: signing has stopped, or something takes the Identity header off',
  malformed:
    'tokens cannot be read: look at the tap first, a mirror that cuts long INVITEs looks like a broken signer',
  C: 'calls claim C now: other traffic, or another route to the same numbers',
}

const KPI_OF_RISEN: Partial<Record<'none' | 'malformed' | 'C', string>> = {
  none: 'attestation_none_rate',
  C: 'attestation_c_rate',
}

function askOf(kpi: string, { carrier, direction }: About, window: Window): Omit<SampleAsk, 'key'> {
  return {
    kpi,
    part: 'numerator',
    carrier,
    direction,
    site: undefined,
    carriers: undefined,
    sites: undefined,
    window,
  }
}

/** What stands where A and B stood. */
function risenLevel(now: Counts, before: Counts): 'none' | 'malformed' | 'C' {
  const gain = (level: Level) => now[level] / allOf(now) - before[level] / Math.max(1, allOf(before))
  return (['none', 'malformed', 'C'] as const).reduce((most, level) =>
    gain(level) > gain(most) ? level : most,
  )
}

type Counts = LevelCell['counts']

const none = (): Counts => Object.fromEntries(LEVELS.map((level) => [level, 0])) as Counts

function added(sum: Counts, counts: Counts): Counts {
  return Object.fromEntries(LEVELS.map((level) => [level, sum[level] + counts[level]])) as Counts
}

const sumOf = (cells: readonly LevelCell[]) => cells.map(({ counts }) => counts).reduce(added, none())
const allOf = (counts: Counts) => LEVELS.reduce((sum, level) => sum + counts[level], 0)
const attestedOf = (counts: Counts) => counts.A + counts.B

function below(counts: Counts, limit: number) {
  const n = allOf(counts)
  const [low, high] = wilsonInterval(attestedOf(counts), n) ?? [0, 1]
  const holds = n - attestedOf(counts) >= EVENTS_FLOOR[SEVERITY] && high < limit
  return { holds, n, low, high, share: n === 0 ? 0 : attestedOf(counts) / n }
}

/** Calls that arrive signed and leave without a token, by whom they are handed to. */
export function lostBetweenLegs(pairs: readonly PairOfLegs[], around: Surroundings): Condition[] {
  const { config } = around
  const window = legsWindow(around.untilS)
  const carriers = pairs.filter(({ to }) => to.party === 'carrier').map(({ to }) => to.name)
  return [...new Set(carriers)].sort().flatMap((carrier): Condition[] => {
    const own = pairs.filter(
      (pair) =>
        pair.to.name === carrier &&
        !pair.sites.some((site) => inMaintenance(config.maintenance, { carrier, site }, window)),
    )
    const lost = own.reduce((sum, { fates }) => sum + fates.lost, 0)
    const known = own.reduce((sum, pair) => sum + pair.arrived_signed - pair.fates.cut, 0)
    const limit = config.alerts.attestation_lost.lost_above_ratio
    const interval = wilsonInterval(lost, known)
    if (interval === null || lost < EVENTS_FLOOR[SEVERITY] || interval[0] <= limit) return []
    return [lostCondition({ carrier, own, lost, known, limit, interval }, around)]
  })
}

interface Lost {
  carrier: string
  own: readonly PairOfLegs[]
  lost: number
  known: number
  limit: number
  interval: readonly [number, number]
}

function lostCondition(
  { carrier, own, lost, known, limit, interval }: Lost,
  { config, untilS, held }: Surroundings,
): Condition {
  const sites = [...new Set(own.flatMap((pair) => pair.sites))].sort()
  const losing = own.filter(({ fates }) => fates.lost > 0)
  const everywhere = losing.length === own.length && own.length > 1
  const [first] = losing
  return {
    rule: ATTESTATION_LOST,
    severity: SEVERITY,
    sinks: sinksOf(config, SEVERITY),
    labels: { alertname: ATTESTATION_LOST, severity: SEVERITY, kind: 'between_legs', carrier },
    annotations: {
      summary:
        `to ${carrier}: ${lost} of ${known} calls that arrived signed left without a token in 15 min ` +
        `(${percentText(lost / known)}, 95 % interval ${percentText(interval[0])} to ${percentText(interval[1])}), above ${percentText(limit)}`,
      likely_cause: `our side, between the legs: ${
        everywhere || first === undefined
          ? `whoever the calls come from, so look at the way to ${carrier}`
          : `calls from ${losing.map(({ from }) => from.name || from.party).join(', ')}`
      }; INVITEs that were cut are not counted`,
      runbook_url: runbookUrl(config.alerts, ATTESTATION_LOST),
      escalation: undefined,
      link: attestationLink(config.alerts, { carrier }, legsWindow(untilS)),
      sample_attempts: losing
        .flatMap(({ samples }) => samples.lost.map(({ outbound }) => outbound))
        .slice(0, 3)
        .join(' '),
    },
    details: {
      numerator: lost,
      denominator: known,
      cut: own.reduce((sum, { fates }) => sum + fates.cut, 0),
      value: rounded(lost / known),
      limit,
      interval_low: rounded(interval[0]),
      interval_high: rounded(interval[1]),
      window_s: LEGS_S,
    },
    sites,
    // Which leg a blind tap has missed is not known: nothing is said of these calls.
    held: held.all || (sites.map((site) => held.site(site)).find((reason) => reason !== '') ?? ''),
  }
}
