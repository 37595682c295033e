/**
 * The rows of a carrier's scorecard about signatures: tokens of its inbound calls, whose signature holds, which fail verification,
 * and which were signed by somebody whom its contract does not name. Read from the checks of tokens, the week and the one before.
 *
 * Returns  undefined where no token of the two weeks was looked at, or why they could not be read.
 * Throws   what the readers throw, but for the limit of a statement.
 * Source   metrics.md §6 and §9; formulas are decisions of ours (docs/identity.md).
 */
import { keptFromS, keptOf } from '../../schemas/retention.js'
import { SIGNATURE_NUMBERS } from '../../schemas/signature-numbers.js'
import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { contractOf } from '../identity/signers.js'
import type { WhyNot } from './destinations.js'
import { type Measured, type RowDefinition, ratioOf } from './rows.js'
import { WEEK_S, type Week } from './week.js'

export interface WeekSignatures {
  tokens: number
  valid: number
  passed: number
  failed: number
  /** With a valid signature and an SPC; those that the contract does not name. */
  named: number
  outside: number
}

/** The week before, and the week. */
export type SignatureWeeks = readonly [before: WeekSignatures, now: WeekSignatures]

export type SignatureRow = Omit<RowDefinition, 'of'> & { of: (week: WeekSignatures) => Measured }

function declared(id: keyof typeof SIGNATURE_NUMBERS) {
  const { name, rule: formula, source, version } = SIGNATURE_NUMBERS[id]
  return { id, name, formula, source, version }
}

export const SIGNATURE_ROWS: readonly SignatureRow[] = [
  {
    ...declared('identity_tokens'),
    unit: 'count',
    better: null,
    floor: 0,
    of: ({ tokens }) => ({ value: tokens, interval: null, lowConfidence: false }),
  },
  {
    ...declared('signature_valid_rate'),
    unit: 'ratio',
    better: 'higher',
    floor: 1,
    of: ({ valid, tokens }) => ratioOf(valid, tokens),
  },
  {
    ...declared('verification_failed_rate'),
    unit: 'ratio',
    better: 'lower',
    floor: 1,
    of: ({ failed, passed }) => ratioOf(failed, failed + passed),
  },
  {
    ...declared('signer_outside_rate'),
    unit: 'ratio',
    better: 'lower',
    floor: 1,
    of: ({ outside, named }) => ratioOf(outside, named),
  },
]

interface Row {
  week: number
  spc: string
  tokens: string
  valid: string
  passed: string
  failed: string
}

export async function readSignatureWeeks(
  { readers, config }: SeenDeps,
  carrier: string,
  week: Week,
  nowS: number,
): Promise<SignatureWeeks | undefined | WhyNot> {
  if (week.fromS < keptFromS(keptOf(config.retention), nowS).attempts) return 'not_kept'
  try {
    const rows = await readers.select<Row>(
      `SELECT toUInt8(minute >= toDateTime({from_s:UInt32}, 'UTC')) AS week, spc, count() AS tokens,
         countIf(signature = 'valid') AS valid, countIf(verified = 'passed') AS passed, countIf(verified = 'failed') AS failed
       FROM identity_checks FINAL
       WHERE minute >= toDateTime({before_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')
         AND party = 'carrier' AND carrier = {carrier:String} AND direction = 'inbound' AND depth = 0 AND form != 'none'
       GROUP BY week, spc`,
      { before_s: week.fromS - WEEK_S, from_s: week.fromS, to_s: week.toS, carrier },
    )
    if (rows.length === 0) return undefined
    const of = (which: number): WeekSignatures => {
      const own = rows.filter((row) => Number(row.week) === which)
      const sum = (count: (row: Row) => string) => own.reduce((all, row) => all + Number(count(row)), 0)
      const isOutside = ({ spc }: Row) =>
        contractOf({ carrier, direction: 'inbound', spc }, config) === 'other'
      return {
        tokens: sum(({ tokens }) => tokens),
        valid: sum(({ valid }) => valid),
        passed: sum(({ passed }) => passed),
        failed: sum(({ failed }) => failed),
        named: sum((row) => (row.spc === '' ? '0' : row.valid)),
        outside: sum((row) => (isOutside(row) ? row.valid : '0')),
      }
    }
    return [of(0), of(1)]
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_QUERY_LIMIT') return 'too_many_attempts'
    throw error
  }
}

/** The last row says something only of a carrier whose contract names codes. */
export function signatureRowsFor({ config }: Pick<SeenDeps, 'config'>, id: string): readonly SignatureRow[] {
  const hasCodes = config.carriers.find((carrier) => carrier.id === id)?.spcs !== undefined
  return hasCodes ? SIGNATURE_ROWS : SIGNATURE_ROWS.filter((row) => row.id !== 'signer_outside_rate')
}
