/**
 * The segment files of the spool: writing batches into the open one, ending it, deleting what is stored.
 *
 * Positions grow from segment to segment without a gap while this process runs. A segment is ended at its size, at
 * its age, or where a failed sync left it: then it counts up to its last synced batch and the next segment begins
 * there, so that what may or may not be on disk behind it is never read.
 *
 * Returns  `write`: undefined when the batches are on disk, or what is wrong with the disk.
 * Throws   `open` only: TRUNKSCOPE_SPOOL_OPEN_FAILED.
 * Source   faults.md §2.2, §3.3.
 */
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { CaptureError } from './capture-error.js'
import { listSegments, makeSpoolFolder, readCursor, type SegmentFile, type SpoolDisk } from './spool-disk.js'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, sealBatch, segmentName } from './spool-format.js'

export interface SegmentOptions {
  folder: string
  disk: SpoolDisk
  segmentBytes: number
  safetyAgeMs: number
  /** Clock of `safetyAgeMs`. */
  nowMs: () => number
  onNotice: (sentence: string) => void
}

/** Records that begin behind the room for a batch header and end at `end`. */
export interface UnsealedBatch {
  buffer: Buffer
  end: number
  count: number
  receivedUntilUs: number
}

export interface DiskFailure {
  kind: 'full' | 'failed'
  /** As the system names it: ENOSPC, EIO … */
  code: string
}

interface ClosedSegment {
  start: number
  bytes: number
  committedAtMs: number | undefined
}

interface OpenSegment {
  start: number
  path: string
  file: SegmentFile
  /** How much of it is written and synced: 0 until its header and first batches are. */
  durableBytes: number
  openedAtMs: number
}

export class SpoolSegments {
  /** Everything before this is on disk. */
  endPosition: number
  /** Segments deleted before their safety age, because the room was needed. */
  cutShort = 0

  readonly #options: SegmentOptions
  readonly #closed: ClosedSegment[]
  #closedBytes = 0
  #open: OpenSegment | undefined
  #nextStart: number
  #committedPosition = 0

  private constructor(options: SegmentOptions, closed: ClosedSegment[], start: number) {
    this.#options = options
    this.#closed = closed
    for (const segment of closed) this.#closedBytes += segment.bytes
    this.#nextStart = start
    this.endPosition = start
  }

  static async open(options: SegmentOptions): Promise<SpoolSegments> {
    const { folder } = options
    await makeSpoolFolder(folder)
    try {
      const segments = await listSegments(folder)
      // Created, and killed before the first byte: its name is the one we need.
      if (segments.at(-1)?.bytes === 0) await unlink(join(folder, segmentName(segments.pop()!.start)))
      const last = segments.at(-1)
      const cursor = await readCursor(folder)
      // Never into an old file, and never on positions that were given out before, even if that file was cut.
      const start = Math.max(last === undefined ? 0 : last.start + last.bytes, cursor?.position ?? 0)
      return new SpoolSegments(
        options,
        segments.map((segment) => ({ ...segment, committedAtMs: undefined })),
        start,
      )
    } catch (error) {
      throw new CaptureError(
        'TRUNKSCOPE_SPOOL_OPEN_FAILED',
        `Cannot read the spool in ${folder} (${(error as NodeJS.ErrnoException).code ?? error}). Check that it ` +
          'belongs to the user that runs this program.',
        { cause: error },
      )
    }
  }

  get sizeBytes(): number {
    return this.#closedBytes + (this.#open?.durableBytes ?? 0)
  }

  get count(): number {
    return this.#closed.length + (this.#open === undefined ? 0 : 1)
  }

  /** The open segment has its size, or its age: only ended segments are deleted, also those of a quiet spool. */
  get isDue(): boolean {
    const segment = this.#open
    if (segment === undefined || segment.durableBytes === 0) return false
    const { nowMs, safetyAgeMs, segmentBytes } = this.#options
    return segment.durableBytes >= segmentBytes || nowMs() - segment.openedAtMs >= safetyAgeMs
  }

  get isCommitted(): boolean {
    return this.#committedPosition >= this.endPosition
  }

