/**
 * A captured packet, from its link header to what IP carries.
 *
 *   Ethernet      => destination(6) source(6) ( tag: 8100, 88a8, 9100 or 9200(uint16) tci(2) )* ethertype(uint16) packet
 *   Linux cooked  => v1: type(2) arphrd(2) address(10) ethertype(uint16); v2: ethertype(uint16) and 18 bytes more
 *   null, loop    => family(4) packet
 *   IPv4          => RFC 791 §3.1; IPv6 and its extension headers => RFC 8200 §3, §4
 *
 * Takes    the bytes of a packet and its link type.
 * Returns  addresses, protocol and payload as a view, whole or a fragment; or the reason why there is none.
 * Throws   nothing.
 *
 * An IP length of 0 is a segment that the network card was to cut: what was captured counts. Whatever stands behind the
 * IP packet (padding, a frame check sequence) is left out. Checksums are not looked at: on the sending machine they are
 * not made yet. Not read: tunnels (IP in IP, GRE, VXLAN, MPLS, PPPoE), jumbograms, and anything encrypted.
 */
import type { PcapReason } from '../schemas/pcap-reasons.js'
import { ipv4Text, ipv6Text } from './ip-address.js'

export const LINK_TYPE = {
  null: 0,
  ethernet: 1,
  rawOfOpenBsd: 14,
  rawOfOthers: 12,
  raw: 101,
  loop: 108,
  cooked: 113,
  ipv4: 228,
  ipv6: 229,
  cooked2: 276,
} as const

const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd
const TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100, 0x9200])
const TAGS_MAX = 8
const EXTENSIONS_MAX = 16

export interface IpPacket {
  sourceAddress: string
  destinationAddress: string
  protocol: number
  payload: Buffer
  /** The capture kept less than the packet had. */
  isCut: boolean
  /** undefined: the packet is whole. */
  fragment: Fragment | undefined
}

export interface Fragment {
  id: number
  offset: number
  hasMore: boolean
}

type Refusal = { reason: PcapReason }

export function ipPacketOf(linkType: number, bytes: Buffer): IpPacket | Refusal {
  const at = networkAt(linkType, bytes)
  if (typeof at !== 'number') return at
  const version = at < bytes.length ? bytes[at]! >> 4 : 0
  if (version === 4) return ipv4Packet(bytes, at)
  if (version === 6) return ipv6Packet(bytes, at)
  return { reason: at < bytes.length ? 'not_ip' : 'link_cut' }
}

/** Where the IP packet begins. */
function networkAt(linkType: number, bytes: Buffer): number | Refusal {
  switch (linkType) {
    case LINK_TYPE.ethernet:
      return behindTags(bytes, 12)
    case LINK_TYPE.cooked:
      return behindTags(bytes, 14)
    case LINK_TYPE.cooked2: {
      if (bytes.length < 20) return { reason: 'link_cut' }
      const type = bytes.readUInt16BE(0)
      return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6 ? 20 : { reason: 'not_ip' }
    }
    // The family has other numbers on each system; the version of IP tells the same.
    case LINK_TYPE.null:
    case LINK_TYPE.loop:
      return 4
    case LINK_TYPE.raw:
    case LINK_TYPE.rawOfOthers:
    case LINK_TYPE.rawOfOpenBsd:
    case LINK_TYPE.ipv4:
    case LINK_TYPE.ipv6:
      return 0
    default:
      return { reason: 'link_type_unknown' }
  }
}

function behindTags(bytes: Buffer, typeAt: number): number | Refusal {
  let at = typeAt
  for (let tags = 0; tags <= TAGS_MAX; tags++) {
    if (bytes.length < at + 2) return { reason: 'link_cut' }
    const type = bytes.readUInt16BE(at)
    if (type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6) return at + 2
    if (!TAGS.has(type)) break
    at += 4
  }
  return { reason: 'not_ip' }
}

