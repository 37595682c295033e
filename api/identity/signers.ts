/**
 * Who signed the calls of each carrier, whether the signatures hold, and whether the signer is one that its contract names.
 *
 * Takes    a checked range, and which carriers, sites and directions.
 * Returns  the answer of `/v1/identity/signers`: tokens by carrier, direction and signer, most first; nested tokens (of div-o)
 *          are not counted. `contract` compares the SPC of the certificate with `carriers[].spcs` of the configuration.
 * Source   metrics.md §6 "Who signed": signer_id = SPC, else the subject's CN, else the host of the x5u. [decision] Only
 *          inbound calls are compared: outbound ones carry our own signature. Another signer on a transit leg is normal.
 */
import { z } from 'zod'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { SIGNATURES, VERDICTS } from '../../schemas/identity-checks.js'
import type { SeenDeps } from '../deps.js'
import type { KpiQuery } from '../kpi/query.js'
import { maskedText } from '../masking.js'
import { isoOf, type Span } from '../time-span.js'

const SIGNERS_MAX = 1_000

export const CONTRACTS = ['contracted', 'other', 'unknown', 'not_asked'] as const

const perSignature = z.object(
  Object.fromEntries(SIGNATURES.map((name) => [name, z.number()])) as Record<string, z.ZodNumber>,
)
const perVerdict = z.object(
  Object.fromEntries(VERDICTS.map((name) => [name, z.number()])) as Record<string, z.ZodNumber>,
)

export const signersAnswer = z
  .object({
    from: z.string(),
    to: z.string().describe('Not part of the range.'),
    signers: z.array(
      z.object({
        carrier: z.string().describe("'' for legs that are no carrier's."),
        direction: z.string(),
        signer_id: z.string().describe('SPC, else the CN of the certificate, else the host of the x5u.'),
        spc: z.string().describe("'' without a certificate, or where it holds none."),
        contract: z
          .enum(CONTRACTS)
          .describe(
            'Of inbound tokens, against spcs of the carrier; not_asked: outbound, or the carrier has none configured.',
          ),
        tokens: z.number(),
        claimed: z
          .object({ A: z.number(), B: z.number(), C: z.number() })
          .describe('What tokens say of themselves.'),
        signed: perSignature.describe('What their signatures say.'),
        verified: perVerdict.describe('All steps of RFC 8224 §6.2 together.'),
        reasons: z.record(z.string(), z.number()).describe('Why signatures are invalid or were not checked.'),
        findings: z.record(z.string(), z.number()).describe('What else was found; a token may have several.'),
      }),
    ),
    signers_cut: z.boolean().describe(`There are more than ${SIGNERS_MAX}.`),
  })
  .meta({ title: 'Signers' })

export type SignersAnswer = z.output<typeof signersAnswer>
type Signer = SignersAnswer['signers'][number]

type Counts = [names: string[], counts: string[]]

interface Row {
  carrier: string
  direction: string
  signer: string
  spc: string
  tokens: string
  attests: Counts
  signatures: Counts
  verdicts: Counts
  reasons: Counts
  found: Counts
}

export type Where = Pick<KpiQuery['where'], 'carrier' | 'site' | 'direction'>

/** In `of_range`: tokens of headers, within the range and of what was asked. */
export const OF_RANGE = `minute >= toDateTime({from:UInt32}, 'UTC') AND minute < toDateTime({to:UInt32}, 'UTC')
  AND form != 'none'
  AND (empty({carriers:Array(String)}) OR has({carriers:Array(String)}, carrier))
  AND (empty({sites:Array(String)}) OR has({sites:Array(String)}, site))
  AND (empty({directions:Array(String)}) OR has({directions:Array(String)}, direction))`

export function rangeParametersOf({ fromUs, toUs }: Span, where: Where): Record<string, unknown> {
  return {
    from: Math.floor(fromUs / 1e6),
    to: Math.floor(toUs / 1e6),
    carriers: [...(where.carrier ?? [])],
    // A site that nothing tells is stored as ''.
    sites: (where.site ?? []).map((site) => (site === 'unknown' ? '' : site)),
    directions: [...(where.direction ?? [])],
  }
}

export async function readSigners(
  { readers, config }: SeenDeps,
  span: Span,
  where: Where,
): Promise<SignersAnswer> {
  const signers = await readers.selectMasked<Row, Signer>(
    `SELECT carrier, direction, signer_id AS signer, spc, count() AS tokens,
       sumMap([attest], [toUInt64(1)]) AS attests, sumMap([signature], [toUInt64(1)]) AS signatures,
       sumMap([verified], [toUInt64(1)]) AS verdicts, sumMap([signature_reason], [toUInt64(1)]) AS reasons,
       sumMap(findings, arrayMap(_ -> toUInt64(1), findings)) AS found
     FROM identity_checks FINAL WHERE ${OF_RANGE} AND depth = 0
     GROUP BY carrier, direction, signer, spc
     ORDER BY tokens DESC, carrier, direction, signer, spc LIMIT {limit:UInt32}`,
    { ...rangeParametersOf(span, where), limit: SIGNERS_MAX + 1 },
    (row) => signerOf(row, config),
    (signer) => ({ ...signer, signer_id: maskedText(signer.signer_id) }),
  )
  return {
    from: isoOf(span.fromUs),
    to: isoOf(span.toUs),
    signers: signers.slice(0, SIGNERS_MAX),
    signers_cut: signers.length > SIGNERS_MAX,
  }
}

function signerOf(row: Row, config: TrunkscopeConfig): Signer {
  const attests = countsOf(row.attests)
  const signatures = countsOf(row.signatures)
  const verdicts = countsOf(row.verdicts)
  const { '': _, ...reasons } = countsOf(row.reasons)
  return {
    carrier: row.carrier,
    direction: row.direction,
    signer_id: row.signer,
    spc: row.spc,
    contract: contractOf(row, config),
    tokens: Number(row.tokens),
    claimed: { A: attests.A ?? 0, B: attests.B ?? 0, C: attests.C ?? 0 },
    signed: Object.fromEntries(SIGNATURES.map((name) => [name, signatures[name] ?? 0])),
    verified: Object.fromEntries(VERDICTS.map((name) => [name, verdicts[name] ?? 0])),
    reasons,
    findings: countsOf(row.found),
  }
}

/** Codes are compared as they stand, but for the case of letters (RFC 8226 §9: IA5String; practice writes capitals). */
export function contractOf(
  { carrier, direction, spc }: Pick<Row, 'carrier' | 'direction' | 'spc'>,
  { carriers }: Pick<TrunkscopeConfig, 'carriers'>,
): Signer['contract'] {
  const contracted = carriers.find(({ id }) => id === carrier)?.spcs
  if (contracted === undefined || direction !== 'inbound') return 'not_asked'
  if (spc === '') return 'unknown'
  return contracted.some((code) => code.toUpperCase() === spc.toUpperCase()) ? 'contracted' : 'other'
}

function countsOf([names, counts]: Counts): Record<string, number> {
  return Object.fromEntries(names.map((name, index) => [name, Number(counts[index])]))
}
