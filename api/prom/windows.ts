/**
 * Where the points of a request lie in minutes, and what has to be read for them.
 *
 * A minute `[m, m + 60 s)` is a sample at its end. The samples of a window `(t − w, t]` are cut into buckets of equal
 * length, the longest that has an edge at each end of each window, so that overlapping windows are read once and slid over
 * in memory. Buckets of whole hours or days are read from `kpi_hour` and `kpi_day` (../kpi/grains.ts).
 *
 * A series lives 24 h after its last sample, counted to the full hour, so that the hour rollups can tell.
 */
import type { Grid, SeriesRequest } from './series.js'

export const MINUTE_S = 60
const HOUR_S = 3_600
const DAY_S = 86_400
const LIFE_S = DAY_S

export interface Point {
  /** Samples with an end in `(fromS, toS]` are the window. */
  fromS: number
  toS: number
  /** The series is there when its last sample ends after this. */
  aliveFromS: number
}

export interface Windows {
  points: Point[]
  /** Bucket b holds the samples with an end in `(baseS + b × bucketS, baseS + (b + 1) × bucketS]`. */
  baseS: number
  bucketS: number
  buckets: number
  /** Samples from here to `baseS` tell who is alive. */
  lifeFromS: number
  /** The last sample that is served. */
  toS: number
  warnings: string[]
}

export function gridPoints({ startS, endS, stepS }: Grid): number[] {
  if (endS <= startS) return [startS]
  return Array.from({ length: Math.floor((endS - startS) / stepS) + 1 }, (_, at) => startS + at * stepS)
}

/** @param servedUntilS  the end of the last minute that is over */
export function windowsOf(
  request: Pick<SeriesRequest, 'grid' | 'offsetS' | 'windowS' | 'over'>,
  servedUntilS: number,
): Windows {
  const { grid, offsetS, over } = request
  const windowS = over === 'last' ? 0 : Math.max(MINUTE_S, request.windowS ?? MINUTE_S)
  const points = gridPoints(grid).map((atS): Point => {
    const pointS = atS - offsetS
    const toS = floorTo(MINUTE_S, pointS)
    const fromS = over === 'last' ? toS : floorTo(MINUTE_S, pointS - windowS)
    return { fromS, toS, aliveFromS: Math.min(fromS, floorTo(HOUR_S, pointS - LIFE_S)) }
  })
  const [first, last] = [points[0]!, points.at(-1)!]
  const { stepS } = grid
  const isOnMinutes = stepS % MINUTE_S === 0 && windowS % MINUTE_S === 0
  const bucketS =
    points.length === 1
      ? Math.max(MINUTE_S, first.toS - first.fromS)
      : isOnMinutes
        ? greatestDivisor(stepS, windowS)
        : MINUTE_S
  const toS = Math.max(first.fromS, Math.min(last.toS, servedUntilS))
  return {
    points,
    baseS: first.fromS,
    bucketS,
    buckets: Math.ceil((toS - first.fromS) / bucketS),
    lifeFromS: first.aliveFromS,
    toS,
    warnings:
      over !== 'last' && (request.windowS ?? MINUTE_S) < MINUTE_S
        ? [`a window of ${request.windowS}s is answered as 1m: the rollups hold whole minutes`]
        : [],
  }
}

/** The finest rows that the windows need: those at the edge of the first, and of each where there are many. */
export function finestOf({ baseS, bucketS, points }: Windows): 'minutes' | 'hours' | 'days' {
  const isOn = (unitS: number) => baseS % unitS === 0 && (points.length === 1 || bucketS % unitS === 0)
  return isOn(DAY_S) ? 'days' : isOn(HOUR_S) ? 'hours' : 'minutes'
}

export function floorTo(unitS: number, atS: number): number {
  return Math.floor(atS / unitS) * unitS
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}

/** What was read of one series: entries in the order of time. */
export interface BucketValues {
  /** −1: before the base. */
  buckets: readonly number[]
  values: readonly number[]
  /** The end of the last sample of each. */
  lastEndsS: readonly number[]
}

/** The value at each point: of `increase` the window's sum, of `last` all there is up to it. */
export function slide(
  windows: Windows,
  over: 'last' | 'increase',
  read: BucketValues,
  { knownFromS, servedUntilS }: { knownFromS: number; servedUntilS: number },
): (number | undefined)[] {
  const { baseS, bucketS, points } = windows
  // Both indexes only move forward: points ascend.
  let [head, tail] = [0, 0]
  let [sum, lastEndS] = [0, Number.NEGATIVE_INFINITY]
  let passed = 0
  const bucketAt = (atS: number) => Math.floor((atS - baseS) / bucketS)
  return points.map(({ fromS, toS, aliveFromS }) => {
    const headBucket = bucketAt(toS)
    for (; head < read.buckets.length && read.buckets[head]! < headBucket; head++) {
      sum += read.values[head]!
      lastEndS = Math.max(lastEndS, read.lastEndsS[head]!)
    }
    if (over === 'increase') {
      const tailBucket = bucketAt(fromS)
      for (; tail < read.buckets.length && read.buckets[tail]! < tailBucket; tail++)
        passed += read.values[tail]!
      // Nothing of this window is served yet: no sample, which is not 0.
      if (fromS >= servedUntilS) return undefined
    }
    // Nor where the rows are gone.
    if (fromS < knownFromS) return undefined
    return lastEndS > aliveFromS ? sum - passed : undefined
  })
}
