/**
 * A whole HEP3 frame in gzip, as heplify sends it with `payload_zip`: over UDP a datagram is one gzip member, over a
 * stream one member follows the other without a length, and frames that were kept on its disk come between them as they
 * are.
 *
 *   member (RFC 1952) => 1f 8b 08(deflate) 00(no optional fields) mtime(4) xfl(1) os(1) deflate crc32(u32 LE) size(u32 LE)
 *
 * Takes    bytes[start, end) that begin with a member; what stands behind it is left alone.
 * Returns  the inflated frame and the length of the member; `incomplete` while its end has not come; or the reason.
 *          Output is bounded while inflating to what a frame can be; more than 100 times its input is refused.
 * Throws   nothing, whatever the bytes are.
 * Source   RFC 1952 §2.3; metrics.md §7 (bounds), §13.1.
 */
import { crc32, inflateRawSync } from 'node:zlib'
import type { CaptureReason } from '../schemas/reasons.js'
import { HEP3_FRAME_MAX_BYTES, INFLATED_MAX_RATIO } from './hep3.js'

const HEADER_BYTES = 10
const TRAILER_BYTES = 8
/** Deflate never makes 64 KiB longer than this: stored blocks, with their headers. */
export const MEMBER_MAX_BYTES = HEP3_FRAME_MAX_BYTES + 1_024

/** `info` tells how much of the input the member took. */
const INFLATE = { maxOutputLength: HEP3_FRAME_MAX_BYTES, chunkSize: 16_384, info: true }

export type GzipRefusal = Extract<CaptureReason, 'gzip_damaged' | 'gzip_too_large'>
export type GunzippedFrame = { frame: Buffer; memberBytes: number } | { reason: GzipRefusal | 'incomplete' }

/** Whether the bytes may begin a member; too few of them to tell count as yes. */
export function beginsGzip(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] !== 0x1f) return false
  if (end - start > 1 && bytes[start + 1] !== 0x8b) return false
  if (end - start > 2 && bytes[start + 2] !== 8) return false
  return end - start <= 3 || bytes[start + 3] === 0
}

export function gunzipFrame(bytes: Buffer, start: number, end: number): GunzippedFrame {
  if (!beginsGzip(bytes, start, end)) return { reason: 'gzip_damaged' }
  const inputMax = Math.min(end, start + MEMBER_MAX_BYTES)
  if (inputMax - start < HEADER_BYTES + TRAILER_BYTES) return { reason: 'incomplete' }
  const input = bytes.subarray(start + HEADER_BYTES, inputMax)
  let inflated: { buffer: Buffer; engine: { bytesWritten: number } }
  try {
    inflated = inflateRawSync(input, INFLATE) as unknown as typeof inflated
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'ERR_BUFFER_TOO_LARGE') return { reason: 'gzip_too_large' }
    const isCutShort = code === 'Z_BUF_ERROR' && end - start < MEMBER_MAX_BYTES
    return { reason: isCutShort ? 'incomplete' : 'gzip_damaged' }
  }
  const frame = inflated.buffer
  const trailerAt = start + HEADER_BYTES + inflated.engine.bytesWritten
  if (frame.length > inflated.engine.bytesWritten * INFLATED_MAX_RATIO) return { reason: 'gzip_too_large' }
  if (end - trailerAt < TRAILER_BYTES) return { reason: 'incomplete' }
  if (bytes.readUInt32LE(trailerAt) !== crc32(frame)) return { reason: 'gzip_damaged' }
  if (bytes.readUInt32LE(trailerAt + 4) !== frame.length) return { reason: 'gzip_damaged' }
  return { frame, memberBytes: trailerAt + TRAILER_BYTES - start }
}
