/**
 * What became of the Identity tokens of the carrier in the window, failed attempts or not, as far as somebody has looked: by
 * direction, and the numbers that the scorecard has about signatures, over exactly this window.
 *
 * Returns  counts by direction (nested tokens of div-o are not counted), and the rows of the inbound ones. A signature says
 *          nothing of a direction by itself: outbound tokens are our own.
 * Throws   what the readers throw.
 * Source   metrics.md §6; the numbers: schemas/signature-numbers.ts.
 */
import { SIGNATURES, type Signature, VERDICTS, type Verdict } from '../../schemas/identity-checks.js'
import type { SeenDeps } from '../deps.js'
import { signatureRowsFor, type WeekSignatures } from '../scorecards/signature-rows.js'
import { ATTEMPTS_IN_WINDOW, VERDICTS_IN_WINDOW, windowParameters } from './attempt-filter.js'
import type { WindowRow } from './contents.js'
import type { PackRequest } from './request.js'

export interface DirectionTokens {
  direction: string
  tokens: number
  /** By what they say of themselves: A, B, C; '' for none of these. */
  claimed: Record<string, number>
  signed: Record<Signature, number>
  verified: Record<Verdict, number>
  reasons: Record<string, number>
  findings: Record<string, number>
}

export interface WindowTokens {
  /** Attempts whose INVITE carries a token by its own record, and those of them with a token that was looked at. */
  carrying: number
  lookedAt: number
  directions: DirectionTokens[]
  rows: WindowRow[]
}

type Counted = [names: string[], counts: string[]]

interface Row {
  direction: string
  tokens: string
  attempts: string
  levels: Counted
  signatures: Counted
  verdicts: Counted
  reasons: Counted
  found: Counted
  named: string
  outside: string
}

export async function readWindowTokens(deps: SeenDeps, request: PackRequest): Promise<WindowTokens> {
  const codes = deps.config.carriers.find(({ id }) => id === request.carrier)?.spcs ?? []
  const rows = await deps.readers.select<Row>(
    `SELECT direction, count() AS tokens, uniqExact(attempt_id) AS attempts, sumMap([attest], [toUInt64(1)]) AS levels,
       sumMap([signature], [toUInt64(1)]) AS signatures, sumMap([verified], [toUInt64(1)]) AS verdicts,
       sumMap([signature_reason], [toUInt64(1)]) AS reasons, sumMap(findings, arrayMap(_ -> toUInt64(1), findings)) AS found,
       countIf(signature = 'valid' AND spc != '') AS named,
       countIf(signature = 'valid' AND spc != '' AND NOT has({codes:Array(String)}, upper(spc))) AS outside
     FROM identity_checks FINAL WHERE ${VERDICTS_IN_WINDOW} AND form != 'none' AND depth = 0
     GROUP BY direction ORDER BY direction`,
    { ...windowParameters({ request }), codes: codes.map((code) => code.toUpperCase()) },
  )
  // A token that cannot be read is 'malformed'; '' is an attempt without its INVITE.
  const [carrying] = await deps.readers.select<{ attempts: string }>(
    `SELECT countIf(attestation NOT IN ('none', '')) AS attempts FROM ${ATTEMPTS_IN_WINDOW}`,
    windowParameters({ request }),
  )
  const inbound = rows.find(({ direction }) => direction === 'inbound')
  return {
    carrying: Number(carrying?.attempts ?? 0),
    lookedAt: rows.reduce((sum, { attempts }) => sum + Number(attempts), 0),
    directions: rows.map(directionOf),
    rows: inbound === undefined ? [] : numbersOf(deps, request, inbound),
  }
}

function directionOf(row: Row): DirectionTokens {
  const { '': _, ...reasons } = countsOf(row.reasons)
  const signed = countsOf(row.signatures)
  const verified = countsOf(row.verdicts)
  return {
    direction: row.direction,
    tokens: Number(row.tokens),
    claimed: countsOf(row.levels),
    signed: Object.fromEntries(SIGNATURES.map((name) => [name, signed[name] ?? 0])) as Record<
      Signature,
      number
    >,
    verified: Object.fromEntries(VERDICTS.map((name) => [name, verified[name] ?? 0])) as Record<
      Verdict,
      number
    >,
    reasons,
    findings: countsOf(row.found),
  }
}

function numbersOf(deps: SeenDeps, { carrier }: PackRequest, row: Row): WindowRow[] {
  const { tokens, signed, verified } = directionOf(row)
  const sums: WeekSignatures = {
    tokens,
    valid: signed.valid,
    passed: verified.passed,
    failed: verified.failed,
    named: Number(row.named),
    outside: Number(row.outside),
  }
  return signatureRowsFor(deps, carrier).map((definition) => {
    const { lowConfidence, ...measured } = definition.of(sums)
    const { id, name, unit, better, version } = definition
    return { id, name, unit, better, version, ...measured, low_confidence: lowConfidence }
  })
}

/** In the order of their names, whatever order the store had them in. */
function countsOf([names, counts]: Counted): Record<string, number> {
  return Object.fromEntries(
    names
      .map((name, index): [string, number] => [name, Number(counts[index])])
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  )
}
