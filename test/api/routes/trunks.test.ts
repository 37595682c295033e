import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { App } from '../../../api/deps.js'
import type { capacityAnswer } from '../../../api/trunks/peaks.js'
import type { trunkAnswer, trunksAnswer } from '../../../api/trunks/trunks.js'
import { attributeLeg, compileNetwork } from '../../../collector/enrich/carrier.js'
import type { Context } from '../../../evidence/pass.js'
import { trunkHoursPass } from '../../../evidence/trunk-hours.js'
import { trunksPass } from '../../../evidence/trunks-pass.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, endedCall, get, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'

type Trunks = (typeof trunksAnswer)['_zod']['output']
type OneTrunk = (typeof trunkAnswer)['_zod']['output']
type Capacity = (typeof capacityAnswer)['_zod']['output']

const CONFIG = configSchema.parse({
  sites: [{ id: 'dal', sbc: ['192.0.2.11/32'], agents: [2001] }],
  carriers: [
    {
      id: 'alpha',
      name: 'Alpha <b>Telecom</b>',
      peers: ['198.51.100.10/32', '198.51.100.11/32'],
      limits: { concurrent_calls: 3, calls_per_second: 10 },
    },
    { id: 'beta', peers: [{ cidr: '198.51.100.20/32', port: 5060, site: 'dal' }] },
  ],
})

let store: TestStore
let app: App
let version = 0n
let nowMs = (NOON_S + 3_600) * 1_000 - 20_000
beforeAll(async () => {
  store = await TestStore.open()
  app = await store.app({ config: CONFIG, nowMs: () => nowMs })
})
afterAll(async () => {
  await app.close()
  await store.close()
})
beforeEach(async () => {
  for (const table of ['trunk_minutes', 'trunk_hours', 'call_attempts', 'sip_messages', 'agents_minute'])
    await store.command(`TRUNCATE TABLE ${table}`)
})

async function judge(): Promise<void> {
  const context: Context = {
    client: store.engine.writer,
    config: CONFIG,
    version: () => ++version,
    announce: async () => {},
    isHeld: async () => true,
    log: () => {},
  }
  const minutesS = Array.from({ length: 60 }, (_, at) => NOON_S + at * 60)
  const window = { fromS: NOON_S, toS: NOON_S + 3_600, minutesS }
  const network = compileNetwork(CONFIG)
  await trunksPass(() => (ends) => attributeLeg(network, ends)).run(window, context)
  await trunkHoursPass.run(window, context)
}

/** Pings to a far address every minute of a range, answered or not. */
async function pings(far: string, from: number, to: number, status: number | undefined) {
  const messages = []
  for (let minute = from; minute < to; minute++) {
    const callId = `ping-${far}-${minute}-${status}`
    const head = `Via: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK${minute}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: ${callId}\r\nCSeq: 1 OPTIONS\r\n\r\n`
    const atUs = NOON_US + minute * 60e6 + 5e6
    messages.push({ callId, capturedAtUs: atUs, raw: `OPTIONS sip:c SIP/2.0\r\n${head}`, destination: far })
    if (status === undefined) continue
    messages.push({
      callId,
      capturedAtUs: atUs + 20_000,
      raw: `SIP/2.0 ${status} X\r\n${head}`,
      source: far,
      destination: '192.0.2.11',
    })
  }
  await store.addMessages(messages)
}
const heard = (minute: number) =>
  store.addAgentMinute({
    minuteS: NOON_S + minute * 60,
    lastSipUs: NOON_US + minute * 60e6 + 50e6,
    lastSeenUs: NOON_US + minute * 60e6 + 50e6,
  })
/** Calls a minute, each of half a minute. */
const calls = (far: string, from: number, to: number, many: number) =>
  store.add(
    Array.from({ length: (to - from) * many }, (_, at) => {
      const invitedAtUs = NOON_US + (from + Math.floor(at / many)) * 60e6 + (at % many) * 1e6
      return attempt({
        farAddress: far,
        ...endedCall(invitedAtUs, 30_000),
        invitedAtUs,
        answeredAtUs: invitedAtUs + 2e6,
      })
    }),
  )

