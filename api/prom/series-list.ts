/**
 * Which series there are in a span, and which names and values their labels have: what Grafana's variables and its query
 * builder ask.
 */
import { PROM_SERIES_NAMES } from '../../schemas/prom-metrics.js'
import { isCapacityGauge } from './capacity-gauges.js'
import { CERTIFICATE_GAUGE } from './certificate-gauge.js'
import { type Labels, labelsKey, METRIC_NAME } from './labels.js'
import type { Selector, SeriesSource } from './series.js'
import { isTrunkGauge } from './trunk-gauges.js'

export interface SpanS {
  fromS: number
  toS: number
}

export interface Listed<Item> {
  items: Item[]
  warnings: string[]
}

/** One of each kind of series: what has the same labels has the same values of them. */
const ONE_OF_EACH = [
  'trunkscope_attempts_total',
  'trunkscope_responses_total',
  'trunkscope_dispositions_total',
  'trunkscope_cancels_total',
  'trunkscope_attestation_total',
  'trunkscope_post_dial_delay_seconds_bucket',
  'trunkscope_kpi_denominator_total',
  'trunkscope_identity_tokens_total',
  'trunkscope_identity_verified_total',
  'trunkscope_identity_contract_total',
  'trunkscope_identity_certificate_remaining_seconds',
  'trunkscope_suspicions_total',
  'trunkscope_trunk_state_seconds',
  'trunkscope_capacity_concurrent_calls_peak',
  'trunkscope_slo_burn_ratio',
  'trunkscope_agent_frames_total',
]

const DAY_S = 86_400

const named = (metric: string): Selector => ({ metric, matchers: [], at: 1 })

/** Series with a sample in the span, or alive at its end. */
export async function listSeries(
  source: SeriesSource,
  selectors: readonly Selector[],
  span: SpanS,
): Promise<Listed<Labels>> {
  const found = new Map<string, Labels>()
  const warnings = new Set<string>()
  for (const selector of selectors) {
    for (const single of singleNames(selector)) {
      const answer = await source.read(requestFor(single, span))
      for (const { labels } of answer.series) found.set(labelsKey(labels), labels)
      for (const warning of answer.warnings) warnings.add(warning)
    }
  }
  const items = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, labels]) => labels)
  return { items, warnings: [...warnings] }
}

/** A gauge and a counter are asked differently, so a selector without a name is asked for each. */
function singleNames(selector: Selector): Selector[] {
  if (selector.metric !== undefined) return [selector]
  return PROM_SERIES_NAMES.map(({ name }) => ({ ...selector, metric: name }))
}

function requestFor(selector: Selector, { fromS, toS }: SpanS) {
  const found = PROM_SERIES_NAMES.find(({ name }) => name === selector.metric)
  const isGauge = found?.metric.type === 'gauge'
  const grid = { startS: toS, endS: toS, stepS: 60 }
  if (isWorkedOut(selector.metric)) {
    return { selector, grid, offsetS: 0, windowS: undefined, over: 'last' as const }
  }
  return {
    selector,
    grid,
    offsetS: 0,
    // Samples of a gauge are read one by one: those of the last day say enough.
    windowS: Math.max(60, isGauge ? Math.min(DAY_S, toS - fromS) : toS - fromS),
    over: isGauge ? ('sum' as const) : ('increase' as const),
  }
}

/** Gauges that have a window of their own and no samples to look through. */
function isWorkedOut(metric = ''): boolean {
  return (
    metric.startsWith('trunkscope_slo_') ||
    metric === CERTIFICATE_GAUGE ||
    isTrunkGauge(metric) ||
    isCapacityGauge(metric)
  )
}

export async function listLabelNames(
  source: SeriesSource,
  selectors: readonly Selector[],
  span: SpanS,
): Promise<Listed<string>> {
  if (selectors.length === 0) {
    const all = PROM_SERIES_NAMES.flatMap(({ labels }) => labels)
    return { items: [...new Set([METRIC_NAME, ...all])].sort(), warnings: [] }
  }
  const { items, warnings } = await listSeries(source, selectors, span)
  return { items: [...new Set(items.flatMap((labels) => Object.keys(labels)))].sort(), warnings }
}

export async function listLabelValues(
  source: SeriesSource,
  label: string,
  selectors: readonly Selector[],
  span: SpanS,
): Promise<Listed<string>> {
  if (selectors.length === 0 && label === METRIC_NAME) {
    return { items: PROM_SERIES_NAMES.map(({ name }) => name).sort(), warnings: [] }
  }
  const having = PROM_SERIES_NAMES.filter(
    ({ name, labels }) => ONE_OF_EACH.includes(name) && labels.includes(label),
  )
  // Every leg is in the first, so the others bring no more carriers, sites and directions.
  const enough =
    having[0]?.name === 'trunkscope_attempts_total'
      ? having.filter(({ name }) => /_(attempts_total|agent_\w+)$/.test(name))
      : having
  const asked = selectors.length > 0 ? selectors : enough.map(({ name }) => named(name))
  const { items, warnings } = await listSeries(source, asked, span)
  return { items: [...new Set(items.flatMap((labels) => labels[label] ?? []))].sort(), warnings }
}
