/**
 * The sending half of the bus: frames into records of their partition, acknowledged by all replicas in sync.
 *
 * `publish` and `tick` copy what they are given before they return, so the frames may be views. Sends go one after the other:
 * then what a record promises ("received until") holds for what stands before it, and an acknowledged offset is above every
 * one acknowledged before. One that is not is how a broker shows that it lost its log; the topic being gone is another.
 *
 * A send that kafkajs gives up on rejects, and nothing is retried here: the caller has the frames and sends them again.
 * The connection is made anew by then, since a network that swallows packets leaves one that never answers.
 *
 * Throws   `publish`, `tick`: a BusError. TRUNKSCOPE_BUS_UNREACHABLE passes; `isLasting` ones do not.
 */
import { CompressionTypes, Partitioners, type Producer, type ProducerConfig } from 'kafkajs'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import { callIdOf } from '../../sip/call-id.js'
import type { AcknowledgedOffsets } from '../capture/spool-disk.js'
import { BusError } from './bus-error.js'
import type { KafkaConnection } from './kafka-connection.js'
import { hashOf, layersOf, partitionOf } from './partition.js'
import { encodeRecord, frameBytesInRecord, headBytes, RECORD_MAX_BYTES } from './record.js'
import { ensureTopic } from './topic.js'

/** A partition is told the time this often, received-at microseconds, by records without frames. */
const TICK_INTERVAL_US = 1_000_000

/** One record for each of some partitions: what is sent at a time. */
type Round = Map<number, Buffer>

interface Gathered {
  records: ReceivedFrame[][]
  /** Of the last one. */
  sizeBytes: number
}

export class KafkaPublisher {
  readonly #connection: KafkaConnection
  readonly #publisher: string
  readonly #onLogLost: (sentence: string) => void
  readonly #basePartitions: number
  /** Of the topic; until the brokers have told, the number it is made with. */
  #partitions: number
  #producer: Producer | undefined
  #isClosed = false
  /** The send before, settled or not. */
  #last: Promise<unknown> = Promise.resolve()
  /** By partition: the last offset acknowledged, to this process or the one before, and what the last record there promises. */
  readonly #acknowledged: Map<number, number>
  readonly #promisedUs = new Map<number, number>()

