import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import type { Problem } from '../../../api/errors.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, CONFIG, ENDED, get, NOON, NOON_S, ONE, TestStore } from '../support.js'

const CONFIG_WITH = configSchema.parse({
  sites: CONFIG.sites,
  carriers: CONFIG.carriers,
  slos: [
    { id: 'carrier-availability', objective: 0.995, each: 'carrier' },
    { id: 'five-nines', name: 'The <b>platform</b>', objective: 0.99999 },
    { id: 'quick', indicator: 'pdd', objective: 0.95, window_days: 7, each: 'site' },
  ],
  maintenance: [{ from: NOON, to: '2026-11-20T12:10:00Z', reason: 'trunk <i>moves</i>', carriers: ['beta'] }],
})

interface State {
  carrier?: string
  severity: string | null
  why: string | null
  windows: { window: string; burn: number | null; bad: number; valid: number; reason?: string }[]
  budget: { words: string[]; cannot_be_shown: boolean; calls_left: number }
  maintenance: { reason: string; covers: string }[]
}
interface Slos {
  at: string
  slos: { id: string; each: string; states: State[] }[]
}
interface Burn {
  step_s: number
  instances: {
    carrier?: string
    now: State
    series: { t: string; burn: Record<string, number | null>; budget_left_ratio: number | null }[]
  }[]
}

let store: TestStore
let app: App

beforeAll(async () => {
  store = await TestStore.open()
  await store.add([
    ...Array.from({ length: 300 }, (_, index) =>
      attempt({
        invitedAtUs: (NOON_S + index * 12) * 1e6,
        ...(index % 10 === 0 ? ENDED.congestion : {}),
      }),
    ),
    ...Array.from({ length: 20 }, (_, index) =>
      attempt({
        carrier: 'beta',
        invitedAtUs: (NOON_S + index * 30) * 1e6,
        ...(index % 2 === 0 ? ENDED.congestion : {}),
      }),
    ),
  ])
  app = await store.app({ config: CONFIG_WITH, nowMs: () => (NOON_S + 3_600) * 1_000 })
})

afterAll(async () => {
  await app.close()
  await store.close()
})

describe('GET /v1/slos', () => {
  it('has every objective with the state of each of its instances', async () => {
    const { status, body } = await get<Slos>(app, '/v1/slos')
    expect(status).toBe(200)
    expect(body.at).toBe(ONE)
    expect(body.slos.map(({ id, states }) => [id, states.length])).toEqual([
      ['carrier-availability', 3],
      ['five-nines', 1],
      ['quick', 2],
    ])
    const [alpha, beta, silent] = body.slos[0]!.states
    expect(alpha).toMatchObject({ carrier: 'alpha', severity: 'page' })
    expect(alpha!.why).toContain('1h burns 20 (30 bad of 300)')
    expect(alpha!.budget.words[0]).toBe(
      '28.5 too many, 0 of 1.5 bad attempts left, 0 min of 3\u202fh 36\u202fmin of total outage',
    )
    expect(beta).toMatchObject({
      severity: null,
      maintenance: [{ reason: 'trunk <i>moves</i>', covers: 'all' }],
    })
    expect(beta!.windows[2]).toMatchObject({ window: '1h', burn: null, reason: 'maintenance' })
    expect(silent!.budget.words).toEqual(['no traffic in the whole window: nothing is known'])
  })

  it('takes no parameters, and says so', async () => {
    const { status, body } = await get<Problem>(app, '/v1/slos?carrier=alpha')
    expect(status).toBe(400)
    expect(body.detail).toContain('this route takes none')
  })
})

describe('GET /v1/slos/{id}/burn', () => {
  it('has the burn of each window at each step, and the state now', async () => {
    const { status, body } = await get<Burn>(
      app,
      `/v1/slos/carrier-availability/burn?from=${NOON}&to=${ONE}&step=1800`,
    )
    expect(status).toBe(200)
    const [alpha] = body.instances
    expect(alpha!.series.map(({ t }) => t)).toEqual([NOON, '2026-11-20T12:30:00Z', ONE])
    expect(Object.keys(alpha!.series[0]!.burn)).toEqual(['5m', '30m', '1h', '6h', '3d', '30d'])
    expect(alpha!.series[0]!.burn['1h']).toBeNull()
    expect(alpha!.series[2]!.burn['1h']).toBeCloseTo(20, 9)
    expect(alpha!.series[2]!.budget_left_ratio).toBeCloseTo(-19, 9)
    expect(alpha!.now.severity).toBe('page')
  })

  it('has at most 120 points unless asked otherwise', async () => {
    const { body } = await get<Burn>(app, '/v1/slos/five-nines/burn')
    expect(body.step_s).toBe(60)
    expect(body.instances[0]!.series).toHaveLength(61)
  })

  it('of an objective that does not exist names those that do', async () => {
    const { status, body } = await get<Problem>(app, '/v1/slos/five-nine/burn')
    expect(status).toBe(404)
    expect(body).toMatchObject({
      code: 'TRUNKSCOPE_API_NO_SUCH_SLO',
      suggestions: ['five-nines'],
      detail:
        'there is no objective five-nine; did you mean five-nines? there are carrier-availability, five-nines, quick',
    })
  })

  it.each([
    ['step=90', 'step=90 is not a number of whole minutes; write step=120'],
    ['from=2026-11-20T12:00:30Z', 'lies within a minute'],
    ['from=2025-10-01T00:00:00Z&step=86400', 'minutes are kept since'],
    ['from=2026-09-01T00:00:00Z&step=60', 'step=60 gives'],
    ['window=1h', 'window is not a parameter of this route'],
  ])('%s is refused with what to write instead', async (query, words) => {
    const { status, body } = await get<Problem>(app, `/v1/slos/carrier-availability/burn?${query}`)
    expect(status).toBe(400)
    expect(body.detail).toContain(words)
  })
})

