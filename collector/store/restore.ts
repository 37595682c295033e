/** What a starting store process reads back from ClickHouse. */
import type { ClickHouseClient } from '@clickhouse/client'
import type { Fold, OpenAttempts } from './open-attempts.js'
import type { StoredIndex } from './stored-index.js'

/** Fewer than the index holds, so that it does not drop its older half right away. */
const INDEXED_SHARE = 0.75

/**
 * Fills the index with the newest attempts of a base partition; its horizon is the minute before which it knows nothing.
 *
 * @returns ids that stand under more than one minute
 */
export async function restoreIndex(
  client: ClickHouseClient,
  basePartition: number,
  index: StoredIndex,
): Promise<string[]> {
  const minutes = await client.query({
    query: `SELECT toUInt32(minute) AS minute_s, count() AS n FROM call_attempts
            WHERE bus_partition = {partition:UInt16} GROUP BY minute_s ORDER BY minute_s DESC`,
    query_params: { partition: basePartition },
    format: 'JSONEachRow',
  })
  let sum = 0
  let fromS = 0
  for (const row of await minutes.json<{ minute_s: number; n: string }>()) {
    sum += Number(row.n)
    if (sum > index.sizeMax * INDEXED_SHARE) {
      index.horizonS = row.minute_s
      break
    }
    fromS = row.minute_s
  }
  const rows = await client.query({
    query: `SELECT lower(hex(attempt_id)), toUInt32(minute), NOT invited FROM call_attempts FINAL
            WHERE bus_partition = {partition:UInt16} AND minute >= toDateTime({from:UInt32}, 'UTC')`,
    query_params: { partition: basePartition, from: fromS },
    format: 'JSONCompactEachRow',
  })
  const twice = new Set<string>()
  for await (const chunk of rows.stream<[string, number, boolean | number]>()) {
    for (const row of chunk) {
      const [id, minuteS, lacksInvite] = row.json() as [string, number, boolean | number]
      if (index.get(id) !== undefined) twice.add(id)
      index.set(id, minuteS, Boolean(lacksInvite))
    }
  }
  return [...twice]
}

/** Open attempts close by the passing of time alone, so they must be in memory. Older than this none is open. */
const OPEN_MAX_S = 2 * 86_400

export async function restoreOpenAttempts(
  client: ClickHouseClient,
  busPartition: number,
  attempts: OpenAttempts,
  fold: Fold,
  asOfUs: number,
): Promise<void> {
  const rows = await client.query({
    query: `SELECT lower(hex(attempt_id)) AS id, version, toUInt32(minute) AS minute_s, toUInt32(end_minute) AS end_minute_s, facts
            FROM call_attempts FINAL
            WHERE state = 'open' AND bus_partition = {partition:UInt16} AND minute >= toDateTime({from:UInt32}, 'UTC')`,
    query_params: { partition: busPartition, from: Math.max(0, Math.floor(asOfUs / 1_000_000) - OPEN_MAX_S) },
    format: 'JSONEachRow',
  })
  for (const row of await rows.json<{
    id: string
    version: string
    minute_s: number
    end_minute_s: number
    facts: string
  }>()) {
    const place = { version: Number(row.version), minuteS: row.minute_s, endMinuteS: row.end_minute_s }
    attempts.restore(row.id, fold.factsFromText(row.facts), place, asOfUs)
  }
}
