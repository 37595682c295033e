/**
 * What the attempts of a window are at this moment, and whether that is still what they were as of another.
 *
 * The store keeps the standing version of an attempt and no earlier one. So a pack as of a moment can be made again as long
 * as nothing of its window was stored since; after that it is refused, never made of other rows in silence.
 */
import { ApiError } from '../errors.js'
import type { Readers } from '../readers.js'
import { isoOf } from '../time-span.js'
import {
  ATTEMPTS_IN_WINDOW,
  IN_WINDOW,
  type PackScope,
  VERDICTS_IN_WINDOW,
  windowParameters,
} from './attempt-filter.js'
import type { PackRequest } from './request.js'

export interface AttemptsState {
  attempts: number
  closed: number
  open: number
  incomplete: number
  /** Of every attempt of the window: its id, outcome and delays. Two packs with the same one rest on the same attempts. */
  digest: string
  /** The same of what was found about them: Identity tokens and suspicions. */
  evidenceDigest: string
  /** When the last row of the window was stored, calls that ended in it and what was found about them among them; 0 without rows. */
  storedS: number
  /** Rows stored after the moment asked for; a recompute that reached into the window since is one. */
  storedLater: number
}

export async function readState(
  readers: Readers,
  scope: PackScope,
  asOfS: number | undefined,
): Promise<AttemptsState> {
  const parameters = { ...windowParameters(scope), as_of_s: asOfS ?? 0 }
  const later =
    "countIf(stored_at > toDateTime({as_of_s:UInt32}, 'UTC')) AS later, toUInt32(max(stored_at)) AS stored_s"
  const [row] = await readers.select<Record<string, string>>(
    `SELECT count() AS attempts, countIf(state = 'closed') AS closed, countIf(state = 'open') AS open,
       countIf(state = 'incomplete') AS incomplete, ${later},
       hex(groupBitXor(sipHash64(${DIGESTED.map((column) => `toString(${column})`).join(', ')}))) AS digest
     FROM ${ATTEMPTS_IN_WINDOW}`,
    parameters,
  )
  // Durations belong to the minute in which a call ended: its INVITE may be of before the window.
  const [ended] = await readers.select<Record<string, string>>(
    `SELECT ${later} FROM call_attempts FINAL
     WHERE party = 'carrier' AND carrier = {carrier:String} AND state != 'fragment'
       AND minute < toDateTime({from_s:UInt32}, 'UTC')
       AND end_minute >= toDateTime({from_s:UInt32}, 'UTC') AND end_minute < toDateTime({to_s:UInt32}, 'UTC')`,
    parameters,
  )
  // With those that hold no more, and without FINAL, which leaves them out.
  const [judged] = await readers.select<Record<string, string>>(
    `SELECT countIf(judged_at > toDateTime({as_of_s:UInt32}, 'UTC')) AS later, toUInt32(max(judged_at)) AS stored_s
     FROM attempt_verdicts WHERE ${VERDICTS_IN_WINDOW}`,
    parameters,
  )
  // Its rows are stamped a day back, and what it moved away is not in the window any more.
  const [recomputed] = await readers.select<Record<string, string>>(
    `SELECT countIf(updated_at > toDateTime({as_of_s:UInt32}, 'UTC')) AS later, toUInt32(toDateTime(max(updated_at), 'UTC')) AS stored_s
     FROM recompute_jobs FINAL WHERE state IN ('swapping', 'done')
       AND asked_from < toDateTime({to_s:UInt32}, 'UTC') AND asked_to > toDateTime({from_s:UInt32}, 'UTC')`,
    parameters,
  )
  const found = await readFound(readers, parameters)
  const of = (name: string) => Number(row?.[name] ?? 0)
  const beside = [ended, judged, recomputed, ...found.stamps]
  return {
    attempts: of('attempts'),
    closed: of('closed'),
    open: of('open'),
    incomplete: of('incomplete'),
    digest: digestText(row?.digest),
    evidenceDigest: found.digests.map(digestText).join(''),
    storedS: Math.max(of('stored_s'), ...beside.map((rows) => Number(rows?.stored_s ?? 0))),
    storedLater: beside.reduce((sum, rows) => sum + Number(rows?.later ?? 0), of('later')),
  }
}

