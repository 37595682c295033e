import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import { OWN_METRICS } from '../../../schemas/own-metrics.js'
import { PROM_METRICS, PROM_SERIES_NAMES } from '../../../schemas/prom-metrics.js'
import { needs, programPath } from '../../support/outside-programs.js'
import { addChecks } from '../attestation/identity-rows.js'
import { attempt, ENDED, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'

let store: TestStore
let app: App

beforeAll(async () => {
  store = await TestStore.open()
  await store.add([
    ...Array.from({ length: 10 }, (_, index) => attempt({ invitedAtUs: NOON_US + index * 30e6 })),
    attempt({ ...ENDED.busy, invitedAtUs: NOON_US + 5e6 }),
    attempt({ ...ENDED.congestion, carrier: 'beta', site: 'fra', invitedAtUs: NOON_US + 90e6 }),
    attempt({ party: 'unknown', carrier: 'unknown', site: '', invitedAtUs: NOON_US }),
  ])
  await store.addAgentMinute({})
  await addChecks(store, [{ minute: NOON_S }])
  app = await store.app()
})
afterAll(async () => {
  await app.close()
  await store.close()
})

const BASE = '/prom/api/v1'
type Written = Record<string, string | number | readonly string[]>

const encoded = (written: Written) =>
  new URLSearchParams(
    Object.entries(written).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, String(one)]),
    ),
  ).toString()

interface PromAnswer {
  status: 'success' | 'error'
  data?: unknown
  warnings?: string[]
  errorType?: string
  error?: string
}

async function get(path: string, written: Written = {}, headers: Record<string, string> = {}, to = app) {
  const response = await to.inject({ url: `${BASE}${path}?${encoded(written)}`, headers })
  return { status: response.statusCode, body: response.json() as PromAnswer, headers: response.headers }
}

