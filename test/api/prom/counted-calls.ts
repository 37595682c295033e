/**
 * Seven hours of seeded calls, and what `/prom` has to say of them, counted one by one: no SQL, no rollup, nothing of
 * api/prom. Of the code it takes the rules of the KPI catalog, which are what a number means, and the names of metrics.
 *
 * A leg has one attempt of each kind in its first minute, so that all its series begin there.
 */
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema, type TrunkscopeConfig } from '../../../schemas/config.js'
import { DELAY_EDGES, SERVED_KPIS } from '../../../schemas/prom-metrics.js'
import type { SloConfig } from '../../../schemas/slos.js'
import type { Family } from '../../support/prometheus.js'
import { attempt, ENDED, endedCall } from '../support.js'
import { randomFrom } from './known-samples.js'
import { DAY_S, MONDAY_S } from './rollup-calls.js'

export const FIRST_S = MONDAY_S + 5 * 3_600
const MINUTES = 7 * 60
export const LAST_S = FIRST_S + MINUTES * 60
const minuteOf = (hour: number, minute = 0) => (hour - 5) * 60 + minute

export const COUNTED_CONFIG: TrunkscopeConfig = configSchema.parse({
  sites: [
    { id: 'dal', sbc: ['192.0.2.11/32'], agents: [2001] },
    { id: 'fra', sbc: ['192.0.2.12/32'], agents: [2002] },
  ],
  carriers: ['alpha', 'beta', 'former', 'late', 'silent'].map((id, index) => ({
    id,
    peers: [`198.51.100.${index}/32`],
  })),
  slos: [
    { id: 'of-carriers', objective: 0.995, each: 'carrier' },
    { id: 'in-time', indicator: 'pdd', objective: 0.95, window_days: 7, each: 'carrier_site' },
    { id: 'of-dal-and-fra', objective: 0.98, each: 'site', carriers: ['alpha', 'beta'] },
    { id: 'of-all', objective: 0.99 },
  ],
})

/** Windows of an objective: the pairs of metrics.md §8, and its own. */
const BURN_WINDOWS: Readonly<Record<number, Record<string, number>>> = {
  30: { '5m': 300, '30m': 1_800, '1h': 3_600, '6h': 21_600, '3d': 3 * DAY_S, '30d': 30 * DAY_S },
  7: { '5m': 300, '30m': 1_800, '1h': 3_600, '2h': 7_200, '6h': 21_600, '1d': DAY_S, '7d': 7 * DAY_S },
}

type Random = () => number

const answered = (durationMs: number) => ({ ...endedCall(0, durationMs), durationMs })
const failed = { answeredAtUs: 0, first18xAtUs: 0, first180AtUs: 0, rang: false, pddMs: null } as const

/** How an attempt went; durations are told from its INVITE later. */
const KINDS: readonly { weight: number; of: (random: Random) => Partial<Attempt> }[] = [
  { weight: 30, of: (random) => answered(6_001 + Math.floor(random() * 300_000)) },
  { weight: 3, of: (random) => answered(100 + Math.floor(random() * 5_900)) },
  { weight: 1, of: () => ({ ...answered(1_500), cancelClass: 'CANCEL_RACE_200' }) },
  { weight: 4, of: () => ({}) },
  { weight: 2, of: (random) => ({ ...answered(60_000), pddMs: 6_001 + Math.floor(random() * 60_000) }) },
  { weight: 3, of: () => ENDED.busy },
  { weight: 3, of: () => ENDED.abandoned },
  { weight: 1, of: () => ENDED.preRing },
  { weight: 1, of: () => ENDED.congestion },
  {
    weight: 1,
    of: () => ({
      ...failed,
      finalCode: 0,
      finalPhrase: '',
      disposition: 'TIMEOUT',
      sli: 'bad',
      nerNumerator: 0,
      first100AtUs: 0,
      firstResponseMs: null,
    }),
  },
  {
    weight: 1,
    of: () => ({
      ...failed,
      finalCode: 404,
      disposition: 'INVALID_NUMBER',
      sli: 'excluded',
      nerNumerator: 0,
    }),
  },
  {
    weight: 1,
    of: () => ({
      ...failed,
      finalCode: 487,
      disposition: 'ELSEWHERE',
      cancelClass: 'ELSEWHERE',
      sli: 'excluded',
      nerNumerator: 0,
      nerDenominator: 0,
    }),
  },
  { weight: 1, of: () => ({ state: 'open' }) },
  { weight: 1, of: () => ({ state: 'incomplete', invited: false }) },
]
const CONGESTED = 8
const LEVELS = ['A', 'B', 'C', 'none', 'malformed'] as const

