import { afterEach, expect, test } from 'vitest'
import { buildApp } from '../../../api/app.js'
import type { App } from '../../../api/deps.js'
import { type Log, requestsTo } from '../../../bin/run/log.js'
import { configSchema } from '../../../schemas/config.js'
import { liveStatus } from '../../api/support.js'

const apps: App[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

const lines: Parameters<Log>[] = []
async function logged(failsWith?: Error): Promise<App> {
  lines.length = 0
  const app = await buildApp(
    {
      readers: [],
      config: configSchema.parse({}),
      tokens: undefined,
      demo: false,
      live: () => ({ ...liveStatus(), ready: false, problem: 'it starts' }),
      metrics: () => Promise.reject(failsWith),
      log: requestsTo((...line) => lines.push(line)),
    },
    'health',
  )
  apps.push(app)
  return app
}

test('a request that failed is a line of the log: its route and its error, without a number or an address as it was asked', async () => {
  const app = await logged(new Error("near '12155550177' of GET /v1/attempts?number=15550177"))
  expect((await app.inject({ url: '/metrics?number=15550177' })).statusCode).toBe(503)
  expect(lines).toEqual([
    [
      'error',
      'a request failed',
      {
        reqId: expect.any(String),
        req: { method: 'GET', route: '/metrics', address: '127.0.0.1' },
        err: {
          type: 'Error',
          code: '',
          message: "near '…77' of GET /v1/attempts?…",
          stack: expect.stringMatching(/^ +at /),
          cause: '',
        },
        principal: 'loopback',
      },
    ],
  ])
})

test('what Fastify says by itself quotes neither', async () => {
  const app = await logged()
  app.log.error(new Error("near '12155550177'"))
  app.log.warn('Reply was already sent in the "/v1/attempts?number=15550177" (GET) route?')
  expect(lines).toEqual([
    ['error', 'an error', { err: expect.objectContaining({ message: "near '…77'" }) }],
    ['warn', 'Reply was already sent in the "/v1/attempts?…" (GET) route?', {}],
  ])
})

test('a request that was answered, or refused in words that say all, is none', async () => {
  const app = await logged()
  for (const [url, status] of [
    ['/healthz', 200],
    ['/readyz', 503],
    ['/nowhere?number=15550177', 404],
  ] as const)
    expect([url, (await app.inject({ url })).statusCode]).toEqual([url, status])
  expect(lines).toEqual([])
})
