/**
 * Deletes what is stored about a telephone number: `trunkscope forget`.
 *
 * How      Calls that the number stands in are found by their attempts and their messages. For a thousand calls at a time:
 *          blanked rows of the attempts above the ones that stand, then what stood below them deleted, then the claims of
 *          Identity tokens, and the messages last. So whatever is killed in between is found again by the number that is still
 *          there, and to run it again is to go on. At the end every text column of every table is looked through.
 * Beside   In a cluster stores go on: one that has such a call in memory writes the number again. Therefore partitions are
 *          claimed, so that every store reads again what stands, and the search is repeated. Calls that are up, and messages that
 *          are on their way (spool, Kafka), bring it back with their next message: they are counted, and a later run finds them.
 * Throws   TRUNKSCOPE_FORGET_RECOMPUTE_RUNNING, TRUNKSCOPE_FORGET_SHARDED.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { factsFromText, factsText } from './fold/attempt-facts.js'
import { blankAttempt, FORGOTTEN, STORED_COLUMNS, type StoredRow } from './forget/blank-attempt.js'
import {
  blankClaims,
  CHANGED_TABLES,
  deleteByIds,
  deleteMessagesOf,
  deleteOldVersions,
  dropOldParts,
  emptyWorkTables,
} from './forget/forget-tables.js'
import { numberPattern } from './forget/number-pattern.js'
import {
  attemptsOf,
  callsOf,
  countMessagesOf,
  loneRowsOf,
  type Place,
  placesOf,
  rowsOf,
  type SoughtNumber,
} from './forget/stored-numbers.js'
import { RecomputeJob } from './recompute/recompute-job.js'
import { claimsByPartition } from './recompute/stored-calls.js'
import { claimPartition } from './store/claims.js'
import { ClickHouseWriter, shapeOf } from './store/clickhouse-writer.js'
import { encodeRows, RowBinaryWriter } from './store/rowbinary.js'

export interface ForgetOptions {
  client: ClickHouseClient
  insertFolder: string | undefined
  /** Without + and 00. */
  digits: string
  /** Each form that a column of numbers may hold. */
  forms: readonly string[]
  dryRun: boolean
  /** Nobody else has the tables open. */
  isAlone: boolean
  /** A name that no other process has. */
  owner: string
  onProgress?: (progress: ForgetProgress) => void
}

export interface ForgetProgress {
  calls: number
  of: number
}

export interface ForgetReport {
  calls: number
  attempts: number
  messages: number
  samples: number
  /** Attempts whose next message brings the number back: they have not ended. */
  unended: number
  /** Where the number stands; before anything is done in a dry run, after it otherwise. */
  places: Place[]
  /** Replaced parts that are still in the files: 0 in a folder; a server removes them by itself. */
  oldParts: number
  rounds: number
}

const CALLS_AT_ONCE = 1_000
/** Of searches beside running stores. */
const ROUNDS_MAX = 5
const ROUND_PAUSE_MS = 3_000

export async function forget(options: ForgetOptions): Promise<ForgetReport> {
  const { client, dryRun, isAlone } = options
  const number: SoughtNumber = { forms: options.forms, pattern: numberPattern(options.digits) }
  await refuseShards(client)
  await refuseBesideRecompute(options)
  const report: ForgetReport = {
    calls: 0,
    attempts: 0,
    messages: 0,
    samples: 0,
    unended: 0,
    places: [],
    oldParts: 0,
    rounds: 0,
  }
  if (dryRun) {
    await count(client, await callsOf(client, number), report)
    await forgetLoneRows(options, number, report)
    return { ...report, places: await placesOf(client, number) }
  }
  await emptyWorkTables(client)
  for (; report.rounds < (isAlone ? 1 : ROUNDS_MAX); report.rounds++) {
    const calls = await callsOf(client, number)
    if (calls.length === 0) break
    if (report.rounds > 0) await new Promise((resolve) => setTimeout(resolve, ROUND_PAUSE_MS))
    await forgetCalls(options, number, calls, report)
    if (!isAlone) await makeStoresReadAgain(options)
  }
  await forgetLoneRows(options, number, report)
  if (isAlone) report.oldParts = await dropOldParts(client, await presentOf(client, CHANGED_TABLES))
  return { ...report, places: await placesOf(client, number) }
}

