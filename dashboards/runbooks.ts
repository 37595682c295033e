/**
 * The runbooks inside Grafana: a panel for each page of dashboards/runbooks/, so that a link from a dashboard or a rule leads
 * somewhere wherever Grafana runs, without another server.
 */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { TextMode, PanelBuilder as TextPanel } from '@grafana/grafana-foundation-sdk/text'
import { BOARDS, frame } from './board.js'
import type { PanelLink } from './panel.js'

/** A page's place in this list is its panel's id: what is new comes last. */
export const RUNBOOKS = [
  'SloBurnFast',
  'SloBurnSlow',
  'SloBudgetDrain',
  'TapBlind',
  'TapLossy',
  'CaptureLoss',
  'CollectorBehind',
  'KpiLevel',
  'KpiPastWeeks',
  'KpiPeers',
  'CarrierSilent',
  'AttestationLost',
  'CertificateExpiring',
  'SignerNotInContract',
  'TrunkDown',
  'NumberOnWrongCarrier',
] as const
export type Runbook = (typeof RUNBOOKS)[number]

export function runbookUrl(name: Runbook): string {
  return `/d/${BOARDS.runbooks.uid}?viewPanel=${RUNBOOKS.indexOf(name) + 1}`
}

export function runbookLink(name: Runbook): PanelLink {
  return { title: `Runbook: ${name}`, url: runbookUrl(name) }
}

const HEIGHT = 14

/** @param pageOf the Markdown of a page */
export function runbooks(pageOf: (name: Runbook) => string): Dashboard {
  const built = frame({
    name: 'runbooks',
    description: 'What each alert means, where to look first, whom to call, and how to silence it.',
    filters: [],
    time: { from: 'now-6h', to: 'now' },
  })
  built.panels = RUNBOOKS.map((name, index) =>
    new TextPanel()
      .id(index + 1)
      .title(name)
      .description(`dashboards/runbooks/${name}.md`)
      .gridPos({ x: (index % 2) * 12, y: Math.floor(index / 2) * HEIGHT, w: 12, h: HEIGHT })
      .mode(TextMode.Markdown)
      .content(pageOf(name))
      .build(),
  )
  return built
}
