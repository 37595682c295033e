/**
 * Puts what a pass says beside the attempts: the difference between that and what stands. Order of a write: which minutes (so
 * that a successor marks them), rows, the marks by which their owners recompute the rollups.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { JUDGED_COLUMNS } from '../schemas/judged-attempts.js'
import type { Verdict } from '../schemas/verdicts.js'
import type { Context, PassResult, StaleMinute } from './pass.js'

/** Over HTTP the parameters of a statement travel beside it. */
const ROWS_A_STATEMENT = 2_000

/** A row, and the text by which two are compared. */
interface VerdictRow {
  minuteS: number
  attemptId: string
  busPartition: number
  text: string
}

const COLUMNS = [
  'party',
  'carrier',
  'of_disposition',
  'of_cancel_class',
  'of_rang',
  ...JUDGED_COLUMNS,
  'verdict_rule',
  'evidence',
] as const

function rowOf(verdict: Verdict): VerdictRow {
  const { minuteS, attemptId, busPartition, party, carrier, of, judgement, rule, evidence } = verdict
  const values: Record<(typeof COLUMNS)[number], string | number> = {
    party,
    carrier,
    of_disposition: of.disposition,
    of_cancel_class: of.cancelClass,
    of_rang: of.rang ? 1 : 0,
    disposition: judgement.disposition,
    sli: judgement.sli,
    ner_numerator: judgement.nerNumerator,
    ner_denominator: judgement.nerDenominator,
    cancel_class: judgement.cancelClass,
    verdict_rule: rule,
    evidence: JSON.stringify(evidence),
  }
  return { minuteS, attemptId, busPartition, text: COLUMNS.map((name) => values[name]).join('\n') }
}

/**
 * @param verdicts all that hold for attempts of these minutes, by this pass
 * @param fromS    verdicts of the pass between here and `toS` that are not among them end
 */
export async function writeVerdicts(
  pass: string,
  verdicts: readonly Verdict[],
  { fromS, toS }: { fromS: number; toS: number },
  context: Context,
): Promise<PassResult> {
  const standing = await standingRows(context.client, pass, fromS, toS)
  const changed: VerdictRow[] = []
  for (const verdict of verdicts) {
    // A judgement that says what the fold says is none.
    if (isSame(verdict)) continue
    const row = rowOf(verdict)
    const key = keyOf(row)
    if (standing.get(key)?.text !== row.text) changed.push(row)
    standing.delete(key)
  }
  const ended = [...standing.values()]
  if (changed.length + ended.length === 0) return { rows: 0, changedMinutesS: [] }

  const minutes = staleMinutes([...changed, ...ended])
  await context.announce(minutes)
  const version = context.version()
  await insert(context.client, pass, changed, version, false)
  await insert(context.client, pass, ended, version, true)
  if (!(await context.isHeld())) {
    // A successor may have judged these without a row to end; it looks again because of the marks.
    await insert(context.client, pass, changed, context.version(), true)
  }
  await markStale(context.client, minutes)
  return {
    rows: changed.length + ended.length,
    changedMinutesS: [...new Set(minutes.map(({ minuteS }) => minuteS))],
  }
}

function isSame({ of, judgement }: Verdict): boolean {
  return of.disposition === judgement.disposition && of.cancelClass === judgement.cancelClass
}

const keyOf = ({ minuteS, attemptId }: VerdictRow) => `${minuteS} ${attemptId}`

async function standingRows(
  client: ClickHouseClient,
  pass: string,
  fromS: number,
  toS: number,
): Promise<Map<string, VerdictRow>> {
  const result = await client.query({
    query: `SELECT toUInt32(minute), lower(hex(attempt_id)), bus_partition, ${COLUMNS.map((name) => (name === 'of_rang' ? 'toUInt8(of_rang)' : name)).join(', ')}
            FROM attempt_verdicts FINAL
            WHERE minute >= toDateTime({from:UInt32}, 'UTC') AND minute < toDateTime({to:UInt32}, 'UTC') AND pass = {pass:String}`,
    query_params: { from: fromS, to: toS, pass },
    format: 'JSONCompactEachRow',
  })
  const rows = new Map<string, VerdictRow>()
  for (const [minuteS, attemptId, busPartition, ...values] of await result.json<unknown[]>()) {
    const row = {
      minuteS: Number(minuteS),
      attemptId: String(attemptId),
      busPartition: Number(busPartition),
      text: values.join('\n'),
    }
    rows.set(keyOf(row), row)
  }
  return rows
}

async function insert(
  client: ClickHouseClient,
  pass: string,
  rows: readonly VerdictRow[],
  version: bigint,
  isEnd: boolean,
): Promise<void> {
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    const some = rows.slice(at, at + ROWS_A_STATEMENT)
    await client.command({
      query: `INSERT INTO attempt_verdicts (minute, attempt_id, version, is_deleted, bus_partition, judged_at, pass, ${COLUMNS.join(', ')})
        SELECT toDateTime(minute_s, 'UTC'), toFixedString(unhex(id), 16), {version:UInt64}, {is_deleted:UInt8}, partition, now(), {pass:String},
          ${COLUMNS.map((_, index) => `splitByChar('\\n', text)[${index + 1}]`).join(', ')}
        FROM (SELECT 1) ARRAY JOIN {minutes:Array(UInt32)} AS minute_s, {ids:Array(String)} AS id,
          {partitions:Array(UInt16)} AS partition, {texts:Array(String)} AS text`,
      query_params: {
        version,
        is_deleted: isEnd ? 1 : 0,
        pass,
        minutes: some.map(({ minuteS }) => minuteS),
        ids: some.map(({ attemptId }) => attemptId),
        partitions: some.map(({ busPartition }) => busPartition),
        texts: some.map(({ text }) => text),
      },
    })
  }
}

function staleMinutes(rows: readonly VerdictRow[]): StaleMinute[] {
  const minutes = new Map(
    rows.map(({ busPartition, minuteS }) => [`${busPartition} ${minuteS}`, { busPartition, minuteS }]),
  )
  return [...minutes.values()]
}

/** Whoever has claimed the partition recomputes these minutes (collector/store/marks.ts). */
export async function markStale(client: ClickHouseClient, minutes: readonly StaleMinute[]): Promise<void> {
  if (minutes.length === 0) return
  await client.command({
    query: `INSERT INTO stale_minutes (bus_partition, minute, marked_at, done)
            SELECT partition, toDateTime(minute_s, 'UTC'), now64(6), 0
            FROM (SELECT 1) ARRAY JOIN {partitions:Array(UInt16)} AS partition, {minutes:Array(UInt32)} AS minute_s`,
    query_params: {
      partitions: minutes.map(({ busPartition }) => busPartition),
      minutes: minutes.map(({ minuteS }) => minuteS),
    },
  })
}
