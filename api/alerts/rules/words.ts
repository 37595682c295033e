/** What stands beside the numbers of every alert: whom to call, where to look, what to read. */
import type { AlertRuleConfig, AlertsConfig } from '../../../schemas/alert-rules.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import type { Kpi } from '../../../schemas/kpi/kpi.js'
import { isoOf } from '../../time-span.js'
import type { Window } from '../numbers.js'

/** Where the pages lie unless `alerts.runbooks_url` says otherwise: beside the program. */
const RUNBOOKS = 'dashboards/runbooks'

/** A page for each alert that is on by itself, and one for each way of comparing a KPI. */
export const RUNBOOK_PAGES = [
  'SloBurnFast',
  'SloBurnSlow',
  'SloBudgetDrain',
  'TapBlind',
  'TapLossy',
  'CaptureLoss',
  'CollectorBehind',
  'CarrierSilent',
  'AttestationLost',
  'CertificateExpiring',
  'SignerNotInContract',
  'TrunkDown',
  'NumberOnWrongCarrier',
  'KpiLevel',
  'KpiPastWeeks',
  'KpiPeers',
] as const
export type RunbookPage = (typeof RUNBOOK_PAGES)[number]

/** The heading of the page, not only the page: that is where the eyes go at night. */
export function runbookUrl(alerts: Pick<AlertsConfig, 'runbooks_url'>, runbookPage: RunbookPage): string {
  const base = (alerts.runbooks_url ?? RUNBOOKS).replace(/\/$/, '')
  return `${base}/${runbookPage}.md#first-look`
}

export const PAGE_OF_COMPARISON = {
  level: 'KpiLevel',
  past_weeks: 'KpiPastWeeks',
  peers: 'KpiPeers',
} as const satisfies Record<AlertRuleConfig['compare'], RunbookPage>

export function escalationOf(
  config: Pick<TrunkscopeConfig, 'carriers'>,
  carrier: string | undefined,
): string | undefined {
  const contacts = config.carriers.find(({ id }) => id === carrier)?.contacts
  if (contacts === undefined) return undefined
  const parts = [contacts.escalation, contacts.phone, contacts.email, contacts.url].filter(
    (part) => part !== undefined,
  )
  return parts.length === 0 ? undefined : parts.join(' · ')
}

/** Dispositions whose service level is bad (metrics.md §2); PRE_RING_CANCEL is so past the time limit only. */
const BAD_DISPOSITIONS = [
  'CONFIG',
  'POLICY',
  'CONGESTION',
  'NETWORK',
  'TIMEOUT',
  'UNKNOWN',
  'PRE_RING_CANCEL',
]

/** The attempt search at the numbers of the alert. */
export function attemptsLink(
  alerts: Pick<AlertsConfig, 'page_url'>,
  about: { carrier?: string | undefined; site?: string | undefined },
  window: Window,
  kpi: string,
): string | undefined {
  if (alerts.page_url === undefined) return undefined
  const query = new URLSearchParams({ from: isoOf(window.fromS * 1e6), to: isoOf(window.toS * 1e6) })
  if (about.carrier !== undefined) query.set('carrier', about.carrier)
  if (about.site !== undefined) query.set('site', about.site)
  if (kpi === 'availability') query.set('disposition', BAD_DISPOSITIONS.join(','))
  return `${alerts.page_url.replace(/\/$/, '')}/attempts?${query}`
}

export function tapLink(alerts: Pick<AlertsConfig, 'page_url'>): string | undefined {
  return alerts.page_url === undefined ? undefined : `${alerts.page_url.replace(/\/$/, '')}/tap`
}

/** What calls claimed and what was checked of it, at the numbers of the alert. */
export function attestationLink(
  alerts: Pick<AlertsConfig, 'page_url'>,
  about: { carrier?: string | undefined; direction?: string | undefined },
  window: Window,
): string | undefined {
  if (alerts.page_url === undefined) return undefined
  const query = new URLSearchParams({ from: isoOf(window.fromS * 1e6), to: isoOf(window.toS * 1e6) })
  if (about.carrier !== undefined) query.set('carrier', about.carrier)
  if (about.direction !== undefined) query.set('direction', about.direction)
  return `${alerts.page_url.replace(/\/$/, '')}/attestation?${query}`
}

export function numbersLink(alerts: Pick<AlertsConfig, 'page_url'>): string | undefined {
  return alerts.page_url === undefined ? undefined : `${alerts.page_url.replace(/\/$/, '')}/numbers`
}

export function trunksLink(alerts: Pick<AlertsConfig, 'page_url'>, carrier: string): string | undefined {
  if (alerts.page_url === undefined) return undefined
  return `${alerts.page_url.replace(/\/$/, '')}/trunks?${new URLSearchParams({ carrier })}`
}

/** "alpha at dal", "alpha", "dal", "everything". */
export function aboutText({
  carrier,
  site,
}: {
  carrier?: string | undefined
  site?: string | undefined
}): string {
  if (carrier === undefined) return site ?? 'everything'
  return site === undefined ? carrier : `${carrier} at ${site}`
}

/** "97.2 %", "2.31 s": plain text, as mails and pagers carry it. */
export function valueText(kpi: Pick<Kpi, 'unit'>, value: number | null): string {
  if (value === null) return 'no value'
  return kpi.unit === 'ratio' ? percentText(value) : `${value.toFixed(2)} s`
}

export function percentText(ratio: number): string {
  const digits = ratio !== 0 && (ratio < 0.01 || (ratio > 0.99 && ratio < 1)) ? 2 : 1
  return `${(ratio * 100).toFixed(digits)} %`
}
