/**
 * Burn of each objective: the pairs of windows of metrics.md §8 become conditions.
 *
 * Takes    the objectives with their counts, what is blind, and each carrier at each site in the long windows of those that
 *          fire (read only then).
 * Returns  a condition for each objective and pair that fires.
 */
import type { AlertsConfig } from '../../../schemas/alert-rules.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import { rounded, wilsonInterval } from '../../kpi/interval.js'
import { countOf, type Sums } from '../../kpi/sums.js'
import {
  type BurnPair,
  badRatioLow,
  budgetRatioOf,
  burnOf,
  burnPairs,
  burnText,
  burnVerdict,
  type PairVerdict,
  windowName,
} from '../../slo/burn.js'
import { INDICATOR_KPI } from '../../slo/counts.js'
import { isAbout, type SloInstance } from '../../slo/instances.js'
import type { Cell, SampleAsk, SloBurn } from '../numbers.js'
import { type AlertRow, alertKey, type Condition, type Step, stepAlerts, type Timing } from '../state.js'
import { likelyCause } from './cause.js'
import type { Held } from './held.js'
import { sinksOf } from './sinks.js'
import { aboutText, attemptsLink, escalationOf, percentText, runbookUrl } from './words.js'

/** In the order of `burnPairs`. */
export const BURN_ALERTS = ['SloBurnFast', 'SloBurnSlow', 'SloBudgetDrain'] as const
export type BurnAlert = (typeof BURN_ALERTS)[number]

/** The windows are their own patience: nothing waits before, five minutes after. */
export const BURN_TIMING: Timing = { forUs: 0, keepFiringUs: 300e6 }

export interface FiringBurn {
  alert: BurnAlert
  burn: SloBurn
  verdict: PairVerdict
}

export function firingBurns(burns: readonly SloBurn[]): FiringBurn[] {
  return burns.flatMap((burn) => {
    const { slo } = burn.instance
    const { pairs } = burnVerdict(slo.objective, burnPairs(slo.window_days), (windowS) =>
      burn.countOf(windowS),
    )
    return pairs.flatMap((verdict, index) =>
      verdict.fires ? [{ alert: BURN_ALERTS[index]!, burn, verdict }] : [],
    )
  })
}

export interface BurnSurroundings {
  config: Pick<TrunkscopeConfig, 'carriers' | 'sinks'> & { alerts: AlertsConfig }
  untilS: number
  held: Held
  cellsOf: (windowS: number) => readonly Cell[]
}

export function burnCondition(firing: FiringBurn, around: BurnSurroundings): Condition {
  const { alert, burn, verdict } = firing
  const { slo, labels: about } = burn.instance
  const { config } = around
  const kpi = INDICATOR_KPI[slo.indicator]
  const window = { fromS: around.untilS - verdict.long.windowS, toS: around.untilS }
  const cells = around.cellsOf(verdict.long.windowS)
  const own = cells.filter((cell) => countsFor(burn.instance, cell))
  const badSites = [
    ...new Set(own.filter(({ sums }) => badOf(sums, kpi).bad > 0).map(({ site }) => site)),
  ].sort()
  const { bad, valid } = verdict.long
  const interval = wilsonInterval(bad, valid)!
  const cause = likelyCause(
    about,
    cells.map((cell) => ({
      carrier: cell.carrier,
      site: cell.site,
      ...judged(badOf(cell.sums, kpi), slo.objective, verdict.pair),
    })),
  )
  return {
    rule: alert,
    severity: verdict.pair.severity,
    sinks: sinksOf(config, verdict.pair.severity),
    labels: { alertname: alert, severity: verdict.pair.severity, slo: slo.id, ...about },
    annotations: {
      summary:
        `${aboutText(about)}: ${slo.name ?? slo.id} burns ${burnText(verdict.longBurn!)} times too fast: ` +
        `${bad} of ${valid} bad in ${windowName(verdict.long.windowS)} (${percentText(bad / valid)}, 95 % interval ` +
        `${percentText(interval[0])} to ${percentText(interval[1])}), ${verdict.short.bad} of ${verdict.short.valid} in ` +
        `${windowName(verdict.short.windowS)}${verdict.isInsufficient ? '; few calls' : ''}`,
      likely_cause: cause === '' ? undefined : cause,
      runbook_url: runbookUrl(config.alerts, alert),
      escalation: escalationOf(config, about.carrier),
      link: attemptsLink(config.alerts, about, window, kpi),
    },
    details: {
      numerator: bad,
      denominator: valid,
      interval_low: rounded(interval[0]),
      interval_high: rounded(interval[1]),
      burn_long: rounded(verdict.longBurn!),
      burn_short: rounded(verdict.shortBurn!),
      threshold: verdict.pair.threshold,
      objective: slo.objective,
      window_s: verdict.long.windowS,
      short_numerator: verdict.short.bad,
      short_denominator: verdict.short.valid,
    },
    sites: badSites,
    held: heldBurn(firing, around, badSites, kpi),
  }
}

