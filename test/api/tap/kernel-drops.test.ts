import { expect, it } from 'vitest'
import { KernelDrops } from '../../../api/tap/kernel-drops.js'

const counters = (kernelDrops: number, frames: number) => ({
  kernelDrops,
  accepted: [
    { transport: 'tcp' as const, frames: 1e6, bytes: 1 },
    { transport: 'udp' as const, frames, bytes: 1 },
  ],
})
const MINUTE_US = 60e6

it('counts from the first look on, datagrams only', () => {
  const drops = new KernelDrops()
  expect(drops.ratio(0, counters(50, 1_000))).toBeUndefined()
  drops.note(0, counters(50, 1_000))
  expect(drops.ratio(MINUTE_US, counters(50, 1_000))).toBeUndefined()
  expect(drops.ratio(MINUTE_US, counters(51, 1_999))).toBe(1 / 1_000)
})

it('what was dropped more than a quarter of an hour ago no longer counts', () => {
  const drops = new KernelDrops()
  drops.note(0, counters(0, 0))
  for (let minute = 1; minute <= 40; minute++) {
    // Drops in the first minute only.
    drops.note(minute * MINUTE_US, counters(100, minute * 1_000))
    const expected = minute <= 15 ? 100 / (minute * 1_000 + 100) : 0
    expect(drops.ratio(minute * MINUTE_US, counters(100, minute * 1_000))).toBeCloseTo(expected, 10)
  }
})
