/**
 * HEP3: the frames in which an agent mirrors SIP to the collector.
 *
 *   HEP3 frame  => "HEP3" length(uint16, the whole frame) chunk*
 *   HEP3 chunk  => vendor_id(uint16) type(uint16) length(uint16, these 6 bytes included) value(length - 6)
 *   all numbers big-endian; only chunks of vendor 0 ("generic") mean what the table of chunk types says
 *
 * Takes    bytes[start, end): one whole frame, as a datagram or `Hep3StreamReader` gave it.
 * Returns  `checkHep3`: '' or why the frame is refused, without allocating, for the receive thread.
 *          `decodeHep3`: a HepFrame, or the reason. Its payload is a view into the frame.
 *          `sipPayloadOf`: the SIP bytes of a frame, or why it holds none.
 * Throws   nothing, whatever the bytes are; `encodeHep3`, which is fed by us, throws on what cannot be written.
 * Source   metrics.md §7 and §13, after HEP3 rev 37. Not here: HEP1 and HEP2 (hep2.ts), heplify's gzip over
 *          a whole frame (hep-gzip.ts).
 *
 * Tolerated, with a bit in `flags` where one is defined: no address, no timestamp, repeated chunks (the last one
 * wins; payload and compressed payload count as one, and so do the IPv4 and the IPv6 form of an address), values
 * of an unexpected size (ignored), unknown chunks and vendors (skipped). A microsecond chunk beyond 999,999 is
 * carried into the seconds up to 2 s, which is a sum nobody normalised; beyond that the fraction is dropped.
 */
import {
  constants,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
} from 'node:zlib'
import { HEP_FLAG, type HepFrame } from '../schemas/hep-frame.js'
import type { CaptureReason, DecodeReason } from '../schemas/reasons.js'
import { addressBytes, ipv4Text, ipv6Text } from './ip-address.js'

export const HEP3_HEADER_BYTES = 6
export const HEP3_CHUNK_HEADER_BYTES = 6
export const HEP3_FRAME_MAX_BYTES = 65_535

/** Bounds on chunk 0x0010: the output in bytes, and the output as a multiple of the input. */
export const INFLATED_MAX_BYTES = 65_536
export const INFLATED_MAX_RATIO = 100

/** Names longer than this are cut: they become labels and keys further on. */
const NAME_MAX_BYTES = 255

const CHUNK = {
  ipFamily: 0x01,
  ipProtocol: 0x02,
  sourceIpv4: 0x03,
  destinationIpv4: 0x04,
  sourceIpv6: 0x05,
  destinationIpv6: 0x06,
  sourcePort: 0x07,
  destinationPort: 0x08,
  seconds: 0x09,
  microseconds: 0x0a,
  protocolType: 0x0b,
  agentId: 0x0c,
  authKey: 0x0e,
  payload: 0x0f,
  compressedPayload: 0x10,
  correlationId: 0x11,
  agentName: 0x13,
} as const

type Refusal = { reason: CaptureReason | DecodeReason }

const EMPTY = Buffer.alloc(0)

/** Whether the bytes are a whole, well-formed frame; '' or the reason. Allocates nothing. */
export function checkHep3(bytes: Buffer, start: number, end: number): CaptureReason | '' {
  const refused = checkHeader(bytes, start, end)
  if (refused !== '') return refused
  let at = start + HEP3_HEADER_BYTES
  while (at < end) {
    const length = chunkLength(bytes, at, end)
    if (length < HEP3_CHUNK_HEADER_BYTES) return chunkReason(length)
    at += length
  }
  return ''
}

function checkHeader(bytes: Buffer, start: number, end: number): CaptureReason | '' {
  const size = end - start
  if (size <= 0) return 'frame_too_short'
  if (bytes[start] !== 0x48) return 'not_hep'
  if (size > 1 && bytes[start + 1] !== 0x45) return 'not_hep'
  if (size > 2 && bytes[start + 2] !== 0x50) return 'not_hep'
  if (size > 3 && bytes[start + 3] !== 0x33) return 'not_hep'
  if (size < HEP3_HEADER_BYTES) return 'frame_too_short'
  const length = (bytes[start + 4]! << 8) | bytes[start + 5]!
  if (length > size || length < HEP3_HEADER_BYTES) return 'frame_too_short'
  return length < size ? 'length_mismatch' : ''
}

