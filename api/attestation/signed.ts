/**
 * What the signatures say of the levels that calls claim: tokens by carrier, direction, signer and level, over time.
 *
 * Takes    a checked range, which carriers, sites and directions, and the step of the series.
 * Returns  `signed` of the answer of `/v1/attestation`. A token of a header counts once, whatever else the INVITE holds; those
 *          that are no shaken ones (div, rph, rcd) and nested ones are not counted: a level is what a shaken token claims.
 * Throws   what the readers throw.
 * Source   metrics.md §6: `claimed`, `signed` and `verified` are three things. Rows are those of docs/identity.md.
 */
import { z } from 'zod'
import { SIGNATURES, VERDICTS } from '../../schemas/identity-checks.js'
import { checksIdentities } from '../../schemas/identity-config.js'
import type { SeenDeps } from '../deps.js'
import { CONTRACTS, contractOf, OF_RANGE, rangeParametersOf, type Where } from '../identity/signers.js'
import { maskedText } from '../masking.js'
import { isoOf, type Span } from '../time-span.js'

export const TOKEN_LEVELS = ['A', 'B', 'C', 'malformed'] as const
const GROUPS_MAX = 1_000

const perSignature = z.object(
  Object.fromEntries(SIGNATURES.map((name) => [name, z.number()])) as Record<
    (typeof SIGNATURES)[number],
    z.ZodNumber
  >,
)
const perVerdict = z.object(
  Object.fromEntries(VERDICTS.map((name) => [name, z.number()])) as Record<
    (typeof VERDICTS)[number],
    z.ZodNumber
  >,
)

const counts = {
  tokens: z.number(),
  truncated: z.number().describe('Of those not checked: cut on their way, by an MTU or an agent.'),
  signed: perSignature.describe('What their signatures say.'),
  verified: perVerdict.describe('All steps of RFC 8224 §6.2 together.'),
}

export const signedAnswer = z.object({
  is_configured: z
    .boolean()
    .describe('false: no certificates are configured (identity), nothing is checked.'),
  levels: z
    .array(z.object({ by: z.object({ direction: z.string(), level: z.enum(TOKEN_LEVELS) }), ...counts }))
    .describe('All carriers and signers of the question together.'),
  signers: z.array(
    z.object({
      by: z.object({
        carrier: z.string(),
        direction: z.string(),
        signer_id: z.string().describe('SPC, else the CN of the certificate, else the host of the x5u.'),
        level: z.enum(TOKEN_LEVELS),
      }),
      spc: z.string(),
      contract: z
        .enum(CONTRACTS)
        .describe('Of inbound tokens, against spcs of the carrier; not_asked: outbound, or none configured.'),
      ...counts,
      series: z
        .array(z.object({ t: z.string(), tokens: z.number(), signed: perSignature }))
        .optional()
        .describe('With step: one entry a step, empty ones included.'),
    }),
  ),
  signers_cut: z
    .boolean()
    .describe(`There are more than ${GROUPS_MAX}: those with the most tokens are here.`),
})

export type SignedAnswer = z.output<typeof signedAnswer>
type Counts = Pick<SignedAnswer['levels'][number], 'tokens' | 'truncated' | 'signed' | 'verified'>
type SignerOfLevel = SignedAnswer['signers'][number]

interface Row {
  carrier: string
  direction: string
  signer: string
  spc: string
  level: string
  is_level: number
  tokens: string
  truncated: string
  valid: string
  invalid: string
  not_checked: string
  passed: string
  failed: string
  verdict_open: string
  steps: string[]
  step_tokens: string[]
  step_valid: string[]
  step_invalid: string[]
}

/** Tokens that claim a level, or might have: `party` as in the shares. */
const CLAIMING = `depth = 0 AND party IN ('carrier', 'unknown') AND (ppt = 'shaken' OR attest != '' OR form = 'malformed')`

