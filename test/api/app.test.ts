import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../api/deps.js'
import { routesOf } from './samples.js'
import { liveStatus, TestStore } from './support.js'

let store: TestStore
let app: App
beforeAll(async () => {
  store = await TestStore.open()
  app = await store.app()
})
afterAll(async () => {
  await app.close()
  await store.close()
})

interface Operation {
  operationId: string
  summary: string
  parameters?: { name: string; in: string; schema: unknown }[]
  responses: Record<string, { description: string; content?: Record<string, { schema: unknown }> }>
}

/** What is to be taken away has a type of its own. */
const FILE_TYPES: Readonly<Record<string, string>> = {
  '/pcap': 'application/vnd.tcpdump.pcap',
  '/messages.txt': 'text/plain; charset=utf-8',
  '/ladder.svg': 'image/svg+xml',
  '/dispute-pack': 'application/zip',
}

describe('the app', () => {
  it('describes every route, with a schema for what it takes and what it answers', async () => {
    const document = (await app.inject({ url: '/openapi.json' })).json() as {
      openapi: string
      info: { title: string; version: string }
      paths: Record<string, Record<string, Operation>>
    }
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(document.info).toMatchObject({ title: 'Trunkscope', version: expect.any(String) })
    const paths = routesOf(app).map((route) => route.split(' ')[1]!.replace(/:(\w+)/g, '{$1}'))
    expect(Object.keys(document.paths).sort()).toEqual([...new Set(paths)].sort())
    const ids = new Set<string>()
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((operation) => [path, operation] as const),
    )
    for (const [path, operation] of operations) {
      expect([path, operation.summary]).toEqual([path, expect.any(String)])
      ids.add(operation.operationId)
      const [type, media] = Object.entries(operation.responses['200']!.content!)[0]!
      expect(media.schema).toBeTypeOf('object')
      if (path.startsWith('/v1/')) {
        expect(type).toBe(FILE_TYPES[path.slice(path.lastIndexOf('/'))] ?? 'application/json')
        expect(operation.responses['400']!.content).toHaveProperty('application/problem+json')
      }
      for (const name of path.matchAll(/\{(\w+)\}/g)) {
        expect(operation.parameters?.find((parameter) => parameter.in === 'path')?.name).toBe(name[1])
      }
    }
    expect(ids.size).toBe(operations.length)
    expect(document.paths['/v1/kpis']!.get!.parameters!.map(({ name }) => name)).toEqual([
      'from',
      'to',
      'group_by',
      'step',
      'kpi',
      'carrier',
      'site',
      'direction',
      'exact',
    ])
  })

  it('an unknown route says where the list is, as a page to a browser', async () => {
    const response = await app.inject({ url: '/v1/kpi' })
    expect(response.statusCode).toBe(404)
    expect(response.json()).toMatchObject({
      code: 'TRUNKSCOPE_API_NO_SUCH_ROUTE',
      detail: expect.stringContaining('openapi.json'),
    })
    const page = await app.inject({ url: '/<script>alert(1)</script>', headers: { accept: 'text/html' } })
    expect(page.headers['content-type']).toContain('text/html')
    expect(page.body).not.toContain('<script>alert')
  })

  it('takes no large body', async () => {
    const response = await app.inject({
      method: 'POST',
      url: '/v1/kpis',
      payload: { text: 'x'.repeat(10_000) },
    })
    expect([404, 413]).toContain(response.statusCode)
  })

  it('every answer carries a strict policy, and nothing is cached', async () => {
    for (const url of ['/', '/v1/kpis', '/nowhere', '/healthz']) {
      const { headers } = await app.inject({ url })
      const policy = String(headers['content-security-policy'])
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("script-src 'self'")
      expect(policy).not.toContain('unsafe-inline')
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['cache-control']).toBe('no-store')
    }
  })

  it('a failing store gives 503 while starting, 500 after, and never its own text', async () => {
    const broken = { query: () => Promise.reject(new Error('SELECT secret FROM table')) }
    for (const [live, status, code] of [
      [liveStatus({ ready: false, problem: 'reading back the spool' }), 503, 'TRUNKSCOPE_API_STARTING'],
      [liveStatus(), 500, 'TRUNKSCOPE_API_INTERNAL'],
    ] as const) {
      const failing = await store.app({ readers: [broken as never], live: () => live })
      for (const url of [
        '/v1/carriers',
        '/v1/agents',
        '/v1/refused',
        '/v1/attempts',
        '/',
        '/carriers/alpha',
      ]) {
        const response = await failing.inject({ url })
        expect([url, response.statusCode]).toEqual([url, status])
        expect(response.body).not.toContain('secret')
      }
      expect((await failing.inject({ url: '/v1/kpis' })).json()).toMatchObject({ code })
      await failing.close()
    }
  })
})
