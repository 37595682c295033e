import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  cronProblem,
  definitionOf,
  lastFiring,
  nextFiring,
  zoneProblem,
} from '../../../api/scorecards/schedule.js'

const at = (iso: string) => Date.parse(iso)
const berlin = (cron: string) => ({ cron, time_zone: 'Europe/Berlin' })
const NOW = at('2026-11-20T12:00:00Z')

/** Firings one after another, as they would be met. */
function firings(timing: { cron: string; time_zone: string }, fromIso: string, count: number): string[] {
  const found: string[] = []
  let afterMs = at(fromIso)
  for (let index = 0; index < count; index++) {
    afterMs = nextFiring(timing, afterMs)!
    found.push(new Date(afterMs).toISOString().slice(0, 16))
  }
  return found
}

describe('a schedule', () => {
  test('keeps to the clocks of its zone when daylight saving begins and ends', () => {
    expect(firings(berlin('0 6 * * 1'), '2026-03-20T00:00:00Z', 2)).toEqual([
      '2026-03-23T05:00',
      '2026-03-30T04:00',
    ])
    expect(firings(berlin('0 6 * * 1'), '2026-10-17T00:00:00Z', 2)).toEqual([
      '2026-10-19T04:00',
      '2026-10-26T05:00',
    ])
  })

  test('an hour that daylight saving skips fires once, when the clocks have jumped', () => {
    // 02:30 does not exist on 2026-03-29 in Berlin: 01:59 is followed by 03:00, which is 01:00 UTC.
    expect(firings(berlin('30 2 * * *'), '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ])
  })

  test('an hour that comes twice fires the first time only', () => {
    // 02:30 is 00:30 UTC and again 01:30 UTC on 2026-10-25 in Berlin.
    expect(firings(berlin('30 2 * * *'), '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ])
    const until = at('2026-10-25T02:00:00Z')
    expect(lastFiring(berlin('30 2 * * *'), at('2026-10-24T12:00:00Z'), until)).toEqual({
      firedAtMs: at('2026-10-25T00:30:00Z'),
      before: 0,
    })
  })

  test('the last firing is the one that walking from the start comes to, and those before are counted (property)', () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata']
    const crons = ['0 6 * * 1', '30 2 * * *', '15 */6 * * *', '0 0 1 * *', '0 6 1 * 1', '59 23 31 12 *']
    const span = 400 * 86_400
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom(...crons),
        fc.nat({ max: span }),
        fc.nat({ max: 40 * 86_400 }),
        (time_zone, cron, startS, lengthS) => {
          const timing = { cron, time_zone }
          const afterMs = at('2026-01-01T00:00:00Z') + startS * 1_000
          const untilMs = afterMs + lengthS * 1_000
          const walked: number[] = []
          for (let next = nextFiring(timing, afterMs); next !== undefined && next <= untilMs; ) {
            walked.push(next)
            next = nextFiring(timing, next)
          }
          const found = lastFiring(timing, afterMs, untilMs)
          expect(found?.firedAtMs).toBe(walked.at(-1))
          if (found !== undefined) expect(found.before).toBe(walked.length - 1)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('nothing fires between a moment and itself', () => {
    expect(lastFiring(berlin('0 6 * * 1'), NOW, NOW)).toBeUndefined()
    const monday = at('2026-11-16T05:00:00Z')
    expect(lastFiring(berlin('0 6 * * 1'), monday, NOW)).toBeUndefined()
    expect(lastFiring(berlin('0 6 * * 1'), monday - 1_000, NOW)?.firedAtMs).toBe(monday)
  })

  test('is the same however its spaces are written', () => {
    expect(definitionOf({ cron: ' 0  6 * * 1', time_zone: 'UTC' })).toBe('0 6 * * 1 UTC')
  })
})

describe('what is no cron', () => {
  test.each([
    ['0 0 6 * * 1', 'has six fields; seconds are not known here'],
    ['@weekly', 'is no expression of cron; write minute, hour, day, month and weekday'],
    ['2026-01-01T00:00:00', 'is no expression of cron'],
    ['', 'is no expression of cron'],
    ['61 6 * * 1', 'Invalid value for minute'],
    ['0 6 * * 8', 'Invalid value for dayOfWeek'],
    ['? 6 * * 1', 'holds what no field of cron holds'],
    ['0 0 31 2 *', 'never fires'],
    ['* * * * *', 'fires more than once an hour'],
    ['0,30 6 * * 1', 'fires more than once an hour'],
  ])('%s', (text, problem) => {
    const found = cronProblem(text, 'Europe/Berlin', NOW)
    expect(found).toContain(problem)
    expect(found).toContain("'0 6 * * 1' for Mondays at six")
  })

  test('any text gives a problem or a schedule that fires (fuzz)', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9*,/#L -]{5,20}$/)), (text) => {
        if (cronProblem(text, 'UTC', NOW) === undefined) {
          expect(nextFiring({ cron: text, time_zone: 'UTC' }, NOW)).toBeGreaterThan(NOW)
        }
      }),
    )
  })

  test('names of days, lists and steps are', () => {
    for (const text of ['0 6 * * MON', '0 6 * * 1,4', '0 */6 * * *', '15 6 L * *', '0 6 * * 1#1']) {
      expect(cronProblem(text, 'UTC', NOW)).toBeUndefined()
    }
  })

  test('a zone is an IANA name', () => {
    expect(zoneProblem('Europe/Berlin')).toBeUndefined()
    expect(zoneProblem('UTC')).toBeUndefined()
    for (const zone of ['Mars/Base', '+02:00', '', 'CEST time']) {
      expect(zoneProblem(zone)).toContain('is no time zone; write an IANA name such as Europe/Berlin')
    }
  })
})