interface CountedLeg {
  of: Pick<Attempt, 'party' | 'carrier' | 'site' | 'direction'>
  perMinute: number
  from?: number
  to?: number
  /** Minutes without a call. */
  silence?: readonly [from: number, to: number]
  /** Minutes in which most calls fail. */
  trouble?: readonly [from: number, to: number]
}

const leg = (
  carrier: string,
  site: string,
  direction: Attempt['direction'],
  party: Attempt['party'] = 'carrier',
) => ({
  party,
  carrier,
  site,
  direction,
})

const LEGS: readonly CountedLeg[] = [
  { of: leg('alpha', 'dal', 'outbound'), perMinute: 3 },
  {
    of: leg('alpha', 'fra', 'outbound'),
    perMinute: 2,
    trouble: [minuteOf(10, 20), minuteOf(11, 10)],
  },
  { of: leg('alpha', 'dal', 'inbound'), perMinute: 2 },
  { of: leg('beta', 'dal', 'outbound'), perMinute: 2, silence: [minuteOf(9, 31), minuteOf(10, 12)] },
  { of: leg('beta', '', 'inbound'), perMinute: 0.2 },
  { of: leg('former', 'fra', 'outbound'), perMinute: 2, to: minuteOf(8, 3) },
  // Between the points of every grid and offset of the test: see `sampled`.
  { of: leg('late', 'fra', 'outbound'), perMinute: 3, from: minuteOf(10, 54) },
  { of: leg('unknown', '', 'inbound', 'unknown'), perMinute: 0.5 },
  { of: { ...leg('', 'dal', 'inbound', 'customer') }, perMinute: 1 },
  { of: leg('', 'fra', 'outbound', 'internal'), perMinute: 1 },
]

/** The same for the same seed. */
export function countedCalls(seed: number): Attempt[] {
  const random = randomFrom(seed)
  const deck = KINDS.flatMap((kind) => new Array<(typeof KINDS)[number]>(kind.weight).fill(kind))
  const calls: Attempt[] = []
  const call = (of: CountedLeg['of'], minute: number, kind: (typeof KINDS)[number], level: number) => {
    const how = kind.of(random)
    const invitedAtUs = (FIRST_S + minute * 60) * 1e6 + Math.floor(random() * 60e6)
    const ended = how.durationMs == null ? {} : endedCall(invitedAtUs, how.durationMs)
    // Microseconds: sums of them are no round numbers of milliseconds.
    const pddMs = 'pddMs' in how ? how.pddMs! : Math.floor(random() ** 2 * 5_500_000) / 1_000
    const cancelledAtUs = isGivenUp(how) ? invitedAtUs + 100_000 + (invitedAtUs % 40e6) : 0
    const times = { invitedAtUs, pddMs, cancelledAtUs }
    calls.push(attempt({ ...of, attestation: LEVELS[level % LEVELS.length]!, ...how, ...ended, ...times }))
  }
  for (const { of, perMinute, from = 0, to = MINUTES, silence, trouble } of LEGS) {
    for (const [index, kind] of KINDS.entries()) call(of, from, kind, index)
    for (let minute = from + 1; minute < to; minute++) {
      if (isWithin(minute, silence)) continue
      for (let left = Math.floor(perMinute * (0.5 + random()) + random()); left > 0; left--) {
        const isInTrouble = isWithin(minute, trouble) && random() < 0.6
        const kind = isInTrouble ? KINDS[CONGESTED]! : deck[Math.floor(random() * deck.length)]!
        call(of, minute, kind, Math.floor(random() * LEVELS.length))
      }
    }
  }
  return calls
}

