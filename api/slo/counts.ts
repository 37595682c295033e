/**
 * Good and bad attempts of many windows at once. The starts and ends of all windows cut time into segments; one statement
 * over the rollups sums each segment, and a window is the difference of two running sums.
 *
 * Takes    instances, and the moments at which their windows begin and end (whole minutes).
 * Returns  counts of any window between two of the moments; what maintenance takes out is counted apart.
 * Throws   ApiError when the moments are so many that the answer would not fit.
 *
 * Only legs of carriers count: what comes from peers that nobody configured is no one's promise, and whoever scans an SBC
 * from outside must not burn a budget.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { SloConfig } from '../../schemas/slos.js'
import { ApiError } from '../errors.js'
import { GRAIN_S, type Grain, type Parts, partsOf, readStale } from '../kpi/grains.js'
import type { Readers } from '../readers.js'
import type { WindowCount } from './burn.js'
import { isAbout, type SloInstance } from './instances.js'
import { isTakenOut, type Maintenance, maintenanceOf } from './maintenance.js'

export interface SloCount extends Pick<WindowCount, 'bad' | 'valid'> {
  /** In any state; those taken out as well. */
  attempts: number
  takenOut: Pick<WindowCount, 'bad' | 'valid'>
}

/** Segments times groups of one statement: bounds what the store has to hand over. */
const ROWS_MAX = 150_000

/** The KPI that judges an attempt: its numerator is good, its denominator valid. */
export const INDICATOR_KPI: Record<SloConfig['indicator'], 'availability' | 'progress'> = {
  availability: 'availability',
  pdd: 'progress',
}

/**
 * Where a window that ends at `atS` begins. One of a day or more begins on the whole hour at or before: its far end is then
 * read from sums of hours.
 */
export function windowFromS(atS: number, windowS: number): number {
  const fromS = atS - windowS
  return Math.max(0, windowS >= GRAIN_S.day ? fromS - (fromS % GRAIN_S.hour) : fromS)
}

export async function readSloCounts(
  readers: Readers,
  config: TrunkscopeConfig,
  instances: readonly SloInstance[],
  momentsS: readonly number[],
): Promise<SloCounts> {
  const sorted = [...new Set(momentsS)].sort((a, b) => a - b)
  const [firstS, lastS] = [sorted[0] ?? 0, sorted.at(-1) ?? 0]
  const maintenance = maintenanceOf(config.maintenance).filter(
    ({ fromS, toS }) => fromS < lastS && toS > firstS,
  )
  const bounds = maintenance.flatMap(({ fromS, toS }) => [Math.max(firstS, fromS), Math.min(lastS, toS)])
  const cutsS = [...new Set([...sorted, ...bounds])].sort((a, b) => a - b)
  const counts = new SloCounts(instances, cutsS)
  if (instances.length === 0 || cutsS.length < 2) return counts

  const dimensions = dimensionsFor(instances, maintenance)
  checkSize(cutsS.length, dimensions, config)
  const asked = { fromUs: firstS * 1e6, toUs: lastS * 1e6, stepS: null }
  const stale = await readStale(readers, asked, config)
  const parts = joined(
    cutsS.slice(1).map((toS, at) => partsOf({ ...asked, fromUs: cutsS[at]! * 1e6, toUs: toS * 1e6 }, stale)),
  )
  const kpis = [...new Set(instances.map(({ slo }) => INDICATOR_KPI[slo.indicator]))]
  const { query, parameters } = statementOf(parts, dimensions, kpis)
  for (const row of await readers.select<Row>(query, { ...parameters, cuts: cutsS })) {
    counts.add(row, maintenance)
  }
  counts.sumUp()
  return counts
}

type Row = Record<string, string | number> & { cut_s: number }

const DIMENSIONS = ['carrier', 'site'] as const
type Dimension = (typeof DIMENSIONS)[number]

/** Without need for one the store sums over it. */
function dimensionsFor(
  instances: readonly SloInstance[],
  maintenance: readonly Maintenance[],
): readonly Dimension[] {
  return DIMENSIONS.filter((dimension) => {
    const names = `${dimension}s` as const
    return (
      maintenance.some((one) => one[names] !== undefined) ||
      instances.some(({ slo, labels }) => labels[dimension] !== undefined || slo[names] !== undefined)
    )
  })
}

function checkSize(cuts: number, dimensions: readonly Dimension[], config: TrunkscopeConfig): void {
  const groups = dimensions.reduce(
    (product, dimension) => product * (config[`${dimension}s` as const].length + 1),
    1,
  )
  if (cuts * groups <= ROWS_MAX) return
  throw new ApiError(
    'TRUNKSCOPE_API_TOO_MANY_POINTS',
    `${cuts} starts and ends of windows for ${groups} carriers and sites are more than one answer holds; ` +
      'write a larger step or a shorter range',
    { parameter: 'step' },
  )
}

