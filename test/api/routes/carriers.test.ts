import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { CarriersAnswer } from '../../../api/carriers/carriers.js'
import type { App } from '../../../api/deps.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, get, HOUR, NOON_US, TestStore } from '../support.js'

let store: TestStore
let app: App
beforeAll(async () => {
  store = await TestStore.open()
  const unknown = {
    party: 'unknown',
    carrier: 'unknown',
    attributionRule: 'none',
    site: 'dal',
  } as const
  await store.add([
    attempt({ invitedAtUs: NOON_US }),
    attempt({ invitedAtUs: NOON_US + 300e6, state: 'open' }),
    attempt({ carrier: 'former', invitedAtUs: NOON_US }),
    attempt({ ...unknown, farAddress: '203.0.113.9', farPort: 5062, invitedAtUs: NOON_US + 2e6 }),
    attempt({ ...unknown, farAddress: '203.0.113.9', direction: 'inbound', invitedAtUs: NOON_US }),
    attempt({
      ...unknown,
      farAddress: '2001:db8::9',
      sbcAddress: '2001:db8::1',
      direction: 'unknown',
      site: '',
      invitedAtUs: NOON_US,
    }),
    attempt({ ...unknown, farAddress: 'evil"]\n  - x', invitedAtUs: NOON_US }),
  ])
  app = await store.app()
})
afterAll(async () => {
  await app.close()
  await store.close()
})

describe('GET /v1/carriers', () => {
  it('lists the configured ones, silent or not, and those the configuration lost', async () => {
    const { body } = await get<CarriersAnswer>(app, `/v1/carriers?${HOUR}`)
    expect(body.carriers).toEqual([
      {
        id: 'alpha',
        name: 'Alpha Telecom',
        is_configured: true,
        peers: [{ cidr: '198.51.100.10/32' }],
        attempts: 1,
        open: 1,
        incomplete: 0,
        last_seen: '2026-11-20T12:05:00Z',
      },
      expect.objectContaining({
        id: 'beta',
        attempts: 0,
        peers: [{ cidr: '198.51.100.20/32', site: 'dal' }],
      }),
      expect.objectContaining({ id: 'silent', name: 'silent', attempts: 0, last_seen: null }),
      expect.objectContaining({ id: 'former', is_configured: false, attempts: 1 }),
    ])
  })

  it('gives unknown peers with what would name them in the configuration', async () => {
    const { unknown } = (await get<CarriersAnswer>(app, `/v1/carriers?${HOUR}`)).body
    expect(unknown.attempts).toBe(4)
    expect(unknown.peers[0]).toMatchObject({
      address: '203.0.113.9',
      other_end: '192.0.2.11',
      is_other_end_ours: true,
      ports: [5060, 5062],
      directions: ['inbound', 'outbound'],
      attempts: 2,
      last_seen: '2026-11-20T12:00:02.000000Z',
    })
    const six = unknown.peers.find(({ address }) => address === '2001:db8::9')!
    expect(six.is_other_end_ours).toBe(false)
    for (const stanza of [unknown.stanza, unknown.peers[0]!.stanza, six.stanza]) {
      expect(configSchema.safeParse(parse(stanza)).success).toBe(true)
    }
    expect(parse(six.stanza)).toMatchObject({
      sites: [{ sbc: ['2001:db8::1/128'] }],
      carriers: [{ peers: ['2001:db8::9/128'] }],
    })
  })

  it('what is no address stays out of the configuration to copy', async () => {
    const { unknown } = (await get<CarriersAnswer>(app, `/v1/carriers?${HOUR}`)).body
    expect(unknown.peers.find(({ address }) => address.startsWith('evil'))!.stanza).toBe('')
    expect(unknown.stanza).not.toContain('evil')
  })
})
