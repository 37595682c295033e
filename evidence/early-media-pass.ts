/**
 * The pass behind early-media/: looks at the closed attempts of changed minutes, reads the messages of those that rang, and writes
 * what changed to `attempt_anomalies`. It changes no rollup and no attempt.
 *
 * Order-free and idempotent: rows are a function of the attempts and messages that stand, and of the thresholds. Only rows that
 * differ are written; those that hold no more are ended. Messages are kept for days, attempts for months: where they have gone
 * since an earlier look, what they said then stays.
 * Bounded: ATTEMPTS_A_LOOK attempts, MESSAGES_A_LEG messages of each, and the first MESSAGE_MAX_BYTES of a message.
 * A PRACK or a copy of an 18x that comes later than the pass looked changes no attempt, and so calls for no other look; nor does
 * the BYE of a call that ended in another minute. The pass waits 90 s: more than the 64·T1 after which a PRACK is missing, and
 * than an answer and a short call take after the last INVITE of the minute.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { ANOMALY_RULES, type Anomaly, type AnomalyRule } from '../schemas/anomalies.js'
import { byCall, CALL_OF_ATTEMPT, CALL_OF_MESSAGE, handfulOf, ofHandful } from './attempt-messages.js'
import { anomaliesOf, inOrder } from './early-media/anomalies-of.js'
import type { Captured, TriedAttempt } from './early-media/last-try.js'
import type { AttemptTimes, Thresholds } from './early-media/record-rules.js'
import type { Context, EvidencePass, PassResult, Window } from './pass.js'
import { type PassTable, readRows, writeRows } from './pass-statements.js'

const ATTEMPTS_A_LOOK = 250
const MESSAGES_A_LEG = 32
const MESSAGE_MAX_BYTES = 16_384

export const earlyMediaPass: EvidencePass = {
  id: 'early_media',
  reachS: 0,
  settleS: 90,
  everyS: 10,
  async run(window: Window, context: Context): Promise<PassResult> {
    let rows = 0
    for (const minuteS of window.minutesS) rows += await judgeMinute(minuteS, context)
    return { rows, changedMinutesS: [] }
  },
}

interface AnomalyRow {
  attempt_hex: string
  party: string
  carrier: string
  site: string
  direction: string
  prefix: string
  basis: 'messages' | 'record'
  codes: string[]
  severities: string[]
  /** JSON of the list of Anomaly. */
  evidence: string
}

async function judgeMinute(minuteS: number, context: Context): Promise<number> {
  const { client, config } = context
  const isFirstLook = !(await wasLookedAt(client, minuteS))
  const standing = await standingRows(client, minuteS)
  const changed: AnomalyRow[] = []
  for (let after = ''; ; ) {
    const attempts = await readAttempts(client, minuteS, after)
    if (attempts.length === 0) break
    after = attempts.at(-1)!.attemptId
    const calls = await readMessages(client, minuteS, attempts)
    for (const attempt of attempts) {
      const before = standing.get(attempt.attemptId)
      const row = rowOf(attempt, calls.get(attempt.call), config.thresholds, { before, isFirstLook })
      if (row === undefined) continue
      if (before === undefined || textOf(before) !== textOf(row)) changed.push(row)
      standing.delete(attempt.attemptId)
    }
  }
  const ended = [...standing.values()]
  const version = context.version()
  await write(client, minuteS, changed, { version, isEnd: false })
  await write(client, minuteS, ended, { version, isEnd: true })
  if (isFirstLook) await noteLook(client, minuteS)
  // A row of a process that lost its lease may stand where its successor has none: it is ended, and judged when it changes.
  if (changed.length > 0 && !(await context.isHeld()))
    await write(client, minuteS, changed, { version: context.version(), isEnd: true })
  return changed.length + ended.length
}

