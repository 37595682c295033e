/**
 * What got significantly worse: the last quarter of the range against the part before it, the same carrier.
 *
 * Takes    the sums of the steps of one carrier.
 * Returns  the numbers whose two 95 % intervals do not overlap, and that moved the bad way. Ratios by Wilson, quantiles by
 *          the ranks around them and the error of the histogram. Recent attempts that are still open are taken to end
 *          well: what fails fast closes first, and must not look like a trend. With many carriers one such change in some
 *          hundred comparisons is chance, and the page says what it compares.
 */
import { bucketDelayMs } from '../../schemas/delay-histogram.js'
import type { Kpi } from '../../schemas/kpi/kpi.js'
import { kpiOf } from '../../schemas/kpi-catalog.js'
import { type KpiValue, kpiValueOf } from '../kpi/answer.js'
import { quantileRanks, wilsonInterval } from '../kpi/interval.js'
import { addSums, anyAttempts, countOf, emptySums, histogramOf, type Sums } from '../kpi/sums.js'

/** Which way is bad. */
const WATCHED = {
  asr: 'down',
  ner: 'down',
  rate_487: 'up',
  pre_ring_487_rate: 'up',
  pdd_p50: 'up',
  pdd_p95: 'up',
  rate_5xx: 'up',
  no_response_rate: 'up',
  attestation_a_rate: 'down',
  attestation_none_rate: 'up',
} as const
export type WatchedKpi = keyof typeof WATCHED
export const WATCHED_IDS = Object.keys(WATCHED) as WatchedKpi[]

/** The most by which a histogram's answer is off (schemas/delay-histogram.ts). */
const HISTOGRAM_ERROR = 0.015

export interface Change {
  kpi: Kpi
  recent: KpiValue
  before: KpiValue
}

/** How many of the steps count as recent. */
export function recentSteps(steps: number): number {
  return Math.max(1, Math.round(steps / 4))
}

function splitOf(steps: readonly Sums[]): { before: Sums; recent: Sums; beforeSteps: number } {
  const beforeSteps = steps.length - recentSteps(steps.length)
  return {
    before: steps.slice(0, beforeSteps).reduce(addSums, emptySums()),
    recent: steps.slice(beforeSteps).reduce(addSums, emptySums()),
    beforeSteps,
  }
}

export function changesForTheWorse(steps: readonly Sums[]): Map<WatchedKpi, Change> {
  const { before, recent } = splitOf(steps)
  const changes = new Map<WatchedKpi, Change>()
  for (const [id, badWay] of Object.entries(WATCHED) as [WatchedKpi, 'up' | 'down'][]) {
    const kpi = kpiOf(id)
    if (kpi === undefined) continue
    const then = boundsOf(kpi, before, 0, badWay)
    const now = boundsOf(kpi, recent, countOf(recent, 'open'), badWay)
    if (then === null || now === null) continue
    const isWorse = badWay === 'up' ? now[0] > then[1] : now[1] < then[0]
    if (isWorse) changes.set(id, { kpi, recent: kpiValueOf(kpi, recent), before: kpiValueOf(kpi, before) })
  }
  return changes
}

/** As many attempts as this were to be expected, and none came: chance is below 1 in 20,000. */
const EXPECTED_MIN = 10

/**
 * Attempts before a carrier fell silent, or undefined: it did not, or had too few to tell.
 *
 * @param recentToBefore  how long the recent steps are beside those before, where the first or the last is a shorter one
 */
export function attemptsBeforeSilence(
  steps: readonly Sums[],
  recentToBefore = recentSteps(steps.length) / (steps.length - recentSteps(steps.length)),
): number | undefined {
  const { before, recent, beforeSteps } = splitOf(steps)
  const attempts = anyAttempts(before)
  if (anyAttempts(recent) > 0 || beforeSteps <= 0) return undefined
  return attempts * recentToBefore >= EXPECTED_MIN ? attempts : undefined
}

function boundsOf(
  kpi: Kpi,
  sums: Sums,
  openAttempts: number,
  badWay: 'up' | 'down',
): [low: number, high: number] | null {
  const value = kpiValueOf(kpi, sums)
  if (value.value === null) return null
  if (value.unit === 'ratio') {
    const open = badWay === 'down' ? openAttempts : 0
    return wilsonInterval(value.numerator + open, value.denominator + openAttempts)
  }
  if (kpi.kind !== 'quantile') return null
  const [low, high] = quantileRanks(kpi.p, countOf(sums, 'pdd_count'))
  return [atRank(sums, low) * (1 - HISTOGRAM_ERROR), atRank(sums, high) * (1 + HISTOGRAM_ERROR)]
}

/** Milliseconds of the measurement with this rank, from 1. */
function atRank(sums: Sums, rank: number): number {
  let left = rank
  const buckets = [...histogramOf(sums)].sort(([a], [b]) => a - b)
  for (const [bucket, count] of buckets) {
    left -= count
    if (left <= 0) return bucketDelayMs(bucket)
  }
  return bucketDelayMs(buckets.at(-1)?.[0] ?? 0)
}
