/**
 * A telephone number as the audit trail knows it: HMAC-SHA-256 under a key that the store does not hold. A plain hash of a
 * number is no secret, there are only some 10^10 of them (faults.md §4, 5).
 *
 * How      The text under the HMAC is the number without separators, + and 00; of a search for last digits "*" and these.
 *          Keys stand in a file, the first one writes, the others are looked with: so a key is changed by putting a new line
 *          above the old one, and the old one stays for as long as rows of it do. A key is named by eight hex digits of its
 *          SHA-256.
 * Takes    what somebody typed, as a search does (number-filter.ts).
 * Returns  undefined for what is no number.
 */
import { createHash, createHmac } from 'node:crypto'
import { readNumber, SUFFIX_MIN } from '../attempts/number-filter.js'

export interface NumberDigest {
  keyId: string
  /** Hex. */
  digest: string
}

export class NumberDigests {
  readonly #keys: readonly { id: string; key: string }[]

  /** @param keys the one to write with first */
  constructor(keys: readonly string[]) {
    this.#keys = keys.map((key) => ({ id: keyIdOf(key), key }))
  }

  /** undefined: not a number, or there is no key. */
  of(text: string): NumberDigest | undefined {
    const [current] = this.#keys
    const canonical = canonicalNumber(text)
    if (current === undefined || canonical === undefined) return undefined
    return { keyId: current.id, digest: digestOf(current.key, canonical) }
  }

  /**
   * Every digest that a search may have left that finds this number: the number itself, and each of its endings. Of an
   * ending ("*0100") the searches for that ending only: the numbers it belongs to cannot be told.
   */
  findersOf(text: string): string[] {
    const canonical = canonicalNumber(text)
    if (canonical === undefined) return []
    const texts = [canonical]
    if (!canonical.startsWith('*')) {
      for (let digits = SUFFIX_MIN; digits <= canonical.length; digits++) {
        texts.push(`*${canonical.slice(-digits)}`)
      }
    }
    return this.#keys.flatMap(({ key }) => texts.map((one) => digestOf(key, one)))
  }

  get hasKey(): boolean {
    return this.#keys.length > 0
  }
}

/** "12025550143"; "*0143" of a search for last digits. */
export function canonicalNumber(text: string): string | undefined {
  const number = readNumber(text)
  if (number === undefined) return undefined
  if (number.isSuffix) return `*${number.digits}`
  return number.digits.replace(/^00(?=[1-9])/, '')
}

const keyIdOf = (key: string) => createHash('sha256').update(`audit key ${key}`).digest('hex').slice(0, 8)
const digestOf = (key: string, text: string) => createHmac('sha256', key).update(text).digest('hex')
