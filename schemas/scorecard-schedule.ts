/**
 * `scorecards` of trunkscope.yaml: when weekly scorecards are made by themselves, of whom, and where they go. Whether an
 * expression of cron fires at all, and whether its zone exists, `bin/connect/config-scorecards.ts` looks at.
 *
 * Source   metrics.md §9. What the keys mean, with examples: docs/scorecards.md.
 */
import { z } from 'zod'

export const DOCUMENT_FORMATS = ['html', 'pdf', 'csv', 'json'] as const
export type DocumentFormat = (typeof DOCUMENT_FORMATS)[number]

const absoluteFolder = z.string().regex(/^\//, {
  message: 'is no whole path; write it from / on, for example /var/lib/trunkscope/scorecards',
})

export const scorecardScheduleSchema = z.strictObject({
  /** Shorter than other ids: the folder is a sink with a name made of it. */
  id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,47}$/, {
    message: 'is no id; write lower-case letters, digits, - and _, at most 48, for example weekly',
  }),
  /** Minute, hour, day of the month, month, day of the week. */
  cron: z.string(),
  /** IANA name. */
  time_zone: z.string().default('UTC'),
  /** Left out: all of the configuration. Empty: none, only all side by side. */
  carriers: z.array(z.string()).optional(),
  side_by_side: z.boolean().default(true),
  formats: z.array(z.enum(DOCUMENT_FORMATS)).min(1).default(['html']),
  /** Ids of webhook sinks that are told. */
  sinks: z.array(z.string()).default([]),
  /** Where the files go. */
  folder: absoluteFolder.optional(),
})
export type ScorecardSchedule = z.output<typeof scorecardScheduleSchema>

export const scorecardsSchema = z
  .strictObject({ schedules: z.array(scorecardScheduleSchema).max(50).default([]) })
  .prefault({})
export type ScorecardsConfig = z.output<typeof scorecardsSchema>

/** The folder of a schedule stands among the sinks of the outbox under this name. */
export function folderSinkId(scheduleId: string): string {
  return `folder_${scheduleId}`
}
