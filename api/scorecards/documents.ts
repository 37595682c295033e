/**
 * Stored scorecards: the bytes as they were made, whatever becomes of definitions and calls, in rows of `documents`.
 *
 * A document has its identity before it is made (schedule, firing, carrier, format), and of rows with one identity the first
 * one stands: who makes it again, after a crash or beside another process, changes nothing that was told.
 *
 * Throws   what the store throws.
 */
import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import type { ScorecardHeadline } from '../../schemas/alert-hook.js'
import type { DocumentFormat } from '../../schemas/scorecard-schedule.js'
import type { Readers } from '../readers.js'
import { isoOf } from '../time-span.js'

/** A scorecard has some 100 kB; more than this is a mistake, and no answer is to hold it. */
export const DOCUMENT_BYTES_MAX = 8_388_608

export interface DocumentSubject {
  schedule: string
  firedAtMs: number
  /** '': all side by side. */
  carrier: string
}

export interface NewDocument {
  format: DocumentFormat
  fileName: string
  body: Buffer
}

export interface StoredDocument {
  id: string
  kind: 'scorecard'
  schedule: string
  /** '': all side by side. */
  carrier: string
  week: string
  format: DocumentFormat
  fileName: string
  sha256: string
  sizeBytes: number
  firedAt: string
  madeAt: string
  /** null: no HEP frame had come. */
  asOf: string | null
}

/** Of what is told about it, and with the format of a document. */
export function identityOf({ schedule, firedAtMs, carrier }: DocumentSubject, format = ''): string {
  const text = JSON.stringify(['scorecard', schedule, Math.floor(firedAtMs / 1_000), carrier, format])
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

export async function writeDocuments(
  client: ClickHouseClient,
  subject: DocumentSubject,
  made: { week: string; madeAtMs: number; asOfUs: number; headline: ScorecardHeadline },
  documents: readonly NewDocument[],
): Promise<void> {
  if (documents.length === 0) return
  const values = documents.map(({ format, fileName, body }) => ({
    document_id: identityOf(subject, format),
    kind: 'scorecard',
    schedule: subject.schedule,
    fired_at: new Date(subject.firedAtMs).toISOString().slice(0, 19).replace('T', ' '),
    party: subject.carrier === '' ? '' : 'carrier',
    carrier: subject.carrier,
    week: made.week,
    format,
    file_name: fileName,
    made_at: new Date(made.madeAtMs).toISOString().slice(0, 23).replace('T', ' '),
    as_of: isoOf(made.asOfUs).replace('T', ' ').replace('Z', ''),
    sha256: createHash('sha256').update(body).digest('hex'),
    size_bytes: String(body.length),
    headline: JSON.stringify(made.headline),
    body_base64: body.toString('base64'),
  }))
  await client.insert({
    table: 'documents',
    // All at once: a part is there as a whole or not.
    values,
    columns: Object.keys(values[0]!) as [string, ...string[]],
    format: 'JSONEachRow',
  })
}

const COLUMNS = `document_id, schedule, carrier, week, format, file_name, sha256, toString(size_bytes) AS bytes,
  toString(toUnixTimestamp(fired_at)) AS fired_s, toString(toUnixTimestamp64Milli(made_at)) AS made_ms,
  toString(toUnixTimestamp64Micro(as_of)) AS as_of_us`

interface Row {
  document_id: string
  schedule: string
  carrier: string
  week: string
  format: DocumentFormat
  file_name: string
  sha256: string
  bytes: string
  fired_s: string
  made_ms: string
  as_of_us: string
}

function documentOf(row: Row): StoredDocument {
  return {
    id: row.document_id,
    kind: 'scorecard',
    schedule: row.schedule,
    carrier: row.carrier,
    week: row.week,
    format: row.format,
    fileName: row.file_name,
    sha256: row.sha256,
    sizeBytes: Number(row.bytes),
    firedAt: isoOf(Number(row.fired_s) * 1e6),
    madeAt: isoOf(Number(row.made_ms) * 1_000),
    asOf: row.as_of_us === '0' ? null : isoOf(Number(row.as_of_us)),
  }
}

/** What stands of a subject: its documents, and what is told of them; undefined: nothing was made. */
export async function readSubject(
  client: ClickHouseClient,
  subject: DocumentSubject,
  week: string,
): Promise<{ documents: StoredDocument[]; headline: ScorecardHeadline } | undefined> {
  const result = await client.query({
    query: `SELECT ${COLUMNS}, headline FROM documents FINAL
      WHERE kind = 'scorecard' AND week = {week:String} AND carrier = {carrier:String} AND schedule = {schedule:String}
        AND fired_at = toDateTime({fired_s:UInt32}, 'UTC')
      ORDER BY stands DESC, format`,
    query_params: { ...subject, week, fired_s: Math.floor(subject.firedAtMs / 1_000) },
    format: 'JSONEachRow',
  })
  const rows = await result.json<Row & { headline: string }>()
  const [first] = rows
  if (first === undefined) return undefined
  return { documents: rows.map(documentOf), headline: JSON.parse(first.headline) as ScorecardHeadline }
}

/** For who sends them on. */
export async function readBody(client: ClickHouseClient, id: string): Promise<Buffer | undefined> {
  const result = await client.query({
    query: 'SELECT base64Encode(body) AS base64 FROM documents FINAL WHERE document_id = {id:String}',
    query_params: { id },
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ base64: string }>()
  return row === undefined ? undefined : Buffer.from(row.base64, 'base64')
}

export interface DocumentFilter {
  carriers: readonly string[]
  weeks: readonly string[]
  schedules: readonly string[]
  formats: readonly string[]
  limit: number
}

/** The latest week first. */
export async function listDocuments(
  readers: Readers,
  filter: Partial<DocumentFilter>,
): Promise<StoredDocument[]> {
  const rows = await readers.select<Row>(
    `SELECT ${COLUMNS} FROM documents FINAL
     WHERE (empty({carriers:Array(String)}) OR has({carriers:Array(String)}, carrier))
       AND (empty({weeks:Array(String)}) OR has({weeks:Array(String)}, week))
       AND (empty({schedules:Array(String)}) OR has({schedules:Array(String)}, schedule))
       AND (empty({formats:Array(String)}) OR has({formats:Array(String)}, format))
     ORDER BY week DESC, fired_at DESC, schedule, carrier, format LIMIT {limit:UInt32}`,
    { carriers: [], weeks: [], schedules: [], formats: [], limit: 100, ...filter },
  )
  return rows.map(documentOf)
}

export async function readDocument(
  readers: Readers,
  id: string,
): Promise<{ document: StoredDocument; body: Buffer } | undefined> {
  const [row] = await readers.select<Row & { base64: string }>(
    `SELECT ${COLUMNS}, base64Encode(body) AS base64 FROM documents FINAL WHERE document_id = {id:String}`,
    { id },
  )
  if (row === undefined) return undefined
  return { document: documentOf(row), body: Buffer.from(row.base64, 'base64') }
}
