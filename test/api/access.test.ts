import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../api/deps.js'
import { TestStore } from './support.js'

const TOKEN = 'a'.repeat(40)
const OTHER = 'b'.repeat(40)

let store: TestStore
let app: App
let nowMs = 1_795_176_000_000

beforeAll(async () => {
  store = await TestStore.open()
  app = await store.app({ tokens: [TOKEN, OTHER], nowMs: () => nowMs })
})
afterAll(async () => {
  await app.close()
  await store.close()
})

/** Every route that is registered, from Fastify's own table. */
function routes(): { method: string; url: string }[] {
  const found: { method: string; url: string }[] = []
  const path: string[] = []
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const match = /^([│ ]*)(?:├── |└── )(\S*)(?: \(([A-Z, ]+)\))?/.exec(line)
    if (match === null) continue
    const depth = match[1]!.length / 4
    path.length = depth
    path.push(match[2]!)
    for (const method of match[3]?.split(', ') ?? []) found.push({ method, url: path.join('') })
  }
  return found
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const basic = (token: string) => ({
  authorization: `Basic ${Buffer.from(`anybody:${token}`).toString('base64')}`,
})

describe('access', () => {
  it('every route but /healthz asks for a token', async () => {
    const table = routes()
    const urls = table.map(({ url }) => url)
    for (const url of [
      '/',
      '/v1/kpis',
      '/metrics',
      '/openapi.json',
      '/style.css',
      '/attempts/:id',
      '/v1/refused',
    ]) {
      expect(urls).toContain(url)
    }
    for (const { method, url } of table) {
      const response = await app.inject({
        method: method as 'GET',
        url: url.replace(':id', 'a'.repeat(32)),
      })
      expect([method, url, response.statusCode]).toEqual([method, url, url === '/healthz' ? 200 : 401])
    }
  })

  it('an address that no route has asks for one too', async () => {
    expect((await app.inject({ url: '/nowhere' })).statusCode).toBe(401)
    expect((await app.inject({ url: '/nowhere', headers: bearer(TOKEN) })).statusCode).toBe(404)
  })

  it('any of the tokens opens, as Bearer or as password of Basic', async () => {
    for (const headers of [
      bearer(TOKEN),
      bearer(OTHER),
      basic(TOKEN),
      { authorization: `bearer ${OTHER}` },
    ]) {
      expect((await app.inject({ url: '/readyz', headers })).statusCode).toBe(200)
    }
  })

  it('a token is not opened by a part of it, by nothing, or by the user of Basic', async () => {
    nowMs += 3_600_000
    for (const authorization of [
      `Bearer ${TOKEN.slice(1)}`,
      `Bearer ${TOKEN}x`,
      'Bearer ',
      `Basic ${Buffer.from(`${TOKEN}:`).toString('base64')}`,
      TOKEN,
    ]) {
      expect((await app.inject({ url: '/readyz', headers: { authorization } })).statusCode).toBe(401)
    }
  })

  it('a page asks the browser for a password, a route of the api for a token', async () => {
    const page = await app.inject({ url: '/' })
    expect(page.headers['www-authenticate']).toMatch(/^Basic /)
    expect(page.headers['content-type']).toContain('text/html')
    const route = await app.inject({ url: '/v1/kpis' })
    expect(route.headers['www-authenticate']).toMatch(/^Bearer /)
    expect(route.headers['content-type']).toContain('application/problem+json')
    expect(route.json()).toMatchObject({ code: 'TRUNKSCOPE_API_UNAUTHORIZED', status: 401 })
  })

  it('guessing is slowed down by the address of the socket, whatever X-Forwarded-For says', async () => {
    nowMs += 3_600_000
    const guess = (index: number, remoteAddress: string, token = 'wrong') =>
      app.inject({
        url: '/readyz',
        remoteAddress,
        headers: { ...bearer(token), 'x-forwarded-for': `203.0.113.${index}` },
      })
    const statuses: number[] = []
    for (let index = 0; index < 12; index++) statuses.push((await guess(index, '192.0.2.77')).statusCode)
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429])
    const blocked = await guess(0, '192.0.2.77', TOKEN)
    expect(blocked.statusCode).toBe(429)
    expect(Number(blocked.headers['retry-after'])).toBeGreaterThan(0)
    expect((await guess(0, '192.0.2.78', TOKEN)).statusCode).toBe(200)
    nowMs += 61_000
    expect((await guess(0, '192.0.2.77', TOKEN)).statusCode).toBe(200)
  })

  it('an IPv6 host counts with its /64', async () => {
    nowMs += 3_600_000
    for (let index = 1; index <= 10; index++) {
      await app.inject({ url: '/readyz', remoteAddress: `2001:db8:1:2::${index}`, headers: bearer('wrong') })
    }
    const from = async (remoteAddress: string) =>
      (await app.inject({ url: '/readyz', remoteAddress, headers: bearer(TOKEN) })).statusCode
    expect(await from('2001:db8:1:2:ffff::1')).toBe(429)
    expect(await from('2001:db8:1:3::1')).toBe(200)
  })

  it('asking without a token is no guess', async () => {
    nowMs += 3_600_000
    for (let index = 0; index < 30; index++) await app.inject({ url: '/', remoteAddress: '192.0.2.99' })
    expect(
      (await app.inject({ url: '/readyz', remoteAddress: '192.0.2.99', headers: bearer(TOKEN) })).statusCode,
    ).toBe(200)
  })

  it('an empty or short secret refuses to start', async () => {
    for (const tokens of [[], [''], ['short'], [TOKEN, '']]) {
      await expect(store.app({ tokens })).rejects.toMatchObject({ code: 'TRUNKSCOPE_API_EMPTY_TOKEN' })
    }
  })

  it('without tokens only localhost and addresses are answered: no name of the web leads here', async () => {
    const open = await store.app()
    const status = async (host: string) =>
      (await open.inject({ url: '/readyz', headers: { host } })).statusCode
    for (const host of ['localhost:8080', '127.0.0.1:8080', '[::1]:8080', 'demo.localhost']) {
      expect([host, await status(host)]).toEqual([host, 200])
    }
    expect(await status('attacker.example:8080')).toBe(403)
    await open.close()
  })
})
