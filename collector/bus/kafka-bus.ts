/**
 * The bus of the cluster: Kafka between the processes that capture and those that store.
 *
 * Opening it reads the secrets and connects to nothing, so that capture runs while the brokers are away. The first publish and
 * the subscription make the topic, or check it. A process may do either or both.
 *
 *   publish(frames, receivedUntilUs)   records with frames and the promise; without frames only the promise, to the
 *                                      partitions that were not told for a second
 *   subscribe(onBatch, onRevoked)      batches of several partitions side by side, of one partition one after the other
 *   endDelivery()                      before a last commit: nothing more is handed over, the member stays in the group
 *
 * Throws   BusError; see kafka-publisher.ts and kafka-subscription.ts, which do the work.
 * Source   design.md §1, ecosystem.md §4, faults.md §3.2; record.ts and partition.ts are the format.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import type { AcknowledgedOffsets } from '../capture/spool-disk.js'
import type { Bus, BusBatch } from './bus.js'
import { type BusLog, KafkaConnection, type KafkaSettings, type KafkaTimings } from './kafka-connection.js'
import { KafkaPublisher } from './kafka-publisher.js'
import { KafkaSubscription } from './kafka-subscription.js'
import { ensureTopic } from './topic.js'

export interface KafkaBusOptions {
  kafka: KafkaSettings
  /** The process's name, in every record and in the brokers' logs. */
  name: string
  log: BusLog
  /** What was acknowledged is gone from the brokers: send again what the spool holds. */
  onLogLost?: (sentence: string) => void
  /** By what the process before was told; of another topic it says nothing. */
  acknowledgedBefore?: AcknowledgedOffsets | undefined
  /** Tests only. */
  timings?: Partial<KafkaTimings>
}

interface Lag {
  bytes: number
}

/** What a record is taken for before one was seen. */
const RECORD_BYTES_GUESS = 1_024
/** A figure for a page is not worth waiting for a broker that hangs: the last one is given instead. */
const LAG_WAIT_MAX_MS = 5_000

export class KafkaBus implements Bus {
  readonly #connection: KafkaConnection
  readonly #publisher: KafkaPublisher
  #subscription: KafkaSubscription | undefined
  /** Asked for the lag, every few seconds. */
  #admin: Admin | undefined
  #lag: Lag = { bytes: 0 }
  #lagRead: Promise<unknown> | undefined

  private constructor(connection: KafkaConnection, options: KafkaBusOptions) {
    this.#connection = connection
    const onLogLost = options.onLogLost ?? (() => {})
    this.#publisher = new KafkaPublisher(connection, options.name, onLogLost, options.acknowledgedBefore)
  }

  static async open(options: KafkaBusOptions): Promise<KafkaBus> {
    const connection = await KafkaConnection.open(options.kafka, options.name, options.log, options.timings)
    return new KafkaBus(connection, options)
  }

  /** Makes the topic, or checks it; how many partitions it has. */
  async ensureTopic(): Promise<number> {
    try {
      const { settings } = this.#connection
      const { partitions } = await this.#connection.withAdmin((admin) => ensureTopic(admin, settings))
      return partitions
    } catch (error) {
      throw this.#connection.busError(error)
    }
  }

  /**
   * @param receivedUntilUs the caller's promise: everything that it received before is in this call or in one before it
   *   that was acknowledged. 0 promises nothing.
   */
  publish(frames: readonly ReceivedFrame[], receivedUntilUs = 0): Promise<void> {
    return this.#publisher.publish(frames, receivedUntilUs)
  }

  /** The last offsets that the brokers have acknowledged: what they must still have. */
  get acknowledged(): AcknowledgedOffsets {
    return this.#publisher.acknowledged
  }

  /** Partitions of the topic, as far as this process has seen. */
  get partitions(): number {
    return this.#publisher.partitions
  }

  /** Base partitions that this process reads. */
  get basePartitions(): number[] {
    return this.#subscription?.basePartitions ?? []
  }

  /** Since the brokers last said something to the subscription; 0 without one. */
  get silentMs(): number {
    return this.#subscription?.silentMs ?? 0
  }

  async subscribe(
    onBatch: (batch: BusBatch) => Promise<void>,
    onRevoked: (basePartitions: number[]) => void = () => {},
  ): Promise<void> {
    if (this.#subscription !== undefined) throw new Error('A bus is one member of the group: subscribe once.')
    this.#subscription = new KafkaSubscription(this.#connection, onBatch, onRevoked)
    await this.#subscription.run()
  }

  async commit(partition: number, position: number): Promise<void> {
    await this.#subscription?.commit(partition, position)
  }

  /**
   * Of the partitions that this process reads. Kafka counts records: their bytes are taken from the mean of those seen.
   * While the brokers do not answer, the last figure.
   */
  async lag(): Promise<Lag> {
    const subscription = this.#subscription
    if (subscription === undefined || subscription.partitions.size === 0) return { bytes: 0 }
    this.#lagRead ??= this.#readLag(subscription)
      .catch(() => this.#dropAdmin()) // The subscription itself says what is wrong with the brokers.
      .finally(() => {
        this.#lagRead = undefined
      })
    await Promise.race([this.#lagRead, pause(LAG_WAIT_MAX_MS, undefined, { ref: false })])
    return this.#lag
  }

  async #readLag(subscription: KafkaSubscription): Promise<void> {
    const { topic, group } = this.#connection.settings
    if (this.#admin === undefined) {
      this.#admin = this.#connection.client().admin()
      await this.#admin.connect()
    }
    const [ends, groupOffsets] = await Promise.all([
      this.#admin.fetchTopicOffsets(topic),
      this.#admin.fetchOffsets({ groupId: group, topics: [topic] }),
    ])
    const stored = new Map(
      groupOffsets[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]),
    )
    let records = 0
    for (const { partition, high, low } of ends) {
      if (!subscription.partitions.has(partition)) continue
      const committed = subscription.committed(partition) ?? stored.get(partition) ?? -1
      records += Math.max(0, Number(high) - Math.max(committed, Number(low)))
    }
    this.#lag = { bytes: Math.round(records * (subscription.recordBytes ?? RECORD_BYTES_GUESS)) }
  }

  async #dropAdmin(): Promise<void> {
    const admin = this.#admin
    this.#admin = undefined
    await admin?.disconnect().catch(() => {}) // It is of no use any more, whatever it says.
  }

  /** Hands nothing over any more and waits for the handlers; what they took can be committed until `close`. */
  async endDelivery(): Promise<void> {
    await this.#subscription?.endDelivery()
  }

  /** Ends the subscription after the batches that are being handled, leaves the group, disconnects. */
  async close(): Promise<void> {
    await Promise.all([
      this.#subscription?.close(),
      this.#publisher.close(),
      this.#connection.orTimeout(this.#dropAdmin()),
    ])
  }
}
