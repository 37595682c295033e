/**
 * The store process: bus → decode → enrich → fold → ClickHouse, and the offset last.
 *
 * `accept` folds a batch and returns; a flush of all partitions runs beside it, one at a time:
 *
 *   1. raw messages, on a connection of their own, beside the steps below  (rows with identity: safe to repeat)
 *      read back attempts that are stored and not in memory, and merge
 *   2. intent: the minutes this flush makes stale                        (store_checkpoints)
 *   3. attempts, then the ends of rows they left, tap counts, refused samples   (rows with identity: safe to repeat)
 *   4. recompute the stale minutes                                        (not at every flush when that is dear)
 *   5. look at the claims; commit the bus positions
 *
 * Killed at any point, the next process finds the intent, recomputes those minutes and folds everything after the
 * committed position again, which changes nothing that was already there (design.md §4).
 *
 * A store that fails is retried with a growing pause until it works; `problem` says why, and the bus holds what comes.
 * Throws   `accept` and `drain`: TRUNKSCOPE_STORE_SUPERSEDED when another process has claimed a partition that the bus still
 *          delivers here: subscribe again, with a new StoreRole.
 */
import { randomUUID } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import type { TrunkscopeConfig } from '../schemas/config.js'
import type { RefusedSample } from '../schemas/reasons.js'
import { keptOf } from '../schemas/retention.js'
import type { BusBatch } from './bus/bus.js'
import { foldOf } from './fold-wiring.js'
import { Intake } from './intake.js'
import { AGENT_COLUMNS, AgentCounts } from './store/agents.js'
import { writeCheckpoints } from './store/checkpoint.js'
import { lostClaims } from './store/claims.js'
import { ATTEMPTS, ClickHouseWriter, MESSAGES, shapeOf } from './store/clickhouse-writer.js'
import { sumDue } from './store/hours.js'
import { type Mark, readMarks, settleMarks } from './store/marks.js'
import { recomputeMinutes } from './store/minutes.js'
import type { Fold, OpenAttempt } from './store/open-attempts.js'
import { ENDED_COLUMNS, type EncodedAttempt, StorePartition } from './store/partition.js'
import { REFUSED_COLUMNS } from './store/refused.js'
import { Retry } from './store/retry.js'
import { encodeRows, RowBinaryWriter } from './store/rowbinary.js'

export interface StoreOptions {
  writer: ClickHouseClient
  /** A connection of its own for raw messages, which are stored while attempts are still being encoded. */
  rawWriter?: ClickHouseClient
  /** Where the embedded engine reads inserts from; undefined: they go over HTTP. */
  insertFolder: string | undefined
  config: TrunkscopeConfig
  /** Opened at once; others when their first batch comes. */
  basePartitions?: readonly number[]
  /** Says: everything before the position is stored. */
  commit: (partition: number, position: number) => Promise<void>
  log: (level: 'info' | 'warn' | 'error', sentence: string) => void
  flushIntervalMs?: number
  /** Tap health makes no sense for a replayed file. */
  countAgents?: boolean
  /** How many attempts stay in memory, and how many the index of stored ones holds; fewer cost time, never a number. */
  attemptsInMemoryMax?: number
  attemptsIndexedMax?: number
}

export interface StoreStatus {
  asOfUs: number
  messagesStored: number
  attemptsWritten: number
  attemptsInMemory: number
  basePartitions: number
  flushes: number
  lastFlushSeconds: number
  lastRecomputeSeconds: number
  staleMinutes: number
  refused: ReadonlyMap<string, number>
  /** '' while all is well. */
  problem: string
}

const FLUSH_INTERVAL_MS = 1_000
/** Rows and bytes of raw messages that may wait for a flush in flight before folding pauses. */
const PENDING_BYTES_MAX = 64 * 1_048_576
const FLUSH_BYTES = 16 * 1_048_576
/** Attempts encoded in one go: about 10 ms. */
const ENCODE_SLICE = 500
/** Minutes are recomputed at most this share of the time, as long as they are fresh enough. */
const RECOMPUTE_DUTY = 0.1
const RECOMPUTE_WAIT_MAX_MS = 2_000
const MARKS_INTERVAL_MS = 5_000
/** The api reads as_of in the checkpoints: an idle partition tells it too. */
const TELL_TIME_US = 10_000_000
/** Hours and days that are due wait; until they are summed they are read from their minutes. */
const SUM_INTERVAL_MS = 60_000
const ATTEMPTS_IN_MEMORY_MAX = 100_000

