/**
 * The tap itself: what does not see, or loses too much, is the alert, and holds those that rest on it.
 *
 * Takes    the agents with their verdicts, each carrier at each site over the last minutes, and how far the collector is
 *          behind the clock.
 * Returns  conditions, and for each site whose capture loses too much the reason.
 */
import { type AlertsConfig, EVENTS_FLOOR } from '../../../schemas/alert-rules.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import { rounded, wilsonInterval } from '../../kpi/interval.js'
import { countOf } from '../../kpi/sums.js'
import type { Cell, TapAgent } from '../numbers.js'
import type { Condition, Timing } from '../state.js'
import { sinksOf } from './sinks.js'
import { percentText, type RunbookPage, runbookUrl, tapLink } from './words.js'

export const CAPTURE_LOSS_WINDOW_S = 900
/** Names of agents come from the wire: a hostile peer may invent any number. Those of a configured site come first. */
export const AGENTS_ALERTED_MAX = 50
/** The collector tells its time every few seconds; behind by more, nothing of now is known. */
export const BEHIND_US = 120e6

export const TAP_TIMINGS: Readonly<
  Record<'TapBlind' | 'TapLossy' | 'CaptureLoss' | 'CollectorBehind', Timing>
> = {
  // The verdict has waited for twice its longest gap, and two minutes at least.
  TapBlind: { forUs: 0, keepFiringUs: 120e6 },
  TapLossy: { forUs: 300e6, keepFiringUs: 900e6 },
  CaptureLoss: { forUs: 120e6, keepFiringUs: 300e6 },
  CollectorBehind: { forUs: 60e6, keepFiringUs: 120e6 },
}

interface TapConfig extends Pick<TrunkscopeConfig, 'sinks'> {
  alerts: AlertsConfig
}

export function tapConditions(config: TapConfig, agents: readonly TapAgent[]): Condition[] {
  if (!config.alerts.blind_tap) return []
  const told = [...agents]
    .sort((a, b) => Number(a.site === '') - Number(b.site === '') || (a.agent < b.agent ? -1 : 1))
    .slice(0, AGENTS_ALERTED_MAX)
  return told.flatMap((agent): Condition[] => {
    if (agent.verdict === 'blind' || agent.verdict === 'no_sip')
      return [ofAgent(config, 'TapBlind', 'page', agent)]
    return agent.verdict === 'lossy' ? [ofAgent(config, 'TapLossy', 'ticket', agent)] : []
  })
}

function ofAgent(
  config: TapConfig,
  alert: 'TapBlind' | 'TapLossy',
  severity: 'page' | 'ticket',
  { agent, site, verdict, why }: TapAgent,
): Condition {
  const place = site === '' ? 'no configured site' : site
  return {
    ...frame(config, alert, severity, { agent, ...(site === '' ? {} : { site }) }),
    annotations: {
      summary: `tap ${agent} of ${place}: ${WORDS[verdict] ?? verdict}: ${why}`,
      likely_cause:
        verdict === 'no_sip'
          ? 'the agent lives: the interface, the filter or the port it watches, or no calls at all'
          : verdict === 'blind'
            ? 'our tap, not the carrier: the agent, its host, or the way to the collector'
            : undefined,
      runbook_url: runbookUrl(config.alerts, alert),
      link: tapLink(config.alerts),
    },
    details: { verdict },
  }
}

const WORDS: Partial<Record<string, string>> = {
  blind: 'blind',
  no_sip: 'alive, but no SIP',
  lossy: 'loses messages',
}

function frame(
  config: TapConfig,
  alert: RunbookPage,
  severity: 'page' | 'ticket',
  about: Record<string, string>,
): Omit<Condition, 'annotations' | 'details'> {
  return {
    rule: alert,
    severity,
    sinks: sinksOf(config, severity),
    labels: { alertname: alert, severity, ...about },
    sites: about.site === undefined ? [] : [about.site],
    held: '',
  }
}

export interface CaptureLoss {
  conditions: Condition[]
  /** By site. */
  losing: Map<string, string>
}

/** @param cells of the last `CAPTURE_LOSS_WINDOW_S` */
export function captureLoss(config: TapConfig, cells: readonly Cell[]): CaptureLoss {
  const { enabled, above_ratio: limit } = config.alerts.capture_loss
  const found: CaptureLoss = { conditions: [], losing: new Map() }
  if (!enabled) return found
  for (const site of [...new Set(cells.map((cell) => cell.site))].sort()) {
    const there = cells.filter((cell) => cell.site === site)
    const lost = there.reduce((sum, { sums }) => sum + countOf(sums, 'incomplete'), 0)
    const all = there.reduce((sum, { sums }) => sum + countOf(sums, 'attempts'), lost)
    const interval = wilsonInterval(lost, all)
    if (interval === null || lost < EVENTS_FLOOR.page || interval[0] <= limit) continue
    const numbers = `${lost} of ${all} attempts in ${CAPTURE_LOSS_WINDOW_S / 60} min lack a part (${percentText(lost / all)}, 95 % interval ${percentText(interval[0])} to ${percentText(interval[1])})`
    found.losing.set(site, `the capture of ${site} loses too much: ${numbers}`)
    found.conditions.push({
      ...frame(config, 'CaptureLoss', 'page', { site }),
      annotations: {
        summary: `${site}: ${numbers}: its numbers cannot be trusted`,
        likely_cause: 'our tap or the way to the collector, not the carriers',
        runbook_url: runbookUrl(config.alerts, 'CaptureLoss'),
        link: tapLink(config.alerts),
      },
      details: {
        numerator: lost,
        denominator: all,
        interval_low: rounded(interval[0]),
        interval_high: rounded(interval[1]),
        limit,
      },
    })
  }
  return found
}

/** @param behindUs  how far the collector's time is behind the clock; undefined: it has received nothing yet */
export function collectorBehind(
  config: TapConfig,
  behindUs: number | undefined,
): { conditions: Condition[]; held: string } {
  if (behindUs === undefined) return { conditions: [], held: 'the collector has not received anything yet' }
  if (behindUs <= BEHIND_US) return { conditions: [], held: '' }
  const text = `the collector is ${Math.round(behindUs / 60e6)} min behind: what came since is not known`
  return {
    held: text,
    conditions: !config.alerts.blind_tap
      ? []
      : [
          {
            ...frame(config, 'CollectorBehind', 'page', {}),
            annotations: {
              summary: `${text}; no other alert is judged meanwhile`,
              likely_cause: 'our capture, store or the bus between them, not a carrier',
              runbook_url: runbookUrl(config.alerts, 'CollectorBehind'),
              link: tapLink(config.alerts),
            },
            details: { behind_s: Math.round(behindUs / 1e6) },
          },
        ],
  }
}
