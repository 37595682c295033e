/**
 * IP addresses between their bytes and the one text form Trunkscope compares and stores.
 *
 * Takes    bytes at an offset, or a text.
 * Returns  IPv4 dotted; IPv6 in the canonical form of RFC 5952; an IPv4-mapped IPv6 address (::ffff:a.b.c.d)
 *          as plain IPv4, so that one far side has one name. `addressBytes` gives 4 or 16 bytes, or undefined.
 * Throws   nothing.
 * Source   RFC 5952 §4 (lower case, no leading zeros, the longest run of zeros as '::'), RFC 4291 §2.5.5.2.
 *
 * The IPv4 texts are cached in a table of fixed size: a new address overwrites the slot it shares with an old one.
 */
const CACHE_SLOTS = 4096
const cachedKeys = new Int32Array(CACHE_SLOTS)
const cachedTexts: (string | undefined)[] = new Array(CACHE_SLOTS).fill(undefined)

export function ipv4Text(bytes: Buffer, at: number): string {
  const key = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  const slot = (key ^ (key >>> 12) ^ (key >>> 24)) & (CACHE_SLOTS - 1)
  const cached = cachedTexts[slot]
  if (cached !== undefined && cachedKeys[slot] === key) return cached
  const text = `${key >>> 24}.${(key >>> 16) & 255}.${(key >>> 8) & 255}.${key & 255}`
  cachedKeys[slot] = key
  cachedTexts[slot] = text
  return text
}

export function ipv6Text(bytes: Buffer, at: number): string {
  if (isMappedIpv4(bytes, at)) return ipv4Text(bytes, at + 12)
  let runStart = -1
  let runLength = 1 // RFC 5952 §4.2.2: a single zero group is not shortened.
  let zeroStart = -1
  for (let group = 0; group < 8; group++) {
    if (bytes[at + 2 * group] !== 0 || bytes[at + 2 * group + 1] !== 0) {
      zeroStart = -1
      continue
    }
    if (zeroStart < 0) zeroStart = group
    if (group - zeroStart + 1 > runLength) {
      runStart = zeroStart
      runLength = group - zeroStart + 1
    }
  }
  let text = ''
  for (let group = 0; group < 8; group++) {
    if (group === runStart) {
      text += '::'
      group += runLength - 1
      continue
    }
    if (text !== '' && !text.endsWith(':')) text += ':'
    text += ((bytes[at + 2 * group]! << 8) | bytes[at + 2 * group + 1]!).toString(16)
  }
  return text
}

function isMappedIpv4(bytes: Buffer, at: number): boolean {
  if (bytes[at + 10] !== 255 || bytes[at + 11] !== 255) return false
  for (let index = 0; index < 10; index++) if (bytes[at + index] !== 0) return false
  return true
}

/** The bytes of an address text: 4 for IPv4, 16 for IPv6 (with or without '::' and a dotted tail). */
export function addressBytes(text: string): Buffer | undefined {
  return text.includes(':') ? ipv6Bytes(text) : ipv4Bytes(text)
}

function ipv4Bytes(text: string): Buffer | undefined {
  const parts = text.split('.', 5)
  if (parts.length !== 4) return undefined
  const bytes = Buffer.alloc(4)
  for (let index = 0; index < 4; index++) {
    const part = parts[index]!
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined
    bytes[index] = Number(part)
  }
  return bytes
}

function ipv6Bytes(text: string): Buffer | undefined {
  if (text.length > 45) return undefined
  const gap = text.indexOf('::')
  if (gap >= 0 && text.indexOf('::', gap + 1) >= 0) return undefined
  const head = groupBytes(gap < 0 ? text : text.slice(0, gap))
  const tail = groupBytes(gap < 0 ? '' : text.slice(gap + 2))
  if (head === undefined || tail === undefined) return undefined
  const size = head.length + tail.length
  if (gap < 0 ? size !== 16 : size > 14) return undefined
  return Buffer.concat([head, Buffer.alloc(16 - size), tail])
}

function groupBytes(text: string): Buffer | undefined {
  if (text === '') return Buffer.alloc(0)
  const bytes: number[] = []
  const groups = text.split(':')
  for (let index = 0; index < groups.length; index++) {
    const group = groups[index]!
    if (group.includes('.')) {
      const dotted = index === groups.length - 1 ? ipv4Bytes(group) : undefined
      if (dotted === undefined) return undefined
      bytes.push(...dotted)
      continue
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined
    const value = Number.parseInt(group, 16)
    bytes.push(value >> 8, value & 255)
  }
  return bytes.length > 16 ? undefined : Buffer.from(bytes)
}
