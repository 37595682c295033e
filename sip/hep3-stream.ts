/**
 * Splits the byte stream of a HEP connection (TCP, TLS) into whole frames.
 *
 * HEP has no framing on a stream beyond its own header, so a frame begins at "HEP3" with a length that can be
 * true (6, or at least 12) and a first chunk whose length fits into it. Bytes that do not begin a frame are
 * skipped one by one up to the next place that does, and counted; the rest of a frame is not looked at here
 * (`checkHep3` does that), so a frame with a bad later chunk is handed over whole.
 *
 * A frame may also come compressed as a whole (heplify's `payload_zip`, hep-gzip.ts): where a frame could begin, at the
 * start of the stream and right behind another one, a gzip member is taken for that and its content handed over. What
 * it holds is not looked at here. A damaged or oversized member ends the stream: nothing behind it can be found again.
 *
 * Takes    reads of any size, in order.
 * Returns  frames through `onFrame(bytes, start, end)`; the bytes are only valid during that call. `push` gives '' or why
 *          the stream has to be closed; nothing more is read from it then.
 * Throws   only what `onFrame` throws.
 * Source   metrics.md §7 (TCP framing), §11 point 14, §13.1.
 *
 * Invariant: what has been handed over (members: as they came), skipped and is pending adds up to what was pushed, and
 * each of the three depends on the bytes alone, not on how they were cut into reads. At most one frame (65,535 bytes; a
 * member: 1 KiB more) is kept, and every byte is copied at most once, apart from the 12 bytes in which the beginning of
 * a frame is judged. A member whose end has not come is inflated anew with each read, but not more than 64 times: an
 * agent sends it in one piece, and one that dribbles is closed.
 */
import { beginsGzip, type GzipRefusal, gunzipFrame, MEMBER_MAX_BYTES } from './hep-gzip.js'
import { HEP3_CHUNK_HEADER_BYTES, HEP3_HEADER_BYTES } from './hep3.js'

const JUDGED_BYTES = HEP3_HEADER_BYTES + HEP3_CHUNK_HEADER_BYTES

/** Not a length: these bytes begin no frame. */
const NO_FRAME = -1
/** Not a length: more bytes are needed to judge. */
const UNDECIDED = 0
/** Not a length: a gzip member, which is as long as its content makes it. */
const MEMBER = -2

const KEPT_BYTES_MAX = 4_096
const MEMBER_TRIES_MAX = 64

type OnFrame = (bytes: Buffer, start: number, end: number) => void

export class Hep3StreamReader {
  /** Bytes that belonged to no frame, since the connection began. */
  skippedBytes = 0

  #pending: Buffer = Buffer.alloc(0)
  #pendingLength = 0
  /** Length of the frame that is pending, or MEMBER; UNDECIDED while its beginning is not complete. */
  #frameLength = UNDECIDED
  /** The next byte is the stream's first, or stands right behind a frame. */
  #isBehindFrame = true
  #memberTries = 0
  #refusal: GzipRefusal | '' = ''

  /** Bytes of a frame that is not complete yet; 0 between frames. */
  get pendingBytes(): number {
    return this.#pendingLength
  }

