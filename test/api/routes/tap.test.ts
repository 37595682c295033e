import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import type { AgentJson } from '../../../api/tap/agents.js'
import type { RefusedJson } from '../../../api/tap/refused.js'
import { get, HOUR, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'

interface AgentsAnswer {
  agents: AgentJson[]
  kernel_drops: number
  kernel_drop_ratio: number | null
  last_frame: unknown
  formulas: Record<string, { unit: string; formula: string }>
}

let store: TestStore
let app: App
beforeAll(async () => {
  store = await TestStore.open()
  await store.addAgentMinute()
  await store.addAgentMinute({ minuteS: NOON_S + 60, frames: 50, truncated: 3, lastSeenUs: NOON_US + 90e6 })
  await store.addAgentMinute({
    minuteS: NOON_S - 7_200,
    agent: '192.0.2.12/2002',
    agentId: 2002,
    lastSeenUs: NOON_US - 7_200e6,
  })
  await store.addAgentMinute({
    minuteS: NOON_S - 9 * 86_400,
    agent: 'long-gone',
    lastSeenUs: NOON_US - 9 * 86_400e6,
  })
  await store.command(`INSERT INTO rejected_frames SELECT toDateTime64('2026-11-20 12:00:0' || toString(number), 6, 'UTC'),
    toFixedString(unhex(leftPad(hex(number), 32, '0')), 16), 'capture', 'key_mismatch', 'udp', '203.0.113.9', 99,
    unhex('48455033ff00'), now() FROM numbers(9)`)
  app = await store.app({
    live: () =>
      liveStatus({
        refused: [
          { stage: 'capture', reason: 'key_mismatch', count: 14 },
          { stage: 'sip', reason: 'no_via', count: 20 },
          { stage: 'capture', reason: 'not_hep', count: 0 },
        ],
        kernelDrops: 5,
      }),
  })
})
afterAll(async () => {
  await app.close()
  await store.close()
})

describe('GET /v1/agents', () => {
  it('sums the range, and keeps an agent in view that fell silent', async () => {
    const { body } = await get<AgentsAnswer>(app, `/v1/agents?${HOUR}`)
    expect(body.agents).toEqual([
      expect.objectContaining({
        agent: '192.0.2.11/2001',
        site: 'dal',
        frames: 150,
        truncated: 3,
        last_seen: '2026-11-20T12:01:30.000000Z',
        silent_s: 3_510,
        frames_per_s: 0.042,
        verdict: 'quiet',
      }),
      expect.objectContaining({ agent: '192.0.2.12/2002', site: 'fra', frames: 0, verdict: 'quiet' }),
    ])
    expect(body.kernel_drops).toBe(5)
    expect(body.last_frame).toEqual({ at: '2026-11-20T13:00:00.000000Z', peer_address: '192.0.2.11' })
    expect(body.kernel_drop_ratio).toBeNull()
    for (const { unit, formula } of Object.values(body.formulas)) {
      expect(unit).not.toBe('')
      expect(formula.length).toBeGreaterThan(20)
    }
  })
})

describe('GET /tap', () => {
  const pageOf = async (from: App, url = `/tap?${HOUR}`) => {
    const response = await from.inject({ url })
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-type']).toBe('text/html; charset=utf-8')
    return response.body
  }

  it('shows every agent with its verdict in words and its numbers with their units', async () => {
    const page = await pageOf(app)
    expect(page).toContain('2 quiet now')
    expect(page).toContain('title="no SIP, and nothing says that there should be some"')
    expect(page).toContain('no SIP for 58 min 30 s; with 2 minutes with SIP in the hour before')
    expect(page).toContain('0 <small>0.0\u202f/s</small></td>')
    expect(page).toContain('silent for 58\u202fmin 30\u202fs')
    expect(page).not.toMatch(/undefined|NaN|null/)
  })

  it('the overview shows the worst first, and leads to every number', async () => {
    const page = await pageOf(app, `/?${HOUR}`)
    expect(page).toContain(`href="/tap?from=2026-11-20T12:00:00Z&amp;to=2026-11-20T13:00:00Z"`)
    expect(page).toContain('State now')
  })

  it('names from the wire are text', async () => {
    const hostile = `"><script>alert(1)</script>`
    await store.addAgentMinute({ agent: hostile, minuteS: NOON_S + 120, lastSeenUs: NOON_US + 121e6 })
    const later = await store.app()
    const page = await pageOf(later)
    expect(page).not.toContain('<script>alert')
    expect(page).toContain('&lt;script&gt;alert(1)')
    await later.close()
  })

  it('without agents it says so', async () => {
    const empty = await store.app({ live: () => liveStatus({ asOfUs: NOON_US - 30 * 86_400e6 }) })
    const page = await pageOf(empty, '/tap?from=2026-10-01T00:00:00Z&to=2026-10-01T01:00:00Z')
    expect(page).toContain('No agent was heard of in this range or in the 8 days before now')
    await empty.close()
  })
})

describe('GET /v1/refused', () => {
  it('counts by reason with its meaning, and shows samples', async () => {
    const { body } = await get<{ reasons: RefusedJson[] }>(app, '/v1/refused?limit=2')
    expect(body.reasons.map(({ reason, count }) => [reason, count])).toEqual([
      ['no_via', 20],
      ['key_mismatch', 14],
    ])
    const [noVia, mismatch] = body.reasons
    expect(noVia).toMatchObject({ stage: 'sip', meaning: 'no Via header', samples: [] })
    expect(mismatch!.samples).toHaveLength(2)
    expect(mismatch!.samples[0]).toMatchObject({
      received_at: '2026-11-20T12:00:08.000000Z',
      size_bytes: 99,
      sample_text: 'HEP3..',
    })
  })

  it('a limit that makes no sense is 400', async () => {
    expect((await get(app, '/v1/refused?limit=many')).status).toBe(400)
  })
})
