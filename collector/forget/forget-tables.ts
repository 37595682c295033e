/**
 * What a deletion does to each table, and how it makes the bytes go: a row that was deleted or replaced is in the files of the
 * table until the part it stood in is dropped.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { StoredRow } from './blank-attempt.js'
import { CALL_HASH, rowsOf } from './stored-numbers.js'

/** Of every table of the schema; a new one fails test/collector/forget-role.test.ts until it stands here. */
export const FORGOTTEN_IN: Readonly<Record<string, string>> = {
  sip_messages: 'the messages of the calls are deleted',
  call_attempts:
    'numbers, URIs and names are blanked; times, codes and verdicts stay, so that no number of the network changes',
  identity_checks: 'claims that name a party are blanked; findings stay',
  rejected_frames: 'samples that hold the number are deleted',
  call_attempts_new: 'emptied: work table of recompute',
  call_attempts_before: 'emptied: work table of recompute',
  recompute_buckets: 'emptied: work table of recompute',
  recompute_jobs: 'holds none',
  audit_trail: 'holds none: masked, and as a digest',
  documents: 'hold none: sums',
  document_runs: 'holds none',
  alert_states: 'holds none: sums, and ids of attempts',
  alert_transitions: 'holds none: sums, and ids of attempts',
  alert_deliveries: 'holds none: sums, and ids of attempts',
  attempt_verdicts: 'holds none: ids of attempts',
  call_legs: 'holds none: ids of attempts',
  evidence_leases: 'holds none',
  attempt_anomalies: 'holds none: ids of attempts, times of messages',
  anomaly_minutes: 'holds none',
  trunk_minutes: 'holds none: counts by address',
  trunk_hours: 'holds none: counts by address',
  kpi_minute: 'holds none: sums',
  kpi_hour: 'holds none: sums',
  kpi_day: 'holds none: sums',
  rollup_freshness: 'holds none',
  agents_minute: 'holds none',
  store_checkpoints: 'holds none',
  store_claims: 'holds none',
  stale_minutes: 'holds none',
  schema_migrations: 'holds none',
}

/** Tables whose parts change. */
export const CHANGED_TABLES = [
  'sip_messages',
  'call_attempts',
  'identity_checks',
  'rejected_frames',
  'call_attempts_new',
  'call_attempts_before',
  'recompute_buckets',
] as const

/** Columns of identity_checks that name a party, with what they become. */
const CLAIMS: Readonly<Record<string, string>> = {
  orig: "''",
  dest: '[]',
  diverted: "''",
  origid: "''",
  raw_claims: "''",
  origination_id: "''",
  stir_reasons: '[]',
}

/** Bounds the text of a statement: 256 KiB by default. */
const IDS_A_STATEMENT = 1_000

export async function deleteMessagesOf(client: ClickHouseClient, calls: readonly string[]): Promise<void> {
  await change(
    client,
    `ALTER TABLE sip_messages DELETE WHERE call_id != '' AND ${CALL_HASH} IN (${listOf(calls)})`,
  )
}

export async function deleteByIds(
  client: ClickHouseClient,
  table: 'sip_messages' | 'rejected_frames',
  column: 'row_id' | 'sample_id',
  ids: readonly string[],
): Promise<void> {
  for (const part of partsOf(ids))
    await change(client, `ALTER TABLE ${table} DELETE WHERE hex(${column}) IN (${listOf(part)})`)
}

/** Rows of these attempts that stand below the blanked ones; one that a store wrote since knows more, and stays. */
export async function deleteOldVersions(
  client: ClickHouseClient,
  blanked: readonly StoredRow[],
): Promise<void> {
  for (const part of partsOf(blanked)) {
    const ids = listOf(part.map(({ attempt_id }) => String(attempt_id)))
    const versions = part.map(({ version }) => `toUInt64(${Number(version)})`).join(', ')
    await change(
      client,
      `ALTER TABLE call_attempts DELETE WHERE lower(hex(attempt_id)) IN (${ids})
         AND version < arrayElement([${versions}], indexOf([${ids}], lower(hex(attempt_id))))`,
    )
  }
}

