import { describe, expect, it } from 'vitest'
import { kpiValueOf } from '../../../api/kpi/answer.js'
import { emptySums, type Sums } from '../../../api/kpi/sums.js'
import { kpiOf, RATIO_KPIS } from '../../../schemas/kpi-catalog.js'

function sums(counts: Record<string, number>, maps: Sums['maps'] = {}): Sums {
  const empty = emptySums()
  return { ...empty, counts: { ...empty.counts, ...counts }, maps: { ...empty.maps, ...maps } }
}

describe('a number and its doubt', () => {
  it('a ratio is its numerator over its denominator, unrounded', () => {
    const value = kpiValueOf(
      kpiOf('ner')!,
      sums({ attempts: 7, ner_numerator: 2, ner_denominator: 7, ner_excluded: 3 }),
    )
    expect(value).toMatchObject({
      value: 2 / 7,
      numerator: 2,
      denominator: 7,
      excluded: 3,
      low_confidence: true,
    })
  })

  it('from 100 attempts on there is no mark of low confidence', () => {
    const of = (n: number) =>
      kpiValueOf(kpiOf('asr')!, sums({ attempts: n, asr_numerator: 1, asr_denominator: n }))
    expect(of(99)).toHaveProperty('low_confidence', true)
    expect(of(100)).not.toHaveProperty('low_confidence')
  })

  it.each([
    ['pdd_p50', 19, 20],
    ['pdd_p95', 99, 100],
    ['pdd_p99', 499, 500],
  ])('%s needs its floor', (id, tooFew, enough) => {
    const of = (n: number) =>
      kpiValueOf(kpiOf(id)!, sums({ attempts: n, pdd_count: n }, { pdd_histogram: { 200: n } }))
    expect(of(tooFew)).toMatchObject({ value: null, reason: 'insufficient_data', count: tooFew })
    expect(of(enough).value).toBeGreaterThan(0)
  })

  it('nothing at all is no traffic; attempts that no ratio is about leave it undefined', () => {
    for (const kpi of RATIO_KPIS) {
      expect(kpiValueOf(kpi, sums({}))).toMatchObject({ value: null, reason: 'no_traffic', interval: null })
      expect(kpiValueOf(kpi, sums({ open: 1 }))).toMatchObject({ value: null, reason: 'no_attempts' })
    }
    expect(kpiValueOf(kpiOf('acd')!, sums({ attempts: 1 }))).toMatchObject({
      value: null,
      reason: 'no_attempts',
    })
  })

  it('a mean is in seconds', () => {
    const value = kpiValueOf(kpiOf('acd')!, sums({ attempts: 1, acd_sum_ms: 3_000, acd_count: 2 }))
    expect(value).toEqual({ value: 1.5, unit: 's', count: 2, version: 1 })
  })
})
