/**
 * Rules on the number of attempts: a carrier that falls silent fails no call, so no other number tells.
 *
 * Takes    a rule, each carrier at each site in the window and in the same minutes of past weeks, and since when calls
 *          are surely seen.
 * Returns  a condition for each label set with too few attempts, and those of which nothing can be said now.
 * Throws   nothing.
 *
 * With `past_weeks` the limit is a share of the median. Two gates keep quiet nights quiet: so many attempts must be
 * expected, and the Poisson interval at 95 % of what came must lie below the limit. A level is compared as it is: who
 * names a number answers for it.
 */
import { type AlertRuleConfig, EXPECTED_FLOOR } from '../../../schemas/alert-rules.js'
import { poissonHigh, rounded } from '../../kpi/interval.js'
import { countOf } from '../../kpi/sums.js'
import type { Cell, Window } from '../numbers.js'
import { alertKey, type Condition } from '../state.js'
import { likelyCause } from './cause.js'
import { type Held, inMaintenance } from './held.js'
import { type About, type KpiSurroundings, kpiWindows, median } from './kpi.js'
import { sinksOf } from './sinks.js'
import { aboutText, attemptsLink, escalationOf, percentText, runbookUrl } from './words.js'

export const ATTEMPTS = 'attempts'

/** On by itself. A ticket: nobody's call fails, and a holiday or a change of routes is no outage. */
export const CARRIER_SILENT: AlertRuleConfig = {
  id: 'CarrierSilent',
  kpi: ATTEMPTS,
  compare: 'past_weeks',
  below: 0.2,
  weeks: 4,
  each: 'carrier',
  window_minutes: 15,
  for_minutes: 5,
  keep_firing_minutes: 5,
  severity: 'ticket',
}

/** Why one that fires is not over yet. */
export const SEEN_ANEW = 'calls are seen anew since less than its window'
export const NOT_EXPECTED = 'too few calls are expected now to tell whether it is over'

export interface AttemptsFound {
  conditions: Condition[]
  /** By key: why one that fires is not over although its condition was not found. */
  undecided: Map<string, string>
}

/** One carrier at one site. */
interface Lane {
  carrier: string
  site: string
  now: number
  /** By week; undefined: it was in maintenance then, or nothing at all was seen in that window. */
  past: (number | undefined)[]
}

interface Judged {
  isSilent: boolean
  count: number
  limit: number
  /** undefined: too few weeks to compare with; of a level it is the level. */
  expected: number | undefined
}

export interface AttemptsSurroundings extends KpiSurroundings {
  /** Microseconds; a window that begins before may lack calls that nobody looked for. */
  sinceUs: number
}

export function attemptsConditions(rule: AlertRuleConfig, around: AttemptsSurroundings): AttemptsFound {
  const [window, ...pastWindows] = kpiWindows(rule, around.untilS)
  const lanes = lanesOf(rule, around, window!, pastWindows)
  const found: AttemptsFound = { conditions: [], undecided: new Map() }
  for (const about of aboutsOf(rule, lanes, around)) {
    const own = lanes.filter((lane) => isOf(lane, about))
    const judged = judge(rule, own)
    const labels = { alertname: rule.id, severity: rule.severity, kpi: ATTEMPTS, ...about }
    const isSeen = window!.fromS * 1e6 >= around.sinceUs
    if (judged.isSilent && isSeen) {
      found.conditions.push(conditionOf(rule, about, { labels, own, lanes, judged, window: window! }, around))
    } else if (!isSeen) {
      found.undecided.set(alertKey(rule.id, labels), SEEN_ANEW)
    } else if (isStillSilent(judged)) {
      found.undecided.set(alertKey(rule.id, labels), NOT_EXPECTED)
    }
  }
  return found
}

/** As few as before, but so few are expected that this proves nothing any more. */
function isStillSilent({ count, limit, expected }: Judged): boolean {
  return expected !== undefined && count < limit
}

function lanesOf(
  rule: AlertRuleConfig,
  { config, cellsOf }: AttemptsSurroundings,
  window: Window,
  pastWindows: readonly Window[],
): Lane[] {
  const windows = [window, ...pastWindows]
  const counted = windows.map((one) => cellsOf(one).filter(({ sums }) => countOf(sums, 'attempts') > 0))
  const names = new Map(
    counted
      .flat()
      .filter((cell) => isWatched(rule, config, cell))
      .map(({ carrier, site }) => [JSON.stringify([carrier, site]), { carrier, site }]),
  )
  const [now, ...past] = counted
  return [...names.values()]
    .filter((name) => !inMaintenance(config.maintenance, name, window))
    .map((name) => ({
      ...name,
      now: countIn(now!, name),
      past: past.map((cells, week) =>
        cells.length === 0 || inMaintenance(config.maintenance, name, pastWindows[week]!)
          ? undefined
          : countIn(cells, name),
      ),
    }))
}

/** Who left the configuration is not waited for. */
function isWatched(
  rule: AlertRuleConfig,
  config: KpiSurroundings['config'],
  { carrier, site }: Cell,
): boolean {
  const ofCarrier = rule.each === 'carrier' || rule.each === 'carrier_site'
  return (
    (rule.carriers?.includes(carrier) ?? true) &&
    (rule.sites?.includes(site) ?? true) &&
    (!ofCarrier || config.carriers.some(({ id }) => id === carrier))
  )
}

function countIn(cells: readonly Cell[], { carrier, site }: { carrier: string; site: string }): number {
  return cells
    .filter((cell) => cell.carrier === carrier && cell.site === site)
    .reduce((sum, { sums }) => sum + countOf(sums, 'attempts'), 0)
}