/** And its CANCEL was seen. */
const isGivenUp = ({ cancelClass = '' }: Partial<Attempt>) =>
  !['', 'CANCEL_RACE_200', 'ELSEWHERE'].includes(cancelClass)

function isWithin(minute: number, span: readonly [number, number] | undefined): boolean {
  return span !== undefined && minute >= span[0] && minute < span[1]
}

/** Growth by minute of one counter; `unit`: what a sum is divided by. */
interface Counted {
  labels: Readonly<Record<string, string>>
  bornAt: number
  growth: Float64Array
  unit: number
}

export class Counts {
  readonly #series = new Map<string, Counted>()

  /** A series begins with its first call. */
  add(labels: Readonly<Record<string, string>>, atS: number, amount: number, unit = 1): void {
    const minute = Math.floor((atS - FIRST_S) / 60)
    if (minute >= MINUTES) return
    const key = JSON.stringify(labels)
    const series = this.#series.get(key) ?? {
      labels,
      bornAt: minute,
      growth: new Float64Array(MINUTES),
      unit,
    }
    this.#series.set(key, series)
    series.bornAt = Math.min(series.bornAt, minute)
    series.growth[minute]! += amount
  }

  all(): Counted[] {
    return [...this.#series.values()]
  }
}

type Samples = readonly (readonly [atS: number, value: number])[]

/**
 * A minute is a sample at its end. Prometheus sees an increase from a sample to the next, so each series begins with a 0 a
 * minute before its first: there, and only there, a bare counter is 0 there and nothing here.
 */
function sampled({ bornAt, growth, unit }: Counted): Samples {
  const samples: [number, number][] = [[FIRST_S + bornAt * 60, 0]]
  let sum = 0
  for (let minute = bornAt; minute < MINUTES; minute++) {
    sum += growth[minute]!
    samples.push([FIRST_S + (minute + 1) * 60, sum / unit])
  }
  return samples
}

export const isCounted = ({ party }: Attempt) => party === 'carrier' || party === 'unknown'

const labelsOf = ({ carrier, site, direction }: Attempt) => ({
  carrier: carrier || 'unknown',
  site: site || 'unknown',
  direction,
})

/** Of one attempt and one KPI: which minute it counts in, and what is above and below the line. */
function partsOf(kpi: (typeof SERVED_KPIS)[number], call: Attempt) {
  const atS = kpi.minute === 'start' ? call.minuteS : call.endMinuteS
  if (call.state !== 'closed' || atS === 0 || kpi.kind === 'quantile') return undefined
  if (kpi.kind === 'mean') {
    const valueMs = kpi.rule(call)
    return valueMs === null ? undefined : { atS, numerator: Math.round(valueMs * 1_000), denominator: 1 }
  }
  const answer = kpi.rule(call)
  if (answer !== 'numerator' && answer !== 'denominator') return undefined
  return { atS, numerator: answer === 'numerator' ? 1 : 0, denominator: 1 }
}

const US = 1e6

