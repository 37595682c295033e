/**
 * Finds a number in the tables, and what is stored about the calls it stands in. A call is named by a hash of its Call-ID:
 * Call-IDs hold numbers too, and what a mutation names stays in the engine's files for a while.
 *
 * Searches read rows as they were written, replaced ones among them: a row that lost against a newer version is still there.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { CALL_ID_MAX } from '../../schemas/sip-messages.js'
import { STORED_SELECTION, type StoredRow, storedRowOf } from './blank-attempt.js'
import type { NumberPattern } from './number-pattern.js'

export interface SoughtNumber {
  /** Each form that a column of numbers may hold. */
  forms: readonly string[]
  pattern: NumberPattern
}

/** Attempts keep the whole of it, messages CALL_ID_MAX characters. */
export const CALL_HASH = `hex(sipHash128(substringUTF8(call_id, 1, ${CALL_ID_MAX})))`

const NUMBERS = ['called_number', 'dialled_number', 'calling_number', 'from_number']
const TEXTS = [
  'request_uri',
  'identities',
  'call_id',
  'from_tag',
  'user_agent',
  'final_phrase',
  'cancel_reason',
  'facts',
]
const LISTS = ['reasons', 'to_tags']
/** A line feed stands in none of them, and is no digit. */
const ALL_TEXTS = `concatWithSeparator('\\n', ${[...TEXTS, ...LISTS.map((name) => `arrayStringConcat(${name}, '\\n')`)].join(', ')})`

/** What tokens claim, those in another token among them: in a message it is base64 in base64. */
const CLAIMS = `concatWithSeparator('\\n', orig, arrayStringConcat(dest, '\\n'), diverted, origid, raw_claims, origination_id, arrayStringConcat(stir_reasons, '\\n'))`

/** Hashes of the calls that the number stands in, by their attempts, their messages and their tokens. */
export async function callsOf(client: ClickHouseClient, number: SoughtNumber): Promise<string[]> {
  const { pattern } = number
  const isSought = [
    ...NUMBERS.map((column) => `${column} IN {forms:Array(String)}`),
    ...(pattern.source === undefined ? [] : [`match(${ALL_TEXTS}, {pattern:String})`]),
  ].join(' OR ')
  const inMessages =
    pattern.source === undefined
      ? ''
      : `UNION DISTINCT SELECT ${CALL_HASH} AS call FROM sip_messages WHERE call_id != '' AND (match(raw, {pattern:String}) OR match(call_id, {pattern:String}))`
  const isClaimed = [
    ...['orig', 'diverted'].map((column) => `${column} IN {forms:Array(String)}`),
    'hasAny(dest, {forms:Array(String)})',
    ...(pattern.source === undefined ? [] : [`match(${CLAIMS}, {pattern:String})`]),
  ].join(' OR ')
  const inTokens = `UNION DISTINCT SELECT ${CALL_HASH} AS call FROM call_attempts
    WHERE attempt_id IN (SELECT attempt_id FROM identity_checks WHERE ${isClaimed})`
  const rows = await rowsOf<{ call: string }>(
    client,
    `SELECT DISTINCT call FROM (SELECT ${CALL_HASH} AS call FROM call_attempts WHERE ${isSought} ${inMessages} ${inTokens}) ORDER BY call`,
    parametersOf(number),
  )
  return rows.map(({ call }) => call)
}

/** The attempts of these calls as they stand. */
export async function attemptsOf(client: ClickHouseClient, calls: readonly string[]): Promise<StoredRow[]> {
  const rows = await rowsOf<Record<string, unknown>>(
    client,
    // By any version: where a run was killed, the one that stands is blanked, and the one below still holds the Call-ID.
    `SELECT ${STORED_SELECTION} FROM call_attempts FINAL
     WHERE attempt_id IN (SELECT attempt_id FROM call_attempts WHERE ${CALL_HASH} IN {calls:Array(String)})`,
    { calls },
  )
  return rows.map(storedRowOf)
}

export async function countMessagesOf(client: ClickHouseClient, calls: readonly string[]): Promise<number> {
  const [row] = await rowsOf<{ n: string }>(
    client,
    `SELECT count() AS n FROM sip_messages WHERE call_id != '' AND ${CALL_HASH} IN {calls:Array(String)}`,
    { calls },
  )
  return Number(row?.n ?? 0)
}

/** Messages whose Call-ID could not be read, one by one; samples of what was refused. Ids as hex. */
export async function loneRowsOf(
  client: ClickHouseClient,
  number: SoughtNumber,
): Promise<{ messages: string[]; samples: string[] }> {
  if (number.pattern.source === undefined) return { messages: [], samples: [] }
  const ids = async (query: string) =>
    (await rowsOf<{ id: string }>(client, query, parametersOf(number))).map(({ id }) => id)
  return {
    messages: await ids(
      `SELECT DISTINCT hex(row_id) AS id FROM sip_messages WHERE call_id = '' AND match(raw, {pattern:String})`,
    ),
    samples: await ids(
      'SELECT DISTINCT hex(sample_id) AS id FROM rejected_frames WHERE match(sample, {pattern:String})',
    ),
  }
}

export interface Place {
  table: string
  column: string
  rows: number
}

/** Every text column of every table that holds the number: also of tables that nobody thought of. */
export async function placesOf(client: ClickHouseClient, number: SoughtNumber): Promise<Place[]> {
  const columns = await rowsOf<{ table: string; column: string }>(
    client,
    `SELECT table, name AS column FROM system.columns
     WHERE database = currentDatabase() AND type LIKE '%String%' AND default_kind NOT IN ('EPHEMERAL', 'ALIAS')
       AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')
     ORDER BY table, name`,
  )
  const places: Place[] = []
  for (const table of new Set(columns.map((one) => one.table))) {
    const list = columns.filter((one) => one.table === table)
    const counts = list.map(({ column }, at) => `countIf(${soughtIn(column, number)}) AS n${at}`)
    const [row] = await rowsOf<Record<string, string>>(
      client,
      `SELECT ${counts.join(', ')} FROM ${table}`,
      parametersOf(number),
    )
    list.forEach(({ column }, at) => {
      const rows = Number(row?.[`n${at}`] ?? 0)
      if (rows > 0) places.push({ table, column, rows })
    })
  }
  return places
}

function soughtIn(column: string, { pattern }: SoughtNumber): string {
  const isForm = `toString(${column}) IN {forms:Array(String)}`
  return pattern.source === undefined ? isForm : `${isForm} OR match(toString(${column}), {pattern:String})`
}

const parametersOf = ({ forms, pattern }: SoughtNumber) => ({
  forms,
  ...(pattern.source === undefined ? {} : { pattern: pattern.source }),
})

export async function rowsOf<Row>(
  client: ClickHouseClient,
  query: string,
  parameters: Record<string, unknown> = {},
): Promise<Row[]> {
  const result = await client.query({
    query,
    query_params: parameters,
    format: 'JSONEachRow',
    // A server's log of queries would hold the number.
    clickhouse_settings: { log_queries: 0, max_execution_time: 0 },
  })
  return result.json<Row>()
}
