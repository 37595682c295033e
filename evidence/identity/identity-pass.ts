/**
 * The pass behind verify-token.ts: reads the INVITEs of the attempts of changed minutes, checks their tokens, and writes what
 * changed to `identity_checks`. It reads attempts and messages, and changes no rollup.
 *
 * Takes    minutes that changed; who finds certificates and checks signatures.
 * Returns  how many rows were written, and how many tokens were looked at.
 * Throws   what the store throws: the job asks again.
 *
 * Order-free and idempotent: the rows are a function of the attempts and messages that stand, and of the certificates at
 * hand. Only rows that differ from those that stand are written; those that hold no more are ended. Where the INVITE of an
 * attempt has expired, its rows stay as they are.
 * Bounded: ATTEMPTS_A_LOOK attempts are read at a time, MESSAGES_A_CALL messages of a call, and the checks of one such
 * handful go on side by side behind the queue of the verifier.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { IDENTITY_CHECK_COLUMNS, type IdentityCheck } from '../../schemas/identity-checks.js'
import type { Context, EvidencePass, PassResult, Window } from '../pass.js'
import { type CapturedText, type CheckedAttempt, type CheckRow, checkAttempt } from './attempt-checks.js'
import type { IdentityChecker } from './identity-checker.js'
import type { TokenChecks } from './verify-token.js'
import { X5U_REASONS } from './x5u-fetch.js'

export const ATTEMPTS_A_LOOK = 1_000
/** A hostile peer may send endless INVITEs under one Call-ID. */
const MESSAGES_A_CALL = 64
/** Minutes with tokens that lacked a certificate, looked at again in one run when there are new ones. */
const AGAIN_A_RUN = 30
const AGAIN_MAX = 20_000

export interface IdentityReport {
  attempts: number
  tokens: number
  /** Written, ends among them. */
  rows: number
}

export interface IdentityWriting {
  client: ClickHouseClient
  /** Above all that were given before. */
  version(): bigint
  /** Asked after the last row was written; no: another process has taken over, and these rows must be ended. */
  isHeld(): Promise<boolean>
}

/** The pass for the job of evidence/; it has no business with neighbours, so it reaches nowhere. */
export function identityPass(checker: IdentityChecker): EvidencePass {
  let again: number[] = []
  return {
    id: 'identity',
    reachS: 0,
    // Most of a minute's calls have their INVITE by then; what comes later changes the minute again.
    settleS: 60,
    everyS: 10,
    async run(window: Window, context: Context): Promise<PassResult> {
      const { changed, problem } = checker.refresh()
      if (problem !== '') context.log('error', problem)
      if (changed) again = await minutesWithoutCertificate(context.client)
      const taken = again.splice(0, AGAIN_A_RUN)
      const minutesS = [...new Set([...window.minutesS, ...taken])]
      const { rows } = await checkIdentities(context, minutesS, checker)
      for (const { reason, times } of checker.takeRefusals()) {
        context.log('warn', `identity: a certificate was not fetched, ${times} times: ${X5U_REASONS[reason]}`)
        // Those that were fetched meanwhile are kept, so that the next time gets further.
        if (reason === 'busy') again = [...new Set([...again, ...minutesS])].slice(-AGAIN_MAX)
      }
      return { rows, changedMinutesS: [] }
    },
  }
}

export async function checkIdentities(
  writing: IdentityWriting,
  minutesS: readonly number[],
  checks: TokenChecks,
): Promise<IdentityReport> {
  const report = { attempts: 0, tokens: 0, rows: 0 }
  for (const minuteS of minutesS) {
    const standing = await standingRows(writing.client, minuteS)
    for (let after = ''; ; ) {
      const attempts = await readAttempts(writing.client, minuteS, after)
      if (attempts.length === 0) break
      after = attempts.at(-1)!.attemptId
      report.attempts += attempts.length
      const calls = await readMessages(writing.client, minuteS, attempts)
      const checked = await Promise.all(
        attempts.map((attempt) => checkAttempt(attempt, calls.get(attempt.call) ?? [], checks)),
      )
      const changed: CheckRow[] = []
      for (const [index, rows] of checked.entries()) {
        // The INVITE is gone: what stands is all that there will be.
        if (rows === undefined) forget(standing, attempts[index]!.attemptId)
        for (const row of rows ?? []) {
          report.tokens++
          const key = keyOf(row)
          if (standing.get(key)?.text !== textOf(row.check)) changed.push(row)
          standing.delete(key)
        }
      }
      await write(writing, changed, false)
      report.rows += changed.length
    }
    const ended = [...standing.values()].map(({ row }) => row)
    await write(writing, ended, true)
    report.rows += ended.length
  }
  return report
}

