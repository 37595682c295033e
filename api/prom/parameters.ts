/**
 * The parameters of Prometheus's HTTP API, from a query string or a form. Unknown ones are left alone, as there.
 *
 * Throws   PromError `bad_data`, with what to write instead.
 */
import { ApiError } from '../errors.js'
import { shown, timeUsOf } from '../time-span.js'
import { PromError } from './prom-error.js'
import type { Grid } from './series.js'

/** As Prometheus has it: more points than a screen has pixels. */
export const POINTS_MAX = 11_000

const bad = (text: string) => new PromError('bad_data', text)

/** What was written, by name. A name that stands in the URL and in the form counts twice, the form first. */
export class PromParameters {
  readonly #written: readonly Record<string, unknown>[]

  constructor(query: unknown, body: unknown) {
    this.#written = [body, query].filter((part) => typeof part === 'object' && part !== null) as Record<
      string,
      unknown
    >[]
  }

  all(name: string): string[] {
    return this.#written.flatMap((part) => (Object.hasOwn(part, name) ? [part[name]] : []).flat()).map(String)
  }

  /** The same for the same question, in whatever order it was written. */
  sorted(): [string, string[]][] {
    const names = new Set(this.#written.flatMap(Object.keys))
    return [...names].sort().map((name) => [name, this.all(name)])
  }

  /** As in Go's forms, the first counts; an empty one is none. */
  one(name: string): string | undefined {
    return this.all(name)[0] || undefined
  }

  needed(name: string): string {
    const text = this.one(name)
    if (text === undefined) throw bad(`the parameter "${name}" is missing`)
    return text
  }

  limit(): number {
    const text = this.one('limit')
    if (text === undefined) return Number.POSITIVE_INFINITY
    if (!/^\d{1,9}$/.test(text)) throw bad(`limit=${shown(text)}; write a whole number, 0 for no limit`)
    return Number(text) || Number.POSITIVE_INFINITY
  }

  timeS(name: string): number | undefined {
    const text = this.one(name)
    if (text === undefined) return undefined
    try {
      return timeUsOf(name, text) / 1e6
    } catch (error) {
      throw error instanceof ApiError ? bad(error.message) : error
    }
  }
}

const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/
const UNITS_S = [31_536_000, 604_800, 86_400, 3_600, 60, 1, 0.001]

/** Seconds, or a duration of Prometheus; whole seconds, because nothing here is finer than a minute. */
export function stepOf(text: string): number {
  const parts = text.length > 32 ? null : DURATION.exec(text)
  const seconds = /^\d{1,12}(\.\d{1,9})?$/.test(text)
    ? Number(text)
    : parts === null || text === ''
      ? Number.NaN
      : UNITS_S.reduce((sum, unitS, at) => sum + Number(parts[at + 1] ?? 0) * unitS, 0)
  if (Number.isNaN(seconds))
    throw bad(`step=${shown(text)}; write seconds or a duration, for example 60 or 1m30s`)
  if (seconds <= 0)
    throw bad('zero or negative query resolution step widths are not accepted. Try a positive integer')
  if (!Number.isInteger(seconds))
    throw bad(`step=${shown(text)}; write whole seconds: the rollups hold whole minutes`)
  return seconds
}

export interface Asked {
  /** Whole seconds: samples lie on minutes, so the part of a second that is left out moves none into a window or out. */
  grid: Grid
  /** What was left out: it stands in the times of the answer. */
  fractionS: number
}

export function askedAt(timeS: number): Asked {
  const wholeS = Math.floor(timeS)
  return { grid: { startS: wholeS, endS: wholeS, stepS: 60 }, fractionS: timeS - wholeS }
}

export function askedRange(parameters: PromParameters): Asked {
  parameters.needed('start')
  parameters.needed('end')
  const startS = parameters.timeS('start')!
  const endS = parameters.timeS('end')!
  if (endS < startS) throw bad('end timestamp must not be before start time')
  const stepS = stepOf(parameters.needed('step'))
  const points = Math.floor((endS - startS) / stepS) + 1
  if (points > POINTS_MAX) {
    throw bad(
      `exceeded maximum resolution of ${POINTS_MAX.toLocaleString('en')} points per timeseries. Try decreasing the query resolution (?step=XX)`,
    )
  }
  const wholeS = Math.floor(startS)
  return { grid: { startS: wholeS, endS: wholeS + (points - 1) * stepS, stepS }, fractionS: startS - wholeS }
}