describe('a token of some carriers', () => {
  const written = 'b'.repeat(40)
  let limited: App
  beforeAll(async () => {
    const sha256 = createHash('sha256').update(written).digest('hex')
    limited = await store.app({
      config: CONFIG_WITH,
      nowMs: () => (NOON_S + 3_600) * 1_000,
      tokens: () => [{ id: 'beta-manager', sha256, role: 'viewer', carriers: ['beta'] }],
    })
  })
  afterAll(() => limited.close())
  const ask = (url: string) => limited.inject({ url, headers: { authorization: `Bearer ${written}` } })

  it('sees the objectives of its carriers, and none that sums over several', async () => {
    const { slos } = (await ask('/v1/slos')).json() as Slos
    expect(slos.map(({ id, states }) => [id, states.map(({ carrier }) => carrier)])).toEqual([
      ['carrier-availability', ['beta']],
    ])
    expect(slos[0]!.states[0]!.windows.at(-1)).toMatchObject({ reason: 'maintenance' })
  })

  it('learns of the others neither by name nor by number, on no route', async () => {
    for (const url of [
      '/v1/slos',
      '/v1/slos/carrier-availability/burn',
      '/v1/slos/five-nines/burn',
      '/slos',
    ]) {
      expect((await ask(url)).body).not.toMatch(/alpha|silent|platform|\b300\b/)
    }
  })

  it('of an objective that is not for it is told the same as of one that does not exist', async () => {
    const of = async (id: string) => (await ask(`/v1/slos/${id}/burn`)).json() as Problem
    const [real, made] = [await of('five-nines'), await of('five-tens')]
    expect(real.status).toBe(404)
    expect({ ...real, detail: '' }).toEqual({ ...made, detail: '' })
    expect(real.detail).toBe('there is no objective five-nines; there are carrier-availability')
  })
})

describe('the page of objectives', () => {
  it('shows every objective with its budget in words, and no markup of the configuration', async () => {
    const response = await app.inject({ url: '/slos' })
    expect(response.statusCode).toBe(200)
    const page = response.body
    expect(page).toContain('The &lt;b&gt;platform&lt;/b&gt;')
    expect(page).toContain('trunk &lt;i&gt;moves&lt;/i&gt;')
    expect(page).toContain('aria-label="Budget: spent 20 times, 30 bad of 300"')
    expect(page).toContain('No traffic in the whole window, so nothing is known: silent.')
    expect(page).not.toMatch(/NaN|undefined|Infinity/)
  })

  it('says that an objective cannot be shown at this volume, and from how many it could', async () => {
    const slos = configSchema.parse({ slos: [{ id: 'quick', indicator: 'pdd', objective: 0.999 }] }).slos!
    const strict = await store.app({
      config: { ...CONFIG_WITH, slos },
      nowMs: () => (NOON_S + 3_600) * 1_000,
    })
    const { body } = await get<Slos>(strict, '/v1/slos')
    const words =
      '99.9 % cannot be shown at this volume: without a bad one it takes 2,995 valid attempts in 30d, there were 270'
    expect(body.slos[0]!.states[0]!.budget).toMatchObject({ cannot_be_shown: true, calls_left: 0.27 })
    expect(body.slos[0]!.states[0]!.budget.words).toContain(words)
    const page = (await strict.inject({ url: '/slos' })).body
    expect(page).toContain(words)
    expect(page).toContain('cannot be shown</span>')
    await strict.close()
  })

  it('says what a configuration without objectives would need', async () => {
    const bare = await store.app({ config: { ...CONFIG_WITH, slos: [] } })
    const response = await bare.inject({ url: '/slos' })
    expect(response.body).toContain('Objectives stand under')
    await bare.close()
  })
})
