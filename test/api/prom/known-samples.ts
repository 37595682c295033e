/** Three hours of invented minutes: counters, a histogram, gauges with gaps; the same for our source and for Prometheus. */
import fc from 'fast-check'
import type { Family } from '../../support/prometheus.js'
import { expressionsOver, matched } from './any-expression.js'
import { MINUTE_S, type MinuteSeries, samplesOf } from './memory-source.js'

export const FIRST_S = Date.UTC(2026, 0, 1, 6) / 1_000
const MINUTES = 180
export const LAST_S = FIRST_S + (MINUTES - 1) * MINUTE_S
const EDGES = ['0.5', '1', '2.5', '10', '+Inf'] as const

/** Numerical Recipes' generator: any will do that is the same tomorrow. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Fractions are of 64ths, so that sums do not depend on their order. */
export function knownSeries(seed: number): MinuteSeries[] {
  const random = randomFrom(seed)
  const upTo = (n: number) => Math.floor(random() * n)
  const minutes = (make: (minute: number) => number | undefined) =>
    Array.from({ length: MINUTES }, (_, at) => make(at))
  const series: MinuteSeries[] = []
  const counter = (name: string, labels: Record<string, string>, growth: (number | undefined)[]) =>
    series.push({
      labels: { __name__: name, ...labels },
      isCounter: true,
      firstAtS: FIRST_S,
      minutes: growth,
    })
  const gauge = (name: string, labels: Record<string, string>, values: (number | undefined)[]) =>
    series.push({
      labels: { __name__: name, ...labels },
      isCounter: false,
      firstAtS: FIRST_S,
      minutes: values,
    })

  for (const carrier of ['alpha', 'bravo', 'charlie']) {
    // One carrier is quiet at times, and one series has no site.
    for (const site of carrier === 'charlie' ? ['fra', undefined] : ['fra', 'dal']) {
      const labels: Record<string, string> = site === undefined ? { carrier } : { carrier, site }
      const attempts = minutes((at) => (carrier === 'bravo' && at > 100 && at < 130 ? 0 : upTo(40)))
      counter('calls_attempts_total', { ...labels, direction: 'out' }, attempts)
      counter(
        'calls_attempts_total',
        { ...labels, direction: 'in' },
        minutes(() => upTo(10)),
      )
      counter(
        'calls_answered_total',
        labels,
        minutes((at) => upTo(1 + attempts[at]!)),
      )
      const buckets = minutes(() => undefined).map(() => EDGES.map(() => upTo(4) * upTo(2)))
      if (carrier === 'bravo') for (let at = 60; at < 120; at += 1) buckets[at] = EDGES.map(() => 0)
      for (const [edge, le] of EDGES.entries()) {
        const cumulative = buckets.map((counts) =>
          counts.slice(0, edge + 1).reduce((sum, count) => sum + count, 0),
        )
        counter('calls_delay_seconds_bucket', { ...labels, le }, cumulative)
      }
      counter(
        'calls_delay_seconds_sum',
        labels,
        buckets.map(() => upTo(640) / 64),
      )
      counter(
        'calls_delay_seconds_count',
        labels,
        buckets.map((counts) => counts.reduce((sum, n) => sum + n, 0)),
      )
    }
    for (const window of ['1h', '6h']) {
      gauge(
        'slo_burn_ratio',
        { carrier, window },
        minutes((at) =>
          carrier === 'bravo' && at % 40 > 20 ? undefined : (upTo(2_000) - 600) / 64 + at / 1_024,
        ),
      )
    }
  }
  gauge(
    'odd_gauge',
    { kind: 'not a number' },
    minutes((at) => (at % 3 === 0 ? Number.NaN : at)),
  )
  gauge(
    'odd_gauge',
    { kind: 'infinite' },
    minutes((at) => (at % 2 === 0 ? Number.POSITIVE_INFINITY : -at)),
  )
  gauge(
    'odd_gauge',
    { kind: 'zero' },
    minutes(() => 0),
  )
  return series
}

export function familiesOf(all: readonly MinuteSeries[]): Family[] {
  const families = new Map<string, Family>()
  for (const series of all) {
    const fullName = series.labels.__name__!
    const type = /_seconds_(?:bucket|sum|count)$/.test(fullName)
      ? 'histogram'
      : series.isCounter
        ? 'counter'
        : 'gauge'
    const name = type === 'gauge' ? fullName : fullName.replace(/_(?:bucket|sum|count|total)$/, '')
    const family = families.get(name) ?? { name, type, series: [] }
    families.set(name, family)
    const samples = samplesOf(series).flatMap((value, index) =>
      value === undefined ? [] : [[FIRST_S + index * MINUTE_S, value] as const],
    )
    family.series.push({ labels: series.labels, samples })
  }
  return [...families.values()]
}

const MATCHERS = [
  'carrier="alpha"',
  'carrier!="alpha"',
  'carrier=~"alpha|bravo"',
  'carrier!~"b.*"',
  'site="fra"',
  'site=""',
  'site!=""',
  'site=~".+"',
  "direction='in'",
  'direction=~"out|"',
  'carrier="nobody"',
]
/** Expressions over these series. */
export const { scalar: anyKnownScalar, vector: anyKnownVector } = expressionsOver({
  counters: [
    'calls_attempts_total',
    'calls_answered_total',
    'calls_delay_seconds_sum',
    'calls_delay_seconds_count',
  ],
  gauge: fc.oneof(
    { weight: 4, arbitrary: matched(['slo_burn_ratio'], MATCHERS) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('odd_gauge', 'odd_gauge{kind="zero"}', 'odd_gauge{kind!="zero"}'),
    },
  ),
  hasGaugeWindows: true,
  matchers: MATCHERS,
  labels: ['carrier', 'site', 'direction', 'window'],
  buckets: 'calls_delay_seconds_bucket',
})