async function post(path: string, written: Written = {}, to = app) {
  const response = await to.inject({
    method: 'POST',
    url: `${BASE}${path}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: encoded(written),
  })
  return { status: response.statusCode, body: response.json() as PromAnswer, headers: response.headers }
}

const success = (data: unknown, warnings?: string[]) => ({
  status: 200,
  body: { status: 'success', data, ...(warnings === undefined ? {} : { warnings }) },
})
const told = async (answer: Promise<{ status: number; body: PromAnswer }>) => {
  const { status, body } = await answer
  return { status, body }
}

describe('questions', () => {
  it('Save & test of Grafana is answered', async () => {
    const expected = success({ resultType: 'scalar', result: [4, '2'] })
    expect(await told(get('/query', { query: '1+1', time: 4 }))).toEqual(expected)
    expect(await told(post('/query', { query: '1+1', time: 4 }))).toEqual(expected)
    expect((await app.inject({ url: `${BASE}/query?query=1%2B1&time=4` })).json()).toEqual(expected.body)
    expect(await told(get('/status/buildinfo'))).toEqual(success({ version: '2.54.0' }))
  })

  it('a vector holds label sets and texts', async () => {
    const query = 'sum by (carrier) (increase(trunkscope_attempts_total[1h]))'
    const at = { query, time: NOON_S + 1_800 }
    const { data } = (await get('/query', at)).body
    expect(data).toEqual({
      resultType: 'vector',
      result: expect.arrayContaining([
        { metric: { carrier: 'alpha' }, value: [NOON_S + 1_800, '11'] },
        { metric: { carrier: 'beta' }, value: [NOON_S + 1_800, '1'] },
        { metric: { carrier: 'unknown' }, value: [NOON_S + 1_800, '1'] },
      ]),
    })
    expect((await post('/query', at)).body.data).toEqual(data)
  })

  it('a range holds a point a step, a quiet minute is 0, and what is not yet is left out', async () => {
    const asked = {
      query: 'increase(trunkscope_attempts_total{carrier="beta"}[1m])',
      start: NOON_S,
      end: '2026-11-20T12:05:30Z',
      step: '1m',
    }
    const labels = { carrier: 'beta', site: 'fra', direction: 'outbound' }
    const expected = success({
      resultType: 'matrix',
      result: [
        {
          metric: labels,
          values: [
            [NOON_S + 120, '1'],
            [NOON_S + 180, '0'],
            [NOON_S + 240, '0'],
            [NOON_S + 300, '0'],
          ],
        },
      ],
    })
    expect(await told(get('/query_range', asked))).toEqual(expected)
    expect(await told(post('/query_range', { ...asked, step: '60' }))).toEqual(expected)
    const scalar = await get('/query_range', {
      query: '2',
      start: NOON_S + 0.25,
      end: NOON_S + 60.25,
      step: 60,
    })
    expect(scalar.body.data).toEqual({
      resultType: 'matrix',
      result: [
        {
          metric: {},
          values: [
            [NOON_S + 0.25, '2'],
            [NOON_S + 60.25, '2'],
          ],
        },
      ],
    })
  })

  it('infinities and not-a-number are written as Prometheus writes them', async () => {
    for (const [query, text] of [
      ['1/0', '+Inf'],
      ['-1/0', '-Inf'],
      ['0/0', 'NaN'],
    ] as const) {
      expect((await get('/query', { query, time: 4 })).body.data).toEqual({
        resultType: 'scalar',
        result: [4, text],
      })
    }
  })

  it('without a time it is now, and unknown parameters are left alone', async () => {
    const { body } = await get('/query', { query: 'vector(1)', dedup: 'true', timeout: '30s' })
    expect(body.data).toEqual({
      resultType: 'vector',
      result: [{ metric: {}, value: [NOON_S + 3_580, '1'] }],
    })
  })

  it('a limit cuts, and says so', async () => {
    const { body } = await get('/query', {
      query: 'increase(trunkscope_attempts_total[1h])',
      time: NOON_S + 1_800,
      limit: 1,
    })
    expect((body.data as { result: unknown[] }).result).toHaveLength(1)
    expect(body.warnings).toEqual(['results truncated due to limit'])
  })

  it('exemplars and rules are none', async () => {
    expect(await told(get('/query_exemplars', { query: 'x', start: 1, end: 2 }))).toEqual(success([]))
    expect(await told(post('/query_exemplars', { query: 'x' }))).toEqual(success([]))
    expect(await told(get('/rules'))).toEqual(success({ groups: [] }))
  })
})

describe('what Grafana fills its menus from', () => {
  const span = { start: NOON_S - 3_600, end: NOON_S + 3_600 }

  it('names of labels, of all or of what is matched', async () => {
    for (const ask of [get, post]) {
      const all = (await ask('/labels', span)).body.data
      expect(all).toEqual(
        expect.arrayContaining(['__name__', 'agent', 'carrier', 'code', 'direction', 'kpi', 'le', 'site']),
      )
      expect(await told(ask('/labels', { ...span, 'match[]': 'trunkscope_attempts_total' }))).toEqual(
        success(['__name__', 'carrier', 'direction', 'site']),
      )
    }
  })

  it('values of labels: label_values(metric, label), label_values(label), metrics()', async () => {
    const values = async (name: string, written: Written = {}) =>
      (await get(`/label/${name}/values`, { ...span, ...written })).body.data
    expect(await values('carrier')).toEqual(['alpha', 'beta', 'unknown'])
    expect(await values('carrier', { 'match[]': 'trunkscope_responses_total{code=~"5.."}' })).toEqual([
      'beta',
    ])
    expect(
      await values('site', {
        'match[]': [
          'trunkscope_attempts_total{carrier="beta"}',
          'trunkscope_attempts_total{carrier="unknown"}',
        ],
      }),
    ).toEqual(['fra', 'unknown'])
    expect(await values('site')).toEqual(['dal', 'fra', 'unknown'])
    expect(await values('code')).toEqual(['200', '486', '503'])
    expect(await values('kpi')).toEqual(expect.arrayContaining(['asr', 'acd', 'ner']))
    expect(await values('agent')).toEqual(['192.0.2.11/2001'])
    expect(await values('slo')).toEqual(['carrier-availability'])
    expect(await values('window')).toEqual(expect.arrayContaining(['1h', '30d']))
    expect(await values('nonesuch')).toEqual([])
    expect(await values('__name__')).toEqual(PROM_SERIES_NAMES.map(({ name }) => name).sort())
    expect(await values('__name__', { 'match[]': '{agent="192.0.2.11/2001"}' })).toContain(
      'trunkscope_agent_frames_total',
    )
    expect(await values('__name__', { 'match[]': '{__name__=~".*ratio", carrier="alpha"}' })).toEqual([
      'trunkscope_kpi_ratio',
      'trunkscope_slo_budget_remaining_ratio',
      'trunkscope_slo_burn_ratio',
    ])
    expect(await values('carrier', { limit: 1 })).toEqual(['alpha'])
    expect((await get('/label/carrier/values', { limit: 1 })).body.warnings).toEqual([
      'results truncated due to limit',
    ])
  })

  it('a span before there was anything holds nothing', async () => {
    expect(await told(get('/label/carrier/values', { start: 4, end: 400 }))).toEqual(success([]))
    expect(await told(get('/label/carrier/values', { start: NOON_S - 9e6, end: NOON_S - 60 }))).toEqual(
      success([]),
    )
  })

  it('series', async () => {
    const matched = {
      ...span,
      'match[]': ['trunkscope_attempts_total{carrier="beta"}', 'trunkscope_agent_frames_total'],
    }
    const expected = success([
      { __name__: 'trunkscope_agent_frames_total', agent: '192.0.2.11/2001', site: 'dal' },
      { __name__: 'trunkscope_attempts_total', carrier: 'beta', site: 'fra', direction: 'outbound' },
    ])
    expect(await told(get('/series', matched))).toEqual(expected)
    expect(await told(post('/series', matched))).toEqual(expected)
  })

  it('types, units and sentences, from the catalog', async () => {
    const all = (await get('/metadata')).body.data as Record<string, unknown>
    expect(Object.keys(all)).toEqual(PROM_METRICS.map(({ name }) => name))
    expect(await told(get('/metadata', { metric: 'trunkscope_attempts_total' }))).toEqual(
      success({
        trunkscope_attempts_total: [
          { type: 'counter', help: 'Closed attempts, by the minute of their INVITE.', unit: '' },
        ],
      }),
    )
    expect(Object.keys((await get('/metadata', { limit: 2 })).body.data as object)).toHaveLength(2)
  })
})

describe('errors are worded as those of Prometheus', () => {
  const range = { start: NOON_S, end: NOON_S + 60, step: 60 }
  it.each([
    [400, 'bad_data', /"query" is missing/, '/query', {}],
    [400, 'bad_data', /parse error/, '/query', { query: 'sum(' }],
    [400, 'bad_data', /not a time/, '/query', { query: '1', time: 'yesterday' }],
    [400, 'bad_data', /looks like milliseconds/, '/query', { query: '1', time: NOON_S * 1_000 }],
    [
      400,
      'bad_data',
      /RE2|parse error/,
      '/query',
      { query: 'trunkscope_attempts_total{carrier=~"a("}', time: NOON_S },
    ],
    [400, 'bad_data', /"step" is missing/, '/query_range', { query: '1', start: 1, end: 2 }],
    [400, 'bad_data', /zero or negative/, '/query_range', { query: '1', ...range, step: 0 }],
    [400, 'bad_data', /write seconds or a duration/, '/query_range', { query: '1', ...range, step: '1 m' }],
    [400, 'bad_data', /before start/, '/query_range', { query: '1', ...range, end: 5 }],
    [400, 'bad_data', /11,000 points/, '/query_range', { query: '1', start: 0, end: 11_000, step: 1 }],
    [400, 'bad_data', /range vector/, '/query_range', { query: 'trunkscope_attempts_total[5m]', ...range }],
    [400, 'bad_data', /no match\[\] parameter/, '/series', {}],
    [400, 'bad_data', /no series selector/, '/series', { 'match[]': 'sum(trunkscope_attempts_total)' }],
    [400, 'bad_data', /limit=-1/, '/labels', { limit: -1 }],
    [400, 'bad_data', /invalid label name/, '/label/1x/values', {}],
    [400, 'bad_data', /before start/, '/label/carrier/values', { start: 9, end: 5 }],
    [
      422,
      'execution',
      /subquery.*docs\/promql.md/,
      '/query',
      { query: 'max_over_time(rate(trunkscope_attempts_total[5m])[1h:5m])' },
    ],
    [
      422,
      'execution',
      /unsupported: an increase of trunkscope_kpi_ratio/,
      '/query',
      { query: 'increase(trunkscope_kpi_ratio[5m])' },
    ],
  ] as const)('%i %s %s', async (status, errorType, text, path, written) => {
    const answers = [
      await get(path, written),
      ...(path.startsWith('/label/') ? [] : [await post(path, written)]),
    ]
    for (const answer of answers) {
      expect(answer.body).toEqual({ status: 'error', errorType, error: expect.stringMatching(text) })
      expect(answer.status).toBe(status)
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    }
  })

  it('exactly 11,000 points are answered', async () => {
    const { body } = await get('/query_range', { query: '1', start: 0, end: 10_999, step: 1 })
    expect((body.data as { result: { values: unknown[] }[] }).result[0]!.values).toHaveLength(11_000)
  })

  it('POST is refused where it is not asked, so that Grafana asks by GET', async () => {
    for (const path of ['/label/carrier/values', '/metadata', '/rules', '/status/buildinfo']) {
      const { status, body, headers } = await post(path)
      expect([status, body.status, headers.allow]).toEqual([405, 'error', 'GET, HEAD'])
    }
  })

  it('a form that is too large and a body that is no form are refused', async () => {
    const large = await post('/query', { query: `1${'+1'.repeat(40_000)}` })
    expect([large.status, large.body.errorType]).toEqual([400, 'bad_data'])
    const json = await app.inject({ method: 'POST', url: `${BASE}/query`, payload: { query: '1' } })
    expect([json.statusCode, json.json<PromAnswer>().errorType]).toEqual([400, 'bad_data'])
  })

  it('a store that starts is a timeout', async () => {
    const starting = await store.app({
      readers: [{ query: () => Promise.reject(new Error('gone')) } as never],
      live: () => liveStatus({ ready: false, problem: 'the store starts' }),
    })
    const { status, body } = await get(
      '/query',
      { query: 'trunkscope_attempts_total', time: NOON_S },
      {},
      starting,
    )
    expect([status, body]).toEqual([
      503,
      { status: 'error', errorType: 'timeout', error: 'the store starts' },
    ])
    await starting.close()
  })
})

describe('who asks', () => {
  const secret = (name: string) => `${name}-`.repeat(8)
  const token = (id: string, carriers?: string[]) => ({
    id,
    sha256: createHash('sha256').update(secret(id)).digest('hex'),
    role: 'viewer' as const,
    ...(carriers === undefined ? {} : { carriers }),
  })

  it('a token is asked for in our own words, and shows its carriers only, also where an answer is shared', async () => {
    const guarded = await store.app({
      tokens: () => [token('grafana'), token('alpha-only', ['alpha'])] as never,
    })
    const refused = await guarded.inject({ url: `${BASE}/query?query=1` })
    expect(refused.statusCode).toBe(401)
    expect(refused.json()).toMatchObject({ code: 'TRUNKSCOPE_API_UNAUTHORIZED' })
    const ask = async (id: string, path: string, written: Written) =>
      (await get(path, written, { authorization: `Bearer ${secret(id)}` }, guarded)).body.data
    const asked = { start: NOON_S - 60, end: NOON_S + 3_600 }
    expect(await ask('grafana', '/label/carrier/values', asked)).toEqual(['alpha', 'beta', 'unknown'])
    expect(await ask('alpha-only', '/label/carrier/values', asked)).toEqual(['alpha'])
    expect(await ask('alpha-only', '/label/agent/values', asked)).toEqual([])
    const sum = { query: 'sum(increase(trunkscope_attempts_total[1h]))', time: NOON_S + 1_800 }
    expect(await ask('grafana', '/query', sum)).toMatchObject({ result: [{ value: [NOON_S + 1_800, '13'] }] })
    expect(await ask('alpha-only', '/query', sum)).toMatchObject({
      result: [{ value: [NOON_S + 1_800, '11'] }],
    })
    await guarded.close()
  })
})

describe('the catalog', () => {
  it("shares no name with the process's own metrics", () => {
    const own = new Set(OWN_METRICS.map(({ name }) => name))
    const served = [...PROM_SERIES_NAMES.map(({ name }) => name), ...PROM_METRICS.map(({ name }) => name)]
    expect(served.filter((name) => own.has(name))).toEqual([])
    expect(new Set(PROM_SERIES_NAMES.map(({ name }) => name)).size).toBe(PROM_SERIES_NAMES.length)
  })

  it('has a good name, a unit and a sentence for each', () => {
    for (const { name, type, unit, help } of PROM_METRICS) {
      expect(name).toMatch(/^trunkscope_[a-z0-9_]+$/)
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter'])
      if (unit !== '') expect(name).toMatch(new RegExp(`_${unit}$`))
      expect(help.length).toBeGreaterThan(20)
    }
  })

  it('every metric of it can be asked', async () => {
    for (const { name, metric } of PROM_SERIES_NAMES) {
      const query = metric.type === 'gauge' ? name : `increase(${name}[1h])`
      const { status, body } = await get('/query', { query, time: NOON_S + 240 })
      expect([name, status, body.warnings]).toEqual([name, 200, undefined])
      const { result } = body.data as { result: { metric: Record<string, string> }[] }
      if (!/cancel|suspicions|capacity|reachable/.test(name))
        expect([name, result.length > 0]).toEqual([name, true])
      const labels = metric.type === 'gauge' ? ['__name__', ...metric.labels] : metric.labels
      for (const one of result) {
        expect([name, Object.keys(one.metric).filter((label) => ![...labels, 'le'].includes(label))]).toEqual(
          [name, []],
        )
      }
    }
  })
})

describe('promtool', () => {
  const test = needs('promtool')
  const run = promisify(execFile)

  test('asks an instant, a range, series and labels', async () => {
    await app.listen({ host: '127.0.0.1', port: 0 })
    const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/prom`
    const promtool = async (...written: string[]) =>
      (await run(programPath('promtool')!, ['query', ...written])).stdout
    const span = [`--start=${NOON_S}`, `--end=${NOON_S + 300}`]
    expect(await promtool('instant', url, '1+1')).toMatch(/^scalar: 2 @\[/)
    const sum = 'sum by (carrier) (increase(trunkscope_attempts_total[5m]))'
    expect(await promtool('instant', `--time=${NOON_S + 300}`, url, sum)).toContain(
      `{carrier="alpha"} => 11 @[${NOON_S + 300}]`,
    )
    expect(await promtool('range', ...span, '--step=60s', url, sum)).toContain(`11 @[${NOON_S + 300}]`)
    expect(
      await promtool(
        'series',
        '--match=trunkscope_cancels_total',
        '--match=trunkscope_agent_frames_total',
        ...span,
        url,
      ),
    ).toBe('{__name__="trunkscope_agent_frames_total", agent="192.0.2.11/2001", site="dal"}\n')
    expect(await promtool('labels', ...span, url, 'carrier')).toBe('alpha\nbeta\nunknown\n')
    await expect(promtool('instant', url, 'sum(')).rejects.toThrow(/bad_data/)
  }, 30_000)
})
