import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import type { KpiAnswer } from '../../../api/kpi/answer.js'
import { KPI_CATALOG } from '../../../schemas/kpi-catalog.js'
import { attempt, ENDED, endedCall, get, HOUR, NOON_US, TestStore } from '../support.js'

let store: TestStore
let app: App

beforeAll(async () => {
  store = await TestStore.open()
  // The example of the documentation: 33 attempts, 20 answered, 5 busy, 8 given up while it rang.
  const rows = [
    ...Array.from({ length: 20 }, (_, index) =>
      attempt({
        ...endedCall(NOON_US + index * 60e6, 5_000 + index * 1_000),
        attestation: index < 11 ? 'A' : 'B',
      }),
    ),
    ...Array.from({ length: 5 }, (_, index) =>
      attempt({ ...ENDED.busy, invitedAtUs: NOON_US + index * 1_000 }),
    ),
    ...Array.from({ length: 8 }, (_, index) =>
      attempt({ ...ENDED.abandoned, invitedAtUs: NOON_US + index * 1_000 }),
    ),
    attempt({ state: 'open', invitedAtUs: NOON_US + 5 }),
    attempt({ state: 'incomplete', invited: false, invitedAtUs: NOON_US + 6, disposition: '' }),
    attempt({ state: 'fragment', invitedAtUs: NOON_US + 7 }),
    // Legs that are no carrier's count nowhere.
    attempt({ party: 'customer', carrier: '', customer: 'contact-centre', invitedAtUs: NOON_US + 8 }),
    attempt({ party: 'internal', carrier: '', invitedAtUs: NOON_US + 9 }),
    attempt({
      party: 'unknown',
      carrier: 'unknown',
      farAddress: '203.0.113.9',
      invitedAtUs: NOON_US + 10,
      site: 'fra',
    }),
  ]
  // Delays spread over four decades, enough of them for p99.
  for (let index = 0; index < 1_000; index++) {
    const pddMs = Math.round(10 ** (1 + (index % 997) / 250) * 10) / 10
    rows.push(
      attempt({
        carrier: 'beta',
        site: index % 2 === 0 ? 'dal' : 'fra',
        direction: index % 3 === 0 ? 'inbound' : 'outbound',
        invitedAtUs: NOON_US + index * 3_000_000 + 17,
        ...(index % 10 === 0 ? ENDED.preRing : index % 17 === 0 ? ENDED.congestion : { pddMs }),
      }),
    )
  }
  await store.add(rows)
  app = await store.app()
})

afterAll(async () => {
  await app.close()
  await store.close()
})

