// tidy: tested by test/api/routes/trunks.test.ts
/**
 * The states of trunks, `trunkscope_trunk_…`: judged at each point of the grid from the minutes that are stored, by the walk of
 * ../trunks/state.ts, so that a threshold that is changed holds for the past, too.
 *
 * The newest point is held to what the tap sees, as in /v1/trunks: while a site is blind its trunks are unknown. Of points before
 * nobody knows any more whether they were.
 *
 * Throws   PromError `execution` for a function over time: a state is no sample.
 */
import { OTHER_ADDRESSES, type Trunk, trunkAddress } from '../../schemas/trunks.js'
import { TRUNKS_MAX } from '../trunks/read-minutes.js'
import {
  flapsSince,
  reachabilityOf,
  type StateChange,
  TRUNK_STATES,
  type TrunkState,
} from '../trunks/state.js'
import { readTrunks } from '../trunks/trunks.js'
import { METRIC_NAME } from './labels.js'
import { askRegexes, holds, type Test } from './matchers.js'
import { PromError } from './prom-error.js'
import type { Asking } from './rollup-source.js'
import type { Series, SeriesAnswer, SeriesRequest } from './series.js'
import { floorTo, gridPoints, MINUTE_S } from './windows.js'

const TRUNK_GAUGES = [
  'trunkscope_trunk_reachable',
  'trunkscope_trunk_state_seconds',
  'trunkscope_trunk_flaps',
] as const
export type TrunkGauge = (typeof TRUNK_GAUGES)[number]

export const isTrunkGauge = (name: string): name is TrunkGauge =>
  (TRUNK_GAUGES as readonly string[]).includes(name)

/** `unknown` has no value: an alert on 0 must not go off where nothing was seen. */
const VALUES: Readonly<Record<TrunkState, number | undefined>> = {
  up: 1,
  degraded: 0.5,
  down: 0,
  unknown: undefined,
}

const HOUR_S = 3_600
const DAY_S = 86_400
/** A row a trunk and minute: longer ranges have states at their end only. */
const SPAN_MAX_S = 2 * DAY_S

export async function readTrunkGauge(
  asking: Asking,
  gauge: TrunkGauge,
  request: SeriesRequest,
): Promise<SeriesAnswer> {
  const { readers, servedUntilS, tests, config } = asking
  if (request.over !== 'last') {
    throw new PromError(
      'execution',
      `unsupported: ${request.over}_over_time of ${gauge}, which is judged at each point, see docs/prom.md`,
    )
  }
  const timesS = gridPoints(request.grid).map((atS) =>
    floorTo(MINUTE_S, Math.min(atS - request.offsetS, servedUntilS)),
  )
  const [firstS, lastS] = [timesS[0]!, timesS.at(-1)!]
  const fromS = Math.max(firstS, lastS - SPAN_MAX_S)
  // A day and an hour before the last point, so that it is judged as in /v1/trunks; what looks back a day needs that everywhere.
  const walkedFromS =
    gauge === 'trunkscope_trunk_reachable'
      ? Math.min(fromS - HOUR_S, lastS - DAY_S - HOUR_S)
      : fromS - DAY_S - HOUR_S
  const walked = { fromS: Math.max(0, walkedFromS), untilS: Math.max(0, lastS) }
  const filter = { carrier: namedBy(tests, 'carrier'), site: namedBy(tests, 'site') }
  const { trunks, more } = await readTrunks({ readers, config }, walked, filter)
  const named = trunks.filter(({ trunk }) => trunk.farAddress !== OTHER_ADDRESSES)
  const labels = named.map(({ trunk }) => labelsOf(trunk))
  const answers = await askRegexes(readers, tests, [
    ...new Set([...TRUNK_STATES, ...labels.flatMap((one) => Object.values(one))]),
  ])
  const fits = (label: string, value: string) =>
    tests.every((test) => test.label !== label || holds(test, value, answers))
  const blind = lastS === servedUntilS ? await asking.blind?.() : undefined
  const series = named.flatMap(({ minutes, trunk }, at): Series[] => {
    const of = labels[at]!
    if (!Object.entries(of).every(([label, value]) => fits(label, value))) return []
    const { changes } = reachabilityOf(minutes, walked, config.thresholds)
    const isBlind = blind !== undefined && blind(trunk.site) !== ''
    const points = timesS.map((atS): Point | undefined =>
      atS < fromS ? undefined : pointOf(changes, { atS, isBlind: isBlind && atS === servedUntilS }),
    )
    return seriesOf(gauge, of, points).filter(
      (one) => one.labels.state === undefined || fits('state', one.labels.state),
    )
  })
  const warnings = [
    ...(fromS > firstS ? ['states of trunks are judged for the last two days of a range'] : []),
    ...(more > 0 ? [`only the ${TRUNKS_MAX} trunks with the most calls are looked at`] : []),
  ]
  return {
    series: series
      .filter(({ values }) => values.some((value) => value !== undefined))
      .slice(0, asking.limit + 1),
    warnings,
  }
}

/** The values that a label is asked to be one of; empty: any. */
export function namedBy(tests: readonly Test[], label: string): string[] {
  const sets = tests.flatMap((test) =>
    test.label === label && !test.isNegated && test.what.kind === 'set' ? [[...test.what.values]] : [],
  )
  return sets[0] ?? []
}

const labelsOf = (trunk: Trunk) => ({
  carrier: trunk.carrier,
  site: trunk.site === '' ? 'unknown' : trunk.site,
  address: trunkAddress(trunk),
})

interface Point {
  state: TrunkState
  forS: number
  flaps: number
}

/** At the end of the minute before `atS`: what began then is not over. */
function pointOf(
  changes: readonly StateChange[],
  { atS, isBlind }: { atS: number; isBlind: boolean },
): Point {
  const before = changes.filter((change) => change.atS <= atS - MINUTE_S)
  const last = before.at(-1)
  const flaps = flapsSince(before, atS - DAY_S)
  if (isBlind) return { state: 'unknown', forS: 0, flaps }
  return { state: last?.to ?? 'unknown', forS: Math.min(DAY_S, atS - (last?.atS ?? 0)), flaps }
}

function seriesOf(
  gauge: TrunkGauge,
  labels: Readonly<Record<string, string>>,
  points: readonly (Point | undefined)[],
): Series[] {
  const named = { [METRIC_NAME]: gauge, ...labels }
  switch (gauge) {
    case 'trunkscope_trunk_reachable':
      return [{ labels: named, values: points.map((point) => point && VALUES[point.state]) }]
    case 'trunkscope_trunk_flaps':
      return [{ labels: named, values: points.map((point) => point?.flaps) }]
    case 'trunkscope_trunk_state_seconds':
      return TRUNK_STATES.map((state) => ({
        labels: { ...named, state },
        values: points.map((point) => (point?.state === state ? point.forS : undefined)),
      }))
  }
}
