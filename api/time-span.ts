/**
 * Times as they come in from a query string and go out in an answer.
 *
 * Takes    RFC 3339 texts or unix seconds, with a fraction if need be.
 * Returns  microseconds since 1970 UTC. The default span is the last hour and ends with the minute that runs now, so
 *          that a call of a few seconds ago is in it.
 * Throws   ApiError that says what to write instead.
 */
import { ApiError } from './errors.js'

export interface Span {
  fromUs: number
  toUs: number
}

export const MINUTE_US = 60_000_000
const HOUR_S = 3_600
/** DateTime in the store ends in February 2106. */
const LAST_US = 4_294_967_280 * 1e6

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+ -])(\d\d):(\d\d))$/

export function timeUsOf(parameter: string, text: string): number {
  const us = /^\d{1,16}(\.\d{1,9})?$/.test(text) ? Math.round(Number(text) * 1e6) : rfc3339Us(text)
  if (us === undefined || Number.isNaN(us)) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_TIME',
      `${parameter}=${shown(text)} is not a time; write RFC 3339, for example 2026-11-20T00:00:00Z, or unix seconds, for example 1795132800`,
      { parameter },
    )
  }
  if (us > LAST_US) {
    const seconds = Number(text) / 1_000
    const hint = seconds < 4e9 ? `; that looks like milliseconds, write ${Math.floor(seconds)}` : ''
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_TIME',
      `${parameter}=${shown(text)} lies after the year 2105${hint}`,
      { parameter },
    )
  }
  return us
}

function rfc3339Us(text: string): number | undefined {
  const match = RFC3339.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (hour > 23 || minute > 59 || second > 60) return undefined
  const date = new Date(Date.UTC(year, month - 1, day))
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  const offsetMinutes = Number(match[10] ?? 0) * 60 + Number(match[11] ?? 0)
  // A plus sign that was not escaped arrives as a space.
  const sign = match[9] === '-' ? -1 : 1
  const seconds = date.getTime() / 1_000 + hour * 3_600 + minute * 60 + second - sign * offsetMinutes * 60
  return seconds * 1e6 + Number((match[7] ?? '').slice(0, 6).padEnd(6, '0'))
}

export interface SpanRules {
  nowUs: number
  /** Length without `from`. */
  defaultS?: number
  /** The longest span that is answered. */
  longestS: number
  /** The rollups know whole minutes only; what to do otherwise is told in `otherwise`. */
  wholeMinutes?: { otherwise: string }
}

export function spanOf(written: { from?: string; to?: string }, rules: SpanRules): Span {
  const defaultUs = (rules.defaultS ?? HOUR_S) * 1e6
  const nextMinuteUs = Math.ceil(rules.nowUs / MINUTE_US) * MINUTE_US
  const toUs = written.to === undefined ? nextMinuteUs : timeUsOf('to', written.to)
  const fromUs = written.from === undefined ? Math.max(0, toUs - defaultUs) : timeUsOf('from', written.from)
  if (fromUs >= toUs) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_RANGE',
      written.to === undefined
        ? `from=${isoOf(fromUs)} lies in the future; write an earlier one, or give to=… as well`
        : `from=${isoOf(fromUs)} is not before to=${isoOf(toUs)}; from is the earlier one and to is not part of the range`,
      { parameter: written.from === undefined ? 'to' : 'from' },
    )
  }
  if (toUs - fromUs > rules.longestS * 1e6) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_RANGE',
      `the range is ${days((toUs - fromUs) / 1e6)} days long, the longest one answered is ${days(rules.longestS)} days; ` +
        `write from=${isoOf(toUs - rules.longestS * 1e6)} or later`,
      { parameter: 'from' },
    )
  }
  if (rules.wholeMinutes !== undefined) {
    for (const [parameter, us] of [
      ['from', fromUs],
      ['to', toUs],
    ] as const) {
      if (us % MINUTE_US === 0) continue
      const before = isoOf(Math.floor(us / MINUTE_US) * MINUTE_US)
      throw new ApiError(
        'TRUNKSCOPE_API_NOT_WHOLE_MINUTES',
        `${parameter}=${isoOf(us)} lies within a minute; write ${parameter}=${before}${rules.wholeMinutes.otherwise}`,
        { parameter },
      )
    }
  }
  return { fromUs, toUs }
}

function days(seconds: number): number {
  return Math.round((seconds / 86_400) * 10) / 10
}

/** What a person wrote, short and without control characters, for an error text. */
export function shown(text: string): string {
  const printable = text.replace(/[^\x20-\x7e\u00a0-\u024f]/g, '?')
  return printable.length > 80 ? `${printable.slice(0, 80)}…` : printable
}

/** "2026-11-20T00:00:00Z"; with a fraction of up to six digits where there is one. */
export function isoOf(us: number): string {
  const fraction = us % 1e6
  const seconds = new Date(Math.floor(us / 1e6) * 1_000).toISOString().slice(0, 19)
  return fraction === 0 ? `${seconds}Z` : `${seconds}.${String(fraction).padStart(6, '0')}Z`
}

/** Always six digits of fraction. */
export function isoUsOf(us: number): string {
  const seconds = new Date(Math.floor(us / 1e6) * 1_000).toISOString().slice(0, 19)
  return `${seconds}.${String(us % 1e6).padStart(6, '0')}Z`
}

export function isoOrNull(us: number): string | null {
  return us > 0 ? isoUsOf(us) : null
}
