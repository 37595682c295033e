/**
 * Verifies the Identity tokens of one INVITE: the steps of RFC 8224 §6.2, by somebody who only listens.
 *
 *   1 ppt          a kind nobody here checks is ignored: not_checked
 *   2 originator   that of the signalling is compared with the token's (§6.2.4), never believed because it is signed
 *   3 credential   found by x5u; valid when the call was made; leads to a root
 *   4 freshness    |INVITE − iat| <= 60 s, and the signed distance is recorded: positive for an older token
 *   5 signature    ES256 over the bytes as they were received; of a compact token over what Date, From and To give
 *   and            div tokens chain to one another and to where the call goes (RFC 8946 §4.2)
 *
 * Takes    the header values in their order, what the INVITE says, who finds certificates and who checks signatures.
 * Returns  a verdict a token, nested ones behind the one that holds them. What it claims, what its signature says and the
 *          verdict stay apart. A token that was cut, or whose certificate is not at hand, is not_checked, never invalid.
 * Throws   nothing of its own; what `certificateOf` and `verify` throw goes through.
 * Source   RFC 8224 §4, §6.2, §8; RFC 8225; RFC 8588; RFC 8946; metrics.md §6.
 *
 * [decision] Where no roots are configured nothing is verified, whatever its signature. The originator of a shaken token is
 * that of P-Asserted-Identity, of others that of From too; From alone is a finding and no failure.
 */
import type {
  Chain,
  Finding,
  InvalidReason,
  Match,
  NotCheckedReason,
  Signature,
  Verdict,
} from '../../schemas/identity-checks.js'
import { FAILING_FINDINGS } from '../../schemas/identity-checks.js'
import {
  type Passport,
  partyForms,
  readPassport,
  rebuiltClaims,
  SIGNATURE_BYTES,
  withNested,
} from '../../sip/passport-claims.js'
import { type SigningCertificate, signerIdOf, type Trust } from './certificate.js'
import { type ChainLink, linkChains } from './div-chain.js'
import type { VerifySignature } from './verification-worker.js'

/** RFC 8224 §6.2 step 4: sixty seconds is RECOMMENDED. */
const FRESH_MS = 60_000
/** Headers of one message that are looked at. */
export const TOKENS_MAX = 32

/** What the INVITE that carries the tokens says, as it stood on the wire. */
export interface CallSignalling {
  invitedAtUs: number
  requestUri: string
  from: string
  to: string
  assertedIdentities: readonly string[]
  /** The Date header; '' when there is none. */
  date: string
  /** The message has no end of its headers: the last of them was cut. */
  isCut: boolean
}

export type FoundCertificate =
  | { certificate: SigningCertificate; trust: Trust | 'untrusted' | 'no_roots' }
  | { reason: 'no_certificate' | 'certificate_unreadable' }

export interface TokenChecks {
  certificateOf(x5u: string): Promise<FoundCertificate> | FoundCertificate
  verify: VerifySignature
}

export interface TokenVerdict {
  passport: Passport
  position: number
  form: 'full' | 'compact' | 'malformed'
  orig: string
  dest: readonly string[]
  iatS: number
  /** null without an iat. */
  iatDeltaMs: number | null
  certificate: SigningCertificate | undefined
  signerId: string
  signature: Signature
  signatureReason: InvalidReason | NotCheckedReason | ''
  verified: Verdict
  findings: Finding[]
  origMatch: Match
  destMatch: Match
  chain: Chain
}

const SUPPORTED: ReadonlySet<string> = new Set(['', 'shaken', 'div', 'div-o', 'rph', 'rcd'])

export async function verifyTokens(
  values: readonly string[],
  call: CallSignalling,
  checks: TokenChecks,
): Promise<TokenVerdict[]> {
  const passports = values.slice(0, TOKENS_MAX).flatMap((value, position) => {
    const isCut = call.isCut && position === values.length - 1
    return withNested(readPassport(value, isCut)).map((passport) => ({ passport, position }))
  })
  const parties = partiesOf(call)
  const verdicts = await Promise.all(
    passports.map(({ passport, position }) => verifyOne(passport, position, call, parties, checks)),
  )
  const links = linkChains(verdicts.map(chainToken), parties.dest)
  for (const [index, verdict] of verdicts.entries()) {
    const link = links[index]!
    verdict.chain = link.chain
    verdict.findings.push(...link.findings)
    compareParties(verdict, link, parties)
    verdict.verified = verdictOf(verdict)
  }
  weakenChains(verdicts, links)
  return verdicts
}

