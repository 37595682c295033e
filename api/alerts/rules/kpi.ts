/**
 * Rules of the configuration on numbers of the catalog: the level, the distance from past weeks, the distance from the other
 * carriers. All three become one limit for one number, so the gate is the same (`gate.ts`).
 *
 * Takes    a rule, and each carrier at each site in the windows it asks for.
 * Returns  a condition for each label set that is beyond its limit for certain.
 */
import {
  type AlertRuleConfig,
  type AlertsConfig,
  EVENTS_FLOOR,
  MEAN_FLOOR,
} from '../../../schemas/alert-rules.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import type { Kpi } from '../../../schemas/kpi/kpi.js'
import { kpiOf } from '../../../schemas/kpi-catalog.js'
import { addSums, countOf, emptySums, quantileMs, type Sums } from '../../kpi/sums.js'
import type { Cell, SampleAsk, Window } from '../numbers.js'
import type { Condition, Timing } from '../state.js'
import { COMPARED_MIN, likelyCause } from './cause.js'
import { type Gated, gated, type Limit } from './gate.js'
import { type Held, inMaintenance } from './held.js'
import { sinksOf } from './sinks.js'
import {
  aboutText,
  attemptsLink,
  escalationOf,
  PAGE_OF_COMPARISON,
  percentText,
  runbookUrl,
  valueText,
} from './words.js'

const WEEK_S = 7 * 86_400

export function kpiTiming(rule: AlertRuleConfig): Timing {
  return { forUs: rule.for_minutes * 60e6, keepFiringUs: rule.keep_firing_minutes * 60e6 }
}

/** The window of now, then those of past weeks. */
export function kpiWindows(rule: AlertRuleConfig, untilS: number): Window[] {
  const lengthS = rule.window_minutes * 60
  const weeks = rule.compare === 'past_weeks' ? rule.weeks : 0
  return Array.from({ length: weeks + 1 }, (_, week) => ({
    fromS: untilS - week * WEEK_S - lengthS,
    toS: untilS - week * WEEK_S,
  }))
}

export interface KpiSurroundings {
  config: Pick<TrunkscopeConfig, 'carriers' | 'sites' | 'sinks' | 'maintenance'> & { alerts: AlertsConfig }
  untilS: number
  held: Held
  cellsOf: (window: Window) => readonly Cell[]
}

export interface About {
  carrier?: string
  site?: string
}

export function kpiConditions(rule: AlertRuleConfig, around: KpiSurroundings): Condition[] {
  const kpi = kpiOf(rule.kpi)
  if (kpi === undefined) return []
  const windows = kpiWindows(rule, around.untilS)
  const [now, ...past] = windows.map((window) =>
    around.cellsOf(window).filter((cell) => !inMaintenance(around.config.maintenance, cell, window)),
  )
  const subjects = now!.filter(
    ({ carrier, site }) =>
      (rule.carriers?.includes(carrier) ?? true) &&
      (rule.sites?.includes(site) ?? true) &&
      (carrier !== 'unknown' || rule.each === 'platform' || rule.each === 'site'),
  )
  return aboutsOf(rule, subjects).flatMap((about): Condition[] => {
    const own = subjects.filter((cell) => isOf(cell, about))
    const limit = limitOf(rule, kpi, about, now!, past)
    if (limit === undefined) return []
    const floor = floorOf(rule, kpi)
    const found = gated(kpi, sumOf(own), limit, floor)
    if (!found.holds) return []
    return [
      conditionOf({ rule, kpi, about, limit, found, own, now: now!, window: windows[0]!, floor }, around),
    ]
  })
}

/** Of a mean all measurements are events, and a few of them have no mean worth waking somebody. */
function floorOf(rule: AlertRuleConfig, kpi: Kpi): number {
  return rule.floor_events ?? (kpi.kind === 'mean' ? MEAN_FLOOR : EVENTS_FLOOR[rule.severity])
}

