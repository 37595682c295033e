/**
 * Whether an address is one of the public Internet: what a program may connect to when a stranger chose the address.
 *
 * Takes    an IPv4 or IPv6 address as text.
 * Returns  true only for what is surely global unicast. Everything else is false: loopback, private, link-local (metadata
 *          services live there), shared (CGNAT), multicast, unspecified, documentation, benchmarking and reserved ranges;
 *          of IPv6 all outside 2000::/3, and within it Teredo, ORCHID, 6to4 and documentation. Forms that carry an IPv4
 *          address (mapped, compatible, NAT64, 6to4, Teredo) are refused whatever the address in them.
 * Throws   nothing; a text that is no address is not public.
 * Source   the IANA special-purpose address registries (RFC 6890), RFC 6598, RFC 4291 §2.4; faults.md §4 point 6.
 */
import { addressBytes } from './ip-address.js'
import { readPrefix } from './ip-prefix.js'

const NOT_PUBLIC_V4 = ranges(
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
)

/** Within 2000::/3, the only part of IPv6 that is given out as global unicast. */
const NOT_PUBLIC_V6 = ranges('2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20')

export function isPublicAddress(text: string): boolean {
  // The zone of fe80::1%eth0 is no part of an address anybody may be sent to.
  if (text.includes('%') || text.includes('/')) return false
  const bytes = addressBytes(text)
  if (bytes === undefined) return false
  if (bytes.length === 4) return !NOT_PUBLIC_V4.some((range) => holds(range, bytes))
  return (bytes[0]! & 0xe0) === 0x20 && !NOT_PUBLIC_V6.some((range) => holds(range, bytes))
}

interface Range {
  bytes: Buffer
  bits: number
}

function ranges(...texts: string[]): Range[] {
  return texts.map((text) => {
    const prefix = readPrefix(text)!
    return { bytes: addressBytes(text.slice(0, text.indexOf('/')))!, bits: prefix.bits }
  })
}

function holds({ bytes, bits }: Range, address: Buffer): boolean {
  for (let at = 0; at < bits; at += 8) {
    const mask = bits - at >= 8 ? 0xff : (0xff00 >> (bits - at)) & 0xff
    if ((address[at >> 3]! & mask) !== (bytes[at >> 3]! & mask)) return false
  }
  return true
}
