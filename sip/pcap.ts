/**
 * Capture files, bytes in, packets out: classic pcap here, pcapng in pcapng.ts.
 *
 *   pcap    => magic(4) major(uint16) minor(uint16) zone(4) accuracy(4) snap_length(uint32) link_type(uint32) record*
 *   record  => seconds(uint32) fraction(uint32) captured_length(uint32) original_length(uint32) bytes(captured_length)
 *   magic a1b2c3d4: fraction in µs; a1b23c4d: in ns. Both in the byte order of the machine that wrote the file.
 *
 * Takes    reads of any size, in order.
 * Returns  packets through `onPacket`; their bytes are only valid during that call. `push` and `end` give '' or the reason
 *          why the rest of the file cannot be read; then nothing more is.
 * Throws   only what `onPacket` throws.
 * Source   draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; link types: the registry of tcpdump.org.
 *
 * Not here: the variant with 24 bytes before each packet (magic a1b2cd34), snoop, ERF, and the private formats of analysers.
 * At most one packet (256 KiB) and what was pushed last is held; the kept rest is copied once with each push, so reads
 * should be larger than packets.
 */
import type { FileReason } from '../schemas/pcap-reasons.js'
import { type FormatReader, PACKET_MAX_BYTES, type PacketSink } from './pcap-packet.js'
import { PcapngReader } from './pcapng.js'

const FILE_HEADER_BYTES = 24
const RECORD_HEADER_BYTES = 16

const MAGIC = {
  a1b2c3d4: { isLittleEndian: false, perSecond: 1e6 },
  d4c3b2a1: { isLittleEndian: true, perSecond: 1e6 },
  a1b23c4d: { isLittleEndian: false, perSecond: 1e9 },
  '4d3cb2a1': { isLittleEndian: true, perSecond: 1e9 },
} as const
const PCAPNG_MAGIC = '0a0d0d0a'

export const MAGIC_BYTES = 4

/** Whether a file that begins so is pcap or pcapng; at least MAGIC_BYTES of it. */
export function isPcap(beginning: Buffer): boolean {
  const magic = beginning.toString('hex', 0, MAGIC_BYTES)
  return magic === PCAPNG_MAGIC || Object.hasOwn(MAGIC, magic)
}

export class PcapReader {
  readonly #sink: PacketSink
  #format: FormatReader | undefined
  #pending: Buffer = Buffer.alloc(0)
  #refusal: FileReason | '' = ''

  constructor(sink: PacketSink) {
    this.#sink = sink
  }

  push(chunk: Buffer): FileReason | '' {
    if (this.#refusal !== '') return this.#refusal
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    if (this.#format === undefined && bytes.length >= FILE_HEADER_BYTES) {
      const begun = beginFile(bytes)
      if ('reason' in begun) return this.#refuse(begun.reason)
      this.#format = begun.format
      bytes = bytes.subarray(begun.usedBytes)
    }
    if (this.#format !== undefined) {
      const read = this.#format.read(bytes, this.#sink)
      if ('reason' in read) return this.#refuse(read.reason)
      bytes = bytes.subarray(read.usedBytes)
    }
    // A copy: what was pushed is the caller's, and a view would keep all of it.
    this.#pending = Buffer.from(bytes)
    return ''
  }

  /** The file has ended. */
  end(): FileReason | '' {
    if (this.#refusal !== '') return this.#refusal
    if (this.#format === undefined) {
      const isBegun = this.#pending.length >= MAGIC_BYTES && isPcap(this.#pending)
      return this.#refuse(isBegun ? 'file_cut' : 'not_a_capture')
    }
    return this.#pending.length > 0 || this.#format.isSkipping ? this.#refuse('file_cut') : ''
  }

  #refuse(reason: FileReason): FileReason {
    this.#refusal = reason
    this.#pending = Buffer.alloc(0)
    return reason
  }
}

function beginFile(bytes: Buffer): { format: FormatReader; usedBytes: number } | { reason: FileReason } {
  const magic = bytes.toString('hex', 0, MAGIC_BYTES)
  if (magic === PCAPNG_MAGIC) return { format: new PcapngReader(), usedBytes: 0 }
  if (!Object.hasOwn(MAGIC, magic)) return { reason: 'not_a_capture' }
  const { isLittleEndian, perSecond } = MAGIC[magic as keyof typeof MAGIC]
  const major = isLittleEndian ? bytes.readUInt16LE(4) : bytes.readUInt16BE(4)
  if (major !== 2) return { reason: 'unsupported_version' }
  // The upper bits tell of a frame check sequence; what stands behind an IP packet is not looked at.
  const linkType = (isLittleEndian ? bytes.readUInt32LE(20) : bytes.readUInt32BE(20)) & 0xffff
  return {
    format: new ClassicReader(isLittleEndian, perSecond, linkType),
    usedBytes: FILE_HEADER_BYTES,
  }
}

class ClassicReader implements FormatReader {
  readonly isSkipping = false

  constructor(
    private readonly isLittleEndian: boolean,
    private readonly perSecond: number,
    private readonly linkType: number,
  ) {}

  read(bytes: Buffer, sink: PacketSink): { usedBytes: number } | { reason: FileReason } {
    const number = (at: number) => (this.isLittleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
    let at = 0
    while (bytes.length - at >= RECORD_HEADER_BYTES) {
      const length = number(at + 8)
      if (length > PACKET_MAX_BYTES) return { reason: 'record_too_large' }
      const from = at + RECORD_HEADER_BYTES
      if (bytes.length - from < length) break
      const fractionUs = Math.floor((number(at + 4) * 1e6) / this.perSecond)
      sink.onPacket({
        linkType: this.linkType,
        // A fraction of more than a second is nobody's sum.
        capturedAtUs: number(at) * 1e6 + (fractionUs < 1e6 ? fractionUs : 0),
        bytes: bytes.subarray(from, from + length),
        originalLength: number(at + 12),
      })
      at = from + length
    }
    return { usedBytes: at }
  }
}
