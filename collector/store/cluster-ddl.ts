/**
 * The tables for a replicated, sharded ClickHouse cluster, made of the same SQL files. Experimental: this text has been run
 * nowhere, because no cluster can be had where it is tested. What is known to be missing stands in docs/clickhouse.md.
 *
 * Each table becomes two: `<table>_local` on every shard, replicated, and `<table>`, Distributed over them, which is what
 * everything reads and writes. The rows of one identity must meet on one shard, or FINAL finds two of them: the sharding
 * key is made of columns of ORDER BY, except for attempts and messages. These go by Call-ID, which never changes for an
 * attempt, so that an attempt, the row that takes its old place, and its messages are together.
 */
import type { Migration } from './schema.js'

export interface Cluster {
  /** As in remote_servers of the server's configuration. */
  name: string
  database: string
}

const BY_CALL = new Set(['sip_messages', 'call_attempts', 'call_attempts_new', 'call_attempts_before'])

/** Statements in the order to run them; `columns`: those of the catalog, by rollup, as `ADD COLUMN …`. */
export function clusterDdl(
  migrations: readonly Migration[],
  columns: ReadonlyMap<string, readonly string[]>,
  cluster: Cluster,
): string[] {
  if (!/^\w+$/.test(cluster.name)) throw new RangeError(`${cluster.name} is no name of a cluster`)
  const statements = [`CREATE DATABASE IF NOT EXISTS ${cluster.database} ON CLUSTER ${cluster.name}`]
  statements.push(...clusterStatements(MIGRATIONS_TABLE, cluster))
  for (const migration of migrations) {
    for (const statement of migration.statements) statements.push(...clusterStatements(statement, cluster))
    statements.push(
      `INSERT INTO ${cluster.database}.schema_migrations (number, name) VALUES (${migration.number}, '${migration.name}')`,
    )
  }
  for (const [table, additions] of columns) {
    statements.push(...clusterStatements(`ALTER TABLE ${table} ${additions.join(', ')}`, cluster))
  }
  return statements
}

const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32, name String, applied_at DateTime DEFAULT now())
ENGINE = ReplacingMergeTree
ORDER BY number`

/** One statement of a migration as those of a cluster. Throws on a kind it does not know, so that none is left out. */
export function clusterStatements(sql: string, cluster: Cluster): string[] {
  const [, created] = /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(sql) ?? []
  if (created !== undefined) return clusterTable(sql, created, cluster)
  const [, altered, change] = /^ALTER TABLE (\w+)\s+(.*)$/s.exec(sql) ?? []
  if (altered !== undefined) return clusterChange(altered, change!, cluster)
  // Fills a new table from old ones: a new cluster has no old ones.
  if (/^INSERT INTO \w+ .*\bSELECT\b/s.test(sql)) return []
  throw new Error(`clusterDdl does not know what this is in a cluster: ${sql.slice(0, 80)}`)
}

function clusterTable(sql: string, table: string, { name, database }: Cluster): string[] {
  const path = `'/clickhouse/tables/{shard}/${database}/${table}_local', '{replica}'`
  const local = sql
    .replace(
      /^CREATE TABLE IF NOT EXISTS \w+/,
      `CREATE TABLE IF NOT EXISTS ${database}.${table}_local ON CLUSTER ${name}`,
    )
    .replace(/^(.* ON CLUSTER \w+) AS (\w+)/, `$1 AS ${database}.$2_local`)
    .replace(
      /^ENGINE = (\w*MergeTree)(?:\(([^)]*)\))?/m,
      (_, engine: string, with_: string | undefined) =>
        `ENGINE = Replicated${engine}(${path}${with_ === undefined || with_ === '' ? '' : `, ${with_}`})`,
    )
  if (!local.includes('ENGINE = Replicated'))
    throw new Error(`clusterDdl knows no replicated engine of ${table}`)
  return [
    local,
    `CREATE TABLE IF NOT EXISTS ${database}.${table} ON CLUSTER ${name} AS ${database}.${table}_local\n` +
      `ENGINE = Distributed(${name}, ${database}, ${table}_local, ${shardingKey(sql, table)})`,
  ]
}

/** Columns are those of both tables; how rows are kept is the affair of the local one. */
function clusterChange(table: string, change: string, { name, database }: Cluster): string[] {
  const local = `ALTER TABLE ${database}.${table}_local ON CLUSTER ${name} ${change}`
  if (/^MODIFY (TTL|SETTING)\b/.test(change)) return [local]
  const parts = change.split(/,\s*(?=(?:ADD|DROP|RENAME|MODIFY|MATERIALIZE) )/)
  const columns = parts.filter((part) => /^(ADD|DROP|RENAME|MODIFY) COLUMN\b/.test(part))
  if (columns.length === 0) return [local]
  const ofDistributed = columns.map((part) => part.replace(/\s+CODEC\((?:[^()]|\([^()]*\))*\)/, ''))
  return [local, `ALTER TABLE ${database}.${table} ON CLUSTER ${name} ${ofDistributed.join(', ')}`]
}

function shardingKey(sql: string, table: string): string {
  if (BY_CALL.has(table)) return 'cityHash64(call_id)'
  const [, tuple, single] = /^ORDER BY (?:\(([^)]*)\)|(\w+))/m.exec(sql) ?? []
  const columns = (tuple ?? single ?? '').split(',').map((column) => column.trim())
  if (columns[0] === '') throw new Error(`clusterDdl finds no ORDER BY of ${table}`)
  // A store process recomputes the minutes of its bus partition: together they are one shard's work.
  if (columns.includes('bus_partition')) return 'bus_partition'
  return `cityHash64(${columns.join(', ')})`
}