/** What passes found about tokens and early media. Their rows are stamped when they are written, those that end others too. */
async function readFound(
  readers: Readers,
  parameters: Record<string, unknown>,
): Promise<{ stamps: Record<string, string>[]; digests: (string | undefined)[] }> {
  const stamps: Record<string, string>[] = []
  const digests: (string | undefined)[] = []
  for (const [table, stamp, digested] of FOUND) {
    stamps.push(
      ...(await readers.select<Record<string, string>>(
        `SELECT countIf(${stamp} > toDateTime({as_of_s:UInt32}, 'UTC')) AS later, toUInt32(max(${stamp})) AS stored_s
         FROM ${table} WHERE ${VERDICTS_IN_WINDOW}`,
        parameters,
      )),
    )
    const [row] = await readers.select<{ digest: string }>(
      `SELECT hex(groupBitXor(sipHash64(${digested.map((column) => `toString(${column})`).join(', ')}))) AS digest
       FROM ${table} FINAL WHERE ${VERDICTS_IN_WINDOW}`,
      parameters,
    )
    digests.push(row?.digest)
  }
  // Which minutes were looked at is of no carrier: those count that hold an attempt of this one.
  stamps.push(
    ...(await readers.select<Record<string, string>>(
      `SELECT countIf(looked_at > toDateTime({as_of_s:UInt32}, 'UTC')) AS later, toUInt32(max(looked_at)) AS stored_s
       FROM (SELECT minute, min(judged_at) AS looked_at FROM anomaly_minutes
         WHERE minute IN (SELECT minute FROM call_attempts WHERE ${IN_WINDOW}) GROUP BY minute)`,
      parameters,
    )),
  )
  return { stamps, digests }
}

const FOUND: readonly (readonly [table: string, stamp: string, digested: readonly string[]])[] = [
  [
    'identity_checks',
    'checked_at',
    [
      'minute',
      'hex(attempt_id)',
      'hex(token_hash)',
      'position',
      'depth',
      'form',
      'attest',
      'signature',
      'signature_reason',
      'verified',
      'findings',
      'orig_match',
      'dest_match',
      'chain',
      'spc',
      'certificate_sha256',
    ],
  ],
  ['attempt_anomalies', 'judged_at', ['minute', 'hex(attempt_id)', 'basis', 'codes']],
]

function digestText(hex: string | undefined): string {
  return (hex ?? '').toLowerCase().padStart(16, '0')
}

/** Without durations: a call that still runs may end while the pack is made, and has not failed. */
const DIGESTED = [
  'hex(attempt_id)',
  'minute',
  'state',
  'site',
  'direction',
  'final_code',
  'q850_cause',
  'disposition',
  'sli',
  'ner_numerator',
  'ner_denominator',
  'cancel_class',
  'rang',
  'attestation',
  'ifNull(pdd_ms, -1)',
]

/**
 * The moment that a pack is of, in whole seconds: without a wish the second that is over, because rows of the one that runs may
 * still be stored.
 */
export function asOfOf({ asOfS: asked, toS }: PackRequest, state: AttemptsState, nowUs: number): number {
  // A store whose clock runs ahead of ours has stored in our future.
  if (asked === undefined) return Math.max(Math.floor(nowUs / 1e6) - 1, toS, state.storedS)
  if (state.storedLater === 0) return asked
  throw new ApiError(
    'TRUNKSCOPE_API_PACK_CHANGED',
    `${state.storedLater} attempts of the window, or what was found about them, were stored after as_of=${isoOf(asked * 1e6)} ` +
      '(calls that ended since, late messages, evidence passes, or a recompute), and what they were before is not kept: ' +
      'the pack of that moment cannot be made again; ' +
      `write as_of=${isoOf(state.storedS * 1e6)} or later, or leave it out`,
    { parameter: 'as_of' },
  )
}
