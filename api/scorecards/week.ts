/**
 * ISO weeks in UTC: "2026-W47" begins on Monday 2026-11-16 at 00:00.
 *
 * Takes    the text of a week, or nothing: then the last week that is over.
 * Throws   ApiError that says what to write instead.
 * Source   ISO 8601: the first week of a year holds its 4 January; metrics.md §9 (week = ISO week in UTC).
 */
import { ApiError } from '../errors.js'
import { shown } from '../time-span.js'

export const WEEK_S = 7 * 86_400
/** 1970-01-01 was a Thursday: weeks begin three days before it. */
const MONDAY_S = 4 * 86_400
/** Of the trend, the week itself included. */
export const TREND_WEEKS = 13

export interface Week {
  /** "2026-W47". */
  id: string
  fromS: number
  /** Not part of it. */
  toS: number
}

export function weekAt(atS: number): Week {
  const fromS = atS - ((((atS - MONDAY_S) % WEEK_S) + WEEK_S) % WEEK_S)
  const year = new Date((fromS + 3 * 86_400) * 1_000).getUTCFullYear()
  const number = Math.round((fromS - firstMondayS(year)) / WEEK_S) + 1
  return { id: `${year}-W${String(number).padStart(2, '0')}`, fromS, toS: fromS + WEEK_S }
}

/** The Monday of the week with 4 January. */
function firstMondayS(year: number): number {
  const fourthS = Date.UTC(year, 0, 4) / 1_000
  return fourthS - ((((fourthS - MONDAY_S) % WEEK_S) + WEEK_S) % WEEK_S)
}

export function weekBefore({ fromS }: Week, weeks = 1): Week {
  return weekAt(fromS - weeks * WEEK_S)
}

export function weekOf(text: string | undefined, nowS: number): Week {
  if (text === undefined) return weekBefore(weekAt(nowS))
  const example = weekBefore(weekAt(nowS)).id
  const [, year, number] = /^(\d{4})-?[Ww](\d{1,2})$/.exec(text) ?? []
  if (year === undefined) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_TIME',
      `week=${shown(text)} is no ISO week; write week=${example}`,
      {
        parameter: 'week',
      },
    )
  }
  const week = weekAt(firstMondayS(Number(year)) + (Number(number) - 1) * WEEK_S)
  if (week.id !== `${year}-W${number!.padStart(2, '0')}` || week.fromS < TREND_WEEKS * WEEK_S) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_TIME',
      `week=${shown(text)}: ${year} has no such week; write for example week=${example}`,
      { parameter: 'week' },
    )
  }
  if (week.fromS > nowS) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_RANGE',
      `week=${week.id} has not begun; write week=${example}, the last one that is over`,
      { parameter: 'week' },
    )
  }
  return week
}

/** Thirteen weeks, the oldest first; the last is the one asked for. */
export function trendOf(week: Week): Week[] {
  return Array.from({ length: TREND_WEEKS }, (_, index) => weekBefore(week, TREND_WEEKS - 1 - index))
}