/** undefined: nothing to say. */
function rowOf(
  attempt: ReadAttempt,
  captured: readonly Captured[] | undefined,
  thresholds: Thresholds,
  { before, isFirstLook }: { before: AnomalyRow | undefined; isFirstLook: boolean },
): AnomalyRow | undefined {
  const { anomalies, hasMessages } = anomaliesOf(attempt, captured, thresholds)
  const isMessagesGone = attempt.rang && !hasMessages
  // It was looked at while they were stored: no row of then is one without suspicion.
  const wereRead = isMessagesGone && !isFirstLook && before?.basis !== 'record'
  const all = wereRead ? inOrder([...anomalies, ...ofMessages(before)]) : anomalies
  const basis = isMessagesGone && !wereRead ? 'record' : 'messages'
  if (all.length === 0 && basis === 'messages') return undefined
  return {
    attempt_hex: attempt.attemptId,
    party: attempt.party,
    carrier: attempt.carrier,
    site: attempt.site,
    direction: attempt.direction,
    prefix: attempt.prefix,
    basis,
    codes: all.map(({ code }) => code),
    severities: all.map(({ severity }) => severity),
    evidence: JSON.stringify(all),
  }
}

function ofMessages(row: AnomalyRow | undefined): Anomaly[] {
  if (row === undefined) return []
  return (JSON.parse(row.evidence) as Anomaly[]).filter(
    ({ code }) => (ANOMALY_RULES[code] as AnomalyRule | undefined)?.reads === 'messages',
  )
}

const COLUMNS = [
  'party',
  'carrier',
  'site',
  'direction',
  'prefix',
  'basis',
  'codes',
  'severities',
  'evidence',
] as const

const textOf = (row: AnomalyRow) => JSON.stringify(COLUMNS.map((name) => row[name]))

async function wasLookedAt(client: ClickHouseClient, minuteS: number): Promise<boolean> {
  const rows = await readRows(
    client,
    `SELECT 1 FROM anomaly_minutes WHERE minute = toDateTime({minute:UInt32}, 'UTC') LIMIT 1`,
    { minute: minuteS },
  )
  return rows.length > 0
}

async function noteLook(client: ClickHouseClient, minuteS: number): Promise<void> {
  await client.command({
    query: `INSERT INTO anomaly_minutes (minute, judged_at) SELECT toDateTime({minute:UInt32}, 'UTC'), now()`,
    query_params: { minute: minuteS },
  })
}

async function standingRows(client: ClickHouseClient, minuteS: number): Promise<Map<string, AnomalyRow>> {
  const rows = await readRows<[string, ...unknown[]]>(
    client,
    `SELECT lower(hex(attempt_id)), ${COLUMNS.join(', ')} FROM attempt_anomalies FINAL
     WHERE minute = toDateTime({minute:UInt32}, 'UTC')`,
    { minute: minuteS },
  )
  return new Map(
    rows.map(([id, ...values]) => {
      const entries = COLUMNS.map((name, at) => [name, values[at]])
      return [id, { attempt_hex: id, ...(Object.fromEntries(entries) as Omit<AnomalyRow, 'attempt_hex'>) }]
    }),
  )
}

interface ReadAttempt extends AttemptTimes, TriedAttempt {
  attemptId: string
  /** Of its Call-ID, to find its messages among those of the others. */
  call: string
  party: string
  carrier: string
  site: string
  prefix: string
}

const TEXTS = `party, carrier, site, direction, destination, clock_agent, address_low, address_high, from_tag, cancel_class,
  bye_from, called_number, calling_number, from_number`
const NUMBERS = `invited_at_us, first_18x_at_us, first_180_at_us, first_sdp_18x_at_us, cancelled_at_us, final_at_us,
  answered_at_us, bye_at_us, final_code`

