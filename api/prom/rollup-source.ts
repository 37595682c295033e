/**
 * Series out of the rollups: what the evaluator asks, answered through the connections of one principal. A selector costs
 * one statement, and where hours may be read a look at which of them are stale.
 *
 * Only legs of carriers and of unknown peers count, as in /v1/kpis. The minute that runs is not served: half a minute looks
 * like a fall.
 *
 * Throws   PromError: `execution` for what a metric cannot be asked, `timeout` where the store is busy or stopped it.
 *          Who asks is in the readers: nothing else decides what is seen.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { RATIO_KPIS } from '../../schemas/kpi-catalog.js'
import { PROM_SERIES_NAMES, type PromSeriesName } from '../../schemas/prom-metrics.js'
import { keptFromS, keptOf } from '../../schemas/retention.js'
import { ApiError, didYouMean, nearestNames } from '../errors.js'
import { type Parts, partsOf, readStale, type Stale } from '../kpi/grains.js'
import type { Readers } from '../readers.js'
import { isoOf, shown } from '../time-span.js'
import { isCapacityGauge, readCapacityGauge } from './capacity-gauges.js'
import { CERTIFICATE_GAUGE, readCertificateGauge } from './certificate-gauge.js'
import { readRatios } from './kpi-ratio.js'
import { METRIC_NAME } from './labels.js'
import { askRegexes, Conditions, holds, type RegexAnswers, type Test, testOf } from './matchers.js'
import { PromError } from './prom-error.js'
import { COUNTER_FAMILIES, type Family, LE_NAMES, perUnitOf } from './rollup-families.js'
import { AGENTS_MAX, labelsOf, type SeriesRow, statementOf } from './rollup-sql.js'
import type { Selector, Series, SeriesAnswer, SeriesRequest, SeriesSource } from './series.js'
import { readSlo } from './slo-gauges.js'
import { isTrunkGauge, readTrunkGauge } from './trunk-gauges.js'
import { type BucketValues, finestOf, floorTo, slide, type Windows, windowsOf } from './windows.js'

/** Bounds of one selector's answer. */
const SERIES_MAX = 10_000
const VALUES_MAX = 2_000_000
/** What is read of the store: a bucket of a series is an entry. */
const ENTRIES_MAX = 4_000_000
const KPI_RATIO = 'trunkscope_kpi_ratio'
const HOUR_S = 3_600
const DAY_S = 86_400

export interface SourceDeps {
  readers: Readers
  config: TrunkscopeConfig
  /** The end of the last minute that is over. */
  servedUntilS: number
  /** Why the tap of a site sees nothing now, '' where it sees; left out: nobody looks. */
  blind?: () => Promise<(site: string) => string>
  /** For tests: 'minute' reads minutes only. */
  grains?: 'minute'
}

/** What a selector asks of one metric, with regular expressions on values we know already answered. */
export interface Asking extends SourceDeps {
  metric: PromSeriesName
  tests: readonly Test[]
  answers: RegexAnswers
  /** Most series that fit the answer. */
  limit: number
}

export class RollupSource implements SeriesSource {
  readonly #deps: SourceDeps

  constructor(deps: SourceDeps) {
    this.#deps = deps
  }

  async read(request: SeriesRequest): Promise<SeriesAnswer> {
    try {
      const points =
        Math.floor((request.grid.endS - request.grid.startS) / Math.max(1, request.grid.stepS)) + 1
      const limit = Math.max(1, Math.min(SERIES_MAX, Math.floor(VALUES_MAX / points)))
      const asked = await this.#askings(request.selector, limit)
      if (asked.length === 0) return { series: [], warnings: unknownName(request.selector) }
      const warnings = new Set<string>()
      const series: Series[] = []
      for (const asking of asked) {
        const answer = await readMetric(asking, request)
        series.push(...answer.series)
        for (const warning of answer.warnings) warnings.add(warning)
      }
      if (series.length > limit) {
        series.length = limit
        warnings.add(
          `the answer was cut at ${limit} series of ${points} points: ask for fewer, or with a larger step`,
        )
      }
      return { series, warnings: [...warnings] }
    } catch (error) {
      throw promErrorOf(error)
    }
  }

