/** Numbers and times as a person reads them. Percent exists on pages only. */
import type { KpiValue } from '../kpi/answer.js'

const THIN = '\u202f'
export const NONE = '–'

/** "42.3 %", "0.04 %": one digit, two below 1 %, so that a few in many do not read as none. */
export function percent(ratio: number): string {
  if (ratio === 0) return `0${THIN}%`
  if (ratio === 1) return `100${THIN}%`
  const digits = ratio < 0.01 || ratio > 0.99 ? 2 : 1
  return `${(ratio * 100).toFixed(digits)}${THIN}%`
}

/** "304 ms", "2.41 s", "3 min 20 s". */
export function duration(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1_000)}${THIN}ms`
  if (Number.isInteger(seconds) && seconds < 60) return `${seconds}${THIN}s`
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)}${THIN}s`
  const whole = Math.round(seconds)
  if (whole < 3_600) return `${Math.floor(whole / 60)}${THIN}min ${whole % 60}${THIN}s`
  if (whole < 86_400)
    return `${Math.floor(whole / 3_600)}${THIN}h ${Math.floor((whole % 3_600) / 60)}${THIN}min`
  return `${Math.floor(whole / 86_400)}${THIN}d ${Math.floor((whole % 86_400) / 3_600)}${THIN}h`
}

/** "12,345". */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
}

export function bytes(value: number): string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (value >= size) return `${(value / size).toFixed(value >= 100 * size ? 0 : 1)}${THIN}${unit}`
  }
  return `${value}${THIN}B`
}

/** "14:05:09" of an ISO text. */
export function clock(iso: string): string {
  return iso.slice(11, 19)
}

/** "2026-11-20 14:05". */
export function day(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)}`
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** A number as it stands in a cell. A number that says nothing is words, never 0. */
export function kpiText(value: KpiValue): string {
  if (value.value === null) return WORDS[value.reason ?? 'insufficient_data']
  return value.unit === 'ratio' ? percent(value.value) : duration(value.value)
}

const WORDS = {
  no_traffic: 'no traffic',
  no_attempts: 'not defined',
  insufficient_data: 'too few',
} as const

/** The sentence behind a number: counts, interval, what is left out. */
export function kpiDoubt(value: KpiValue): string {
  if (value.unit === 's') {
    const measured = `${plural(value.count, 'measurement')}`
    if (value.value === null)
      return value.reason === 'insufficient_data' ? `insufficient data: ${measured}` : ''
    return value.error_ratio === undefined
      ? measured
      : `${measured}, within ${(value.error_ratio * 100).toFixed(1)}${THIN}%`
  }
  const of = `${count(value.numerator)} of ${count(value.denominator)}`
  const excluded = value.excluded > 0 ? `, ${count(value.excluded)} excluded` : ''
  if (value.value === null) {
    return value.reason === 'no_attempts' ? `no attempt this ratio is about${excluded}` : ''
  }
  const interval =
    value.interval === null
      ? ''
      : `; 95${THIN}% interval ${percent(value.interval[0]!)} to ${percent(value.interval[1]!)}`
  return `${of}${excluded}${interval}${value.low_confidence ? '; low confidence, below 100 attempts' : ''}`
}

/** "38–47 %": the interval, short. */
export function intervalText(value: KpiValue): string {
  if (value.unit === 's' || value.value === null || value.interval === null) return ''
  const [low, high] = value.interval as [number, number]
  const digits = high < 0.01 || low > 0.99 ? 2 : high < 0.1 || low > 0.9 ? 1 : 0
  return `${(low * 100).toFixed(digits)}–${(high * 100).toFixed(digits)}`
}
