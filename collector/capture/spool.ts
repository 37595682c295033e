/**
 * The spool's writer: an append-only disk queue with group commit. A frame is copied into memory when it arrives
 * and counts as accepted only after the batch it is in has been written and synced; one commit takes everything
 * that accumulated while the one before was in flight.
 *
 * Takes    frames through `append`, which never waits and never throws; positions through `committed`, which let
 *          segments go.
 * Returns  `append`: '' (taken) or why it was refused; `onDurable(endPosition, receivedUntilUs)` after each commit.
 * Throws   `open` only: TRUNKSCOPE_SPOOL_OPEN_FAILED.
 * Source   design.md §1, faults.md §2.3 and §3.3.
 *
 * When the disk fails:
 * - full (ENOSPC): what was begun is cut off again, what is held in memory is kept and tried again, new frames
 *   are refused with `spool_full` until a try succeeds. `sizeMaxBytes` reached: the same, without the tries.
 * - a failed sync or write (EIO): the segment ends at its last synced batch and is never synced again; the same
 *   frames go into a new segment. While that fails too, frames pile up to `memoryMaxBytes`, then `spool_slow`.
 * Nothing of this makes the reader stop reading its sockets.
 *
 * Invariant: positions that were given out are never given to other bytes. Segments follow one another without a
 * gap while this process runs; after an unclean stop the new segment begins behind the torn end of the last one.
 */
import { type ReceivedFrame, TRANSPORTS } from '../../schemas/hep-frame.js'
import { CaptureError } from './capture-error.js'
import { realDisk, type SpoolDisk } from './spool-disk.js'
import { BATCH_HEADER_BYTES, BATCH_MAX_BYTES, recordBytes, writeRecord } from './spool-format.js'
import { type DiskFailure, SpoolSegments, type UnsealedBatch } from './spool-segments.js'

export interface SpoolOptions {
  /** `<data>/spool`. */
  folder: string
  /** The capture clock: never goes back. */
  nowUs: () => number
  /** After each commit: everything before `endPosition` is on disk. */
  onDurable: (endPosition: number, receivedUntilUs: number) => void
  /** What an operator should read: a sentence for the log. */
  onNotice?: (sentence: string) => void
  sizeMaxBytes?: number
  memoryMaxBytes?: number
  segmentBytes?: number
  batchBytes?: number
  /** How long the first frame of a batch waits for company. */
  lingerMs?: number
  /** How long a committed segment is kept: an insert that was acknowledged survives kill -9, not a power cut. */
  safetyAgeMs?: number
  /** Pause between two tries on a disk that fails. */
  retryMs?: number
  disk?: SpoolDisk
  /** Clock of `safetyAgeMs`. */
  nowMs?: () => number
}

export type SpoolRefusal = 'spool_full' | 'spool_slow'

interface Batch extends UnsealedBatch {
  /** Frames and bytes by index of TRANSPORTS. */
  frames: number[]
  bytes: number[]
  whenSettled: ((stored: boolean) => void)[]
}

const GROUP_BATCHES_MAX = 16
const FREE_BUFFERS_MAX = 16
const FRAME_MAX_BYTES = 65_535
/** Room for the largest frame, its record and the batch around it. */
const BATCH_MIN_BYTES = 131_072
const FILE_TRANSPORT = TRANSPORTS.indexOf('file')

export class SpoolWriter {
  /** Frames and their bytes that are on disk, by index of TRANSPORTS. */
  readonly acceptedFrames: number[] = TRANSPORTS.map(() => 0)
  readonly acceptedBytes: number[] = TRANSPORTS.map(() => 0)
  /** Frames that were taken and could not be stored before the writer was closed. */
  readonly lost: Record<SpoolRefusal, number> = { spool_full: 0, spool_slow: 0 }
  readonly #options: Required<SpoolOptions>
  readonly #segments: SpoolSegments
  readonly #batchesMax: number
  readonly #free: Buffer[] = []
  readonly #sealed: Batch[] = []
  #current: Batch | undefined
  #writing: Batch[] = []
  #lingerTimer: NodeJS.Timeout | undefined
  #currentIsDue = false
  #isRunning = false
  #endWanted = false
  #idleWaiters: (() => void)[] = []