/** What `/prom` says: labels as they are told apart by, then the values. */
async function prom(from: App, query: string, times: Record<string, number>, ...labels: string[]) {
  const asked = new URLSearchParams({
    query,
    ...Object.fromEntries(Object.entries(times).map(([name, value]) => [name, String(value)])),
  })
  const { data, error } = (
    await from.inject({ url: `/prom/api/v1/query${'step' in times ? '_range' : ''}?${asked}` })
  ).json() as {
    error?: string
    data?: {
      result: { metric: Record<string, string>; value: [number, string]; values?: [number, string][] }[]
    }
  }
  if (data === undefined) return [error]
  return data.result
    .map(({ metric, value, values }) =>
      [...labels.map((label) => metric[label] ?? '-'), ...(values ?? [value]).map(([, text]) => text)].join(
        ' ',
      ),
    )
    .sort()
}
const HOUR_LATER = { time: NOON_S + 3_600 }

describe('/v1/trunks', () => {
  test('without anything seen, configured peers of one address are unknown trunks', async () => {
    const { status, body } = await get<Trunks>(app, '/v1/trunks')
    expect(status).toBe(200)
    expect(body.trunks.map(({ id, state, why, peak_24h }) => [id, state, why, peak_24h])).toEqual([
      ['alpha~dal~198.51.100.10', 'unknown', 'nothing was seen of it', null],
      ['alpha~dal~198.51.100.11', 'unknown', 'nothing was seen of it', null],
      ['beta~dal~198.51.100.20~5060', 'unknown', 'nothing was seen of it', null],
    ])
    expect(body.thresholds).toMatchObject({ trunk_down_exchanges: 3, trunk_unknown_minutes: 10 })

    const peers = [
      '2001:DB8:0::10/128',
      '198.51.100.10/32',
      { cidr: '198.51.100.10/32', direction: 'inbound' },
    ]
    const twice = configSchema.parse({ ...CONFIG, carriers: [{ id: 'alpha', peers }] })
    const listed = await store.app({ config: twice })
    const { body: once } = await get<Trunks>(listed, '/v1/trunks')
    await listed.close()
    expect(once.trunks.map(({ id }) => id)).toEqual(['alpha~dal~2001:db8::10', 'alpha~dal~198.51.100.10'])
  })

  test('a trunk that stops answering is down, with when and why, and its calls are seen to move', async () => {
    await pings('198.51.100.10', 0, 40, 200)
    await pings('198.51.100.10', 40, 59, undefined)
    await pings('198.51.100.20', 0, 59, 404)
    await calls('198.51.100.10', 20, 40, 3)
    await calls('198.51.100.11', 40, 59, 3)
    for (const minute of [20, 40, 50, 58, 59]) await heard(minute)
    await judge()
    const { body } = await get<Trunks>(app, '/v1/trunks')
    const [alpha, other, beta] = [
      'alpha~dal~198.51.100.10',
      'alpha~dal~198.51.100.11',
      'beta~dal~198.51.100.20~5060',
    ].map((wanted) => body.trunks.find(({ id }) => id === wanted)!)
    expect(alpha).toMatchObject({
      state: 'down',
      seen_state: 'down',
      since: '2026-11-20T12:42:00Z',
      why: expect.stringMatching(
        /^19 exchanges in a row got no answer; the last sign of life was at 2026-11-20T12:39/,
      ),
      last_options: { at: '2026-11-20T12:58:05Z', status: null },
      last_hour: { options_answered: 40, options_unanswered: 19, calls_out: 60 },
      peak_24h: { attempts: 60, concurrent_calls: { peak: 3, limit: null } },
    })
    expect(other!.state).toBe('up')
    expect(beta).toMatchObject({
      state: 'up',
      address: '198.51.100.20:5060',
      last_options: { status: 404 },
      since: '2026-11-20T12:00:00Z',
    })
    expect(body.failovers).toEqual([
      {
        trunk: 'alpha~dal~198.51.100.10',
        at: '2026-11-20T12:42:00Z',
        calls_before: 30,
        calls_after: 0,
        to: [{ trunk: 'alpha~dal~198.51.100.11', calls_before: 0, calls_after: 30 }],
        verdict: 'moved',
        text: expect.stringContaining('its calls moved: alpha~dal~198.51.100.11 0 before, 30 after'),
      },
    ])

    const one = await get<OneTrunk>(app, '/v1/trunks/alpha~dal~198.51.100.10')
    expect(one.body.changes.map(({ at, from, to }) => [at.slice(11, 16), from, to])).toEqual([
      ['12:00', 'unknown', 'up'],
      ['12:41', 'up', 'degraded'],
      ['12:42', 'degraded', 'down'],
    ])
    expect(one.body).toMatchObject({ route_advances: 0, trunk: { id: 'alpha~dal~198.51.100.10' } })

    const { body: metrics } = await app.inject({ url: '/metrics' })
    expect(metrics).toContain('trunkscope_trunk_up{carrier="alpha",site="dal",address="198.51.100.10"} 0\n')
    expect(metrics).toContain(
      'trunkscope_trunk_up{carrier="beta",site="dal",address="198.51.100.20:5060"} 1\n',
    )
    expect(metrics).toContain('trunkscope_trunks{state="down"} 1\n')

    expect(metrics).toContain(
      'trunkscope_trunk_changes{carrier="alpha",site="dal",address="198.51.100.10"} 2\n',
    )
    expect(metrics).toContain(
      `trunkscope_trunk_changed_timestamp_seconds{carrier="alpha",site="dal",address="198.51.100.10"} ${NOON_S + 42 * 60}\n`,
    )

    // The collector stands still: what was judged a moment ago is not what is known now.
    nowMs += 180_000
    const { body: later } = await app.inject({ url: '/metrics' })
    nowMs -= 180_000
    expect(later).not.toContain('trunkscope_trunk_up{')
    expect(later).toContain('trunkscope_trunks{state="unknown"} 3\n')

    const states = await prom(app, 'trunkscope_trunk_state_seconds', HOUR_LATER, 'address', 'state')
    expect(states).toEqual(
      body.trunks
        .map(({ address, state, since }) => {
          return `${address} ${state} ${NOON_S + 3_600 - Date.parse(since!) / 1_000}`
        })
        .sort(),
    )
    expect(await prom(app, 'trunkscope_trunk_flaps > 0', HOUR_LATER, 'carrier', 'site', 'address')).toEqual([
      'alpha dal 198.51.100.10 2',
    ])
    const range = { start: NOON_S + 38 * 60, end: NOON_S + 44 * 60, step: 60 }
    const reachable = 'trunkscope_trunk_reachable{carrier="alpha",address=~".*[.]10"}'
    expect(await prom(app, reachable, range, 'address')).toEqual(['198.51.100.10 1 1 1 1 0.5 0 0'])
    expect(await prom(app, 'trunkscope_trunk_state_seconds{state="down"}', range, 'state')).toEqual([
      'down 60 120',
    ])
    expect(await prom(app, 'trunkscope_trunk_reachable{site!="dal"}', HOUR_LATER)).toEqual([])
    expect((await prom(app, 'max_over_time(trunkscope_trunk_reachable[1h])', HOUR_LATER))[0]).toMatch(
      /^unsupported: max_over_time of trunkscope_trunk_reachable/,
    )

    const { body: page } = await app.inject({ url: '/trunks' })
    expect(page).toContain('12:42')
    expect(page).toMatch(/aria-label="198\.51\.100\.10, last 24 hours: up [\d.]+[^"]*down/)
    expect(page).toContain('Alpha &lt;b&gt;Telecom&lt;/b&gt;')
    expect(page).toContain('the contracted limit of 3')
    expect(page).toContain('its calls moved')
  })

  test('while the tap of its site is blind a trunk is unknown, and says what it was before', async () => {
    await pings('198.51.100.10', 0, 40, 200)
    for (let minute = 0; minute < 40; minute++) await heard(minute)
    await judge()
    // What is known of the tap is shared for a few seconds.
    const fresh = await store.app({ config: CONFIG })
    const { body } = await get<Trunks>(fresh, '/v1/trunks?carrier=alpha&site=dal')
    await fresh.close()
    const alpha = body.trunks.find(({ id }) => id === 'alpha~dal~198.51.100.10')!
    expect(alpha.state).toBe('unknown')
    expect(alpha.why).toMatch(/^the tap of dal is blind: .*; before: /)
    const behind = await store.app({ config: CONFIG, live: () => liveStatus({ asOfUs: NOON_US + 2_400e6 }) })
    const late = await get<Trunks>(behind, '/v1/trunks')
    expect(late.body.trunks[0]).toMatchObject({ state: 'unknown', seen_state: 'up' })
    expect(late.body.trunks[0]!.why).toMatch(/^the collector is 20 min behind; before: /)
    // Of the newest point nobody knows; before it the trunk was up.
    const times = { start: NOON_S + 38 * 60, end: NOON_S + 40 * 60, step: 60 }
    const one = '{address="198.51.100.10"}'
    expect(await prom(behind, `trunkscope_trunk_reachable${one}`, times)).toEqual(['1 1'])
    expect(await prom(behind, `trunkscope_trunk_state_seconds${one}`, times, 'state')).toEqual([
      'unknown 0',
      'up 2280 2340',
    ])
    await behind.close()
  })

  test('an id of nothing is a 404 with where to look', async () => {
    for (const id of ['nonsense', 'alpha~dal~203.0.113.9', 'alpha~dal~198.51.100.10~0']) {
      const { status, body } = await get<{ code: string; detail: string }>(app, `/v1/trunks/${id}`)
      expect([status, body.code]).toEqual([404, 'TRUNKSCOPE_API_NO_SUCH_TRUNK'])
      expect(body.detail).toContain('/v1/trunks lists')
    }
  })
})

