import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checkSchedules } from '../../../../bin/run/doctor/scorecards.js'
import { scorecardScheduleSchema } from '../../../../schemas/scorecard-schedule.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-doctor-'))
afterAll(() => rmSync(folder, { recursive: true }))

const nowMs = Date.parse('2026-10-24T12:00:00Z')
const check = (changes: Record<string, unknown>) =>
  checkSchedules(
    [
      scorecardScheduleSchema.parse({
        id: 'weekly',
        cron: '0 6 * * 1',
        time_zone: 'Europe/Berlin',
        ...changes,
      }),
    ],
    { nowMs, searchPath: folder },
  )

describe('doctor: schedules of scorecards', () => {
  test('says when a schedule fires next, in UTC and as the clocks there show it', () => {
    expect(check({})).toEqual([
      {
        check: 'scorecards',
        level: 'ok',
        sentence: "weekly: '0 6 * * 1' in Europe/Berlin fires next at 2026-10-26T05:00Z (Monday 06:00 there)",
      },
    ])
  })

  test('a folder that is there, one that is not, and a file in its place', () => {
    expect(check({ folder })[1]).toMatchObject({ level: 'ok', sentence: `weekly: ${folder} can be written` })
    expect(check({ folder: join(folder, 'gone') })[1]).toMatchObject({
      level: 'fail',
      sentence: expect.stringContaining('ENOENT'),
    })
    writeFileSync(join(folder, 'file'), '')
    expect(check({ folder: join(folder, 'file') })[1]).toMatchObject({
      level: 'fail',
      sentence: expect.stringContaining('ENOTDIR'),
    })
  })

  test('PDF without a Chromium is a warning: the others are made', () => {
    expect(check({ formats: ['html', 'pdf'] })[1]).toMatchObject({ level: 'warn' })
  })
})
