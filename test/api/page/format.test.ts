import { describe, expect, it } from 'vitest'
import { bytes, count, duration, intervalText, kpiDoubt, kpiText, percent } from '../../../api/page/format.js'

const plain = (text: string) => text.replaceAll('\u202f', ' ')

describe('numbers for people', () => {
  it.each([
    [0, '0 %'],
    [1, '100 %'],
    [0.0004, '0.04 %'],
    [0.4231, '42.3 %'],
    [0.9996, '99.96 %'],
  ])('%d', (ratio, text) => expect(plain(percent(ratio))).toBe(text))

  it.each([
    [0.0304, '30 ms'],
    [0.304, '304 ms'],
    [2.414, '2.41 s'],
    [12, '12 s'],
    [59.94, '59.9 s'],
    [200, '3 min 20 s'],
    [7_320, '2 h 2 min'],
    [90_000, '1 d 1 h'],
  ])('%d s', (seconds, text) => expect(plain(duration(seconds))).toBe(text))

  it('counts and bytes', () => {
    expect([0, 999, 1_000, 1_234_567].map(count)).toEqual(['0', '999', '1,000', '1,234,567'])
    expect([512, 2_048, 8_388_608].map(bytes).map(plain)).toEqual(['512 B', '2.0 KiB', '8.0 MiB'])
  })

  it('a number that says nothing is words, never 0 %', () => {
    const ratio = {
      unit: 'ratio',
      numerator: 0,
      denominator: 0,
      excluded: 0,
      interval: null,
      version: 1,
    } as const
    expect(kpiText({ ...ratio, value: null, reason: 'no_traffic' })).toBe('no traffic')
    expect(kpiText({ ...ratio, value: null, reason: 'no_attempts' })).toBe('not defined')
    expect(kpiText({ value: null, unit: 's', count: 3, reason: 'insufficient_data', version: 1 })).toBe(
      'too few',
    )
  })

  it('the doubt stands beside the number', () => {
    const value = {
      value: 8 / 33,
      unit: 'ratio',
      numerator: 8,
      denominator: 33,
      excluded: 2,
      interval: [0.128, 0.41],
      low_confidence: true,
      version: 1,
    } as const
    const written = { ...value, interval: [...value.interval] }
    expect(plain(kpiDoubt(written))).toBe(
      '8 of 33, 2 excluded; 95 % interval 12.8 % to 41.0 %; low confidence, below 100 attempts',
    )
    expect(intervalText(written)).toBe('13–41')
  })
})