describe('/v1/capacity', () => {
  test('peaks stand beside limits, with headroom and the busiest hours', async () => {
    await calls('198.51.100.10', 0, 3, 4)
    await judge()
    const { body } = await get<Capacity>(
      app,
      '/v1/capacity?from=2026-11-20T00:00:00Z&to=2026-11-20T13:00:00Z',
    )
    expect(body.groups.map(({ scope, carrier, site, trunk }) => [scope, carrier, site, trunk])).toEqual([
      ['carrier', 'alpha', '', null],
      ['carrier_site', 'alpha', 'dal', null],
      ['site', '', 'dal', null],
      ['trunk', 'alpha', 'dal', 'alpha~dal~198.51.100.10'],
    ])
    const [carrier, atSite] = body.groups
    expect(carrier!.peak).toMatchObject({
      attempts: 12,
      concurrent_calls: { peak: 4, at: '2026-11-20T12:00:03Z', limit: 3, headroom: -1, used_ratio: 1.3333 },
      calls_per_second: { peak: 1, limit: 10, headroom: 9, used_ratio: 0.1 },
      talking_peak: 4,
    })
    expect(carrier!.busiest_hours).toEqual([
      { hour: '2026-11-20T12:00:00Z', attempts: 12, concurrent_calls: 4, talking: 4, calls_per_second: 1 },
    ])
    expect(atSite!.peak.concurrent_calls).toMatchObject({ limit: null, headroom: null, used_ratio: null })
    expect(carrier!.suspicion).toBeNull()
    const later = await store.app({ config: CONFIG, live: () => liveStatus({ asOfUs: NOON_US + 3_700e6 }) })
    const { body: metrics } = await later.inject({ url: '/metrics' })
    const labels = 'scope="carrier",carrier="alpha",site="",address=""'
    expect(metrics).toContain(`trunkscope_trunk_concurrent_calls_peak{${labels}} 4\n`)
    expect(metrics).toContain(`trunkscope_trunk_concurrent_calls_limit{${labels}} 3\n`)
    expect(metrics).toContain(`trunkscope_trunk_calls_per_second_limit{${labels}} 10\n`)
    const peak = 'trunkscope_capacity_concurrent_calls_peak'
    const limit = 'trunkscope_capacity_concurrent_calls_limit'
    const at = { time: NOON_S + 3_660 }
    expect(await prom(later, peak, at, 'scope', 'carrier', 'site', 'address')).toEqual([
      'carrier alpha - - 4',
      'carrier_site alpha dal - 4',
      'site - dal - 4',
      'trunk alpha dal 198.51.100.10 4',
    ])
    expect(
      await prom(later, `${peak}{scope=~"trunk|site",site=~"d.*",carrier="alpha"}`, at, 'scope'),
    ).toEqual(['trunk 4'])
    expect(await prom(later, `${limit} - ${peak}`, at, 'scope', 'carrier')).toEqual(['carrier alpha -1'])
    expect(await prom(later, 'trunkscope_capacity_calls_per_second_limit', at, 'carrier')).toEqual([
      'alpha 10',
    ])
    // Not before the hour is over.
    const around = { start: NOON_S + 3_540, end: NOON_S + 3_600, step: 60 }
    expect(await prom(later, `${peak}{scope="carrier"}`, around)).toEqual(['4'])
    await later.close()
    // A quiet hour has no peak, and what is contracted holds on.
    const quiet = await store.app({ config: CONFIG, live: () => liveStatus({ asOfUs: NOON_US + 9_000e6 }) })
    const twoLater = { time: NOON_S + 9_000 }
    expect(await prom(quiet, peak, twoLater)).toEqual([])
    expect(await prom(quiet, limit, twoLater, 'scope')).toEqual(['carrier 3'])
    expect(await prom(quiet, `max_over_time(${peak}{scope="carrier"}[24h]) / ${limit}`, twoLater)).toEqual([
      String(4 / 3),
    ])
    expect(await prom(quiet, `max_over_time(${peak}{scope="carrier"}[1h])`, twoLater)).toEqual([])
    expect((await prom(quiet, `sum_over_time(${peak}[1h])`, twoLater))[0]).toMatch(/use max_over_time/)
    expect((await prom(quiet, `max_over_time(${limit}[1h])`, twoLater))[0]).toMatch(/it is that of now/)
    await quiet.close()
  })

  test('503s in seconds near the limit are a suspicion in words', async () => {
    await calls('198.51.100.10', 0, 1, 3)
    const refusedAtUs = NOON_US + 10.5e6
    await store.add([
      attempt({
        invitedAtUs: NOON_US + 10e6,
        answeredAtUs: 0,
        finalAtUs: refusedAtUs,
        finalCode: 503,
        disposition: 'CONGESTION',
      }),
    ])
    await judge()
    const { body } = await get<Capacity>(app, '/v1/capacity?scope=carrier')
    expect(body.groups).toHaveLength(1)
    expect(body.groups[0]!.suspicion).toMatch(
      /^1 of 1 refusals with 503 came in seconds at 95 % of the contracted limit/,
    )
  })

  test('nothing counted is an empty list, and a wrong scope names the right ones', async () => {
    expect((await get<Capacity>(app, '/v1/capacity')).body).toMatchObject({ groups: [], more: 0 })
    const { status, body } = await get<{ detail: string }>(app, '/v1/capacity?scope=building')
    expect(status).toBe(400)
    expect(body.detail).toContain('carrier_site')
  })
})

