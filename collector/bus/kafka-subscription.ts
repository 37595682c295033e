/**
 * The receiving half of the bus: one member of the consumer group, for as long as the process lives.
 *
 * A consumer of kafkajs that fails is thrown away and a new one is made, after a growing pause and as often as it takes: all
 * ways in which it fails, restarts by itself or falls silent then end in the same place. What was not committed comes again.
 *
 * What the process holds of a base partition is good only as long as nobody else read it in between. That is so when the
 * member kept its id and went through one join since: then the group knew no assignment that this process did not see. After
 * any other join `onRevoked` names all that it held, even what it gets again.
 *
 * While a handler waits for the store, heartbeats go on beside it. When the group rebalances meanwhile, the handler is waited
 * for, the rest of what was fetched is dropped (it comes again), and only then the member joins.
 *
 * Throws   `run` rejects with what the handler threw, with TRUNKSCOPE_BUS_LAYOUT or _VERSION when records are not for this
 *          process to read, with TRUNKSCOPE_BUS_TOPIC_PARTITIONS; everything else it waits out. `commit` never rejects.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Batch, Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs'
import type { BusBatch } from './bus.js'
import { BusError } from './bus-error.js'
import { basePartitionAssigner } from './kafka-assigner.js'
import { type KafkaConnection, kafkaErrorType } from './kafka-connection.js'
import { decodeRecord } from './record.js'
import { ensureTopic } from './topic.js'

/** About how much of a partition is fetched, and handed over, at a time. */
const SLICE_BYTES = 1_048_576
const FETCH_BYTES = 10 * SLICE_BYTES
/** A slow handler of one partition must not stop the others. */
const PARTITIONS_AT_A_TIME = 8
/** A consumer that shows no sign of life for so many sessions is taken for dead. */
const SILENT_SESSIONS = 4

export type OnBatch = (batch: BusBatch) => Promise<void>
export type OnRevoked = (basePartitions: number[]) => void

/** One consumer of kafkajs, from its making to its failure. */
interface Membership {
  consumer: Consumer
  /** Ends it; the first word counts. Without an error: the bus is closed. */
  end: (error?: Error) => void
  isOver: boolean
  memberId: string
  /** Times it asked to join since the last assignment. */
  joins: number
  /** The group rebalances: what the broker answered to a heartbeat. */
  rebalance: Error | undefined
  aliveAtMs: number
}

export class KafkaSubscription {
  readonly #connection: KafkaConnection
  readonly #onBatch: OnBatch
  readonly #onRevoked: OnRevoked
  readonly #basePartitions: number
  #member: Membership | undefined
  #assigned = new Set<number>()
  /** The handler at work on a partition. */
  readonly #handling = new Map<number, Promise<void>>()
  /** Revocations that wait for a handler; batches wait for them. */
  #revoking: Promise<void> = Promise.resolve()
  readonly #committed = new Map<number, number>()
  /**
   * Up to where a partition was handed over since this process last held nothing of it. Nothing beyond is committed: it would
   * be a position that was folded before, and the log may be another one by now (a broker that lost its data).
   */
  readonly #delivered = new Map<number, number>()
  readonly #seen = { records: 0, bytes: 0 }
  readonly #closing = new AbortController()
  #heardAtMs = performance.now()
  #isDeliveryEnded = false
  /** What ends the subscription for good. */
  #fault: Error | undefined
  #running: Promise<void> | undefined

  constructor(connection: KafkaConnection, onBatch: OnBatch, onRevoked: OnRevoked) {
    this.#connection = connection
    this.#onBatch = onBatch
    this.#onRevoked = onRevoked
    this.#basePartitions = connection.settings.base_partitions
  }

  /** Base partitions that this process reads. */
  get basePartitions(): number[] {
    return this.#basesOf(this.#assigned)
  }

  get partitions(): ReadonlySet<number> {
    return this.#assigned
  }

  /** Mean size of the records seen; undefined before the first. */
  get recordBytes(): number | undefined {
    return this.#seen.records === 0 ? undefined : this.#seen.bytes / this.#seen.records
  }

  /** Since a broker last said something to this member: an answer to a fetch, to a heartbeat, an assignment. */
  get silentMs(): number {
    return performance.now() - this.#heardAtMs
  }