interface Parties {
  asserted: ReadonlySet<string>
  from: ReadonlySet<string>
  dest: ReadonlySet<string>
  /** Numbers without a '+': their country code may be missing. */
  localNumbers: readonly string[]
  localDestinations: readonly string[]
}

function partiesOf(call: CallSignalling): Parties {
  const asserted = call.assertedIdentities.map(partyForms)
  const from = partyForms(call.from)
  const destinations = [partyForms(call.to), partyForms(call.requestUri)]
  const names = (forms: { tn: string; uri: string }[]) =>
    new Set(forms.flatMap(({ tn, uri }) => [tn, uri]).filter((name) => name !== ''))
  const local = (forms: { tn: string; isGlobal: boolean }[]) =>
    forms.filter(({ tn, isGlobal }) => tn.length >= LOCAL_DIGITS_MIN && !isGlobal).map(({ tn }) => tn)
  return {
    asserted: names(asserted),
    from: names([from]),
    dest: names(destinations),
    localNumbers: local([...asserted, from]),
    localDestinations: local(destinations),
  }
}

const LOCAL_DIGITS_MIN = 7

async function verifyOne(
  passport: Passport,
  position: number,
  call: CallSignalling,
  parties: Parties,
  checks: TokenChecks,
): Promise<TokenVerdict> {
  const { token } = passport
  const verdict: TokenVerdict = {
    passport,
    position,
    form: passport.problem === '' && token.form !== 'compact' ? 'full' : token.form,
    orig: token.orig,
    dest: token.dest,
    iatS: token.iatS,
    iatDeltaMs: null,
    certificate: undefined,
    signerId: '',
    signature: 'not_checked',
    signatureReason: '',
    verified: 'not_checked',
    findings: [],
    origMatch: 'unknown',
    destMatch: 'unknown',
    chain: 'none',
  }
  const found = await certificateOf(token.x5u, checks)
  verdict.certificate = found !== undefined && 'certificate' in found ? found.certificate : undefined
  verdict.signerId = signerIdOf(verdict.certificate, token.x5u)
  await checkSignature(verdict, found, call, checks.verify)
  if (passport.problem !== '') return verdict
  if (found !== undefined && 'certificate' in found) judgeCertificate(verdict, found, call)
  judgeClaims(verdict, call)
  judgeOriginator(verdict, parties)
  return verdict
}

async function certificateOf(x5u: string, checks: TokenChecks): Promise<FoundCertificate | undefined> {
  return x5u === '' ? undefined : checks.certificateOf(x5u)
}

/** Steps 1, 3 and 5, in that order: the first that has something to say decides. */
async function checkSignature(
  verdict: TokenVerdict,
  found: FoundCertificate | undefined,
  call: CallSignalling,
  verify: VerifySignature,
): Promise<void> {
  const { passport } = verdict
  const before = beforeTheKey(passport)
  if (before !== undefined) return decide(verdict, ...before)
  if (found === undefined) return decide(verdict, 'not_checked', 'no_x5u')
  if ('reason' in found) return decide(verdict, 'not_checked', found.reason)
  const { key } = found.certificate
  if (key === '') return decide(verdict, 'not_checked', 'key_not_p256')
  const { signature } = passport
  if (passport.token.form !== 'compact') {
    const result = await verify({ key, signed: passport.signed, signature })
    if (result === 'failed') return decide(verdict, 'not_checked', 'check_failed')
    return result === 'valid'
      ? decide(verdict, 'valid', '')
      : decide(verdict, 'invalid', 'signature_mismatch')
  }
  const rebuilt = rebuiltClaims(passport.token.x5u, call)
  if (rebuilt.length === 0) return decide(verdict, 'not_checked', 'compact_incomplete')
  let hasFailed = false
  for (const { signed, orig, dest, iatS } of rebuilt) {
    const result = await verify({ key, signed, signature })
    if (result === 'failed') hasFailed = true
    if (result !== 'valid') continue
    Object.assign(verdict, { orig, dest: [dest], iatS })
    return decide(verdict, 'valid', '')
  }
  if (hasFailed) decide(verdict, 'not_checked', 'check_failed')
  else decide(verdict, 'invalid', 'compact_mismatch')
}