test('who may see one carrier gets its trunks and no sum of a site', async () => {
  await pings('198.51.100.10', 0, 5, 200)
  await pings('198.51.100.20', 0, 5, 200)
  await calls('198.51.100.10', 0, 1, 2)
  await judge()
  const token = {
    id: 'of-beta',
    role: 'viewer' as const,
    carriers: ['beta'],
    // SHA-256 of "beta-token".
    sha256: (await import('node:crypto')).createHash('sha256').update('beta-token').digest('hex'),
  }
  const held = await store.app({ config: CONFIG, tokens: () => [token] })
  const ask = async (url: string) =>
    (await held.inject({ url, headers: { authorization: 'Bearer beta-token' } })).body
  expect(await ask('/v1/trunks')).not.toMatch(/alpha|198\.51\.100\.1[01]/)
  expect(await ask('/v1/trunks')).toContain('beta~dal~198.51.100.20~5060')
  expect(JSON.parse(await ask('/v1/capacity')).groups).toEqual([])
  expect(await ask('/trunks')).not.toMatch(/alpha|198\.51\.100\.1[01]/i)
  const series = await ask('/prom/api/v1/query?query=trunkscope_trunk_state_seconds')
  expect(series).toContain('198.51.100.20:5060')
  expect(series).not.toMatch(/alpha|198\.51\.100\.1[01]/)
  const peaks = await ask('/prom/api/v1/query?query=trunkscope_capacity_concurrent_calls_peak')
  expect(JSON.parse(peaks).data.result).toEqual([])
  expect(JSON.parse(await ask('/v1/trunks/alpha~dal~198.51.100.10')).code).toBe(
    'TRUNKSCOPE_API_NO_SUCH_TRUNK',
  )
  await held.close()
})
