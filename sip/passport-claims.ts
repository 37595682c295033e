/**
 * A PASSporT with everything in it, for whoever checks its signature: passport.ts reads on the hot path what a call is
 * attested as, this file reads again what that leaves out.
 *
 *   full      => header "." payload "." signature     signed are the bytes of `header "." payload` as they were received
 *   compact   => ".." signature                       signed is what `rebuiltClaims` makes of Date, From and To
 *   div-o     => its payload holds another token, `opt`, which may hold another (RFC 8946 §5)
 *
 * Takes    one Identity header value; whether the message ends with it, unfinished.
 * Returns  `readPassport`: the token as passport.ts reads it, with the texts, the signature and the parameters beside it;
 *          `problem` says why it cannot be checked. `partyForms`: what an originator or a destination of the signalling may
 *          be called in a token. `rebuiltClaims`: the texts that a compact token may have been signed over.
 * Throws   nothing. Time and memory are bounded by IDENTITY_MAX_CHARS and OPT_DEPTH_MAX.
 * Source   RFC 8224 §4, §6.2 and §8; RFC 8225 §4 to §9; RFC 8443, RFC 9027 (rph, sph), RFC 8946, RFC 9795 (rcd).
 */
import type { IdentityToken } from '../schemas/passport.js'
import { canonicalNumber, canonicalUri, IDENTITY_MAX_CHARS, readIdentity } from './passport.js'
import { readNameAddr, readParameters, readUri } from './uri.js'

/** Tokens inside tokens. Each is base64 in base64, a third longer: hostile ones end soon. */
export const OPT_DEPTH_MAX = 4
/** A raw ES256 signature: r and s, 32 bytes each. */
export const SIGNATURE_BYTES = 64
/** Of claims that are kept as they came. */
const CLAIMS_MAX_CHARS = 4_096
/** Deeper claims are in no registered form. */
const CANONICAL_DEPTH_MAX = 8

export interface Passport {
  token: IdentityToken
  problem: '' | 'truncated' | 'too_long' | 'not_a_token' | 'bad_json'
  /** The token without white space and parameters. */
  digest: string
  /** What the signature is over; '' of a compact token. */
  signed: string
  signature: Buffer
  header: { alg: string; typ: string; hasCrit: boolean }
  /** Names of the claims at the top. */
  claimNames: readonly string[]
  isCanonical: boolean
  /** Claims of kinds that are not read here, as JSON text; '' for the others. */
  rawClaims: string
  /** Parameters of the header; undefined: not there. A nested token has none. */
  info: string | undefined
  alg: string | undefined
  ppt: string | undefined
  /** How many tokens this one is nested in. */
  depth: number
  /** Of a div-o token. */
  opt: Passport | undefined
  isOptTooDeep: boolean
}

const READ_WHOLE: ReadonlySet<string> = new Set(['', 'shaken', 'div', 'div-o'])

/** @param isCut the message ends within this header */
export function readPassport(value: string, isCut = false, depth = 0): Passport {
  const written = isCut ? withoutCutParameter(value) : value
  const token = readIdentity(written)
  const semicolon = written.indexOf(';')
  const digest = (semicolon < 0 ? written : written.slice(0, semicolon))
    .slice(0, IDENTITY_MAX_CHARS)
    .replace(/[ \t\r\n]+/g, '')
  const parameters = readParameters(
    written.slice(0, IDENTITY_MAX_CHARS),
    semicolon < 0 ? written.length : semicolon,
  )
  const info = parameters.get('info')
  const passport: Passport = {
    token,
    problem: '',
    digest,
    signed: '',
    signature: EMPTY,
    header: { alg: '', typ: '', hasCrit: false },
    claimNames: [],
    isCanonical: true,
    rawClaims: '',
    info: info === undefined ? undefined : withoutAngles(info),
    alg: parameters.get('alg'),
    ppt: parameters.get('ppt')?.toLowerCase(),
    depth,
    opt: undefined,
    isOptTooDeep: false,
  }
  passport.problem = problemOf(passport, isCut)
  if (passport.problem !== '') return passport
  const lastDot = digest.lastIndexOf('.')
  passport.signature = Buffer.from(digest.slice(lastDot + 1), 'base64')
  if (token.form === 'compact') {
    passport.header.alg = passport.alg ?? 'ES256'
    passport.header.typ = 'passport'
    return passport
  }
  passport.signed = digest.slice(0, lastDot)
  readParts(passport)
  return passport
}

const EMPTY = Buffer.alloc(0)

/** A parameter that the cut went through says nothing. */
function withoutCutParameter(value: string): string {
  const last = value.lastIndexOf(';')
  return last < 0 ? value : value.slice(0, last)
}

/** passport.ts calls a token malformed that has no attest; here that is a finding, and its signature is checked. */
function problemOf({ token, depth }: Passport, isCut: boolean): Passport['problem'] {
  const { problem } = token
  if (token.form !== 'malformed' || problem === 'bad_attest' || problem === '') return ''
  if (problem === 'too_long') return 'too_long'
  // What is nested was signed as it stands: nobody cut it on its way.
  if (depth > 0) return problem === 'truncated' ? 'not_a_token' : problem
  return isCut ? 'truncated' : problem
}