  /** The metrics that a selector names; a matcher that is content with no value fits what has no such label. */
  async #askings({ metric, matchers }: Selector, limit: number): Promise<Asking[]> {
    const tests = matchers.map(testOf)
    const nameTests = tests.filter(({ label }) => label === METRIC_NAME)
    const named = PROM_SERIES_NAMES.filter(({ name }) => metric === undefined || name === metric)
    const known = [
      '',
      ...(nameTests.length > 0 ? named.map(({ name }) => name) : []),
      ...named.flatMap(({ name }) => knownValues(name)),
    ]
    const answers = await askRegexes(this.#deps.readers, tests, [...new Set(known)])
    const others = tests.filter(({ label }) => label !== METRIC_NAME)
    return named
      .filter(
        ({ name, labels }) =>
          nameTests.every((test) => holds(test, name, answers)) &&
          others.every((test) => labels.includes(test.label) || holds(test, '', answers)),
      )
      .map((found) => ({
        ...this.#deps,
        metric: found,
        tests: others.filter(({ label }) => found.labels.includes(label)),
        answers,
        limit,
      }))
  }
}

/** Values of labels that no table holds. */
function knownValues(name: string): readonly string[] {
  if (name.endsWith('_bucket')) return LE_NAMES
  return name === KPI_RATIO ? RATIO_KPIS.map(({ id }) => id) : (COUNTER_FAMILIES[name]?.key?.names ?? [])
}

function unknownName({ metric }: Selector): string[] {
  if (metric === undefined || PROM_SERIES_NAMES.some(({ name }) => name === metric)) return []
  const near = nearestNames(
    metric,
    PROM_SERIES_NAMES.map(({ name }) => name),
  )
  return [`no metric is called ${shown(metric)}${didYouMean(near)}`]
}

function promErrorOf(error: unknown): unknown {
  if (!(error instanceof ApiError)) return error
  if (error.code === 'TRUNKSCOPE_API_QUERY_LIMIT') {
    return new PromError('timeout', 'the store stopped the query: ask for a shorter range or a larger step')
  }
  return new PromError(error.status === 503 ? 'timeout' : 'execution', error.message)
}

function readMetric(asking: Asking, request: SeriesRequest): Promise<SeriesAnswer> {
  const { name, metric } = asking.metric
  const family = COUNTER_FAMILIES[name]
  if (family !== undefined) return readCounter(asking, family, request)
  if (request.over === 'increase') {
    throw new PromError(
      'execution',
      `unsupported: an increase of ${name}, which is a ${metric.type}, see docs/prom.md`,
    )
  }
  if (name === KPI_RATIO) return readRatios(asking, request)
  if (isTrunkGauge(name)) return readTrunkGauge(asking, name, request)
  if (isCapacityGauge(name)) return readCapacityGauge(asking, name, request)
  return name === CERTIFICATE_GAUGE ? readCertificateGauge(asking, request) : readSlo(asking, request)
}

async function readCounter(asking: Asking, family: Family, request: SeriesRequest): Promise<SeriesAnswer> {
  const { over } = request
  if (over !== 'last' && over !== 'increase') {
    throw new PromError(
      'execution',
      `unsupported: ${over}_over_time of the counter ${asking.metric.name}; use increase or rate, see docs/prom.md`,
    )
  }
  const { servedUntilS } = asking
  const windows = windowsOf(request, servedUntilS)
  const warnings = [...windows.warnings]
  const kept = keptFromS(keptOf(asking.config.retention), servedUntilS)
  const isLeg = family.table === 'leg'
  const firstS = floorTo(DAY_S, isLeg ? kept.days : kept.minutes)
  const keyNames = keyNamesOf(asking, family)
  if (windows.toS <= firstS || keyNames?.length === 0) return { series: [], warnings }
  // Whole histograms: without some of its buckets a quantile would be wrong.
  const seriesARow = family.histogram ? LE_NAMES.length : 1
  const limit = Math.max(
    1,
    Math.min(Math.floor(asking.limit / seriesARow), Math.floor(ENTRIES_MAX / (windows.buckets + 1))),
  )
  const [sql, parameters] = statementOf({
    family,
    tests: asking.tests.filter(({ label }) => label in labelsOf(family)),
    keyTests: asking.tests.filter(({ label }) => label === family.key?.label),
    keyNames: keyNames ?? [],
    conditions: new Conditions('m'),
    parts: await partsFor(asking, family, windows, over, firstS),
    baseS: Math.max(0, windows.baseS),
    bucketS: windows.bucketS,
    limit: limit + 1,
    agents: agentSites(asking.config),
    contracts: contractsOf(asking.config),
  })
  const rows = await asking.readers.select<SeriesRow>(sql, parameters)
  if (rows.length > limit) {
    rows.length = limit
    warnings.push(`the answer was cut at ${limit * seriesARow} series: ask for fewer, or with a larger step`)
  }
  if (family.table === 'agent' && new Set(rows.map(({ labels }) => labels[0])).size >= AGENTS_MAX) {
    warnings.push(`only the ${AGENTS_MAX} agents with the most minutes are shown`)
  }
  const finest = isLeg ? finestOf(windows) : 'minutes'
  // Nothing is older than the first kept day: a longer window is whole without it.
  const knownFromS = finest === 'days' ? Number.NEGATIVE_INFINITY : kept[finest]
  if (over === 'increase' && windows.baseS < knownFromS) {
    warnings.push(`${finest} are kept since ${isoOf(knownFromS * 1e6)}: before that there is no sample`)
  }
  const valuesOf = (read: BucketValues) => slide(windows, over, read, { knownFromS, servedUntilS })
  return { series: rows.flatMap((row) => seriesOf(asking, family, row, valuesOf)), warnings }
}