/** Not a length: the chunk does not fit into what is left of the frame. */
const OVERRUN = -1

/** The length a chunk gives, to be refused when it is below its own header, or OVERRUN. */
function chunkLength(bytes: Buffer, at: number, end: number): number {
  if (end - at < HEP3_CHUNK_HEADER_BYTES) return OVERRUN
  const length = (bytes[at + 4]! << 8) | bytes[at + 5]!
  return length > end - at ? OVERRUN : length
}

function chunkReason(length: number): CaptureReason {
  return length === OVERRUN ? 'chunk_overrun' : 'chunk_too_short'
}

/** The agent key (chunk 0x000e) of a frame that `checkHep3` accepted, as a view; the last one if it is repeated. */
export function authKeyOf(bytes: Buffer, start: number, end: number): Buffer | undefined {
  let key: Buffer | undefined
  let at = start + HEP3_HEADER_BYTES
  while (end - at >= HEP3_CHUNK_HEADER_BYTES) {
    const chunkLength = (bytes[at + 4]! << 8) | bytes[at + 5]!
    if (chunkLength < HEP3_CHUNK_HEADER_BYTES || chunkLength > end - at) return key
    if (bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === 0 && bytes[at + 3] === CHUNK.authKey) {
      key = bytes.subarray(at + HEP3_CHUNK_HEADER_BYTES, at + chunkLength)
    }
    at += chunkLength
  }
  return key
}

export function decodeHep3(bytes: Buffer, start = 0, end = bytes.length): HepFrame | Refusal {
  const refused = checkHeader(bytes, start, end)
  if (refused !== '') return { reason: refused }
  const frame = emptyFrame()
  let seconds = 0
  let microseconds = 0
  let payloadStart = start
  let payloadEnd = start
  let compressed = false
  let seen = 0 // One bit for each chunk type below 32; every chunk we read is one of those.

  let at = start + HEP3_HEADER_BYTES
  while (at < end) {
    const length = chunkLength(bytes, at, end)
    if (length < HEP3_CHUNK_HEADER_BYTES) return { reason: chunkReason(length) }
    const vendor = (bytes[at]! << 8) | bytes[at + 1]!
    const type = (bytes[at + 2]! << 8) | bytes[at + 3]!
    const next = at + length
    const from = at + HEP3_CHUNK_HEADER_BYTES
    const size = next - from
    at = next
    if (vendor !== 0 || type > CHUNK.agentName) continue
    let kind: number = type // What counts as the same chunk when it stands twice.
    switch (type) {
      case CHUNK.ipProtocol:
        frame.ipProtocol = unsigned(bytes, from, size)
        break
      case CHUNK.sourceIpv4:
        if (size === 4) frame.sourceAddress = ipv4Text(bytes, from)
        break
      case CHUNK.destinationIpv4:
        if (size === 4) frame.destinationAddress = ipv4Text(bytes, from)
        break
      case CHUNK.sourceIpv6:
        if (size === 16) frame.sourceAddress = ipv6Text(bytes, from)
        kind = CHUNK.sourceIpv4
        break
      case CHUNK.destinationIpv6:
        if (size === 16) frame.destinationAddress = ipv6Text(bytes, from)
        kind = CHUNK.destinationIpv4
        break
      case CHUNK.sourcePort:
        frame.sourcePort = unsigned(bytes, from, size) & 0xffff
        break
      case CHUNK.destinationPort:
        frame.destinationPort = unsigned(bytes, from, size) & 0xffff
        break
      case CHUNK.seconds:
        seconds = unsigned(bytes, from, size)
        break
      case CHUNK.microseconds:
        microseconds = unsigned(bytes, from, size)
        break
      case CHUNK.protocolType:
        frame.protocolType = unsigned(bytes, from, size)
        break
      case CHUNK.agentId:
        frame.agentId = unsigned(bytes, from, size)
        break
      case CHUNK.payload:
      case CHUNK.compressedPayload:
        payloadStart = from
        payloadEnd = next
        compressed = type === CHUNK.compressedPayload
        kind = CHUNK.payload
        break
      case CHUNK.correlationId:
        frame.correlationId = nameText(bytes, from, next)
        break
      case CHUNK.agentName:
        frame.agentName = nameText(bytes, from, next)
        break
      default:
        continue
    }
    if ((seen & (1 << kind)) !== 0) frame.flags |= HEP_FLAG.repeatedChunk
    seen |= 1 << kind
  }

  if (frame.sourceAddress === '' || frame.destinationAddress === '') frame.flags |= HEP_FLAG.missingAddress
  if (seconds === 0) frame.flags |= HEP_FLAG.missingTimestamp
  else frame.capturedAtUs = seconds * 1_000_000 + (microseconds < 2_000_000 ? microseconds : 0)
  if (payloadEnd > payloadStart) frame.payload = bytes.subarray(payloadStart, payloadEnd)
  return compressed ? inflated(frame) : frame
}