async function forgetCalls(
  { client, insertFolder, onProgress }: ForgetOptions,
  number: SoughtNumber,
  calls: readonly string[],
  report: ForgetReport,
): Promise<void> {
  const writer = new ClickHouseWriter(client, insertFolder)
  const isFirst = report.rounds === 0
  for (let at = 0; at < calls.length; at += CALLS_AT_ONCE) {
    const part = calls.slice(at, at + CALLS_AT_ONCE)
    const stored = await attemptsOf(client, part)
    // What was blanked by a run of before stays as it is.
    const blanked = stored.map((row) => blankAttempt(row, number.pattern, FACTS))
    if (isFirst) {
      report.calls += part.length
      report.attempts += stored.filter(isAttempt).length
      report.messages += await countMessagesOf(client, part)
      report.unended += stored.filter(isUnended).length
    }
    const chunks = encodeRows(STORED_COLUMNS, blanked)
    await writer.insert(BLANKED, chunks)
    RowBinaryWriter.release(chunks)
    await deleteOldVersions(client, blanked)
    await blankClaims(
      client,
      blanked.map(({ attempt_id }) => String(attempt_id)),
    )
    await deleteMessagesOf(client, part)
    onProgress?.({ calls: Math.min(at + CALLS_AT_ONCE, calls.length), of: calls.length })
  }
}

const FACTS = { read: factsFromText, write: factsText }
const BLANKED = shapeOf('call_attempts', STORED_COLUMNS)

async function count(
  client: ClickHouseClient,
  calls: readonly string[],
  report: ForgetReport,
): Promise<void> {
  for (let at = 0; at < calls.length; at += CALLS_AT_ONCE) {
    const part = calls.slice(at, at + CALLS_AT_ONCE)
    const stored = await attemptsOf(client, part)
    report.calls += part.length
    report.attempts += stored.filter(isAttempt).length
    report.unended += stored.filter(isUnended).length
    report.messages += await countMessagesOf(client, part)
  }
}

async function forgetLoneRows(
  { client, dryRun }: ForgetOptions,
  number: SoughtNumber,
  report: ForgetReport,
): Promise<void> {
  const { messages, samples } = await loneRowsOf(client, number)
  report.messages += messages.length
  report.samples += samples.length
  if (dryRun) return
  await deleteByIds(client, 'sip_messages', 'row_id', messages)
  await deleteByIds(client, 'rejected_frames', 'sample_id', samples)
}

const isAttempt = (row: StoredRow) => row.state !== 'fragment'

/** Open, or answered without a BYE: an answered call may have been up when the capture ended, a day ago or now. */
function isUnended(row: StoredRow): boolean {
  if ((row.flags as string[]).includes(FORGOTTEN)) return false
  const isUp = Number(row.answered_at_us) > 0 && Number(row.bye_at_us) === 0
  return row.state === 'open' || (row.state === 'closed' && isUp)
}

/** As recompute does: who has claimed a partition before joins again, and reads what stands. */
async function makeStoresReadAgain({ client, owner }: ForgetOptions): Promise<void> {
  for (const basePartition of Object.keys(await claimsByPartition(client)))
    await claimPartition(client, Number(basePartition), owner)
}

async function presentOf(client: ClickHouseClient, tables: readonly string[]): Promise<string[]> {
  const rows = await rowsOf<{ name: string }>(
    client,
    'SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN {tables:Array(String)}',
    { tables },
  )
  return rows.map(({ name }) => name)
}

async function refuseShards(client: ClickHouseClient): Promise<void> {
  const [row] = await rowsOf<{ engine: string }>(
    client,
    "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'call_attempts'",
  )
  if (row?.engine !== 'Distributed') return
  throw Object.assign(
    new Error('call_attempts is spread over shards, and nothing can be deleted through it.'),
    {
      code: 'TRUNKSCOPE_FORGET_SHARDED',
      fix: 'This version deletes on one server only; docs/privacy.md says what to do on each shard by hand',
    },
  )
}

/** A recompute holds copies of attempts. One that was given up is dropped; one that puts its rows in place is not. */
async function refuseBesideRecompute({ client, owner, dryRun }: ForgetOptions): Promise<void> {
  const quietS = await RecomputeJob.othersQuietS(client)
  const job = await RecomputeJob.unfinished(client, owner)
  if (quietS !== undefined || job?.state === 'swapping') {
    throw Object.assign(
      new Error(
        quietS === undefined
          ? 'A recompute was cut off while it put its rows in place; it holds copies of attempts.'
          : `A recompute is at work here: it was heard of ${Math.round(quietS)} s ago.`,
      ),
      {
        code: 'TRUNKSCOPE_FORGET_RECOMPUTE_RUNNING',
        fix: 'Let it finish first: run trunkscope recompute again with the same span, then forget',
      },
    )
  }
  if (!dryRun) await job?.end('dropped')
}
