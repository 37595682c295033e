/**
 * What a record of the topic holds, pure: many frames of one partition, each as it arrived.
 *
 *   record => magic(f5 'T' 'K' 'R') version(u8) crc32(u32, of all that follows) body
 *   body   => base_partitions(u16) publisher_bytes(u8) publisher received_until_us(u64) count(u32) frame*
 *   frame  => frame_bytes(u32) received_at_us(u64) transport(u8, index of TRANSPORTS) address_bytes(u8) address bytes
 *   all numbers little-endian; a frame is laid out like a record of the spool (spool-format.ts)
 *
 * Magic, version and checksum keep their place in every version, so that "newer" is believed of sound bytes only.
 * `received_until_us` is the publisher's promise: every frame it received before that time stands in this record or in
 * one before it in this partition; 0 promises nothing. A record without frames only carries the promise.
 *
 * Takes    `decodeRecord`: the value of a record and its offset, which becomes the frames' `position`.
 * Returns  the record, its frames being views into `bytes`; or what keeps it from being read: damage, or a newer version.
 * Throws   `decodeRecord` nothing, whatever the bytes. `encodeRecord`, which is fed by us, a RangeError on what does not fit.
 */
import { crc32 } from 'node:zlib'
import { type ReceivedFrame, TRANSPORTS } from '../../schemas/hep-frame.js'
import {
  RECORD_HEADER_BYTES as FRAME_HEADER_BYTES,
  recordBytes,
  writeRecord,
} from '../capture/spool-format.js'

export const RECORD_VERSION = 1
/** Values stay below this; the broker's limit for what is sent to a partition at a time is 1 MiB. */
export const RECORD_MAX_BYTES = 900_000

const MAGIC = Buffer.from([0xf5, 0x54, 0x4b, 0x52])
const VERSION_AT = 4
const CRC_AT = 5
const BODY_AT = 9
const PUBLISHER_AT = BODY_AT + 3
const FIXED_BYTES = PUBLISHER_AT + 12
const TWO_TO_32 = 4_294_967_296

export interface RecordHead {
  basePartitions: number
  /** Who published it: the name of a capture process. */
  publisher: string
  receivedUntilUs: number
}

export interface BusRecord extends RecordHead {
  frames: ReceivedFrame[]
}

/** The bytes that a frame takes in a record. */
export function frameBytesInRecord(frame: ReceivedFrame): number {
  return recordBytes(frame.peerAddress, frame.bytes.length)
}

/** The bytes of a record before its first frame. */
export function headBytes(publisher: string): number {
  return FIXED_BYTES + Buffer.byteLength(publisher)
}

export function encodeRecord(head: RecordHead, frames: readonly ReceivedFrame[]): Buffer {
  const publisherBytes = Buffer.byteLength(head.publisher)
  if (publisherBytes > 255) throw new RangeError('A publisher has a name of at most 255 bytes.')
  let size = FIXED_BYTES + publisherBytes
  for (const frame of frames) size += frameBytesInRecord(frame)
  const bytes = Buffer.allocUnsafe(size)
  MAGIC.copy(bytes)
  bytes[VERSION_AT] = RECORD_VERSION
  bytes.writeUInt16LE(head.basePartitions, BODY_AT)
  bytes[BODY_AT + 2] = publisherBytes
  bytes.write(head.publisher, PUBLISHER_AT)
  let at = PUBLISHER_AT + publisherBytes
  bytes.writeUInt32LE(head.receivedUntilUs % TWO_TO_32, at)
  bytes.writeUInt32LE(Math.floor(head.receivedUntilUs / TWO_TO_32), at + 4)
  bytes.writeUInt32LE(frames.length, at + 8)
  at += 12
  for (const { receivedAtUs, transport, peerAddress, bytes: frame } of frames) {
    at = writeRecord(
      bytes,
      at,
      receivedAtUs,
      TRANSPORTS.indexOf(transport),
      peerAddress,
      frame,
      0,
      frame.length,
    )
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(BODY_AT)), CRC_AT)
  return bytes
}

export function decodeRecord(
  bytes: Buffer,
  position: number,
): BusRecord | { reason: 'record_damaged' } | { newerVersion: number } {
  const damaged = { reason: 'record_damaged' } as const
  if (bytes.length < FIXED_BYTES || bytes.compare(MAGIC, 0, 4, 0, 4) !== 0) return damaged
  if (crc32(bytes.subarray(BODY_AT)) !== bytes.readUInt32LE(CRC_AT)) return damaged
  const version = bytes[VERSION_AT]!
  if (version > RECORD_VERSION) return { newerVersion: version }
  const basePartitions = bytes.readUInt16LE(BODY_AT)
  const publisherEnd = PUBLISHER_AT + bytes[BODY_AT + 2]!
  if (version !== RECORD_VERSION || basePartitions === 0 || publisherEnd + 12 > bytes.length) return damaged
  const frames = readFrames(bytes, publisherEnd + 12, bytes.readUInt32LE(publisherEnd + 8), position)
  if (frames === undefined) return damaged
  const publisher = bytes.toString('utf8', PUBLISHER_AT, publisherEnd)
  return { basePartitions, publisher, receivedUntilUs: uint64(bytes, publisherEnd), frames }
}

/** The frames that fill the rest of the record; undefined when they do not. */
function readFrames(
  bytes: Buffer,
  start: number,
  count: number,
  position: number,
): ReceivedFrame[] | undefined {
  const end = bytes.length
  const frames: ReceivedFrame[] = []
  let at = start
  let address: Buffer = Buffer.alloc(0)
  let peerAddress = ''
  for (let index = 0; index < count; index++) {
    if (end - at < FRAME_HEADER_BYTES) return undefined
    const transport = TRANSPORTS[bytes[at + 12]!]
    const addressAt = at + FRAME_HEADER_BYTES
    const frameAt = addressAt + bytes[at + 13]!
    const next = frameAt + bytes.readUInt32LE(at)
    if (transport === undefined || next > end) return undefined
    // Neighbours come from the same agent more often than not: one string for all of them.
    const isSame =
      frameAt - addressAt === address.length &&
      bytes.compare(address, 0, address.length, addressAt, frameAt) === 0
    if (!isSame) {
      address = bytes.subarray(addressAt, frameAt)
      peerAddress = address.toString('latin1')
    }
    frames.push({
      receivedAtUs: uint64(bytes, at + 4),
      transport,
      peerAddress,
      bytes: bytes.subarray(frameAt, next),
      position,
    })
    at = next
  }
  return at === end ? frames : undefined
}

function uint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * TWO_TO_32
}