interface Standing {
  row: CheckRow
  text: string
}

const keyOf = ({ attemptId, tokenHash, position }: CheckRow) => `${attemptId} ${tokenHash} ${position}`

function textOf(check: IdentityCheck): string {
  return JSON.stringify(IDENTITY_CHECK_COLUMNS.map((name) => check[name]))
}

function forget(standing: Map<string, Standing>, attemptId: string): void {
  for (const [key, { row }] of standing) if (row.attemptId === attemptId) standing.delete(key)
}

async function standingRows(client: ClickHouseClient, minuteS: number): Promise<Map<string, Standing>> {
  const rows = await select<[string, string, number, ...unknown[]]>(
    client,
    `SELECT lower(hex(attempt_id)), lower(hex(token_hash)), position, ${IDENTITY_CHECK_COLUMNS.join(', ')}
     FROM identity_checks FINAL WHERE minute = toDateTime({minute:UInt32}, 'UTC')`,
    { minute: minuteS },
  )
  return new Map(
    rows.map(([attemptId, tokenHash, position, ...values]) => {
      const entries = IDENTITY_CHECK_COLUMNS.map((name, index) => [name, plain(name, values[index])])
      const check = Object.fromEntries(entries) as unknown as IdentityCheck
      const row = { minuteS, attemptId, tokenHash, position, check }
      return [keyOf(row), { row, text: textOf(check) }]
    }),
  )
}

/** 64-bit integers come as strings. */
function plain(name: string, value: unknown): unknown {
  const isNumber = name === 'iat_delta_ms' || name === 'certificate_not_after'
  return isNumber && typeof value === 'string' ? Number(value) : value
}

interface ReadAttempt extends CheckedAttempt {
  /** Of its Call-ID, to find its messages among those of the others. */
  call: string
}

/** As messages hold it (schemas/sip-messages.ts). */
const CALL_ID = 'substringUTF8(call_id, 1, 512)'

async function readAttempts(
  client: ClickHouseClient,
  minuteS: number,
  after: string,
): Promise<ReadAttempt[]> {
  const rows = await select<[string, string, string, string, string, string, string, string, string, string]>(
    client,
    `SELECT lower(hex(attempt_id)), hex(sipHash128(${CALL_ID})), from_tag, address_low, address_high,
       identities, party, carrier, site, direction
     FROM call_attempts FINAL
     WHERE minute = toDateTime({minute:UInt32}, 'UTC') AND lower(hex(attempt_id)) > {after:String} AND invited
     ORDER BY attempt_id LIMIT {limit:UInt32}`,
    { minute: minuteS, after, limit: ATTEMPTS_A_LOOK },
  )
  return rows.map(([attemptId, call, fromTag, low, high, identities, party, carrier, site, direction]) => ({
    attemptId,
    minuteS,
    call,
    fromTag,
    addresses: [low, high],
    tokenHashes: hashesOf(identities),
    party,
    carrier,
    site,
    direction,
  }))
}

function hashesOf(identities: string): string[] {
  try {
    const tokens = JSON.parse(identities) as { tokenHash?: unknown }[]
    return tokens.flatMap(({ tokenHash }) => (typeof tokenHash === 'string' ? [tokenHash] : []))
  } catch {
    return [] // Written by an earlier version: the last INVITE decides.
  }
}

/** Clocks of agents differ, and an attempt may last: messages of its call are looked for from an hour before to a day after. */
const BEFORE_S = 3_600
const AFTER_S = 86_400

