import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { FrameIntake } from '../../../collector/capture/frames.js'
import { listenTcp, type TcpOptions, type TcpReceiver } from '../../../collector/capture/tcp.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { until } from './spool-support.js'

vi.setConfig({ testTimeout: 20_000 }) // Real sockets and files, on a machine that may be busy.

const hep = (number: number, payloadBytes = 20) =>
  encodeHep3({
    sourceAddress: '192.0.2.1',
    destinationAddress: '192.0.2.2',
    agentId: number,
    payload: Buffer.alloc(payloadBytes, 'x'),
  })

const open: { receiver: TcpReceiver; agents: Socket[] }[] = []
afterEach(async () => {
  for (const { receiver, agents } of open.splice(0)) {
    for (const agent of agents) agent.destroy()
    await receiver.close()
  }
})

async function listen(options: Partial<TcpOptions> = {}) {
  const frames: Buffer[] = []
  const refused: [string, string][] = []
  const time = { ms: 0 }
  const intake: FrameIntake = {
    take: (bytes, start, end) => frames.push(Buffer.from(bytes.subarray(start, end))),
    refuse: (reason, _transport, _address, bytes) => refused.push([reason, bytes.toString('latin1')]),
  }
  const receiver = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    intake,
    onNotice: () => {},
    connectionsMax: 100,
    connectionsPerAddressMax: 100,
    idleTimeoutMs: 3_600_000,
    frameTimeoutMs: 30_000,
    nowMs: () => time.ms,
    ...options,
  })
  const agents: Socket[] = []
  open.push({ receiver, agents })
  const agent = async (localAddress?: string) => {
    const host = receiver.bound.host === '::' ? '127.0.0.1' : receiver.bound.host
    const socket = connect({ host, port: receiver.bound.port, localAddress, noDelay: true })
    agents.push(socket)
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  return { agent, frames, receiver, refused, time }
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
    const { agent, frames, receiver } = await listen()
    const socket = await agent()
    await until(() => receiver.connectionsOpen === 1)
    await write(socket, Buffer.concat(Array.from({ length: 500 }, (_, number) => hep(number, 900))))
    await receiver.close()
    expect(frames.length).toBe(500)
    open.pop()
  })

  test('a port in use is an error that names the option to change', async () => {
    const { receiver } = await listen()
    await expect(listen({ port: receiver.bound.port })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_CAPTURE_PORT_IN_USE',
      message: expect.stringContaining('--hep-tcp'),
    })
  })
})