/** Who is silent is in no cell of now: past weeks name whom to expect, a level is for all that the configuration names. */
function aboutsOf(
  rule: AlertRuleConfig,
  lanes: readonly Lane[],
  { config, untilS }: KpiSurroundings,
): About[] {
  const isLevel = rule.compare === 'level'
  const names = isLevel ? expectedNames(rule, config, untilS) : lanes
  const all = names.map(({ carrier, site }): About => {
    switch (rule.each) {
      case 'carrier':
        return { carrier }
      case 'site':
        return { site }
      case 'carrier_site':
        return { carrier, site }
      default:
        return {}
    }
  })
  return [...new Map(all.map((about) => [JSON.stringify(about), about])).values()]
}

function expectedNames(rule: AlertRuleConfig, config: KpiSurroundings['config'], untilS: number) {
  const [window] = kpiWindows(rule, untilS)
  const sites = rule.sites ?? config.sites.map(({ id }) => id)
  return (rule.carriers ?? config.carriers.map(({ id }) => id))
    .flatMap((carrier) => (sites.length === 0 ? ['unknown'] : sites).map((site) => ({ carrier, site })))
    .filter((name) => !inMaintenance(config.maintenance, name, window!))
}

function isOf(lane: Lane, { carrier, site }: About): boolean {
  return (carrier === undefined || lane.carrier === carrier) && (site === undefined || lane.site === site)
}

function judge(rule: AlertRuleConfig, lanes: readonly Lane[]): Judged {
  const count = lanes.reduce((sum, { now }) => sum + now, 0)
  if (rule.compare === 'level')
    return { isSilent: count < rule.below!, count, limit: rule.below!, expected: rule.below }
  const weeks = Array.from({ length: rule.weeks }, (_, week) =>
    lanes.reduce<number | undefined>((sum, { past }) => {
      const then = past[week]
      return sum === undefined || then === undefined ? undefined : sum + then
    }, 0),
  )
  const expected = lanes.length === 0 ? undefined : median(weeks, rule.weeks)
  if (expected === undefined) return { isSilent: false, count, limit: 0, expected }
  const limit = rule.below! * expected
  const isSure = expected >= (rule.floor_events ?? EXPECTED_FLOOR) && poissonHigh(count) < limit
  return { isSilent: isSure, count, limit, expected }
}

interface Silent {
  labels: Record<string, string>
  own: readonly Lane[]
  lanes: readonly Lane[]
  judged: Judged
  window: Window
}

function conditionOf(
  rule: AlertRuleConfig,
  about: About,
  { labels, own, lanes, judged, window }: Silent,
  { config, held }: KpiSurroundings,
): Condition {
  const { count, limit, expected } = judged
  const isLevel = rule.compare === 'level'
  const cause = isLevel ? '' : causeOf(rule, about, lanes)
  const came = `${aboutText(about)}: ${count} ${count === 1 ? 'attempt' : 'attempts'} in ${rule.window_minutes} min`
  return {
    rule: rule.id,
    severity: rule.severity,
    sinks: sinksOf(config, rule.severity, rule.sinks),
    labels,
    annotations: {
      summary: isLevel
        ? `${came}, below ${rule.below}`
        : `${came}, where past weeks let expect ${Math.round(expected!)}: surely below ${percentText(rule.below!)} of that`,
      likely_cause: cause === '' ? undefined : cause,
      runbook_url: rule.runbook_url ?? runbookUrl(config.alerts, 'CarrierSilent'),
      escalation: escalationOf(config, about.carrier),
      link: attemptsLink(config.alerts, about, window, ATTEMPTS),
    },
    details: {
      comparison: rule.compare,
      value: count,
      limit: rounded(limit),
      ...(isLevel ? {} : { expected: rounded(expected!), interval_high: rounded(poissonHigh(count)) }),
      window_s: rule.window_minutes * 60,
    },
    sites: sitesOf(rule, own, about, config),
    held: heldAttempts(rule, about, own, sitesOf(rule, own, about, config), held),
  }
}

function sitesOf(
  rule: AlertRuleConfig,
  own: readonly Lane[],
  about: About,
  config: KpiSurroundings['config'],
): string[] {
  if (about.site !== undefined) return [about.site]
  if (rule.compare === 'level') return rule.sites ?? config.sites.map(({ id }) => id)
  return [...new Set(own.map(({ site }) => site))].sort()
}

/** Who is silent where, each by the same measure. */
function causeOf(rule: AlertRuleConfig, about: About, lanes: readonly Lane[]): string {
  return likelyCause(
    about,
    lanes.map((lane) => {
      const { isSilent, expected = 0 } = judge(rule, [lane])
      return { carrier: lane.carrier, site: lane.site, isBad: isSilent, n: Math.round(expected) }
    }),
  )
}

/** Calls that a blind tap does not see are missing: held unless the seeing sites alone are silent. */
function heldAttempts(
  rule: AlertRuleConfig,
  about: About,
  own: readonly Lane[],
  sites: readonly string[],
  held: Held,
): string {
  const everywhere = held.all || held.site(about.site)
  if (everywhere !== '') return everywhere
  const why = sites.map((site) => held.site(site)).find((reason) => reason !== '')
  if (why === undefined) return ''
  if (rule.compare === 'level') return why
  return judge(
    rule,
    own.filter(({ site }) => held.site(site) === ''),
  ).isSilent
    ? ''
    : why
}
