/**
 * The store process: bus → decode → enrich → fold → ClickHouse, and the offset last.
 *
 * `accept` folds a batch and returns; a flush runs beside it, one at a time:
 *
 *   1. raw messages, on a connection of their own, beside the steps below  (rows with identity: safe to repeat)
 *      read back attempts that are stored and not in memory, and merge
 *   2. intent: the minutes this flush makes stale                        (store_checkpoints)
 *   3. attempts, tap counts, refused samples                             (rows with identity: safe to repeat)
 *   4. recompute the stale minutes                                        (not at every flush when that is dear)
 *   5. commit the bus position
 *
 * Killed at any point, the next process finds the intent, recomputes those minutes and folds everything after the
 * committed position again, which changes nothing that was already there (design.md §4).
 *
 * A store that fails is retried with a growing pause until it works; `problem` says why, and the bus holds what comes.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { ATTEMPT_COLUMNS } from '../schemas/call-attempts.js'
import type { TrunkscopeConfig } from '../schemas/config.js'
import { HEP_FLAG, type ReceivedFrame } from '../schemas/hep-frame.js'
import type { RefusedSample } from '../schemas/reasons.js'
import type { BusBatch } from './bus/bus.js'
import { observe } from './enrich/observe.js'
import { foldOf } from './fold-wiring.js'
import { AGENT_COLUMNS, AgentCounts } from './store/agents.js'
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './store/checkpoint.js'
import { ATTEMPTS, ClickHouseWriter, MESSAGES, shapeOf } from './store/clickhouse-writer.js'
import { recomputeMinutes } from './store/minutes.js'
import {
  type Fold,
  type Measures,
  measuresOf,
  type OpenAttempt,
  OpenAttempts,
  type WrittenAttempt,
} from './store/open-attempts.js'
import { REFUSED_COLUMNS, RefusedSamples } from './store/refused.js'
import { restoreIndex, restoreOpenAttempts } from './store/restore.js'
import { encodeRows, RowBinaryWriter } from './store/rowbinary.js'
import { StoredIndex } from './store/stored-index.js'

export interface StoreOptions {
  writer: ClickHouseClient
  /** A connection of its own for raw messages, which are stored while attempts are still being encoded. */
  rawWriter?: ClickHouseClient
  insertFolder: string
  config: TrunkscopeConfig
  busPartition: number
  /** Says: everything before the position is stored. */
  commit: (position: number) => Promise<void>
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
const RECOMPUTE_WAIT_MAX_MS = 4_000
const RETRY_PAUSE_MAX_MS = 10_000

const AGENTS = shapeOf('agents_minute', AGENT_COLUMNS)
const REFUSED = shapeOf('rejected_frames', REFUSED_COLUMNS)

interface EncodedAttempt {
  entry: OpenAttempt
  attempt: WrittenAttempt
  version: number
  measures: Measures
}