const AGENTS = shapeOf('agents_minute', AGENT_COLUMNS)
const REFUSED = shapeOf('rejected_frames', REFUSED_COLUMNS)
const ENDED = shapeOf('call_attempts', ENDED_COLUMNS)

/** How far a partition of the bus is folded and committed, and what its agents sent. */
interface BusProgress {
  basePartition: number
  position: number
  committed: number
  agents: AgentCounts
}

/** What a flush takes of a base partition. */
interface Share {
  partition: StorePartition
  asOfUs: number
  dirty: OpenAttempt[]
  encoded: EncodedAttempt[]
}

export class StoreRole {
  readonly #options: StoreOptions
  readonly #owner = randomUUID()
  readonly #writer: ClickHouseWriter
  readonly #rawWriter: ClickHouseWriter
  #fold: Fold
  readonly #partitions = new Map<number, StorePartition>()
  readonly #opening = new Map<number, Promise<StorePartition>>()
  readonly #progress = new Map<number, Promise<BusProgress>>()
  readonly #folded = new Map<number, BusProgress>()
  readonly #intake = new Intake()
  #marks: Mark[] = []
  #marksReadAtMs = 0
  #lastSumAtMs = 0
  #flushing: Promise<void> | undefined
  #lastFlushAtMs = 0
  #lastRecomputeEndMs = 0
  #superseded: Error | undefined
  readonly #retry: Retry
  #status = {
    messagesStored: 0,
    attemptsWritten: 0,
    flushes: 0,
    lastFlushSeconds: 0,
    lastRecomputeSeconds: 0,
  }

  private constructor(options: StoreOptions) {
    this.#options = options
    this.#writer = new ClickHouseWriter(options.writer, options.insertFolder)
    this.#rawWriter = new ClickHouseWriter(options.rawWriter ?? options.writer, options.insertFolder)
    this.#fold = foldOf(options.config)
    this.#retry = new Retry((sentence) => options.log('error', sentence), options.insertFolder === undefined)
  }

  static async open(options: StoreOptions): Promise<StoreRole> {
    const role = new StoreRole(options)
    for (const basePartition of options.basePartitions ?? []) {
      role.#partitions.set(basePartition, await role.#claim(basePartition))
    }
    return role
  }

  get status(): StoreStatus {
    const partitions = [...this.#partitions.values()]
    return {
      ...this.#status,
      asOfUs: Math.max(0, ...partitions.map((partition) => partition.asOfUs)),
      attemptsInMemory: partitions.reduce((sum, partition) => sum + partition.attempts.size, 0),
      basePartitions: partitions.length,
      staleMinutes: partitions.reduce((sum, partition) => sum + partition.staleMinutesS.size, 0),
      refused: this.#intake.refused.counts,
      problem: this.#superseded?.message ?? this.#retry.problem,
    }
  }

  /** Samples that capture took of what it refused. */
  noteRefused(samples: readonly RefusedSample[]): void {
    this.#intake.refused.add(samples)
  }

  /** From now on the network and thresholds of this configuration hold; what is stored stays as it is. */
  reconfigure(config: TrunkscopeConfig): void {
    this.#fold = foldOf(config)
    for (const partition of this.#partitions.values()) partition.useFold(this.#fold)
  }

  /** Folds a batch. Waits only when a flush is behind and too much would pile up. */
  async accept(batch: BusBatch): Promise<void> {
    if (this.#superseded !== undefined) throw this.#superseded
    const partition = this.#partitions.get(batch.basePartition) ?? (await this.#open(batch.basePartition))
    const progress = this.#folded.get(batch.partition) ?? (await this.#progressOf(batch))
    this.#foldBatch(batch, partition, progress)
    this.flushWhenDue()
    while (this.#intake.messages.sizeBytes >= PENDING_BYTES_MAX && this.#flushing !== undefined)
      await this.#flushing
  }

  /** Starts a flush when its time has come; a bus that delivers nothing for a while has this called instead. */
  flushWhenDue(): void {
    const dueMs = this.#lastFlushAtMs + (this.#options.flushIntervalMs ?? FLUSH_INTERVAL_MS)
    const isDue = performance.now() >= dueMs || this.#intake.messages.sizeBytes >= FLUSH_BYTES
    if (isDue && this.#flushing === undefined && this.#superseded === undefined) this.#startFlush(false)
  }

  /** These are another process's from now on: what is not committed will be delivered there. */
  revoke(basePartitions: readonly number[]): void {
    for (const basePartition of basePartitions) {
      this.#partitions.delete(basePartition)
      for (const [partition, progress] of this.#folded) {
        if (progress.basePartition !== basePartition) continue
        this.#folded.delete(partition)
        this.#progress.delete(partition)
      }
    }
  }

  /** Stores everything that was accepted, recomputes every stale minute, commits. */
  async drain(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
    if (this.#superseded !== undefined) throw this.#superseded
    this.#startFlush(true)
    await this.#flushing
  }

  /** A failing store is not waited for any longer: what is not stored stays in the bus. */
  stop(): void {
    this.#retry.stop()
  }

  #open(basePartition: number): Promise<StorePartition> {
    const opening = this.#opening.get(basePartition) ?? this.#openPartition(basePartition)
    this.#opening.set(basePartition, opening)
    return opening
  }

  async #openPartition(basePartition: number): Promise<StorePartition> {
    try {
      // A flush that still writes under an older claim of our own must be over before anything is read back.
      while (this.#flushing !== undefined) await this.#flushing
      let opened: StorePartition | undefined
      await this.#untilItWorks(async () => {
        opened = await this.#claim(basePartition)
      })
      if (opened === undefined) throw new Error('the partition was not opened')
      this.#partitions.set(basePartition, opened)
      return opened
    } finally {
      this.#opening.delete(basePartition)
    }
  }

  #claim(basePartition: number): Promise<StorePartition> {
    const { attemptsIndexedMax } = this.#options
    return StorePartition.open(this.#writer, this.#fold, basePartition, this.#owner, attemptsIndexedMax)
  }

  #progressOf({ partition, basePartition, position }: BusBatch): Promise<BusProgress> {
    const reading = this.#progress.get(partition) ?? this.#readProgress(partition, basePartition, position)
    this.#progress.set(partition, reading)
    return reading
  }

  async #readProgress(partition: number, basePartition: number, position: number): Promise<BusProgress> {
    const agents = new AgentCounts()
    if (this.#options.countAgents !== false)
      await this.#untilItWorks(() => agents.restore(this.#options.writer, partition))
    const progress = { basePartition, position, committed: -1, agents }
    this.#folded.set(partition, progress)
    return progress
  }

  #foldBatch(batch: BusBatch, partition: StorePartition, progress: BusProgress): void {
    const storedAtS = Math.floor(Date.now() / 1_000)
    const { agents } = progress
    const isCounted = this.#options.countAgents !== false
    for (const frame of batch.frames) {
      const counts = isCounted && agents.isNew(frame.position, frame.receivedAtUs) ? agents : undefined
      this.#intake.fold(frame, partition, counts, storedAtS)
    }
    for (const stretch of batch.damaged ?? []) {
      const what =
        stretch.reason === 'spool_damaged' ? 'the spool is damaged' : 'a record of the bus is damaged'
      this.#options.log('error', `${what}: ${stretch.bytes} bytes could not be read and were skipped`)
      this.#intake.refused.note('decode', stretch.reason, partition.asOfUs, 'file', '', Buffer.alloc(0))
    }
    partition.asOfUs = Math.max(partition.asOfUs, batch.receivedUntilUs)
    // The bus went back behind what was committed: a broker that lost its log counts from the beginning.
    if (batch.position < progress.committed) progress.committed = -1
    progress.position = batch.nextPosition
    agents.countedUntil = Math.max(agents.countedUntil, batch.nextPosition)
  }

  #startFlush(isLast: boolean): void {
    this.#lastFlushAtMs = performance.now()
    this.#flushing = this.#flush(isLast).finally(() => {
      this.#flushing = undefined
    })
    // A flush rejects only when the role is stopping or superseded; drain() and accept() hand the error on.
    this.#flushing.catch(() => {})
  }

  async #flush(isLast: boolean): Promise<void> {
    const startedMs = performance.now()
    const positions = [...this.#folded].map(([partition, progress]) => ({
      partition,
      progress,
      position: progress.position,
      counts: progress.agents.takeChanged(),
    }))
    const shares = [...this.#partitions.values()].map((partition): Share => {
      const { asOfUs } = partition
      return { partition, asOfUs, dirty: partition.attempts.takeDirty(asOfUs), encoded: [] }
    })
    const messageCount = this.#intake.messages.rows
    const messages = this.#intake.messages.take()
    const samples = this.#intake.refused.take()

    const messagesStored = this.#untilItWorks(() => this.#rawWriter.insert(MESSAGES, messages))
    messagesStored.catch(() => {}) // Awaited below; until then a failure of another step may come first.
    await this.#untilItWorks(() => this.#readBack(shares))
    await this.#keepClaimed(shares)
    const { rows, ended } = await this.#encode(shares)
    const storedAtS = Math.floor(Date.now() / 1_000)
    const refusedRows = encodeRows(
      REFUSED_COLUMNS,
      samples.map((sample) => ({ sample, storedAtS })),
    )
    const agentRows = encodeRows(
      AGENT_COLUMNS,
      positions.flatMap(({ partition, position, counts }) =>
        counts.map((count) => ({ count, busPartition: partition, countedUntil: position })),
      ),
    )

    const intents = shares.filter(
      ({ partition, dirty, asOfUs }) =>
        partition.staleMinutesS.size > 0 || dirty.length > 0 || asOfUs - partition.toldUs >= TELL_TIME_US,
    )
    const checkpoints = intents.map(({ partition, asOfUs }) => partition.checkpoint(asOfUs))
    await this.#untilItWorks(() => writeCheckpoints(this.#writer.client, checkpoints))
    await this.#untilItWorks(() => this.#writer.insert(ATTEMPTS, rows))
    await this.#untilItWorks(() => this.#writer.insert(ENDED, ended))
    await this.#untilItWorks(() => this.#writer.insert(AGENTS, agentRows))
    await this.#untilItWorks(() => this.#writer.insert(REFUSED, refusedRows))
    await messagesStored
    const superseded = await this.#endWhatWasPlaced(shares)
    for (const { partition, encoded } of shares) {
      for (const { entry, attempt, version, measures } of encoded)
        partition.attempts.written(entry, attempt, version, measures)
      this.#status.attemptsWritten += encoded.length
    }
    for (const chunks of [messages, rows, ended, agentRows, refusedRows]) RowBinaryWriter.release(chunks)
    this.#status.messagesStored += messageCount

    if (isLast || this.#isRecomputeDue()) await this.#recompute()
    if (isLast || performance.now() - this.#lastSumAtMs >= SUM_INTERVAL_MS) await this.#sumHours()
    const lost = new Set([...superseded, ...(await this.#lost(shares))])
    for (const { partition, progress, position } of positions) {
      // Revoked while this flush was under way, and perhaps ours again by now: what it folded comes again.
      if (this.#folded.get(partition) !== progress) continue
      if (lost.has(progress.basePartition) || position <= progress.committed) continue
      await this.#options.commit(partition, position)
      progress.committed = position
    }
    this.#status.flushes++
    const share = (this.#options.attemptsInMemoryMax ?? ATTEMPTS_IN_MEMORY_MAX) / Math.max(1, shares.length)
    for (const { partition, asOfUs } of shares) partition.attempts.evict(asOfUs, share)
    this.#status.lastFlushSeconds = (performance.now() - startedMs) / 1_000
  }

  async #readBack(shares: readonly Share[]): Promise<void> {
    const isUnread = (entry: OpenAttempt) => entry.unreadMinuteS !== undefined
    const unread = shares.flatMap(({ dirty }) => dirty.filter(isUnread))
    if (unread.length === 0) return
    const found = await this.#writer.lookUp(unread)
    // A recomputation may have moved the row to another minute than the index remembers.
    const moved = unread.filter(({ id, unreadMinuteS }) => unreadMinuteS !== 0 && !found.has(id))
    const elsewhere = moved.map(({ id }) => ({ id, unreadMinuteS: 0 }))
    for (const [id, row] of await this.#writer.lookUp(elsewhere)) found.set(id, row)
    for (const { partition, dirty } of shares) {
      for (const entry of dirty.filter(isUnread)) partition.merge(entry, found.get(entry.id))
    }
  }

  /** Derives and encodes in slices, so that frames and questions get their turn in between. */
  async #encode(shares: readonly Share[]): Promise<{ rows: Buffer[]; ended: Buffer[] }> {
    const rows = new RowBinaryWriter()
    const ended = new RowBinaryWriter()
    const storedAtS = Math.floor(Date.now() / 1_000)
    for (const { partition, asOfUs, dirty, encoded } of shares) {
      for (let at = 0; at < dirty.length; at += ENCODE_SLICE) {
        for (const entry of dirty.slice(at, at + ENCODE_SLICE))
          encoded.push(partition.encode(entry, asOfUs, storedAtS, rows, ended))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    return { rows: rows.take(), ended: ended.take() }
  }

  /** The base partitions of these that another process has claimed since; an error when the bus still gives them to us. */
  async #lost(shares: readonly Share[]): Promise<number[]> {
    let lost: number[] = []
    await this.#untilItWorks(async () => {
      const claims = shares.map(({ partition }) => partition.claim)
      lost = (await lostClaims(this.#writer.client, claims)).map((claim) => claim.basePartition)
    })
    const ours = lost.filter((base) =>
      shares.some(({ partition }) => this.#partitions.get(base) === partition),
    )
    if (ours.length > 0) {
      this.#superseded ??= Object.assign(
        new Error(`another store process has claimed partition ${ours.join(', ')}: giving way`),
        { code: 'TRUNKSCOPE_STORE_SUPERSEDED' },
      )
    }
    return lost
  }

  /** Leaves to the successor what is the successor's, before anything is written. */
  async #keepClaimed(shares: Share[]): Promise<void> {
    const lost = await this.#lost(shares)
    if (this.#superseded !== undefined) throw this.#superseded
    for (const share of shares) if (lost.includes(share.partition.claim.basePartition)) share.dirty = []
  }

  /**
   * A successor that read back before our rows came does not know of them; those that stand where none stood must end.
   * What else we wrote stands below the successor's versions.
   */
  async #endWhatWasPlaced(shares: readonly Share[]): Promise<number[]> {
    const written = shares.filter(({ encoded }) => encoded.length > 0)
    const lost = written.length === 0 ? [] : await this.#lost(written)
    if (lost.length === 0) return lost
    const storedAtS = Math.floor(Date.now() / 1_000)
    const rows = written
      .filter(({ partition }) => lost.includes(partition.claim.basePartition))
      .flatMap(({ partition, encoded }) => partition.endedRows(encoded, storedAtS))
    await this.#untilItWorks(() => this.#writer.insert(ENDED, encodeRows(ENDED_COLUMNS, rows)))
    if (this.#superseded !== undefined) throw this.#superseded
    return lost
  }

  #isRecomputeDue(): boolean {
    const isStale = [...this.#partitions.values()].some((partition) => partition.staleMinutesS.size > 0)
    const sinceMs = performance.now() - this.#lastRecomputeEndMs
    if (!isStale) return performance.now() - this.#marksReadAtMs >= MARKS_INTERVAL_MS
    const pauseMs = (this.#status.lastRecomputeSeconds * 1_000) / RECOMPUTE_DUTY
    return sinceMs >= Math.min(pauseMs, RECOMPUTE_WAIT_MAX_MS)
  }

  async #recompute(): Promise<void> {
    const startedMs = performance.now()
    await this.#untilItWorks(() => this.#takeMarks())
    const stale = [...this.#partitions.values()].filter((partition) => partition.staleMinutesS.size > 0)
    if (stale.length === 0) return
    // One statement for all: a minute of one partition is a minute of the others, too, and hardly any work.
    const minutesS = new Set(stale.flatMap((partition) => [...partition.staleMinutesS]))
    const bases = stale.map((partition) => partition.claim.basePartition)
    const versions = stale.map((partition) => partition.nextVersion())
    await this.#untilItWorks(() => recomputeMinutes(this.#writer.client, bases, minutesS, versions))
    for (const partition of stale) {
      for (const minuteS of minutesS) partition.staleMinutesS.delete(minuteS)
    }
    const marks = this.#marks
    this.#marks = []
    await this.#untilItWorks(() => settleMarks(this.#writer.client, marks))
    this.#lastRecomputeEndMs = performance.now()
    this.#status.lastRecomputeSeconds = (this.#lastRecomputeEndMs - startedMs) / 1_000
  }

  async #sumHours(): Promise<void> {
    const { config, writer } = this.#options
    for (const partition of this.#partitions.values()) {
      const moment = { asOfUs: partition.asOfUs, nowS: Math.floor(Date.now() / 1_000) }
      const bases = [partition.claim.basePartition]
      await this.#untilItWorks(async () => {
        await sumDue(writer, bases, moment, keptOf(config.retention), partition.nextVersion())
      })
    }
    this.#lastSumAtMs = performance.now()
  }

  /** Minutes that somebody else made stale are ours to recompute. */
  async #takeMarks(): Promise<void> {
    if (performance.now() - this.#marksReadAtMs < MARKS_INTERVAL_MS) return
    this.#marks = await readMarks(this.#writer.client, [...this.#partitions.keys()])
    for (const { basePartition, minuteS } of this.#marks)
      this.#partitions.get(basePartition)?.staleMinutesS.add(minuteS)
    this.#marksReadAtMs = performance.now()
  }

  #untilItWorks(step: () => Promise<void>): Promise<void> {
    return this.#retry.untilItWorks(step)
  }
}