  /** Writes and syncs the batches. After a failure the same batches may be given again. */
  async write(batches: UnsealedBatch[]): Promise<DiskFailure | undefined> {
    let isWritten = false
    try {
      const segment = this.#open ?? (await this.#create())
      const buffers = segment.durableBytes === 0 ? [encodeSegmentHeader(segment.start)] : []
      let position = segment.start + (segment.durableBytes || SEGMENT_HEADER_BYTES)
      for (const batch of batches) {
        sealBatch(batch.buffer, batch.end, position, batch.receivedUntilUs, batch.count)
        buffers.push(batch.buffer.subarray(0, batch.end))
        position += batch.end
      }
      await writeWhole(segment.file, buffers, segment.durableBytes)
      isWritten = true
      await segment.file.datasync()
      segment.durableBytes = position - segment.start
      this.endPosition = position
      return undefined
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error)
      const kind = code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'failed'
      // After a failed sync nobody knows what of the segment is on disk: it is never synced again.
      const isKept = kind === 'full' && !isWritten && (await this.#cutBack())
      if (!isKept) await this.end()
      return { kind, code }
    }
  }

  async #create(): Promise<OpenSegment> {
    const { disk, folder, nowMs } = this.#options
    const start = this.#nextStart
    const path = join(folder, segmentName(start))
    const file = await disk.createSegment(path)
    this.#open = { start, path, file, durableBytes: 0, openedAtMs: nowMs() }
    await disk.syncFolder(folder)
    return this.#open
  }

  /** Cuts off what a full disk let us write; false when the segment has to be given up. */
  async #cutBack(): Promise<boolean> {
    if (this.#open === undefined || this.#open.durableBytes === 0) return false
    try {
      await this.#open.file.truncate(this.#open.durableBytes)
      return true
    } catch {
      return false
    }
  }

  /** Ends the open segment at its last synced batch. The reader never looks behind the start of the next one. */
  async end(): Promise<void> {
    const segment = this.#open
    if (segment === undefined) return
    this.#open = undefined
    await segment.file.close().catch(() => {}) // What counts of it is synced, so closing has nothing to tell.
    this.#nextStart = segment.start + segment.durableBytes
    if (segment.durableBytes > 0) {
      this.#closed.push({ start: segment.start, bytes: segment.durableBytes, committedAtMs: undefined })
      this.#closedBytes += segment.durableBytes
      return
    }
    try {
      await this.#options.disk.unlink(segment.path)
    } catch {
      this.#nextStart++ // The name stays taken.
    }
  }

  /** Everything before `position` is stored downstream. After a restart of the host it may go back. */
  committed(position: number): void {
    this.#committedPosition = position
    this.deleteAged()
  }

  /** Deletes what has been committed for as long as the safety age. */
  deleteAged(): void {
    const now = this.#options.nowMs()
    for (const segment of this.#closed) {
      if (segment.start + segment.bytes > this.#committedPosition) break
      segment.committedAtMs ??= now
    }
    while (this.#closed[0]?.committedAtMs !== undefined) {
      if (now - this.#closed[0].committedAtMs < this.#options.safetyAgeMs) break
      void this.#deleteOldest()
    }
  }

  /** Gives up the safety age of the oldest committed segment; resolves to whether that made room. */
  async deleteEarly(): Promise<boolean> {
    if (!this.canDeleteEarly && this.isCommitted) {
      await this.end() // All that is left is the open segment, and on a full disk it would never grow to its size.
      this.deleteAged()
    }
    if (!this.canDeleteEarly) return false
    this.cutShort++
    return this.#deleteOldest()
  }

  get canDeleteEarly(): boolean {
    return this.#closed[0]?.committedAtMs !== undefined
  }

  async #deleteOldest(): Promise<boolean> {
    const segment = this.#closed.shift()!
    this.#closedBytes -= segment.bytes
    const name = segmentName(segment.start)
    try {
      await this.#options.disk.unlink(join(this.#options.folder, name))
      return true
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code !== 'ENOENT') {
        this.#options.onNotice(`Cannot delete ${name} from the spool (${code}): delete it by hand.`)
      }
      return false
    }
  }
}

async function writeWhole(file: SegmentFile, buffers: Buffer[], offset: number): Promise<void> {
  // A write may take less than it was given: the last one before a disk is full does.
  let at = offset
  let first = 0
  while (first < buffers.length) {
    let { bytesWritten } = await file.writev(buffers.slice(first), at)
    at += bytesWritten
    if (bytesWritten === 0) throw Object.assign(new Error('the disk takes no bytes'), { code: 'ENOSPC' })
    while (first < buffers.length && bytesWritten >= buffers[first]!.length) {
      bytesWritten -= buffers[first]!.length
      first++
    }
    if (bytesWritten > 0) buffers[first] = buffers[first]!.subarray(bytesWritten)
  }
}