/** Held when it would not fire on what the seeing taps saw. */
function heldBurn(
  { burn, verdict }: FiringBurn,
  { held, cellsOf }: BurnSurroundings,
  badSites: readonly string[],
  kpi: string,
): string {
  const { labels } = burn.instance
  const everywhere = held.all || held.site(labels.site)
  if (everywhere !== '') return everywhere
  const why = badSites.map((site) => held.site(site)).find((reason) => reason !== '')
  if (why === undefined) return ''
  const seen = (windowS: number) => {
    const cells = cellsOf(windowS).filter(
      (cell) => countsFor(burn.instance, cell) && held.site(cell.site) === '',
    )
    return { windowS, ...cells.map(({ sums }) => badOf(sums, kpi)).reduce(added, { bad: 0, valid: 0 }) }
  }
  return firesAlone(burn.instance, verdict.pair, seen) ? '' : why
}

/** Peers that nobody configured are no one's promise (api/slo/counts.ts). */
function countsFor(instance: SloInstance, { carrier, site }: Cell): boolean {
  return carrier !== 'unknown' && isAbout(instance, carrier, site)
}

function firesAlone({ slo }: SloInstance, pair: BurnPair, seen: Parameters<typeof burnVerdict>[2]): boolean {
  return burnVerdict(slo.objective, [pair], seen).fired !== undefined
}

export const TOLD_BY_FAST = 'SloBurnFast of the same labels tells it'
export const WAS_TOLD_BY_FAST = 'SloBurnFast of the same labels told it a short time ago'

/** A page whose outage another page tells already: the first pair of an objective, seen from the second. */
export interface Slower {
  key: string
  fasterKey: string
  /** So long after the faster one was resolved its bad calls are in the short window of this one. */
  quietUs: number
}

export function slowerOf(firings: readonly FiringBurn[]): Slower[] {
  return firings
    .filter(({ alert }) => alert === 'SloBurnSlow')
    .map(({ burn: { instance }, verdict }) => {
      const labelsOf = (alert: BurnAlert) => ({
        alertname: alert,
        severity: verdict.pair.severity,
        slo: instance.slo.id,
        ...instance.labels,
      })
      return {
        key: alertKey('SloBurnSlow', labelsOf('SloBurnSlow')),
        fasterKey: alertKey('SloBurnFast', labelsOf('SloBurnFast')),
        quietUs: verdict.pair.shortS * 1e6,
      }
    })
}

/** One outage pages once: the slower page begins only where the faster one does not fire, and did not a short while ago. */
export function heldBehindFast(
  conditions: readonly Condition[],
  slower: readonly Slower[],
  rows: readonly AlertRow[],
  step: Step,
): Condition[] {
  if (slower.length === 0) return [...conditions]
  const before = new Map(rows.map((row) => [row.key, row]))
  const after = new Map([...rows, ...stepAlerts(rows, conditions, step).changed].map((row) => [row.key, row]))
  const bySlow = new Map(slower.map((one) => [one.key, one]))
  return conditions.map((condition) => {
    const one = bySlow.get(alertKey(condition.rule, condition.labels))
    if (one === undefined || condition.held !== '' || before.get(one.key)?.state === 'firing')
      return condition
    const faster = after.get(one.fasterKey)
    if (faster?.state === 'firing') return { ...condition, held: TOLD_BY_FAST }
    const isJustOver =
      faster !== undefined && faster.endsAtUs > 0 && step.atUs - faster.endsAtUs < one.quietUs
    return isJustOver ? { ...condition, held: WAS_TOLD_BY_FAST } : condition
  })
}

/** Windows that a firing alert needs to be explained. */
export function windowsOf({ verdict }: FiringBurn): number[] {
  return [verdict.long.windowS, verdict.short.windowS]
}

export function samplesOfBurn({ burn, verdict }: FiringBurn, untilS: number, key: string): SampleAsk {
  const { slo, labels } = burn.instance
  return {
    key,
    kpi: INDICATOR_KPI[slo.indicator],
    part: 'denominator',
    carrier: labels.carrier,
    site: labels.site,
    carriers: slo.carriers,
    sites: slo.sites,
    window: { fromS: untilS - verdict.long.windowS, toS: untilS },
  }
}

interface BadOfValid {
  bad: number
  valid: number
}

export function badOf(sums: Sums, kpi: string): BadOfValid {
  const valid = countOf(sums, `${kpi}_denominator`)
  return { bad: valid - countOf(sums, `${kpi}_numerator`), valid }
}

const added = (a: BadOfValid, b: BadOfValid): BadOfValid => ({ bad: a.bad + b.bad, valid: a.valid + b.valid })

/**
 * Off is who burns as fast as the alert asks for, surely and with more than a call or two. Held to the mere budget, carriers
 * that fail one call in fifty every day would hide the one that fails one in five today.
 */
function judged(
  counts: BadOfValid,
  objective: number,
  { threshold }: BurnPair,
): { isBad: boolean; n: number } {
  const isSure = (badRatioLow(counts) ?? 0) > budgetRatioOf(objective)
  const isBad = counts.bad >= 3 && isSure && (burnOf(counts, objective) ?? 0) >= threshold
  return { isBad, n: counts.valid }
}
