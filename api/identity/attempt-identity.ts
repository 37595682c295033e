/**
 * What became of the Identity tokens of one attempt: claimed, signed and verified beside each other.
 *
 * Takes    the id of an attempt that was found, and its minute.
 * Returns  an entry a token, in the order of the headers, nested ones behind the one that holds them; one with form 'none' where
 *          there is no token but a verstat, an Attestation-Info or a STIR Reason. Empty until the pass has looked.
 */
import { z } from 'zod'
import { CHAINS, MATCHES, SIGNATURES, VERDICTS } from '../../schemas/identity-checks.js'
import { maskedNumber, maskedText } from '../masking.js'
import type { Readers } from '../readers.js'

export const identityCheck = z
  .object({
    position: z.number().describe('Of the header, from 0.'),
    depth: z.number().describe('In how many div-o tokens it is nested.'),
    form: z.enum(['full', 'compact', 'malformed', 'none']),
    claimed: z.object({
      ppt: z.string(),
      attest: z.string(),
      orig: z.string(),
      dest: z.array(z.string()),
      div: z.string(),
      orig_id: z.string(),
      iat_s: z.number(),
      raw_claims: z.string().describe('Of kinds that are kept as they are: rph, rcd and others.'),
    }),
    signed: z.object({
      signature: z.enum(SIGNATURES),
      reason: z.string().describe("Why it is invalid or was not checked; '' for a valid one."),
      x5u: z.string(),
      signer_id: z.string(),
      spc: z.string(),
      certificate_sha256: z.string(),
      certificate_subject: z.string(),
      certificate_not_after: z.string().nullable(),
    }),
    verified: z.object({
      verdict: z.enum(VERDICTS),
      findings: z.array(z.string()),
      orig_match: z.enum(MATCHES),
      dest_match: z.enum(MATCHES),
      chain: z.enum(CHAINS),
      iat_delta_ms: z.number().nullable().describe('INVITE minus iat: positive when the token is older.'),
    }),
    verstat: z.string().describe('What the verifier before us says, in P-Asserted-Identity or From.'),
    attestation_info: z.string().describe('The level somebody asks to sign with.'),
    origination_id: z.string(),
    stir_reasons: z.array(z.string()).describe('RFC 9410: what responses say about this token.'),
    checked_at: z.string(),
  })
  .meta({ title: 'Identity check' })

export type IdentityCheckJson = z.output<typeof identityCheck>

/** A row of `identity_checks` as the store gives it, by the columns of `IDENTITY_CHECK_SELECTION`. */
export type IdentityCheckRow = Record<string, string> & {
  dest: string[]
  findings: string[]
  stir_reasons: string[]
}

/** Without `raw_claims`: thousands of characters that a stranger wrote. */
export const IDENTITY_CHECK_SELECTION = `position, depth, form, ppt, attest, orig, dest, diverted, origid, iat, iat_delta_ms, x5u, signer_id, spc,
       certificate_sha256, certificate_subject, certificate_not_after, signature, signature_reason, verified, findings,
       orig_match, dest_match, chain, verstat, attestation_info, origination_id, stir_reasons,
       toUInt32(checked_at) AS checked_s`

/** @param minuteS `minute` of the attempt, seconds since 1970 */
export async function readIdentityChecks(
  readers: Readers,
  attemptId: string,
  minuteS: number,
): Promise<IdentityCheckJson[]> {
  return readers.selectMasked<IdentityCheckRow, IdentityCheckJson>(
    `SELECT ${IDENTITY_CHECK_SELECTION}, raw_claims
     FROM identity_checks FINAL
     WHERE minute = toDateTime({minute:UInt32}, 'UTC') AND attempt_id = toFixedString(unhex({id:String}), 16)
     ORDER BY position, depth`,
    { minute: minuteS, id: attemptId },
    identityCheckOf,
    maskedCheck,
  )
}

export function identityCheckOf(row: IdentityCheckRow): IdentityCheckJson {
  const notAfterS = Number(row.certificate_not_after)
  return {
    position: Number(row.position),
    depth: Number(row.depth),
    form: row.form as IdentityCheckJson['form'],
    claimed: {
      ppt: row.ppt!,
      attest: row.attest!,
      orig: row.orig!,
      dest: row.dest,
      div: row.diverted!,
      orig_id: row.origid!,
      iat_s: Number(row.iat),
      raw_claims: row.raw_claims ?? '',
    },
    signed: {
      signature: row.signature as IdentityCheckJson['signed']['signature'],
      reason: row.signature_reason!,
      x5u: row.x5u!,
      signer_id: row.signer_id!,
      spc: row.spc!,
      certificate_sha256: row.certificate_sha256!,
      certificate_subject: row.certificate_subject!,
      certificate_not_after: notAfterS > 0 ? new Date(notAfterS * 1_000).toISOString() : null,
    },
    verified: {
      verdict: row.verified as IdentityCheckJson['verified']['verdict'],
      findings: row.findings,
      orig_match: row.orig_match as IdentityCheckJson['verified']['orig_match'],
      dest_match: row.dest_match as IdentityCheckJson['verified']['dest_match'],
      chain: row.chain as IdentityCheckJson['verified']['chain'],
      iat_delta_ms: row.iat_delta_ms === null ? null : Number(row.iat_delta_ms),
    },
    verstat: row.verstat!,
    attestation_info: row.attestation_info!,
    origination_id: row.origination_id!,
    stir_reasons: row.stir_reasons,
    checked_at: new Date(Number(row.checked_s) * 1_000).toISOString(),
  }
}

/** Whatever the wire wrote may hold a number, and raw claims hold them in forms that nobody can tell. */
export function maskedCheck(check: IdentityCheckJson): IdentityCheckJson {
  const { claimed, signed } = check
  return {
    ...check,
    claimed: {
      ...claimed,
      ppt: maskedText(claimed.ppt),
      orig: maskedNumber(claimed.orig),
      dest: claimed.dest.map(maskedNumber),
      div: maskedNumber(claimed.div),
      orig_id: maskedText(claimed.orig_id),
      raw_claims: '',
    },
    signed: {
      ...signed,
      x5u: maskedText(signed.x5u),
      signer_id: maskedText(signed.signer_id),
      certificate_subject: maskedText(signed.certificate_subject),
    },
    verstat: maskedText(check.verstat),
    origination_id: maskedText(check.origination_id),
    stir_reasons: check.stir_reasons.map(maskedText),
  }
}