  /** What this process committed of a partition; undefined when it has not yet. */
  committed(partition: number): number | undefined {
    return this.#committed.get(partition)
  }

  /** Delivers until closed. */
  async run(): Promise<void> {
    this.#running = this.#consumeForEver()
    await this.#running
  }

  async commit(partition: number, position: number): Promise<void> {
    const member = this.#member
    if (member === undefined || member.isOver || !this.#assigned.has(partition)) return // It comes again.
    if (position > (this.#delivered.get(partition) ?? -1)) return // So does what was handed over before.
    const { topic } = this.#connection.settings
    try {
      await member.consumer.commitOffsets([{ topic, partition, offset: String(position) }])
      this.#committed.set(partition, position)
    } catch (error) {
      const type = kafkaErrorType(error)
      const isRefused = /^(ILLEGAL_GENERATION|UNKNOWN_MEMBER_ID|REBALANCE_IN_PROGRESS)$/.test(type)
      this.#connection.log(
        isRefused ? 'debug' : 'warn',
        `Cannot commit partition ${partition} (${type || (error as Error).message}): frames from there on may come again.`,
      )
    }
  }

  /** No batch is handed over any more; the member stays in the group, so that what was handled can still be committed. */
  async endDelivery(): Promise<void> {
    this.#isDeliveryEnded = true
    try {
      this.#member?.consumer.pause([{ topic: this.#connection.settings.topic }])
    } catch {
      // It has not joined yet.
    }
    await Promise.all(this.#handling.values())
  }

  async close(): Promise<void> {
    await this.endDelivery()
    this.#closing.abort()
    this.#member?.end()
    if (this.#running !== undefined) await this.#connection.orTimeout(this.#running) // Whoever subscribed hears of it.
  }

  async #consumeForEver(): Promise<void> {
    const { restartPauseMs } = this.#connection.timings
    let pauseMs = restartPauseMs
    while (!this.#closing.signal.aborted && !this.#isDeliveryEnded) {
      try {
        const { settings } = this.#connection
        await this.#connection.withAdmin((admin) => ensureTopic(admin, settings))
        await this.#consume(() => {
          pauseMs = restartPauseMs
        })
      } catch (error) {
        if (this.#fault !== undefined) throw this.#fault
        if (error instanceof BusError && error.isLasting) throw error
        if (this.#closing.signal.aborted) return
        this.#connection.log(
          'warn',
          `${this.#connection.busError(error).message} The next try follows in ${pauseMs} ms.`,
        )
        await pause(pauseMs, undefined, { signal: this.#closing.signal }).catch(() => {})
        pauseMs = Math.min(2 * pauseMs, 10 * restartPauseMs)
      }
    }
  }

  /** One consumer, until it fails or the bus is closed. */
  async #consume(onJoined: () => void): Promise<void> {
    const { settings, timings } = this.#connection
    const assigner = basePartitionAssigner(this.#basePartitions, () => {
      member.joins++ // The member is asked what it holds each time it is about to join.
      return this.basePartitions
    })
    const consumer = this.#connection.client().consumer({
      groupId: settings.group,
      partitionAssigners: [assigner],
      allowAutoTopicCreation: false,
      metadataMaxAge: timings.metadataMaxAgeMs,
      sessionTimeout: timings.sessionTimeoutMs,
      rebalanceTimeout: timings.rebalanceTimeoutMs,
      heartbeatInterval: timings.heartbeatIntervalMs,
      maxBytesPerPartition: SLICE_BYTES,
      maxBytes: FETCH_BYTES,
      maxWaitTimeInMs: timings.fetchWaitMs,
      retry: { ...this.#connection.retry, restartOnFailure: async () => false },
    })
    const { member, ended } = membershipOf(consumer)
    this.#member = member
    this.#listen(member, onJoined)
    const watchdog = setInterval(() => this.#checkAlive(member), timings.sessionTimeoutMs)
    try {
      await Promise.race([ended, this.#start(member)])
      await ended
    } finally {
      clearInterval(watchdog)
      member.isOver = true
      // It waits for handlers, too; whoever outlasts this is waited for before the next batch of its partition.
      await this.#connection.orTimeout(consumer.disconnect())
    }
  }

  async #start(member: Membership): Promise<void> {
    const { consumer } = member
    await consumer.connect()
    await consumer.subscribe({ topic: this.#connection.settings.topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_A_TIME,
      eachBatch: (payload) => this.#eachBatch(member, payload),
    })
  }

  #listen(member: Membership, onJoined: () => void): void {
    const { consumer } = member
    const alive = () => {
      member.aliveAtMs = this.#heardAtMs = performance.now()
    }
    consumer.on(consumer.events.CRASH, ({ payload }) => member.end(payload.error))
    consumer.on(consumer.events.FETCH, alive)
    consumer.on(consumer.events.HEARTBEAT, alive)
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      alive()
      onJoined()
      const partitions = payload.memberAssignment[this.#connection.settings.topic] ?? []
      this.#assign(member, payload.memberId, partitions)
    })
  }

  #checkAlive(member: Membership): void {
    const silentMs = performance.now() - member.aliveAtMs
    if (silentMs < SILENT_SESSIONS * this.#connection.timings.sessionTimeoutMs) return
    member.end(new Error(`the consumer gave no sign of life for ${Math.round(silentMs / 1_000)} s`))
  }

  #assign(member: Membership, memberId: string, partitions: readonly number[]): void {
    const isUnbroken = member.memberId === memberId && member.joins === 1
    member.memberId = memberId
    member.joins = 0
    member.rebalance = undefined
    const before = this.#assigned
    this.#assigned = new Set(partitions)
    for (const partition of before) if (!this.#assigned.has(partition)) this.#committed.delete(partition)
    const now = new Set(this.basePartitions)
    const revoked = this.#basesOf(before).filter((base) => !isUnbroken || !now.has(base))
    // At once: the handler that is waited for below may wait for a flush that commits.
    for (const partition of [...this.#delivered.keys()])
      if (revoked.includes(partition % this.#basePartitions)) this.#delivered.delete(partition)
    this.#connection.log(
      'info',
      `Kafka: this process reads base partitions ${[...now].join(', ') || '(none)'} of ${this.#basePartitions}` +
        (revoked.length > 0 ? `; it lets go of what it held of ${revoked.join(', ')}.` : '.'),
    )
    if (revoked.length === 0) return
    const handled = [...this.#handling].filter(([partition]) =>
      revoked.includes(partition % this.#basePartitions),
    )
    if (handled.length === 0) {
      this.#revoke(member, revoked)
      return
    }
    const handlings = handled.map(([, handling]) => handling)
    this.#revoking = Promise.all([this.#revoking, ...handlings]).then(() => this.#revoke(member, revoked))
  }

  #revoke(member: Membership, basePartitions: number[]): void {
    try {
      this.#onRevoked(basePartitions)
    } catch (error) {
      this.#fail(member, error as Error)
    }
  }

  /** For good: whoever subscribed is told. */
  #fail(member: Membership, error: Error): void {
    this.#fault ??= error
    member.end(error)
  }

  #basesOf(partitions: Iterable<number>): number[] {
    const bases = new Set<number>()
    for (const partition of partitions) bases.add(partition % this.#basePartitions)
    return [...bases].sort((a, b) => a - b)
  }

  /** Called by kafkajs with what it fetched of a partition; rejecting makes it join again. */
  async #eachBatch(member: Membership, payload: EachBatchPayload): Promise<void> {
    const { partition, messages } = payload.batch
    await this.#handling.get(partition) // Of a consumer that was given up while it waited.
    await this.#revoking
    if (this.#isDeliveryEnded) payload.pause() // What is not resolved would be fetched again at once.
    if (this.#isOver(member)) return
    const handling = this.#deliver(member, payload, slicesOf(payload.batch)).finally(() => {
      this.#handling.delete(partition)
    })
    this.#handling.set(
      partition,
      handling.catch(() => {}),
    )
    for (const { value } of messages) this.#seen.bytes += value?.length ?? 0
    this.#seen.records += messages.length
    await handling
  }

  #isOver(member: Membership): boolean {
    return member.isOver || this.#isDeliveryEnded
  }

