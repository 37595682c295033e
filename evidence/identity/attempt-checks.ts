/**
 * The rows of one attempt: out of its messages, which INVITE carries its tokens, and what its responses say about them.
 *
 * Takes    the attempt as it stands; the INVITEs and the responses with a STIR Reason of its call, in any order and with
 *          copies; who finds certificates and checks signatures.
 * Returns  a row a token, nested ones too; one without a token where there is none but a verstat, an Attestation-Info or a STIR
 *          Reason; undefined when the INVITE is not stored any more, so that what stands is not touched.
 * Throws   what the checks throw.
 *
 * Order-free: of the INVITEs whose tokens are those of the attempt the first counts, by capture time and then by its bytes;
 * Reason values are a sorted set.
 */
import { hash } from 'node:crypto'
import { type IdentityCheck, NO_TOKEN } from '../../schemas/identity-checks.js'
import type { SipMessage } from '../../schemas/sip-message.js'
import { hasHeadersEnd, headerValues } from '../../sip/header-lines.js'
import { readPassport } from '../../sip/passport-claims.js'
import { readableText, readSip } from '../../sip/sip-message.js'
import { isAboutToken, stirReasonsOf } from '../../sip/stir-reason.js'
import { readAttestationInfo, verstatOf } from '../../sip/verstat.js'
import { type TokenChecks, type TokenVerdict, verifyTokens } from './verify-token.js'

export interface CheckedAttempt {
  attemptId: string
  minuteS: number
  fromTag: string
  addresses: readonly [string, string]
  /** Hashes of the tokens of its deciding INVITE, as the fold found them. */
  tokenHashes: readonly string[]
  party: string
  carrier: string
  site: string
  direction: string
}

export interface CapturedText {
  capturedAtUs: number
  source: string
  destination: string
  bytes: Buffer
}

/** `key`: of the token, hex digits. */
export interface CheckRow {
  minuteS: number
  attemptId: string
  tokenHash: string
  position: number
  check: IdentityCheck
}

const TEXT_MAX_CHARS = 512
const REASONS_MAX = 16

export async function checkAttempt(
  attempt: CheckedAttempt,
  messages: readonly CapturedText[],
  checks: TokenChecks,
): Promise<CheckRow[] | undefined> {
  const own = messages.filter(({ source, destination }) => isOfLeg(attempt, source, destination))
  const read = own.map((captured) => ({ captured, sip: readSip(captured.bytes) }))
  const invite = decidingInvite(attempt, read)
  if (invite === undefined) return undefined
  const { captured, sip } = invite
  const text = captured.bytes.toString('latin1')
  const [info = ''] = headerValues(text, 'Attestation-Info')
  const [originationId = ''] = headerValues(text, 'Origination-Id')
  const [date = ''] = headerValues(text, 'Date')
  const reasons = reasonsOf(attempt, read)
  const ofCall = {
    party: attempt.party,
    carrier: attempt.carrier,
    site: attempt.site,
    direction: attempt.direction,
    verstat: shown(verstatOf(sip.assertedIdentities, sip.from).value),
    attestation_info: readAttestationInfo(info),
    origination_id: shown(originationId),
  }
  const verdicts = await verifyTokens(
    sip.identities,
    {
      invitedAtUs: captured.capturedAtUs,
      requestUri: sip.requestUri,
      from: sip.from,
      to: sip.to,
      assertedIdentities: sip.assertedIdentities,
      date,
      isCut: endsInToken(text, sip.identities),
    },
    checks,
  )
  const rows = verdicts.map((verdict) => ({
    minuteS: attempt.minuteS,
    attemptId: attempt.attemptId,
    tokenHash:
      verdict.passport.token.tokenHash || hash('sha256', verdict.passport.digest, 'hex').slice(0, 32),
    position: verdict.position,
    check: { ...ofToken(verdict), ...ofCall, stir_reasons: about(verdict, reasons) },
  }))
  if (rows.length > 0) return rows
  const hasWords = ofCall.verstat !== '' || ofCall.attestation_info !== '' || reasons.length > 0
  if (!hasWords) return []
  const check = { ...NOTHING_SIGNED, ...ofCall, stir_reasons: reasons.map(({ text: reason }) => reason) }
  return [{ minuteS: attempt.minuteS, attemptId: attempt.attemptId, tokenHash: NO_TOKEN, position: 0, check }]
}

/** The message ends within its last Identity header, or right behind it, which looks the same. */
function endsInToken(text: string, identities: readonly string[]): boolean {
  const end = identities.at(-1)?.slice(-TAIL_CHARS)
  return end !== undefined && end !== '' && !hasHeadersEnd(text) && text.trimEnd().endsWith(end)
}