/** Ranges of neighbouring segments that meet are one condition. */
function joined(segments: readonly Parts[]): Parts {
  const parts: Parts = { minute: [], hour: [], day: [] }
  for (const segment of segments) {
    for (const grain of Object.keys(parts) as Grain[]) {
      for (const { fromS, toS } of segment[grain]) {
        const last = parts[grain].at(-1)
        if (last?.toS === fromS) last.toS = toS
        else parts[grain].push({ fromS, toS })
      }
    }
  }
  return parts
}

function statementOf(parts: Parts, dimensions: readonly Dimension[], kpis: readonly string[]) {
  const parameters: Record<string, number> = {}
  const columns = ['attempts', ...kpis.flatMap((kpi) => [`${kpi}_numerator`, `${kpi}_denominator`])]
  const branches = (Object.keys(parts) as Grain[])
    .filter((grain) => parts[grain].length > 0)
    .map((grain) => {
      const ranges = parts[grain].map(({ fromS, toS }, at) => {
        parameters[`${grain}_${at}_from`] = fromS
        parameters[`${grain}_${at}_to`] = toS
        return `(${grain} >= toDateTime({${grain}_${at}_from:UInt32}, 'UTC') AND ${grain} < toDateTime({${grain}_${at}_to:UInt32}, 'UTC'))`
      })
      return `SELECT ${[...dimensions, `toUInt32(${grain}) AS start_s`, 'attempts + open + incomplete AS attempts', ...columns.slice(1)].join(', ')}
  FROM kpi_${grain} FINAL WHERE (${ranges.join(' OR ')}) AND party = 'carrier'`
    })
  const groups = [...dimensions, 'cut_s']
  return {
    query: `SELECT ${[...dimensions, 'roundDown(start_s, {cuts:Array(UInt32)}) AS cut_s', ...columns.map((column) => `sum(${column}) AS sum_${column}`)].join(', ')}
FROM (${branches.join('\n  UNION ALL ')})
GROUP BY ${groups.join(', ')}`,
    parameters,
  }
}

/** Counts of one instance: first a segment each, then summed up from the first cut to each. */
interface Lane {
  bad: Float64Array
  valid: Float64Array
  attempts: Float64Array
  badOut: Float64Array
  validOut: Float64Array
}

export class SloCounts {
  readonly #instances: readonly SloInstance[]
  readonly #cutsS: readonly number[]
  readonly #indexOf: Map<number, number>
  readonly #lanes: Lane[]
  /** By carrier and site. */
  readonly #about = new Map<string, number[]>()

  constructor(instances: readonly SloInstance[], cutsS: readonly number[]) {
    this.#instances = instances
    this.#cutsS = cutsS
    this.#indexOf = new Map(cutsS.map((cutS, index) => [cutS, index]))
    const array = () => new Float64Array(cutsS.length)
    this.#lanes = instances.map(() => ({
      bad: array(),
      valid: array(),
      attempts: array(),
      badOut: array(),
      validOut: array(),
    }))
  }

  add(row: Row, maintenance: readonly Maintenance[]): void {
    const [carrier, site] = [String(row.carrier ?? ''), String(row.site ?? '')]
    const isOut = maintenance.some(
      (one) => one.fromS <= row.cut_s && row.cut_s < one.toS && isTakenOut(one, carrier, site),
    )
    // A segment's counts stand at the cut that ends it, so that the running sum of a cut is what came before it.
    const at = (this.#indexOf.get(Number(row.cut_s)) ?? 0) + 1
    if (at >= this.#cutsS.length) return
    for (const index of this.#instancesAbout(carrier, site)) {
      const lane = this.#lanes[index]!
      const kpi = INDICATOR_KPI[this.#instances[index]!.slo.indicator]
      const valid = Number(row[`sum_${kpi}_denominator`])
      const bad = valid - Number(row[`sum_${kpi}_numerator`])
      lane.attempts[at]! += Number(row.sum_attempts)
      lane[isOut ? 'badOut' : 'bad'][at]! += bad
      lane[isOut ? 'validOut' : 'valid'][at]! += valid
    }
  }

  #instancesAbout(carrier: string, site: string): number[] {
    const key = `${carrier}\n${site}`
    let about = this.#about.get(key)
    if (about === undefined) {
      about = this.#instances.flatMap((instance, index) => (isAbout(instance, carrier, site) ? [index] : []))
      this.#about.set(key, about)
    }
    return about
  }

  sumUp(): void {
    for (const lane of this.#lanes) {
      for (const counts of Object.values(lane) as Float64Array[]) {
        for (let at = 1; at < counts.length; at++) counts[at]! += counts[at - 1]!
      }
    }
  }

  /** @param index of the instance in the list that was asked for; both times are moments that were asked for */
  between(index: number, fromS: number, toS: number): SloCount {
    const lane = this.#lanes[index]!
    const [from, to] = [this.#indexOf.get(fromS), this.#indexOf.get(toS)]
    if (from === undefined || to === undefined) throw new Error(`${fromS} to ${toS} was not asked for`)
    const difference = (counts: Float64Array) => counts[to]! - counts[from]!
    return {
      bad: difference(lane.bad),
      valid: difference(lane.valid),
      attempts: difference(lane.attempts),
      takenOut: { bad: difference(lane.badOut), valid: difference(lane.validOut) },
    }
  }
}
