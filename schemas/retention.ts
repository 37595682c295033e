/**
 * How long the rows of a table are kept, counted from the time of storing. Minutes are recomputed from attempts, and are
 * kept no longer than these.
 */
import type { z } from 'zod'
import { configSchema } from './config.js'

/** The `retention` block as it is written: what is left out has its default. */
export type Retention = z.input<typeof configSchema.shape.retention>

export interface Kept {
  rawDays: number
  attemptsMonths: number
  minutesDays: number
  hoursMonths: number
  daysMonths: number
  documentsMonths: number
  auditDays: number
}

export function keptOf(written: Retention): Kept {
  const retention = configSchema.shape.retention.parse(written)
  return {
    rawDays: retention.raw_days,
    attemptsMonths: retention.attempts_months,
    minutesDays: Math.min(retention.minutes_days, retention.attempts_months * MONTH_DAYS),
    hoursMonths: retention.hours_months,
    daysMonths: retention.days_months,
    documentsMonths: retention.documents_months,
    auditDays: retention.audit_days,
  }
}

const MONTH_DAYS = 30

/** From when on rows of events are surely there: an event is stored after it happened, so its row is kept longer. */
export function keptFromS(
  kept: Kept,
  nowS: number,
): Record<'attempts' | 'minutes' | 'hours' | 'days', number> {
  const from = (days: number) => Math.max(0, nowS - days * 86_400)
  return {
    attempts: from(kept.attemptsMonths * MONTH_DAYS),
    minutes: from(kept.minutesDays),
    hours: from(kept.hoursMonths * MONTH_DAYS),
    days: from(kept.daysMonths * MONTH_DAYS),
  }
}
