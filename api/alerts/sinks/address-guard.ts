/**
 * Where a sink may stand: on public addresses, and on private ones where its configuration says so. The name is resolved
 * first, every address of the answer is judged, and the connection is pinned to what was judged: an answer that changes
 * afterwards changes nothing.
 *
 * Takes    the address of the sink. Returns the addresses to connect to, or the reason why not.
 * Throws   nothing.
 * Source   faults.md §4, 6 and 7; RFC 6890 and the IANA registries of special-purpose addresses.
 *
 * Link-local addresses (the metadata services of clouds stand there), multicast and the unspecified address are refused
 * always: no sink stands there.
 */
import { type LookupAddress, lookup } from 'node:dns'
import { isIP } from 'node:net'
import { addressBytes } from '../../../sip/ip-address.js'

/** `private`: this machine, private networks, CGNAT; `never`: no sink stands there. */
export type AddressKind = 'public' | 'private' | 'never'

export type Resolve = (hostname: string) => Promise<LookupAddress[]>

export type Guarded = { addresses: LookupAddress[] } | { refused: string }

/** First bytes, how many bits of them count, and what they are. Longer prefixes first. */
const IPV4: readonly [readonly number[], number, AddressKind][] = [
  [[0], 8, 'never'],
  [[10], 8, 'private'],
  [[100, 64], 10, 'private'],
  [[127], 8, 'private'],
  [[169, 254], 16, 'never'],
  [[172, 16], 12, 'private'],
  [[192, 0, 0], 24, 'never'],
  [[192, 168], 16, 'private'],
  [[198, 18], 15, 'private'],
  [[224], 4, 'never'],
  [[240], 4, 'never'],
]

export function addressKind(address: string): AddressKind {
  const bytes = addressBytes(address)
  if (bytes === undefined) return 'never'
  return bytes.length === 4 ? ipv4Kind(bytes) : ipv6Kind(bytes)
}

function ipv4Kind(bytes: Buffer): AddressKind {
  return IPV4.find(([prefix, bits]) => begins(bytes, prefix, bits))?.[2] ?? 'public'
}

/** Global unicast is 2000::/3; what carries an IPv4 address is as good as that one. */
function ipv6Kind(bytes: Buffer): AddressKind {
  const isMapped = begins(bytes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 96)
  // Not said to be public even where the IPv4 address is: nobody writes a sink so.
  if (isMapped) return ipv4Kind(bytes.subarray(12)) === 'never' ? 'never' : 'private'
  // NAT64 (RFC 6052) and 6to4 (RFC 3056).
  if (begins(bytes, [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], 96)) return ipv4Kind(bytes.subarray(12))
  if (begins(bytes, [0x20, 0x02], 16)) return ipv4Kind(bytes.subarray(2, 6))
  if (bytes.equals(IPV6_LOOPBACK) || begins(bytes, [0xfc], 7)) return metadataOr(bytes)
  // Teredo carries an address of anybody's choice.
  if (begins(bytes, [0x20, 0x01, 0, 0], 32)) return 'never'
  return begins(bytes, [0x20], 3) ? 'public' : 'never'
}

const IPV6_LOOPBACK = Buffer.from('00000000000000000000000000000001', 'hex')
/** fd00:ec2::254, the metadata service of a cloud, stands among the private ones. */
const IPV6_METADATA = Buffer.from('fd000ec2000000000000000000000254', 'hex')

function metadataOr(bytes: Buffer): AddressKind {
  return bytes.equals(IPV6_METADATA) ? 'never' : 'private'
}

function begins(bytes: Buffer, prefix: readonly number[], bits: number): boolean {
  for (let bit = 0; bit < bits; bit += 8) {
    const mask = bits - bit >= 8 ? 0xff : 0xff & (0xff << (8 - (bits - bit)))
    if ((bytes[bit / 8]! & mask) !== ((prefix[bit / 8] ?? 0) & mask)) return false
  }
  return true
}

/** @param hostname as in a URL: an IPv6 address stands in brackets */
export async function guardAddress(
  hostname: string,
  allowPrivate: boolean,
  resolve: Resolve = resolveAll,
): Promise<Guarded> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const family = isIP(host)
  let addresses: LookupAddress[]
  try {
    addresses = family === 0 ? await resolve(host) : [{ address: host, family }]
  } catch (error) {
    return {
      refused: `the name ${host} is not resolved (${(error as NodeJS.ErrnoException).code ?? 'failed'})`,
    }
  }
  if (addresses.length === 0) return { refused: `the name ${host} has no address` }
  // One that may not be spoken to spoils the answer: which of them is taken is nobody's choice.
  for (const { address } of addresses) {
    const kind = addressKind(address)
    if (kind === 'never') return { refused: `${address} is an address where no sink may stand` }
    if (kind === 'private' && !allowPrivate) {
      return { refused: `${address} is private; write allow_private: true for this sink if that is meant` }
    }
  }
  return { addresses }
}

const resolveAll: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) => {
      if (error === null) resolve(addresses)
      else reject(error)
    })
  })
