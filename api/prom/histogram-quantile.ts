/**
 * `histogram_quantile`: the quantile of each set of buckets that differ in `le` alone.
 *
 * Buckets are cumulative. Inside a bucket observations are taken as spread evenly, the first begins at 0, and what lies in
 * the `+Inf` bucket is given as the highest finite edge. NaN without observations, without a `+Inf` bucket and without a
 * second bucket; below 0 and above 1 the quantile is infinite. A series whose `le` is no number is left out.
 *
 * Source   prometheus/promql/quantile.go 2.42 (bucketQuantile), functions.go (funcHistogramQuantile)
 */
import { dropLabels, type Labels, labelsKey, METRIC_NAME } from './labels.js'
import { GrowingVector, type ScalarValue, type VectorSeries, type VectorValue } from './value.js'

const LE = 'le'
const NOT_KEPT: ReadonlySet<string> = new Set([LE, METRIC_NAME])

interface Bucket {
  upperBound: number
  count: number
}

interface Histogram {
  labels: Labels
  buckets: { upperBound: number; series: VectorSeries }[]
}

export function histogramQuantile(quantile: ScalarValue, vector: VectorValue, points: number): VectorValue {
  const histograms = new Map<string, Histogram>()
  for (const series of vector.series) {
    const upperBound = upperBoundOf(series.labels[LE] ?? '')
    if (upperBound === undefined) continue
    const labels = dropLabels(series.labels, NOT_KEPT)
    const key = labelsKey(labels)
    const histogram = histograms.get(key) ?? { labels, buckets: [] }
    histogram.buckets.push({ upperBound, series })
    histograms.set(key, histogram)
  }

  const growing = new GrowingVector(points)
  for (const { labels, buckets } of histograms.values()) {
    buckets.sort((a, b) => a.upperBound - b.upperBound)
    const row = growing.row(labels)
    for (let point = 0; point < points; point += 1) {
      const present: Bucket[] = []
      for (const { upperBound, series } of buckets) {
        const count = series.values[point]
        if (count !== undefined) present.push({ upperBound, count })
      }
      if (present.length > 0) growing.put(row, point, bucketQuantile(quantile.values[point]!, present))
    }
  }
  return growing.finish()
}

/** What Go's ParseFloat reads, without hexadecimals. */
function upperBoundOf(text: string): number | undefined {
  if (/^\+?inf(?:inity)?$/i.test(text)) return Number.POSITIVE_INFINITY
  if (/^-inf(?:inity)?$/i.test(text)) return Number.NEGATIVE_INFINITY
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined
}

/** Takes buckets in order of their edges. */
function bucketQuantile(quantile: number, unmerged: readonly Bucket[]): number {
  if (Number.isNaN(quantile)) return Number.NaN
  if (quantile < 0) return Number.NEGATIVE_INFINITY
  if (quantile > 1) return Number.POSITIVE_INFINITY
  if (unmerged.at(-1)!.upperBound !== Number.POSITIVE_INFINITY) return Number.NaN

  const buckets = cumulative(unmerged)
  const last = buckets.length - 1
  const observations = buckets[last]!.count
  if (buckets.length < 2 || observations === 0 || Number.isNaN(observations)) return Number.NaN

  const rank = quantile * observations
  let found = 0
  while (found < last && buckets[found]!.count < rank) found += 1
  if (found === last) return buckets[last - 1]!.upperBound
  const { upperBound, count } = buckets[found]!
  if (found === 0 && upperBound <= 0) return upperBound
  const before = found === 0 ? { upperBound: 0, count: 0 } : buckets[found - 1]!
  const share = (rank - before.count) / (count - before.count)
  return before.upperBound + (upperBound - before.upperBound) * share
}

/** Equal edges ("1" and "1.0") are one bucket, and rounding must not let a count fall. */
function cumulative(unmerged: readonly Bucket[]): Bucket[] {
  const buckets: Bucket[] = []
  for (const { upperBound, count } of unmerged) {
    const last = buckets.at(-1)
    if (last?.upperBound === upperBound) last.count += count
    else buckets.push({ upperBound, count })
  }
  let highest = Number.NEGATIVE_INFINITY
  for (const bucket of buckets) {
    if (bucket.count > highest) highest = bucket.count
    else if (bucket.count < highest) bucket.count = highest
  }
  return buckets
}