function decide(verdict: TokenVerdict, signature: Signature, reason: TokenVerdict['signatureReason']): void {
  verdict.signature = signature
  verdict.signatureReason = reason
}

/** What can be said without a certificate. */
function beforeTheKey(passport: Passport): [Signature, TokenVerdict['signatureReason']] | undefined {
  const { problem, token, header } = passport
  if (problem === 'truncated' || problem === 'too_long') return ['not_checked', problem]
  if (problem !== '') return ['invalid', problem]
  if (!SUPPORTED.has(passport.ppt ?? '') || !SUPPORTED.has(token.ppt))
    return ['not_checked', 'ppt_unsupported']
  if (token.form === 'compact' && passport.ppt !== undefined) return ['not_checked', 'compact_extended']
  if (header.typ.toLowerCase() !== 'passport') return ['invalid', 'type_not_passport']
  if (header.alg !== 'ES256') return ['invalid', 'algorithm_not_es256']
  if (header.hasCrit) return ['invalid', 'critical_header']
  if (passport.signature.length !== SIGNATURE_BYTES) return ['invalid', 'signature_not_raw']
  return undefined
}

function judgeCertificate(
  { findings }: TokenVerdict,
  { certificate, trust }: Extract<FoundCertificate, { certificate: unknown }>,
  { invitedAtUs }: CallSignalling,
): void {
  const atMs = invitedAtUs / 1_000
  if (atMs < certificate.notBeforeMs) findings.push('certificate_not_yet_valid')
  else if (atMs > certificate.notAfterMs) findings.push('certificate_expired')
  else if (trust === 'untrusted') findings.push('certificate_untrusted')
  // One of those above it had expired, or was not valid yet.
  else if (trust !== 'no_roots' && (atMs < trust.fromMs || atMs > trust.toMs)) {
    findings.push('certificate_untrusted')
  }
  if (trust === 'no_roots') findings.push('roots_not_configured')
  if (!certificate.maySign) findings.push('certificate_not_for_signing')
  if (certificate.authority.spcs.length === 0) findings.push('certificate_without_spc')
}

function judgeClaims(verdict: TokenVerdict, { invitedAtUs, isCut }: CallSignalling): void {
  const { passport, findings } = verdict
  const { token } = passport
  if (verdict.form === 'compact' && verdict.signature !== 'valid') return // Nothing is known of its claims.
  if (verdict.iatS === 0) findings.push('iat_missing')
  else {
    verdict.iatDeltaMs = Math.round(invitedAtUs / 1_000) - verdict.iatS * 1_000
    if (verdict.iatDeltaMs > FRESH_MS) findings.push('iat_stale')
    if (verdict.iatDeltaMs < -FRESH_MS) findings.push('iat_in_future')
  }
  if (verdict.orig === '') findings.push('orig_missing')
  if (verdict.dest.length === 0) findings.push('dest_missing')
  if (token.ppt === 'shaken' && token.attest === '') findings.push('attest_missing')
  if (isClaimMissing(passport)) findings.push('claim_missing')
  if (!passport.isCanonical) findings.push('not_canonical')
  if (token.ppt === 'div-o' && passport.opt === undefined) {
    findings.push(passport.isOptTooDeep ? 'opt_too_deep' : 'opt_missing')
  }
  if (passport.depth > 0) return // A nested token has no parameters.
  if (passport.info === undefined) {
    if (!isCut) findings.push('info_missing')
  } else if (passport.info !== token.x5u) findings.push('info_is_not_x5u')
  if (passport.ppt !== undefined && passport.ppt !== token.ppt) findings.push('ppt_is_not_of_token')
  if (passport.alg !== undefined && passport.alg !== 'ES256') findings.push('algorithm_is_not_of_token')
}

/** Claims that a kind must have beside orig, dest and iat: RFC 8588 §4 and §5, RFC 8443 §3, RFC 8946 §3, RFC 9795. */
const WANTED: Readonly<Record<string, readonly string[]>> = {
  shaken: ['origid'],
  div: ['div'],
  'div-o': ['div'],
  rph: ['rph', 'sph'],
  rcd: ['rcd', 'crn'],
}