  #durableUntilUs: number
  #lastReceivedUs: number
  #sealedUntilUs = 0

  #diskIsFull = false
  #diskFails = false
  #writeFailures = 0
  #sizeIsReached = false
  #sizeIsNoticed = false
  #isClosing = false
  #wakeRetry: (() => void) | undefined

  private constructor(options: Required<SpoolOptions>, segments: SpoolSegments) {
    this.#options = options
    this.#segments = segments
    this.#batchesMax = Math.max(2, Math.floor(options.memoryMaxBytes / options.batchBytes))
    this.#lastReceivedUs = options.nowUs()
    this.#durableUntilUs = this.#lastReceivedUs
  }

  static async open(options: SpoolOptions): Promise<SpoolWriter> {
    const sizeMaxBytes = options.sizeMaxBytes ?? 4_294_967_296
    const settings: Required<SpoolOptions> = {
      folder: options.folder,
      nowUs: options.nowUs,
      onDurable: options.onDurable,
      onNotice: options.onNotice ?? (() => {}),
      sizeMaxBytes,
      memoryMaxBytes: options.memoryMaxBytes ?? 67_108_864,
      segmentBytes: options.segmentBytes ?? Math.min(67_108_864, Math.floor(sizeMaxBytes / 8)),
      batchBytes: Math.max(BATCH_MIN_BYTES, Math.min(BATCH_MAX_BYTES, options.batchBytes ?? 262_144)),
      lingerMs: options.lingerMs ?? 5,
      safetyAgeMs: options.safetyAgeMs ?? 600_000,
      retryMs: options.retryMs ?? 250,
      disk: options.disk ?? realDisk,
      nowMs: options.nowMs ?? (() => performance.now()),
    }
    return new SpoolWriter(settings, await SpoolSegments.open(settings))
  }

  /** Everything before this is on disk. */
  get endPosition(): number {
    return this.#segments.endPosition
  }

  /** Every frame received before this is on disk (and before `endPosition`), or was refused. */
  get receivedUntilUs(): number {
    if (this.framesInFlight === 0) this.#durableUntilUs = this.#sealedUntilUs = this.#options.nowUs()
    return this.#durableUntilUs
  }