/** Every counter of the legs. */
function legCounts(calls: readonly Attempt[]): Counts {
  const counts = new Counts()
  for (const call of calls.filter(isCounted)) {
    const { minuteS, state } = call
    const labels = labelsOf(call)
    const named = (name: string, more: Record<string, string> = {}) => ({
      __name__: `trunkscope_${name}`,
      ...labels,
      ...more,
    })
    const isClosed = state === 'closed'
    counts.add(named('attempts_total'), minuteS, isClosed ? 1 : 0)
    counts.add(named('open_attempts_total'), minuteS, state === 'open' ? 1 : 0)
    counts.add(named('incomplete_attempts_total'), minuteS, state === 'incomplete' ? 1 : 0)
    const delayMs = isClosed ? call.pddMs : null
    counts.add(named('post_dial_delay_seconds_count'), minuteS, delayMs === null ? 0 : 1)
    counts.add(named('post_dial_delay_seconds_sum'), minuteS, Math.round((delayMs ?? 0) * 1_000), US)
    for (const le of [...DELAY_EDGES.map(({ le }) => le), '+Inf']) {
      const edgeMs = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le) * 1_000
      const isBelow = delayMs !== null && delayMs <= edgeMs
      counts.add(named('post_dial_delay_seconds_bucket', { le }), minuteS, isBelow ? 1 : 0)
    }
    for (const kpi of SERVED_KPIS) {
      const unit = kpi.kind === 'mean' ? US : 1
      const parts = partsOf(kpi, call)
      const atS = parts?.atS ?? minuteS
      counts.add(named('kpi_numerator_total', { kpi: kpi.id }), atS, parts?.numerator ?? 0, unit)
      counts.add(named('kpi_denominator_total', { kpi: kpi.id }), atS, parts?.denominator ?? 0)
    }
    if (!isClosed) continue
    if (isGivenUp(call)) countToCancel(counts, call)
    counts.add(named('dispositions_total', { disposition: call.disposition }), minuteS, 1)
    if (call.finalCode > 0) counts.add(named('responses_total', { code: String(call.finalCode) }), minuteS, 1)
    if (call.cancelClass !== '') counts.add(named('cancels_total', { class: call.cancelClass }), minuteS, 1)
    if (call.invited) counts.add(named('attestation_total', { level: call.attestation }), minuteS, 1)
  }
  return counts
}

function countToCancel(counts: Counts, call: Attempt): void {
  const { minuteS, invitedAtUs, cancelledAtUs } = call
  const labels = (part: string) => ({
    __name__: `trunkscope_time_to_cancel_seconds_${part}`,
    ...labelsOf(call),
  })
  const delayUs = cancelledAtUs - invitedAtUs
  counts.add(labels('count'), minuteS, 1)
  counts.add(labels('sum'), minuteS, delayUs, US)
  for (const le of [...DELAY_EDGES.map(({ le }) => le), '+Inf']) {
    const isBelow = le === '+Inf' || delayUs <= Number(le) * US
    counts.add({ ...labels('bucket'), le }, minuteS, isBelow ? 1 : 0)
  }
}

/** One minute of one leg. */
function readyRatios(calls: readonly Attempt[]): Family['series'] {
  const found = new Map<
    string,
    { labels: Record<string, string>; floor: number; minutes: Map<number, [number, number]> }
  >()
  for (const call of calls.filter(isCounted)) {
    for (const kpi of SERVED_KPIS) {
      const parts = kpi.kind === 'ratio' ? partsOf(kpi, call) : undefined
      if (parts === undefined || parts.atS >= LAST_S) continue
      const labels = { __name__: 'trunkscope_kpi_ratio', ...labelsOf(call), kpi: kpi.id }
      const key = JSON.stringify(labels)
      const series = found.get(key) ?? { labels, floor: kpi.floor, minutes: new Map() }
      found.set(key, series)
      const [n, d] = series.minutes.get(parts.atS) ?? [0, 0]
      series.minutes.set(parts.atS, [n + parts.numerator, d + parts.denominator])
    }
  }
  return [...found.values()].map(({ labels, floor, minutes }) => ({
    labels,
    samples: [...minutes]
      .sort(([a], [b]) => a - b)
      .filter(([, [, d]]) => d >= floor)
      .map(([minuteS, [n, d]]) => [minuteS + 60, n / d] as const),
  }))
}

interface Objective {
  slo: SloConfig
  labels: { carrier?: string; site?: string }
  isAbout: (call: Attempt) => boolean
}