function ipv4Packet(bytes: Buffer, at: number): IpPacket | Refusal {
  if (bytes.length - at < 20) return { reason: 'ip_damaged' }
  const headerLength = (bytes[at]! & 15) * 4
  const told = bytes.readUInt16BE(at + 2)
  const length = told === 0 ? bytes.length - at : told
  if (headerLength < 20 || headerLength > length || headerLength > bytes.length - at) {
    return { reason: 'ip_damaged' }
  }
  const place = bytes.readUInt16BE(at + 6)
  const offset = (place & 0x1fff) * 8
  const hasMore = (place & 0x2000) !== 0
  return {
    sourceAddress: ipv4Text(bytes, at + 12),
    destinationAddress: ipv4Text(bytes, at + 16),
    protocol: bytes[at + 9]!,
    payload: bytes.subarray(at + headerLength, Math.min(at + length, bytes.length)),
    isCut: at + length > bytes.length,
    fragment: offset === 0 && !hasMore ? undefined : { id: bytes.readUInt16BE(at + 4), offset, hasMore },
  }
}

function ipv6Packet(bytes: Buffer, at: number): IpPacket | Refusal {
  if (bytes.length - at < 40) return { reason: 'ip_damaged' }
  const told = bytes.readUInt16BE(at + 4)
  const wanted = told === 0 ? bytes.length : at + 40 + told
  const end = Math.min(wanted, bytes.length)
  const packet: IpPacket = {
    sourceAddress: ipv6Text(bytes, at + 8),
    destinationAddress: ipv6Text(bytes, at + 24),
    protocol: bytes[at + 6]!,
    payload: bytes.subarray(0, 0),
    isCut: wanted > bytes.length,
    fragment: undefined,
  }
  let from = at + 40
  for (let extensions = 0; extensions < EXTENSIONS_MAX; extensions++) {
    const length = extensionLength(packet.protocol, bytes, from, end)
    if (length === 0) {
      packet.payload = bytes.subarray(from, end)
      return packet
    }
    if (length > end - from) break
    if (packet.protocol === FRAGMENT) {
      const place = bytes.readUInt16BE(from + 2)
      const offset = place & 0xfff8
      const hasMore = (place & 1) !== 0
      // RFC 6946: a fragment that is alone is a whole packet.
      if (offset !== 0 || hasMore) {
        packet.fragment = { id: bytes.readUInt32BE(from + 4), offset, hasMore }
        packet.protocol = bytes[from]!
        packet.payload = bytes.subarray(from + length, end)
        return packet
      }
    }
    packet.protocol = bytes[from]!
    from += length
  }
  return { reason: 'ip_damaged' }
}

const FRAGMENT = 44
const AUTHENTICATION = 51
/** Hop-by-hop, routing, destination options, mobility, HIP, shim6: length in 8 bytes, the first 8 not counted. */
const OPTIONS: ReadonlySet<number> = new Set([0, 43, 60, 135, 139, 140])

/** Of the extension header at `from`; 0: it is none. Longer than what is left when it is cut. */
function extensionLength(protocol: number, bytes: Buffer, from: number, end: number): number {
  if (protocol === FRAGMENT) return 8
  const isOptions = OPTIONS.has(protocol)
  if (!isOptions && protocol !== AUTHENTICATION) return 0
  if (end - from < 2) return Number.POSITIVE_INFINITY
  return isOptions ? (bytes[from + 1]! + 1) * 8 : (bytes[from + 1]! + 2) * 4
}

/** What stands behind the extension headers of a datagram that was put together: they may follow the fragment header. */
export function behindExtensions(
  protocol: number,
  payload: Buffer,
): { protocol: number; payload: Buffer } | Refusal {
  let next = protocol
  let from = 0
  for (let extensions = 0; extensions < EXTENSIONS_MAX; extensions++) {
    // A fragment inside of fragments is nobody's packet.
    const length = next === FRAGMENT ? 0 : extensionLength(next, payload, from, payload.length)
    if (length === 0) return { protocol: next, payload: payload.subarray(from) }
    if (length > payload.length - from) break
    next = payload[from]!
    from += length
  }
  return { reason: 'ip_damaged' }
}
