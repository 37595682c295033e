/**
 * What became of each Identity token of an attempt when somebody looked (evidence/identity): the rows of `identity_checks`
 * and the closed lists of their words.
 *
 * Three things stay apart. `claimed` is what a token says (attest, orig, dest; anybody can write that). `signed` is what its
 * signature says: valid, invalid, or not checked and why. `verified` is the verdict of the steps of RFC 8224 §6.2 together.
 * Source   metrics.md §6; RFC 8224 §6.2, RFC 8225, RFC 8226 §9, RFC 8946 §4.2, RFC 9410.
 */

export const SIGNATURES = ['valid', 'invalid', 'not_checked'] as const
export type Signature = (typeof SIGNATURES)[number]

/** Why a signature is invalid. '' stands beside a valid one. */
export const INVALID_REASONS = {
  signature_mismatch:
    'the signature does not fit the bytes that were received and the key of the certificate',
  compact_mismatch:
    'the signature of a compact token fits nothing that can be rebuilt from Date, From and To',
  signature_not_raw: 'the signature is not the 64 bytes of ES256 (r and s, RFC 7518 §3.4); DER is none',
  algorithm_not_es256: 'the token names another algorithm than ES256 (RFC 8225 §4.3), none among them',
  type_not_passport: 'the typ of the token is not passport (RFC 8225 §4.1)',
  critical_header: 'the token demands an extension (crit, RFC 7515 §4.1.11) that PASSporTs do not have',
  not_a_token: 'the header value is no token: three parts of base64 are wanted',
  bad_json: 'header or claims of the token are no JSON object',
} as const
export type InvalidReason = keyof typeof INVALID_REASONS

/** Why a signature was not checked: nothing is said about it. */
export const NOT_CHECKED_REASONS = {
  truncated: 'the message was cut before the end of the token, by the agent or on its way',
  too_long: 'the header value or what is nested in it is longer than is read',
  ppt_unsupported: 'a kind of token that nobody here checks: it is ignored (RFC 8224 §6.2 step 1)',
  no_x5u: 'the token names no certificate',
  no_certificate: 'the certificate is neither in the folder nor fetched',
  certificate_unreadable: 'what was found for the certificate is no PEM certificate that can be read',
  key_not_p256: 'the key of the certificate is not one of the curve P-256, which ES256 needs',
  compact_incomplete: 'a compact token, and Date, From or To are missing or cannot be read',
  compact_extended: 'a compact token with a ppt: its claims stand nowhere (RFC 8224 §4.1, RFC 8588 §3)',
  check_failed: 'the check itself broke down twice on this token',
} as const
export type NotCheckedReason = keyof typeof NOT_CHECKED_REASONS

/** What was found about a token beside its signature. Those of `FAILING_FINDINGS` keep it from being verified. */
export const FINDINGS = {
  iat_missing: 'the token has no time',
  iat_stale: 'the token was made more than 60 s before the INVITE (403 Stale Date)',
  iat_in_future: 'the token was made more than 60 s after the INVITE: a clock is wrong, or it is forged',
  orig_missing: 'the token names no originator',
  orig_mismatch: 'the originator of the token is neither that of P-Asserted-Identity nor that of From',
  orig_is_from_only: 'the originator of the token is that of From, and P-Asserted-Identity has another',
  orig_without_country_code: 'the numbers agree but for the country code, which the signalling leaves out',
  dest_missing: 'the token names no destination',
  dest_mismatch: 'no destination of the token is that of To or of the Request-URI',
  dest_diverted:
    'the destination is not that of To or Request-URI, and a div token says who diverted the call',
  info_is_not_x5u: 'the info parameter is not the x5u of the token, as RFC 8224 §4 demands',
  info_missing: 'the header has no info parameter',
  ppt_is_not_of_token: 'the ppt parameter of the header is not the ppt of the token',
  algorithm_is_not_of_token: 'the alg parameter of the header is not ES256',
  attest_missing: 'a shaken token without attest A, B or C',
  claim_missing: 'a claim that this kind of token must have is missing',
  div_without_previous: 'no token in the message has the destination that this one says it diverted',
  div_orig_changed: 'the originator is not that of the diverted token (RFC 8946 §4.2 step 3)',
  div_last_is_not_target: 'the last destination of the chain is neither Request-URI nor To',
  div_with_opt: 'a div token holds opt, which it never may (RFC 8946 §3)',
  opt_missing: 'a div-o token without the token that it diverted',
  opt_too_deep: 'more tokens are nested in a div-o token than are read',
  not_canonical: 'the claims are not in the form of RFC 8225 §9: sorted, without white space',
  certificate_expired: 'the certificate had expired when the call was made',
  certificate_not_yet_valid: 'the certificate was not yet valid when the call was made',
  certificate_untrusted: 'the certificate leads to none of the configured roots',
  certificate_not_for_signing: 'the key usage of the certificate does not allow signatures',
  certificate_without_spc: 'the certificate has no TNAuthList with an SPC',
  roots_not_configured: 'no roots are configured, so nobody says whether the certificate is to be trusted',
} as const
export type Finding = keyof typeof FINDINGS