function readParts(passport: Passport): void {
  const [headerPart, payloadPart] = passport.signed.split('.') as [string, string]
  const header = objectOf(textOfPart(headerPart))
  const payload = textOfPart(payloadPart)
  const claims = objectOf(payload)
  if (header === undefined || claims === undefined) {
    passport.problem = 'bad_json'
    return
  }
  passport.header = { alg: wordOf(header.alg), typ: wordOf(header.typ), hasCrit: 'crit' in header }
  passport.claimNames = Object.keys(claims).slice(0, 64)
  passport.isCanonical = isCanonical(textOfPart(headerPart), header) && isCanonical(payload, claims)
  if (!READ_WHOLE.has(passport.token.ppt)) passport.rawClaims = payload.slice(0, CLAIMS_MAX_CHARS)
  if (passport.token.ppt !== 'div-o' || typeof claims.opt !== 'string') return
  if (passport.depth >= OPT_DEPTH_MAX) passport.isOptTooDeep = true
  else passport.opt = readPassport(claims.opt, false, passport.depth + 1)
}

/** The token and what is nested in it, the outermost first. */
export function withNested(passport: Passport): Passport[] {
  const all: Passport[] = []
  for (let next: Passport | undefined = passport; next !== undefined; next = next.opt) all.push(next)
  return all
}

function textOfPart(part: string): string {
  return Buffer.from(part, 'base64').toString('utf8')
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined // The caller says 'bad_json'.
  }
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 64) : ''
}

/** RFC 8225 §9: names in lexicographic order, no white space. */
function isCanonical(text: string, value: unknown): boolean {
  try {
    return JSON.stringify(sorted(value, 0)) === text
  } catch {
    return false // Nested too deep.
  }
}

function sorted(value: unknown, depth: number): unknown {
  if (depth > CANONICAL_DEPTH_MAX) throw new RangeError('nested too deep')
  if (Array.isArray(value)) return value.map((entry) => sorted(entry, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner, depth + 1)]))
}

function withoutAngles(text: string): string {
  return text.startsWith('<') ? text.slice(1, text.endsWith('>') ? -1 : undefined).trim() : text
}

/** What a party of the signalling may be called in a token, the preferred form first. Empty: it has no name. */
export interface PartyForms {
  /** Canonical telephone number, '' where the user is none. */
  tn: string
  /** sip:user@host, '' for a tel URI. */
  uri: string
  /** With '+', so that the country code is certain. */
  isGlobal: boolean
}

/** @param value a whole From, To or P-Asserted-Identity, or a URI */
export function partyForms(value: string): PartyForms {
  const address = readNameAddr(value).uri
  const { scheme, user, host } = readUri(address)
  // Names below .invalid are nobody's (RFC 3323 §4.1.1.3).
  if (user.toLowerCase() === 'anonymous' || host.endsWith('.invalid'))
    return { tn: '', uri: '', isGlobal: false }
  const isNumber = /^\+?[0-9*#.()\- ]+$/.test(user) && /[0-9*#]/.test(user)
  const isSip = scheme === 'sip' || scheme === 'sips'
  return {
    tn: isNumber && (isSip || scheme === 'tel') ? canonicalNumber(user) : '',
    uri: isSip && host !== '' ? canonicalUri(address) : '',
    isGlobal: user.startsWith('+'),
  }
}

export interface RebuiltClaims {
  /** header "." payload, as the signer must have had it (RFC 8225 §7 and §9). */
  signed: string
  orig: string
  dest: string
  iatS: number
}

/**
 * What a compact token may have been signed over, the likeliest first: originator from P-Asserted-Identity or From,
 * destination from To. The time as a number, and then as a text, as the example of RFC 8225 §7.1 has it.
 */
export function rebuiltClaims(
  x5u: string,
  call: { from: string; to: string; assertedIdentities: readonly string[]; date: string },
): RebuiltClaims[] {
  const iatS = Math.floor(Date.parse(call.date) / 1_000)
  if (!/\bGMT$/.test(call.date) || !Number.isSafeInteger(iatS)) return []
  const origs = [call.from, ...call.assertedIdentities.slice(0, 2)].map(partyForms).filter(isNamed)
  const dests = [partyForms(call.to)].filter(isNamed)
  const header = encoded({ alg: 'ES256', typ: 'passport', x5u })
  const seen = new Set<string>()
  return [iatS, String(iatS)].flatMap((iat) =>
    origs.flatMap((orig) =>
      dests.flatMap((dest) => {
        const claims = {
          dest: dest.tn !== '' ? { tn: [dest.tn] } : { uri: [dest.uri] },
          iat,
          orig: orig.tn !== '' ? { tn: orig.tn } : { uri: orig.uri },
        }
        const signed = `${header}.${encoded(claims)}`
        if (seen.has(signed)) return []
        seen.add(signed)
        return [{ signed, orig: orig.tn || orig.uri, dest: dest.tn || dest.uri, iatS }]
      }),
    ),
  )
}

const isNamed = ({ tn, uri }: PartyForms) => tn !== '' || uri !== ''

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
