import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../api/deps.js'
import { ROLES, type Token } from '../../schemas/tokens.js'
import { addressesOf, routesOf, SAMPLES } from './samples.js'
import { TestStore } from './support.js'

const TOKEN = 'a'.repeat(40)
const OTHER = 'b'.repeat(40)
const BRIEF = 'c'.repeat(40)
const tokenOf = (id: string, written: string, more: Partial<Token> = {}): Token => ({
  id,
  sha256: createHash('sha256').update(written).digest('hex'),
  role: 'admin',
  ...more,
})

let store: TestStore
let app: App
let nowMs = 1_795_176_000_000
const EXPIRES = '2026-11-20T12:30:00+00:00'
let tokens = [
  tokenOf('one', TOKEN),
  tokenOf('other', OTHER, { role: 'viewer' }),
  tokenOf('brief', BRIEF, { expires: EXPIRES }),
  ...ROLES.flatMap((role) => [
    tokenOf(role, `all-${role}`, { role }),
    tokenOf(`alpha-${role}`, `alpha-${role}`, { role, carriers: ['alpha'] }),
  ]),
]

beforeAll(async () => {
  store = await TestStore.open()
  app = await store.app({ tokens: () => tokens, nowMs: () => nowMs })
})
afterAll(async () => {
  await app.close()
  await store.close()
})

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const basic = (token: string) => ({
  authorization: `Basic ${Buffer.from(`anybody:${token}`).toString('base64')}`,
})

describe('access', () => {
  it('every route says who may ask it, and has a question in samples.ts', () => {
    expect(routesOf(app).filter((route) => !Object.hasOwn(SAMPLES, route))).toEqual([])
  })

  it('every route but /healthz asks for a token', async () => {
    for (const route of routesOf(app)) {
      const [method, url] = [route.split(' ')[0], addressesOf(route, SAMPLES[route]!, 'a'.repeat(32))[0]]
      const { statusCode } = await app.inject({ method: method as 'GET', url: url! })
      expect([route, statusCode]).toEqual([route, route === 'GET /healthz' ? 200 : 401])
    }
  })

  it('a role is enough from the one that the route names; a token of some carriers gets nothing of all of them', async () => {
    for (const route of routesOf(app)) {
      const sample = SAMPLES[route]!
      if (sample.role === undefined) continue
      const url = addressesOf(route, sample, 'a'.repeat(32))[0]!
      for (const role of ROLES) {
        for (const kind of ['all', 'alpha']) {
          const response = await app.inject({
            method: route.split(' ')[0] as 'GET',
            url,
            headers: bearer(`${kind}-${role}`),
          })
          const code = response.statusCode === 403 ? (response.body.match(/TRUNKSCOPE_\w+/)?.[0] ?? '') : ''
          const expected =
            ROLES.indexOf(role) < ROLES.indexOf(sample.role)
              ? 'TRUNKSCOPE_API_ROLE_TOO_LOW'
              : kind === 'alpha' && sample.isOfAllCarriers
                ? 'TRUNKSCOPE_API_CARRIER_LIMITED'
                : ''
          expect([route, kind, role, code]).toEqual([route, kind, role, expected])
        }
      }
    }
  })

  it('a token that expired is told so, and is no guess', async () => {
    const ask = () => app.inject({ url: '/readyz', headers: bearer(BRIEF), remoteAddress: '192.0.2.44' })
    expect((await ask()).statusCode).toBe(200)
    nowMs = Date.parse(EXPIRES)
    for (let index = 0; index < 12; index++) {
      const response = await ask()
      expect(response.statusCode).toBe(401)
      expect(response.json().detail).toBe(
        `the token brief expired at ${EXPIRES}; ask the operator for another: trunkscope token makes one`,
      )
    }
  })

  it('a reload lets tokens in and out; with none left nobody comes in', async () => {
    const before = tokens
    const status = async (written: string) =>
      (await app.inject({ url: '/readyz', headers: bearer(written), remoteAddress: '192.0.2.45' })).statusCode
    tokens = [...before, tokenOf('new', 'n'.repeat(40))]
    expect(await status('n'.repeat(40))).toBe(200)
    tokens = before
    expect(await status('n'.repeat(40))).toBe(401)
    tokens = []
    expect(await status(TOKEN)).toBe(401)
    tokens = before
    expect(await status(TOKEN)).toBe(200)
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

  it('an empty list of tokens refuses to start', async () => {
    await expect(store.app({ tokens: () => [] })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_API_EMPTY_TOKEN',
    })
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