function emptyFrame(): HepFrame {
  return {
    protocolType: 0,
    ipProtocol: 0,
    sourceAddress: '',
    sourcePort: 0,
    destinationAddress: '',
    destinationPort: 0,
    capturedAtUs: 0,
    agentId: 0,
    agentName: '',
    correlationId: '',
    payload: EMPTY,
    flags: 0,
  }
}

/** A big-endian number of 1 to 4 bytes, whatever size the agent chose; 0 for any other size. */
function unsigned(bytes: Buffer, at: number, size: number): number {
  if (size === 1) return bytes[at]!
  if (size === 2) return (bytes[at]! << 8) | bytes[at + 1]!
  if (size === 4) {
    return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!)
  }
  if (size === 3) return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
  return 0
}

function nameText(bytes: Buffer, from: number, to: number): string {
  let end = to - from > NAME_MAX_BYTES ? from + NAME_MAX_BYTES : to
  while (end > from && bytes[end - 1] === 0) end-- // C strings sent with their NUL.
  return bytes.toString('utf8', from, end)
}

/** gzip, zlib or raw deflate, told apart by their first bytes; both bounds hold while inflating, not after. */
function inflated(frame: HepFrame): HepFrame | Refusal {
  frame.flags |= HEP_FLAG.compressed
  const input = frame.payload
  if (input.length === 0) return frame
  const maxOutputLength = Math.min(INFLATED_MAX_BYTES, input.length * INFLATED_MAX_RATIO)
  // zlib allocates `chunkSize` bytes at a time: no more of them than the bound allows.
  const options = {
    maxOutputLength,
    chunkSize: Math.max(constants.Z_MIN_CHUNK, Math.min(16_384, maxOutputLength)),
  }
  const isGzip = input[0] === 0x1f && input[1] === 0x8b
  const isZlib = (input[0]! & 15) === 8 && input.length > 1 && ((input[0]! << 8) | input[1]!) % 31 === 0
  try {
    if (isGzip) frame.payload = gunzipSync(input, options)
    else frame.payload = isZlib ? inflateSync(input, options) : inflateRawSync(input, options)
    return frame
  } catch (error) {
    const tooLarge = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE'
    return { reason: tooLarge ? 'decompress_too_large' : 'decompress_failed' }
  }
}

/** The SIP bytes of a frame, or why there are none: an agent keeping its connection open, or another protocol. */
export function sipPayloadOf(frame: HepFrame): Buffer | { reason: 'keepalive' | 'not_sip' } {
  if (isBlank(frame.payload)) return { reason: 'keepalive' }
  if (frame.protocolType !== 1) return { reason: 'not_sip' }
  return frame.payload
}

function isBlank(payload: Buffer): boolean {
  for (let index = 0; index < payload.length; index++) {
    const byte = payload[index]!
    if (byte !== 0x0d && byte !== 0x0a && byte !== 0x20 && byte !== 0x09 && byte !== 0) return false
  }
  return true
}

/** What `encodeHep3` writes. A field left out gives no chunk. */
export interface Hep3Fields {
  /** Default 1, SIP. */
  protocolType?: number
  /** Default 17, UDP. */
  ipProtocol?: number
  /** IPv4 or IPv6; each end on its own. */
  sourceAddress?: string
  sourcePort?: number
  destinationAddress?: string
  destinationPort?: number
  /** Microseconds since 1970 UTC. */
  capturedAtUs?: number
  agentId?: number
  agentName?: string
  authKey?: string
  correlationId?: string
  payload?: Buffer | string
  /** Puts the payload into chunk 0x0010 instead of 0x000f. */
  compress?: 'gzip' | 'zlib' | 'raw'
  /** Written after all others, in this order. */
  extraChunks?: { vendor: number; type: number; value: Buffer }[]
}