  push(chunk: Buffer, onFrame: OnFrame): GzipRefusal | '' {
    let at = 0
    while (at < chunk.length && this.#refusal === '') {
      if (this.#pendingLength > 0) {
        at =
          this.#frameLength === MEMBER ? this.#fillMember(chunk, at, onFrame) : this.#fill(chunk, at, onFrame)
        continue
      }
      const available = chunk.length - at
      const length = frameLengthAt(chunk, at, available, this.#isBehindFrame)
      if (length === NO_FRAME) {
        const next = chunk.indexOf(0x48, at + 1)
        const stop = next < 0 ? chunk.length : next
        this.#skip(stop - at)
        at = stop
      } else if (length === MEMBER) {
        at = this.#takeMember(chunk, at, onFrame)
      } else if (length === UNDECIDED || length > available) {
        this.#keep(chunk, at, chunk.length, length)
        break
      } else {
        at += length
        this.#isBehindFrame = true
        onFrame(chunk, at - length, at)
      }
    }
    return this.#refusal
  }

  /** Adds bytes to the pending frame, as many as it needs to be judged or completed. Returns the new offset. */
  #fill(chunk: Buffer, at: number, onFrame: OnFrame): number {
    const wanted = this.#frameLength === UNDECIDED ? this.#pendingLength + 1 : this.#frameLength
    const stop = Math.min(chunk.length, at + wanted - this.#pendingLength)
    this.#keep(chunk, at, stop, this.#frameLength)
    if (this.#frameLength === UNDECIDED) this.#judge()
    while (this.#frameLength > 0 && this.#pendingLength >= this.#frameLength) this.#handOver(onFrame)
    return stop
  }

  #handOver(onFrame: OnFrame): void {
    let frame = this.#pending
    const length = this.#frameLength
    const excess = this.#pendingLength - length
    if (excess > 0) {
      // A frame of 6 bytes, found behind a false beginning: up to 6 of the judged bytes are not its own.
      frame = Buffer.from(frame.subarray(0, length))
      this.#pending.copyWithin(0, length, this.#pendingLength)
    } else if (frame.length > KEPT_BYTES_MAX) {
      this.#pending = Buffer.alloc(0)
    }
    this.#pendingLength = excess
    this.#frameLength = UNDECIDED
    this.#isBehindFrame = true
    this.#judge()
    onFrame(frame, 0, length)
  }

  /** Looks at the kept bytes again; drops those that turn out to begin no frame. */
  #judge(): void {
    while (this.#pendingLength > 0) {
      const length = frameLengthAt(this.#pending, 0, this.#pendingLength, this.#isBehindFrame)
      if (length !== NO_FRAME) {
        this.#frameLength = length
        return
      }
      const next = this.#pending.subarray(0, this.#pendingLength).indexOf(0x48, 1)
      const dropped = next < 0 ? this.#pendingLength : next
      this.#pending.copyWithin(0, dropped, this.#pendingLength)
      this.#pendingLength -= dropped
      this.#skip(dropped)
    }
    this.#frameLength = UNDECIDED
  }

  #skip(bytes: number): void {
    this.skippedBytes += bytes
    this.#isBehindFrame = false
  }

  /** A member that begins in the chunk: taken at once if its end is there, kept otherwise. */
  #takeMember(chunk: Buffer, at: number, onFrame: OnFrame): number {
    const memberBytes = this.#inflate(chunk, at, chunk.length, onFrame)
    if (memberBytes === 0 && this.#refusal === '') this.#keep(chunk, at, chunk.length, MEMBER)
    return memberBytes === 0 ? chunk.length : at + memberBytes
  }

  #fillMember(chunk: Buffer, at: number, onFrame: OnFrame): number {
    const kept = this.#pendingLength
    const stop = Math.min(chunk.length, at + MEMBER_MAX_BYTES - kept)
    this.#keep(chunk, at, stop, MEMBER)
    const member = this.#pending
    const length = this.#pendingLength
    const memberBytes = this.#inflate(member, 0, length, (frame, from, to) => {
      this.#pendingLength = 0
      this.#frameLength = UNDECIDED
      if (member.length > KEPT_BYTES_MAX) this.#pending = Buffer.alloc(0)
      onFrame(frame, from, to)
    })
    // What stands behind the member came with this chunk: without it the member was not complete.
    return memberBytes === 0 ? stop : at + memberBytes - kept
  }

  /** How long the member was; 0 when its end has not come, or when it is refused. */
  #inflate(bytes: Buffer, from: number, to: number, onFrame: OnFrame): number {
    const unzipped = gunzipFrame(bytes, from, to)
    if ('reason' in unzipped) {
      const isWaiting = unzipped.reason === 'incomplete' && ++this.#memberTries <= MEMBER_TRIES_MAX
      if (!isWaiting) this.#refusal = unzipped.reason === 'incomplete' ? 'gzip_damaged' : unzipped.reason
      return 0
    }
    this.#memberTries = 0
    this.#isBehindFrame = true
    onFrame(unzipped.frame, 0, unzipped.frame.length)
    return unzipped.memberBytes
  }

  #keep(chunk: Buffer, from: number, to: number, frameLength: number): void {
    const needed = this.#pendingLength + to - from
    if (needed > this.#pending.length) {
      // Doubling keeps the copying linear, and a peer that only claims a long frame does not get the memory.
      const size = Math.max(needed, Math.min(2 * this.#pending.length, frameLength), 1_024)
      const larger = Buffer.allocUnsafeSlow(size)
      this.#pending.copy(larger, 0, 0, this.#pendingLength)
      this.#pending = larger
    }
    chunk.copy(this.#pending, this.#pendingLength, from, to)
    this.#pendingLength = needed
    this.#frameLength = frameLength
  }
}

/** The length of the frame that begins at `at`, MEMBER, NO_FRAME, or UNDECIDED while `available` bytes are too few. */
function frameLengthAt(bytes: Buffer, at: number, available: number, isBehindFrame: boolean): number {
  if (bytes[at] !== 0x48) {
    if (!isBehindFrame || !beginsGzip(bytes, at, at + available)) return NO_FRAME
    return available < 4 ? UNDECIDED : MEMBER
  }
  if (available < 2) return UNDECIDED
  if (bytes[at + 1] !== 0x45) return NO_FRAME
  if (available < 3) return UNDECIDED
  if (bytes[at + 2] !== 0x50) return NO_FRAME
  if (available < 4) return UNDECIDED
  if (bytes[at + 3] !== 0x33) return NO_FRAME
  if (available < HEP3_HEADER_BYTES) return UNDECIDED
  const length = (bytes[at + 4]! << 8) | bytes[at + 5]!
  if (length === HEP3_HEADER_BYTES) return length // A frame without chunks: an agent's ping.
  if (length < JUDGED_BYTES) return NO_FRAME
  if (available < JUDGED_BYTES) return UNDECIDED
  const chunkLength = (bytes[at + 10]! << 8) | bytes[at + 11]!
  if (chunkLength < HEP3_CHUNK_HEADER_BYTES || chunkLength > length - HEP3_HEADER_BYTES) return NO_FRAME
  return length
}
