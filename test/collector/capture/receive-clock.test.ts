import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReceiveClock } from '../../../collector/capture/receive-clock.js'

function clockAt(systemMs: number) {
  const time = { monotonicMs: 500, systemMs }
  const clock = new ReceiveClock(
    () => time.monotonicMs,
    () => time.systemMs,
    systemMs - 500,
  )
  return {
    clock,
    time,
    pass(ms: number) {
      time.monotonicMs += ms
      time.systemMs += ms
    },
  }
}

describe('receive clock', () => {
  test('shows microseconds since 1970, near the system clock', () => {
    const before = Date.now() * 1_000
    const us = new ReceiveClock().nowUs()
    expect(Number.isSafeInteger(us)).toBe(true)
    expect(us).toBeGreaterThan(before - 25_000)
    expect(us).toBeLessThan(before + 1_000_000)
  })

  test('counts parts of a millisecond', () => {
    const { clock, time } = clockAt(1_700_000_000_000)
    time.monotonicMs += 0.25
    expect(clock.nowUs()).toBe(1_700_000_000_000_250)
  })

  test('a system clock that is set forward is followed at once', () => {
    const { clock, time, pass } = clockAt(1_700_000_000_000)
    time.systemMs += 3_600_000
    pass(10)
    clock.follow()
    expect(clock.nowUs()).toBe(1_700_003_600_010_000)
  })

  test('a system clock that is set back is approached by running slower', () => {
    const { clock, time, pass } = clockAt(1_700_000_000_000)
    time.systemMs -= 500
    let last = clock.nowUs()
    for (let second = 0; second < 6; second++) {
      clock.follow()
      pass(1_000)
      expect(clock.nowUs() - last).toBeGreaterThanOrEqual(899_999)
      last = clock.nowUs()
    }
    expect(Math.abs(clock.nowUs() - time.systemMs * 1_000)).toBeLessThan(100_000)
  })

  test('never goes back, whatever the system clock does', () => {
    const step = fc.record({
      ms: fc.nat(5_000),
      jumpMs: fc.integer({ min: -1e7, max: 1e7 }),
      follow: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { clock, time, pass } = clockAt(1_700_000_000_000)
        let last = 0
        for (const { ms, jumpMs, follow } of steps) {
          pass(ms)
          time.systemMs += jumpMs
          if (follow) clock.follow()
          const now = clock.nowUs()
          expect(now).toBeGreaterThanOrEqual(last)
          last = now
        }
      }),
    )
  })
})
