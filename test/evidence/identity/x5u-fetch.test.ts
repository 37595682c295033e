import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { allowedUrl, X5uFetch, type X5uFetchOptions } from '../../../evidence/identity/x5u-fetch.js'
import { makeCertificate } from './signers.js'

const REAL = readFileSync(new URL('../../fixtures/hep/shaken-709J.pem', import.meta.url), 'utf8')
const HOST = 'cert.example.org'
const X5U = `https://${HOST}/shaken.pem`
const PUBLIC = '93.184.215.14'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-fetch-'))
/** Its name is checked, so it says it. */
const web = makeCertificate(folder, { name: 'web', commonName: HOST, tnAuthList: '' })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const servers: (Server | TcpServer)[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function listen(server: Server | TcpServer): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

interface Web {
  fetch: X5uFetch
  /** Addresses that a connection was asked for. */
  asked: string[]
  requests: () => number
}

/** A server on loopback, which is nowhere but behind the connection: the address asked for is PUBLIC. */
async function webWith(listener: RequestListener, options: Partial<X5uFetchOptions> = {}): Promise<Web> {
  let requests = 0
  const server = createServer({ cert: web.pem, key: readFileSync(web.keyFile) }, (request, response) => {
    requests++
    listener(request, response)
  })
  return { ...fetchThrough(await listen(server), options), requests: () => requests }
}

function fetchThrough(port: number, options: Partial<X5uFetchOptions> = {}) {
  const asked: string[] = []
  const fetch = new X5uFetch({
    hosts: [HOST],
    resolve: async () => [PUBLIC],
    connect: ({ host, servername }) => {
      asked.push(String(host))
      return connect({ host: '127.0.0.1', port, servername: servername ?? '', ca: web.pem })
    },
    ...options,
  })
  return { fetch, asked }
}

describe('fetching what an x5u names', () => {
  test('gives the certificate, and keeps it', async () => {
    const { fetch, asked, requests } = await webWith((_, response) => response.end(REAL))
    const found = await Promise.all([fetch.fetch(X5U), fetch.fetch(X5U)])
    expect(found[0]).toMatchObject({ certificate: { commonName: 'SHAKEN 709J' } })
    await fetch.fetch(X5U)
    expect([requests(), asked, fetch.kept]).toEqual([1, [PUBLIC], 1])
  })

  test('keeps it as long as Cache-Control says, between a minute and a day', async () => {
    let nowMs = 0
    let cacheControl = 'max-age=5'
    const { fetch, requests } = await webWith(
      (_, response) => response.setHeader('cache-control', cacheControl).end(REAL),
      { nowMs: () => nowMs },
    )
    const askedAfter = async (seconds: number) => {
      nowMs += seconds * 1_000
      await fetch.fetch(X5U)
      return requests()
    }
    expect([await askedAfter(0), await askedAfter(59)]).toEqual([1, 1])
    cacheControl = 'public, max-age=99999999'
    expect([await askedAfter(2), await askedAfter(86_399), await askedAfter(2)]).toEqual([2, 2, 3])
  })

  test.each([
    ['http://cert.example.org/x', 'url_refused'],
    ['https://cert.example.org:444/x', 'url_refused'],
    ['https://user:secret@cert.example.org/x', 'url_refused'],
    ['file:///etc/passwd', 'url_refused'],
    ['nonsense', 'url_refused'],
    [`${X5U}?${'x'.repeat(3_000)}`, 'url_refused'],
    ['https://evil.example/x', 'host_refused'],
    ['https://cert.example.org.evil.example/x', 'host_refused'],
    ['https://127.0.0.1/x', 'host_refused'],
    ['https://[::1]/x', 'host_refused'],
    ['https://0x7f000001/x', 'host_refused'],
  ])('%s is %s, and nobody is asked', async (x5u, reason) => {
    const { fetch, asked } = fetchThrough(1, { resolve: () => Promise.reject(new Error('asked')) })
    expect(await fetch.fetch(x5u)).toEqual({ reason })
    expect(asked).toEqual([])
    expect(fetch.kept).toBe(0)
  })

  test('a host that is silent eight times in a row is left alone for a minute, under whatever path', async () => {
    let nowMs = 0
    const { fetch, asked } = fetchThrough(1, { nowMs: () => nowMs })
    for (let at = 0; at < 20; at++)
      expect(await fetch.fetch(`${X5U}?${at}`)).toEqual({ reason: 'connect_failed' })
    expect(asked).toHaveLength(8)
    nowMs = 61_000
    for (let at = 0; at < 5; at++) await fetch.fetch(`${X5U}?${at}`)
    expect(asked).toHaveLength(9)
  })

  test('a star in the list means names below, not the name itself', () => {
    expect(allowedUrl('https://a.example.org/x', ['*.example.org'])).toBeInstanceOf(URL)
    expect(allowedUrl('https://A.Example.ORG.:8443/x', ['*.example.org'])).toBeInstanceOf(URL)
    expect(allowedUrl('https://example.org/x', ['*.example.org'])).toEqual({ reason: 'host_refused' })
    expect(allowedUrl('https://evilexample.org/x', ['*.example.org'])).toEqual({ reason: 'host_refused' })
  })

  test.each([
    [['127.0.0.1']],
    [['10.0.0.8']],
    [['169.254.169.254']],
    [['100.64.0.1']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['::ffff:a9fe:a9fe']],
    [['64:ff9b::7f00:1']],
    [['2002:7f00:1::']],
    [['fe80::1']],
    [['fd00:ec2::254']],
    [['0.0.0.0']],
    [['224.0.0.1']],
    [[PUBLIC, '127.0.0.1']],
  ])('a name with the addresses %j is refused before any connection', async (addresses) => {
    const { fetch, asked } = fetchThrough(1, { resolve: async () => addresses })
    expect(await fetch.fetch(X5U)).toEqual({ reason: 'address_refused' })
    expect(asked).toEqual([])
  })

  test('an answer of the name server that changes changes nothing: the address that was checked is connected to', async () => {
    const answers = [[PUBLIC], ['127.0.0.1'], ['127.0.0.1']]
    let looked = 0
    const { fetch, asked } = await webWith((_, response) => response.end(REAL), {
      resolve: async () => answers[looked++]!,
    })
    expect(await fetch.fetch(X5U)).toMatchObject({ certificate: {} })
    expect([looked, asked]).toEqual([1, [PUBLIC]])
  })

  test('an address in place of a name must be public, too', async () => {
    const { fetch, asked } = fetchThrough(1, { hosts: ['169.254.169.254', '[::1]'] })
    expect(await fetch.fetch('https://169.254.169.254/latest')).toEqual({ reason: 'address_refused' })
    expect(await fetch.fetch('https://[::1]/')).toEqual({ reason: 'address_refused' })
    expect(asked).toEqual([])
  })

  test('a redirect is not followed', async () => {
    const { fetch, asked, requests } = await webWith((_, response) =>
      response.writeHead(302, { location: 'https://127.0.0.1/latest/meta-data' }).end(),
    )
    expect(await fetch.fetch(X5U)).toEqual({ reason: 'redirect' })
    expect([asked, requests()]).toEqual([[PUBLIC], 1])
  })

  test('another answer than 200, and one that is no certificate, are refused and kept for a minute', async () => {
    let status = 404
    let nowMs = 0
    const { fetch, requests } = await webWith((_, response) => response.writeHead(status).end('<html>'), {
      nowMs: () => nowMs,
    })
    expect(await fetch.fetch(X5U)).toEqual({ reason: 'bad_status' })
    expect(await fetch.fetch(X5U)).toEqual({ reason: 'bad_status' })
    expect(requests()).toBe(1)
    status = 200
    nowMs += 61_000
    expect(await fetch.fetch(X5U)).toEqual({ reason: 'not_certificates' })
  })

  test('a body without an end is left at 64 KiB', async () => {
    const { fetch } = await webWith((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
      }
      response.on('drain', more)
      more()
    })
    expect(await fetch.fetch(X5U)).toEqual({ reason: 'too_large' })
    const { fetch: told } = await webWith((_, response) =>
      response.setHeader('content-length', 10_000_000).write('x'),
    )
    expect(await told.fetch(X5U)).toEqual({ reason: 'too_large' })
  })

  test('headers without an end are left', async () => {
    const { fetch } = await webWith((_, response) =>
      response.writeHead(200, { x: 'y'.repeat(20_000) }).end(REAL),
    )
    expect(await fetch.fetch(X5U)).toEqual({ reason: 'connect_failed' })
  })

  test('no answer, an answer drop by drop, and a name server that is silent end after two seconds', async () => {
    const silent = await webWith(() => {})
    const drops = await webWith((_, response) => {
      const timer = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(timer))
    })
    const deaf = fetchThrough(
      await listen(createTcpServer((socket) => socket.on('error', () => {}).resume())),
    )
    const nameless = fetchThrough(1, { resolve: () => new Promise(() => {}) })
    const answers = await Promise.all([silent, drops, deaf, nameless].map(({ fetch }) => fetch.fetch(X5U)))
    expect(answers).toEqual(Array(4).fill({ reason: 'timeout' }))
  })

  test('a web server whose certificate is not trusted, or is another name’s, is not believed', async () => {
    const { fetch: stranger } = await webWith((_, response) => response.end(REAL), {
      connect: ({ servername }) => {
        return connect({
          host: '127.0.0.1',
          port: (servers.at(-1)!.address() as AddressInfo).port,
          servername: servername ?? '',
        })
      },
    })
    expect(await stranger.fetch(X5U)).toEqual({ reason: 'connect_failed' })
    const { fetch: other } = await webWith((_, response) => response.end(REAL), { hosts: ['other.example'] })
    expect(await other.fetch('https://other.example/x')).toEqual({ reason: 'connect_failed' })
  })

  test('a name that nobody knows is said', async () => {
    const { fetch } = fetchThrough(1, { resolve: () => Promise.reject(new Error('ENOTFOUND')) })
    expect(await fetch.fetch(X5U)).toEqual({ reason: 'name_unknown' })
    const { fetch: empty } = fetchThrough(1, { resolve: async () => [] })
    expect(await empty.fetch(X5U)).toEqual({ reason: 'name_unknown' })
  })

  test('four go on at a time, sixty-four wait, more are busy and not kept', async () => {
    let inFlight = 0
    let most = 0
    const { fetch } = await webWith((_, response) => {
      inFlight++
      most = Math.max(most, inFlight)
      setImmediate(() => {
        inFlight--
        response.end(REAL)
      })
    })
    const answers = await Promise.all(
      Array.from({ length: 80 }, (_, index) => fetch.fetch(`${X5U}?${index}`)),
    )
    expect(answers.filter((answer) => 'reason' in answer)).toEqual(Array(12).fill({ reason: 'busy' }))
    expect(most).toBeLessThanOrEqual(4)
    expect(fetch.kept).toBe(68)
  })
})
