/** Tokens of one's own, signed with a fresh key, and the published ones (metrics.md §6). */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import type { VerifySignature } from '../../../evidence/identity/verification-worker.js'
import type {
  CallSignalling,
  FoundCertificate,
  TokenChecks,
} from '../../../evidence/identity/verify-token.js'
import { verifyTokens } from '../../../evidence/identity/verify-token.js'

export const V1 =
  'eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9.eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6IjE0NDMyMDgzNDUiLCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifX0.rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w'
export const V2 =
  'eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly93d3cuZXhhbXBsZS5jb20vY2VydC5jZXIifQ.eyJkZXN0Ijp7InRuIjpbIjEyMTU1NTUxMjEzIl19LCJpYXQiOjE0NDMyMDgzNDUsIm9yaWciOnsidG4iOiIxMjE1NTU1MTIxMiJ9fQ.1bEzkzcNbKvgz4QoMx0_DJ2T8qFMDC1sPqHPXl1WvbauzRJRvYlZqQ0qgGTlS8tJ_wXjVe07Z3wvDrdApHhhYw'
export const V3 =
  'eyJhbGciOiJFUzI1NiIsInBwdCI6ImRpdiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly93d3cuZXhhbXBsZS5jb20vY2VydC5jZXIifQ.eyJkZXN0Ijp7InRuIjpbIjEyMTU1NTUxMjE0Il19LCJkaXYiOnsidG4iOiIxMjE1NTU1NTEyMTMifSwiaWF0IjoxNDQzMjA4MzQ1LCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifX0.xBHWipDEEJ8a6TsdX6xUXAnblsFiGUiAxwLiv0HLC9IICj6eG9jQd6WzeSSjHRBwxmChHhVIiMTSqIlk3yCNkg'
/** The div-o token of RFC 8946 §6. */
export const DIV_O =
  'eyJhbGciOiJFUzI1NiIsInBwdCI6ImRpdi1vIiwidHlwIjoicGFzc3BvcnQiLCJ4NXUiOiJodHRwczovL3d3dy5leGFtcGxlLmNvbS9jZXJ0LmNlciJ9.eyJkZXN0Ijp7InRuIjoiMTIxNTU1NTEyMTQifSwiZGl2Ijp7InRuIjoiMTIxNTU1NTUxMjEzIn0sImlhdCI6MTQ0MzIwODM0NSwib3B0IjoiZXlKaGJHY2lPaUpGVXpJMU5pSXNJblI1Y0NJNkluQmhjM053YjNKMElpd2llRFYxSWpvaWFIUjBjSE02THk5M2QzY3VaWGhoYlhCc1pTNWpiMjB2WTJWeWRDNWpaWElpZlEuZXlKa1pYTjBJanA3SW5SdUlqcGJJakV5TVRVMU5UVXhNakV6SWwxOUxDSnBZWFFpT2pFME5ETXlNRGd6TkRVc0ltOXlhV2NpT25zaWRHNGlPaUl4TWpFMU5UVTFNVEl4TWlKOWZRLjFiRXpremNOYkt2Z3o0UW9NeDBfREoyVDhxRk1EQzFzUHFIUFhsMVd2YmF1elJKUnZZbFpxUTBxZ0dUbFM4dEpfd1hqVmUwN1ozd3ZEcmRBcEhoaFl3Iiwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19.CHeA9wRnthl7paMe6rP0TARpmFCXjmi_vF_HRz2O_oulB_R-G9xZNiLVvmvHv4gk6LILaDV2y2VtHTLIEgmHig'
/** RFC 8225 A.2, and of RFC 8946 App A. */
export const KEY_A2 =
  'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH78YTU8qLS8I5HLHSSmlATLcslQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g=='
export const KEY_8946 =
  'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmzGM1VsO+3IqbMF54rQMaYKQftO4hUYm9wv5wutLgEd9FsiTy3+4+Wa2O7pffOXPC0QzO+yD8hGEXGP/2mZo6w=='

export const X5U = 'https://cert.example.org/shaken.pem'
export const INVITED_S = 1_795_217_980

export const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const KEY = spkiOf(pair.publicKey)

export function spkiOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).toString('base64')
}

const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

export const CLAIMS = {
  attest: 'A',
  dest: { tn: ['13125550123'] },
  iat: INVITED_S - 4,
  orig: { tn: '14155551000' },
  origid: '11111111-2222-4333-8444-555555555555',
}

/** Signed with our key, or what `signed` makes of it. */
export function tokenOf(header: unknown, claims: unknown, key: KeyObject = pair.privateKey): string {
  const whole =
    typeof header === 'string'
      ? header
      : { alg: 'ES256', ppt: 'shaken', typ: 'passport', x5u: X5U, ...(header as object) }
  const text = `${part(whole)}.${part(claims)}`
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

export const INFO = `;info=<${X5U}>;alg=ES256;ppt=shaken`

export function shaken(claims: object = {}, header: object = {}): string {
  return `${tokenOf(header, { ...CLAIMS, ...claims })}${INFO}`
}

export const CALL: CallSignalling = {
  invitedAtUs: INVITED_S * 1e6,
  requestUri: 'sip:+13125550123@198.51.100.10:5060;user=phone',
  from: '"Agent" <sip:+14155551000@192.0.2.11:7000>;tag=1',
  to: '<sip:+13125550123@198.51.100.10>',
  assertedIdentities: ['<sip:+14155551000@192.0.2.11>'],
  date: '',
  isCut: false,
}

/** On this thread: the worker has a test of its own. */
export const verifyHere: VerifySignature = async ({ key, signed, signature }) => {
  const publicKey = createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' })
  return verify(
    'sha256',
    Buffer.from(signed, 'latin1'),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    signature,
  )
    ? 'valid'
    : 'invalid'
}

/** A certificate as far as a verdict looks at it: good for all times, trusted. */
export function certificateWith(key: string): FoundCertificate {
  return {
    trust: { fromMs: 0, toMs: 8e15 },
    certificate: {
      key,
      sha256: 'ab'.repeat(32),
      commonName: 'SHAKEN 709J',
      authority: { spcs: ['709J'], ranges: [], numbers: [] },
      notBeforeMs: 0,
      notAfterMs: 8e15,
      maySign: true,
      certificate: undefined as never,
      others: [],
    },
  }
}

export const checksWith = (found: FoundCertificate): TokenChecks => ({
  certificateOf: () => found,
  verify: verifyHere,
})

export async function verdictsOf(
  values: readonly string[],
  call: Partial<CallSignalling> = {},
  found: FoundCertificate = certificateWith(KEY),
) {
  return verifyTokens(values, { ...CALL, ...call }, checksWith(found))
}
