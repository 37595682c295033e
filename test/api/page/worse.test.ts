import { describe, expect, it } from 'vitest'
import { emptySums, type Sums } from '../../../api/kpi/sums.js'
import { attemptsBeforeSilence, changesForTheWorse, recentSteps } from '../../../api/page/worse.js'
import { delayBucket } from '../../../schemas/delay-histogram.js'

function step(answered: number, attempts: number, options: { open?: number; pddMs?: number } = {}): Sums {
  const sums = emptySums()
  return {
    ...sums,
    counts: {
      ...sums.counts,
      attempts,
      open: options.open ?? 0,
      asr_numerator: answered,
      asr_denominator: attempts,
      pdd_count: attempts,
    },
    maps: {
      ...sums.maps,
      pdd_histogram: options.pddMs === undefined ? {} : { [delayBucket(options.pddMs)]: attempts },
    },
  }
}

describe('what got worse', () => {
  it('compares the last quarter with what was before', () => {
    expect([4, 12, 15, 20, 24].map(recentSteps)).toEqual([1, 3, 4, 5, 6])
  })

  it('a fall that chance does not explain is told, with both numbers', () => {
    const steps = [...Array(9).fill(step(60, 100)), ...Array(3).fill(step(40, 100))]
    const change = changesForTheWorse(steps).get('asr')!
    expect(change.before.value).toBe(0.6)
    expect(change.recent.value).toBe(0.4)
  })

  it('a fall of few attempts is not, and a rise of a good number never', () => {
    expect(changesForTheWorse([...Array(9).fill(step(6, 10)), ...Array(3).fill(step(4, 10))]).size).toBe(0)
    expect(
      changesForTheWorse([...Array(9).fill(step(40, 100)), ...Array(3).fill(step(90, 100))]).has('asr'),
    ).toBe(false)
  })

  it('attempts that still ring are taken to end well', () => {
    const steps = [...Array(9).fill(step(60, 100)), ...Array(3).fill(step(4, 10, { open: 90 }))]
    expect(changesForTheWorse(steps).has('asr')).toBe(false)
  })

  it('delays are compared by the ranks around their quantile', () => {
    const slower = [
      ...Array(9).fill(step(1, 100, { pddMs: 800 })),
      ...Array(3).fill(step(1, 100, { pddMs: 2_400 })),
    ]
    const changes = changesForTheWorse(slower)
    expect(changes.get('pdd_p50')!.recent.value).toBeCloseTo(2.4, 1)
    const same = [
      ...Array(9).fill(step(1, 100, { pddMs: 800 })),
      ...Array(3).fill(step(1, 100, { pddMs: 810 })),
    ]
    expect(changesForTheWorse(same).has('pdd_p50')).toBe(false)
  })

  it('a carrier that fell silent is told, a quiet one is not', () => {
    const silent = Array(3).fill(emptySums())
    expect(attemptsBeforeSilence([...Array(9).fill(step(5, 10)), ...silent])).toBe(90)
    expect(attemptsBeforeSilence([...Array(9).fill(step(0, 1)), ...silent])).toBeUndefined()
    expect(attemptsBeforeSilence(Array(12).fill(step(5, 10)))).toBeUndefined()
    expect(attemptsBeforeSilence([])).toBeUndefined()
    // Half an hour of silence after three hours, in a last step of an hour that has begun.
    const begun = (attempts: number) => [...Array(3).fill(step(1, attempts)), emptySums()]
    expect(attemptsBeforeSilence(begun(12))).toBe(36)
    expect(attemptsBeforeSilence(begun(12), 1 / 6)).toBeUndefined()
    expect(attemptsBeforeSilence(begun(20), 1 / 6)).toBe(60)
  })
})