/** Undefined where any value may come. */
function keyNamesOf({ tests, answers }: Asking, { key }: Family): string[] | undefined {
  if (key?.names === undefined) return undefined
  return key.names.filter((name) =>
    tests.every((test) => test.label !== key.label || holds(test, name, answers)),
  )
}

/** The parts of the store that hold the buckets, what came before them and who was alive. */
async function partsFor(
  { readers, config, servedUntilS, grains }: Asking,
  family: Family,
  windows: Windows,
  over: 'last' | 'increase',
  firstS: number,
): Promise<Parts> {
  const untilS = Math.min(windows.baseS, servedUntilS)
  // Days would not tell the hour of the last sample; before the hours that count for life they may be read.
  const spans = [
    ...(over === 'last' ? [{ fromS: firstS, toS: Math.min(windows.lifeFromS, untilS), stepS: null }] : []),
    { fromS: windows.lifeFromS, toS: untilS, stepS: HOUR_S },
    { fromS: windows.baseS, toS: windows.toS, stepS: windows.buckets <= 1 ? null : windows.bucketS },
  ]
    .map(({ fromS, toS, stepS }) => ({ fromUs: Math.max(firstS, fromS) * 1e6, toUs: toS * 1e6, stepS }))
    .filter(({ fromUs, toUs }) => fromUs < toUs)
  if (family.table !== 'leg' || grains === 'minute') {
    return {
      minute: spans.map(({ fromUs, toUs }) => ({ fromS: fromUs / 1e6, toS: toUs / 1e6 })),
      hour: [],
      day: [],
    }
  }
  const stale: Stale =
    spans.length === 0
      ? { hour: new Set(), day: new Set() }
      : await readStale(readers, { fromUs: spans[0]!.fromUs, toUs: spans.at(-1)!.toUs, stepS: null }, config)
  const all = spans.map((span) => partsOf(span, stale))
  return {
    minute: all.flatMap(({ minute }) => minute),
    hour: all.flatMap(({ hour }) => hour),
    day: all.flatMap(({ day }) => day),
  }
}

function agentSites({ sites }: TrunkscopeConfig): { ids: number[]; sites: string[] } {
  const pairs = sites.flatMap(({ id, agents }) => agents.map((agent) => ({ agent, id })))
  return { ids: pairs.map(({ agent }) => agent), sites: pairs.map(({ id }) => id) }
}

function contractsOf({ carriers }: TrunkscopeConfig): { carriers: string[]; codes: string[] } {
  const contracted = carriers.filter(({ spcs }) => spcs !== undefined)
  return {
    carriers: contracted.map(({ id }) => id),
    codes: contracted.flatMap(({ id, spcs = [] }) => spcs.map((code) => `${id} ${code.toUpperCase()}`)),
  }
}

function seriesOf(
  asking: Asking,
  family: Family,
  row: SeriesRow,
  valuesOf: (read: BucketValues) => (number | undefined)[],
): Series[] {
  const { name } = asking.metric
  const labels: Record<string, string> = { [METRIC_NAME]: name }
  for (const [at, label] of Object.keys(labelsOf(family)).entries()) labels[label] = row.labels[at]!
  const read = { buckets: row.buckets, lastEndsS: row.ends }
  if (family.histogram) {
    const tests = asking.tests.filter(({ label }) => label === 'le')
    return LE_NAMES.flatMap((le, edge) => {
      if (!tests.every((test) => holds(test, le, asking.answers))) return []
      const values = row.edges!.map((edges, at) =>
        edges.reduce((sum, its, index) => (its <= edge ? sum + row.counts![at]![index]! : sum), 0),
      )
      return { labels: { ...labels, le }, values: valuesOf({ ...read, values }) }
    }).filter(hasSample)
  }
  if (family.key !== undefined) labels[family.key.label] = row.key
  const perUnit = perUnitOf(name, family, row.key)
  const values = valuesOf({ ...read, values: row.sums! })
  return [
    {
      labels,
      values: perUnit === 1 ? values : values.map((value) => (value === undefined ? value : value / perUnit)),
    },
  ].filter(hasSample)
}

const hasSample = ({ values }: Series) => values.some((value) => value !== undefined)
