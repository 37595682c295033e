/** What a schedule of scorecards needs: a next firing, and a folder that can be written. Writes nothing. */
import { accessSync, constants, statSync } from 'node:fs'
import { chromiumIn } from '../../../api/scorecards/pdf.js'
import { nextFiring } from '../../../api/scorecards/schedule.js'
import type { ScorecardSchedule } from '../../../schemas/scorecard-schedule.js'
import { type Finding, fail, ok, warn } from './finding.js'

export interface ScheduleSources {
  nowMs: number
  /** PATH. */
  searchPath: string
}

export function checkSchedules(
  schedules: readonly ScorecardSchedule[],
  sources: Partial<ScheduleSources> = {},
): Finding[] {
  const { nowMs, searchPath } = { nowMs: Date.now(), searchPath: process.env.PATH ?? '', ...sources }
  return schedules.flatMap((schedule) => [
    firing(schedule, nowMs),
    ...(schedule.folder === undefined ? [] : [folderFinding(schedule.id, schedule.folder)]),
    ...(schedule.formats.includes('pdf') && chromiumIn(searchPath) === undefined ? [noPdf(schedule.id)] : []),
  ])
}

function firing({ id, ...timing }: ScorecardSchedule, nowMs: number): Finding {
  const name = 'scorecards'
  const atMs = nextFiring(timing, nowMs)
  const written = `${id}: '${timing.cron}' in ${timing.time_zone}`
  if (atMs === undefined) return fail(name, `${written} never fires`, 'Write another cron')
  const there = new Intl.DateTimeFormat('en-GB', {
    timeZone: timing.time_zone,
    weekday: 'long',
    hour: '2-digit',
    minute: '2-digit',
  }).format(atMs)
  return ok(name, `${written} fires next at ${new Date(atMs).toISOString().slice(0, 16)}Z (${there} there)`)
}

function folderFinding(id: string, folder: string): Finding {
  const name = 'scorecard folder'
  try {
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error('a file'), { code: 'ENOTDIR' })
    accessSync(folder, constants.W_OK | constants.X_OK)
    return ok(name, `${id}: ${folder} can be written`)
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    return fail(
      name,
      `${id}: ${folder} cannot be written (${code})`,
      'Make the folder, and give the user that runs Trunkscope the right to write there; it is not made by itself',
    )
  }
}

function noPdf(id: string): Finding {
  return warn(
    'scorecards',
    `${id}: pdf is wanted, and no Chromium is installed here; the other formats are made`,
    'Install one where start or api runs (chromium on Debian), or leave pdf out of formats',
  )
}
