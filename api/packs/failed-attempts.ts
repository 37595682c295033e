/**
 * The attempts that failed as asked, with what evidence passes say of each: all of them as a table, up to a cap that is told,
 * their Identity tokens as another, and the sample whose calls are shown.
 *
 * The sample are those with the smallest ids. An id is the SHA-256 of its key (leg, Call-ID, From tag), so that nobody chose
 * them, over the window they lie as the failures do, and whoever has attempts.csv can check the choice.
 */
import type { AnomalyCode } from '../../schemas/anomalies.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import type { VerdictRule } from '../../schemas/verdicts.js'
import { type AttemptJson, attemptJsonOf, attemptSelection } from '../attempts/attempt-json.js'
import type { FoundAttempt } from '../attempts/search.js'
import type { SeenDeps } from '../deps.js'
import { maskedAttempt } from '../masking.js'
import type { Readers } from '../readers.js'
import { type Cell, csvOf } from '../scorecards/csv.js'
import { ATTEMPTS_AT_ONCE, type AttemptEvidence, readEvidence } from './attempt-evidence.js'
import {
  ATTEMPTS_IN_WINDOW,
  classesHit,
  hasFailed,
  IN_WINDOW,
  type PackScope,
  windowParameters,
} from './attempt-filter.js'
import { type CancelBlame, cancelBlameOf } from './cancel-blame.js'
import { type IdentityCounts, IdentityTable } from './identity-table.js'

export const LISTED_MAX = 50_000
const PAGE = 2_000
const SAMPLE_PAGE = 250

/** In the order of the table. What holds times as numbers stands there as ISO text. */
const COLUMNS = [
  'attempt_id',
  'invited_at_us',
  'site',
  'direction',
  'calling_number',
  'called_number',
  'dialled_number',
  'from_number',
  'final_code',
  'final_phrase',
  'q850_cause',
  'q850_location',
  'reasons',
  'disposition',
  'sli',
  'cancel_class',
  'cancel_reason',
  'rang',
  'tries',
  'pdd_ms',
  'first_response_ms',
  'ring_before_cancel_ms',
  'fail_delay_ms',
  'duration_ms',
  'first_100_at_us',
  'first_18x_at_us',
  'cancelled_at_us',
  'final_at_us',
  'answered_at_us',
  'bye_at_us',
  'bye_from',
  'attestation',
  'sbc_address',
  'far_address',
  'far_port',
  'call_id',
  'from_tag',
  'request_uri',
  'user_agent',
  'agents',
  'clock_agent',
  'flags',
  'minute',
] as const

/** Behind them, of what is no column of an attempt. */
const MORE_COLUMNS = [
  'classes',
  'cancel_blame',
  'verdict',
  'verdict_because',
  'leg_alone_disposition',
  'leg_alone_cancel_class',
  'suspicions',
  'suspicions_by',
  'identity_tokens',
] as const

export interface Listed {
  /** CSV, in pieces; the first has the header. */
  parts: string[]
  listed: number
  /** Of the listed attempts. */
  identity: { parts: readonly string[]; counts: IdentityCounts }
  evidence: EvidenceCounts
}

/** How many of the listed attempts have it. */
export interface EvidenceCounts {
  blames: Partial<Record<CancelBlame, number>>
  verdicts: Partial<Record<VerdictRule, number>>
  suspicions: Partial<Record<AnomalyCode, number>>
  /** In minutes that the pass about early media has not looked at. */
  notLookedAt: number
  /** Whose messages were gone when it looked. */
  byRecord: number
}

const IN_PAGE = `minute >= toDateTime({first_s:UInt32}, 'UTC') AND minute <= toDateTime({last_s:UInt32}, 'UTC')`
const ATTEMPTS_IN_PAGE = judgedAttempts({ minutes: IN_PAGE, where: IN_WINDOW })

/** By minute, then by id: the order of the table in the store. */
export async function listFailed(
  { readers, config }: Pick<SeenDeps, 'readers' | 'config'>,
  scope: PackScope,
  breath: () => Promise<void>,
  listedMax = LISTED_MAX,
): Promise<Listed> {
  const names = COLUMNS.map((name) => (name.endsWith('_at_us') ? name.slice(0, -'_us'.length) : name))
  const parts = [csvOf([[...names, ...MORE_COLUMNS]])]
  const identity = new IdentityTable({ carrier: scope.request.carrier, config })
  const evidence: EvidenceCounts = { blames: {}, verdicts: {}, suspicions: {}, notLookedAt: 0, byRecord: 0 }
  let listed = 0
  for (const { firstS, lastS } of await pagesOf(readers, scope)) {
    const rows = await readers.selectMasked<Record<string, unknown>, { attempt: AttemptJson; hit: string[] }>(
      `SELECT ${attemptSelection(false, new Set(COLUMNS))}, ${classesHit(scope)} AS hit
       FROM ${ATTEMPTS_IN_PAGE} WHERE ${hasFailed(scope)}
       ORDER BY minute, attempt_id LIMIT {page:UInt32}`,
      { ...windowParameters(scope), first_s: firstS, last_s: lastS, page: listedMax - listed },
      (row) => ({ attempt: attemptJsonOf(row), hit: row.hit as string[] }),
      ({ attempt, hit }) => ({ attempt: maskedAttempt(attempt), hit }),
    )
    for (let at = 0; at < rows.length; at += ATTEMPTS_AT_ONCE) {
      const some = rows.slice(at, at + ATTEMPTS_AT_ONCE)
      const attempts = some.map(({ attempt }) => attempt)
      const found = await readEvidence(readers, scope.request, attempts)
      const both = some.map((row) => ({ ...row, evidence: found.get(row.attempt.attempt_id)! }))
      parts.push(csvOf(both.map((row) => [...cellsOf(row.attempt), ...moreCellsOf(row)])))
      for (const row of both) countEvidence(evidence, row)
      identity.add(both)
      await breath()
    }
    listed += rows.length
    if (listed >= listedMax) break
  }
  return { parts, listed, identity, evidence }
}

