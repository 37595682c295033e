import { describe, expect, it } from 'vitest'
import { addSums, countOf, emptySums, isEmpty, mapOf, quantileMs, sumsOfRow } from '../../../api/kpi/sums.js'
import { ROLLUP_COLUMNS } from '../../../schemas/kpi-rollup.js'

const columns = ROLLUP_COLUMNS.filter(({ name }) =>
  ['attempts', 'responses', 'pdd_histogram', 'pdd_count'].includes(name),
)
const row = (attempts: string, responses: Record<string, string>) => ({
  sum_attempts: attempts,
  sum_responses: responses,
  sum_pdd_histogram: { 100: '4', 7: '0' },
  sum_pdd_count: '4',
})

describe('sums', () => {
  it('reads 64-bit numbers, which come as texts', () => {
    const sums = sumsOfRow(row('9007199254740991', { 200: '2' }), columns)
    expect(countOf(sums, 'attempts')).toBe(9_007_199_254_740_991)
    expect(mapOf(sums, 'responses')).toEqual({ 200: 2 })
  })

  it('rounds milliseconds to the microseconds they are made of: in which order they were added does not show', () => {
    const acd = ROLLUP_COLUMNS.filter(({ name }) => name === 'acd_sum_ms')
    const sumOf = (value: number) => countOf(sumsOfRow({ sum_acd_sum_ms: value }, acd), 'acd_sum_ms')
    expect(acd).toHaveLength(1)
    expect([sumOf(0.1 + 0.2), sumOf(1_849.99998), sumOf(1_850.00005)]).toEqual([0.3, 1_850, 1_850])
  })

  it('drops keys that count nothing', () => {
    expect(mapOf(sumsOfRow(row('1', {}), columns), 'pdd_histogram')).toEqual({ 100: 4 })
  })

  it('adds counts and maps key by key', () => {
    const sums = addSums(
      sumsOfRow(row('1', { 200: '2', 486: '1' }), columns),
      sumsOfRow(row('2', { 200: '3' }), columns),
    )
    expect(countOf(sums, 'attempts')).toBe(3)
    expect(mapOf(sums, 'responses')).toEqual({ 200: 5, 486: 1 })
    expect(mapOf(sums, 'pdd_histogram')).toEqual({ 100: 8 })
  })

  it('exact quantiles do not add up: the histogram answers again', () => {
    const exact = sumsOfRow({ ...row('1', {}), exact_pdd_p50: 42 }, columns)
    expect(quantileMs(exact, 'pdd_p50', 0.5)).toBe(42)
    expect(quantileMs(addSums(exact, emptySums()), 'pdd_p50', 0.5)).toBeCloseTo(18.94, 1)
  })

  it('knows when there is nothing', () => {
    expect(isEmpty(emptySums())).toBe(true)
    expect(isEmpty(sumsOfRow(row('1', {}), columns))).toBe(false)
  })
})
