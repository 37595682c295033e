import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kpiQueryOf } from '../../../api/kpi/query.js'
import { readKpiGroups } from '../../../api/kpi/series.js'
import { countOf, mapOf } from '../../../api/kpi/sums.js'
import { PromError } from '../../../api/prom/prom-error.js'
import { RollupSource } from '../../../api/prom/rollup-source.js'
import type { Series } from '../../../api/prom/series.js'
import type { Attempt } from '../../../schemas/attempt.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import { KPI_CATALOG } from '../../../schemas/kpi-catalog.js'
import { DELAY_EDGES } from '../../../schemas/prom-metrics.js'
import { CONFIG, NOON_S, type TestStore } from '../support.js'
import { DAY_S, is, MONDAY_S, RollupCalls, requestOf, type Wanted } from './rollup-calls.js'

let seeded: RollupCalls
let store: TestStore
let calls: Attempt[]

const sourceAt = (servedUntilS?: number, grains?: 'minute') => seeded.source(servedUntilS, grains)
const read = (wanted: Wanted, source = sourceAt()) => seeded.read(wanted, source)
const byLabels = (a: Series, b: Series) => (JSON.stringify(a.labels) < JSON.stringify(b.labels) ? -1 : 1)

beforeAll(async () => {
  seeded = await RollupCalls.seed()
  store = seeded.store
  calls = seeded.calls
}, 60_000)
afterAll(() => store.close())

const ours = (call: Attempt) => call.party === 'carrier' || call.party === 'unknown'
const legOf = ({ carrier, site, direction }: Attempt) => ({ carrier, site: site || 'unknown', direction })

/** Label sets and values of a counter at one time, straight from the attempts. */
function oracle(
  keysOf: (call: Attempt) => { labels: Record<string, string>; minuteS: number }[],
  atS: number,
  windowS: number,
): Map<string, number> {
  const toS = Math.floor(atS / 60) * 60
  const fromS = Math.floor((atS - windowS) / 60) * 60
  const aliveFromS = Math.min(fromS, Math.floor((atS - DAY_S) / 3_600) * 3_600)
  const found = new Map<string, number>()
  for (const call of calls.filter(ours)) {
    for (const { labels, minuteS } of keysOf(call)) {
      const endS = minuteS + 60
      if (endS <= aliveFromS || endS > toS) continue
      const key = JSON.stringify(labels)
      found.set(key, (found.get(key) ?? 0) + (endS > fromS ? 1 : 0))
    }
  }
  return found
}

const told = (series: readonly Series[], point = 0) =>
  new Map(
    series
      .filter(({ values }) => values[point] !== undefined)
      .map(({ labels: { __name__, ...labels }, values }) => [JSON.stringify(labels), values[point]!]),
  )
