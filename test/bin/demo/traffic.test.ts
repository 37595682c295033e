import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type TimedFrame, Traffic } from '../../../bin/demo/traffic.js'
import { troubleBefore } from '../../../bin/demo/trouble.js'
import type { ExpectedAttempt } from '../../../bin/demo/truth.js'
import { decodeHep3, sipPayloadOf } from '../../../sip/hep3.js'
import { readSip } from '../../../sip/sip-message.js'
import { isDocumentationAddress } from './documentation-ranges.js'

const NOW_US = 1_795_000_000_000_000
const SPAN_S = 180
const FROM_US = NOW_US - SPAN_S * 1_000_000
const RATE = 8

const traffic = (seed: number, expected?: ExpectedAttempt[]) =>
  new Traffic({ seed, trouble: troubleBefore(NOW_US), onCall: (call) => expected?.push(call) })

function digest(frames: Iterable<TimedFrame>): string {
  const hash = createHash('sha256')
  for (const { bytes } of frames) hash.update(bytes)
  return hash.digest('hex')
}

async function collect(frames: AsyncIterable<TimedFrame>): Promise<TimedFrame[]> {
  const collected: TimedFrame[] = []
  for await (const frame of frames) collected.push(frame)
  return collected
}

/** A clock that only moves while somebody sleeps. */
function virtualClock(startUs: number) {
  let nowUs = startUs
  return {
    nowUs: () => nowUs,
    sleep: async (ms: number) => {
      nowUs += Math.ceil(ms * 1_000)
    },
  }
}

describe('demo traffic', () => {
  it('is the same for the same seed, byte for byte, and another for another', () => {
    const [one, same, other] = [1, 1, 2].map((seed) => digest(traffic(seed).backfill(FROM_US, NOW_US, RATE)))
    expect(one).toBe(same)
    expect(one).not.toBe(other)
  })

  it('comes in the order of time, inside the span, at the rate asked for', () => {
    const expected: ExpectedAttempt[] = []
    const times = [...traffic(1, expected).backfill(FROM_US, NOW_US, RATE)].map(({ atUs }) => atUs)
    expect(times).toEqual([...times].sort((one, other) => one - other))
    expect(times[0]).toBeGreaterThanOrEqual(FROM_US)
    expect(times.at(-1)).toBeLessThan(NOW_US)
    expect(Math.abs(expected.length - SPAN_S * RATE)).toBeLessThan(5 * Math.sqrt(SPAN_S * RATE))
  })

  it('is HEP that our decoder takes without a flag, of documentation addresses, with SIP inside', () => {
    const callIds = new Set<string>()
    const expected: ExpectedAttempt[] = []
    for (const { bytes, atUs } of traffic(3, expected).backfill(FROM_US, FROM_US + 60_000_000, RATE)) {
      const frame = decodeHep3(bytes)
      if ('reason' in frame) throw new Error(frame.reason)
      expect([frame.flags, frame.capturedAtUs, frame.protocolType]).toEqual([0, atUs, 1])
      expect(isDocumentationAddress(frame.sourceAddress)).toBe(true)
      expect(isDocumentationAddress(frame.destinationAddress)).toBe(true)
      expect(frame.agentName).toBe(['dal-sbc1', 'iad-sbc1', 'fra-sbc1', 'sin-sbc1'][frame.agentId - 2001])
      const payload = sipPayloadOf(frame)
      if (!Buffer.isBuffer(payload)) throw new Error(payload.reason)
      const message = readSip(payload)
      expect(message.parseError).toBe('')
      callIds.add(message.callId)
    }
    for (const { callId } of expected) expect(callIds).toContain(callId)
  })

  it('goes on live where the back-fill ended: calls that are up are ended, none is lost, none twice', async () => {
    const split = traffic(4)
    const filled = [...split.backfill(FROM_US, NOW_US - 60_000_000, RATE)]
    const live = await collect(
      split.live({
        rate: RATE,
        fromUs: NOW_US - 60_000_000,
        untilUs: NOW_US,
        ...virtualClock(NOW_US - 59_000_000),
      }),
    )
    const whole = traffic(4)
    const all = [...whole.backfill(FROM_US, NOW_US, RATE)]
    expect(digest([...filled, ...live.filter(({ atUs }) => atUs < NOW_US)])).toBe(digest(all))
    // After the end no call begins, and those that are up go on to their end.
    expect(split.callsUnderWay).toBe(0)
    expect(live.at(-1)!.atUs).toBeGreaterThan(NOW_US)
    expect(split.calls).toBe(whole.calls)
  })

  it('gives live frames when they are due and not before, and stops when told', async () => {
    const stop = new AbortController()
    const clock = virtualClock(NOW_US)
    let frames = 0
    for await (const { atUs } of traffic(5).live({ rate: 50, ...clock, signal: stop.signal })) {
      expect(atUs).toBeLessThanOrEqual(clock.nowUs())
      expect(clock.nowUs() - atUs).toBeLessThan(2_000)
      if (++frames === 500) stop.abort()
    }
    expect(frames).toBe(500)
  })

  it('refuses a rate that is none', () => {
    expect(() => traffic(1).backfill(FROM_US, NOW_US, 0).next()).toThrow('above 0')
  })
})
