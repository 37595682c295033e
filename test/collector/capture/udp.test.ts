import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { FrameIntake } from '../../../collector/capture/frames.js'
import { listenUdp, type UdpReceiver } from '../../../collector/capture/udp.js'
import { until } from './spool-support.js'

vi.setConfig({ testTimeout: 20_000 }) // Real sockets and files, on a machine that may be busy.

interface Taken {
  bytes: string
  transport: string
  peerAddress: string
}

const open: UdpReceiver[] = []
afterEach(async () => {
  for (const receiver of open.splice(0)) await receiver.close()
})

async function listen(host: string, port = 0) {
  const taken: Taken[] = []
  const refused: string[][] = []
  const intake: FrameIntake = {
    take: (bytes, start, end, transport, peerAddress) =>
      taken.push({ bytes: bytes.toString('latin1', start, end), transport, peerAddress }),
    isAllowed: (address) => address !== '127.0.0.3',
    refuse: (reason, transport, peerAddress) => refused.push([reason, transport, peerAddress]),
  }
  const receiver = await listenUdp({ host, port, receiveBufferBytes: 1_048_576, intake, onNotice: () => {} })
  open.push(receiver)
  return { receiver, refused, taken }
}

async function send(datagrams: (string | Buffer)[], port: number, host: string, from?: string) {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  if (from !== undefined) await new Promise<void>((resolve) => socket.bind(0, from, resolve))
  for (const datagram of datagrams) {
    await new Promise<void>((resolve, reject) =>
      socket.send(datagram, port, host, (error) => (error ? reject(error) : resolve())),
    )
  }
  socket.close()
  await once(socket, 'close')
}

describe('udp', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
    ['::1', '::1', '::1'],
    ['::', '127.0.0.1', '127.0.0.1'],
  ])('bound to %s, a datagram to %s is one frame from %s', async (host, to, from) => {
    const { receiver, taken } = await listen(host)
    await send(['one', 'two', ''], receiver.bound.port, to)
    await until(() => taken.length === 3)
    expect(taken).toEqual(['one', 'two', ''].map((bytes) => ({ bytes, transport: 'udp', peerAddress: from })))
  })

  test('a datagram from an address that is not allowed is refused as what it is', async () => {
    const { receiver, refused, taken } = await listen('::')
    await send(['from elsewhere'], receiver.bound.port, '127.0.0.1', '127.0.0.3')
    await send(['from an agent'], receiver.bound.port, '127.0.0.1', '127.0.0.4')
    await until(() => taken.length === 1)
    expect(taken[0]!.bytes).toBe('from an agent')
    expect(refused).toEqual([['address_not_allowed', 'udp', '127.0.0.3']])
  })

  test('the largest datagram arrives whole', async () => {
    const { receiver, taken } = await listen('127.0.0.1')
    await send([Buffer.alloc(65_507, 'L')], receiver.bound.port, '127.0.0.1')
    await until(() => taken.length === 1)
    expect(taken[0]!.bytes.length).toBe(65_507)
  })

  test('the granted receive buffer is read back', async () => {
    const { receiver } = await listen('127.0.0.1')
    expect(receiver.receiveBufferGrantedBytes).toBeGreaterThan(0)
  })

  test('what the receive buffer could not hold is counted by the kernel: sent = taken + dropped', async () => {
    const taken: number[] = []
    const intake: FrameIntake = {
      isAllowed: () => true,
      take: (_bytes, start, end) => taken.push(end - start),
      refuse: () => {},
    }
    const receiver = await listenUdp({
      host: '127.0.0.1',
      port: 0,
      receiveBufferBytes: 4_096,
      intake,
      onNotice: () => {},
    })
    const sent = 300
    // From another process: this one must not read while it sends.
    const { spawnSync } = await import('node:child_process')
    const script = `const s = require('dgram').createSocket('udp4'); let n = 0
      for (let i = 0; i < ${sent}; i++) s.send(Buffer.alloc(900), ${receiver.bound.port}, '127.0.0.1', () => { if (++n === ${sent}) s.close() })`
    expect(spawnSync(process.execPath, ['-e', script]).status).toBe(0)
    const dropped = await receiver.close()
    expect(dropped).toBeGreaterThan(0)
    expect(taken.length + dropped).toBe(sent)
  })

  test('a port in use is an error that names the option to change', async () => {
    const { receiver } = await listen('127.0.0.1')
    await expect(listen('127.0.0.1', receiver.bound.port)).rejects.toMatchObject({
      code: 'TRUNKSCOPE_CAPTURE_PORT_IN_USE',
      message: expect.stringContaining('--hep-udp'),
    })
  })
})