export async function blankClaims(client: ClickHouseClient, attemptIds: readonly string[]): Promise<void> {
  const present = await rowsOf<{ name: string }>(
    client,
    "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'identity_checks'",
  )
  const changes = present.flatMap(({ name }) =>
    CLAIMS[name] === undefined ? [] : [`${name} = ${CLAIMS[name]}`],
  )
  if (changes.length === 0) return
  for (const part of partsOf(attemptIds))
    await change(
      client,
      `ALTER TABLE identity_checks UPDATE ${changes.join(', ')} WHERE lower(hex(attempt_id)) IN (${listOf(part)})`,
    )
}

/** Nothing of a recompute that was given up is needed. */
export async function emptyWorkTables(client: ClickHouseClient): Promise<void> {
  for (const table of ['call_attempts_new', 'call_attempts_before', 'recompute_buckets'])
    await client.command({ query: `TRUNCATE TABLE ${table}` })
}

const GONE_WITHIN_MS = 120_000
/** At once, and looked for every second: by default after eight minutes, every half minute. */
const CLEAN_UP = [
  ['old_parts_lifetime', 0],
  ['cleanup_delay_period', 0],
  ['max_cleanup_delay_period', 1],
  ['cleanup_delay_period_random_add', 0],
] as const
const LOOK_INTERVAL_MS = 200

/**
 * Waits until no replaced part is left in the files: the engine keeps them for eight minutes otherwise. For a process that
 * is alone: tables are taken off and on again, so that their clean-up runs at once.
 *
 * @returns how many are left; 0 is what to expect
 */
export async function dropOldParts(client: ClickHouseClient, tables: readonly string[]): Promise<number> {
  const worn = (await oldParts(client, tables)).map(({ table }) => table)
  for (const table of worn) {
    await client.command({
      query: `ALTER TABLE ${table} MODIFY SETTING ${CLEAN_UP.map(([name, value]) => `${name} = ${value}`).join(', ')}`,
    })
    await client.command({ query: `DETACH TABLE ${table}` })
    await client.command({ query: `ATTACH TABLE ${table}` })
  }
  const deadlineMs = performance.now() + GONE_WITHIN_MS
  let left = await oldParts(client, worn)
  while (left.length > 0 && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS))
    left = await oldParts(client, worn)
  }
  for (const table of worn)
    await client.command({
      query: `ALTER TABLE ${table} RESET SETTING ${CLEAN_UP.map(([name]) => name).join(', ')}`,
    })
  return left.reduce((sum, { parts }) => sum + parts, 0)
}

async function oldParts(
  client: ClickHouseClient,
  tables: readonly string[],
): Promise<{ table: string; parts: number }[]> {
  const rows = await rowsOf<{ table: string; parts: string }>(
    client,
    `SELECT table, count() AS parts FROM system.parts
     WHERE database = currentDatabase() AND NOT active AND table IN {tables:Array(String)} GROUP BY table ORDER BY table`,
    { tables },
  )
  return rows.map(({ table, parts }) => ({ table, parts: Number(parts) }))
}

async function change(client: ClickHouseClient, query: string): Promise<void> {
  await client.command({
    query,
    clickhouse_settings: { mutations_sync: '2', max_execution_time: 0, log_queries: 0 },
  })
}

/** Hex digits, all of them: nothing from outside stands in a statement. */
function listOf(ids: readonly string[]): string {
  return ids
    .map((id) => {
      if (!/^[0-9a-fA-F]{32}$/.test(id)) throw new RangeError('an id is 32 hex digits')
      return `'${id}'`
    })
    .join(', ')
}

function* partsOf<One>(all: readonly One[]): Generator<readonly One[]> {
  for (let at = 0; at < all.length; at += IDS_A_STATEMENT) yield all.slice(at, at + IDS_A_STATEMENT)
}
