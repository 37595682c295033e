/**
 * Reads what a recompute folds and compares: the reach of raw messages, buckets of calls in the order of `sip_messages`,
 * their messages page by page, and the rows that stand now.
 *
 * A call belongs to the span when it has a message in it; all of its messages are read, those before and after the span
 * too. The order is the table's own, so a bucket reads its part of the table only.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { ATTEMPT_COLUMNS } from '../../schemas/call-attempts.js'
import { CALL_ID_MAX } from '../../schemas/sip-messages.js'
import { STORED_MESSAGE_COLUMNS, type StoredMessage } from './stored-message.js'

export interface Span {
  fromS: number
  toS: number
}

/** Calls after one Call-ID, up to and with another; `isLast`: all that follow. */
export interface CallRange {
  afterCallId: string
  untilCallId: string
  isLast: boolean
}

/** Messages of the span in a bucket, and rows in a page: bound what is read and written in one go. */
export interface Portions {
  messagesABucket: number
  messagesAPage: number
}
export const PORTIONS: Portions = { messagesABucket: 20_000, messagesAPage: 10_000 }
/** Rows of calls that began before the span or after it; a longer call is found by its attempt id (`placesOf`). */
const EDGE_S = 86_400

const IN_SPAN = `captured_at >= toDateTime({from:UInt32}, 'UTC') AND captured_at < toDateTime({to:UInt32}, 'UTC')`
const IN_RANGE = `call_id > {after:String} AND ({last:Bool} OR call_id <= {until:String})`
/** Calls of the range that have a message in the span. */
const CALLS = `SELECT DISTINCT call_id FROM sip_messages WHERE ${IN_RANGE} AND ${IN_SPAN}`

const parametersOf = (span: Span, range: CallRange) => ({
  from: span.fromS,
  to: span.toS,
  after: range.afterCallId,
  until: range.untilCallId,
  last: range.isLast,
})

/** Capture times of the oldest and the newest raw message, seconds since 1970 UTC; undefined when there is none. */
export async function rawReach(
  client: ClickHouseClient,
): Promise<{ oldestS: number; newestS: number } | undefined> {
  const [row] = await rowsOf<{ n: string; oldest: number; newest: number }>(
    client,
    `SELECT count() AS n, toUInt32(toDateTime(min(captured_at), 'UTC')) AS oldest, toUInt32(toDateTime(max(captured_at), 'UTC')) AS newest
     FROM sip_messages WHERE call_id != ''`,
  )
  return row === undefined || Number(row.n) === 0 ? undefined : { oldestS: row.oldest, newestS: row.newest }
}

export async function countMessages(client: ClickHouseClient, span: Span): Promise<number> {
  const [row] = await rowsOf<{ n: string }>(
    client,
    `SELECT count() AS n FROM sip_messages WHERE call_id != '' AND ${IN_SPAN}`,
    { from: span.fromS, to: span.toS },
  )
  return Number(row?.n ?? 0)
}

/** The highest received-at that each base partition has stored. */
export async function asOfByPartition(client: ClickHouseClient): Promise<Record<string, number>> {
  const rows = await rowsOf<{ bus_partition: number; as_of: string }>(
    client,
    'SELECT bus_partition, max(as_of_us) AS as_of FROM store_checkpoints GROUP BY bus_partition',
  )
  return Object.fromEntries(rows.map((row) => [row.bus_partition, Number(row.as_of)]))
}

/** The highest claim on each base partition: who has worked on it last. */
export async function claimsByPartition(client: ClickHouseClient): Promise<Record<string, number>> {
  const rows = await rowsOf<{ bus_partition: number; newest: string }>(
    client,
    'SELECT bus_partition, max(epoch) AS newest FROM store_claims GROUP BY bus_partition',
  )
  return Object.fromEntries(rows.map((row) => [row.bus_partition, Number(row.newest)]))
}