async function readMessages(
  client: ClickHouseClient,
  minuteS: number,
  attempts: readonly ReadAttempt[],
): Promise<Map<string, CapturedText[]>> {
  // Copies do no harm, so nothing is merged for this.
  const rows = await select<[string, string, string, string, string]>(
    client,
    `SELECT hex(sipHash128(call_id)), toUnixTimestamp64Micro(captured_at), source_address, destination_address, base64Encode(raw)
     FROM sip_messages
     WHERE call_id IN (
         SELECT ${CALL_ID} FROM call_attempts FINAL
         WHERE minute = toDateTime({minute:UInt32}, 'UTC') AND lower(hex(attempt_id)) >= {first:String}
           AND lower(hex(attempt_id)) <= {last:String} AND invited)
       AND captured_at >= toDateTime({from:UInt32}, 'UTC') AND captured_at < toDateTime({to:UInt32}, 'UTC')
       AND ((status_code = 0 AND method = 'INVITE')
         OR (status_code > 100 AND positionCaseInsensitive(raw, 'stir') > 0))
     ORDER BY call_id, captured_at, row_id LIMIT {limit:UInt32} BY call_id`,
    {
      minute: minuteS,
      first: attempts[0]!.attemptId,
      last: attempts.at(-1)!.attemptId,
      from: Math.max(0, minuteS - BEFORE_S),
      to: minuteS + AFTER_S,
      limit: MESSAGES_A_CALL,
    },
  )
  const calls = new Map<string, CapturedText[]>()
  for (const [call, capturedAtUs, source, destination, base64] of rows) {
    const message = {
      capturedAtUs: Number(capturedAtUs),
      source,
      destination,
      bytes: Buffer.from(base64, 'base64'),
    }
    const others = calls.get(call)
    if (others === undefined) calls.set(call, [message])
    else others.push(message)
  }
  return calls
}

const ROWS_A_STATEMENT = 2_000

async function write(writing: IdentityWriting, rows: readonly CheckRow[], isEnd: boolean): Promise<void> {
  if (rows.length === 0) return
  await insert(writing.client, rows, writing.version(), isEnd)
  // A successor may have found nothing to end here: what it does not know of must not stand.
  if (!isEnd && !(await writing.isHeld())) await insert(writing.client, rows, writing.version(), true)
}

async function insert(
  client: ClickHouseClient,
  rows: readonly CheckRow[],
  version: bigint,
  isEnd: boolean,
): Promise<void> {
  const checkedAt = Math.floor(Date.now() / 1_000) // Retention counts from it, nothing else.
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    await client.insert({
      table: 'identity_checks',
      columns: [
        'minute',
        'attempt_hex',
        'token_hex',
        'position',
        'version',
        'is_deleted',
        'checked_at',
        ...IDENTITY_CHECK_COLUMNS,
      ],
      values: rows
        .slice(at, at + ROWS_A_STATEMENT)
        .map(({ minuteS, attemptId, tokenHash, position, check }) => ({
          minute: minuteS,
          attempt_hex: attemptId,
          token_hex: tokenHash,
          position,
          version: String(version),
          is_deleted: isEnd ? 1 : 0,
          checked_at: checkedAt,
          ...check,
        })),
      format: 'JSONEachRow',
    })
  }
}

/** Where a certificate may be at hand now; the newest first. */
async function minutesWithoutCertificate(client: ClickHouseClient): Promise<number[]> {
  const rows = await select<[number]>(
    client,
    `SELECT toUInt32(minute) AS minute_s FROM identity_checks FINAL
     WHERE signature_reason IN ('no_certificate', 'certificate_unreadable')
       OR hasAny(findings, ['roots_not_configured', 'certificate_untrusted'])
     GROUP BY minute ORDER BY minute DESC LIMIT {limit:UInt32}`,
    { limit: AGAIN_MAX },
  )
  return rows.map(([minuteS]) => minuteS)
}

async function select<Row>(
  client: ClickHouseClient,
  query: string,
  parameters: Record<string, unknown>,
): Promise<Row[]> {
  const result = await client.query({ query, query_params: parameters, format: 'JSONCompactEachRow' })
  return result.json<Row>()
}
