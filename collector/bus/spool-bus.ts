/**
 * The bus of the embedded mode: reads the spool's segment files while the capture thread writes them.
 *
 * The writer says how far it has synced (`notify`); the reader never looks beyond that, so it never meets a batch
 * that is being written. It starts at the committed position, hands over about 1 MiB at a time, skips what is
 * damaged up to the next sound batch, and says how much that was.
 *
 * The committed position is kept in `cursor.json` together with the host's boot id. After a restart of the host
 * everything that is still in the spool is delivered again: an acknowledged insert survives a killed process, but
 * not a power cut, and what comes after the bus does not mind repeats.
 *
 * Throws   `subscribe` rejects with what the handler threw, with an error of the disk, or with
 *          TRUNKSCOPE_SPOOL_VERSION.
 * Source   design.md §1–2, faults.md §2.2, §3.3.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
// The one import across stages: the spool's files are written there and read here, and their format is one thing.
import { CaptureError } from '../capture/capture-error.js'
import {
  type AcknowledgedOffsets,
  type Cursor,
  listSegmentStarts,
  makeSpoolFolder,
  readBootId,
  readCursor,
  writeCursor,
} from '../capture/spool-disk.js'
import { BATCH_MAX_BYTES, decodeSpan, segmentName } from '../capture/spool-format.js'
import type { Bus, BusBatch } from './bus.js'

export interface SpoolBusOptions {
  /** `<data>/spool`. */
  folder: string
  /** How frames get into the spool: the writer's, or the capture thread's. Without it the bus is read-only. */
  publish?: (frames: ReceivedFrame[]) => Promise<void>
  /** Tells the writer which segments it may let go. Called once at the start and after each commit. */
  onCommitted?: (position: number) => void
  /** What an operator should read: a sentence for the log. */
  onNotice?: (sentence: string) => void
  /** Kept with the committed position: what the broker has acknowledged. */
  acknowledged?: () => AcknowledgedOffsets | undefined
  /** About how much is read at a time. */
  readBytes?: number
  /** An idle bus says so this often. */
  idleMs?: number
  /** Tests only: the host's boot id. */
  bootId?: string
}

const PARTITION = 0

export class SpoolBus implements Bus {
  readonly #options: SpoolBusOptions
  /** Of the process before: what the broker had acknowledged when the cursor was written last. */
  readonly acknowledgedBefore: AcknowledgedOffsets | undefined
  readonly #bootId: string
  readonly #readBytes: number
  /** Where the next read begins. */
  #position: number
  #committed: number
  #endPosition = 0
  #receivedUntilUs = 0
  #deliveredUntilUs = 0

  #starts: number[] = []
  #buffer = Buffer.alloc(0)
  #file: { start: number; handle: FileHandle } | undefined
  #isClosed = false
  #isSubscribed: Promise<void> | undefined
  #wake: (() => void) | undefined
  #cursorWritten: Promise<void> = Promise.resolve()
  #cursorFails = false

  private constructor(
    options: SpoolBusOptions,
    bootId: string,
    position: number,
    acknowledgedBefore: AcknowledgedOffsets | undefined,
  ) {
    this.#options = options
    this.acknowledgedBefore = acknowledgedBefore
    this.#bootId = bootId
    this.#position = position
    this.#committed = position
    this.#readBytes = Math.max(options.readBytes ?? 1_048_576, BATCH_MAX_BYTES)
  }

  static async open(options: SpoolBusOptions): Promise<SpoolBus> {
    await makeSpoolFolder(options.folder)
    const bootId = options.bootId ?? (await readBootId())
    const starts = await listSegmentStarts(options.folder)
    const cursor = await readCursor(options.folder)
    const position = startPosition(cursor, bootId, starts[0], options.onNotice ?? (() => {}))
    options.onCommitted?.(position)
    return new SpoolBus(options, bootId, position, cursor?.acknowledged)
  }