async function readAttempts(
  client: ClickHouseClient,
  minuteS: number,
  after: string,
): Promise<ReadAttempt[]> {
  const rows = await readRows<[string, string, boolean, number | null, number | null, string[], string[]]>(
    client,
    `SELECT lower(hex(attempt_id)) AS id, ${CALL_OF_ATTEMPT}, rang, pdd_ms, duration_ms,
       [${TEXTS.replace(/\w+/g, 'toString($&)')}], [${NUMBERS.replace(/\w+/g, 'toString($&)')}]
     FROM call_attempts FINAL
     WHERE minute = toDateTime({minute:UInt32}, 'UTC') AND id > {after:String} AND state = 'closed'
       AND party IN ('carrier', 'unknown') AND (rang OR answered_at_us > 0)
     ORDER BY attempt_id LIMIT {limit:UInt32}`,
    { minute: minuteS, after, limit: ATTEMPTS_A_LOOK },
  )
  return rows.map(([attemptId, call, rang, pddMs, durationMs, texts, numbers]) => {
    const text = (at: number) => texts[at] ?? ''
    const number = (at: number) => Number(numbers[at])
    return {
      attemptId,
      call,
      rang,
      pddMs,
      durationMs,
      party: text(0),
      carrier: text(1),
      site: text(2),
      direction: text(3) as AttemptTimes['direction'],
      prefix: text(4),
      clockAgent: text(5),
      addressLow: text(6),
      addressHigh: text(7),
      fromTag: text(8),
      cancelClass: text(9) as AttemptTimes['cancelClass'],
      byeFrom: text(10) as AttemptTimes['byeFrom'],
      calledNumber: text(11),
      callingNumber: text(12),
      fromNumber: text(13),
      invitedAtUs: number(0),
      first18xAtUs: number(1),
      first180AtUs: number(2),
      firstSdp18xAtUs: number(3),
      cancelledAtUs: number(4),
      finalAtUs: number(5),
      answeredAtUs: number(6),
      byeAtUs: number(7),
      finalCode: number(8),
    }
  })
}

/** On the attempt's own clock: its first INVITE lies in the minute, and no call is set up for an hour. */
const AROUND = { beforeS: 60, afterS: 3_600 }

async function readMessages(
  client: ClickHouseClient,
  minuteS: number,
  attempts: readonly ReadAttempt[],
): Promise<Map<string, Captured[]>> {
  if (!attempts.some(({ rang }) => rang)) return new Map()
  // Copies do no harm, so nothing is merged for this.
  const rows = await readRows<[string, string, string, string, string, string]>(
    client,
    `SELECT ${CALL_OF_MESSAGE}, agent, toUnixTimestamp64Micro(captured_at), source_address, destination_address,
       base64Encode(substring(raw, 1, {bytes:UInt32}))
     FROM sip_messages
     WHERE ${ofHandful('rang')}
       AND (method IN ('INVITE', 'PRACK', 'UPDATE') AND status_code = 0 OR status_code > 100 AND status_code < 300)
     ORDER BY call_id, captured_at, row_id
     LIMIT {limit:UInt32} BY call_id, agent, least(source_address, destination_address), greatest(source_address, destination_address)`,
    { ...handfulOf(minuteS, attempts, AROUND), bytes: MESSAGE_MAX_BYTES, limit: MESSAGES_A_LEG },
  )
  return byCall(
    rows.map(([call, agent, capturedAtUs, source, destination, base64]) => [
      call,
      {
        agent,
        capturedAtUs: Number(capturedAtUs),
        source,
        destination,
        bytes: Buffer.from(base64, 'base64'),
      },
    ]),
  )
}

const TABLE: PassTable = {
  name: 'attempt_anomalies',
  writtenAt: 'judged_at',
  columns: ['minute', 'attempt_hex', ...COLUMNS],
}

function write(
  client: ClickHouseClient,
  minuteS: number,
  rows: readonly AnomalyRow[],
  under: { version: bigint; isEnd: boolean },
): Promise<void> {
  return writeRows(
    client,
    TABLE,
    rows.map((row) => ({ ...row, minute: minuteS })),
    under,
  )
}