/** Of rph and rcd one of the two is enough. */
function isClaimMissing({ token, claimNames }: Passport): boolean {
  const wanted = WANTED[token.ppt]
  return wanted !== undefined && !wanted.some((name) => claimNames.includes(name))
}

function judgeOriginator(verdict: TokenVerdict, { asserted, from, localNumbers }: Parties): void {
  const { orig, findings, passport } = verdict
  if (orig === '' || asserted.size + from.size === 0) return
  if (asserted.has(orig)) verdict.origMatch = 'match'
  else if (from.has(orig)) {
    verdict.origMatch = 'match'
    if (asserted.size > 0 && passport.token.ppt === 'shaken') findings.push('orig_is_from_only')
  } else if (isLocalForm(orig, localNumbers)) {
    verdict.origMatch = 'match'
    findings.push('orig_without_country_code')
  } else {
    verdict.origMatch = 'mismatch'
    findings.push('orig_mismatch')
  }
}

/** 14155551000 against 4155551000, or 0 in its place: the signalling leaves out the country code (RFC 8224 §8.3). */
function isLocalForm(number: string, local: readonly string[]): boolean {
  return local.some((written) => {
    const national = written.replace(/^0{1,3}/, '')
    const missing = number.length - national.length
    return national.length >= LOCAL_DIGITS_MIN && missing >= 0 && missing <= 3 && number.endsWith(national)
  })
}

function compareParties(verdict: TokenVerdict, link: ChainLink, parties: Parties): void {
  const { dest, findings, passport } = verdict
  if (passport.problem !== '' || dest.length === 0 || parties.dest.size === 0) return
  const isTarget =
    dest.some((party) => parties.dest.has(party)) ||
    dest.some((party) => isLocalForm(party, parties.localDestinations))
  verdict.destMatch = isTarget || (link.isDiverted && link.chain === 'whole') ? 'match' : 'mismatch'
  if (!isTarget) findings.push(verdict.destMatch === 'match' ? 'dest_diverted' : 'dest_mismatch')
}

function verdictOf({ signature, findings }: TokenVerdict): Verdict {
  if (signature !== 'valid') return signature === 'invalid' ? 'failed' : 'not_checked'
  if (findings.some((finding) => FAILING_FINDINGS.has(finding))) return 'failed'
  return findings.includes('roots_not_configured') ? 'not_checked' : 'passed'
}

/** RFC 8946 §4.2 step 5: a chain is worth no more than each of its tokens, and a diversion than who signed for it. */
function weakenChains(verdicts: readonly TokenVerdict[], links: readonly ChainLink[]): void {
  for (const [index, verdict] of verdicts.entries()) {
    const seen = new Set<number>()
    const queue = [...links[index]!.previous]
    for (let other = queue.pop(); other !== undefined; other = queue.pop()) {
      if (seen.has(other)) continue
      seen.add(other)
      weaken(verdict, [verdicts[other]!.signature])
      queue.push(...links[other]!.previous)
    }
    if (!verdict.findings.includes('dest_diverted')) continue
    weaken(
      verdict,
      verdicts.filter((_, other) => links[other]!.previous.includes(index)).map(({ signature }) => signature),
    )
  }
}

/** @param others one of these signatures has to be valid */
function weaken(verdict: TokenVerdict, others: readonly Signature[]): void {
  if (verdict.verified !== 'passed' || others.includes('valid')) return
  verdict.verified = others.includes('not_checked') ? 'not_checked' : 'failed'
}

function chainToken(verdict: TokenVerdict, index: number, all: readonly TokenVerdict[]) {
  const { token, depth, claimNames } = verdict.passport
  const holder = depth === 0 ? -1 : index - 1
  const isLegible = verdict.passport.problem === ''
  return {
    // Of a token that cannot be read nothing is followed.
    ppt: isLegible ? token.ppt : '',
    orig: isLegible ? verdict.orig : '',
    dest: isLegible ? verdict.dest : [],
    div: isLegible ? token.div : '',
    hasOpt: claimNames.includes('opt'),
    holder: holder >= 0 && all[holder]!.position === verdict.position ? holder : -1,
    header: verdict.position,
  }
}
