/**
 * The spool's bytes on disk, pure: records and batches into buffers, and back out of a possibly damaged file.
 *
 *   segment => segment_header batch*                       one file, named by its start position
 *   segment_header (32) => "TRUNKSPL" version(u16) header_bytes(u16) 0(u32) start(u64) crc32(u32, of the 24 before) 0(u32)
 *   batch   => magic(f5 'T' 'S' 1) length(u32, records only) crc32(u32, of all that follows) count(u32)
 *              position(u64) received_until_us(u64) record*
 *   record  => frame_bytes(u32) received_at_us(u64) transport(u8, index of TRANSPORTS) address_bytes(u8) address frame
 *   all numbers little-endian
 *
 * A position is a byte offset over all segments: byte `n` of the segment that starts at S has position S + n.
 * The position inside the batch header says where the batch belongs, so that bytes which merely look like a
 * batch (an old block, a frame that carries a copy of one) are not taken for one.
 *
 * Invariant of `decodeSpan`: every byte consumed belongs to a segment header, to a whole batch with a sound
 * checksum, or to a damaged stretch that is reported.
 * Throws   TRUNKSCOPE_SPOOL_VERSION when a segment was written by a newer version; nothing else, whatever the bytes.
 */
import { crc32 } from 'node:zlib'
import { type ReceivedFrame, TRANSPORTS } from '../../schemas/hep-frame.js'
import { CaptureError } from './capture-error.js'

export const SPOOL_VERSION = 1
export const SEGMENT_HEADER_BYTES = 32
export const BATCH_HEADER_BYTES = 32
export const RECORD_HEADER_BYTES = 14
/** No batch is larger, header included: what claims to be is damaged. A reader's span must hold more than this. */
export const BATCH_MAX_BYTES = 524_288

const SEGMENT_MAGIC = Buffer.from('TRUNKSPL', 'latin1')
const BATCH_MAGIC = Buffer.from([0xf5, 0x54, 0x53, 0x01])
const BATCH_CHECKED_FROM = 12
const TWO_TO_32 = 4_294_967_296

export function segmentName(start: number): string {
  return `${String(start).padStart(16, '0')}.spool`
}

/** The start position in a segment's file name; undefined for any other file. */
export function segmentStart(name: string): number | undefined {
  return /^\d{16}\.spool$/.test(name) ? Number(name.slice(0, 16)) : undefined
}

export function encodeSegmentHeader(start: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  SEGMENT_MAGIC.copy(header)
  header.writeUInt16LE(SPOOL_VERSION, 8)
  header.writeUInt16LE(SEGMENT_HEADER_BYTES, 10)
  writeUint64(header, 16, start)
  header.writeUInt32LE(crc32(header.subarray(0, 24)), 24)
  return header
}

function isSegmentHeader(bytes: Buffer, at: number, start: number): boolean {
  if (bytes.length - at < SEGMENT_HEADER_BYTES) return false
  if (bytes.compare(SEGMENT_MAGIC, 0, 8, at, at + 8) !== 0) return false
  if (bytes.readUInt32LE(at + 24) !== crc32(bytes.subarray(at, at + 24))) return false
  const version = bytes.readUInt16LE(at + 8)
  if (version > SPOOL_VERSION) {
    throw new CaptureError(
      'TRUNKSCOPE_SPOOL_VERSION',
      `The spool segment at position ${start} has format ${version}, this program reads up to ${SPOOL_VERSION}. ` +
        'Start the newer version again, or move the spool folder away.',
    )
  }
  return readUint64(bytes, at + 16) === start
}

export function recordBytes(peerAddress: string, frameBytes: number): number {
  return RECORD_HEADER_BYTES + peerAddress.length + frameBytes
}

/** Writes one record at `at` and returns the offset behind it. The caller has made sure that it fits. */
export function writeRecord(
  into: Buffer,
  at: number,
  receivedAtUs: number,
  transport: number,
  peerAddress: string,
  bytes: Buffer,
  start: number,
  end: number,
): number {
  const addressBytes = peerAddress.length
  const frameBytes = end - start
  writeUint32(into, at, frameBytes)
  writeUint32(into, at + 4, receivedAtUs >>> 0)
  writeUint32(into, at + 8, Math.floor(receivedAtUs / TWO_TO_32))
  into[at + 12] = transport
  into[at + 13] = addressBytes
  let to = at + RECORD_HEADER_BYTES
  // An address is at most 63 ASCII characters; a loop beats a call into C++ for that.
  for (let index = 0; index < addressBytes; index++) into[to + index] = peerAddress.charCodeAt(index)
  to += addressBytes
  if (frameBytes === bytes.length) into.set(bytes, to)
  else bytes.copy(into, to, start, end)
  return to + frameBytes
}

/** Fills the header in front of the records that end at `end`; again whenever the batch has to move. */
export function sealBatch(
  batch: Buffer,
  end: number,
  position: number,
  receivedUntilUs: number,
  count: number,
): void {
  BATCH_MAGIC.copy(batch)
  writeUint32(batch, 4, end - BATCH_HEADER_BYTES)
  writeUint32(batch, 12, count)
  writeUint64(batch, 16, position)
  writeUint64(batch, 24, receivedUntilUs)
  writeUint32(batch, 8, crc32(batch.subarray(BATCH_CHECKED_FROM, end)))
}