/** The range that follows `afterCallId`. */
export async function nextRange(
  client: ClickHouseClient,
  span: Span,
  afterCallId: string,
  messagesABucket: number,
): Promise<CallRange> {
  const [row] = await rowsOf<{ call_id: string }>(
    client,
    `SELECT call_id FROM sip_messages WHERE call_id > {after:String} AND ${IN_SPAN}
     ORDER BY call_id LIMIT 1 OFFSET {skipped:UInt32}`,
    { from: span.fromS, to: span.toS, after: afterCallId, skipped: messagesABucket - 1 },
  )
  return { afterCallId, untilCallId: row?.call_id ?? '', isLast: row === undefined }
}

/** All messages of the range's calls, in the order of call, capture time and identity; each once. */
export async function* messagesOf(
  client: ClickHouseClient,
  span: Span,
  range: CallRange,
  messagesAPage: number,
): AsyncGenerator<StoredMessage[]> {
  let last: StoredMessage | undefined
  while (true) {
    const beyond =
      last === undefined
        ? ''
        : `AND (call_id, captured_at, row_id) > ({call:String}, fromUnixTimestamp64Micro({captured:Int64}, 'UTC'), toFixedString(unhex({row:String}), 16))`
    const rows: StoredMessage[] = await rowsOf<StoredMessage>(
      client,
      `SELECT ${STORED_MESSAGE_COLUMNS} FROM sip_messages
       WHERE ${IN_RANGE} AND call_id IN (${CALLS}) ${beyond}
       ORDER BY call_id, captured_at, row_id LIMIT 1 BY call_id, captured_at, row_id LIMIT {page:UInt32}`,
      {
        ...parametersOf(span, range),
        page: messagesAPage,
        ...(last === undefined ? {} : { call: last.callId, captured: last.capturedAtUs, row: last.rowId }),
      },
    )
    if (rows.length > 0) yield rows
    if (rows.length < messagesAPage) return
    last = rows.at(-1)
  }
}

/** A row of `call_attempts` as it stands. */
export interface StoredAttempt {
  id: string
  /** Cut to CALL_ID_MAX. */
  callId: string
  minuteS: number
  endMinuteS: number
  version: number
  busPartition: number
  state: string
  facts: string
  /** By column, as JSON has it; times in seconds. */
  values: Record<string, unknown>
}

/** What an attempt's row says beside where it stands and whose it is. */
export const COMPARED_COLUMNS = ATTEMPT_COLUMNS.filter(
  ({ name }) =>
    ![
      ...['minute', 'attempt_id', 'call_id', 'from_tag', 'address_low', 'address_high'],
      ...['version', 'is_deleted', 'bus_partition', 'stored_at'],
    ].includes(name),
)

const SELECTED = COMPARED_COLUMNS.map(({ name, type }) =>
  type === 'DateTime' ? `toUInt32(${name}) AS of_${name}` : `${name} AS of_${name}`,
).join(', ')

/** Copies the rows that the span is about, in one order with `sip_messages`. */
export async function collectAttempts(client: ClickHouseClient, span: Span): Promise<void> {
  const names = ATTEMPT_COLUMNS.map(({ name }) => name).join(', ')
  const values = ATTEMPT_COLUMNS.map(({ name }) =>
    name === 'call_id' ? `substringUTF8(call_id, 1, ${CALL_ID_MAX})` : name,
  ).join(', ')
  const within = `minute >= toDateTime({first:UInt32}, 'UTC') AND minute < toDateTime({end:UInt32}, 'UTC')`
  // Hashes take a fifth of the memory that names do; a name too many does no harm.
  const calls = `cityHash64(substringUTF8(call_id, 1, ${CALL_ID_MAX})) IN (SELECT cityHash64(call_id) FROM sip_messages WHERE ${IN_SPAN})`
  const parts = [
    { first: Math.max(0, span.fromS - EDGE_S), end: span.fromS, condition: `AND ${calls}` },
    { first: span.fromS, end: span.toS, condition: '' },
    { first: span.toS, end: span.toS + EDGE_S, condition: `AND ${calls}` },
  ]
  for (const { first, end, condition } of parts) {
    await client.command({
      query: `INSERT INTO call_attempts_before (${names}) SELECT ${values} FROM call_attempts FINAL WHERE ${within} ${condition}`,
      query_params: { first, end, from: span.fromS, to: span.toS },
    })
  }
}