export async function readSigned(
  { readers, config }: SeenDeps,
  span: Span,
  stepS: number | null,
  where: Where,
): Promise<SignedAnswer> {
  const rows = await readers.selectMasked<Row, Row>(
    `SELECT carrier, direction, signer, spc, level, is_level, tokens, truncated, valid, invalid, not_checked, passed, failed,
       verdict_open, by_step.1 AS steps, by_step.2 AS step_tokens, by_step.3 AS step_valid, by_step.4 AS step_invalid
     FROM (
       SELECT carrier, direction, signer_id AS signer, spc, if(form = 'full' AND attest != '', attest, 'malformed') AS level,
         grouping(carrier) AS is_level, count() AS tokens, countIf(signature_reason = 'truncated') AS truncated,
         countIf(signature = 'valid') AS valid, countIf(signature = 'invalid') AS invalid,
         countIf(signature = 'not_checked') AS not_checked, countIf(verified = 'passed') AS passed,
         countIf(verified = 'failed') AS failed, countIf(verified = 'not_checked') AS verdict_open,
         sumMap([intDiv(toUInt32(minute) - {from:UInt32}, {step:UInt32})], [toUInt64(1)], [toUInt64(signature = 'valid')],
           [toUInt64(signature = 'invalid')]) AS by_step
       FROM identity_checks FINAL WHERE ${OF_RANGE} AND ${CLAIMING}
       GROUP BY GROUPING SETS ((direction, level), (carrier, direction, signer, spc, level)))
     ORDER BY is_level DESC, tokens DESC, carrier, direction, signer, spc, level LIMIT {limit:UInt32}`,
    {
      ...rangeParametersOf(span, where),
      step: stepS ?? Math.max(1, Math.ceil((span.toUs - span.fromUs) / 1e6)),
      // Every direction has at most a row a level.
      limit: GROUPS_MAX + 1 + DIRECTIONS * TOKEN_LEVELS.length,
    },
    (row) => row,
    (row) => ({ ...row, signer: maskedText(row.signer) }),
  )
  const signers = rows.filter((row) => !isLevel(row))
  return {
    is_configured: checksIdentities(config.identity),
    levels: rows
      .filter(isLevel)
      .map((row) => ({ by: { direction: directionOf(row), level: levelOf(row) }, ...countsOf(row) }))
      .sort((a, b) => orderOf(a.by) - orderOf(b.by) || (a.by.direction < b.by.direction ? -1 : 1)),
    signers: signers.slice(0, GROUPS_MAX).map(
      (row): SignerOfLevel => ({
        by: {
          carrier: row.carrier,
          direction: directionOf(row),
          signer_id: row.signer,
          level: levelOf(row),
        },
        spc: row.spc,
        contract: contractOf(row, config),
        ...countsOf(row),
        ...(stepS === null ? {} : { series: seriesOf(row, span, stepS) }),
      }),
    ),
    signers_cut: signers.length > GROUPS_MAX,
  }
}

/** inbound, outbound, unknown. */
const DIRECTIONS = 3

const isLevel = ({ is_level: isOfAll }: Row) => Number(isOfAll) === 1
const levelOf = ({ level }: Row) => TOKEN_LEVELS.find((known) => known === level) ?? 'malformed'
const directionOf = ({ direction }: Row) => (direction === '' ? 'unknown' : direction)

/** By direction first; within it in the order of the levels. */
function orderOf({ direction, level }: { direction: string; level: SignerOfLevel['by']['level'] }): number {
  return ['inbound', 'outbound'].indexOf(direction) * 10 + TOKEN_LEVELS.indexOf(level)
}

function countsOf(row: Row): Counts {
  return {
    tokens: Number(row.tokens),
    truncated: Number(row.truncated),
    signed: {
      valid: Number(row.valid),
      invalid: Number(row.invalid),
      not_checked: Number(row.not_checked),
    },
    verified: {
      passed: Number(row.passed),
      failed: Number(row.failed),
      not_checked: Number(row.verdict_open),
    },
  }
}

function seriesOf(row: Row, { fromUs, toUs }: Span, stepS: number): NonNullable<SignerOfLevel['series']> {
  const at = new Map(row.steps.map((step, index) => [Number(step), index]))
  return Array.from({ length: Math.ceil((toUs - fromUs) / 1e6 / stepS) }, (_, step) => {
    const index = at.get(step)
    const of = (values: readonly string[]) => (index === undefined ? 0 : Number(values[index]))
    const [tokens, valid, invalid] = [of(row.step_tokens), of(row.step_valid), of(row.step_invalid)]
    return {
      t: isoOf(fromUs + step * stepS * 1e6),
      tokens,
      signed: { valid, invalid, not_checked: tokens - valid - invalid },
    }
  })
}
