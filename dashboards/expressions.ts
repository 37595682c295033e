/**
 * PromQL of the panels, out of the catalog: what is divided by what, and from how many attempts on it says something.
 *
 * Ratios are sums over sums: a ratio of many series is never a mean of ratios. A number below its floor is absent, and the
 * panel says "insufficient data". Only what docs/promql.md lists is used; test/dashboards/expressions.test.ts looks at it.
 */
import type { Kpi, MeanKpi, QuantileKpi, RatioKpi } from '../schemas/kpi/kpi.js'
import { kpiOf, LOW_CONFIDENCE_BELOW } from '../schemas/kpi-catalog.js'

/** What the reader has chosen at the top of the dashboard. */
export const CHOSEN = 'carrier=~"$carrier",site=~"$site",direction=~"$direction"'

/** The window of a number that is shown as a trend. */
export const WINDOW = '1h'
/** Bars that add up: a bar is what happened between it and the one before. */
const BAR = '$__interval'

export type Label = 'carrier' | 'site' | 'direction'

/** `sum by (carrier) (increase(trunkscope_x_total{…}[1h]))` */
export function increase(metric: string, by: readonly string[], matchers: string, window = WINDOW): string {
  const series = matchers === '' ? metric : `${metric}{${matchers.replace(/,$/, '')}}`
  return `sum${by.length === 0 ? '' : ` by (${by.join(', ')})`} (increase(${series}[${window}]))`
}

export function perBar(metric: string, by: readonly string[], matchers = CHOSEN): string {
  return increase(metric, by, matchers, BAR)
}

export function kpiNamed(id: string): Kpi {
  const kpi = kpiOf(id)
  if (kpi === undefined) throw new Error(`${id} is no KPI of the catalog`)
  return kpi
}

/** From how many attempts or measurements on a panel shows a value. */
export function floorOf(kpi: Kpi): number {
  return Math.max(kpi.floor, LOW_CONFIDENCE_BELOW)
}

/** The number, for each value of the labels `by`, over the window that ends at each point. */
export function kpiExpression(kpi: Kpi, by: readonly Label[], matchers = CHOSEN, window = WINDOW): string {
  return kpi.kind === 'quantile' ? quantile(kpi, by, matchers, window) : quotient(kpi, by, matchers, window)
}

/** Attempts over attempts; of a mean, seconds over measurements. */
function quotient(kpi: RatioKpi | MeanKpi, by: readonly Label[], matchers: string, window: string): string {
  const numerator = kpiPart('numerator', kpi.id, by, matchers, window)
  const denominator = kpiPart('denominator', kpi.id, by, matchers, window)
  return `${numerator} / ${denominator} ${enough(denominator, floorOf(kpi), by)}`
}

export function kpiPart(
  part: 'numerator' | 'denominator',
  kpi: string,
  by: readonly Label[],
  matchers = CHOSEN,
  window = WINDOW,
): string {
  return increase(`trunkscope_kpi_${part}_total`, by, `kpi="${kpi}",${matchers}`, window)
}

function quantile(kpi: QuantileKpi, by: readonly Label[], matchers: string, window: string): string {
  const buckets = `sum by (${['le', ...by].join(', ')}) (rate(trunkscope_post_dial_delay_seconds_bucket{${matchers}}[${window}]))`
  const count = increase('trunkscope_post_dial_delay_seconds_count', by, matchers, window)
  return `histogram_quantile(${kpi.p}, ${buckets}) ${enough(count, floorOf(kpi), by)}`
}

/** Fewest measurements of a median and of a 95th percentile (docs/cancels.md). */
const TO_CANCEL_MIN = { 0.5: 20, 0.95: 100 } as const

/** How long callers wait until they give up, of each value of the labels `by`. */
export function timeToCancel(p: keyof typeof TO_CANCEL_MIN, by: readonly Label[]): string {
  const buckets = `sum by (${['le', ...by].join(', ')}) (rate(trunkscope_time_to_cancel_seconds_bucket{${CHOSEN}}[${WINDOW}]))`
  const count = increase('trunkscope_time_to_cancel_seconds_count', by, CHOSEN)
  return `histogram_quantile(${p}, ${buckets}) ${enough(count, TO_CANCEL_MIN[p], by)}`
}

/** The share of attempts of which the capture lost a part: the doubt beside every number of the same row. */
export function captureLoss(by: readonly Label[], matchers = CHOSEN, window = WINDOW): string {
  const lost = increase('trunkscope_incomplete_attempts_total', by, matchers, window)
  const whole = increase('trunkscope_attempts_total', by, matchers, window)
  return `${lost} / (${whole} + ${lost}) ${enough(`${whole} + ${lost}`, LOW_CONFIDENCE_BELOW, by)}`
}

function enough(count: string, floor: number, by: readonly Label[]): string {
  return `and${by.length === 0 ? '' : ` on (${by.join(', ')})`} (${count} >= ${floor})`
}
