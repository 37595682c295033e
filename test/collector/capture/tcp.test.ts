import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type DescriptorRoom, descriptorLimit } from '../../../collector/capture/descriptors.js'
import type { FrameIntake } from '../../../collector/capture/frames.js'
import { AgentStreams, type StreamOptions } from '../../../collector/capture/streams.js'
import { listenTcp, type TcpListener } from '../../../collector/capture/tcp.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { needsAll } from '../../support/outside-programs.js'
import { until } from './spool-support.js'

vi.setConfig({ testTimeout: 20_000 }) // Real sockets and files, on a machine that may be busy.

const hep = (number: number, payloadBytes = 20) =>
  encodeHep3({
    sourceAddress: '192.0.2.1',
    destinationAddress: '192.0.2.2',
    agentId: number,
    payload: Buffer.alloc(payloadBytes, 'x'),
  })

const open: { listener: TcpListener; receiver: AgentStreams; agents: Socket[] }[] = []
afterEach(async () => {
  for (const { listener, receiver, agents } of open.splice(0)) {
    for (const agent of agents) agent.destroy()
    await Promise.all([listener.close(), receiver.close()])
  }
})

async function listen(options: Partial<StreamOptions> & { host?: string; port?: number } = {}) {
  const frames: Buffer[] = []
  const refused: [string, string][] = []
  const time = { ms: 0 }
  const allowed = { only: '' }
  const intake: FrameIntake = {
    isAllowed: (address) => allowed.only === '' || address === allowed.only,
    take: (bytes, start, end) => frames.push(Buffer.from(bytes.subarray(start, end))),
    refuse: (reason, _transport, _address, bytes) => refused.push([reason, bytes.toString('latin1')]),
  }
  const notices: string[] = []
  const onNotice = (sentence: string) => notices.push(sentence)
  const receiver = new AgentStreams({
    intake,
    onNotice,
    connectionsMax: 100,
    connectionsPerAddressMax: 100,
    idleTimeoutMs: 3_600_000,
    frameTimeoutMs: 30_000,
    nowMs: () => time.ms,
    ...options,
  })
  const { host: to = '127.0.0.1', port = 0 } = options
  const listener = await listenTcp({ host: to, port, streams: receiver, intake, onNotice })
  const agents: Socket[] = []
  open.push({ listener, receiver, agents })
  const agent = async (localAddress?: string) => {
    const host = to === '::' ? '127.0.0.1' : to
    const socket = connect({ host, port: listener.bound.port, localAddress, noDelay: true })
    agents.push(socket)
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  return { agent, allowed, frames, listener, notices, receiver, refused, time }
}

const write = (socket: Socket, bytes: Buffer | string) =>
  new Promise<void>((resolve) => socket.write(bytes, () => resolve()))

describe('tcp', () => {
  test('frames cut anywhere arrive whole and in order', async () => {
    const { agent, frames, receiver } = await listen()
    const sent = [hep(1), hep(2, 3_000), hep(3, 0), hep(4, 40)]
    const stream = Buffer.concat(sent)
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(stream.length), { maxLength: 6 }), async (cuts) => {
        frames.length = 0
        const socket = await agent()
        let from = 0
        for (const to of [...cuts.sort((a, b) => a - b), stream.length]) {
          await write(socket, stream.subarray(from, to))
          await new Promise((resolve) => setImmediate(resolve))
          from = to
        }
        await until(() => frames.length === sent.length)
        expect(frames).toEqual(sent)
        socket.destroy()
        await until(() => receiver.connectionsOpen === 0)
      }),
      { numRuns: 25 },
    )
  })

  test.each(['::1', '::'])('bound to %s it takes agents too', async (host) => {
    const { agent, frames } = await listen({ host })
    await write(await agent(), hep(1))
    await until(() => frames.length === 1)
  })

  test('garbage is skipped up to the next frame, counted as one run, and sampled', async () => {
    const { agent, frames, receiver, refused } = await listen()
    const socket = await agent()
    await write(socket, Buffer.concat([hep(1), Buffer.from('garbage'), hep(2), Buffer.from('more'), hep(3)]))
    await until(() => frames.length === 3)
    expect(frames).toEqual([hep(1), hep(2), hep(3)])
    expect(receiver.skippedBytes).toBe(11)
    expect(refused).toEqual([
      ['skipped_bytes', 'garbage'],
      ['skipped_bytes', 'more'],
    ])
  })

  test('a run of garbage over many reads counts once', async () => {
    const { agent, frames, receiver, refused } = await listen()
    const socket = await agent()
    for (let number = 0; number < 5; number++) {
      await write(socket, 'garbage')
      await until(() => receiver.skippedBytes === 7 * (number + 1))
    }
    await write(socket, hep(1))
    await until(() => frames.length === 1)
    expect(refused.length).toBe(1)
  })

  test('half a frame is waited for as long as the frame timeout, then its connection is closed', async () => {
    const { agent, frames, receiver, refused, time } = await listen()
    const [slow, quiet] = [await agent(), await agent()]
    const half = hep(1).subarray(0, 30)
    await write(quiet, hep(2))
    await write(slow, Buffer.concat([hep(3), half]))
    await until(() => frames.length === 2)
    // Byte by byte does not help: the frame began when it began.
    time.ms = 29_999
    await write(slow, hep(1).subarray(30, 31))
    await new Promise((resolve) => setImmediate(resolve))
    receiver.sweep()
    expect(refused).toEqual([])
    time.ms = 30_000
    const closed = once(slow, 'close')
    receiver.sweep()
    receiver.sweep()
    await closed
    await until(() => receiver.connectionsOpen === 1)
    expect(refused).toEqual([['frame_timeout', '']])
    await write(quiet, hep(4))
    await until(() => frames.length === 3)
  })

  test('a slow frame that is completed in time starts the clock anew for the next one', async () => {
    const { agent, frames, receiver, refused, time } = await listen()
    const socket = await agent()
    const stream = Buffer.concat([hep(1), hep(2)])
    const first = hep(1).length
    await write(socket, stream.subarray(0, 20))
    await until(() => receiver.connectionsOpen === 1)
    time.ms = 20_000
    await write(socket, stream.subarray(20, first + 20))
    await until(() => frames.length === 1)
    time.ms = 45_000
    receiver.sweep()
    expect(refused).toEqual([])
    await write(socket, stream.subarray(first + 20))
    await until(() => frames.length === 2)
  })

  test('a silent connection is kept for the idle timeout, and closed after it', async () => {
    const { agent, frames, receiver, refused, time } = await listen()
    const socket = await agent()
    await write(socket, hep(1))
    await until(() => frames.length === 1)
    time.ms = 3_599_999
    receiver.sweep()
    expect(receiver.connectionsOpen).toBe(1)
    const closed = once(socket, 'close')
    time.ms = 3_600_000
    receiver.sweep()
    await closed
    expect(refused).toEqual([['idle_timeout', '']])
  })

  test('connections beyond the limit are refused, the others go on', async () => {
    const { agent, frames, receiver, refused } = await listen({ connectionsMax: 3 })
    const agents = [await agent(), await agent(), await agent()]
    const fourth = await agent()
    await once(fourth, 'close')
    expect(refused).toEqual([['connection_limit', '']])
    expect(receiver.connectionsOpen).toBe(3)
    for (const socket of agents) await write(socket, hep(1))
    await until(() => frames.length === 3)
    agents[0]!.destroy()
    await until(() => receiver.connectionsOpen === 2)
    await write(await agent(), hep(2))
    await until(() => frames.length === 4)
  })

  test('one address cannot take all connections', async () => {
    const { agent, receiver, refused } = await listen({ connectionsPerAddressMax: 2 })
    await agent('127.0.0.1')
    const second = await agent('127.0.0.1')
    await once(await agent('127.0.0.1'), 'close')
    expect(refused.length).toBe(1)
    await agent('127.0.0.2')
    await until(() => receiver.connectionsOpen === 3)
    second.destroy()
    await until(() => receiver.connectionsOpen === 2)
    await agent('127.0.0.1')
    await until(() => receiver.connectionsOpen === 3)
    expect(refused.length).toBe(1)
  })

  test('an address that is not allowed is closed at the door and counted', async () => {
    const { agent, allowed, frames, receiver, refused } = await listen()
    allowed.only = '127.0.0.2'
    await once(await agent('127.0.0.1'), 'close')
    expect(refused).toEqual([['address_not_allowed', '']])
    await write(await agent('127.0.0.2'), hep(1))
    await until(() => frames.length === 1)
    expect(receiver.connectionsOpen).toBe(1)
  })

  test('when the allowed networks change, connections from elsewhere end and the others go on', async () => {
    const { agent, allowed, frames, receiver, refused } = await listen()
    const [first, second] = [await agent('127.0.0.1'), await agent('127.0.0.2')]
    await until(() => receiver.connectionsOpen === 2)
    allowed.only = '127.0.0.2'
    const closed = once(first, 'close')
    receiver.closeDisallowed()
    receiver.closeDisallowed()
    await closed
    await until(() => receiver.connectionsOpen === 1)
    expect(refused).toEqual([['address_not_allowed', '']])
    await write(second, hep(1))
    await until(() => frames.length === 1)
  })

  test('without a free file descriptor new connections are refused and told of once, open ones go on', async () => {
    const room = { hasRoom: true, take: () => room.hasRoom }
    const { agent, frames, notices, receiver, refused } = await listen({
      descriptors: room as unknown as DescriptorRoom,
    })
    const kept = await agent()
    await until(() => receiver.connectionsOpen === 1)
    room.hasRoom = false
    for (let count = 0; count < 3; count++) await once(await agent(), 'close')
    expect(refused).toEqual(Array.from({ length: 3 }, () => ['connection_limit', '']))
    expect(notices).toEqual([expect.stringContaining('LimitNOFILE')])
    await write(kept, hep(1))
    await until(() => frames.length === 1)
    room.hasRoom = true
    await agent()
    await until(() => receiver.connectionsOpen === 2)
  })

  test('the longest frame there can be is taken', async () => {
    const { agent, frames } = await listen()
    const frame = hep(1, 65_535 - hep(1, 0).length)
    expect(frame.length).toBe(65_535)
    await write(await agent(), Buffer.concat([frame, hep(2)]))
    await until(() => frames.length === 2)
    expect(frames).toEqual([frame, hep(2)])
  })

  test('frames in gzip and plain ones are taken from one stream', async () => {
    const { agent, frames } = await listen()
    await write(await agent(), Buffer.concat([gzipSync(hep(1)), hep(2), gzipSync(hep(3)), gzipSync(hep(4))]))
    await until(() => frames.length === 4)
    expect(frames).toEqual([hep(1), hep(2), hep(3), hep(4)])
  })

  test('a compression bomb, or damaged gzip, ends its connection with a reason', async () => {
    const { agent, receiver, refused } = await listen()
    const bomb = await agent()
    bomb.write(gzipSync(Buffer.alloc(10_000_000)))
    await new Promise((resolve) => bomb.once('close', resolve))
    const damaged = await agent()
    damaged.write(Buffer.concat([gzipSync(hep(1)).subarray(0, 40), Buffer.alloc(70_000)]))
    await new Promise((resolve) => damaged.once('close', resolve))
    expect(refused.map(([reason]) => reason)).toEqual(['gzip_too_large', 'gzip_damaged'])
    await until(() => receiver.connectionsOpen === 0)
  })

  const withDescriptors = needsAll(descriptorLimit() < 12_500 ? ['12,500 file descriptors'] : [])
  withDescriptors('5,000 connections at once are served, and given back', async () => {
    const count = 5_000
    const { agent, frames, receiver, refused } = await listen({
      connectionsMax: count,
      connectionsPerAddressMax: count,
    })
    const sockets: Socket[] = []
    while (sockets.length < count) {
      sockets.push(...(await Promise.all(Array.from({ length: 250 }, () => agent()))))
    }
    await until(() => receiver.connectionsOpen === count)
    for (const [number, socket] of sockets.entries()) socket.write(hep(number))
    await until(() => frames.length === count)
    const late = await agent()
    await once(late, 'close')
    expect(refused).toEqual([['connection_limit', '']])
    for (const socket of sockets) socket.destroy()
    await until(() => receiver.connectionsOpen === 0)
  })

  test('an agent that goes away in the middle of a frame is counted', async () => {
    const { agent, frames, receiver, refused } = await listen()
    const socket = await agent()
    await write(socket, Buffer.concat([hep(1), hep(2).subarray(0, 25)]))
    await until(() => frames.length === 1)
    socket.destroy()
    await until(() => receiver.connectionsOpen === 0)
    expect(refused).toEqual([['frame_too_short', '']])
  })

  test('closing reads what has already arrived', async () => {
    const { agent, frames, listener, receiver } = await listen()
    const socket = await agent()
    await until(() => receiver.connectionsOpen === 1)
    await write(socket, Buffer.concat(Array.from({ length: 500 }, (_, number) => hep(number, 900))))
    await Promise.all([listener.close(), receiver.close()])
    expect(frames.length).toBe(500)
    open.pop()
  })

  test('a port in use is an error that names the option to change', async () => {
    const { listener } = await listen()
    await expect(listen({ port: listener.bound.port })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_CAPTURE_PORT_IN_USE',
      message: expect.stringContaining('--hep-tcp'),
    })
  })
})
