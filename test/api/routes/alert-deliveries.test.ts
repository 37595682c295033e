import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Outbox } from '../../../api/alerts/outbox.js'
import type { App } from '../../../api/deps.js'
import type { Role, Token } from '../../../schemas/tokens.js'
import { notice, noticeOf, STARTED_US } from '../alerts/notice.js'
import { get, TestStore } from '../support.js'

interface Body {
  deliveries: { id: string; state: string; summary: string; last_error: string; next_try_at: string | null }[]
  sinks: { id: string; state: string; waiting: number; last_error: string }[]
  detail: string
}

const secretOf = (id: string) => `trunkscope_${id}-${'x'.repeat(32)}`
const tokenOf = (id: string, role: Role, carriers?: string[]): Token => ({
  id,
  role,
  sha256: createHash('sha256').update(secretOf(id)).digest('hex'),
  ...(carriers === undefined ? {} : { carriers }),
})
const TOKENS = [
  tokenOf('viewer', 'viewer'),
  tokenOf('investigator', 'investigator'),
  tokenOf('admin', 'admin'),
  tokenOf('alpha-admin', 'admin', ['alpha']),
]

let store: TestStore
let outbox: Outbox
let app: App
const answers: number[] = []
beforeAll(async () => {
  store = await TestStore.open()
  outbox = await Outbox.open({
    client: store.engine.writer,
    sinks: [
      {
        id: 'pagerduty',
        type: 'pagerduty',
        allowPrivate: true,
        url: 'https://events.pagerduty.com/v2/enqueue',
        routingKey: 'SECRETSECRETSECRETSECRET',
        routingKeyFile: '',
        repeatIntervalHours: 4,
      },
    ],
    log: () => {},
    nowMs: () => STARTED_US / 1_000,
    random: () => 1,
    post: async () => ({ kind: 'answered', status: answers.shift() ?? 202, retryAfterMs: undefined }),
  })
  app = await store.app({ outbox, tokens: () => TOKENS })
  answers.push(400, 503)
  await outbox.put([noticeOf('alpha', { sinks: ['pagerduty'] }), noticeOf('bravo', { sinks: ['pagerduty'] })])
  await outbox.deliverDue()
})
afterAll(async () => {
  await app.close()
  await outbox.close()
  await store.close()
})

const ask = (url: string, token = 'admin', method: 'GET' | 'POST' = 'GET') =>
  app.inject({ url, method, headers: { authorization: `Bearer ${secretOf(token)}` } })
const list = async (query = '', token = 'investigator') =>
  (await ask(`/v1/alerts/deliveries${query}`, token)).json() as Body
const dead = `${noticeOf('alpha').key}.1.pagerduty`

describe('/v1/alerts/deliveries', () => {
  test('lists what waits and what is dead, and how the sinks are', async () => {
    const { deliveries, sinks } = await list()
    expect(deliveries).toEqual([
      expect.objectContaining({
        id: dead,
        state: 'dead',
        status: 'firing',
        rule: 'CarrierBurnFast',
        severity: 'page',
        labels: expect.objectContaining({ carrier: 'alpha' }),
        summary: notice().annotations.summary,
        tries: 1,
        last_error: 'answered 400',
        stored_at: '2026-11-20T10:02:00.000Z',
        next_try_at: null,
      }),
      expect.objectContaining({
        state: 'retrying',
        last_error: 'answered 503',
        next_try_at: '2026-11-20T10:02:01.000Z',
      }),
    ])
    expect(sinks).toEqual([
      {
        id: 'pagerduty',
        type: 'pagerduty',
        state: 'failing',
        waiting: 1,
        firing: 0,
        last_error: 'answered 503',
      },
    ])
    expect(JSON.stringify([deliveries, sinks])).not.toContain('SECRETSECRET')
  })

  test('takes states and a limit, and says what is wrong with others', async () => {
    expect((await list('?state=dead')).deliveries.map(({ id }) => id)).toEqual([dead])
    expect((await list('?state=dead,retrying')).deliveries).toHaveLength(2)
    expect((await list('?limit=1')).deliveries).toHaveLength(1)
    expect((await list('?state=deed')).detail).toContain('did you mean dead?')
    expect((await list('?limit=0')).detail).toContain('1 to 1000')
  })

  test('is for investigators and admins of all carriers', async () => {
    expect((await ask('/v1/alerts/deliveries', 'viewer')).statusCode).toBe(403)
    expect((await ask('/v1/alerts/deliveries', 'alpha-admin')).statusCode).toBe(403)
    expect((await ask(`/v1/alerts/deliveries/${dead}/retry`, 'investigator', 'POST')).statusCode).toBe(403)
    expect((await ask(`/v1/alerts/deliveries/${dead}/retry`, 'alpha-admin', 'POST')).statusCode).toBe(403)
    expect((await app.inject({ url: '/v1/alerts/deliveries' })).statusCode).toBe(401)
  })

  test('an admin sends a dead letter again, once', async () => {
    const again = await ask(`/v1/alerts/deliveries/${dead}/retry`, 'admin', 'POST')
    expect([again.statusCode, again.json()]).toEqual([200, { id: dead, state: 'pending' }])
    await outbox.deliverDue()
    expect((await list('?state=delivered')).deliveries.map(({ id }) => id)).toEqual([dead])
    const twice = await ask(`/v1/alerts/deliveries/${dead}/retry`, 'admin', 'POST')
    expect([twice.statusCode, (twice.json() as Body).detail]).toEqual([
      409,
      `${dead} is not dead: it was delivered, or waits for its next try by itself`,
    ])
  })

  test.each(['x', '../../etc', `${'0'.repeat(32)}.1.pagerduty`, `${'0'.repeat(32)}.99999999999999999.a`])(
    'an id that is none is told so: %s',
    async (id) => {
      const { statusCode } = await ask(
        `/v1/alerts/deliveries/${encodeURIComponent(id)}/retry`,
        'admin',
        'POST',
      )
      expect(statusCode).toBe(404)
    },
  )

  test('a process that sends no alerts lists them, and says that it cannot send', async () => {
    const other = await store.app()
    const { body, status } = await get<Body>(other, '/v1/alerts/deliveries?state=dead,delivered,retrying')
    expect([status, body.deliveries.length, body.sinks]).toEqual([200, 2, []])
    const response = await other.inject({ url: `/v1/alerts/deliveries/${dead}/retry`, method: 'POST' })
    expect(response.statusCode).toBe(409)
    await other.close()
  })
})