  /** From the writer: everything before `endPosition` can be read, and every frame before that time is in it. */
  notify(endPosition: number, receivedUntilUs: number): void {
    this.#receivedUntilUs = receivedUntilUs
    if (endPosition <= this.#endPosition) return
    this.#endPosition = endPosition
    this.#wake?.()
  }

  async publish(frames: ReceivedFrame[]): Promise<void> {
    if (this.#options.publish === undefined) {
      throw new CaptureError(
        'TRUNKSCOPE_SPOOL_NO_WRITER',
        'This process only reads the spool: publish through the one that captures.',
      )
    }
    await this.#options.publish(frames)
  }

  async subscribe(onBatch: (batch: BusBatch) => Promise<void>): Promise<void> {
    if (this.#isSubscribed !== undefined) throw new Error('The spool has one reader: subscribe once.')
    const delivery = this.#deliver(onBatch)
    this.#isSubscribed = delivery.catch(() => {})
    await delivery
  }

  async #deliver(onBatch: (batch: BusBatch) => Promise<void>): Promise<void> {
    try {
      while (!this.#isClosed) {
        if (this.#position >= this.#endPosition) {
          if (await this.#isWoken()) continue
          await this.#closeFile() // Held open, a segment that the writer deletes would go on taking its room.
        }
        if (this.#isClosed) return
        const batch = await this.#read()
        await onBatch(batch)
      }
    } finally {
      await this.#closeFile()
    }
  }

  /** Waits for the writer; false when nothing came for so long that the reader of the bus should hear of it. */
  async #isWoken(): Promise<boolean> {
    const isWoken = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), this.#options.idleMs ?? 500)
      this.#wake = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })
    this.#wake = undefined
    return isWoken
  }

  async commit(partition: number, position: number): Promise<void> {
    if (partition !== PARTITION) throw new RangeError(`The spool has partition 0 only, not ${partition}.`)
    this.#committed = position
    const write = async () => {
      if (position !== this.#committed) return // A later commit is behind this one and says more.
      try {
        const acknowledged = this.#options.acknowledged?.()
        await writeCursor(this.#options.folder, { position, bootId: this.#bootId, acknowledged })
        this.#cursorFails = false
      } catch (error) {
        // On a full disk it is the committed segments that make room: they must go nevertheless.
        if (!this.#cursorFails) {
          const code = (error as NodeJS.ErrnoException).code
          this.#notice(`Cannot write the spool's cursor (${code}): after a restart more frames come again.`)
        }
        this.#cursorFails = true
      }
      this.#options.onCommitted?.(position)
    }
    this.#cursorWritten = this.#cursorWritten.then(write)
    await this.#cursorWritten
  }

  /**
   * Everything that is still on disk is delivered again, committed or not: what comes after the bus has lost it. Called while
   * a batch is being handled, in place of its commit.
   */
  async rewind(): Promise<void> {
    const [oldest] = await listSegmentStarts(this.#options.folder)
    if (oldest === undefined || oldest >= this.#position) return
    await this.#closeFile()
    this.#starts = []
    this.#position = oldest
    await this.commit(PARTITION, oldest)
  }

  async lag(): Promise<{ bytes: number }> {
    return { bytes: Math.max(0, this.#endPosition - this.#committed) }
  }

  /** Ends the subscription after the batch that is being handled. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#wake?.()
    await this.#isSubscribed
    await this.#cursorWritten
  }

  #notice(sentence: string): void {
    this.#options.onNotice?.(sentence)
  }

  // Reading

  /** The next batch; an empty one when there is nothing before the end that the writer named. */
  async #read(): Promise<BusBatch> {
    const position = this.#position
    const endPosition = this.#endPosition
    const batch: BusBatch = {
      partition: PARTITION,
      basePartition: PARTITION,
      frames: [],
      position,
      nextPosition: position,
      receivedUntilUs: this.#receivedUntilUs,
    }
    if (position >= endPosition) return batch

    const segment = await this.#segmentOf(position)
    const limit = Math.min(endPosition, segment.nextStart ?? endPosition)
    const wanted = Math.min(this.#readBytes, limit - position)
    const bytes =
      segment.start === undefined ? Buffer.alloc(0) : await this.#readFrom(segment.start, position, wanted)
    if (segment.start === undefined || bytes.length === 0) {
      // The file ends before it should, or is gone.
      this.#position = limit
      batch.receivedUntilUs = this.#deliveredUntilUs
      return {
        ...batch,
        nextPosition: limit,
        damaged: [{ reason: 'spool_damaged', bytes: limit - position }],
      }
    }
    const isLast = bytes.length < wanted || position + bytes.length === limit
    const span = decodeSpan(bytes, position, segment.start, isLast)
    this.#position = position + span.consumedBytes
    batch.frames = span.frames
    batch.nextPosition = this.#position
    // Up to the end the writer's own word holds; before it, what was promised when the batch was sealed.
    if (this.#position < this.#endPosition)
      batch.receivedUntilUs = span.receivedUntilUs || this.#deliveredUntilUs
    this.#deliveredUntilUs = batch.receivedUntilUs
    if (span.damagedBytes.length > 0) {
      batch.damaged = span.damagedBytes.map((length) => ({ reason: 'spool_damaged', bytes: length }))
    }
    return batch
  }

  /** The segment that holds the position: the last one that begins at or before it. */
  async #segmentOf(position: number): Promise<{ start: number | undefined; nextStart: number | undefined }> {
    let next = this.#starts.findIndex((start) => start > position)
    if (next < 0) {
      // Behind the newest segment we know a newer one may have begun; what it took over is not read from the old one.
      this.#starts = (await listSegmentStarts(this.#options.folder)).filter(
        (_start, index, all) => (all[index + 1] ?? Number.POSITIVE_INFINITY) > position,
      )
      next = this.#starts.findIndex((start) => start > position)
    }
    if (next < 0) return { start: this.#starts.at(-1), nextStart: undefined }
    return { start: this.#starts[next - 1], nextStart: this.#starts[next] }
  }

  async #readFrom(start: number, position: number, wanted: number): Promise<Buffer> {
    if (this.#file?.start !== start) {
      await this.#closeFile()
      try {
        this.#file = { start, handle: await open(join(this.#options.folder, segmentName(start)), 'r') }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
        throw error
      }
    }
    // One buffer for all reads: a new one each time makes the collector of garbage work harder than the frames do.
    if (this.#buffer.length < wanted) this.#buffer = Buffer.allocUnsafeSlow(wanted)
    const bytes = this.#buffer.subarray(0, wanted)
    let length = 0
    while (length < wanted) {
      const { bytesRead } = await this.#file.handle.read(
        bytes,
        length,
        wanted - length,
        position - start + length,
      )
      if (bytesRead === 0) break
      length += bytesRead
    }
    return bytes.subarray(0, length)
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.handle.close()
  }
}

function startPosition(
  cursor: Cursor | undefined,
  bootId: string,
  oldestStart: number | undefined,
  onNotice: (sentence: string) => void,
): number {
  if (cursor === undefined) return oldestStart ?? 0
  if (
    oldestStart !== undefined &&
    (cursor.bootId !== bootId || bootId === '') &&
    cursor.position > oldestStart
  ) {
    onNotice(
      `The host was restarted since the last commit: the ${cursor.position - oldestStart} committed bytes that are still in ` +
        'the spool are delivered again, in case the power cut took acknowledged inserts.',
    )
    return oldestStart
  }
  if (oldestStart !== undefined && cursor.position < oldestStart) {
    onNotice(
      `The spool begins at ${oldestStart}, behind the committed position ${cursor.position}: segments were deleted ` +
        'without the cursor being written.',
    )
    return oldestStart
  }
  return cursor.position
}
