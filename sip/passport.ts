/**
 * The Identity header (STIR/SHAKEN): what the token in it claims. Nothing is verified here.
 *
 *   Identity     => digest ";" "info=<" URI ">" *( ";" "alg=" token | ";" "ppt=" token )
 *   digest       => header "." payload "." signature     full form, each part base64url
 *                 | ".." signature                       compact form, its claims are rebuilt by the verifier
 *
 * Takes    one header value, or the tokens of one message in order of appearance.
 * Returns  `readIdentity`: an IdentityToken; `form` is 'malformed' and `problem` says why when it cannot be read.
 *          What was legible is filled in all the same. `attestationOf`: what the call is attested as.
 * Throws   nothing.
 * Source   RFC 8224 §4 and §8.3, RFC 8225 §5 and §8, RFC 8588, RFC 8946; metrics.md §6 and §11 point 3.
 *
 * Liberal where the texts disagree: base64 and base64url, ppt quoted or not, white space from folding inside the
 * token, iat as a string, dest.tn as a string. A header without `info` is accepted when its token is whole.
 *
 * [decision] A token with no ppt anywhere but with an attest claim counts as a shaken one: RFC 8588 registers the
 * claim, and RFC 8225 §8.1 asks for ppt only where support is mandatory. When header parameter and token disagree
 * about ppt, the token is right: it is the signed one. A shaken token in compact form has no legible attest
 * (RFC 8588 §3: not specified for SHAKEN), so the call's attestation is 'malformed'.
 */
import { hash } from 'node:crypto'
import type { Attestation, IdentityToken } from '../schemas/passport.js'
import { readParameters, readUri } from './uri.js'

/** Longer header values are not decoded. */
export const IDENTITY_MAX_CHARS = 16_384
/** Numbers and URIs kept of `dest`. */
export const DESTINATIONS_MAX = 32
/** A raw ES256 signature is 64 bytes. */
const SIGNATURE_CHARS = 86
/** Longest text taken over from a claim. */
const CLAIM_MAX_CHARS = 2_048

interface TokenHeader {
  legible: boolean
  ppt: string
  x5u: string
}

/** Headers repeat call after call (same certificate, same ppt): decoded ones are kept, and forgotten all at once. */
const HEADER_CACHE_MAX = 512
const HEADER_CACHE_KEY_MAX_CHARS = 512
const headerCache = new Map<string, TokenHeader>()

export function readIdentity(headerValue: string): IdentityToken {
  const token = emptyToken()
  if (headerValue.length > IDENTITY_MAX_CHARS) return malformed(token, 'too_long')
  const semicolon = headerValue.indexOf(';')
  const digest = withoutBlanks(semicolon < 0 ? headerValue : headerValue.slice(0, semicolon))
  token.tokenHash = hash('sha256', digest, 'hex').slice(0, 32)
  const parameters = readParameters(headerValue, semicolon < 0 ? headerValue.length : semicolon)
  const info = parameters.get('info')
  token.ppt = (parameters.get('ppt') ?? '').toLowerCase()

  const firstDot = digest.indexOf('.')
  const secondDot = firstDot < 0 ? -1 : digest.indexOf('.', firstDot + 1)
  const isCut = info === undefined // The parameters stand behind the token, so a cut takes them first.
  if (!isToken(digest) || secondDot < 0 || digest.indexOf('.', secondDot + 1) >= 0) {
    return malformed(token, isCut && isBeginning(digest) ? 'truncated' : 'not_a_token')
  }
  const signatureChars = digest.length - secondDot - 1
  const signatureCut = isCut && signatureChars < SIGNATURE_CHARS
  if (secondDot === 1) {
    token.x5u = withoutAngles(info ?? '')
    if (signatureChars === 0 || signatureCut) return malformed(token, isCut ? 'truncated' : 'not_a_token')
    token.form = 'compact'
    return token
  }
  if (firstDot === 0 || secondDot === firstDot + 1) return malformed(token, 'not_a_token')

  const header = readTokenHeader(digest.slice(0, firstDot))
  const claims = jsonObject(digest.slice(firstDot + 1, secondDot))
  if (header.ppt !== '') token.ppt = header.ppt
  token.x5u = header.x5u === '' ? withoutAngles(info ?? '') : header.x5u
  if (claims !== undefined) readClaims(claims, token)
  if (signatureCut) return malformed(token, 'truncated')
  if (signatureChars === 0) return malformed(token, 'not_a_token')
  if (!header.legible || claims === undefined) return malformed(token, 'bad_json')
  const isShaken = token.ppt === 'shaken' || (token.ppt === '' && claims.attest !== undefined)
  if (isShaken && token.attest === '') return malformed(token, 'bad_attest')
  token.form = 'full'
  return token
}

/**
 * How a call is attested: the first shaken token decides. Without one: 'malformed' when a token that could have
 * been shaken is malformed, or when all are; 'none' for no tokens, or only tokens of other kinds (div, rph, rcd).
 */