function aboutsOf(rule: AlertRuleConfig, cells: readonly Cell[]): About[] {
  const all = cells.map(({ carrier, site }): About => {
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

function isOf(cell: Cell, { carrier, site }: About): boolean {
  return (carrier === undefined || cell.carrier === carrier) && (site === undefined || cell.site === site)
}

function sumOf(cells: readonly Cell[]): Sums {
  return cells.reduce((sums, cell) => addSums(sums, cell.sums), emptySums())
}

/** undefined: nothing to compare with. */
function limitOf(
  rule: AlertRuleConfig,
  kpi: Kpi,
  about: About,
  now: readonly Cell[],
  past: readonly (readonly Cell[])[],
): Limit | undefined {
  if (rule.compare === 'level') return distant(rule, 0)
  const reference =
    rule.compare === 'past_weeks'
      ? median(
          past.map((cells) =>
            comparedValue(
              kpi,
              ofRule(rule, cells).filter((cell) => isOf(cell, about)),
            ),
          ),
          rule.weeks,
        )
      : comparedValue(kpi, othersOf(about, now))
  return reference === undefined ? undefined : distant(rule, reference)
}

function ofRule(rule: AlertRuleConfig, cells: readonly Cell[]): Cell[] {
  return cells.filter(
    ({ carrier, site }) => (rule.carriers?.includes(carrier) ?? true) && (rule.sites?.includes(site) ?? true),
  )
}

function distant({ above, below }: AlertRuleConfig, reference: number): Limit {
  if (above !== undefined) return { above: reference + above }
  return { below: reference === 0 && below !== undefined ? below : reference - below! }
}

/** The other carriers at the same sites, at the same time. */
function othersOf(about: About, now: readonly Cell[]): Cell[] {
  const sites = new Set(now.filter((cell) => isOf(cell, about)).map(({ site }) => site))
  return now.filter(
    ({ carrier, site }) => carrier !== about.carrier && carrier !== 'unknown' && sites.has(site),
  )
}

/** undefined below so many attempts, or measurements, that chance decides. */
function comparedValue(kpi: Kpi, cells: readonly Cell[]): number | undefined {
  const sums = sumOf(cells)
  const n = countOf(
    sums,
    kpi.kind === 'ratio'
      ? `${kpi.id}_denominator`
      : kpi.kind === 'mean'
        ? `${kpi.id}_count`
        : `${kpi.histogram}_count`,
  )
  if (n < Math.max(COMPARED_MIN, kpi.floor)) return undefined
  if (kpi.kind === 'ratio') return countOf(sums, `${kpi.id}_numerator`) / n
  if (kpi.kind === 'mean') return countOf(sums, `${kpi.id}_sum_ms`) / n / 1_000
  return (quantileMs(sums, kpi.id, kpi.p) ?? 0) / 1_000
}

/** Of the weeks that have a value, when at least half of them do. An even number: the mean of the two in the middle. */
export function median(values: readonly (number | undefined)[], weeks: number): number | undefined {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b)
  if (known.length === 0 || known.length * 2 < weeks) return undefined
  const middle = (known.length - 1) / 2
  return (known[Math.floor(middle)]! + known[Math.ceil(middle)]!) / 2
}

interface FoundKpi {
  rule: AlertRuleConfig
  kpi: Kpi
  about: About
  limit: Limit
  found: Gated
  own: readonly Cell[]
  now: readonly Cell[]
  window: Window
  floor: number
}

function conditionOf(beyond: FoundKpi, { config, held }: KpiSurroundings): Condition {
  const { rule, kpi, about, limit, found, own, now, window, floor } = beyond
  const at = 'above' in limit ? limit.above : limit.below
  const cause = likelyCause(
    about,
    now.map(({ carrier, site, sums }) => {
      const judged = gated(kpi, sums, limit, Math.min(floor, EVENTS_FLOOR.ticket))
      return { carrier, site, isBad: judged.holds, n: judged.n }
    }),
  )
  return {
    rule: rule.id,
    severity: rule.severity,
    sinks: sinksOf(config, rule.severity, rule.sinks),
    labels: { alertname: rule.id, severity: rule.severity, kpi: kpi.id, ...about },
    annotations: {
      summary: `${aboutText(about)}: ${kpi.name} ${valueText(kpi, found.value)} over ${rule.window_minutes} min, ${LIMIT_WORDS[rule.compare]('above' in limit ? 'above' : 'below', valueText(kpi, at))}; ${doubtText(kpi, found)}`,
      likely_cause: cause === '' ? undefined : cause,
      runbook_url: rule.runbook_url ?? runbookUrl(config.alerts, PAGE_OF_COMPARISON[rule.compare]),
      escalation: escalationOf(config, about.carrier),
      link: attemptsLink(config.alerts, about, window, kpi.id),
    },
    details: {
      comparison: rule.compare,
      value: found.value,
      limit: at,
      ...(kpi.kind === 'ratio' ? { numerator: countOf(sumOf(own), `${kpi.id}_numerator`) } : {}),
      denominator: found.n,
      events: found.events,
      interval_low: found.interval?.[0] ?? null,
      interval_high: found.interval?.[1] ?? null,
      window_s: rule.window_minutes * 60,
    },
    sites: [...new Set(own.map(({ site }) => site))].sort(),
    held: heldKpi(beyond, held),
  }
}

const LIMIT_WORDS: Record<AlertRuleConfig['compare'], (side: string, limit: string) => string> = {
  level: (side, limit) => `${side} ${limit}`,
  past_weeks: (side, limit) => `${side} ${limit}, which past weeks set`,
  peers: (side, limit) => `${side} ${limit}, which the other carriers set`,
}

function doubtText(kpi: Kpi, { events, n, interval }: Gated): string {
  if (kpi.kind === 'mean') return `n = ${n}`
  if (interval === null) return `n = ${n}`
  const range = `95 % interval ${percentText(interval[0])} to ${percentText(interval[1])}`
  return kpi.kind === 'ratio' ? `n = ${n}, ${range}` : `${events} of ${n} beyond it, ${range}`
}

/** Held when what the seeing taps saw is not beyond the limit. */
function heldKpi({ kpi, about, limit, own, floor }: FoundKpi, held: Held): string {
  const everywhere = held.all || held.site(about.site)
  if (everywhere !== '') return everywhere
  const why = own.map(({ site }) => held.site(site)).find((reason) => reason !== '')
  if (why === undefined) return ''
  const seen = sumOf(own.filter(({ site }) => held.site(site) === ''))
  return gated(kpi, seen, limit, floor).holds ? '' : why
}

/** The attempts that speak for the alert. */
export function samplesOfKpi(
  rule: AlertRuleConfig,
  condition: Condition,
  untilS: number,
  key: string,
): SampleAsk | undefined {
  const kpi = kpiOf(rule.kpi)
  if (kpi === undefined) return undefined
  const isAbove = rule.above !== undefined
  const limitMs = Number(condition.details.limit) * 1_000
  const byDelay = isAbove ? { aboveMs: limitMs } : { belowMs: limitMs }
  return {
    key,
    kpi: kpi.id,
    part: kpi.kind === 'ratio' ? (isAbove ? 'numerator' : 'denominator') : byDelay,
    carrier: condition.labels.carrier,
    site: condition.labels.site,
    carriers: rule.carriers,
    sites: rule.sites,
    window: kpiWindows(rule, untilS)[0]!,
  }
}
