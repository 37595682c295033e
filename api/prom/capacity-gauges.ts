// tidy: tested by test/api/routes/trunks.test.ts
/**
 * Peaks and contracted limits, `trunkscope_capacity_…`, from the hours of ../trunks/peaks.ts: at each point those of the last whole
 * hour, or the highest of the hours that end in the window of `max_over_time`. Limits are those of the configuration of now, for
 * what had a call within 24 h, so that a quiet hour does not hide one.
 *
 * Throws   PromError `execution` for other functions over time: peaks do not add up, and limits do not change with time.
 */
import { PEAK_SCOPES, trunkAddress } from '../../schemas/trunks.js'
import { type HourPeaks, readPeaks, type ScopePeaks } from '../trunks/peaks.js'
import { METRIC_NAME } from './labels.js'
import { askRegexes, holds } from './matchers.js'
import { PromError } from './prom-error.js'
import type { Asking } from './rollup-source.js'
import type { Series, SeriesAnswer, SeriesRequest } from './series.js'
import { namedBy } from './trunk-gauges.js'
import { floorTo, gridPoints } from './windows.js'

type Kind = 'concurrent_calls' | 'calls_per_second'
interface Gauge {
  kind: Kind
  isLimit: boolean
}

const GAUGES = {
  trunkscope_capacity_concurrent_calls_peak: { kind: 'concurrent_calls', isLimit: false },
  trunkscope_capacity_concurrent_calls_limit: { kind: 'concurrent_calls', isLimit: true },
  trunkscope_capacity_calls_per_second_peak: { kind: 'calls_per_second', isLimit: false },
  trunkscope_capacity_calls_per_second_limit: { kind: 'calls_per_second', isLimit: true },
} as const satisfies Record<string, Gauge>
export type CapacityGauge = keyof typeof GAUGES

export const isCapacityGauge = (name: string): name is CapacityGauge => Object.hasOwn(GAUGES, name)

const HOUR_S = 3_600
const DAY_S = 86_400
/** An hour of a group is a row. */
const SPAN_MAX_S = 31 * DAY_S

/** Hours that end in `(fromS, toS]` are looked at. */
interface Window {
  fromS: number
  toS: number
}

export async function readCapacityGauge(
  asking: Asking,
  name: CapacityGauge,
  request: SeriesRequest,
): Promise<SeriesAnswer> {
  const gauge: Gauge = GAUGES[name]
  const { readers, config, tests } = asking
  if (request.over !== 'last' && (request.over !== 'max' || gauge.isLimit)) {
    const instead = gauge.isLimit ? 'it is that of now' : 'use max_over_time'
    throw new PromError(
      'execution',
      `unsupported: ${request.over}_over_time of ${name}: ${instead}, see docs/prom.md`,
    )
  }
  const windows = windowsOf(asking, gauge, request)
  const toS = windows.at(-1)!.toS
  const fromS = Math.max(windows[0]!.fromS, toS - SPAN_MAX_S)
  const scope = PEAK_SCOPES.filter((one) => {
    const asked = namedBy(tests, 'scope')
    return asked.length === 0 || asked.includes(one)
  })
  const { groups, more } = await readPeaks(
    readers,
    config,
    { fromS: Math.max(0, floorTo(HOUR_S, fromS)), toS: Math.max(0, floorTo(HOUR_S, toS)) },
    { carrier: namedBy(tests, 'carrier'), site: [], scope },
  )
  const labels = groups.map(labelsOf)
  const answers = await askRegexes(readers, tests, [
    ...new Set(['', ...labels.flatMap((one) => Object.values(one))]),
  ])
  const series = groups.flatMap((group, at): Series[] => {
    const of = labels[at]!
    if (!tests.every((test) => holds(test, of[test.label] ?? '', answers))) return []
    const valueAt = gauge.isLimit ? limitOf(group, gauge) : peakOf(group, gauge)
    const values = windows.map((window) => (window.toS <= fromS ? undefined : valueAt(window)))
    return [{ labels: { [METRIC_NAME]: name, ...of }, values }]
  })
  return {
    series: series
      .filter(({ values }) => values.some((value) => value !== undefined))
      .slice(0, asking.limit + 1),
    warnings: [
      ...(fromS > windows[0]!.fromS ? ['peaks are read for the last 31 days of a range'] : []),
      ...(more > 0 ? [`${more} groups with lower peaks are left out`] : []),
    ],
  }
}

function windowsOf(
  { servedUntilS }: Pick<Asking, 'servedUntilS'>,
  { isLimit }: Gauge,
  { grid, offsetS, over, windowS = HOUR_S }: SeriesRequest,
): Window[] {
  return gridPoints(grid).map((atS) => {
    const pointS = Math.min(atS - offsetS, servedUntilS)
    if (isLimit) return { fromS: pointS - DAY_S - HOUR_S, toS: pointS }
    // The last whole hour ends within the hour before.
    return { fromS: pointS - (over === 'max' ? windowS : HOUR_S), toS: pointS }
  })
}

/** What a scope does not have is no label. */
function labelsOf({ scope, by }: ScopePeaks): Record<string, string> {
  const hasSite = scope !== 'carrier'
  return {
    scope,
    ...(by.carrier === '' ? {} : { carrier: by.carrier }),
    ...(hasSite ? { site: by.site === '' ? 'unknown' : by.site } : {}),
    ...(scope === 'trunk' ? { address: trunkAddress(by) } : {}),
  }
}

const endsIn = ({ hourS }: HourPeaks, { fromS, toS }: Window) =>
  hourS + HOUR_S > fromS && hourS + HOUR_S <= toS

function peakOf({ hours }: ScopePeaks, { kind }: Gauge) {
  return (window: Window): number | undefined => {
    const peaks = hours
      .filter((hour) => endsIn(hour, window))
      .map((hour) => (kind === 'concurrent_calls' ? hour.calls : hour.perSecond))
    return peaks.length === 0 ? undefined : Math.max(...peaks)
  }
}

function limitOf({ hours, peak }: ScopePeaks, { kind }: Gauge) {
  const { limit } = peak[kind]
  return (window: Window): number | undefined =>
    limit !== null && hours.some((hour) => endsIn(hour, window)) ? limit : undefined
}
