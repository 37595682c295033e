/**
 * Alerts as rows of `alert_states`, and what was told of them as rows of `alert_transitions`.
 *
 * Read anew at every evaluation: there is nothing to lose in a crash, and two processes over the same tables go on from the
 * same rows.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { type AlertRow, type AlertState, noticeOf } from './state.js'

/** Those that are alive first; the rest only remember their last transition. */
const ROWS_MAX = 20_000

export const ALERT_COLUMNS = `alert_key, toString(version) AS version, rule, severity, state, held, labels, annotations,
  details, sinks, sites, toString(since_us) AS since_us, toString(starts_at_us) AS starts_at_us,
  toString(ends_at_us) AS ends_at_us, toString(last_true_us) AS last_true_us, toString(transition) AS transition, told`

export interface StoredAlert {
  alert_key: string
  version: string
  rule: string
  severity: AlertRow['severity']
  state: AlertState
  held: string
  labels: string
  annotations: string
  details: string
  sinks: string[]
  sites: string[]
  since_us: string
  starts_at_us: string
  ends_at_us: string
  last_true_us: string
  transition: string
  told: number
}

export function alertOf(row: StoredAlert): AlertRow {
  return {
    key: row.alert_key,
    version: Number(row.version),
    rule: row.rule,
    severity: row.severity,
    state: row.state,
    held: row.held,
    labels: JSON.parse(row.labels) as AlertRow['labels'],
    annotations: JSON.parse(row.annotations) as AlertRow['annotations'],
    details: JSON.parse(row.details) as AlertRow['details'],
    sinks: row.sinks,
    sites: row.sites,
    sinceUs: Number(row.since_us),
    startsAtUs: Number(row.starts_at_us),
    endsAtUs: Number(row.ends_at_us),
    lastTrueUs: Number(row.last_true_us),
    transition: Number(row.transition),
    told: row.told === 1,
  }
}

export interface AlertStore {
  read(): Promise<AlertRow[]>
  write(rows: readonly AlertRow[], atUs: number): Promise<void>
}

export class ClickHouseAlertStore implements AlertStore {
  readonly #client: ClickHouseClient

  /** @param client may read and write the alert tables */
  constructor(client: ClickHouseClient) {
    this.#client = client
  }

  async read(): Promise<AlertRow[]> {
    const result = await this.#client.query({
      query: `SELECT ${ALERT_COLUMNS} FROM alert_states FINAL
        ORDER BY state IN ('firing', 'pending') OR told = 0 DESC, evaluated_at DESC, alert_key LIMIT ${ROWS_MAX}`,
      format: 'JSONEachRow',
    })
    return (await result.json<StoredAlert>()).map(alertOf)
  }

  /** What is told first: a transition without its state is made again, a state without its transition would miss in the history. */
  async write(rows: readonly AlertRow[], atUs: number): Promise<void> {
    const told = rows.filter((row) => !row.told)
    if (told.length > 0) {
      await this.#client.insert({
        table: 'alert_transitions',
        values: told.map(transitionOf),
        format: 'JSONEachRow',
      })
    }
    if (rows.length === 0) return
    await this.#client.insert({
      table: 'alert_states',
      values: rows.map((row) => storedOf(row, atUs)),
      format: 'JSONEachRow',
    })
  }
}

function partyOf({ labels: { carrier } }: AlertRow): string {
  if (carrier === undefined) return ''
  return carrier === 'unknown' ? 'unknown' : 'carrier'
}

function storedOf(row: AlertRow, atUs: number) {
  return {
    alert_key: row.key,
    version: String(row.version),
    rule: row.rule,
    severity: row.severity,
    state: row.state,
    party: partyOf(row),
    carrier: row.labels.carrier ?? '',
    site: row.labels.site ?? '',
    held: row.held,
    labels: JSON.stringify(row.labels),
    annotations: JSON.stringify(row.annotations),
    details: JSON.stringify(row.details),
    sinks: row.sinks,
    sites: row.sites,
    since_us: String(row.sinceUs),
    starts_at_us: String(row.startsAtUs),
    ends_at_us: String(row.endsAtUs),
    last_true_us: String(row.lastTrueUs),
    transition: String(row.transition),
    told: row.told ? 1 : 0,
    evaluated_at: stampOf(atUs),
  }
}

function transitionOf(row: AlertRow) {
  const notice = noticeOf(row)
  return {
    alert_key: row.key,
    transition: String(row.transition),
    status: notice.status,
    rule: row.rule,
    severity: row.severity,
    party: partyOf(row),
    carrier: row.labels.carrier ?? '',
    site: row.labels.site ?? '',
    labels: JSON.stringify(row.labels),
    annotations: JSON.stringify(row.annotations),
    details: JSON.stringify(row.details),
    at: stampOf(notice.status === 'firing' ? notice.startsAtUs : (notice.endsAtUs ?? 0)),
  }
}

/** "2026-11-20 12:00:00.000000" */
function stampOf(us: number): string {
  return `${new Date(Math.floor(us / 1_000)).toISOString().slice(0, 23).replace('T', ' ')}${String(us % 1_000).padStart(3, '0')}`
}
