import { describe, expect, it } from 'vitest'
import { quantileRanks, rounded, wilsonInterval } from '../../../api/kpi/interval.js'

describe('Wilson interval', () => {
  it.each([
    [45, 100, 0.3561, 0.5476, 4],
    [0, 30, 0, 0.1135, 4],
    [30, 30, 0.8865, 1, 4],
    [990, 1_000, 0.9817, 0.9946, 4],
    [99_999, 100_000, 0.999943, 0.999998, 6],
    [8, 33, 0.128, 0.41, 3],
    [1, 2, 0.0945, 0.9055, 4],
  ])('%d of %d', (numerator, denominator, low, high, digits) => {
    const interval = wilsonInterval(numerator, denominator)!
    expect(interval[0].toFixed(digits)).toBe(low.toFixed(digits))
    expect(interval[1].toFixed(digits)).toBe(high.toFixed(digits))
  })

  it('0 of 0 has none', () => {
    expect(wilsonInterval(0, 0)).toBeNull()
  })

  it('none of n begins at exactly 0, all of n ends at exactly 1', () => {
    for (let n = 1; n < 2_000; n += 7) {
      expect(wilsonInterval(0, n)![0]).toBe(0)
      expect(wilsonInterval(n, n)![1]).toBe(1)
    }
  })

  it('holds the ratio and stays within 0 and 1', () => {
    for (let n = 1; n < 200; n += 3) {
      for (let k = 0; k <= n; k++) {
        const [low, high] = wilsonInterval(k, n)!
        expect(low).toBeLessThanOrEqual(k / n)
        expect(high).toBeGreaterThanOrEqual(k / n)
        expect(low).toBeGreaterThanOrEqual(0)
        expect(high).toBeLessThanOrEqual(1)
      }
    }
  })

  it('rounds to six digits', () => {
    expect(rounded(0.12345678)).toBe(0.123457)
  })
})

describe('ranks around a quantile', () => {
  it('of the median of 100 are about 40 and 61', () => {
    expect(quantileRanks(0.5, 100)).toEqual([40, 61])
  })

  it('stay within the measurements', () => {
    expect(quantileRanks(0.95, 3)).toEqual([2, 3])
    expect(quantileRanks(0.5, 1)).toEqual([1, 1])
  })
})
