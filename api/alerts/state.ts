/**
 * What becomes of an alert from one evaluation to the next: inactive → pending → firing → resolved.
 *
 * Takes    the alerts as stored, the conditions that hold now, and for each alert why it must not be judged now ('' : it may).
 * Returns  the alerts that are to be stored, and a notice for each that began to fire or was resolved.
 * Throws   nothing.
 *
 * Pure, and the whole memory of an alert is its row: whoever evaluates next, after a crash or in another process, goes on
 * from it. Only what is told is numbered: firing is an odd transition, resolved the even one after it, so the same decision
 * made twice has the same number and sinks fold the two.
 *
 *   pending   the condition holds; nobody is told until it held for `forUs` without a break
 *   firing    told; goes on until the condition was over for `keepFiringUs`
 *   resolved  told; a condition that comes back within `FLAP_QUIET_US` waits in pending, and fires after that if it still holds
 *   held      a pending alert does not fire and its clock starts anew, a firing one is neither resolved nor told again
 *
 * Source   ecosystem.md §7, docs/alerts.md.
 */
import { createHash } from 'node:crypto'
import type { AlertNotice, Severity } from '../../schemas/alert-hook.js'

/** An alert that was resolved is not told anew before so much time has passed: nobody is paged twice for one flapping. */
export const FLAP_QUIET_US = 900e6

/** Why it waits then. */
export const FLAPS = 'it was resolved a short time ago and flaps: told again if it lasts'

export const ALERT_STATES = ['inactive', 'pending', 'firing', 'resolved'] as const
export type AlertState = (typeof ALERT_STATES)[number]

/** Something that holds now. */
export interface Condition {
  rule: string
  severity: Severity
  sinks: readonly string[]
  labels: Readonly<Record<string, string>>
  annotations: AlertNotice['annotations']
  details: AlertNotice['details']
  /** Sites whose taps the numbers rest on. */
  sites: readonly string[]
  /** Why it is not told although it holds; '' : it is. */
  held: string
}

/** An alert as it is stored. Times are 0 where there is none yet. */
export interface AlertRow extends Omit<Condition, 'held'> {
  key: string
  state: AlertState
  held: string
  /** Pending: since when the condition holds without a break. */
  sinceUs: number
  startsAtUs: number
  endsAtUs: number
  /** The last evaluation that saw it hold, or could not tell. */
  lastTrueUs: number
  transition: number
  /** The notice of its last transition is with the outbox. */
  told: boolean
  version: number
}

export interface Timing {
  forUs: number
  keepFiringUs: number
}

export interface Step {
  atUs: number
  /** By rule; a rule that is not there any more has none, and its alerts are resolved. */
  timings: ReadonlyMap<string, Timing>
  /** Why an alert whose condition was not found cannot be called over. */
  heldOf: (alert: AlertRow) => string
}

export function alertKey(rule: string, labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return createHash('sha256')
    .update(JSON.stringify([rule, sorted]))
    .digest('hex')
    .slice(0, 32)
}

export function stepAlerts(
  rows: readonly AlertRow[],
  conditions: readonly Condition[],
  step: Step,
): { changed: AlertRow[]; notices: AlertNotice[] } {
  const before = new Map(rows.map((row) => [row.key, row]))
  const holding = new Map(
    conditions.map((condition) => [alertKey(condition.rule, condition.labels), condition]),
  )
  const keys = [...new Set([...before.keys(), ...holding.keys()])].sort()
  const changed: AlertRow[] = []
  for (const key of keys) {
    const row = before.get(key)
    const condition = holding.get(key)
    const next =
      condition === undefined ? withoutCondition(row!, step) : withCondition(key, row, condition, step)
    if (next !== undefined) changed.push({ ...next, version: (row?.version ?? 0) + 1 })
  }
  return { changed, notices: changed.filter(({ told }) => !told).map(noticeOf) }
}

function withCondition(key: string, row: AlertRow | undefined, condition: Condition, step: Step): AlertRow {
  const { atUs } = step
  const known: AlertRow = {
    ...(row ?? { key, state: 'inactive', sinceUs: 0, startsAtUs: 0, endsAtUs: 0, transition: 0, told: true }),
    ...condition,
    lastTrueUs: atUs,
    version: row?.version ?? 0,
  }
  if (known.state === 'firing') return known
  const pending = known.state === 'pending'
  const waiting: AlertRow = {
    ...known,
    state: 'pending',
    sinceUs: pending && condition.held === '' ? known.sinceUs : atUs,
  }
  if (condition.held !== '') return waiting
  if (atUs - waiting.sinceUs < timingOf(step, condition.rule).forUs) return waiting
  if (waiting.endsAtUs > 0 && atUs - waiting.endsAtUs < FLAP_QUIET_US) {
    return { ...waiting, held: FLAPS }
  }
  return {
    ...waiting,
    state: 'firing',
    startsAtUs: atUs,
    endsAtUs: 0,
    transition: waiting.transition + 1,
    told: false,
  }
}

function withoutCondition(row: AlertRow, step: Step): AlertRow | undefined {
  const { atUs } = step
  if (row.state === 'pending')
    return { ...row, state: row.transition > 0 ? 'resolved' : 'inactive', held: '' }
  if (row.state !== 'firing') return undefined
  const held = step.timings.has(row.rule) ? step.heldOf(row) : ''
  // What cannot be seen is not over: its clock starts when the tap is back.
  if (held !== '') return { ...row, held, lastTrueUs: atUs }
  if (atUs - row.lastTrueUs < timingOf(step, row.rule).keepFiringUs) {
    return row.held === '' ? undefined : { ...row, held: '' }
  }
  return { ...row, state: 'resolved', held: '', endsAtUs: atUs, transition: row.transition + 1, told: false }
}

function timingOf({ timings }: Step, rule: string): Timing {
  return timings.get(rule) ?? { forUs: 0, keepFiringUs: 0 }
}

/** The notice of an alert's last transition; of one that told something. */
export function noticeOf(row: AlertRow): AlertNotice {
  const isFiring = row.transition % 2 === 1
  return {
    key: row.key,
    transition: row.transition,
    status: isFiring ? 'firing' : 'resolved',
    rule: row.rule,
    severity: row.severity,
    sinks: row.sinks,
    labels: row.labels,
    annotations: row.annotations,
    details: row.details,
    startsAtUs: row.startsAtUs,
    endsAtUs: isFiring ? undefined : row.endsAtUs,
  }
}
