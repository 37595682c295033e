import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import type { AgentJson } from '../../../api/tap/agents.js'
import type { RefusedJson } from '../../../api/tap/refused.js'
import { get, HOUR, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'

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
    minuteS: NOON_S - 200_000,
    agent: 'long-gone',
    lastSeenUs: NOON_US - 200_000e6,
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
    const { body } = await get<{ agents: AgentJson[]; kernel_drops: number; last_frame: unknown }>(
      app,
      `/v1/agents?${HOUR}`,
    )
    expect(body.agents).toEqual([
      expect.objectContaining({
        agent: '192.0.2.11/2001',
        site: 'dal',
        frames: 150,
        truncated: 3,
        last_seen: '2026-11-20T12:01:30.000000Z',
        silent_s: 3_510,
      }),
      expect.objectContaining({ agent: '192.0.2.12/2002', site: 'fra', frames: 0 }),
    ])
    expect(body.kernel_drops).toBe(5)
    expect(body.last_frame).toEqual({ at: '2026-11-20T13:00:00.000000Z', peer_address: '192.0.2.11' })
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
