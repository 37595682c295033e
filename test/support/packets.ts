/** Packets and capture files put together by hand, for the tests of what reads them. */
import { addressBytes } from '../../sip/ip-address.js'

export interface Route {
  source: string
  sourcePort: number
  destination: string
  destinationPort: number
}

export const ROUTE: Route = {
  source: '192.0.2.11',
  sourcePort: 5060,
  destination: '198.51.100.10',
  destinationPort: 5070,
}
export const ROUTE6: Route = { ...ROUTE, source: '2001:db8::11', destination: '2001:db8:1::10' }

export function sip(callId: string, body = '', method = 'INVITE'): Buffer {
  return Buffer.from(
    `${method} sip:+12155550100@198.51.100.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK-${callId}\r\n` +
      `From: <sip:+12155550101@a.example>;tag=a\r\nTo: <sip:+12155550100@b.example>\r\nCall-ID: ${callId}\r\n` +
      `CSeq: 1 ${method}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

export function udp({ sourcePort, destinationPort }: Route, payload: Buffer): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16BE(sourcePort, 0)
  header.writeUInt16BE(destinationPort, 2)
  header.writeUInt16BE(8 + payload.length, 4)
  return Buffer.concat([header, payload])
}

export const SYN = 2
export const FIN = 1
export const RST = 4

export function tcp(
  { sourcePort, destinationPort }: Route,
  sequence: number,
  payload: Buffer,
  flags = 16,
): Buffer {
  // With an option, so that the length of the header counts.
  const header = Buffer.alloc(24)
  header.writeUInt16BE(sourcePort, 0)
  header.writeUInt16BE(destinationPort, 2)
  header.writeUInt32BE(sequence >>> 0, 4)
  header[12] = 0x60
  header[13] = flags
  header.fill(1, 20)
  return Buffer.concat([header, payload])
}

export interface Place {
  id: number
  offset: number
  hasMore: boolean
}

export function ip(route: Route, protocol: number, payload: Buffer, place?: Place): Buffer {
  return route.source.includes(':')
    ? ipv6(route, protocol, payload, place)
    : ipv4(route, protocol, payload, place)
}

function ipv4(route: Route, protocol: number, payload: Buffer, place?: Place): Buffer {
  const header = Buffer.alloc(24) // With an option.
  header[0] = 0x46
  header.writeUInt16BE(header.length + payload.length, 2)
  if (place !== undefined) {
    header.writeUInt16BE(place.id & 0xffff, 4)
    header.writeUInt16BE((place.hasMore ? 0x2000 : 0) | (place.offset / 8), 6)
  }
  header[8] = 64
  header[9] = protocol
  addressBytes(route.source)!.copy(header, 12)
  addressBytes(route.destination)!.copy(header, 16)
  header.fill(1, 20)
  return Buffer.concat([header, payload])
}

function ipv6(route: Route, protocol: number, payload: Buffer, place?: Place): Buffer {
  const hopByHop = Buffer.alloc(16)
  hopByHop[1] = 1
  const fragment = Buffer.alloc(place === undefined ? 0 : 8)
  if (place !== undefined) {
    hopByHop[0] = 44
    fragment[0] = protocol
    fragment.writeUInt16BE(place.offset | (place.hasMore ? 1 : 0), 2)
    fragment.writeUInt32BE(place.id, 4)
  } else hopByHop[0] = protocol
  const header = Buffer.alloc(40)
  header[0] = 0x60
  header.writeUInt16BE(hopByHop.length + fragment.length + payload.length, 4)
  addressBytes(route.source)!.copy(header, 8)
  addressBytes(route.destination)!.copy(header, 24)
  return Buffer.concat([header, hopByHop, fragment, payload])
}

/** In fragments of at most `size` bytes, which is rounded up to a multiple of 8. */
export function fragmentsOf(route: Route, protocol: number, payload: Buffer, size: number, id = 7): Buffer[] {
  const step = Math.ceil(size / 8) * 8
  const parts: Buffer[] = []
  for (let offset = 0; offset < payload.length; offset += step) {
    const part = payload.subarray(offset, offset + step)
    parts.push(ip(route, protocol, part, { id, offset, hasMore: offset + step < payload.length }))
  }
  return parts
}

export const datagram = (payload: Buffer, route = ROUTE) => ip(route, 17, udp(route, payload))

const ethertype = (packet: Buffer) => [packet[0]! >> 4 === 4 ? 0x0800 : 0x86dd]
const words = (...numbers: number[]) => Buffer.from(numbers.flatMap((number) => [number >> 8, number & 255]))

/** A link header in front of a packet; the number is that of the link type. */
export const LINKS: Record<string, [linkType: number, (packet: Buffer) => Buffer]> = {
  ethernet: [
    1,
    (packet) => Buffer.concat([Buffer.alloc(12), words(...ethertype(packet)), packet, Buffer.alloc(9)]),
  ],
  vlan: [1, (packet) => Buffer.concat([Buffer.alloc(12), words(0x8100, 42, ...ethertype(packet)), packet])],
  qinq: [
    1,
    (packet) => Buffer.concat([Buffer.alloc(12), words(0x88a8, 7, 0x8100, 42, ...ethertype(packet)), packet]),
  ],
  cooked: [113, (packet) => Buffer.concat([Buffer.alloc(14), words(...ethertype(packet)), packet])],
  cooked2: [276, (packet) => Buffer.concat([words(...ethertype(packet)), Buffer.alloc(18), packet])],
  null: [0, (packet) => Buffer.concat([Buffer.from([2, 0, 0, 0]), packet])],
  loop: [108, (packet) => Buffer.concat([Buffer.from([0, 0, 0, 24]), packet])],
  raw: [101, (packet) => packet],
  raw12: [12, (packet) => packet],
}

export interface Captured {
  atUs: number
  bytes: Buffer
  originalLength?: number
}

export interface PcapForm {
  isLittleEndian?: boolean
  isNano?: boolean
  linkType?: number
}

export function pcap(packets: readonly Captured[], form: PcapForm = {}): Buffer {
  const { isLittleEndian = true, isNano = false, linkType = 101 } = form
  const uint32 = (...numbers: number[]) => uint32s(numbers, isLittleEndian)
  const version = isLittleEndian ? Buffer.from([2, 0, 4, 0]) : Buffer.from([0, 2, 0, 4])
  return Buffer.concat([
    uint32(isNano ? 0xa1b23c4d : 0xa1b2c3d4),
    version,
    uint32(0, 0, 262_144, linkType),
    ...packets.flatMap(({ atUs, bytes, originalLength = bytes.length }) => [
      uint32(Math.floor(atUs / 1e6), (atUs % 1e6) * (isNano ? 1_000 : 1), bytes.length, originalLength),
      bytes,
    ]),
  ])
}

export function uint32s(numbers: readonly number[], isLittleEndian: boolean): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length)
  numbers.forEach((number, index) => {
    if (isLittleEndian) bytes.writeUInt32LE(number >>> 0, 4 * index)
    else bytes.writeUInt32BE(number >>> 0, 4 * index)
  })
  return bytes
}

/** Blocks of pcapng in one byte order. */
export class Blocks {
  constructor(readonly isLittleEndian: boolean) {}

  uint32(...numbers: number[]): Buffer {
    return uint32s(numbers, this.isLittleEndian)
  }

  uint16(...numbers: number[]): Buffer {
    const bytes = Buffer.alloc(2 * numbers.length)
    numbers.forEach((number, index) => {
      if (this.isLittleEndian) bytes.writeUInt16LE(number, 2 * index)
      else bytes.writeUInt16BE(number, 2 * index)
    })
    return bytes
  }

  block(type: number, ...parts: Buffer[]): Buffer {
    const body = Buffer.concat(parts)
    const padding = Buffer.alloc((4 - (body.length % 4)) % 4)
    const length = 12 + body.length + padding.length
    return Buffer.concat([this.uint32(type, length), body, padding, this.uint32(length)])
  }

  section(): Buffer {
    return this.block(
      0x0a0d0d0a,
      this.uint32(0x1a2b3c4d),
      this.uint16(1, 0),
      this.uint32(0xffff_ffff, 0xffff_ffff),
    )
  }

  interface(linkType: number, options: readonly (readonly [code: number, value: Buffer])[] = []): Buffer {
    return this.block(
      1,
      this.uint16(linkType, 0),
      this.uint32(0),
      ...options.flatMap(([code, value]) => [
        this.uint16(code, value.length),
        value,
        Buffer.alloc((4 - (value.length % 4)) % 4),
      ]),
      this.uint16(0, 0),
    )
  }

  packet(index: number, units: bigint, bytes: Buffer): Buffer {
    const time = [Number(units >> 32n), Number(units & 0xffff_ffffn)]
    return this.block(6, this.uint32(index, ...time, bytes.length, bytes.length), bytes)
  }

  simplePacket(bytes: Buffer): Buffer {
    return this.block(3, this.uint32(bytes.length), bytes)
  }
}