const TAIL_CHARS = 24

interface ReadMessage {
  captured: CapturedText
  sip: SipMessage
}

function isOfLeg({ addresses: [low, high] }: CheckedAttempt, source: string, destination: string): boolean {
  return (source === low && destination === high) || (source === high && destination === low)
}

function decidingInvite(attempt: CheckedAttempt, read: readonly ReadMessage[]): ReadMessage | undefined {
  const invites = read.filter(
    ({ sip }) => sip.method === 'INVITE' && sip.toTag === '' && sip.fromTag === attempt.fromTag,
  )
  invites.sort(
    (a, b) =>
      a.captured.capturedAtUs - b.captured.capturedAtUs || Buffer.compare(a.captured.bytes, b.captured.bytes),
  )
  const withTokens = invites.find(({ sip }) => {
    const hashes = new Set(sip.identities.map((value) => readPassport(value).token.tokenHash))
    return (
      hashes.size > 0 &&
      attempt.tokenHashes.length > 0 &&
      attempt.tokenHashes.every((known) => hashes.has(known))
    )
  })
  if (withTokens !== undefined) return withTokens
  const last = Math.max(...invites.map(({ sip }) => sip.cseqNumber))
  return invites.find(({ sip }) => sip.cseqNumber === last)
}

interface Reason {
  text: string
  isAbout(digest: string): boolean | undefined
}

function reasonsOf(attempt: CheckedAttempt, read: readonly ReadMessage[]): Reason[] {
  const values = read
    .filter(({ sip }) => sip.statusCode > 100 && sip.fromTag === attempt.fromTag)
    .flatMap(({ sip }) => sip.reasons)
  return [...new Set(values)].sort().flatMap((value) => {
    const [reason] = stirReasonsOf([value])
    if (reason === undefined) return []
    const isAbout = (digest: string) => (reason.ppi === '' ? undefined : isAboutToken(reason, digest))
    return [{ text: shown(value), isAbout }]
  })
}

/** Those that name this token, and those that name none. */
function about({ passport }: TokenVerdict, reasons: readonly Reason[]): string[] {
  return reasons
    .filter((reason) => reason.isAbout(passport.digest) ?? true)
    .map(({ text }) => text)
    .slice(0, REASONS_MAX)
}

function ofToken(verdict: TokenVerdict) {
  const { passport, certificate } = verdict
  const { token } = passport
  return {
    depth: passport.depth,
    form: verdict.form,
    ppt: shown(token.ppt, 32),
    attest: token.attest,
    orig: shown(verdict.orig),
    dest: verdict.dest.map((one) => shown(one)),
    diverted: shown(token.div),
    origid: shown(token.origId, 128),
    iat: verdict.iatS,
    iat_delta_ms: verdict.iatDeltaMs,
    x5u: shown(token.x5u),
    signer_id: shown(verdict.signerId),
    spc: shown(certificate?.authority.spcs[0] ?? ''),
    certificate_sha256: certificate?.sha256 ?? '',
    certificate_subject: shown(certificate?.commonName ?? ''),
    certificate_not_after: Math.floor((certificate?.notAfterMs ?? 0) / 1_000),
    signature: verdict.signature,
    signature_reason: verdict.signatureReason,
    verified: verdict.verified,
    findings: [...new Set(verdict.findings)].sort(),
    orig_match: verdict.origMatch,
    dest_match: verdict.destMatch,
    chain: verdict.chain,
    raw_claims: wellFormed(passport.rawClaims),
  }
}

const NOTHING_SIGNED = {
  depth: 0,
  form: 'none' as const,
  ppt: '',
  attest: '',
  orig: '',
  dest: [],
  diverted: '',
  origid: '',
  iat: 0,
  iat_delta_ms: null,
  x5u: '',
  signer_id: '',
  spc: '',
  certificate_sha256: '',
  certificate_subject: '',
  certificate_not_after: 0,
  signature: 'not_checked' as const,
  signature_reason: '' as const,
  verified: 'not_checked' as const,
  findings: [],
  orig_match: 'unknown' as const,
  dest_match: 'unknown' as const,
  chain: 'none' as const,
  raw_claims: '',
}

function shown(text: string, charsMax = TEXT_MAX_CHARS): string {
  return wellFormed(readableText(text).slice(0, charsMax))
}

/** Half a pair, cut here or written so by a token, is no UTF-8: the store would refuse every row of the insert. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8')
}