  async #deliver(
    member: Membership,
    payload: EachBatchPayload,
    slices: Iterable<KafkaMessage[]>,
  ): Promise<void> {
    const heartbeat = () => {
      payload.heartbeat().catch((error) => {
        if (/^(REBALANCE_IN_PROGRESS|ILLEGAL_GENERATION|UNKNOWN_MEMBER_ID)$/.test(kafkaErrorType(error))) {
          member.rebalance ??= error
        }
      })
    }
    const beating = setInterval(heartbeat, this.#connection.timings.heartbeatIntervalMs)
    try {
      for (const slice of slices) {
        if (member.rebalance !== undefined) throw member.rebalance
        if (this.#isOver(member) || !payload.isRunning() || payload.isStale()) return
        const batch = this.#batchOf(payload.batch.partition, slice)
        this.#delivered.set(batch.partition, batch.nextPosition)
        await this.#onBatch(batch)
        payload.resolveOffset(String(batch.nextPosition - 1))
      }
      if (member.rebalance !== undefined) throw member.rebalance
    } catch (error) {
      if (error !== member.rebalance) this.#fail(member, error as Error)
      throw error
    } finally {
      clearInterval(beating)
    }
  }

  #batchOf(partition: number, messages: readonly KafkaMessage[]): BusBatch {
    const batch: BusBatch = {
      partition,
      basePartition: partition % this.#basePartitions,
      frames: [],
      position: Number(messages[0]!.offset),
      nextPosition: Number(messages.at(-1)!.offset) + 1,
      receivedUntilUs: 0,
    }
    for (const { offset, value } of messages) {
      const record = decodeRecord(value ?? Buffer.alloc(0), Number(offset))
      if ('reason' in record) {
        batch.damaged ??= []
        batch.damaged.push({ reason: record.reason, bytes: value?.length ?? 0 })
        continue
      }
      this.#check(record, partition, offset)
      if ('newerVersion' in record) continue
      // Several publishers: the one that is furthest tells the time, as it does in the spool's as_of.
      batch.receivedUntilUs = Math.max(batch.receivedUntilUs, record.receivedUntilUs)
      if (batch.frames.length === 0) batch.frames = record.frames
      else for (const frame of record.frames) batch.frames.push(frame)
    }
    return batch
  }

  #check(
    record: { newerVersion: number } | { basePartitions: number; publisher: string },
    partition: number,
    offset: string,
  ): void {
    const where = `The record at offset ${offset} of partition ${partition} of ${this.#connection.settings.topic}`
    if ('newerVersion' in record) {
      throw new BusError(
        'TRUNKSCOPE_BUS_VERSION',
        `${where} has format ${record.newerVersion}, which is newer than this program. Upgrade every store before the first ` +
          'capture.',
      )
    }
    if (record.basePartitions === this.#basePartitions) return
    throw new BusError(
      'TRUNKSCOPE_BUS_LAYOUT',
      `${where} was published by ${record.publisher} with kafka.base_partitions ${record.basePartitions}, here it is ` +
        `${this.#basePartitions}. Set kafka.base_partitions alike everywhere, to the number the topic was made with.`,
    )
  }
}

function membershipOf(consumer: Consumer): { member: Membership; ended: Promise<void> } {
  let settle = (_error?: Error): void => {}
  const ended = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error))
  })
  ended.catch(() => {}) // It may reject before somebody waits for it.
  const member: Membership = {
    consumer,
    isOver: false,
    memberId: '',
    joins: 0,
    rebalance: undefined,
    aliveAtMs: performance.now(),
    end: (error) => {
      member.isOver = true
      settle(error)
    },
  }
  return { member, ended }
}

/** Runs of records of about SLICE_BYTES; one that is larger stands alone. */
function* slicesOf({ messages }: Batch): Iterable<KafkaMessage[]> {
  let slice: KafkaMessage[] = []
  let sizeBytes = 0
  for (const message of messages) {
    const bytes = message.value?.length ?? 0
    if (slice.length > 0 && sizeBytes + bytes > SLICE_BYTES) {
      yield slice
      slice = []
      sizeBytes = 0
    }
    slice.push(message)
    sizeBytes += bytes
  }
  if (slice.length > 0) yield slice
}
