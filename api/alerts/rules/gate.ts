/**
 * Whether a number of the catalog is beyond a limit, and whether we may be sure of it.
 *
 * Takes    sums, the KPI, and one limit.
 * Returns  the value, what it rests on, and whether it `holds`: enough events speak for it and the Wilson interval at 95 %
 *          lies beyond the limit, so that two calls at night page nobody (metrics.md §8).
 * Throws   nothing.
 *
 * What counts as an event: of a ratio above its limit the attempts above the line, below its limit those below the line only;
 * of a quantile the delays beyond the limit, whose share must surely be more than the quantile leaves for them; a mean has no
 * spread in the rollups, so there all measurements count and must be many.
 */
import { bucketDelayMs } from '../../../schemas/delay-histogram.js'
import type { Kpi } from '../../../schemas/kpi/kpi.js'
import { rounded, wilsonInterval } from '../../kpi/interval.js'
import { countOf, histogramOf, quantileMs, type Sums } from '../../kpi/sums.js'

/** Ratio as 0..1, seconds otherwise. */
export type Limit = { above: number } | { below: number }

export interface Gated {
  holds: boolean
  /** null where there is nothing to measure. */
  value: number | null
  /** That speak for the alert. */
  events: number
  /** In the denominator, or measured. */
  n: number
  /** Of the ratio, or of the share of delays beyond the limit; null for a mean and for 0 of 0. */
  interval: readonly [number, number] | null
}

export function gated(kpi: Kpi, sums: Sums, limit: Limit, floorEvents: number): Gated {
  const isAbove = 'above' in limit
  const at = isAbove ? limit.above : (limit as { below: number }).below
  if (kpi.kind === 'ratio') {
    const numerator = countOf(sums, `${kpi.id}_numerator`)
    const n = countOf(sums, `${kpi.id}_denominator`)
    const interval = wilsonInterval(numerator, n)
    const events = isAbove ? numerator : n - numerator
    const isSure = interval !== null && (isAbove ? interval[0] > at : interval[1] < at)
    return {
      holds: events >= floorEvents && isSure,
      value: n === 0 ? null : numerator / n,
      events,
      n,
      interval: short(interval),
    }
  }
  if (kpi.kind === 'mean') {
    const n = countOf(sums, `${kpi.id}_count`)
    const value = n === 0 ? null : countOf(sums, `${kpi.id}_sum_ms`) / n / 1_000
    const holds =
      value !== null && n >= Math.max(floorEvents, kpi.floor) && (isAbove ? value > at : value < at)
    return { holds, value, events: n, n, interval: null }
  }
  const n = countOf(sums, `${kpi.histogram}_count`)
  const valueMs = quantileMs(sums, kpi.id, kpi.p)
  let events = 0
  for (const [bucket, count] of histogramOf(sums)) {
    const delayS = bucketDelayMs(bucket) / 1_000
    if (isAbove ? delayS > at : delayS < at) events += count
  }
  const interval = wilsonInterval(events, n)
  const isSure = interval !== null && interval[0] > (isAbove ? 1 - kpi.p : kpi.p)
  return {
    holds: events >= floorEvents && n >= kpi.floor && isSure,
    value: valueMs === null ? null : valueMs / 1_000,
    events,
    n,
    interval: short(interval),
  }
}

function short(interval: [number, number] | null): [number, number] | null {
  return interval === null ? null : [rounded(interval[0]), rounded(interval[1])]
}
