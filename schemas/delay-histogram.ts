/**
 * The log-bucket histogram of delays that rollups carry. One fixed layout with a version: mixed layouts give nonsense.
 *
 * Bucket i holds the delays in (γ^(i−1), γ^i] milliseconds; bucket 0 holds everything up to 1 ms. A bucket answers with
 * the value whose relative error is the same at both of its ends: at most (γ−1)/(γ+1) = 1.48 %.
 */
export const DELAY_HISTOGRAM_VERSION = 1
const GAMMA = 1.03
const LOG_GAMMA = Math.log(GAMMA)
/** γ^512 ms is 62 minutes: longer delays share the last bucket. */
const LAST_BUCKET = 512

export function delayBucket(delayMs: number): number {
  if (delayMs <= 1) return 0
  return Math.min(LAST_BUCKET, Math.ceil(Math.log(delayMs) / LOG_GAMMA - 1e-9))
}

/** The same, of a column of milliseconds in SQL. */
export function delayBucketSql(delayMs: string): string {
  return `toUInt16(if(${delayMs} <= 1, 0, least(${LAST_BUCKET}, ceil(log(${delayMs}) / ${LOG_GAMMA} - 1e-9))))`
}

/** Milliseconds that stand for a bucket. */
export function bucketDelayMs(bucket: number): number {
  if (bucket === 0) return 1
  return (2 * GAMMA ** bucket) / (1 + GAMMA)
}

/** Nearest-rank quantile `x[ceil(p·n) − 1]` over bucket counts, in milliseconds; null without measurements. */
export function histogramQuantileMs(counts: ReadonlyMap<number, number>, p: number): number | null {
  const buckets = [...counts].filter(([, count]) => count > 0).sort(([a], [b]) => a - b)
  const total = buckets.reduce((sum, [, count]) => sum + count, 0)
  if (total === 0) return null
  let rank = Math.max(1, Math.ceil(p * total))
  for (const [bucket, count] of buckets) {
    rank -= count
    if (rank <= 0) return bucketDelayMs(bucket)
  }
  return null
}
