import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Resolve } from '../../../../api/alerts/sinks/address-guard.js'
import { post, retryAfterOf } from '../../../../api/alerts/sinks/post.js'
import { answer, Receiver } from '../../../support/receiver.js'

const receivers: Receiver[] = []
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()))
})
async function start(...behaviour: Parameters<typeof Receiver.start>): Promise<Receiver> {
  const receiver = await Receiver.start(...behaviour)
  receivers.push(receiver)
  return receiver
}
const to = (url: string) => ({ url, headers: { 'content-type': 'application/json' }, body: '{"a":"ä"}' })

describe('post', () => {
  test('sends JSON and gives back the status, and nothing else of the answer', async () => {
    const receiver = await start(answer(503, { 'retry-after': '7', 'x-other': 'y' }, 'a body'))
    expect(await post(to(receiver.url), { allowPrivate: true })).toEqual({
      kind: 'answered',
      status: 503,
      retryAfterMs: 7_000,
    })
    expect(receiver.requests).toMatchObject([{ path: '/hook', body: '{"a":"ä"}' }])
  })

  test('follows no redirect', async () => {
    const other = await start()
    const receiver = await start(answer(307, { location: other.url }))
    expect(await post(to(receiver.url), { allowPrivate: true })).toMatchObject({ status: 307 })
    expect(other.requests).toEqual([])
  })

  test('connects to no private address unless it may, not even for a name that says nothing', async () => {
    const receiver = await start()
    const byName = `http://localhost:${receiver.port}/hook`
    for (const url of [receiver.url, byName, `http://[::ffff:127.0.0.1]:${receiver.port}/`]) {
      expect(await post(to(url), { allowPrivate: false })).toMatchObject({ kind: 'failed' })
    }
    expect(receiver.requests).toEqual([])
  })

  test('is pinned to the answer that was judged: one that changes is not asked for', async () => {
    const receiver = await start()
    let asked = 0
    // 192.0.2.1 would be connected to if the name were looked up again.
    const changing: Resolve = async () => [{ address: asked++ === 0 ? '127.0.0.1' : '192.0.2.1', family: 4 }]
    const url = `http://hooks.example:${receiver.port}/hook`
    expect(await post(to(url), { allowPrivate: true, resolve: changing })).toMatchObject({ status: 200 })
    expect(asked).toBe(1)
    expect(receiver.requests[0]!.headers.host).toBe(`hooks.example:${receiver.port}`)
  })

  test('waits so long and no longer: for an answer, and for the end of one', async () => {
    const silent = await start(() => {})
    expect(await post(to(silent.url), { allowPrivate: true, timeLimitMs: 50 })).toEqual({
      kind: 'failed',
      sentence: 'no answer within 0.05 s',
    })
    const endless = await start((_request, response) => {
      response.writeHead(202).write('and so on')
    })
    expect(await post(to(endless.url), { allowPrivate: true, timeLimitMs: 50 })).toMatchObject({
      status: 202,
    })
    const unresolved = await post(to('http://hooks.example/'), {
      allowPrivate: true,
      timeLimitMs: 20,
      resolve: () => new Promise(() => {}),
    })
    expect(unresolved).toMatchObject({ kind: 'failed' })
  })

  test('reads a flood only so far', async () => {
    const flood = await start((_request, response) => {
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more)
      more()
    })
    expect(await post(to(flood.url), { allowPrivate: true })).toMatchObject({ status: 200 })
  })

  test('what is no HTTP, closed or not trusted is a reason in one line', async () => {
    const garbage = createServer((socket) => {
      socket.on('error', () => {}).end('SSH-2.0-x\r\n')
      socket.resume()
    }).listen(0, '127.0.0.1')
    await once(garbage, 'listening')
    const { port } = garbage.address() as AddressInfo
    const plain = await post(to(`http://127.0.0.1:${port}/secret-path`), { allowPrivate: true })
    expect(plain).toMatchObject({ kind: 'failed', sentence: expect.stringMatching(/^no answer \(\w+\)$/) })
    const tls = await post(to(`https://127.0.0.1:${port}/secret-path`), { allowPrivate: true })
    expect(tls).toMatchObject({ kind: 'failed', sentence: expect.stringMatching(/^no answer \(\w+\)$/) })
    garbage.close()
    await once(garbage, 'close')
    expect(await post(to(`http://127.0.0.1:${port}/`), { allowPrivate: true })).toEqual({
      kind: 'failed',
      sentence: 'no answer (ECONNREFUSED)',
    })
    // A server without a certificate shakes no hands.
    const bare = createTlsServer({}).listen(0, '127.0.0.1')
    await once(bare, 'listening')
    const bareUrl = `https://127.0.0.1:${(bare.address() as AddressInfo).port}/`
    expect(await post(to(bareUrl), { allowPrivate: true })).toMatchObject({ kind: 'failed' })
    bare.close()
  })

  test('an address that is none is a reason, too', async () => {
    expect(await post(to('not a url'), { allowPrivate: true })).toMatchObject({ kind: 'failed' })
  })
})

describe('Retry-After', () => {
  const nowMs = Date.UTC(2026, 10, 20, 10, 0, 0)
  test.each([
    ['120', 120_000],
    [' 5 ', 5_000],
    ['Fri, 20 Nov 2026 10:00:30 GMT', 30_000],
    ['Fri, 20 Nov 2026 09:00:00 GMT', undefined],
    ['0', undefined],
    ['-3', undefined],
    ['999999999', 3_600_000],
    ['soon', undefined],
    ['1.5', undefined],
    [undefined, undefined],
  ])('%s is %s ms', (header, waitMs) => expect(retryAfterOf(header, nowMs)).toBe(waitMs))
})