/** The rows of the range's calls, by call. */
export async function storedAttemptsOf(
  client: ClickHouseClient,
  span: Span,
  range: CallRange,
): Promise<Map<string, StoredAttempt[]>> {
  const rows = await rowsOf<Record<string, unknown>>(
    client,
    `SELECT lower(hex(attempt_id)) AS id, call_id, toUInt32(minute) AS minute_s, version, bus_partition, ${SELECTED}
     FROM call_attempts_before WHERE ${IN_RANGE} AND call_id IN (${CALLS})`,
    parametersOf(span, range),
  )
  const byCall = new Map<string, StoredAttempt[]>()
  for (const row of rows) {
    const callId = String(row.call_id)
    const attempt: StoredAttempt = {
      id: String(row.id),
      callId,
      minuteS: Number(row.minute_s),
      endMinuteS: Number(row.of_end_minute),
      version: Number(row.version),
      busPartition: Number(row.bus_partition),
      state: String(row.of_state),
      facts: String(row.of_facts),
      values: Object.fromEntries(COMPARED_COLUMNS.map(({ name }) => [name, row[`of_${name}`]])),
    }
    const present = byCall.get(callId)
    if (present === undefined) byCall.set(callId, [attempt])
    else present.push(attempt)
  }
  return byCall
}

/** Attempts of the span whose calls have no message in it any more. */
export async function countWithoutMessages(
  client: ClickHouseClient,
  span: Span,
  range: CallRange,
): Promise<number> {
  const [row] = await rowsOf<{ n: string }>(
    client,
    `SELECT count() AS n FROM call_attempts_before
     WHERE ${IN_RANGE} AND minute >= toDateTime({from:UInt32}, 'UTC') AND minute < toDateTime({to:UInt32}, 'UTC')
       AND state != 'fragment' AND call_id NOT IN (${CALLS})`,
    parametersOf(span, range),
  )
  return Number(row?.n ?? 0)
}

/** Where an attempt has rows, ended ones too. */
export interface AttemptPlace {
  minuteS: number
  version: number
  isDeleted: boolean
}

/** Over HTTP the ids travel in the address. */
const IDS_A_STATEMENT = 100

/** All rows of these attempts, wherever they stand. */
export async function placesOf(
  client: ClickHouseClient,
  ids: readonly string[],
): Promise<Map<string, AttemptPlace[]>> {
  const places = new Map<string, AttemptPlace[]>()
  for (let at = 0; at < ids.length; at += IDS_A_STATEMENT) {
    const rows = await rowsOf<{ id: string; minute_s: number; newest: string; deleted: number }>(
      client,
      `SELECT lower(hex(attempt_id)) AS id, toUInt32(minute) AS minute_s, max(version) AS newest, argMax(is_deleted, version) AS deleted
       FROM call_attempts
       WHERE attempt_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))
       GROUP BY id, minute_s`,
      { ids: ids.slice(at, at + IDS_A_STATEMENT) },
    )
    for (const row of rows) {
      const place = { minuteS: row.minute_s, version: Number(row.newest), isDeleted: row.deleted === 1 }
      places.set(row.id, [...(places.get(row.id) ?? []), place])
    }
  }
  return places
}

async function rowsOf<Row>(
  client: ClickHouseClient,
  query: string,
  parameters: Record<string, unknown> = {},
): Promise<Row[]> {
  const result = await client.query({ query, query_params: parameters, format: 'JSONEachRow' })
  return result.json<Row>()
}
