/**
 * Alerts for who asks: those of its carriers, the live ones first.
 *
 * The readers see to it that rows of other carriers do not come. What an alert of one carrier says about the others (the likely
 * cause, the peers, a distance from them, the agent that went blind) is taken out here for who is held to carriers.
 */
import { z } from 'zod'
import type { Readers } from '../readers.js'
import { isoOrNull } from '../time-span.js'
import { ALERT_COLUMNS, alertOf, type StoredAlert } from './alert-store.js'
import { NOT_EXPECTED, SEEN_ANEW } from './rules/attempts.js'
import { TOLD_BY_FAST, WAS_TOLD_BY_FAST } from './rules/burn.js'
import { type AlertRow, type AlertState, FLAPS } from './state.js'

export const SHOWN_STATES = ['firing', 'pending', 'resolved'] as const
export const ALERTS_SHOWN_MAX = 500

const texts = z.record(z.string(), z.string())
const details = z.record(z.string(), z.union([z.string(), z.number(), z.null()]))

export const alertJson = z
  .object({
    key: z.string().describe('For ever the same: of the rule and the labels.'),
    rule: z.string(),
    state: z.enum(SHOWN_STATES),
    severity: z.enum(['page', 'ticket']),
    held: z.string().describe('Why it is not believed now; empty when it is.'),
    labels: texts,
    annotations: texts,
    details,
    since: z.string().nullable().describe('Since when its condition holds, while it is pending.'),
    starts_at: z.string().nullable(),
    ends_at: z.string().nullable(),
    transition: z.number().describe('How often it was told: firing is odd, resolved even.'),
  })
  .meta({ title: 'Alert' })
export type AlertJson = z.output<typeof alertJson>

export const transitionJson = z
  .object({
    transition: z.number(),
    status: z.enum(['firing', 'resolved']),
    at: z.string().nullable(),
    annotations: texts,
    details,
  })
  .meta({ title: 'Transition of an alert' })
export type TransitionJson = z.output<typeof transitionJson>

export async function readAlerts(
  readers: Readers,
  states: readonly AlertState[],
  limit = ALERTS_SHOWN_MAX,
): Promise<AlertJson[]> {
  const rows = await readers.select<StoredAlert>(
    `SELECT ${ALERT_COLUMNS} FROM alert_states FINAL WHERE state IN {states:Array(String)}
     ORDER BY indexOf(['firing', 'pending', 'resolved'], state), greatest(starts_at_us, ends_at_us, since_us) DESC, alert_key
     LIMIT {limit:UInt32}`,
    { states, limit },
  )
  return rows
    .map(alertOf)
    .filter((row) => maySee(readers, row.details))
    .map((row) => jsonOf(readers, row))
}

export async function readAlert(readers: Readers, key: string): Promise<AlertJson | undefined> {
  const rows = await readers.select<StoredAlert>(
    `SELECT ${ALERT_COLUMNS} FROM alert_states FINAL WHERE alert_key = {key:String} AND state != 'inactive'`,
    { key },
  )
  const [row] = rows.map(alertOf).filter((found) => maySee(readers, found.details))
  return row === undefined ? undefined : jsonOf(readers, row)
}

/** What was told of it, the newest first. */
export async function readTransitions(readers: Readers, key: string): Promise<TransitionJson[]> {
  const rows = await readers.select<{
    transition: string
    status: 'firing' | 'resolved'
    at_us: string
    annotations: string
    details: string
  }>(
    `SELECT toString(transition) AS transition, status, annotations, details, toString(toUnixTimestamp64Micro(at)) AS at_us
     FROM alert_transitions FINAL WHERE alert_key = {key:String} ORDER BY alert_transitions.transition DESC LIMIT 200`,
    { key },
  )
  return rows.map((row) => ({
    transition: Number(row.transition),
    status: row.status,
    at: isoOrNull(Number(row.at_us)),
    annotations: annotationsFor(readers, JSON.parse(row.annotations) as AlertRow['annotations']),
    details: JSON.parse(row.details) as AlertRow['details'],
  }))
}

/** Reasons that name nobody else. */
const OWN_REASONS: ReadonlySet<string> = new Set([
  FLAPS,
  TOLD_BY_FAST,
  WAS_TOLD_BY_FAST,
  SEEN_ANEW,
  NOT_EXPECTED,
])

/** Annotations that say how others do. */
const OF_OTHERS: ReadonlySet<string> = new Set(['likely_cause', 'peers', 'peers_sentence'])

const isHeldToCarriers = ({ principal }: Readers) => principal.carriers !== 'all'

/** How far it is from the others says how they do. */
function maySee(readers: Readers, { comparison }: AlertRow['details']): boolean {
  return !isHeldToCarriers(readers) || comparison !== 'peers'
}

function annotationsFor(readers: Readers, annotations: AlertRow['annotations']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !(isHeldToCarriers(readers) && OF_OTHERS.has(entry[0])),
    ),
  )
}

function jsonOf(readers: Readers, row: AlertRow): AlertJson {
  return {
    key: row.key,
    rule: row.rule,
    state: row.state as AlertJson['state'],
    severity: row.severity,
    held:
      row.held !== '' && !OWN_REASONS.has(row.held) && isHeldToCarriers(readers)
        ? 'the tap it rests on is not trusted now'
        : row.held,
    labels: { ...row.labels },
    annotations: annotationsFor(readers, row.annotations),
    details: { ...row.details },
    since: row.state === 'pending' ? isoOrNull(row.sinceUs) : null,
    starts_at: isoOrNull(row.startsAtUs),
    ends_at: isoOrNull(row.endsAtUs),
    transition: row.transition,
  }
}