function objectives({ slos = [], carriers, sites }: TrunkscopeConfig): Objective[] {
  return slos.flatMap((slo): Objective[] => {
    const isIn = (call: Attempt) => slo.carriers?.includes(call.carrier) ?? true
    const ofCarriers = slo.each.startsWith('carrier') ? carriers.map(({ id }) => id) : [undefined]
    const ofSites = slo.each.endsWith('site') ? sites.map(({ id }) => id) : [undefined]
    return ofCarriers.flatMap((carrier) =>
      ofSites.map((site) => ({
        slo,
        labels: { ...(carrier && { carrier }), ...(site && { site }) },
        isAbout: (call) =>
          isIn(call) && (carrier ?? call.carrier) === call.carrier && (site ?? call.site) === call.site,
      })),
    )
  })
}

/** At each minute mark, where the window has an attempt that is good or bad. Peers that nobody configured burn nothing. */
function burns(calls: readonly Attempt[]): { burn: Family['series']; budget: Family['series'] } {
  const [burn, budget]: Family['series'][] = [[], []]
  const judged = calls.filter(({ party, state }) => party === 'carrier' && state === 'closed')
  for (const { slo, labels, isAbout } of objectives(COUNTED_CONFIG)) {
    const kpi = SERVED_KPIS.find(({ id }) => id === (slo.indicator === 'pdd' ? 'progress' : 'availability'))!
    // Running sums: [minute] is what came before it.
    const [bad, valid] = [new Float64Array(MINUTES + 1), new Float64Array(MINUTES + 1)]
    for (const call of judged.filter(isAbout)) {
      const { numerator, denominator } = partsOf(kpi, call) ?? { numerator: 0, denominator: 0 }
      valid[(call.minuteS - FIRST_S) / 60 + 1]! += denominator
      bad[(call.minuteS - FIRST_S) / 60 + 1]! += denominator - numerator
    }
    for (const sums of [bad, valid]) for (let at = 1; at <= MINUTES; at++) sums[at]! += sums[at - 1]!
    for (const [window, windowS] of Object.entries(BURN_WINDOWS[slo.window_days]!)) {
      const samples: [number, number][] = []
      for (let at = 1; at <= MINUTES; at++) {
        const from = Math.max(0, at - windowS / 60)
        const inWindow = valid[at]! - valid[from]!
        if (inWindow > 0) {
          const badRatio = (bad[at]! - bad[from]!) / inWindow
          samples.push([FIRST_S + at * 60, badRatio / Number((1 - slo.objective).toFixed(12))])
        }
      }
      if (samples.length === 0) continue
      burn!.push({
        labels: { __name__: 'trunkscope_slo_burn_ratio', slo: slo.id, ...labels, window },
        samples,
      })
      if (windowS !== slo.window_days * DAY_S) continue
      budget!.push({
        labels: { __name__: 'trunkscope_slo_budget_remaining_ratio', slo: slo.id, ...labels },
        samples: samples.map(([atS, ratio]) => [atS, 1 - ratio] as const),
      })
    }
  }
  return { burn: burn!, budget: budget! }
}

/** What `/prom` has to serve of these calls, and of what the agents sent. */
export function countedFamilies(calls: readonly Attempt[], agents: Counts): Family[] {
  const families = new Map<string, Family>()
  for (const counted of [...legCounts(calls).all(), ...agents.all()]) {
    const fullName = counted.labels.__name__!
    const type = /_seconds_(?:bucket|sum|count)$/.test(fullName) ? 'histogram' : 'counter'
    const name = fullName.replace(/_(?:bucket|sum|count|total)$/, '')
    const family = families.get(name) ?? { name, type, series: [] }
    families.set(name, family)
    family.series.push({ labels: counted.labels, samples: sampled(counted) })
  }
  const { burn, budget } = burns(calls)
  return [
    ...families.values(),
    { name: 'trunkscope_kpi_ratio', type: 'gauge', series: readyRatios(calls) },
    { name: 'trunkscope_slo_burn_ratio', type: 'gauge', series: burn },
    { name: 'trunkscope_slo_budget_remaining_ratio', type: 'gauge', series: budget },
  ]
}
