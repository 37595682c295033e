/**
 * What evidence passes say of the attempts of a pack: whether other legs revised the judgement, what is suspected of early
 * media and answers, and what became of each Identity token.
 *
 * Takes    attempts that were read for the pack, ATTEMPTS_AT_ONCE at most.
 * Returns  one entry an attempt. Of other legs nothing is told but that they decided, and how long after: a pack goes to the
 *          carrier, and names of others are none of its business. Claims that are kept as they came (rph, rcd) are left out.
 * Throws   what the readers throw.
 */
import { ANOMALY_RULES, type AnomalyCode } from '../../schemas/anomalies.js'
import type { VerdictEvidence, VerdictRule } from '../../schemas/verdicts.js'
import type { AttemptJson } from '../attempts/attempt-json.js'
import { becauseOf, type VerdictJson } from '../calls/verdict.js'
import {
  IDENTITY_CHECK_SELECTION,
  type IdentityCheckJson,
  type IdentityCheckRow,
  identityCheckOf,
  maskedCheck,
} from '../identity/attempt-identity.js'
import type { Readers } from '../readers.js'
import { OF_CARRIER } from './attempt-filter.js'
import type { PackRequest } from './request.js'

export const ATTEMPTS_AT_ONCE = 1_000
/** Of one attempt; a request may carry 32, and each may hold more. */
export const TOKENS_MAX = 16

/** `record`: its messages were gone when the pass looked, so rules over messages say nothing. */
export type SuspicionsBy = 'messages' | 'record' | 'not_looked_at'

export interface AttemptEvidence {
  /** null: this leg alone decides. */
  verdict: VerdictJson | null
  suspicions: readonly AnomalyCode[]
  suspicionsBy: SuspicionsBy
  tokens: readonly IdentityCheckJson[]
  /** It has more than TOKENS_MAX. */
  isCut: boolean
}

type Attempt = Pick<AttemptJson, 'attempt_id' | 'minute' | 'disposition' | 'cancel_class'>

const ID = 'lower(hex(attempt_id)) AS id'
const MINUTES = `minute IN (SELECT toDateTime(arrayJoin({minutes:Array(UInt32)}), 'UTC'))`
/** By the key first: of other attempts no other column is read. */
const OF_THESE = `FINAL PREWHERE ${MINUTES} AND attempt_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))
     WHERE ${OF_CARRIER}`

export async function readEvidence(
  readers: Readers,
  { carrier }: Pick<PackRequest, 'carrier'>,
  attempts: readonly Attempt[],
): Promise<Map<string, AttemptEvidence>> {
  if (attempts.length === 0) return new Map()
  if (attempts.length > ATTEMPTS_AT_ONCE) throw new RangeError(`${attempts.length} attempts at once`)
  const minutes = attempts.map(({ minute }) => Date.parse(minute) / 1_000)
  const parameters = {
    carrier,
    minutes: [...new Set(minutes)],
    ids: attempts.map(({ attempt_id }) => attempt_id),
  }
  const verdicts = await readVerdicts(readers, parameters)
  const suspicions = await readSuspicions(readers, parameters)
  const lookedAt = await readLooks(readers, parameters)
  const tokens = await readTokens(readers, parameters)
  return new Map(
    attempts.map((attempt, at) => {
      const key = keyOf(attempt.attempt_id, minutes[at]!)
      const own = tokens.get(key) ?? []
      const suspected = suspicions.get(key)
      return [
        attempt.attempt_id,
        {
          verdict: verdictFor(attempt, verdicts.get(key)),
          suspicions: suspected?.codes ?? [],
          suspicionsBy: suspected?.by ?? (lookedAt.has(minutes[at]!) ? 'messages' : 'not_looked_at'),
          tokens: own.slice(0, TOKENS_MAX),
          isCut: own.length > TOKENS_MAX,
        },
      ]
    }),
  )
}

/** An attempt that moves to another minute has rows under both for a moment. */
function keyOf(attemptId: string, minuteS: number): string {
  return `${attemptId} ${minuteS}`
}

interface VerdictRow {
  id: string
  minute_s: number
  verdict_rule: VerdictRule
  evidence: string
  of_disposition: string
  of_cancel_class: string
  disposition: string
  cancel_class: string
}

async function readVerdicts(readers: Readers, parameters: Record<string, unknown>) {
  const rows = await readers.select<VerdictRow>(
    `SELECT ${ID}, toUInt32(minute) AS minute_s, verdict_rule, evidence, of_disposition, of_cancel_class, disposition, cancel_class
     FROM attempt_verdicts ${OF_THESE}`,
    parameters,
  )
  return new Map(rows.map((row) => [keyOf(row.id, row.minute_s), row]))
}

/** The attempt is read as it is judged: where it does not say what the verdict says, the fold has judged anew since. */
function verdictFor(attempt: Attempt, row: VerdictRow | undefined): VerdictJson | null {
  if (row?.disposition !== attempt.disposition || row.cancel_class !== attempt.cancel_class) return null
  const evidence = JSON.parse(row.evidence) as VerdictEvidence
  return {
    rule: row.verdict_rule,
    because: becauseOf(row.verdict_rule, evidence, 'another carrier'),
    later_ms: evidence.laterMs,
    other_attempt_id: null,
    fold: { disposition: row.of_disposition, cancel_class: row.of_cancel_class },
  }
}

async function readSuspicions(readers: Readers, parameters: Record<string, unknown>) {
  const rows = await readers.select<{
    id: string
    minute_s: number
    basis: 'messages' | 'record'
    codes: string[]
  }>(
    `SELECT ${ID}, toUInt32(minute) AS minute_s, basis, codes FROM attempt_anomalies ${OF_THESE}`,
    parameters,
  )
  return new Map(
    rows.map(({ id, minute_s, basis, codes }) => [
      keyOf(id, minute_s),
      // A later version may have written codes that this one does not know.
      {
        by: basis,
        codes: codes.filter((code): code is AnomalyCode => Object.hasOwn(ANOMALY_RULES, code)),
      },
    ]),
  )
}

async function readLooks(readers: Readers, parameters: Record<string, unknown>): Promise<Set<number>> {
  const rows = await readers.select<{ minute_s: number }>(
    `SELECT toUInt32(minute) AS minute_s FROM anomaly_minutes WHERE ${MINUTES} GROUP BY minute`,
    parameters,
  )
  return new Set(rows.map(({ minute_s }) => minute_s))
}

interface Token {
  key: string
  check: IdentityCheckJson
}

/** In the order of the headers, nested ones behind the one that holds them. */
async function readTokens(readers: Readers, parameters: Record<string, unknown>) {
  const rows = await readers.selectMasked<IdentityCheckRow & { id: string; minute_s: string }, Token>(
    `SELECT ${ID}, toUInt32(minute) AS minute_s, ${IDENTITY_CHECK_SELECTION}
     FROM identity_checks ${OF_THESE}
     ORDER BY minute, attempt_id, position, depth, token_hash LIMIT {tokens:UInt32} BY minute, attempt_id`,
    { ...parameters, tokens: TOKENS_MAX + 1 },
    (row) => ({ key: keyOf(row.id, Number(row.minute_s)), check: identityCheckOf(row) }),
    ({ key, check }) => ({ key, check: maskedCheck(check) }),
  )
  const tokens = new Map<string, IdentityCheckJson[]>()
  for (const { key, check } of rows) {
    const own = tokens.get(key)
    if (own === undefined) tokens.set(key, [check])
    else own.push(check)
  }
  return tokens
}
