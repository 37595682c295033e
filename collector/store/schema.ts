/**
 * Brings the tables to the shape this version writes: numbered SQL files, forward only, each applied once; then the
 * columns that the KPI catalog wants in the rollups; then the retention of the configuration.
 *
 * `applySchema` alone is for a process that is the only one (a data folder has a lock of its own). Where several share a
 * server it runs under `withSchemaLock`; who has no right to change tables (store and api of a cluster) asks `checkSchema`.
 *
 * Throws TRUNKSCOPE_STORE_SCHEMA_NEWER when the tables were written by a later version; `checkSchema` also
 * TRUNKSCOPE_STORE_SCHEMA_OLDER, when they are not there yet.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { ClickHouseClient } from '@clickhouse/client'
import { KPI_COLUMNS } from '../../schemas/kpi-rollup.js'
import { type Kept, keptOf, type Retention } from '../../schemas/retention.js'

const FOLDER = new URL('../../schemas/clickhouse/', import.meta.url)

/** Rollups: a column for everything that the catalog counts. */
export const KPI_TABLES: readonly string[] = ['kpi_minute', 'kpi_hour', 'kpi_day']

/** Which time of a row its retention counts from, and for how long it is kept. */
const RETAINED: readonly { table: string; from: string; unit: 'Day' | 'Month'; keep: keyof Kept }[] = [
  { table: 'sip_messages', from: 'stored_at', unit: 'Day', keep: 'rawDays' },
  { table: 'rejected_frames', from: 'stored_at', unit: 'Day', keep: 'rawDays' },
  { table: 'call_attempts', from: 'stored_at', unit: 'Month', keep: 'attemptsMonths' },
  { table: 'kpi_minute', from: 'computed_at', unit: 'Day', keep: 'minutesDays' },
  { table: 'kpi_hour', from: 'computed_at', unit: 'Month', keep: 'hoursMonths' },
  { table: 'kpi_day', from: 'computed_at', unit: 'Month', keep: 'daysMonths' },
  { table: 'documents', from: 'stored_at', unit: 'Month', keep: 'documentsMonths' },
  { table: 'identity_checks', from: 'checked_at', unit: 'Month', keep: 'attemptsMonths' },
  { table: 'attempt_anomalies', from: 'judged_at', unit: 'Month', keep: 'attemptsMonths' },
  { table: 'anomaly_minutes', from: 'judged_at', unit: 'Month', keep: 'attemptsMonths' },
  { table: 'audit_trail', from: 'toDateTime(at)', unit: 'Day', keep: 'auditDays' },
]

/** UNKNOWN_TABLE, UNKNOWN_DATABASE */
const NOT_THERE = new Set(['60', '81'])

export interface Migration {
  number: number
  /** Of the file. */
  name: string
  statements: string[]
}

export function migrations(): Migration[] {
  return readdirSync(FOLDER)
    .filter((name) => /^\d{3}_.*\.sql$/.test(name))
    .sort()
    .map((name) => ({
      number: Number(name.slice(0, 3)),
      name,
      statements: statementsOf(readFileSync(new URL(name, FOLDER), 'utf8')),
    }))
}

export async function applySchema(client: ClickHouseClient, retention: Retention): Promise<void> {
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32, name String, applied_at DateTime DEFAULT now())
            ENGINE = ReplacingMergeTree ORDER BY number`,
  })
  const known = migrations()
  const applied = await appliedNumbers(client)
  refuseNewer(applied, known)
  for (const { number, name, statements } of known) {
    if (applied.has(number)) continue
    for (const statement of statements) await client.command({ query: statement })
    await client.command({
      query: 'INSERT INTO schema_migrations (number, name) SELECT {number:UInt32}, {name:String}',
      query_params: { number, name },
    })
  }
  await addKpiColumns(client)
  await applyRetention(client, retention)
}

/** Reads only. The retention is not looked at: a table that keeps its rows for another time is read and written alike. */
export async function checkSchema(client: ClickHouseClient): Promise<void> {
  const known = migrations()
  let applied: Set<number>
  try {
    applied = await appliedNumbers(client)
  } catch (cause) {
    if (NOT_THERE.has((cause as { code?: string }).code ?? '')) throw older('there are none yet', cause)
    throw cause
  }
  refuseNewer(applied, known)
  const missing = known.filter(({ number }) => !applied.has(number))
  if (missing.length > 0) throw older(`${missing.map(({ name }) => name).join(', ')} not applied`)
  for (const table of KPI_TABLES) {
    const columns = await missingKpiColumns(client, table)
    if (columns.length > 0) throw older(`${table} lacks ${columns.map(({ name }) => name).join(', ')}`)
  }
}

async function appliedNumbers(client: ClickHouseClient): Promise<Set<number>> {
  const rows = await select<{ number: number }>(client, 'SELECT DISTINCT number FROM schema_migrations')
  return new Set(rows.map((row) => row.number))
}

function refuseNewer(applied: ReadonlySet<number>, known: readonly Migration[]): void {
  const newest = Math.max(...known.map(({ number }) => number))
  const later = Math.max(0, ...applied)
  if (later <= newest) return
  throw Object.assign(
    new Error(
      `the tables have schema ${later}, this version knows ${newest}: they were written by a later Trunkscope. ` +
        'Start that version, or choose another folder with --data (in a cluster: another clickhouse.database)',
    ),
    { code: 'TRUNKSCOPE_STORE_SCHEMA_NEWER' },
  )
}

function older(lack: string, cause?: unknown): Error {
  return Object.assign(
    new Error(`the tables are older than this version: ${lack}. Run: trunkscope init`, { cause }),
    {
      code: 'TRUNKSCOPE_STORE_SCHEMA_OLDER',
    },
  )
}

/** Statements of a migration: split at a semicolon that ends a line; comment lines are dropped. */
export function statementsOf(sql: string): string[] {
  return sql
    .replace(/^--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

async function addKpiColumns(client: ClickHouseClient): Promise<void> {
  for (const table of KPI_TABLES) {
    const missing = await missingKpiColumns(client, table)
    if (missing.length === 0) continue
    await client.command({ query: `ALTER TABLE ${table} ${missing.map(columnAddition).join(', ')}` })
  }
}

export function columnAddition(column: { name: string; type: string }): string {
  return `ADD COLUMN IF NOT EXISTS ${column.name} ${column.type} CODEC(ZSTD(1))`
}

async function missingKpiColumns(client: ClickHouseClient, table: string) {
  const rows = await select<{ name: string }>(
    client,
    'SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}',
    { table },
  )
  const present = new Set(rows.map((row) => row.name))
  return KPI_COLUMNS.filter((column) => !present.has(column.name))
}

async function applyRetention(client: ClickHouseClient, retention: Retention): Promise<void> {
  const rows = await select<{ name: string; create_table_query: string }>(
    client,
    'SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()',
  )
  const ddl = new Map(rows.map((row) => [row.name, row.create_table_query]))
  const kept = keptOf(retention)
  for (const { table, from, unit, keep } of RETAINED) {
    const ttl = `${from} + toInterval${unit}(${Math.trunc(kept[keep])})`
    if (ddl.get(table)?.includes(`TTL ${ttl}`)) continue
    await client.command({
      query: `ALTER TABLE ${table} MODIFY TTL ${ttl}`,
      clickhouse_settings: { materialize_ttl_after_modify: 0 },
    })
  }
}

async function select<Row>(
  client: ClickHouseClient,
  query: string,
  parameters: Record<string, unknown> = {},
): Promise<Row[]> {
  const result = await client.query({ query, query_params: parameters, format: 'JSONEachRow' })
  return result.json<Row>()
}