const sorted = (map: Map<string, number>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

describe('counters out of the rollups', () => {
  it('an increase is the sum of the minutes that end within the window', async () => {
    for (const [atS, windowS] of [
      [MONDAY_S + 7 * 3_600, 3_600],
      [MONDAY_S + 7 * 3_600 + 29, 300],
      [MONDAY_S + 9 * 3_600 + 60, 60],
      [MONDAY_S + 2 * DAY_S, 36 * 3_600 + 90],
    ] as const) {
      const codes = await read({ metric: 'trunkscope_responses_total', atS, windowS })
      const expected = oracle(
        (call) =>
          call.state === 'closed' && call.finalCode > 0
            ? [{ labels: { ...legOf(call), code: String(call.finalCode) }, minuteS: call.minuteS }]
            : [],
        atS,
        windowS,
      )
      // A leg lives with any of its attempts, a code with its own.
      expect(sorted(told(codes))).toEqual(sorted(expected))
      expect(expected.size).toBeGreaterThan(0)
    }
  })

  it('each point of a range is the increase at its time, whatever step, window and offset', async () => {
    const byDisposition = (call: Attempt) =>
      call.disposition === ''
        ? []
        : [{ labels: { ...legOf(call), disposition: call.disposition }, minuteS: call.minuteS }]
    const asked = fc.record({
      startS: fc.integer({ min: MONDAY_S, max: MONDAY_S + 3 * DAY_S }),
      stepS: fc.constantFrom(60, 180, 300, 3_600, 7, 45, 7_000),
      windowS: fc.constantFrom(60, 120, 300, 420, 3_600, 100_000, 77),
      offsetS: fc.constantFrom(0, 300, -300, 3_601),
      points: fc.integer({ min: 2, max: 12 }),
    })
    await fc.assert(
      fc.asyncProperty(asked, async ({ startS, stepS, windowS, offsetS, points }) => {
        const grid = { startS, endS: startS + (points - 1) * stepS, stepS }
        const series = await read({ metric: 'trunkscope_dispositions_total', grid, windowS, offsetS })
        for (let point = 0; point < points; point++) {
          const atS = startS + point * stepS - offsetS
          expect(sorted(told(series, point))).toEqual(sorted(oracle(byDisposition, atS, windowS)))
        }
      }),
      { numRuns: 25 },
    )
  }, 60_000)

  it('sums equal those of /v1/kpis, for every KPI and every counter', async () => {
    const [fromS, toS] = [MONDAY_S + 6 * 3_600, MONDAY_S + 2 * DAY_S + 11 * 3_600]
    const iso = (seconds: number) => new Date(seconds * 1_000).toISOString()
    const query = kpiQueryOf(
      { from: iso(fromS), to: iso(toS), group_by: 'carrier,site,direction' },
      CONFIG,
      (MONDAY_S + 8 * DAY_S) * 1e6,
    )
    const groups = await readKpiGroups(seeded.readers, CONFIG, query)
    const at = { atS: toS, windowS: toS - fromS }
    const sums = async (metric: string) =>
      new Map(
        (await read({ metric, ...at })).map(({ labels: { __name__, ...rest }, values }) => [
          Object.values(rest).join(),
          values[0]!,
        ]),
      )
    const [
      numerators,
      denominators,
      attempts,
      open,
      incomplete,
      dispositions,
      cancels,
      levels,
      delays,
      count,
    ] = await Promise.all(
      [
        'kpi_numerator_total',
        'kpi_denominator_total',
        'attempts_total',
        'open_attempts_total',
        'incomplete_attempts_total',
        'dispositions_total',
        'cancels_total',
        'attestation_total',
        'post_dial_delay_seconds_sum',
        'post_dial_delay_seconds_count',
      ].map((name) => sums(`trunkscope_${name}`)),
    )
    expect(groups.length).toBeGreaterThan(8)
    for (const { by, total } of groups) {
      const leg = [by.carrier, by.site, by.direction].join()
      for (const kpi of KPI_CATALOG) {
        if (kpi.kind === 'quantile') continue
        const numerator =
          kpi.kind === 'ratio'
            ? countOf(total, `${kpi.id}_numerator`)
            : countOf(total, `${kpi.id}_sum_ms`) / 1_000
        expect(numerators!.get(`${leg},${kpi.id}`)).toBeCloseTo(numerator, 9)
        const denominator = countOf(total, kpi.kind === 'ratio' ? `${kpi.id}_denominator` : `${kpi.id}_count`)
        expect(denominators!.get(`${leg},${kpi.id}`)).toBe(denominator)
      }
      expect([attempts, open, incomplete, count].map((map) => map!.get(leg))).toEqual(
        ['attempts', 'open', 'incomplete', 'pdd_count'].map((column) => countOf(total, column)),
      )
      const delaysMs = calls
        .filter((call) => ours(call) && Object.values(legOf(call)).join() === leg && call.state === 'closed')
        .filter(({ minuteS }) => minuteS >= fromS && minuteS < toS)
        .map(({ pddMs }) => pddMs ?? 0)
      expect(delays!.get(leg)).toBeCloseTo(delaysMs.reduce((sum, delayMs) => sum + delayMs, 0) / 1_000, 9)
      for (const [map, column] of [
        [dispositions, 'dispositions'],
        [cancels, 'cancels'],
        [levels, 'attestations'],
      ] as const) {
        for (const [key, value] of Object.entries(mapOf(total, column)))
          expect(map!.get(`${leg},${key}`)).toBe(value)
      }
    }
  })

  it('the buckets of the delay histogram are cumulative, and +Inf is the count', async () => {
    const [fromS, toS] = [MONDAY_S, MONDAY_S + DAY_S]
    const series = await read({
      metric: 'trunkscope_post_dial_delay_seconds_bucket',
      matchers: [is('carrier', 'alpha'), is('site', 'dal'), is('direction', 'outbound')],
      atS: toS,
      windowS: toS - fromS,
    })
    expect(series).toHaveLength(DELAY_EDGES.length + 1)
    const delays = calls
      .filter((call) => call.carrier === 'alpha' && call.site === 'dal' && call.direction === 'outbound')
      .filter(({ state, minuteS }) => state === 'closed' && minuteS < toS)
      .flatMap(({ pddMs }) => pddMs ?? [])
    for (const { labels, values } of series) {
      const le = labels.le === '+Inf' ? Infinity : Number(labels.le)
      expect(values[0], labels.le).toBe(delays.filter((delayMs) => delayMs <= le * 1_000).length)
    }
    expect(delays.length).toBeGreaterThan(20)
  })

  it('a bare counter is the running sum since the first kept day', async () => {
    const grid = { startS: MONDAY_S + 6 * 3_600, endS: MONDAY_S + 3 * DAY_S, stepS: 5_400 }
    for (const grains of [undefined, 'minute'] as const) {
      const [series] = await read(
        { metric: 'trunkscope_attempts_total', matchers: [is('carrier', 'unknown')], grid, over: 'last' },
        sourceAt(undefined, grains),
      )
      const atS = series!.values.map((_, at) => grid.startS + at * grid.stepS)
      const seenS = MONDAY_S + 8 * 3_600 + 60
      expect(series!.values).toEqual(
        atS.map((s) => (s >= seenS && s < MONDAY_S + DAY_S + 9 * 3_600 ? 1 : undefined)),
      )
    }
    const all = await read({ metric: 'trunkscope_attempts_total', over: 'last', atS: MONDAY_S + 3 * DAY_S })
    const sum = all.reduce((total, { values }) => total + values[0]!, 0)
    expect(sum).toBe(calls.filter((call) => ours(call) && call.state === 'closed').length - 1)
  })

  it('a carrier that fell silent reads 0 for 24 hours, then its series ends', async () => {
    const lastS =
      Math.max(...calls.filter(({ carrier }) => carrier === 'alpha').map(({ minuteS }) => minuteS)) + 60
    const at = (atS: number) =>
      read({ metric: 'trunkscope_attempts_total', matchers: [is('carrier', 'alpha')], atS }).then((series) =>
        series.map(({ values }) => values[0]),
      )
    expect(await at(lastS + 3_600)).toContain(0)
    const nearEnd = await at(lastS + DAY_S - 60)
    expect(nearEnd.length).toBeGreaterThan(0)
    expect(new Set(nearEnd)).toEqual(new Set([0]))
    expect(await at(lastS + DAY_S + 3_600)).toEqual([])
  })

  it('a window shorter than a minute is answered as one, with a warning', async () => {
    const atS = MONDAY_S + 7 * 3_600
    const answer = await sourceAt().read(requestOf({ metric: 'trunkscope_attempts_total', atS, windowS: 15 }))
    const minute = await sourceAt().read(requestOf({ metric: 'trunkscope_attempts_total', atS, windowS: 60 }))
    expect(answer.series).toEqual(minute.series)
    expect(answer.warnings).toEqual(['a window of 15s is answered as 1m: the rollups hold whole minutes'])
    expect(minute.warnings).toEqual([])
  })

  it('the minute that runs is not served, and a window without a served minute has no sample', async () => {
    const callS = calls[0]!.minuteS
    const wanted = {
      metric: 'trunkscope_attempts_total',
      grid: { startS: callS, endS: callS + 180, stepS: 60 },
      windowS: 60,
    }
    const [whole] = await read({ ...wanted, matchers: [is('carrier', calls[0]!.carrier)] })
    const cut = await read(wanted, sourceAt(callS + 60))
    expect(whole!.values.every((value) => value !== undefined)).toBe(false)
    for (const { values } of cut) expect(values.slice(2)).toEqual([undefined, undefined])
    expect(cut.some(({ values }) => values[1] !== undefined && values[1] > 0)).toBe(true)
  })

  it('where the rows are gone there is no sample, and a warning', async () => {
    const keptS = 390 * DAY_S
    const wanted = { metric: 'trunkscope_attempts_total', windowS: DAY_S }
    // Half a day after the day of the first calls the minutes end.
    const old = MONDAY_S + DAY_S + 43_200 + keptS
    const [fine, coarse] = await Promise.all(
      [60, 0].map((shiftS) => sourceAt(old).read(requestOf({ ...wanted, atS: MONDAY_S + DAY_S + shiftS }))),
    )
    expect(fine!.series).toEqual([])
    expect(fine!.warnings).toEqual([
      'minutes are kept since 2026-11-17T12:00:00Z: before that there is no sample',
    ])
    expect(coarse!.series.length).toBeGreaterThan(0)
    expect(coarse!.warnings).toEqual([])
  })

  it('offset looks back', async () => {
    const atS = MONDAY_S + 10 * 3_600
    const plain = await read({ metric: 'trunkscope_cancels_total', atS, windowS: 3_600 })
    expect(
      await read({ metric: 'trunkscope_cancels_total', atS: atS + DAY_S, offsetS: DAY_S, windowS: 3_600 }),
    ).toEqual(plain)
    expect(plain.length).toBeGreaterThan(0)
  })

  it('hours and days answer as minutes do, in any window, step and metric', async () => {
    const question = fc.record({
      metric: fc.constantFrom(
        'trunkscope_attempts_total',
        'trunkscope_responses_total',
        'trunkscope_kpi_numerator_total',
        'trunkscope_post_dial_delay_seconds_bucket',
        'trunkscope_post_dial_delay_seconds_sum',
      ),
      startHour: fc.integer({ min: -10, max: 60 }),
      startS: fc.constantFrom(0, 0, 0, 60, 1_815, 3_599),
      stepS: fc.constantFrom(60, 420, 900, 3_600, 7_200, DAY_S, 45),
      windowS: fc.constantFrom(60, 90, 300, 3_600, 10_800, DAY_S, 2 * DAY_S, 7 * DAY_S),
      points: fc.integer({ min: 1, max: 30 }),
      over: fc.constantFrom('increase', 'increase', 'last') as fc.Arbitrary<'increase' | 'last'>,
    })
    await fc.assert(
      fc.asyncProperty(question, async ({ metric, startHour, startS, stepS, windowS, points, over }) => {
        const fromS = MONDAY_S + startHour * 3_600 + startS
        const grid = { startS: fromS, endS: fromS + (points - 1) * stepS, stepS }
        const wanted = {
          metric,
          grid,
          over,
          windowS: over === 'last' ? undefined : windowS,
          matchers: [is('carrier', 'beta')],
        }
        const coarse = await read(wanted)
        const fine = await read(wanted, sourceAt(undefined, 'minute'))
        expect(coarse.sort(byLabels)).toEqual(fine.sort(byLabels))
      }),
      { numRuns: 40 },
    )
  }, 60_000)

  it('a wide range reads no minutes but those of stale hours', async () => {
    await store.command('CREATE TABLE kept_minutes AS kpi_minute')
    await store.command('INSERT INTO kept_minutes SELECT * FROM kpi_minute')
    const wanted: Wanted = {
      metric: 'trunkscope_attempts_total',
      grid: { startS: MONDAY_S + DAY_S, endS: MONDAY_S + 3 * DAY_S, stepS: DAY_S },
      windowS: DAY_S,
      matchers: [is('carrier', 'alpha')],
    }
    const before = await read(wanted)
    const hour = MONDAY_S + DAY_S + 9 * 3_600
    await store.command(
      `ALTER TABLE kpi_minute DELETE WHERE toUInt32(minute) NOT BETWEEN ${hour} AND ${hour + 3_599} SETTINGS mutations_sync = 1`,
    )
    expect(await read(wanted)).toEqual(before)
    await store.command('TRUNCATE TABLE kpi_minute')
    await store.command('INSERT INTO kpi_minute SELECT * FROM kept_minutes')
  })
})

describe('gauges and what is no leg', () => {
  it('the ready ratio is that of its minute and holds for 5 minutes', async () => {
    const call = calls.find(({ carrier, disposition }) => carrier === 'former' && disposition === 'ANSWERED')!
    const matchers = [
      is('kpi', 'asr'),
      is('carrier', 'former'),
      is('site', call.site || 'unknown'),
      is('direction', call.direction),
    ]
    const grid = { startS: call.minuteS, endS: call.minuteS + 900, stepS: 60 }
    const [series] = await read({ metric: 'trunkscope_kpi_ratio', matchers, grid, over: 'last' })
    const [n, d] = await Promise.all(
      ['numerator', 'denominator'].map(async (part) => {
        const [found] = await read({ metric: `trunkscope_kpi_${part}_total`, matchers, grid, windowS: 60 })
        return found!.values.map((value) => value ?? 0)
      }),
    )
    let held: { atS: number; ratio: number } | undefined
    const expected = n!.map((numerator, at) => {
      if (d![at]! > 0) held = { atS: at * 60, ratio: numerator / d![at]! }
      return held !== undefined && at * 60 - held.atS < 300 ? held.ratio : undefined
    })
    expect(series!.values.slice(1)).toEqual(expected.slice(1))
    expect(expected).toContain(undefined)
    const [sparse] = await read({
      metric: 'trunkscope_kpi_ratio',
      matchers,
      grid: { ...grid, stepS: 420 },
      over: 'last',
    })
    expect(sparse!.values.slice(1)).toEqual([7, 14].map((at) => series!.values[at]))
  })

  it('an expression chooses the KPIs of the ready ratio', async () => {
    const kpisOf = async (op: '=~' | '!~', value: string) => {
      const matchers = [{ label: 'kpi', op, value }, is('carrier', 'beta')]
      const at = { atS: MONDAY_S + 10 * 3_600, windowS: 4 * 3_600 }
      const found = await read({ metric: 'trunkscope_kpi_ratio', matchers, over: 'avg', ...at })
      return [...new Set(found.map(({ labels }) => labels.kpi))].sort()
    }
    const all = await kpisOf('=~', '.+')
    expect(await kpisOf('=~', 'a.r|n[e]r')).toEqual(['asr', 'ner'])
    expect(await kpisOf('!~', 'a.r|n[e]r')).toEqual(all.filter((kpi) => kpi !== 'asr' && kpi !== 'ner'))
    expect(all.length).toBeGreaterThan(5)
  })

  it('what a metric cannot be asked is said', async () => {
    for (const [metric, over, message] of [
      [
        'trunkscope_kpi_ratio',
        'increase',
        'unsupported: an increase of trunkscope_kpi_ratio, which is a gauge, see docs/prom.md',
      ],
      ['trunkscope_attempts_total', 'max', /use increase or rate/],
      ['trunkscope_slo_burn_ratio', 'avg', /has a window of its own/],
    ] as const) {
      await expect(read({ metric, over })).rejects.toMatchObject({
        errorType: 'execution',
        message: typeof message === 'string' ? message : expect.stringMatching(message),
      })
    }
    const { series, warnings } = await sourceAt().read(requestOf({ metric: 'trunkscope_atempts_total' }))
    expect(series).toEqual([])
    expect(warnings[0]).toMatch('did you mean trunkscope_attempts_total')
  })

  it('objectives are worked out at each point and chosen by their labels', async () => {
    const asked = {
      grid: { startS: MONDAY_S + 3 * DAY_S, endS: MONDAY_S + 3 * DAY_S + 120, stepS: 60 },
      over: 'last' as const,
    }
    const all = await read({ metric: 'trunkscope_slo_burn_ratio', ...asked })
    expect(new Set(all.map(({ labels }) => labels.carrier))).toEqual(new Set(['alpha', 'beta']))
    const chosen = await read({
      metric: 'trunkscope_slo_burn_ratio',
      matchers: [
        { label: 'carrier', op: '=~', value: 'a[l].*' },
        { label: 'window', op: '!=', value: '30d' },
        is('site', ''),
      ],
      ...asked,
    })
    expect(chosen).toEqual(all.filter(({ labels }) => labels.carrier === 'alpha' && labels.window !== '30d'))
    expect(chosen.length).toBeGreaterThan(0)
    const [budget] = await read({
      metric: 'trunkscope_slo_budget_remaining_ratio',
      matchers: [is('carrier', 'alpha')],
      ...asked,
    })
    const [whole] = all.filter(({ labels }) => labels.carrier === 'alpha' && labels.window === '30d')
    expect(budget!.values).toEqual(whole!.values.map((burn) => 1 - burn!))
  })

  it('agents count by the minute of arrival, with the site of their capture id', async () => {
    await store.addAgentMinute({ minuteS: NOON_S, frames: 100 })
    await store.addAgentMinute({ minuteS: NOON_S + 60, frames: 50 })
    await store.addAgentMinute({ minuteS: NOON_S, agent: '192.0.2.99/7', agentId: 7, frames: 3 })
    const at = { atS: NOON_S + 120, windowS: 120 }
    const source = sourceAt(NOON_S + 3_600)
    expect(told(await read({ metric: 'trunkscope_agent_frames_total', ...at }, source))).toEqual(
      new Map([
        ['{"agent":"192.0.2.11/2001","site":"dal"}', 150],
        ['{"agent":"192.0.2.99/7","site":"unknown"}', 3],
      ]),
    )
    const chosen = [{ label: 'site', op: '!=', value: 'unknown' }] as const
    expect(
      await read(
        { metric: 'trunkscope_agent_keepalives_total', matchers: [...chosen], over: 'last', ...at },
        source,
      ),
    ).toHaveLength(1)
  })

  it('more series than an answer holds are cut, with a warning', async () => {
    const grid = { startS: MONDAY_S, endS: MONDAY_S + 10_999 * 60, stepS: 60 }
    const answer = await sourceAt().read(
      requestOf({ metric: 'trunkscope_kpi_numerator_total', grid, windowS: 60 }),
    )
    expect(answer.series).toHaveLength(Math.floor(2_000_000 / 11_000))
    expect(answer.warnings).toEqual([expect.stringMatching(/^the answer was cut at 181 series/)])
    const buckets = await sourceAt().read(
      requestOf({ metric: 'trunkscope_post_dial_delay_seconds_bucket', grid, windowS: 60 }),
    )
    // Whole histograms only, of 20 edges and +Inf.
    expect(buckets.series).toHaveLength(8 * (DELAY_EDGES.length + 1))
    expect(buckets.warnings).toEqual([expect.stringMatching(/^the answer was cut at 168 series/)])
  })

  it('objectives at more points than are worked out are refused, as a query is', async () => {
    const carriers = Array.from({ length: 30 }, (_, index) => ({ id: `carrier-${index}`, peers: [] }))
    const source = new RollupSource({
      readers: seeded.readers,
      config: { ...CONFIG, carriers: carriers as unknown as TrunkscopeConfig['carriers'] },
      servedUntilS: MONDAY_S + 8 * DAY_S,
    })
    const grid = { startS: MONDAY_S, endS: MONDAY_S + 10_000 * 60, stepS: 60 }
    const asked = source.read(requestOf({ metric: 'trunkscope_slo_burn_ratio', grid, over: 'last' }))
    await expect(asked).rejects.toBeInstanceOf(PromError)
    await expect(asked).rejects.toMatchObject({
      errorType: 'execution',
      message: expect.stringMatching(/write a larger step or a shorter range/),
    })
  })
})
