/**
 * pcapng: blocks of a section, packets of the interfaces that it describes.
 *
 *   block               => type(uint32) length(uint32, all of it) body(length - 12) length(uint32, again)
 *   section header      => type 0a0d0d0a; body: 1a2b3c4d(uint32) major(uint16) minor(uint16) section_length(int64) options
 *   interface           => type 1; body: link_type(uint16) reserved(uint16) snap_length(uint32) options
 *   enhanced packet     => type 6; body: interface(uint32) time(2 × uint32) captured(uint32) original(uint32) bytes options
 *   simple packet       => type 3; body: original(uint32) bytes; of interface 0, without a time
 *   packet (obsolete)   => type 2; body: interface(uint16) drops(uint16) then as an enhanced packet
 *   option              => code(uint16) length(uint16) value, padded to 4; 9: resolution of times, 14: their offset in seconds
 *
 * Each section has a byte order and interfaces of its own. Blocks of other types are skipped by their length, however long
 * they are. See pcap.ts for the rest.
 */
import type { FileReason } from '../schemas/pcap-reasons.js'
import { type FormatReader, PACKET_MAX_BYTES, type PacketSink } from './pcap-packet.js'

const SECTION = 0x0a0d0d0a
const INTERFACE = 1
const PACKET = 2
const SIMPLE_PACKET = 3
const ENHANCED_PACKET = 6

const BLOCK_HEADER_BYTES = 8
const BLOCK_BYTES_MIN = 12
/** A block that is read is at hand as a whole; a packet with its options, or an interface with its names, is shorter. */
const READ_BLOCK_MAX_BYTES = PACKET_MAX_BYTES + 65_536
const INTERFACES_MAX = 1_024
const OPTION_RESOLUTION = 9
const OPTION_OFFSET = 14

const SECONDS_MAX = 2n ** 32n
const UNITS_TOLD = BigInt(1e6)

interface Interface {
  linkType: number
  snapLength: number
  unitsPerSecond: bigint
  offsetS: bigint
}

export class PcapngReader implements FormatReader {
  #isLittleEndian = true
  #interfaces: Interface[] = []
  /** Of a block that is not read, still to come. */
  #skipBytes = 0

  get isSkipping(): boolean {
    return this.#skipBytes > 0
  }

