import { describe, expect, it } from 'vitest'
import { gated } from '../../../../api/alerts/rules/gate.js'
import { emptySums } from '../../../../api/kpi/sums.js'
import { delayBucket } from '../../../../schemas/delay-histogram.js'
import { kpiOf } from '../../../../schemas/kpi-catalog.js'

const ratio = (id: string, numerator: number, denominator: number) => {
  const sums = emptySums()
  sums.counts[`${id}_numerator`] = numerator
  sums.counts[`${id}_denominator`] = denominator
  return sums
}
const delays = (counts: Record<number, number>) => {
  const sums = emptySums()
  for (const [delayMs, count] of Object.entries(counts)) {
    sums.maps.pdd_histogram![delayBucket(Number(delayMs))] = count
    sums.counts.pdd_count = (sums.counts.pdd_count ?? 0) + count
  }
  return sums
}

describe('the gate', () => {
  const ner = kpiOf('ner')!
  const rate5xx = kpiOf('rate_5xx')!

  it('two failed calls at night are too few events, whatever their share', () => {
    expect(gated(ner, ratio('ner', 0, 2), { below: 0.9 }, 5)).toMatchObject({
      holds: false,
      value: 0,
      events: 2,
    })
    expect(gated(rate5xx, ratio('rate_5xx', 2, 2), { above: 0.1 }, 5).holds).toBe(false)
  })

  it('enough events hold when the interval lies beyond the limit, and not when it reaches back', () => {
    expect(gated(ner, ratio('ner', 80, 100), { below: 0.9 }, 5)).toMatchObject({
      holds: true,
      events: 20,
      n: 100,
    })
    expect(gated(ner, ratio('ner', 86, 100), { below: 0.9 }, 5).holds).toBe(false)
    expect(gated(rate5xx, ratio('rate_5xx', 30, 100), { above: 0.1 }, 5).holds).toBe(true)
    expect(gated(rate5xx, ratio('rate_5xx', 12, 100), { above: 0.1 }, 5).holds).toBe(false)
  })

  it('nothing is no number and no alert', () => {
    expect(gated(ner, emptySums(), { below: 0.9 }, 5)).toMatchObject({
      holds: false,
      value: null,
      interval: null,
    })
    expect(gated(kpiOf('pdd_p95')!, emptySums(), { above: 4 }, 5)).toMatchObject({
      holds: false,
      value: null,
    })
  })

  it('a quantile is beyond its limit when surely more delays are than it leaves for them', () => {
    const p95 = kpiOf('pdd_p95')!
    expect(gated(p95, delays({ 1000: 180, 8000: 20 }), { above: 4 }, 5)).toMatchObject({
      holds: true,
      events: 20,
      n: 200,
    })
    expect(gated(p95, delays({ 1000: 188, 8000: 12 }), { above: 4 }, 5).holds).toBe(false)
    expect(gated(p95, delays({ 1000: 40, 8000: 20 }), { above: 4 }, 5).holds).toBe(false) // Below the floor of the catalog.
  })

  it('a mean has no spread: it needs many measurements', () => {
    const acd = kpiOf('acd')!
    const sums = emptySums()
    sums.counts.acd_sum_ms = 5_000 * 150
    sums.counts.acd_count = 150
    expect(gated(acd, sums, { below: 30 }, 100)).toMatchObject({ holds: true, value: 5, interval: null })
    expect(gated(acd, sums, { below: 30 }, 200).holds).toBe(false)
  })
})