  get framesInFlight(): number {
    let frames = this.#current?.count ?? 0
    for (const batch of this.#sealed) frames += batch.count
    for (const batch of this.#writing) frames += batch.count
    return frames
  }

  get sizeBytes(): number {
    return this.#segments.sizeBytes
  }

  get segmentCount(): number {
    return this.#segments.count
  }

  /** Segments deleted before their safety age, because the room was needed. */
  /** Writes and syncs that failed for another reason than a full disk; what they held went to a new segment. */
  get writeFailures(): number {
    return this.#writeFailures
  }

  get segmentsCutShort(): number {
    return this.#segments.cutShort
  }

  get state(): 'writing' | 'full' | 'failing' {
    if (this.#diskIsFull || this.#sizeIsReached) return 'full'
    return this.#diskFails ? 'failing' : 'writing'
  }

  /** Takes a copy of bytes[start, end). `transport` is an index of TRANSPORTS, the address ASCII of at most 63. */
  append(
    receivedAtUs: number,
    transport: number,
    peerAddress: string,
    bytes: Buffer,
    start: number,
    end: number,
  ): SpoolRefusal | '' {
    if (this.#diskIsFull || this.#sizeIsReached) return 'spool_full'
    if (transport !== FILE_TRANSPORT) this.#lastReceivedUs = receivedAtUs
    let batch = this.#current
    if (batch === undefined || batch.end + recordBytes(peerAddress, end - start) > batch.buffer.length) {
      const refused = this.#nextBatch()
      if (refused !== '') return refused
      batch = this.#current!
    }
    batch.end = writeRecord(batch.buffer, batch.end, receivedAtUs, transport, peerAddress, bytes, start, end)
    batch.count++
    batch.frames[transport]!++
    batch.bytes[transport]! += end - start
    return ''
  }

  /** Resolves when the frames are on disk; rejects when the spool is full. A slow disk makes it wait. */
  async publish(frames: ReceivedFrame[]): Promise<void> {
    for (const frame of frames) {
      if (frame.peerAddress.length > 63 || frame.bytes.length > FRAME_MAX_BYTES) {
        throw new CaptureError(
          'TRUNKSCOPE_SPOOL_REFUSED',
          `A frame of ${frame.bytes.length} bytes is larger than any HEP frame: it cannot be published.`,
        )
      }
      const transport = TRANSPORTS.indexOf(frame.transport)
      let refused = this.#appendWhole(frame, transport)
      while (refused === 'spool_slow' && !this.#isClosing) {
        await this.flush()
        refused = this.#appendWhole(frame, transport)
      }
      if (refused !== '') {
        throw new CaptureError(
          'TRUNKSCOPE_SPOOL_REFUSED',
          'The spool is full: free space on its disk or raise spool.size_max_bytes, then publish again.',
        )
      }
    }
    if (!(await this.flush())) {
      throw new CaptureError(
        'TRUNKSCOPE_SPOOL_REFUSED',
        'The spool was closed before the frames were on disk.',
      )
    }
  }

  #appendWhole(frame: ReceivedFrame, transport: number): SpoolRefusal | '' {
    return this.append(frame.receivedAtUs, transport, frame.peerAddress, frame.bytes, 0, frame.bytes.length)
  }

  /** Resolves when everything taken so far is on disk (true) or was given up (false). */
  flush(): Promise<boolean> {
    const last = this.#current ?? this.#sealed.at(-1) ?? this.#writing.at(-1)
    if (last === undefined) return Promise.resolve(true)
    const settled = new Promise<boolean>((resolve) => last.whenSettled.push(resolve))
    this.#currentIsDue = true
    this.#run()
    return settled
  }

  /** Everything before `position` is stored downstream: segments may go, after their safety age. */
  committed(position: number): void {
    this.#segments.committed(position)
    this.collect()
  }

  /** Deletes what may go; call it now and then, for the safety age to pass. */
  collect(): void {
    this.#segments.deleteAged()
    if (this.#segments.isDue || (this.#sizeIsReached && this.#segments.isCommitted)) {
      this.#endWanted = true
      this.#run()
    }
    if (this.#sizeIsReached) this.#sizeIsReached = !this.#hasRoom()
    if (this.sizeBytes < 0.9 * this.#options.sizeMaxBytes) this.#sizeIsNoticed = false
  }

  /** Stores what is held, or gives it up if the disk does not take it now; then closes the segment. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#wakeRetry?.()
    await this.flush()
    if (this.#isRunning) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
    await this.#segments.end()
  }

  // Memory

  #nextBatch(): SpoolRefusal | '' {
    const held = this.#sealed.length + this.#writing.length + (this.#current === undefined ? 0 : 1)
    if (held >= this.#batchesMax) return 'spool_slow'
    if (!this.#hasRoom()) {
      this.#sizeIsReached = true
      this.#noticeSize()
      return 'spool_full'
    }
    if (this.#current !== undefined) {
      this.#sealCurrent(this.#lastReceivedUs)
      this.#run()
    }
    this.#current = {
      buffer: this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#options.batchBytes),
      end: BATCH_HEADER_BYTES,
      count: 0,
      receivedUntilUs: 0,
      frames: TRANSPORTS.map(() => 0),
      bytes: TRANSPORTS.map(() => 0),
      whenSettled: [],
    }
    this.#lingerTimer ??= setTimeout(() => {
      this.#lingerTimer = undefined
      this.#currentIsDue = true
      this.#run()
    }, this.#options.lingerMs)
    return ''
  }

  /** Once, until a tenth of the spool has been free again: at the limit it goes back and forth with the store. */
  #noticeSize(): void {
    if (this.#sizeIsNoticed) return
    this.#sizeIsNoticed = true
    this.#options.onNotice(
      `The spool reached its limit of ${this.#options.sizeMaxBytes} bytes: frames are refused (spool_full) until the ` +
        'store catches up. Raise spool.size_max_bytes if the disk has room.',
    )
  }

  #sealCurrent(receivedUntilUs: number): void {
    const batch = this.#current!
    this.#sealedUntilUs = Math.max(this.#sealedUntilUs, receivedUntilUs)
    batch.receivedUntilUs = this.#sealedUntilUs
    this.#sealed.push(batch)
    this.#current = undefined
    this.#currentIsDue = false
    clearTimeout(this.#lingerTimer)
    this.#lingerTimer = undefined
  }

  /** Room for one more batch within the size limit; makes it from committed segments if it must. */
  #hasRoom(): boolean {
    const { batchBytes, sizeMaxBytes } = this.#options
    const held = this.#sealed.length + this.#writing.length + (this.#current === undefined ? 0 : 1)
    const needed = (held + 1) * batchBytes
    while (this.sizeBytes + needed > sizeMaxBytes && this.#segments.canDeleteEarly) {
      void this.#segments.deleteEarly()
    }
    return this.sizeBytes + needed <= sizeMaxBytes
  }

  // Commit

  /** Starts the commit loop unless it is running. It never rejects: every failure of the disk is handled inside. */
  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#commitAll()
  }

  async #commitAll(): Promise<void> {
    while (true) {
      if (this.#endWanted) {
        this.#endWanted = false
        await this.#segments.end()
        this.collect()
      }
      if (this.#current !== undefined && (this.#currentIsDue || this.#sealed.length > 0)) {
        this.#sealCurrent(this.#options.nowUs())
      }
      const group = this.#sealed.splice(0, GROUP_BATCHES_MAX)
      if (group.length === 0) break
      this.#writing = group
      const failure = await this.#store(group)
      this.#writing = []
      this.#settle(group, failure)
    }
    this.#isRunning = false
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  /**
   * Writes and syncs the group, on a failing disk until it takes it, on a full one its first batch; only a writer that
   * closes gives up.
   */
  async #store(group: Batch[]): Promise<SpoolRefusal | ''> {
    for (let tries = 1; ; tries++) {
      const failure = await this.#segments.write(group)
      if (failure === undefined) {
        this.#becameDurable(group)
        return ''
      }
      this.#reportFailure(failure)
      const isFull = failure.kind === 'full'
      // A disk with room for little takes little: the rest of the group waits.
      if (isFull && group.length > 1) this.#sealed.unshift(...group.splice(1))
      if (this.#isClosing && tries > 1) return isFull ? 'spool_full' : 'spool_slow'
      const madeRoom = isFull && (await this.#segments.deleteEarly())
      // The first try after a failed sync goes to a new segment at once.
      if (!madeRoom && (tries > 1 || isFull)) await this.#pause()
    }
  }

  #reportFailure({ kind, code }: DiskFailure): void {
    const isFull = kind === 'full'
    if (isFull && !this.#diskIsFull) {
      this.#options.onNotice(
        `The disk of the spool is full (${code}): frames are refused (spool_full), capture goes on. Free some space.`,
      )
    }
    if (!isFull && !this.#diskFails) {
      this.#options.onNotice(
        `Writing the spool failed (${code}): going on in a new segment. Check the disk under ${this.#options.folder}.`,
      )
    }
    if (isFull) this.#diskIsFull = true
    else this.#diskFails = true
    if (!isFull) this.#writeFailures++
  }

  #becameDurable(group: Batch[]): void {
    if (this.#diskIsFull || this.#diskFails) this.#options.onNotice('The spool is written again.')
    this.#diskIsFull = false
    this.#diskFails = false
    this.#durableUntilUs = group.at(-1)!.receivedUntilUs
    if (this.#segments.isDue) this.#endWanted = true
    for (const batch of group) {
      for (let transport = 0; transport < TRANSPORTS.length; transport++) {
        this.acceptedFrames[transport]! += batch.frames[transport]!
        this.acceptedBytes[transport]! += batch.bytes[transport]!
      }
    }
    this.#options.onDurable(this.endPosition, this.#durableUntilUs)
  }

  #settle(group: Batch[], failure: SpoolRefusal | ''): void {
    for (const batch of group) {
      if (failure !== '') this.lost[failure] += batch.count
      if (this.#free.length < FREE_BUFFERS_MAX) this.#free.push(batch.buffer)
      for (const resolve of batch.whenSettled) resolve(failure === '')
    }
  }

  async #pause(): Promise<void> {
    if (this.#isClosing) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#options.retryMs)
      this.#wakeRetry = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wakeRetry = undefined
  }
}
