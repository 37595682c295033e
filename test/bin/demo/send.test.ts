import { afterEach, describe, expect, it } from 'vitest'
import { parseDestination, type Sent, sendEach, sendTcp, sendUdp } from '../../../bin/demo/send.js'
import { type TimedFrame, Traffic } from '../../../bin/demo/traffic.js'
import { tcpSink, udpSink, until } from './sinks.js'

const FROM_US = 1_795_000_000_000_000

const frames = [...new Traffic({ seed: 'send' }).backfill(FROM_US, FROM_US + 60_000_000, 8)]
const bytes = Buffer.concat(frames.map((frame) => frame.bytes))
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function listen<T extends { close(): Promise<void> }>(sink: Promise<T>): Promise<T> {
  const opened = await sink
  closing.push(() => opened.close())
  return opened
}

describe('send', () => {
  it('over TCP: every byte in order on one connection, also to a slow reader', async () => {
    for (const pauseMs of [undefined, 1]) {
      const sink = await listen(tcpSink({ pauseMs }))
      const sent = await sendTcp(frames, sink.to)
      expect(sent).toMatchObject({ frames: frames.length, bytes: bytes.length, atUs: frames.at(-1)!.atUs })
      await until(() => sink.received().length >= bytes.length)
      expect(sink.received().equals(bytes)).toBe(true)
      expect(sink.connections()).toBe(1)
    }
  })

  it('over TCP: says so when the collector is not there, or goes away', async () => {
    const gone = await tcpSink()
    await gone.close()
    await expect(sendTcp(frames, gone.to)).rejects.toThrow('ECONNREFUSED')
    const leaving = await listen(tcpSink({ closeAfterBytes: 10_000 }))
    function* forever(): Generator<TimedFrame> {
      for (;;) yield* frames
    }
    await expect(sendTcp(forever(), leaving.to)).rejects.toThrow(/closed the connection|ECONNRESET|EPIPE/)
  })

  it('over UDP: every frame a datagram, in order, at most a burst at once and the rate in the long run', async () => {
    const sink = await listen(udpSink())
    const some = frames.slice(0, 800)
    const sent = await sendUdp(some, sink.to, { framesPerSecond: 4_000, burst: 40 })
    expect(sent).toMatchObject({ frames: 800, errors: 0 })
    expect(sent.seconds).toBeGreaterThan((800 - 40) / 4_000 - 0.01)
    await until(() => sink.datagrams.length === 800)
    expect(Buffer.concat(sink.datagrams).equals(Buffer.concat(some.map((frame) => frame.bytes)))).toBe(true)
  })

  it('each frame as it comes, without waiting for the next', async () => {
    const sink = await listen(tcpSink())
    async function* slow(): AsyncGenerator<TimedFrame> {
      yield frames[0]!
      await until(() => sink.received().length === frames[0]!.bytes.length)
      yield frames[1]!
    }
    expect(await sendEach(slow(), sink.to)).toMatchObject({ frames: 2 })
  })

  it('tells how far it is, and stops when told', async () => {
    const sink = await listen(udpSink())
    const stop = new AbortController()
    const told: Sent[] = []
    const sent = await sendUdp(frames, sink.to, {
      framesPerSecond: 3_000,
      progressEveryMs: 5,
      signal: stop.signal,
      onProgress: (so) => {
        told.push(so)
        if (so.frames > 250) stop.abort()
      },
    })
    expect(sent.frames).toBeLessThan(frames.length)
    expect(told.length).toBeGreaterThan(1)
    expect(told.at(-1)!.framesPerSecond).toBeGreaterThan(0)
  })

  it('reads destinations, and says how to write one', () => {
    expect(parseDestination('tcp://127.0.0.1:9060')).toEqual({
      transport: 'tcp',
      host: '127.0.0.1',
      port: 9060,
    })
    expect(parseDestination('udp://[::1]:9061')).toEqual({ transport: 'udp', host: '::1', port: 9061 })
    for (const wrong of ['127.0.0.1:9060', 'http://127.0.0.1:9060', 'udp://127.0.0.1', '']) {
      expect(() => parseDestination(wrong), wrong).toThrow('write for example tcp://127.0.0.1:9060')
    }
  })
})
