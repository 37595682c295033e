/** Panels of a KPI: title, sentence, unit, floor and colours come from the catalog. */
import type { Kpi } from '../schemas/kpi/kpi.js'
import { CHOSEN, floorOf, kpiExpression, kpiNamed, type Label, WINDOW } from './expressions.js'
import { type PanelLink, type PanelSpec, stepsOf, type TableColumn, UNIT_OF } from './panel.js'

/** Trunkscope takes times as RFC 3339; what is chosen at the top goes along. */
export const SPAN = `from=\${__from:date:iso}&to=\${__to:date:iso}`

/** The list of attempts behind a point: of its own labels where it has them, else of what is chosen at the top. */
export function attemptsLink(by: readonly Label[], more = ''): PanelLink {
  const filters = (['carrier', 'site', 'direction'] as const).map(
    (label) => `${label}=${by.includes(label) ? `\${__field.labels.${label}}` : `\${${label}:csv}`}`,
  )
  return {
    title: 'Attempts in Trunkscope',
    url: `\${trunkscope}/attempts?${filters.join('&')}${more}&${SPAN}`,
  }
}

/** Where Trunkscope's pages list only some attempts: of one KPI, those that speak against it. */
const ATTEMPTS_OF: Record<string, string> = {
  rate_487: '&final_code=487',
  pre_ring_487_rate: '&cancel_class=PRE_RING_CANCEL',
  no_response_rate: '&disposition=TIMEOUT',
  attestation_none_rate: '&attestation=none',
  attestation_a_rate: '&attestation=A',
  attestation_b_rate: '&attestation=B',
  attestation_c_rate: '&attestation=C',
}

/** "by carrier": a line for each; of all that is chosen together without. */
export function kpiLines(id: number, width: number, name: string, by: readonly Label[]) {
  const kpi = kpiNamed(name)
  const suffix = by.length === 0 ? '' : ` by ${by.join(' and ')}`
  return {
    kind: 'lines',
    id,
    width,
    title: `${kpi.name}${suffix}`,
    ...shared(kpi),
    queries: [{ expr: kpiExpression(kpi, by), legend: legendOf(kpi, by) }],
    links: [attemptsLink(by, ATTEMPTS_OF[kpi.id] ?? '')],
  } satisfies PanelSpec & { width: number }
}

export function kpiStat(id: number, width: number, name: string, window = WINDOW) {
  const kpi = kpiNamed(name)
  return {
    kind: 'stat',
    id,
    width,
    title: kpi.name,
    ...shared(kpi, window),
    queries: [{ expr: kpiExpression(kpi, [], CHOSEN, window), legend: kpi.name }],
    links: [attemptsLink([], ATTEMPTS_OF[kpi.id] ?? '')],
  } satisfies PanelSpec & { width: number }
}

/** Several numbers in one panel: shares of the same attempts, quantiles of the same delays. */
export function kpiGroup(
  id: number,
  width: number,
  title: string,
  names: readonly string[],
  description: string,
) {
  const kpis = names.map(kpiNamed)
  return {
    kind: 'lines',
    id,
    width,
    title,
    ...shared(kpis[0]!),
    steps: undefined,
    min: 0,
    description: `${description}\n\n${kpis.map((kpi) => `- **${kpi.name}**: ${kpi.description}`).join('\n')}\n\n${floorSentence(kpis)}`,
    queries: kpis.map((kpi) => ({ expr: kpiExpression(kpi, []), legend: kpi.name })),
    links: [attemptsLink([])],
  } satisfies PanelSpec & { width: number }
}

/** A column of the table of carriers, and the query it shows. */
export function kpiColumn(name: string, heading: string, by: readonly Label[]) {
  const kpi = kpiNamed(name)
  const steps = stepsOf(kpi)
  return {
    query: { expr: kpiExpression(kpi, by), legend: kpi.id },
    column: {
      name: kpi.id,
      heading,
      unit: UNIT_OF[kpi.unit],
      decimals: kpi.unit === 'ratio' ? 1 : 2,
      ...(steps && { steps }),
    } satisfies TableColumn,
  }
}

function shared(kpi: Kpi, window = WINDOW) {
  const steps = stepsOf(kpi)
  return {
    description: `${kpi.description}\n\nWindow: the ${window} before each point. ${floorSentence([kpi])} Source: ${kpi.source}; formula version ${kpi.version}.`,
    unit: UNIT_OF[kpi.unit],
    // A share near 0 is read from 0 on; one near 1 would be a straight line there.
    ...((kpi.unit === 's' || isWorseWhenMore(kpi)) && { min: 0 }),
    ...(steps && { steps }),
  }
}

function isWorseWhenMore({ thresholds }: Kpi): boolean {
  return thresholds !== undefined && thresholds.warn < thresholds.bad
}

function floorSentence(kpis: readonly Kpi[]): string {
  const words = { ratio: 'attempts', mean: 'calls that have it', quantile: 'measurements' }
  const floors = kpis.map((kpi) => `${floorOf(kpi)} ${words[kpi.kind]}`)
  return `Shown from ${[...new Set(floors)].join(', ')} on; below that there is no value.`
}

function legendOf(kpi: Kpi, by: readonly Label[]): string {
  return by.length === 0 ? kpi.name : by.map((label) => `{{${label}}}`).join(' ')
}
