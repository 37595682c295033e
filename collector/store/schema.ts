/**
 * Brings the tables to the shape this version writes: numbered SQL files, forward only, each applied once; then the
 * columns that the KPI catalog wants in `kpi_minute`; then the retention of the configuration.
 *
 * Throws TRUNKSCOPE_STORE_SCHEMA_NEWER when the data folder was written by a later version.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { ClickHouseClient } from '@clickhouse/client'
import { KPI_COLUMNS } from '../../schemas/kpi-rollup.js'

const FOLDER = new URL('../../schemas/clickhouse/', import.meta.url)

export interface Retention {
  raw_days: number
  attempts_months: number
}

export async function applySchema(client: ClickHouseClient, retention: Retention): Promise<void> {
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32, name String, applied_at DateTime DEFAULT now())
            ENGINE = ReplacingMergeTree ORDER BY number`,
  })
  const applied = new Set(
    (await select<{ number: number }>(client, 'SELECT DISTINCT number FROM schema_migrations')).map(
      (row) => row.number,
    ),
  )
  const files = readdirSync(FOLDER)
    .filter((name) => /^\d{3}_.*\.sql$/.test(name))
    .sort()
  const newest = Math.max(...files.map((name) => Number(name.slice(0, 3))))
  for (const number of applied) {
    if (number > newest) {
      throw Object.assign(
        new Error(
          `the data folder has schema ${number}, this version knows ${newest}: it was written by a later Trunkscope. ` +
            'Start that version, or choose another folder with --data',
        ),
        { code: 'TRUNKSCOPE_STORE_SCHEMA_NEWER' },
      )
    }
  }
  for (const file of files) {
    const number = Number(file.slice(0, 3))
    if (applied.has(number)) continue
    for (const statement of statementsOf(readFileSync(new URL(file, FOLDER), 'utf8'))) {
      await client.command({ query: statement })
    }
    await client.command({
      query: 'INSERT INTO schema_migrations (number, name) SELECT {number:UInt32}, {name:String}',
      query_params: { number, name: file },
    })
  }
  await addKpiColumns(client)
  await applyRetention(client, retention)
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
  const present = new Set(
    (
      await select<{ name: string }>(
        client,
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'kpi_minute'",
      )
    ).map((row) => row.name),
  )
  const missing = KPI_COLUMNS.filter((column) => !present.has(column.name))
  if (missing.length === 0) return
  const additions = missing.map(
    (column) => `ADD COLUMN IF NOT EXISTS ${column.name} ${column.type} CODEC(ZSTD(1))`,
  )
  await client.command({ query: `ALTER TABLE kpi_minute ${additions.join(', ')}` })
}

async function applyRetention(client: ClickHouseClient, retention: Retention): Promise<void> {
  const wanted: [table: string, ttl: string][] = [
    ['sip_messages', `stored_at + toIntervalDay(${Math.trunc(retention.raw_days)})`],
    ['rejected_frames', `stored_at + toIntervalDay(${Math.trunc(retention.raw_days)})`],
    ['call_attempts', `stored_at + toIntervalMonth(${Math.trunc(retention.attempts_months)})`],
    ['kpi_minute', `computed_at + toIntervalMonth(${Math.trunc(retention.attempts_months)})`],
  ]
  const rows = await select<{ name: string; create_table_query: string }>(
    client,
    'SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()',
  )
  const ddl = new Map(rows.map((row) => [row.name, row.create_table_query]))
  for (const [table, ttl] of wanted) {
    if (ddl.get(table)?.includes(`TTL ${ttl}`)) continue
    await client.command({
      query: `ALTER TABLE ${table} MODIFY TTL ${ttl}`,
      clickhouse_settings: { materialize_ttl_after_modify: 0 },
    })
  }
}

async function select<Row>(client: ClickHouseClient, query: string): Promise<Row[]> {
  const result = await client.query({ query, format: 'JSONEachRow' })
  return result.json<Row>()
}
