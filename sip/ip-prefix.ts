/**
 * Addresses and CIDRs as numbers, and a table that finds the prefixes an address lies in, longest first.
 *
 * Takes    texts: "192.0.2.10", "192.0.2.0/24", "2001:db8::/32", "::ffff:192.0.2.10" (which is 192.0.2.10).
 * Returns  what `readPrefix` and `readAddress` say, or undefined when the text is neither.
 * Throws   nothing.
 *
 * An IPv4 address is one 32-bit word, an IPv6 address four; a prefix keeps its words with the bits behind the prefix
 * set to zero. The table has a map a length, so a look-up costs as many probes as there are different lengths.
 */
import { addressBytes } from './ip-address.js'

export interface Address {
  family: 4 | 6
  words: readonly number[]
}

export interface Prefix extends Address {
  bits: number
}

export function readAddress(text: string): Address | undefined {
  const bytes = addressBytes(text)
  if (bytes === undefined) return undefined
  const words: number[] = []
  for (let at = 0; at < bytes.length; at += 4) words.push(bytes.readUInt32BE(at))
  if (words.length === 1) return { family: 4, words }
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return { family: 4, words: [words[3]!] }
  return { family: 6, words }
}

export function readPrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  const addressText = slash < 0 ? text : text.slice(0, slash)
  const address = readAddress(addressText)
  if (address === undefined) return undefined
  const all = 32 * address.words.length
  if (slash < 0) return { ...address, bits: all }
  if (!/^\d{1,3}$/.test(text.slice(slash + 1))) return undefined
  let bits = Number(text.slice(slash + 1))
  // ::ffff:192.0.2.0/120 is 192.0.2.0/24; a shorter one, ::ffff:0:0/90, covers IPv6 only.
  if (address.family === 4 && addressText.includes(':')) {
    if (bits < 96) {
      const mapped = { family: 6 as const, words: [0, 0, 0xffff, address.words[0]!] }
      return { family: 6, words: masked(mapped, bits), bits }
    }
    bits -= 96
  }
  return bits > all ? undefined : { family: address.family, words: masked(address, bits), bits }
}

/** The words with every bit behind the first `bits` set to zero. */
function masked(address: Address, bits: number): number[] {
  return address.words.map((word, index) => {
    const kept = Math.min(32, Math.max(0, bits - 32 * index))
    return kept === 0 ? 0 : (word & (0xffff_ffff << (32 - kept))) >>> 0
  })
}

/** "192.0.2.0/24": the network the prefix stands for, in one form for equal prefixes. */
export function prefixText(prefix: Prefix): string {
  if (prefix.family === 4) {
    const word = prefix.words[0]!
    return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}/${prefix.bits}`
  }
  const groups = prefix.words
    .flatMap((word) => [word >>> 16, word & 0xffff])
    .map((group) => group.toString(16))
  while (groups.length > 1 && groups.at(-1) === '0') groups.pop()
  return groups.length === 8 ? `${groups.join(':')}/${prefix.bits}` : `${groups.join(':')}::/${prefix.bits}`
}

/** Whether the text names a network and not one of its addresses: 192.0.2.0/24 does, 192.0.2.10/24 does not. */
export function isNetwork(text: string): boolean {
  const slash = text.indexOf('/')
  const prefix = readPrefix(text)
  const address = readAddress(slash < 0 ? text : text.slice(0, slash))
  if (prefix === undefined || address === undefined) return false
  if (prefix.family !== address.family) return true
  return prefix.words.every((word, index) => word === address.words[index])
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  if (a.family !== b.family) return false
  const shorter = Math.min(a.bits, b.bits)
  return keyOf(a, shorter) === keyOf(b, shorter)
}

function keyOf(address: Address, bits: number): string {
  return masked(address, bits).join('.')
}

export class PrefixTable<Value> {
  private readonly lengths = { 4: [] as number[], 6: [] as number[] }
  private readonly maps = new Map<number, Map<string, Value[]>>()

  add(prefix: Prefix, value: Value): void {
    const slot = mapSlot(prefix.family, prefix.bits)
    let values = this.maps.get(slot)
    if (values === undefined) {
      values = new Map()
      this.maps.set(slot, values)
      this.lengths[prefix.family].push(prefix.bits)
      this.lengths[prefix.family].sort((a, b) => b - a)
    }
    const key = keyOf(prefix, prefix.bits)
    const entries = values.get(key)
    if (entries === undefined) values.set(key, [value])
    else entries.push(value)
  }

  /** The values of every prefix the address lies in: the longest prefix first, equal ones as they were added. */
  matches(address: Address): { bits: number; values: readonly Value[] }[] {
    const found: { bits: number; values: readonly Value[] }[] = []
    for (const bits of this.lengths[address.family]) {
      const values = this.maps.get(mapSlot(address.family, bits))?.get(keyOf(address, bits))
      if (values !== undefined) found.push({ bits, values })
    }
    return found
  }
}

function mapSlot(family: 4 | 6, bits: number): number {
  return family * 1_000 + bits
}
