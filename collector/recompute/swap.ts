/**
 * Puts the rows of a job above those of `call_attempts`, and says which minutes of the rollups that makes stale.
 *
 * Each row has the version after the one it was compared with, so an insert that is repeated changes nothing: whatever dies
 * on the way, doing all of it again ends the same. An attempt that a store process has written since it was compared is
 * left alone: that row knows more messages, and the store folds by the current configuration itself.
 *
 * The minutes are marked after the rows (`stale_minutes`): whoever has claimed the partition then finds the rows when it
 * recomputes.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { ATTEMPT_COLUMNS } from '../../schemas/call-attempts.js'

/** Attempts a statement: bounds the memory of its comparison. */
const ATTEMPTS_A_PART = 50_000

const COLUMNS = ATTEMPT_COLUMNS.map(({ name }) => name).join(', ')
/** All rows of an attempt are in one part. */
const IN_PART = 'cityHash64(attempt_id) % {parts:UInt32} = {part:UInt32}'
const PART = `SELECT minute, attempt_id, version, stored_at FROM call_attempts_new FINAL WHERE ${IN_PART}`
const OVERTAKEN = `
  SELECT DISTINCT standing.attempt_id
  FROM (SELECT minute, attempt_id, version, stored_at FROM call_attempts WHERE ${IN_PART}
        AND minute BETWEEN (SELECT min(minute) FROM call_attempts_new) AND (SELECT max(minute) FROM call_attempts_new)) AS standing
  INNER JOIN (${PART}) AS fresh ON standing.minute = fresh.minute AND standing.attempt_id = fresh.attempt_id
  WHERE standing.version > fresh.version
     OR (standing.version = fresh.version AND standing.stored_at != fresh.stored_at)`

export async function swapParts(client: ClickHouseClient): Promise<number> {
  const result = await client.query({
    query: 'SELECT count() AS n FROM call_attempts_new',
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ n: string }>()
  return Math.ceil(Number(row?.n ?? 0) / ATTEMPTS_A_PART)
}

/** Attempts that a store process has written since they were compared. */
export async function countOvertaken(client: ClickHouseClient, part: number, parts: number): Promise<number> {
  const result = await client.query({
    query: `SELECT count() AS n FROM (${OVERTAKEN})`,
    query_params: { part, parts },
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ n: string }>()
  return Number(row?.n ?? 0)
}

/** @returns how many attempts of the part were overtaken, and are left as they are */
export async function swapPart(client: ClickHouseClient, part: number, parts: number): Promise<number> {
  const overtaken = await countOvertaken(client, part, parts)
  await client.command({
    query: `INSERT INTO call_attempts (${COLUMNS}) SELECT ${COLUMNS} FROM call_attempts_new FINAL
            WHERE ${IN_PART} AND attempt_id NOT IN (${OVERTAKEN})`,
    query_params: { part, parts },
  })
  return overtaken
}

const STALE = `
  SELECT DISTINCT bus_partition, arrayJoin([minute, end_minute, replaces_end_minute]) AS stale_minute FROM call_attempts_new FINAL`

/** Tells the store processes which minutes to recompute. */
export async function markMinutes(client: ClickHouseClient): Promise<void> {
  await client.command({
    query: `INSERT INTO stale_minutes (bus_partition, minute, marked_at, done)
            SELECT bus_partition, stale_minute, now64(6), 0 FROM (${STALE}) WHERE toUInt32(stale_minute) > 0`,
  })
}

/** A version above those of all rollups, and of what says which of them are fresh. */
export async function nextRollupVersion(client: ClickHouseClient): Promise<bigint> {
  const result = await client.query({
    query: `SELECT toString(greatest((SELECT max(version) FROM kpi_minute), (SELECT max(greatest(changed, summed)) FROM rollup_freshness))) AS newest`,
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ newest: string }>()
  return BigInt(row?.newest ?? 0) + 1n
}
