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
import { byCall, CALL_OF_ATTEMPT, CALL_OF_MESSAGE, handfulOf, ofHandful } from '../attempt-messages.js'
import type { Context, EvidencePass, PassResult, Window } from '../pass.js'
import { type PassTable, readRows, writeRows } from '../pass-statements.js'
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
      if (changed) again = await minutesWithoutCertificate(context)
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
  const rows = await readRows<[string, string, number, ...unknown[]]>(
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

async function readAttempts(
  client: ClickHouseClient,
  minuteS: number,
  after: string,
): Promise<ReadAttempt[]> {
  const rows = await readRows<
    [string, string, string, string, string, string, string, string, string, string]
  >(
    client,
    `SELECT lower(hex(attempt_id)), ${CALL_OF_ATTEMPT}, from_tag, address_low, address_high,
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
const AROUND = { beforeS: 3_600, afterS: 86_400 }

async function readMessages(
  client: ClickHouseClient,
  minuteS: number,
  attempts: readonly ReadAttempt[],
): Promise<Map<string, CapturedText[]>> {
  // Copies do no harm, so nothing is merged for this.
  const rows = await readRows<[string, string, string, string, string]>(
    client,
    `SELECT ${CALL_OF_MESSAGE}, toUnixTimestamp64Micro(captured_at), source_address, destination_address, base64Encode(raw)
     FROM sip_messages
     WHERE ${ofHandful('invited')}
       AND ((status_code = 0 AND method = 'INVITE')
         OR (status_code > 100 AND positionCaseInsensitive(raw, 'stir') > 0))
     ORDER BY call_id, captured_at, row_id LIMIT {limit:UInt32} BY call_id`,
    { ...handfulOf(minuteS, attempts, AROUND), limit: MESSAGES_A_CALL },
  )
  return byCall(
    rows.map(([call, capturedAtUs, source, destination, base64]) => [
      call,
      {
        capturedAtUs: Number(capturedAtUs),
        source,
        destination,
        bytes: Buffer.from(base64, 'base64'),
      },
    ]),
  )
}

const TABLE: PassTable = {
  name: 'identity_checks',
  writtenAt: 'checked_at',
  columns: ['minute', 'attempt_hex', 'token_hex', 'position', ...IDENTITY_CHECK_COLUMNS],
}

async function write(writing: IdentityWriting, rows: readonly CheckRow[], isEnd: boolean): Promise<void> {
  if (rows.length === 0) return
  const values = rows.map(({ minuteS, attemptId, tokenHash, position, check }) => ({
    ...check,
    minute: minuteS,
    attempt_hex: attemptId,
    token_hex: tokenHash,
    position,
  }))
  const { client } = writing
  await writeRows(client, TABLE, values, { version: writing.version(), isEnd })
  // A successor may have found nothing to end here: what it does not know of must not stand.
  if (!isEnd && !(await writing.isHeld()))
    await writeRows(client, TABLE, values, { version: writing.version(), isEnd: true })
}

/** Where a certificate may be at hand now; the newest first. */
/** Of minutes whose INVITEs may still be stored. */
async function minutesWithoutCertificate({ client, config }: Context): Promise<number[]> {
  const rows = await readRows<[number]>(
    client,
    `SELECT toUInt32(minute) AS minute_s FROM identity_checks FINAL
     WHERE minute >= now() - toIntervalDay({days:UInt32})
       AND (signature_reason IN ('no_certificate', 'certificate_unreadable')
         OR hasAny(findings, ['roots_not_configured', 'certificate_untrusted']))
     GROUP BY minute ORDER BY minute DESC LIMIT {limit:UInt32}`,
    { limit: AGAIN_MAX, days: config.retention.raw_days + 1 },
  )
  return rows.map(([minuteS]) => minuteS)
}