describe('GET /v1/kpis', () => {
  it('answers in the documented shape', async () => {
    const { status, body, type } = await get<KpiAnswer>(app, `/v1/kpis?${HOUR}&carrier=alpha`)
    expect(status).toBe(200)
    expect(type).toContain('application/json')
    expect(body).toMatchObject({
      from: '2026-11-20T12:00:00Z',
      to: '2026-11-20T13:00:00Z',
      step_s: null,
      as_of: '2026-11-20T13:00:00Z',
    })
    expect(body.groups).toHaveLength(1)
    const [group] = body.groups
    expect(group).toMatchObject({
      by: { carrier: 'alpha' },
      attempts: 33,
      open: 1,
      incomplete: 1,
      responses: { 200: 20, 486: 5, 487: 8 },
      dispositions: { ANSWERED: 20, BUSY: 5, NO_ANSWER: 8 },
      cancels: { CALLER_ABANDON_RING: 8 },
      attestation: { A: 24, B: 9, C: 0, none: 0, malformed: 0 },
    })
    const rate = group!.kpis.rate_487!
    expect(rate).toEqual({
      value: 8 / 33,
      unit: 'ratio',
      numerator: 8,
      denominator: 33,
      excluded: 0,
      interval: [expect.closeTo(0.128, 3), expect.closeTo(0.41, 3)],
      low_confidence: true,
      version: 2,
    })
    expect(group!.kpis.pdd_p50).toMatchObject({ unit: 's', count: 33, version: 1 })
    expect(group!.kpis.pdd_p50!.value).toBeCloseTo(0.3, 2)
    expect(group!.kpis.pdd_p95).toEqual({
      value: null,
      unit: 's',
      count: 33,
      reason: 'insufficient_data',
      version: 1,
    })
    expect(Object.keys(group!.kpis)).toEqual(KPI_CATALOG.map(({ id }) => id))
    expect(group!.series).toBeUndefined()
  })

  it('counts the end of a call in its own minute', async () => {
    const { body } = await get<KpiAnswer>(app, `/v1/kpis?${HOUR}&carrier=alpha&kpi=acd,short_call_rate`)
    expect(body.groups[0]!.kpis.acd).toEqual({ value: 14.5, unit: 's', count: 20, version: 1 })
    expect(body.groups[0]!.kpis.short_call_rate).toMatchObject({ numerator: 2, denominator: 20 })
  })

  it('shows a configured carrier without traffic as "no traffic", not as 0 %', async () => {
    const { body } = await get<KpiAnswer>(app, `/v1/kpis?${HOUR}`)
    expect(body.groups.map(({ by }) => by.carrier)).toEqual(['alpha', 'beta', 'silent', 'unknown'])
    const silent = body.groups[2]!
    expect(silent.attempts).toBe(0)
    expect(silent.kpis.asr).toEqual({
      value: null,
      unit: 'ratio',
      numerator: 0,
      denominator: 0,
      excluded: 0,
      interval: null,
      reason: 'no_traffic',
      version: 1,
    })
    expect(silent.kpis.pdd_p50).toMatchObject({ value: null, reason: 'no_traffic' })
    expect(silent.kpis.acd).toMatchObject({ value: null, reason: 'no_traffic' })
  })

  it('says that a ratio without a denominator is undefined', async () => {
    const { body } = await get<KpiAnswer>(app, `/v1/kpis?${HOUR}&carrier=unknown&kpi=short_call_rate`)
    expect(body.groups[0]!.attempts).toBe(1)
    expect(body.groups[0]!.kpis.short_call_rate).toMatchObject({ value: null, reason: 'no_attempts' })
  })

  it('gives the same counts from rollups and from attempts', async () => {
    for (const grouping of ['carrier,site,direction', 'direction', '']) {
      const url = `/v1/kpis?${HOUR}&group_by=${grouping}&step=300`
      const rollup = (await get<KpiAnswer>(app, url)).body
      const exact = (await get<KpiAnswer>(app, `${url}&exact=true`)).body
      expect(exact.exact).toBe(true)
      expect(exact.groups.length).toBe(rollup.groups.length)
      expect(withoutQuantiles(exact.groups)).toEqual(withoutQuantiles(rollup.groups))
    }
  })

  it('gives quantiles within 2 % of the nearest-rank value', async () => {
    const rollup = (await get<KpiAnswer>(app, `/v1/kpis?${HOUR}&carrier=beta`)).body.groups[0]!
    const exact = (await get<KpiAnswer>(app, `/v1/kpis?${HOUR}&carrier=beta&exact=true`)).body.groups[0]!
    for (const id of ['pdd_p50', 'pdd_p95', 'pdd_p99']) {
      const near = rollup.kpis[id]!.value!
      const true_ = exact.kpis[id]!.value!
      expect(Math.abs(near - true_) / true_).toBeLessThan(0.02)
      expect(rollup.kpis[id]).toMatchObject({ error_ratio: 0.015 })
      expect(exact.kpis[id]).not.toHaveProperty('error_ratio')
    }
  })

  it('takes x[ceil(p·n) − 1] when it is exact', async () => {
    const { body } = await get<KpiAnswer>(app, `/v1/kpis?${HOUR}&carrier=beta&exact=true`)
    const delays = Array.from({ length: 1_000 }, (_, index) => index)
      .filter((index) => index % 10 !== 0 && index % 17 !== 0)
      .map((index) => Math.round(10 ** (1 + (index % 997) / 250) * 10) / 10)
      .sort((a, b) => a - b)
    const rank = (p: number) => delays[Math.ceil(p * delays.length) - 1]! / 1_000
    expect(body.groups[0]!.kpis.pdd_p50).toMatchObject({ value: rank(0.5), count: delays.length })
    expect(body.groups[0]!.kpis.pdd_p95).toMatchObject({ value: rank(0.95) })
    expect(body.groups[0]!.kpis.pdd_p99).toMatchObject({ value: rank(0.99) })
  })

  it('gives one entry a step, empty ones included', async () => {
    const { body } = await get<KpiAnswer>(app, `/v1/kpis?${HOUR}&carrier=alpha&step=600&kpi=ner`)
    const series = body.groups[0]!.series!
    expect(series.map(({ t }) => t)).toEqual(
      ['00', '10', '20', '30', '40', '50'].map((minute) => `2026-11-20T12:${minute}:00Z`),
    )
    expect(series.map(({ attempts }) => attempts)).toEqual([23, 10, 0, 0, 0, 0])
    expect(series[5]!.kpis.ner).toMatchObject({ value: null, reason: 'no_traffic' })
    const silent = (await get<KpiAnswer>(app, `/v1/kpis?${HOUR}&carrier=silent&step=600`)).body
    expect(silent.groups[0]!.series).toHaveLength(6)
  })

  it('answers an alias under the name it was asked by', async () => {
    const { body } = await get<KpiAnswer>(app, `/v1/kpis?${HOUR}&carrier=alpha&kpi=ser&kpi=asr,ner`)
    expect(Object.keys(body.groups[0]!.kpis)).toEqual(['ser', 'asr', 'ner'])
    expect(body.groups[0]!.kpis.ser).toEqual(body.groups[0]!.kpis.asr)
  })

  it('keeps the order of group_by and filters by every dimension', async () => {
    const { body } = await get<KpiAnswer>(
      app,
      `/v1/kpis?${HOUR}&group_by=site,carrier&carrier=beta&site=dal,fra&direction=inbound`,
    )
    expect(body.groups.map(({ by }) => Object.entries(by))).toEqual([
      [
        ['site', 'dal'],
        ['carrier', 'beta'],
      ],
      [
        ['site', 'fra'],
        ['carrier', 'beta'],
      ],
    ])
    expect(body.groups.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(334)
  })

  it('reads the last hour without parameters', async () => {
    const { body } = await get<KpiAnswer>(app, '/v1/kpis?group_by=')
    expect(body).toMatchObject({ from: '2026-11-20T12:00:00Z', to: '2026-11-20T13:00:00Z' })
    expect(body.groups).toHaveLength(1)
    expect(body.groups[0]!.by).toEqual({})
    expect(body.groups[0]!.attempts).toBe(1_034)
  })

  it('takes bounds within a minute when it is exact', async () => {
    const from = '2026-11-20T12:00:00.000002Z'
    const { status, body } = await get<KpiAnswer>(
      app,
      `/v1/kpis?from=${from}&to=2026-11-20T12:00:00.000012Z&exact=true&carrier=alpha`,
    )
    expect(status).toBe(200)
    expect(body.from).toBe(from)
    expect(body.groups[0]!).toMatchObject({ attempts: 0, open: 1, incomplete: 1 })
  })

  it('is quick', async () => {
    const started = performance.now()
    await app.inject({ url: `/v1/kpis?${HOUR}&group_by=carrier,site,direction&step=60` })
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})

describe('GET /v1/kpis refuses with what to write instead', () => {
  const refusals: [url: string, code: string, sentence: RegExp][] = [
    ['from=yesterday', 'BAD_TIME', /RFC 3339.*2026-11-20T00:00:00Z.*unix seconds/],
    ['from=1795176000000', 'BAD_TIME', /milliseconds, write 1795176000/],
    ['from=2026-02-30T00:00:00Z', 'BAD_TIME', /is not a time/],
    ['from=2026-11-20T12:00:00Z&to=2026-11-20T11:00:00Z', 'BAD_RANGE', /not before/],
    ['from=2027-11-20T12:00:00Z', 'BAD_RANGE', /future/],
    ['from=0', 'BAD_RANGE', /longest one answered/],
    ['from=2026-11-20T11:00:30Z', 'NOT_WHOLE_MINUTES', /from=2026-11-20T11:00:00Z, or add exact=true/],
    ['from=2026-11-20T11:00:30Z&exact=true&step=60', 'NOT_WHOLE_MINUTES', /leave out step/],
    ['step=90', 'BAD_NUMBER', /step=120/],
    ['step=1m', 'BAD_NUMBER', /whole number from 60/],
    ['step=30', 'BAD_NUMBER', /whole number from 60/],
    ['from=2026-10-20T11:00:00Z&step=60', 'TOO_MANY_POINTS', /step=300 or more/],
    ['kpi=asrr', 'UNKNOWN_KPI', /did you mean asr/],
    ['kpi=post_dial_delay', 'UNKNOWN_KPI', /there are asr/],
    ['group_by=carier', 'BAD_VALUE', /did you mean carrier\?/],
    ['direction=in', 'BAD_VALUE', /inbound, outbound, unknown/],
    ['exact=yes', 'BAD_VALUE', /exact=true/],
    ['form=2026-11-20T11:00:00Z', 'UNKNOWN_PARAMETER', /form is not a parameter.*did you mean from/],
    ['from=1&from=2', 'REPEATED_PARAMETER', /write it once/],
    ['carrier=alhpa', 'UNKNOWN_CARRIER', /neither configured nor stored; did you mean alpha/],
    ['site=dallas', 'UNKNOWN_SITE', /did you mean dal/],
  ]
  it.each(refusals)('%s', async (query, code, sentence) => {
    const { status, body, type } = await get<{ code: string; detail: string; status: number }>(
      app,
      `/v1/kpis?${query}`,
    )
    expect(status).toBe(400)
    expect(type).toContain('application/problem+json')
    expect(body.code).toBe(`TRUNKSCOPE_API_${code}`)
    expect(body.detail).toMatch(sentence)
    expect(body.status).toBe(400)
  })

  it('a statement that costs too much gives 503, without the text of the engine', async () => {
    const client = store.engine.readers[0]!
    const slow = {
      query: () => Promise.reject(Object.assign(new Error('Code: 159. SELECT secret'), { code: '159' })),
    } as unknown as typeof client
    const refusing = await store.app({ readers: [slow] })
    const response = await refusing.inject({ url: `/v1/kpis?${HOUR}` })
    expect(response.statusCode).toBe(503)
    expect(response.json()).toMatchObject({ code: 'TRUNKSCOPE_API_QUERY_LIMIT' })
    expect(response.body).not.toContain('SELECT')
    await refusing.close()
  })

  it('the engine stops a statement at its time limit', async () => {
    const { Readers } = await import('../../../api/readers.js')
    const readers = new Readers(store.engine.readers)
    await expect(
      readers.select(
        'SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 7 SETTINGS max_execution_time = 1',
      ),
    ).rejects.toMatchObject({ code: 'TRUNKSCOPE_API_QUERY_LIMIT' })
  })
})

function withoutQuantiles(groups: KpiAnswer['groups']): unknown {
  return JSON.parse(
    JSON.stringify(groups, (key, value) =>
      key.startsWith('pdd_') ? { count: value.count, reason: value.reason } : value,
    ),
  )
}