/** Writes a frame; throws when an address is no address or the frame would pass 65,535 bytes. */
export function encodeHep3(fields: Hep3Fields): Buffer {
  const parts: Buffer[] = [EMPTY]
  const isIpv6 = (fields.sourceAddress ?? fields.destinationAddress ?? '').includes(':')
  parts.push(chunk(CHUNK.ipFamily, number(1, isIpv6 ? 10 : 2)))
  parts.push(chunk(CHUNK.ipProtocol, number(1, fields.ipProtocol ?? 17)))
  if (fields.sourceAddress !== undefined) {
    const bytes = requireAddress(fields.sourceAddress)
    parts.push(chunk(bytes.length === 4 ? CHUNK.sourceIpv4 : CHUNK.sourceIpv6, bytes))
  }
  if (fields.destinationAddress !== undefined) {
    const bytes = requireAddress(fields.destinationAddress)
    parts.push(chunk(bytes.length === 4 ? CHUNK.destinationIpv4 : CHUNK.destinationIpv6, bytes))
  }
  if (fields.sourcePort !== undefined) parts.push(chunk(CHUNK.sourcePort, number(2, fields.sourcePort)))
  if (fields.destinationPort !== undefined) {
    parts.push(chunk(CHUNK.destinationPort, number(2, fields.destinationPort)))
  }
  if (fields.capturedAtUs !== undefined) {
    parts.push(chunk(CHUNK.seconds, number(4, Math.floor(fields.capturedAtUs / 1_000_000))))
    parts.push(chunk(CHUNK.microseconds, number(4, fields.capturedAtUs % 1_000_000)))
  }
  parts.push(chunk(CHUNK.protocolType, number(1, fields.protocolType ?? 1)))
  if (fields.agentId !== undefined) parts.push(chunk(CHUNK.agentId, number(4, fields.agentId)))
  if (fields.agentName !== undefined) parts.push(chunk(CHUNK.agentName, Buffer.from(fields.agentName)))
  if (fields.authKey !== undefined) parts.push(chunk(CHUNK.authKey, Buffer.from(fields.authKey)))
  if (fields.correlationId !== undefined) {
    parts.push(chunk(CHUNK.correlationId, Buffer.from(fields.correlationId)))
  }
  if (fields.payload !== undefined) {
    const payload = typeof fields.payload === 'string' ? Buffer.from(fields.payload) : fields.payload
    if (fields.compress === undefined) parts.push(chunk(CHUNK.payload, payload))
    else parts.push(chunk(CHUNK.compressedPayload, COMPRESSORS[fields.compress](payload)))
  }
  for (const extra of fields.extraChunks ?? []) parts.push(chunk(extra.type, extra.value, extra.vendor))

  const header = Buffer.from('HEP3\0\0', 'latin1')
  parts[0] = header
  const frame = Buffer.concat(parts)
  if (frame.length > HEP3_FRAME_MAX_BYTES) {
    throw new RangeError(`A HEP3 frame holds at most 65,535 bytes, this one has ${frame.length}: shorten it.`)
  }
  frame.writeUInt16BE(frame.length, 4)
  return frame
}

const COMPRESSORS = { gzip: gzipSync, zlib: deflateSync, raw: deflateRawSync }

function chunk(type: number, value: Buffer, vendor = 0): Buffer {
  const length = HEP3_CHUNK_HEADER_BYTES + value.length
  if (length > 65_535) throw new RangeError(`A HEP3 chunk holds at most 65,529 bytes, not ${value.length}.`)
  const bytes = Buffer.allocUnsafe(length)
  bytes.writeUInt16BE(vendor, 0)
  bytes.writeUInt16BE(type, 2)
  bytes.writeUInt16BE(length, 4)
  value.copy(bytes, HEP3_CHUNK_HEADER_BYTES)
  return bytes
}

function number(size: 1 | 2 | 4, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  bytes.writeUIntBE(value, 0, size)
  return bytes
}

function requireAddress(text: string): Buffer {
  const bytes = addressBytes(text)
  if (bytes === undefined) throw new RangeError(`'${text}' is neither an IPv4 nor an IPv6 address.`)
  return bytes
}