/** With one of these a token with a valid signature is not verified. */
export const FAILING_FINDINGS: ReadonlySet<Finding> = new Set<Finding>([
  'iat_missing',
  'iat_stale',
  'iat_in_future',
  'orig_missing',
  'orig_mismatch',
  'dest_missing',
  'dest_mismatch',
  'info_is_not_x5u',
  'attest_missing',
  'claim_missing',
  'div_without_previous',
  'div_orig_changed',
  'div_last_is_not_target',
  'div_with_opt',
  'opt_missing',
  'certificate_expired',
  'certificate_not_yet_valid',
  'certificate_untrusted',
  'certificate_not_for_signing',
])

export const VERDICTS = ['passed', 'failed', 'not_checked'] as const
export type Verdict = (typeof VERDICTS)[number]

/** `unknown`: one of the two sides says nothing. */
export const MATCHES = ['match', 'mismatch', 'unknown'] as const
export type Match = (typeof MATCHES)[number]

/** RFC 8946 §4.2; `none`: the token is in no chain. */
export const CHAINS = ['none', 'whole', 'broken'] as const
export type Chain = (typeof CHAINS)[number]

/** A row of `identity_checks`: columns that are compared to tell whether it changed, in their order in the table. */
export interface IdentityCheck {
  /** 0: a header; 1 and more: nested in a div-o token. */
  depth: number
  party: string
  carrier: string
  site: string
  direction: string
  form: 'full' | 'compact' | 'malformed' | 'none'
  ppt: string
  attest: string
  orig: string
  dest: string[]
  /** div of a div or div-o token. */
  diverted: string
  origid: string
  /** Seconds since 1970; 0: none. */
  iat: number
  /** INVITE minus iat: positive when the token is older. null without an iat. */
  iat_delta_ms: number | null
  x5u: string
  signer_id: string
  spc: string
  certificate_sha256: string
  certificate_subject: string
  /** Seconds since 1970; 0: no certificate. */
  certificate_not_after: number
  signature: Signature
  signature_reason: InvalidReason | NotCheckedReason | ''
  verified: Verdict
  findings: Finding[]
  orig_match: Match
  dest_match: Match
  chain: Chain
  /** JSON text of kinds that are kept as they are: rcd, rph and whatever else is not read. */
  raw_claims: string
  /** The verifier's word in P-Asserted-Identity or From: 'TN-Validation-Passed-A' … */
  verstat: string
  attestation_info: string
  origination_id: string
  /** Reason values of responses with protocol STIR that name this token, or none (RFC 9410). */
  stir_reasons: string[]
}

/** The same names as the columns, and in their order. */
export const IDENTITY_CHECK_COLUMNS = [
  'depth',
  'party',
  'carrier',
  'site',
  'direction',
  'form',
  'ppt',
  'attest',
  'orig',
  'dest',
  'diverted',
  'origid',
  'iat',
  'iat_delta_ms',
  'x5u',
  'signer_id',
  'spc',
  'certificate_sha256',
  'certificate_subject',
  'certificate_not_after',
  'signature',
  'signature_reason',
  'verified',
  'findings',
  'orig_match',
  'dest_match',
  'chain',
  'raw_claims',
  'verstat',
  'attestation_info',
  'origination_id',
  'stir_reasons',
] as const satisfies readonly (keyof IdentityCheck)[]

/** In place of the hash of a token, for an attempt that has none. */
export const NO_TOKEN = '0'.repeat(32)
