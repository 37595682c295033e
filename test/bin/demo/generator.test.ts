import { describe, expect, it } from 'vitest'
import { makeLoad, renew, sendLoad } from '../../../bench/generator.js'
import { decodeHep3 } from '../../../sip/hep3.js'
import { readSip } from '../../../sip/sip-message.js'
import { udpSink, until } from './sinks.js'

const load = makeLoad({ count: 3_000, rate: 3_000, seed: 1, atUs: 0 })
const read = (bytes: Buffer) => {
  const frame = decodeHep3(bytes)
  if ('reason' in frame) throw new Error(frame.reason)
  return { atUs: frame.capturedAtUs, message: readSip(frame.payload) }
}

describe('load generator', () => {
  it('renews a frame in place: its time and its Call-ID, and nothing else', () => {
    for (let index = 0; index < 500; index++) {
      const before = read(Buffer.from(load.frames[index]!))
      const after = read(renew(load, index, 1_203, 1_795_000_000_123_456 + index))
      expect(after.atUs).toBe(1_795_000_000_123_456 + index)
      expect(after.message.callId).toBe(`001203${before.message.callId.slice(6)}`)
      expect({ ...after.message, callId: '' }).toEqual({ ...before.message, callId: '' })
    }
  })

  it('mixes many calls: the messages of one are far apart', () => {
    const indexes = new Map<string, number[]>()
    for (const [index, frame] of load.frames.entries()) {
      const { callId } = read(frame).message
      indexes.set(callId.slice(6), [...(indexes.get(callId.slice(6)) ?? []), index])
    }
    expect(indexes.size).toBe(load.calls)
    const spans = [...indexes.values()]
      .map((each) => each.at(-1)! - each[0]!)
      .sort((one, other) => one - other)
    expect(spans[spans.length >> 1]).toBeGreaterThan(300)
  })

  it('sends every frame as one that never was, at the rate asked for, and counts the calls it began', async () => {
    const sink = await udpSink()
    const result = await sendLoad(load, sink.to, { rate: 8_000, seconds: 1 })
    expect(result).toMatchObject({ framesSent: 8_000, errors: 0, rounds: 3 })
    expect(result.seconds).toBeGreaterThan(0.98)
    await until(() => sink.datagrams.length === 8_000)
    await sink.close()
    expect(new Set(sink.datagrams.map((datagram) => datagram.toString('latin1'))).size).toBe(8_000)
    const begun = new Set(sink.datagrams.map((datagram) => read(datagram).message.callId))
    expect(result.callsBegun).toBe(begun.size)
    const times = sink.datagrams.map((datagram) => read(datagram).atUs)
    expect(times).toEqual([...new Set(times)].sort((one, other) => one - other))
    expect([times[0], times.at(-1)]).toEqual([result.firstAtUs, result.lastAtUs])
  })
})