export class StoreRole {
  readonly #options: StoreOptions
  readonly #writer: ClickHouseWriter
  readonly #rawWriter: ClickHouseWriter
  readonly #fold: Fold
  readonly #index: StoredIndex
  readonly #attempts: OpenAttempts
  readonly #agents = new AgentCounts()
  readonly #refused = new RefusedSamples()
  readonly #messages = new RowBinaryWriter()
  #checkpoint: Checkpoint = { version: 0, asOfUs: 0, staleMinutesS: [] }
  #staleMinutesS = new Set<number>()
  #asOfUs = 0
  #position = 0
  #committed = -1
  #flushing: Promise<void> | undefined
  #lastFlushAtMs = 0
  #lastRecomputeEndMs = 0
  #isStopping = false
  #status = {
    messagesStored: 0,
    attemptsWritten: 0,
    flushes: 0,
    lastFlushSeconds: 0,
    lastRecomputeSeconds: 0,
  }
  /** What keeps a step from working, by step: two run side by side, and one that works says nothing of the other. */
  readonly #problems = new Map<object, string>()

  private constructor(options: StoreOptions) {
    this.#options = options
    this.#writer = new ClickHouseWriter(options.writer, options.insertFolder)
    this.#rawWriter = new ClickHouseWriter(options.rawWriter ?? options.writer, options.insertFolder)
    this.#fold = foldOf(options.config)
    this.#index = new StoredIndex(options.attemptsIndexedMax)
    this.#attempts = new OpenAttempts(this.#fold, this.#index, options.attemptsInMemoryMax)
  }

  /** Reads back what the last process left: its intent, the index of stored attempts, the open ones, the tap counts. */
  static async open(options: StoreOptions): Promise<StoreRole> {
    const role = new StoreRole(options)
    role.#checkpoint = await readCheckpoint(options.writer, options.busPartition)
    role.#asOfUs = role.#checkpoint.asOfUs
    role.#staleMinutesS = new Set(role.#checkpoint.staleMinutesS)
    await restoreIndex(options.writer, role.#index)
    await restoreOpenAttempts(options.writer, options.busPartition, role.#attempts, role.#fold, role.#asOfUs)
    if (options.countAgents !== false) await role.#agents.restore(options.writer, options.busPartition)
    return role
  }

  get status(): StoreStatus {
    return {
      ...this.#status,
      asOfUs: this.#asOfUs,
      attemptsInMemory: this.#attempts.size,
      staleMinutes: this.#staleMinutesS.size,
      refused: this.#refused.counts,
      problem: [...this.#problems.values()][0] ?? '',
    }
  }

  /** Samples that capture took of what it refused. */
  noteRefused(samples: readonly RefusedSample[]): void {
    this.#refused.add(samples)
  }

  /** Folds a batch. Waits only when a flush is behind and too much would pile up. */
  async accept(batch: BusBatch): Promise<void> {
    const storedAtS = Math.floor(Date.now() / 1_000)
    const countAgents = this.#options.countAgents !== false && batch.position >= this.#agents.countedUntil
    for (const frame of batch.frames) this.#foldFrame(frame, storedAtS, countAgents)
    for (const stretch of batch.damaged ?? []) {
      this.#options.log(
        'error',
        `the spool is damaged: ${stretch.bytes} bytes could not be read and were skipped`,
      )
      this.#refused.note('decode', stretch.reason, this.#asOfUs, 'file', '', Buffer.alloc(0))
    }
    this.#asOfUs = Math.max(this.#asOfUs, batch.receivedUntilUs)
    this.#position = batch.nextPosition
    const dueMs = this.#lastFlushAtMs + (this.#options.flushIntervalMs ?? FLUSH_INTERVAL_MS)
    const isDue = performance.now() >= dueMs || this.#messages.sizeBytes >= FLUSH_BYTES
    if (isDue && this.#flushing === undefined) this.#startFlush(false)
    while (this.#messages.sizeBytes >= PENDING_BYTES_MAX && this.#flushing !== undefined) await this.#flushing
  }

  /** Stores everything that was accepted, recomputes every stale minute, commits. */
  async drain(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
    this.#startFlush(true)
    await this.#flushing
  }

  /** A failing store is not waited for any longer: what is not stored stays in the bus. */
  stop(): void {
    this.#isStopping = true
  }

  #foldFrame(frame: ReceivedFrame, storedAtS: number, countAgents: boolean): void {
    this.#asOfUs = Math.max(this.#asOfUs, frame.receivedAtUs)
    const seen = observe(frame)
    if ('reason' in seen) {
      if (countAgents) {
        const count = this.#agents.of(
          frame.receivedAtUs,
          seen.agent,
          frame.peerAddress,
          seen.agentId,
          seen.agentName,
        )
        count.frames++
        if (seen.reason === 'keepalive') count.keepalives++
        else count.refused++
      }
      this.#refused.note(
        'decode',
        seen.reason,
        frame.receivedAtUs,
        frame.transport,
        frame.peerAddress,
        seen.sample,
      )
      return
    }
    const { observed } = seen
    const { message } = observed
    if (countAgents) {
      const count = this.#agents.of(
        frame.receivedAtUs,
        observed.agent,
        frame.peerAddress,
        observed.agentId,
        seen.agentName,
      )
      count.frames++
      count.sipMessages++
      if (message.parseError !== '') count.unreadable++
      if (message.truncated) count.truncated++
      if (observed.frameFlags & (HEP_FLAG.missingTimestamp | HEP_FLAG.clampedTimestamp))
        count.timestampsReplaced++
    }
    this.#messages.message({
      observed,
      receivedAtUs: frame.receivedAtUs,
      storedAtS,
      transport: frame.transport,
      ipProtocol: seen.ipProtocol,
      raw: seen.raw,
    })
    // A message that lost its Via still has the CSeq of its transaction.
    const isFoldable = message.parseError === '' || message.parseError === 'no_via'
    if (isFoldable) this.#attempts.add(observed, this.#asOfUs)
    if (message.parseError !== '') {
      this.#refused.note(
        'sip',
        message.parseError,
        frame.receivedAtUs,
        frame.transport,
        frame.peerAddress,
        seen.raw,
      )
    }
  }

  #startFlush(isLast: boolean): void {
    this.#lastFlushAtMs = performance.now()
    this.#flushing = this.#flush(isLast).finally(() => {
      this.#flushing = undefined
    })
    // A flush rejects only when the role is stopping; drain() hands the error on.
    this.#flushing.catch(() => {})
  }

  async #flush(isLast: boolean): Promise<void> {
    const startedMs = performance.now()
    const position = this.#position
    const asOfUs = this.#asOfUs
    const dirty = this.#attempts.takeDirty(asOfUs)
    const messageCount = this.#messages.rows
    const messages = this.#messages.take()
    const samples = this.#refused.take()
    const counts = this.#agents.takeChanged()

    const messagesStored = this.#untilItWorks(() => this.#rawWriter.insert(MESSAGES, messages))
    messagesStored.catch(() => {}) // Awaited below; until then a failure of another step may come first.
    await this.#untilItWorks(() => this.#readBack(dirty))
    const written = await this.#encode(dirty, asOfUs)
    const storedAtS = Math.floor(Date.now() / 1_000)
    const refusedRows = encodeRows(
      REFUSED_COLUMNS,
      samples.map((sample) => ({ sample, storedAtS })),
    )
    const { busPartition } = this.#options
    const agentRows = encodeRows(
      AGENT_COLUMNS,
      counts.map((count) => ({ count, busPartition, countedUntil: position })),
    )

    if (this.#staleMinutesS.size > 0 || dirty.length > 0)
      await this.#untilItWorks(() => this.#writeIntent(asOfUs))
    await this.#untilItWorks(() => this.#writer.insert(ATTEMPTS, written.rows))
    await this.#untilItWorks(() => this.#writer.insert(AGENTS, agentRows))
    await this.#untilItWorks(() => this.#writer.insert(REFUSED, refusedRows))
    await messagesStored
    for (const { entry, attempt, version, measures } of written.attempts) {
      this.#attempts.written(entry, attempt, version, measures)
    }
    for (const rows of [messages, written.rows, agentRows, refusedRows]) RowBinaryWriter.release(rows)
    this.#status.messagesStored += messageCount
    this.#status.attemptsWritten += written.attempts.length

    if (isLast || this.#isRecomputeDue()) await this.#recompute()
    if (position > this.#committed) {
      await this.#options.commit(position)
      this.#committed = position
    }
    this.#status.flushes++
    this.#attempts.evict(asOfUs)
    this.#status.lastFlushSeconds = (performance.now() - startedMs) / 1_000
  }

  async #readBack(dirty: readonly OpenAttempt[]): Promise<void> {
    const unread = dirty.filter((entry) => entry.unreadMinuteS !== undefined)
    if (unread.length === 0) return
    const found = await this.#writer.lookUp(unread)
    for (const entry of unread) {
      const row = found.get(entry.id)
      entry.unreadMinuteS = undefined
      if (row === undefined) continue
      this.#fold.mergeFacts(this.#attempts.factsOf(entry), this.#fold.factsFromText(row.facts))
      const version = Math.max(...row.places.map((place) => place.version))
      const [place, ...others] = row.places
      if (place === undefined) continue
      entry.stored = { ...place, version }
      entry.alsoStored = others
    }
  }

  /** Derives and encodes in slices, so that frames and questions get their turn in between. */
  async #encode(
    dirty: readonly OpenAttempt[],
    asOfUs: number,
  ): Promise<{ rows: Buffer[]; attempts: EncodedAttempt[] }> {
    const rows = new RowBinaryWriter()
    const attempts: EncodedAttempt[] = []
    const storedAtS = Math.floor(Date.now() / 1_000)
    const busPartition = this.#options.busPartition
    for (let at = 0; at < dirty.length; at += ENCODE_SLICE) {
      for (const entry of dirty.slice(at, at + ENCODE_SLICE)) {
        const facts = this.#attempts.factsOf(entry)
        const attempt = this.#fold.attemptOf(entry.id, facts, asOfUs)
        const version = (entry.stored?.version ?? 0) + 1
        const factsJson = this.#fold.factsText(facts)
        rows.row(ATTEMPT_COLUMNS, { attempt, version, isDeleted: false, busPartition, storedAtS, factsJson })
        for (const place of [entry.stored, ...entry.alsoStored]) {
          if (place === undefined || place.minuteS === attempt.minuteS) continue
          // It stood under another minute: that row ends.
          const moved = { ...attempt, minuteS: place.minuteS }
          rows.row(ATTEMPT_COLUMNS, {
            attempt: moved,
            version,
            isDeleted: true,
            busPartition,
            storedAtS,
            factsJson: '',
          })
        }
        const measures = measuresOf(attempt)
        for (const minuteS of this.#attempts.staleMinutes(entry, attempt, measures))
          this.#staleMinutesS.add(minuteS)
        this.#attempts.encoded(entry, attempt, factsJson)
        const { minuteS, endMinuteS, state, answeredAtUs, invited } = attempt
        const written = { minuteS, endMinuteS, state, answeredAtUs, invited }
        attempts.push({ entry, attempt: written, version, measures })
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { rows: rows.take(), attempts }
  }

  async #writeIntent(asOfUs: number): Promise<void> {
    this.#checkpoint = {
      version: this.#checkpoint.version + 1,
      asOfUs,
      staleMinutesS: [...this.#staleMinutesS],
    }
    await writeCheckpoint(this.#writer.client, this.#options.busPartition, this.#checkpoint)
  }

  #isRecomputeDue(): boolean {
    if (this.#staleMinutesS.size === 0) return false
    const sinceMs = performance.now() - this.#lastRecomputeEndMs
    const pauseMs = (this.#status.lastRecomputeSeconds * 1_000) / RECOMPUTE_DUTY
    return sinceMs >= Math.min(pauseMs, RECOMPUTE_WAIT_MAX_MS)
  }

  async #recompute(): Promise<void> {
    if (this.#staleMinutesS.size === 0) return
    const startedMs = performance.now()
    const minutes = this.#staleMinutesS
    await this.#untilItWorks(() => recomputeMinutes(this.#writer.client, this.#options.busPartition, minutes))
    this.#staleMinutesS = new Set()
    this.#lastRecomputeEndMs = performance.now()
    this.#status.lastRecomputeSeconds = (this.#lastRecomputeEndMs - startedMs) / 1_000
  }

  async #untilItWorks(step: () => Promise<void>): Promise<void> {
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, RETRY_PAUSE_MAX_MS)) {
      try {
        await step()
        this.#problems.delete(step)
        return
      } catch (error) {
        const sentence = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
        if (this.#problems.size === 0)
          this.#options.log('error', `the store refuses: ${sentence}; trying again`)
        this.#problems.set(step, sentence)
        if (this.#isStopping) throw error
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
    }
  }
}
