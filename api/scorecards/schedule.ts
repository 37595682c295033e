/**
 * When a schedule fires: cron with five fields in an IANA zone.
 *
 * The clocks of the zone decide, as people read them: an hour that daylight saving skips fires when the clocks have jumped, an
 * hour that comes twice fires the first time, except for an expression that fires every hour.
 *
 * Takes    the expression and the zone as written.
 * Returns  moments in milliseconds, or what is wrong with them and what to write instead.
 * Throws   nothing for what `cronProblem` and `zoneProblem` find right.
 */
import { Cron } from 'croner'
import type { ScorecardSchedule } from '../../schemas/scorecard-schedule.js'

type Timing = Pick<ScorecardSchedule, 'cron' | 'time_zone'>

const EXAMPLE = "'0 6 * * 1' for Mondays at six"
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** So many firings are looked at to see how close they come. */
const LOOKED_AT = 50

export function zoneProblem(zone: string): string | undefined {
  try {
    if (/^[A-Za-z]/.test(zone)) {
      new Intl.DateTimeFormat('en', { timeZone: zone })
      return undefined
    }
  } catch {
    // Said below.
  }
  return `${JSON.stringify(zone)} is no time zone; write an IANA name such as Europe/Berlin or America/New_York, or UTC`
}

/** @param zone one that exists */
export function cronProblem(text: string, zone: string, nowMs: number): string | undefined {
  const shown = JSON.stringify(text.slice(0, 60))
  const fields = text.trim().split(/\s+/)
  if (fields.length === 6) return `${shown} has six fields; seconds are not known here, write ${EXAMPLE}`
  if (fields.length !== 5) {
    return `${shown} is no expression of cron; write minute, hour, day, month and weekday, for example ${EXAMPLE}`
  }
  // "?" is the minute of the start to the parser: another one at each.
  if (!fields.every((field) => /^[0-9A-Za-z*,/#-]+$/.test(field))) {
    return `${shown} holds what no field of cron holds; write ${EXAMPLE}`
  }
  let firings: number[]
  try {
    firings = cronOf({ cron: text, time_zone: zone }).nextRuns(LOOKED_AT, new Date(nowMs)).map(Number)
  } catch (error) {
    return `${shown} is no expression of cron (${wordsOf(error)}); write for example ${EXAMPLE}`
  }
  if (firings.length === 0) return `${shown} never fires; write for example ${EXAMPLE}`
  if (firings.some((atMs, index) => index > 0 && atMs - firings[index - 1]! < HOUR_MS)) {
    return `${shown} fires more than once an hour, and a scorecard is one week; write for example ${EXAMPLE}`
  }
  return undefined
}

function cronOf({ cron, time_zone }: Timing): Cron {
  return new Cron(cron.trim(), { timezone: time_zone, mode: '5-part', paused: true })
}

function wordsOf(error: unknown): string {
  return (error as Error).message
    .replace(/^\w+: /, '')
    .split('\n')[0]!
    .slice(0, 120)
}

/** The first firing after a moment; undefined: none to come. */
export function nextFiring(timing: Timing, afterMs: number): number | undefined {
  const next = cronOf(timing).nextRun(new Date(afterMs))
  return next === null ? undefined : next.getTime()
}

/** The last firing after one moment and not after another, and how many lie between; the latter up to a thousand. */
export function lastFiring(
  timing: Timing,
  afterMs: number,
  untilMs: number,
): { firedAtMs: number; before: number } | undefined {
  const cron = cronOf(timing)
  // Near the end first: between the two may lie years.
  for (let spanMs = DAY_MS; ; spanMs *= 8) {
    const fromMs = Math.max(afterMs, untilMs - spanMs)
    const found = firingsOf(cron, fromMs, untilMs)
    const firedAtMs = found.at(-1)
    if (firedAtMs !== undefined) {
      return { firedAtMs, before: firingsOf(cron, afterMs, firedAtMs - 1, 1_000).length }
    }
    if (fromMs <= afterMs) return undefined
  }
}

function firingsOf(cron: Cron, afterMs: number, untilMs: number, most = Number.POSITIVE_INFINITY): number[] {
  const found: number[] = []
  let atMs = cron.nextRun(new Date(afterMs))?.getTime()
  while (atMs !== undefined && atMs <= untilMs && found.length < most) {
    found.push(atMs)
    atMs = cron.nextRun(new Date(atMs))?.getTime()
  }
  return found
}

/** Another expression or zone is another schedule: what it would have done before is not made up for. */
export function definitionOf({ cron, time_zone }: Timing): string {
  return `${cron.trim().replace(/\s+/g, ' ')} ${time_zone}`
}
