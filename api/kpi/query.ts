/**
 * From the parameters of `/v1/kpis` to a question that makes sense.
 *
 * Takes    texts as they stood in the address.
 * Returns  a `KpiQuery`, complete and checked.
 * Throws   ApiError (400) with what to write instead.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { Kpi } from '../../schemas/kpi/kpi.js'
import { KPI_CATALOG, KPI_NAMES, kpiOf } from '../../schemas/kpi-catalog.js'
import { keptFromS, keptOf } from '../../schemas/retention.js'
import { ApiError, didYouMean, nearestNames } from '../errors.js'
import { choicesOf, flagOf, listOf, oneOf, type Parameter, wholeNumberOf } from '../parameters.js'
import { isoOf, MINUTE_US, shown, spanOf } from '../time-span.js'

export const DIMENSIONS = ['carrier', 'site', 'direction'] as const
export type Dimension = (typeof DIMENSIONS)[number]
export const DIRECTIONS = ['inbound', 'outbound', 'unknown'] as const

/** Points of one series, as Grafana's Prometheus has it. */
export const POINTS_MAX = 11_000

export interface AskedKpi {
  /** The name it was asked by, and answers under: an id or an alias. */
  name: string
  kpi: Kpi
}

export interface KpiQuery {
  fromUs: number
  toUs: number
  groupBy: readonly Dimension[]
  /** Seconds; null without a series. */
  stepS: number | null
  /**
   * Steps of hours and more begin when hours or days do, so that hours and days answer them; of the first and the last counts
   * what lies in the range. Otherwise the first begins with the range, as in every answer of `/v1/kpis`.
   */
  byClock?: true
  kpis: readonly AskedKpi[]
  /** Columns of the rollups that whoever asks does not look at; the maps cost most. */
  without?: readonly string[]
  /** Values to keep, by dimension; an empty list keeps all. */
  where: Readonly<Record<Dimension, readonly string[]>>
  /** Read attempts, not rollups. */
  exact: boolean
}

/** KPIs of our own pages by their ids. */
export function kpisNamed(ids: readonly string[]): AskedKpi[] {
  return ALL_KPIS.filter(({ name }) => ids.includes(name))
}

export interface KpiParameters {
  from?: Parameter
  to?: Parameter
  group_by?: Parameter
  step?: Parameter
  kpi?: Parameter
  carrier?: Parameter
  site?: Parameter
  direction?: Parameter
  exact?: Parameter
}

export const ALL_KPIS: readonly AskedKpi[] = KPI_CATALOG.map((kpi) => ({ name: kpi.id, kpi }))

export function kpiQueryOf(written: KpiParameters, config: TrunkscopeConfig, nowUs: number): KpiQuery {
  const exact = flagOf('exact', written.exact)
  const stepS = stepOf(written.step)
  const span = spanOf(
    { from: oneOf('from', written.from), to: oneOf('to', written.to) },
    {
      nowUs,
      longestS: exact ? longestSpanS(config) : keptOf(config.retention).daysMonths * 31 * 86_400,
      ...(exact && stepS === null
        ? {}
        : { wholeMinutes: { otherwise: stepS === null ? ', or add exact=true' : ', or leave out step' } }),
    },
  )
  if (stepS !== null) checkPoints(span.fromUs, span.toUs, stepS)
  if (!exact) checkKept({ ...span, stepS }, config, nowUs)
  return {
    ...span,
    groupBy:
      written.group_by === undefined ? ['carrier'] : choicesOf('group_by', written.group_by, DIMENSIONS),
    stepS,
    kpis: askedKpisOf(written.kpi),
    where: {
      carrier: listOf(written.carrier),
      site: listOf(written.site),
      direction: choicesOf('direction', written.direction, DIRECTIONS),
    },
    exact,
  }
}

/** As far back as attempts are kept, and a month to spare. */
export function longestSpanS(config: TrunkscopeConfig): number {
  return (config.retention.attempts_months + 1) * 31 * 86_400
}

