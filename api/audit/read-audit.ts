/**
 * Reads the audit trail page by page, newest first. A cursor names the last row and the range of the first page, as in a
 * search for attempts; it is of one question.
 *
 * By number: rows whose search finds that number, whole or by its last digits, under every key that is configured.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { AUDIT_ACTION_NAMES, type AuditActionName } from '../../schemas/audit.js'
import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { choicesOf, listOf, oneOf, type Parameter, wholeNumberOf } from '../parameters.js'
import { type Span, spanOf } from '../time-span.js'
import { canonicalNumber } from './number-digests.js'

export const AUDIT_LIMIT_MAX = 1_000
const LIMIT_DEFAULT = 100
const DAY_S = 86_400

export interface AuditParameters {
  from?: Parameter
  to?: Parameter
  token?: Parameter
  number?: Parameter
  action?: Parameter
  attempt?: Parameter
  carrier?: Parameter
  limit?: Parameter
  cursor?: Parameter
}

export const auditEntry = z
  .object({
    at: z.string(),
    token: z
      .string()
      .describe("Its id; loopback: none was needed. 'command line': trunkscope on the machine."),
    role: z.string(),
    carriers: z.array(z.string()).describe('What the token was held to; empty: all.'),
    address: z.string(),
    action: z.string(),
    route: z.string(),
    status: z.number().describe('HTTP status of the answer: 403 was refused.'),
    carrier: z.string(),
    attempt_id: z.string(),
    filters: z.record(z.string(), z.string()).describe('What was asked, masked.'),
    numbers: z.array(z.string()).describe('Numbers that were searched for, masked.'),
    key_id: z.string().describe('The key of the digests that number= is compared with.'),
    rows: z.number().nullable().describe('What was answered; null: not counted.'),
  })
  .meta({ title: 'Audit entry' })

export type AuditEntry = z.output<typeof auditEntry>

interface Place {
  atMs: number
  id: string
}

export interface AuditQuestion {
  span: Span
  tokens: readonly string[]
  actions: readonly AuditActionName[]
  attempts: readonly string[]
  carriers: readonly string[]
  /** undefined: whatever was searched for. */
  digests: readonly string[] | undefined
  limit: number
  before: Place | undefined
}

export function auditQuestionOf(written: AuditParameters, { audit, config, nowUs }: SeenDeps): AuditQuestion {
  const number = oneOf('number', written.number)
  if (number !== undefined && canonicalNumber(number) === undefined) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_VALUE',
      'number is no number; write all of it, for example number=%2B12025550143, or * and at least 4 of its last digits',
      { parameter: 'number' },
    )
  }
  if (number !== undefined && audit?.digests.hasKey !== true) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_VALUE',
      'the trail cannot be asked for a number here: no key is configured; write audit.key_file in trunkscope.yaml',
      { parameter: 'number' },
    )
  }
  const question: AuditQuestion = {
    span: spanOf(
      { from: oneOf('from', written.from), to: oneOf('to', written.to) },
      { nowUs: nowUs(), defaultS: DAY_S, longestS: (config.retention.audit_days + 1) * DAY_S },
    ),
    tokens: listOf(written.token),
    actions: choicesOf('action', written.action, AUDIT_ACTION_NAMES),
    attempts: listOf(written.attempt).map((id) => id.toLowerCase()),
    carriers: listOf(written.carrier),
    digests: number === undefined ? undefined : audit?.digests.findersOf(number),
    limit:
      wholeNumberOf('limit', written.limit, { min: 1, max: AUDIT_LIMIT_MAX, example: LIMIT_DEFAULT }) ??
      LIMIT_DEFAULT,
    before: undefined,
  }
  return withCursor(question, oneOf('cursor', written.cursor))
}

interface Row extends Omit<AuditEntry, 'filters' | 'rows' | 'at'> {
  at_ms: string
  audit_id: string
  filters: string
  answered: string
}

export async function readAudit(
  { readers }: Pick<SeenDeps, 'readers'>,
  question: AuditQuestion,
): Promise<{ entries: AuditEntry[]; nextCursor: string | null }> {
  const { span, tokens, actions, attempts, carriers, digests, limit, before } = question
  const rows = await readers.select<Row>(
    `SELECT toUnixTimestamp64Milli(at) AS at_ms, audit_id, token, role, carriers, address, action, route, status, carrier,
       attempt_id, filters, numbers, key_id, rows AS answered
     FROM audit_trail FINAL
     WHERE at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
       AND (empty({tokens:Array(String)}) OR token IN {tokens:Array(String)})
       AND (empty({actions:Array(String)}) OR action IN {actions:Array(String)})
       AND (empty({attempts:Array(String)}) OR attempt_id IN {attempts:Array(String)})
       AND (empty({carriers:Array(String)}) OR carrier IN {carriers:Array(String)})
       ${digests === undefined ? '' : 'AND hasAny(number_digests, {digests:Array(String)})'}
       ${before === undefined ? '' : "AND (at, audit_id) < (fromUnixTimestamp64Milli({before_ms:Int64}, 'UTC'), {before_id:String})"}
     ORDER BY at DESC, audit_id DESC LIMIT {limit:UInt32}`,
    {
      from: Math.floor(span.fromUs / 1_000),
      to: Math.ceil(span.toUs / 1_000),
      tokens,
      actions,
      attempts,
      carriers,
      limit: limit + 1,
      ...(digests === undefined ? {} : { digests }),
      ...(before === undefined ? {} : { before_ms: before.atMs, before_id: before.id }),
    },
  )
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    entries: shown.map(({ at_ms, audit_id: _, filters, answered, ...row }) => ({
      ...row,
      at: new Date(Number(at_ms)).toISOString(),
      filters: JSON.parse(filters) as Record<string, string>,
      rows: Number(answered) < 0 ? null : Number(answered),
    })),
    nextCursor:
      rows.length <= limit || last === undefined
        ? null
        : cursorText(question, { atMs: Number(last.at_ms), id: last.audit_id }),
  }
}

function cursorText(question: AuditQuestion, { atMs, id }: Place): string {
  const { fromUs, toUs } = question.span
  return Buffer.from(`1.${fromUs}-${toUs}.${atMs}.${id}.${digestOf(question)}`).toString('base64url')
}

function digestOf({ tokens, actions, attempts, carriers, digests }: AuditQuestion): string {
  const asked = JSON.stringify([tokens, actions, attempts, carriers, digests ?? null])
  return createHash('sha256').update(asked).digest('hex').slice(0, 8)
}

function withCursor(question: AuditQuestion, text: string | undefined): AuditQuestion {
  if (text === undefined || text === '') return question
  const decoded = text.length > 256 ? '' : Buffer.from(text, 'base64url').toString('latin1')
  const match = /^1\.(\d{1,16})-(\d{1,16})\.(\d{1,15})\.([0-9a-f]{32})\.([0-9a-f]{8})$/.exec(decoded)
  if (match === null || match[5] !== digestOf(question)) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_CURSOR',
      'cursor is not one that this question gave; take next_cursor of the page before, or leave it out for the first page',
      { parameter: 'cursor' },
    )
  }
  return {
    ...question,
    span: { fromUs: Number(match[1]), toUs: Number(match[2]) },
    before: { atMs: Number(match[3]), id: match[4]! },
  }
}
