/**
 * Identity headers as carriers and our own SBCs write them: a SHAKEN PASSporT in full form.
 *
 * Takes    who vouches for whom, how firmly, and when.
 * Returns  the value of the header; '' for a call nobody vouches for.
 * Throws   nothing.
 * Source   RFC 8224 §4, RFC 8225 §9 (keys in order, no white space), RFC 8588 §4.
 *
 * Signed with the key of who signs, where there is one (signers.ts). A signature costs about as much as all the rest of a
 * call, so without keys it is 64 random bytes: well-formed, but it verifies under no key.
 */
import { type KeyObject, sign } from 'node:crypto'
import type { Attestation } from '../../schemas/passport.js'
import { SeededRandom } from './seeded-random.js'
import { certificateUrlOf, type SigningKeys } from './signers.js'

const RANDOM_SIGNATURES = 256

export interface Claims {
  attestation: Attestation
  /** Who signs: a host name below `.example`. */
  signer: string
  /** E.164 with '+'. */
  caller: string
  callee: string
  issuedAtS: number
}

export class PassportWriter {
  readonly #keys: SigningKeys | undefined
  readonly #random: SeededRandom
  readonly #signatures: string[] = []
  #signed = 0
  readonly #headers = new Map<string, { encoded: string; parameters: string; originId: string }>()

  constructor(options: { seed: number | string; keys?: SigningKeys | undefined }) {
    this.#keys = options.keys
    this.#random = new SeededRandom(`${options.seed} passports`)
    const random = new SeededRandom(`${options.seed} signatures`)
    for (let index = 0; index < RANDOM_SIGNATURES; index++) {
      this.#signatures.push(Buffer.from(random.hex(16), 'hex').toString('base64url'))
    }
  }

  identity(claims: Claims): string {
    if (claims.attestation === 'none') return ''
    const { encoded, parameters, originId } = this.#headerOf(claims.signer)
    const orig = claims.caller.slice(1)
    const dest = claims.callee.slice(1)
    if (claims.attestation === 'malformed') return this.#malformed(encoded, parameters, orig, dest)
    const payload =
      `{"attest":"${claims.attestation}","dest":{"tn":["${dest}"]},"iat":${claims.issuedAtS},` +
      `"orig":{"tn":"${orig}"},"origid":"${originId}"}`
    const signed = `${encoded}.${base64url(payload)}`
    return `${signed}.${this.#signature(signed, this.#keys?.get(claims.signer))}${parameters}`
  }

  #signature(signed: string, key: KeyObject | undefined): string {
    if (key === undefined) return this.#signatures[this.#signed++ % RANDOM_SIGNATURES]!
    return sign('sha256', Buffer.from(signed, 'latin1'), { key, dsaEncoding: 'ieee-p1363' }).toString(
      'base64url',
    )
  }

  /** What goes wrong in the field: cut short by a gateway, claims that are no JSON, a level that does not exist. */
  #malformed(encoded: string, parameters: string, orig: string, dest: string): string {
    const kind = this.#random.integer(3)
    const claims = `{"attest":"D","dest":{"tn":["${dest}"]},"iat":0,"orig":{"tn":"${orig}"}}`
    if (kind === 0) return `${encoded}.${base64url(claims).slice(0, 40)}${parameters}`
    const payload = base64url(kind === 1 ? claims.slice(0, -9) : claims)
    return `${encoded}.${payload}.${'A'.repeat(86)}${parameters}`
  }

  #headerOf(signer: string) {
    let header = this.#headers.get(signer)
    if (header === undefined) {
      const certificate = certificateUrlOf(signer)
      const text = `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"${certificate}"}`
      const id = this.#random.hex(4)
      header = {
        encoded: base64url(text),
        parameters: `;info=<${certificate}>;alg=ES256;ppt="shaken"`,
        originId: `${id.slice(0, 8)}-${id.slice(8, 12)}-4${id.slice(13, 16)}-8${id.slice(17, 20)}-${id.slice(20)}`,
      }
      this.#headers.set(signer, header)
    }
    return header
  }
}

function base64url(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64url')
}