interface ListedRow {
  attempt: AttemptJson
  hit: readonly string[]
  evidence: AttemptEvidence
}

function moreCellsOf({ attempt, hit, evidence }: ListedRow): Cell[] {
  const { verdict, suspicions, suspicionsBy, tokens } = evidence
  const cells: Record<(typeof MORE_COLUMNS)[number], Cell> = {
    classes: hit.join(' '),
    cancel_blame: cancelBlameOf(attempt),
    verdict: verdict?.rule,
    verdict_because: verdict?.because,
    leg_alone_disposition: verdict?.fold.disposition,
    leg_alone_cancel_class: verdict?.fold.cancel_class,
    suspicions: suspicions.join(' '),
    suspicions_by: suspicionsBy,
    identity_tokens: tokens.filter(({ form }) => form !== 'none').length,
  }
  return MORE_COLUMNS.map((name) => cells[name])
}

function countEvidence(counts: EvidenceCounts, { attempt, evidence }: ListedRow): void {
  const blame = cancelBlameOf(attempt)
  if (blame !== '') counts.blames[blame] = (counts.blames[blame] ?? 0) + 1
  const { verdict, suspicions, suspicionsBy } = evidence
  if (verdict !== null) counts.verdicts[verdict.rule] = (counts.verdicts[verdict.rule] ?? 0) + 1
  for (const code of suspicions) counts.suspicions[code] = (counts.suspicions[code] ?? 0) + 1
  if (suspicionsBy === 'not_looked_at') counts.notLookedAt++
  if (suspicionsBy === 'record') counts.byRecord++
}

/** Minutes that hold about a page together: few columns are read to find them, all columns of these minutes only. */
async function pagesOf(readers: Readers, scope: PackScope): Promise<{ firstS: number; lastS: number }[]> {
  const minutes = await readers.select<{ minute_s: number; failures: string }>(
    `SELECT toUInt32(minute) AS minute_s, count() AS failures FROM ${ATTEMPTS_IN_WINDOW}
     WHERE ${hasFailed(scope)} GROUP BY minute ORDER BY minute`,
    windowParameters(scope),
  )
  const pages: { firstS: number; lastS: number; failures: number }[] = []
  for (const { minute_s: minuteS, failures } of minutes) {
    const page = pages.at(-1)
    if (page === undefined || page.failures + Number(failures) > PAGE) {
      pages.push({ firstS: minuteS, lastS: minuteS, failures: Number(failures) })
    } else {
      page.lastS = minuteS
      page.failures += Number(failures)
    }
  }
  return pages
}

function cellsOf(attempt: AttemptJson): Cell[] {
  const of = attempt as unknown as Record<string, Cell | string[]>
  return COLUMNS.map((name) => {
    const value = name.endsWith('_at_us') ? of[name.slice(0, -'_us'.length)] : of[name]
    return Array.isArray(value) ? value.join(' | ') : value
  })
}

const SAMPLED_MINUTES = `minute IN (SELECT toDateTime(arrayJoin({minutes:Array(UInt32)}), 'UTC'))`
const SAMPLED = judgedAttempts({
  minutes: SAMPLED_MINUTES,
  prewhere: `${SAMPLED_MINUTES} AND attempt_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))`,
  where: IN_WINDOW,
})

/** In the order of their INVITEs. */
export async function sampleFailed(readers: Readers, scope: PackScope): Promise<FoundAttempt[]> {
  const keys = await readers.select<{ minute_s: number; id: string }>(
    `SELECT toUInt32(minute) AS minute_s, lower(hex(attempt_id)) AS id FROM ${ATTEMPTS_IN_WINDOW}
     WHERE ${hasFailed(scope)} ORDER BY attempt_id LIMIT {calls:UInt32}`,
    { ...windowParameters(scope), calls: scope.request.calls },
  )
  const found: FoundAttempt[] = []
  for (let at = 0; at < keys.length; at += SAMPLE_PAGE) {
    const page = keys.slice(at, at + SAMPLE_PAGE)
    const rows = await readers.selectMasked<Record<string, unknown>, FoundAttempt>(
      `SELECT ${attemptSelection(false)} FROM ${SAMPLED} WHERE ${hasFailed(scope)}`,
      {
        ...windowParameters(scope),
        minutes: [...new Set(page.map(({ minute_s }) => minute_s))],
        ids: page.map(({ id }) => id),
      },
      (row) => {
        const attempt = attemptJsonOf(row)
        const { call_id: callId, from_tag: fromTag, address_low, address_high } = attempt
        return { attempt, key: { callId, fromTag, addresses: [address_low, address_high] } }
      },
      ({ attempt, key }) => ({ attempt: maskedAttempt(attempt), key }),
    )
    found.push(...rows)
  }
  return found.sort(
    ({ attempt: a }, { attempt: b }) =>
      a.invited_at_us - b.invited_at_us || (a.attempt_id < b.attempt_id ? -1 : 1),
  )
}