export function attestationOf(tokens: IdentityToken[]): Attestation {
  let mayHideOne = false
  let allMalformed = tokens.length > 0
  for (const token of tokens) {
    if (token.ppt === 'shaken' || (token.ppt === '' && token.attest !== '')) {
      const { attest } = token
      const isLegible = token.form === 'full' && (attest === 'A' || attest === 'B' || attest === 'C')
      return isLegible ? attest : 'malformed'
    }
    if (token.form !== 'malformed') allMalformed = false
    else if (token.ppt === '') mayHideOne = true
  }
  return mayHideOne || allMalformed ? 'malformed' : 'none'
}

function emptyToken(): IdentityToken {
  return {
    form: 'malformed',
    ppt: '',
    attest: '',
    orig: '',
    dest: [],
    iatS: 0,
    x5u: '',
    origId: '',
    div: '',
    tokenHash: '',
    problem: '',
  }
}

function malformed(token: IdentityToken, problem: IdentityToken['problem']): IdentityToken {
  token.form = 'malformed'
  token.problem = problem
  return token
}

function readTokenHeader(base64: string): TokenHeader {
  const cached = headerCache.get(base64)
  if (cached !== undefined) return cached
  const json = jsonObject(base64)
  const header = {
    legible: json !== undefined,
    ppt: textOf(json?.ppt).toLowerCase(),
    x5u: textOf(json?.x5u),
  }
  if (base64.length <= HEADER_CACHE_KEY_MAX_CHARS) {
    if (headerCache.size >= HEADER_CACHE_MAX) headerCache.clear()
    // A copy: a slice as key would keep the whole message.
    headerCache.set(Buffer.from(base64, 'latin1').toString('latin1'), header)
  }
  return header
}

function readClaims(claims: Record<string, unknown>, token: IdentityToken): void {
  if (token.ppt === 'shaken' || token.ppt === '') {
    const attest = claims.attest
    if (attest === 'A' || attest === 'B' || attest === 'C') token.attest = attest
  }
  token.orig = partiesOf(claims.orig)[0] ?? ''
  token.dest = partiesOf(claims.dest)
  token.iatS = secondsOf(claims.iat)
  token.origId = textOf(claims.origid)
  if (token.ppt === 'div' || token.ppt === 'div-o') token.div = partiesOf(claims.div)[0] ?? ''
}

/** `{"tn": "…"}`, `{"tn": ["…"]}`, `{"uri": …}` or both: telephone numbers first, then URIs. */
function partiesOf(claim: unknown): string[] {
  if (typeof claim !== 'object' || claim === null) return []
  const { tn, uri } = claim as { tn?: unknown; uri?: unknown }
  const parties: string[] = []
  for (const number of Array.isArray(tn) ? tn : [tn]) {
    const text = typeof number === 'number' ? String(number) : textOf(number)
    if (text !== '' && parties.length < DESTINATIONS_MAX) parties.push(canonicalNumber(text))
  }
  for (const address of Array.isArray(uri) ? uri : [uri]) {
    const text = textOf(address)
    if (text !== '' && parties.length < DESTINATIONS_MAX) parties.push(canonicalUri(text))
  }
  return parties
}

/** RFC 8224 §8.3: no '+', no separators; digits, '#' and '*' stay. */
export function canonicalNumber(text: string): string {
  let number = ''
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if ((code >= 0x30 && code <= 0x39) || code === 0x23 || code === 0x2a) number += text[at]
  }
  return number
}

/** RFC 8224 §8.5: scheme, user and host in lower case, without port and parameters. */
export function canonicalUri(text: string): string {
  const { scheme, user, host } = readUri(text)
  if (scheme !== 'sip' && scheme !== 'sips') return text.toLowerCase()
  return user === '' ? `${scheme}:${host}` : `${scheme}:${user.toLowerCase()}@${host}`
}

/** A number or the text of one, up to 2106; 0 for anything else. */
function secondsOf(value: unknown): number {
  const seconds = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds < 2 ** 32)) return 0
  return Math.floor(seconds)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, CLAIM_MAX_CHARS) : ''
}

function jsonObject(base64: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString('utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return value as Record<string, unknown>
  } catch {
    return undefined // Not JSON: the caller says 'bad_json'.
  }
}

/** Only characters of base64, base64url and the dots between the parts. */
function isToken(digest: string): boolean {
  return TOKEN_TEXT.test(digest) // One class of characters: linear.
}

const TOKEN_TEXT = /^[A-Za-z0-9+/_=.-]+$/

/** Whether a digest with too few parts can be the beginning of a token: its header is JSON in base64, or cut. */
function isBeginning(digest: string): boolean {
  return isToken(digest) && (digest.startsWith('eyJ') || digest.startsWith('.'))
}

function withoutBlanks(text: string): string {
  return /[ \t\r\n]/.test(text) ? text.replace(/[ \t\r\n]+/g, '') : text
}

function withoutAngles(text: string): string {
  if (!text.startsWith('<')) return text
  const close = text.indexOf('>')
  return close < 0 ? '' : text.slice(1, close).trim()
}