  read(bytes: Buffer, sink: PacketSink): { usedBytes: number } | { reason: FileReason } {
    let at = 0
    for (;;) {
      const skipped = Math.min(this.#skipBytes, bytes.length - at)
      this.#skipBytes -= skipped
      at += skipped
      if (this.#skipBytes > 0 || bytes.length - at < BLOCK_BYTES_MIN) return { usedBytes: at }
      const isSection = bytes.readUInt32BE(at) === SECTION
      if (isSection && !this.#readByteOrder(bytes, at)) return { reason: 'block_damaged' }
      const type = this.#uint32(bytes, at)
      const length = this.#uint32(bytes, at + 4)
      if (length < BLOCK_BYTES_MIN || length % 4 !== 0) return { reason: 'block_damaged' }
      const isRead = isSection || [INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET].includes(type)
      if (!isRead || length > READ_BLOCK_MAX_BYTES) {
        if (isSection || type === INTERFACE) {
          if (length > READ_BLOCK_MAX_BYTES) return { reason: 'block_damaged' }
        } else if (isRead) sink.onUnread('block_too_large')
        this.#skipBytes = length
        continue
      }
      if (bytes.length - at < length) return { usedBytes: at }
      if (this.#uint32(bytes, at + length - 4) !== length) return { reason: 'block_damaged' }
      const refused = this.#readBlock(type, bytes.subarray(at + BLOCK_HEADER_BYTES, at + length - 4), sink)
      if (refused !== '') return { reason: refused }
      at += length
    }
  }

  #readByteOrder(bytes: Buffer, at: number): boolean {
    const mark = bytes.readUInt32BE(at + 8)
    this.#isLittleEndian = mark === 0x4d3c2b1a
    return this.#isLittleEndian || mark === 0x1a2b3c4d
  }

  #readBlock(type: number, body: Buffer, sink: PacketSink): FileReason | '' {
    switch (type) {
      case SECTION:
        if (body.length < 16) return 'block_damaged'
        if (this.#uint16(body, 4) !== 1) return 'unsupported_version'
        this.#interfaces = []
        return ''
      case INTERFACE:
        if (body.length < 8) return 'block_damaged'
        if (this.#interfaces.length < INTERFACES_MAX) this.#interfaces.push(this.#interfaceOf(body))
        return ''
      case SIMPLE_PACKET:
        return this.#simplePacket(body, sink)
      default:
        return this.#packet(type, body, sink)
    }
  }

  #packet(type: number, body: Buffer, sink: PacketSink): FileReason | '' {
    if (body.length < 20) return 'block_damaged'
    const captured = this.#uint32(body, 12)
    if (captured > body.length - 20) return 'block_damaged'
    const index = type === PACKET ? this.#uint16(body, 0) : this.#uint32(body, 0)
    const from = this.#interfaces[index]
    if (from === undefined) {
      sink.onUnread('block_unknown_interface')
      return ''
    }
    if (captured > PACKET_MAX_BYTES) {
      sink.onUnread('block_too_large')
      return ''
    }
    sink.onPacket({
      linkType: from.linkType,
      capturedAtUs: timeUsOf(this.#uint32(body, 4), this.#uint32(body, 8), from, sink),
      bytes: body.subarray(20, 20 + captured),
      originalLength: this.#uint32(body, 16),
    })
    return ''
  }

  #simplePacket(body: Buffer, sink: PacketSink): FileReason | '' {
    if (body.length < 4) return 'block_damaged'
    const from = this.#interfaces[0]
    if (from === undefined) {
      sink.onUnread('block_unknown_interface')
      return ''
    }
    const originalLength = this.#uint32(body, 0)
    const kept = Math.min(originalLength, body.length - 4, from.snapLength || PACKET_MAX_BYTES)
    sink.onPacket({
      linkType: from.linkType,
      capturedAtUs: 0,
      bytes: body.subarray(4, 4 + kept),
      originalLength,
    })
    return ''
  }

  #interfaceOf(body: Buffer): Interface {
    const found: Interface = {
      linkType: this.#uint16(body, 0),
      snapLength: this.#uint32(body, 4),
      unitsPerSecond: UNITS_TOLD,
      offsetS: 0n,
    }
    let at = 8
    while (body.length - at >= 4) {
      const code = this.#uint16(body, at)
      const length = this.#uint16(body, at + 2)
      const from = at + 4
      if (code === 0 || length > body.length - from) break
      if (code === OPTION_RESOLUTION && length === 1) found.unitsPerSecond = unitsOf(body[from]!)
      if (code === OPTION_OFFSET && length === 8) {
        found.offsetS = this.#isLittleEndian ? body.readBigInt64LE(from) : body.readBigInt64BE(from)
      }
      at = from + Math.ceil(length / 4) * 4
    }
    return found
  }

  #uint32(bytes: Buffer, at: number): number {
    return this.#isLittleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)
  }

  #uint16(bytes: Buffer, at: number): number {
    return this.#isLittleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)
  }
}

/** A power of ten, or with the highest bit of two. */
function unitsOf(resolution: number): bigint {
  return resolution < 0x80 ? 10n ** BigInt(resolution) : 2n ** BigInt(resolution & 0x7f)
}

function timeUsOf(high: number, low: number, from: Interface, sink: PacketSink): number {
  const units = high * 2 ** 32 + low
  // As good as every file: microseconds.
  if (from.unitsPerSecond === UNITS_TOLD && from.offsetS === 0n && units < 2 ** 32 * 1e6) return units
  const exact = (BigInt(high) << 32n) | BigInt(low)
  const timeUs = (exact * 1_000_000n) / from.unitsPerSecond + from.offsetS * 1_000_000n
  if (timeUs >= 0n && timeUs < SECONDS_MAX * 1_000_000n) return Number(timeUs)
  sink.onUnread('bad_time')
  return 0
}