/** Of old events only the coarser rollups are left: what cuts an hour, or a day, has no answer any more. */
function checkKept(
  { fromUs, toUs, stepS }: { fromUs: number; toUs: number; stepS: number | null },
  config: TrunkscopeConfig,
  nowUs: number,
): void {
  const kept = keptFromS(keptOf(config.retention), Math.floor(nowUs / 1e6))
  for (const { whole, lengthS, finerUs } of [
    { whole: 'hours', lengthS: 3_600, finerUs: kept.minutes * 1e6 },
    { whole: 'days of UTC', lengthS: 86_400, finerUs: kept.hours * 1e6 },
  ]) {
    const sentence = `before ${isoOf(finerUs)} only whole ${whole} are kept`
    for (const [parameter, us] of [
      ['from', fromUs],
      ['to', toUs],
    ] as const) {
      const wholeUs = us - (us % (lengthS * 1e6))
      if (us === wholeUs || wholeUs >= finerUs) continue
      throw new ApiError(
        'TRUNKSCOPE_API_BAD_RANGE',
        `${parameter}=${isoOf(us)}: ${sentence}; write ${parameter}=${isoOf(wholeUs)}, or a later range`,
        { parameter },
      )
    }
    if (stepS === null || stepS % lengthS === 0 || fromUs >= finerUs) continue
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_RANGE',
      `step=${stepS}: ${sentence}; write step=${Math.ceil(stepS / lengthS) * lengthS}, or a later range`,
      { parameter: 'step' },
    )
  }
}

function stepOf(written: Parameter): number | null {
  const stepS = wholeNumberOf('step', written, { min: 60, max: 31_536_000, example: 300 })
  if (stepS === undefined) return null
  if (stepS % 60 === 0) return stepS
  throw new ApiError(
    'TRUNKSCOPE_API_BAD_NUMBER',
    `step=${stepS} is not a number of whole minutes; write step=${Math.ceil(stepS / 60) * 60}`,
    { parameter: 'step' },
  )
}

function checkPoints(fromUs: number, toUs: number, stepS: number): void {
  const seconds = (toUs - fromUs) / 1e6
  const points = Math.ceil(seconds / stepS)
  if (points <= POINTS_MAX) return
  throw new ApiError(
    'TRUNKSCOPE_API_TOO_MANY_POINTS',
    `step=${stepS} gives ${points} points from ${isoOf(fromUs)} to ${isoOf(toUs)}, at most ${POINTS_MAX} are answered; ` +
      `write step=${Math.ceil(seconds / POINTS_MAX / 60) * 60} or more, or a shorter range`,
    { parameter: 'step' },
  )
}

function askedKpisOf(written: Parameter): readonly AskedKpi[] {
  const names = listOf(written)
  if (names.length === 0) return ALL_KPIS
  return names.map((name) => {
    const kpi = kpiOf(name)
    if (kpi !== undefined) return { name, kpi }
    const suggestions = nearestNames(name, KPI_NAMES)
    throw new ApiError(
      'TRUNKSCOPE_API_UNKNOWN_KPI',
      `kpi=${shown(name)} is not in the catalog${didYouMean(suggestions) || ';'} there are ${KPI_NAMES.join(', ')}`,
      { parameter: 'kpi', suggestions },
    )
  })
}

const [HOUR_S, DAY_S] = [3_600, 86_400]

/** From where steps are counted; by the clock that is before the range, or its start. */
export function firstStepUs({
  fromUs,
  stepS,
  byClock,
}: Pick<KpiQuery, 'fromUs' | 'stepS' | 'byClock'>): number {
  if (byClock === undefined || stepS === null || stepS % HOUR_S !== 0) return fromUs
  return fromUs - (fromUs % (Math.min(stepS, DAY_S) * 1e6))
}

/** Start of each entry of the series, microseconds; none is before the range. */
export function stepStartsOf(
  query: Pick<KpiQuery, 'fromUs' | 'toUs' | 'byClock'> & { stepS: number },
): number[] {
  const firstUs = firstStepUs(query)
  const points = Math.ceil((query.toUs - firstUs) / 1e6 / query.stepS)
  return Array.from({ length: points }, (_, index) =>
    Math.max(query.fromUs, firstUs + index * query.stepS * 1e6),
  )
}

export function isWholeMinutes(query: { fromUs: number; toUs: number }): boolean {
  return query.fromUs % MINUTE_US === 0 && query.toUs % MINUTE_US === 0
}