export interface DecodedSpan {
  frames: ReceivedFrame[]
  /** Bytes of the span that are done with; the rest is the beginning of a batch: read again from there. */
  consumedBytes: number
  /** Lengths of the stretches that held no batch. */
  damagedBytes: number[]
  /** Promise of the last whole batch; 0 when there was none. */
  receivedUntilUs: number
}

/**
 * Reads a span of one segment. `final` says that the segment has no bytes behind it: what is cut there is damage,
 * not the beginning of something. The frames are views into `bytes`.
 */
export function decodeSpan(
  bytes: Buffer,
  position: number,
  startOfSegment: number,
  final: boolean,
): DecodedSpan {
  const span: DecodedSpan = { frames: [], consumedBytes: 0, damagedBytes: [], receivedUntilUs: 0 }
  let at = 0
  let damagedFrom = -1
  while (at < bytes.length) {
    let size = 0
    if (position + at === startOfSegment) {
      if (!final && bytes.length - at < SEGMENT_HEADER_BYTES) break
      if (isSegmentHeader(bytes, at, startOfSegment)) size = SEGMENT_HEADER_BYTES
    }
    if (size === 0) {
      size = batchSizeAt(bytes, at, position + at)
      if (size === CUT && !final) break
      if (size > 0 && !readRecords(bytes, at, size, position + at, span.frames)) size = 0
      if (size > 0) span.receivedUntilUs = readUint64(bytes, at + 24)
    }
    if (size > 0) {
      if (damagedFrom >= 0) span.damagedBytes.push(at - damagedFrom)
      damagedFrom = -1
      at += size
      continue
    }
    if (damagedFrom < 0) damagedFrom = at
    at = nextBatchCandidate(bytes, at + 1, position, final)
  }
  if (damagedFrom >= 0 && at > damagedFrom) span.damagedBytes.push(at - damagedFrom)
  span.consumedBytes = at
  return span
}

const CUT = -1

/** The size of the whole and sound batch at `at`; 0 when there is none, CUT when the bytes end before it does. */
function batchSizeAt(bytes: Buffer, at: number, position: number): number {
  const available = bytes.length - at
  for (let index = 0; index < 4; index++) {
    if (index >= available) return CUT
    if (bytes[at + index] !== BATCH_MAGIC[index]) return 0
  }
  if (available < BATCH_HEADER_BYTES) return CUT
  const size = BATCH_HEADER_BYTES + bytes.readUInt32LE(at + 4)
  if (size > BATCH_MAX_BYTES || readUint64(bytes, at + 16) !== position) return 0
  if (size > available) return CUT
  const checksum = crc32(bytes.subarray(at + BATCH_CHECKED_FROM, at + size))
  return checksum === bytes.readUInt32LE(at + 8) ? size : 0
}

/** Where the next batch may begin: a magic whose header names its own place, or the end of what can be judged. */
function nextBatchCandidate(bytes: Buffer, from: number, position: number, final: boolean): number {
  let at = from
  while (true) {
    const found = bytes.indexOf(BATCH_MAGIC, at)
    if (found < 0) return final ? bytes.length : Math.max(at, bytes.length - BATCH_MAGIC.length + 1)
    if (bytes.length - found < BATCH_HEADER_BYTES) return final ? bytes.length : found
    if (readUint64(bytes, found + 16) === position + found) return found
    at = found + 1
  }
}

/** Adds the records of a sound batch; false, and nothing added, when they do not fill it exactly. */
function readRecords(
  bytes: Buffer,
  batchAt: number,
  size: number,
  position: number,
  frames: ReceivedFrame[],
): boolean {
  const before = frames.length
  const end = batchAt + size
  let remaining = bytes.readUInt32LE(batchAt + 12)
  let at = batchAt + BATCH_HEADER_BYTES
  let address = ''
  for (; remaining > 0 && end - at >= RECORD_HEADER_BYTES; remaining--) {
    const transport = TRANSPORTS[bytes[at + 12]!]
    const addressAt = at + RECORD_HEADER_BYTES
    const frameAt = addressAt + bytes[at + 13]!
    const next = frameAt + readUint32(bytes, at)
    if (next > end || transport === undefined) break
    if (!isText(bytes, addressAt, frameAt, address)) address = bytes.toString('latin1', addressAt, frameAt)
    frames.push({
      receivedAtUs: readUint64(bytes, at + 4),
      transport,
      peerAddress: address,
      bytes: bytes.subarray(frameAt, next),
      position,
    })
    at = next
  }
  if (remaining === 0 && at === end) return true
  frames.length = before
  return false
}

function isText(bytes: Buffer, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false
  for (let index = 0; index < text.length; index++) {
    if (bytes[from + index] !== text.charCodeAt(index)) return false
  }
  return true
}

function writeUint32(into: Buffer, at: number, value: number): void {
  into[at] = value
  into[at + 1] = value >>> 8
  into[at + 2] = value >>> 16
  into[at + 3] = value >>> 24
}

function readUint32(bytes: Buffer, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

/** Safe integers only, which is all we count with. */
function writeUint64(into: Buffer, at: number, value: number): void {
  writeUint32(into, at, value >>> 0)
  writeUint32(into, at + 4, Math.floor(value / TWO_TO_32))
}

function readUint64(bytes: Buffer, at: number): number {
  return readUint32(bytes, at) + readUint32(bytes, at + 4) * TWO_TO_32
}