  constructor(
    connection: KafkaConnection,
    publisher: string,
    onLogLost: (sentence: string) => void,
    acknowledgedBefore: AcknowledgedOffsets | undefined,
  ) {
    this.#connection = connection
    const isOfTopic = acknowledgedBefore?.topic === connection.settings.topic
    this.#acknowledged = new Map(
      isOfTopic
        ? Object.entries(acknowledgedBefore.offsets).map(([name, offset]) => [Number(name), offset])
        : [],
    )
    this.#publisher = publisher
    this.#onLogLost = onLogLost
    this.#basePartitions = connection.settings.base_partitions
    this.#partitions = this.#basePartitions
  }

  /** Partitions of the topic, as far as a send has shown. */
  get partitions(): number {
    return this.#partitions
  }

  /** What the brokers must still have. */
  get acknowledged(): AcknowledgedOffsets {
    const { topic } = this.#connection.settings
    return { topic, offsets: Object.fromEntries(this.#acknowledged) }
  }

  publish(frames: readonly ReceivedFrame[], receivedUntilUs: number): Promise<void> {
    if (frames.length === 0) return this.tick(receivedUntilUs)
    return this.#enqueue(this.#pack(frames, receivedUntilUs))
  }

  /** Tells the time to the partitions that were not told for a second; does nothing when all were. */
  tick(receivedUntilUs: number): Promise<void> {
    const round: Round = new Map()
    const inUse = this.#basePartitions * layersOf(this.#partitions, this.#basePartitions)
    for (let partition = 0; partition < inUse; partition++) {
      if (receivedUntilUs < (this.#promisedUs.get(partition) ?? 0) + TICK_INTERVAL_US) continue
      round.set(partition, this.#record([], receivedUntilUs))
      this.#promisedUs.set(partition, receivedUntilUs)
    }
    return round.size === 0 ? Promise.resolve() : this.#enqueue([round])
  }

  /** Waits for the send that is under way, unless the brokers hang. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#connection.orTimeout(this.#last.then(() => this.#disconnect()))
  }

  #pack(frames: readonly ReceivedFrame[], receivedUntilUs: number): Round[] {
    const layers = layersOf(this.#partitions, this.#basePartitions)
    const roomBytes = RECORD_MAX_BYTES - headBytes(this.#publisher)
    const gathered = new Map<number, Gathered>()
    for (const frame of frames) {
      const hash = hashOf(callIdOf(frame.bytes) ?? Buffer.from(frame.peerAddress, 'latin1'))
      const partition = partitionOf(hash, this.#basePartitions, layers)
      const sizeBytes = frameBytesInRecord(frame)
      const found = gathered.get(partition)
      if (found === undefined) {
        gathered.set(partition, { records: [[frame]], sizeBytes })
      } else if (found.sizeBytes + sizeBytes > roomBytes) {
        found.records.push([frame])
        found.sizeBytes = sizeBytes
      } else {
        found.records.at(-1)!.push(frame)
        found.sizeBytes += sizeBytes
      }
    }
    const rounds: Round[] = []
    for (const [partition, { records }] of gathered) {
      records.forEach((record, index) => {
        // Only the last one of a partition can say that nothing is missing.
        const isLast = index === records.length - 1
        rounds[index] ??= new Map()
        rounds[index].set(partition, this.#record(record, isLast ? receivedUntilUs : 0))
      })
      this.#promisedUs.set(partition, receivedUntilUs)
    }
    return rounds
  }

  #record(frames: readonly ReceivedFrame[], receivedUntilUs: number): Buffer {
    return encodeRecord(
      { basePartitions: this.#basePartitions, publisher: this.#publisher, receivedUntilUs },
      frames,
    )
  }

  #enqueue(rounds: readonly Round[]): Promise<void> {
    const sent = this.#last.then(async () => {
      for (const round of rounds) await this.#send(round)
    })
    this.#last = sent.catch(() => {})
    return sent
  }

  async #send(round: Round): Promise<void> {
    if (this.#isClosed)
      throw new BusError('TRUNKSCOPE_BUS_CLOSED', 'The bus was closed: nothing is published any more.')
    try {
      const producer = this.#producer ?? (await this.#connect())
      const { topic, compression } = this.#connection.settings
      const acknowledgements = await producer.sendBatch({
        acks: -1,
        timeout: this.#connection.timings.requestTimeoutMs,
        compression: compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None,
        topicMessages: [
          { topic, messages: [...round].map(([partition, value]) => ({ key: null, value, partition })) },
        ],
      })
      const offsets = new Map(
        acknowledgements.map(({ partition, baseOffset }) => [partition, Number(baseOffset ?? -1)]),
      )
      this.#acknowledge(round, offsets)
    } catch (error) {
      this.#promisedUs.clear()
      void this.#disconnect() // On a hung broker that takes as long as a request may take.
      throw this.#connection.busError(error)
    }
  }

  #acknowledge(round: Round, offsets: ReadonlyMap<number, number>): void {
    let lost: { partition: number; before: number; now: number } | undefined
    for (const partition of round.keys()) {
      const now = offsets.get(partition) ?? -1
      if (now < 0) {
        // kafkajs leaves out partitions that the topic no longer has, and says nothing.
        throw new BusError(
          'TRUNKSCOPE_BUS_NOT_ACKNOWLEDGED',
          `Partition ${partition} of ${this.#connection.settings.topic} was not acknowledged: the frames are sent again.`,
        )
      }
      const before = this.#acknowledged.get(partition) ?? -1
      if (now <= before) lost = { partition, before, now }
    }
    if (lost !== undefined) this.#acknowledged.clear()
    for (const partition of round.keys()) this.#acknowledged.set(partition, offsets.get(partition)!)
    if (lost === undefined) return
    this.#promisedUs.clear()
    this.#onLogLost(
      `Kafka lost acknowledged records of ${this.#connection.settings.topic}: partition ${lost.partition} goes on at offset ` +
        `${lost.now}, after ${lost.before} was acknowledged`,
    )
  }

  async #connect(): Promise<Producer> {
    const { isNew, partitions } = await this.#connection.withAdmin((admin) =>
      ensureTopic(admin, this.#connection.settings),
    )
    this.#partitions = partitions
    if (isNew && this.#acknowledged.size > 0) {
      this.#acknowledged.clear()
      this.#onLogLost(
        `Kafka lost the topic ${this.#connection.settings.topic} and all that was acknowledged in it; it was made anew`,
      )
    }
    const producer = this.#connection.client().producer({
      createPartitioner: this.#partitioner,
      retry: this.#connection.retry,
      metadataMaxAge: this.#connection.timings.metadataMaxAgeMs,
      allowAutoTopicCreation: false,
      idempotent: false,
    })
    this.#producer = producer
    await producer.connect()
    return producer
  }

  /** The default one, which takes the partition that we name; it is also told how many there are. */
  readonly #partitioner: ProducerConfig['createPartitioner'] = () => {
    const partitionFor = Partitioners.DefaultPartitioner()
    return (args) => {
      this.#partitions = args.partitionMetadata.length
      return partitionFor(args)
    }
  }

  async #disconnect(): Promise<void> {
    const producer = this.#producer
    this.#producer = undefined
    await producer?.disconnect().catch(() => {}) // It is given up because it does not work.
  }
}
