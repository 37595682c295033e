import { describe, expect, test } from 'vitest'
import { scorecardMistakes } from '../../../bin/connect/config-scorecards.js'
import { shapeMistakes } from '../../../bin/connect/config-shape.js'
import { configSchema } from '../../../schemas/config.js'

const NOW = Date.parse('2026-11-20T12:00:00Z')
const WEEKLY = { id: 'weekly', cron: '0 6 * * 1' }
const SINKS = [
  { id: 'desk', type: 'webhook' },
  { id: 'on-call', type: 'pagerduty' },
  { id: 'am', type: 'alertmanager' },
]
const dataOf = (...schedules: unknown[]) => ({
  carriers: [{ id: 'alpha' }, { id: 'beta' }],
  sinks: SINKS,
  scorecards: { schedules },
})
const problems = (...schedules: unknown[]) =>
  scorecardMistakes(dataOf(...schedules), NOW).map(
    ({ path, problem }) => `${path.slice(2).join('.')}: ${problem}`,
  )

describe('schedules of scorecards in a configuration', () => {
  test('an expression of cron is enough: all carriers, side by side, as HTML, in UTC', () => {
    expect(problems(WEEKLY)).toEqual([])
    expect(configSchema.parse({ scorecards: { schedules: [WEEKLY] } }).scorecards.schedules).toEqual([
      { ...WEEKLY, time_zone: 'UTC', side_by_side: true, formats: ['html'], sinks: [] },
    ])
    expect(configSchema.parse({}).scorecards.schedules).toEqual([])
    expect(configSchema.parse({}).retention.documents_months).toBe(25)
  })

  test('what is no cron and no zone is told with what to write', () => {
    expect(problems({ ...WEEKLY, cron: '0 0 6 * * 1' })).toEqual([
      `0.cron: "0 0 6 * * 1" has six fields; seconds are not known here, write '0 6 * * 1' for Mondays at six`,
    ])
    expect(problems({ ...WEEKLY, time_zone: 'Europe/Berln' })).toEqual([
      '0.time_zone: "Europe/Berln" is no time zone; write an IANA name such as Europe/Berlin or America/New_York, or UTC',
    ])
    expect(problems({ ...WEEKLY, cron: '0 0 30 2 *', time_zone: '' })).toHaveLength(2)
  })

  test('carriers and sinks that do not exist are told with those that were meant', () => {
    expect(problems({ ...WEEKLY, carriers: ['alpha', 'alpa'], sinks: ['dsk', 'desk'] })).toEqual([
      '0.carriers.1: no carrier has the id alpa; did you mean alpha?',
      '0.sinks.0: no sink has the id dsk; did you mean desk?',
    ])
  })

  test('Alertmanager and PagerDuty take no scorecards, and why', () => {
    const found = problems({ ...WEEKLY, sinks: ['on-call', 'am'] })
    expect(found[0]).toContain('on-call takes no scorecards: PagerDuty would open an incident for each')
    expect(found[1]).toContain('am takes no scorecards: Alertmanager knows what fires and ends')
    for (const line of found) expect(line).toContain('name a sink of type webhook, or write folder')
  })

  test('an id stands once, and its folder has a name among the sinks that no sink has', () => {
    expect(problems(WEEKLY, { ...WEEKLY })[0]).toContain(
      '1.id: weekly is already the id of scorecards.schedules[0]',
    )
    const taken = {
      ...dataOf({ ...WEEKLY, folder: '/x' }),
      sinks: [{ id: 'folder_weekly', type: 'webhook' }],
    }
    expect(scorecardMistakes(taken, NOW)[0]?.problem).toContain('whose deliveries stand under folder_weekly')
  })

  test('a schedule that makes nothing is a mistake; one of all side by side only is none', () => {
    expect(problems({ ...WEEKLY, carriers: [], side_by_side: false })[0]).toContain('nothing is made')
    expect(problems({ ...WEEKLY, carriers: [] })).toEqual([])
  })

  test('a folder is a whole path, a format is one of four, and an unknown key is told', () => {
    const found = shapeMistakes({
      scorecards: {
        schedules: [
          { ...WEEKLY, folder: 'scorecards' },
          { ...WEEKLY, formats: ['xlsx'] },
          { ...WEEKLY, timezone: 'UTC' },
        ],
      },
    }).map(({ problem }) => problem)
    expect(found[0]).toContain('is no whole path; write it from / on')
    expect(found[1]).toContain('html')
    expect(found[2]).toContain('did you mean time_zone?')
  })

  test('what has the wrong shape is passed over', () => {
    for (const data of [
      null,
      [],
      { scorecards: 1 },
      { scorecards: { schedules: [null, 1, { cron: 5, sinks: 'x' }] } },
    ]) {
      expect(scorecardMistakes(data, NOW)).toEqual([])
    }
  })
})
