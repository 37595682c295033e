// tidy: long because one broker, which takes seconds to start, serves all of it
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import type { BusBatch } from '../../../collector/bus/bus.js'
import { KafkaBus, type KafkaBusOptions } from '../../../collector/bus/kafka-bus.js'
import type { KafkaTimings } from '../../../collector/bus/kafka-connection.js'
import { encodeRecord } from '../../../collector/bus/record.js'
import type { ReceivedFrame } from '../../../schemas/hep-frame.js'
import { callIdOf } from '../../../sip/call-id.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { KafkaBroker, kafkaUnmet } from '../../support/kafka-broker.js'
import { needsAll } from '../../support/outside-programs.js'

const unmet = await kafkaUnmet()
const test = needsAll(unmet)

const BASE = 4
const NOW_US = 1_795_217_976_000_000
const TIMINGS: Partial<KafkaTimings> = {
  connectionTimeoutMs: 2_000,
  requestTimeoutMs: 10_000,
  retries: 1,
  retryPauseMs: 100,
  metadataMaxAgeMs: 300,
  sessionTimeoutMs: 6_000,
  rebalanceTimeoutMs: 10_000,
  heartbeatIntervalMs: 200,
  fetchWaitMs: 100,
  restartPauseMs: 100,
}

let broker: KafkaBroker
beforeAll(async () => {
  if (unmet.length === 0) broker = await KafkaBroker.start()
})
afterAll(() => broker?.stop())

const open: KafkaBus[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()))
})

let topics = 0
/** A topic of its own for each test; processes of one test share it. */
function newTopic(): string {
  return `hep-${++topics}`
}

async function openBus(
  topic: string,
  options: Partial<KafkaBusOptions> = {},
  base = BASE,
): Promise<KafkaBus> {
  const bus = await KafkaBus.open({
    name: 'test',
    log: () => {},
    kafka: {
      brokers: [broker.bootstrap],
      topic,
      base_partitions: base,
      replication_factor: 1,
      retention_hours: 1,
      group: `store-${topic}`,
      compression: 'none',
    },
    ...options,
    timings: { ...TIMINGS, ...options.timings },
  })
  open.push(bus)
  return bus
}

function frameOf(callId: string, text = ''): ReceivedFrame {
  const payload = `OPTIONS sip:a SIP/2.0\r\nCall-ID: ${callId}\r\nSubject: ${text}\r\n\r\n`
  const bytes = encodeHep3({ payload })
  return { receivedAtUs: NOW_US, transport: 'udp', peerAddress: '192.0.2.1', bytes, position: 0 }
}

function framesOf(name: string, calls: number, text = ''): ReceivedFrame[] {
  return Array.from({ length: calls }, (_, n) => frameOf(`${name}-${n}@example.com`, text))
}

/** A subscription that keeps what it was given, and lets a test wait for it. */
class Reader {
  readonly batches: BusBatch[] = []
  readonly revoked: number[][] = []
  /** Frames as text, in the order of delivery. */
  readonly frames: string[] = []
  readonly basesByCall = new Map<string, Set<number>>()
  readonly partitionsByCall = new Map<string, Set<number>>()
  ended: Promise<void>
  /** Called by the handler. */
  onBatch: (batch: BusBatch) => Promise<void> = async () => {}
  onRevoked: () => void = () => {}
  #waiting: { isMet: () => boolean; resolve: () => void }[] = []

  constructor(readonly bus: KafkaBus) {
    this.ended = bus.subscribe(
      async (batch) => {
        await this.onBatch(batch)
        this.batches.push(batch)
        for (const { bytes } of batch.frames) {
          const callId = callIdOf(bytes)!.toString()
          this.frames.push(bytes.toString('latin1'))
          this.#note(this.basesByCall, callId, batch.basePartition)
          this.#note(this.partitionsByCall, callId, batch.partition)
        }
        this.#look()
      },
      (bases) => {
        this.revoked.push(bases)
        this.onRevoked()
        this.#look()
      },
    )
    this.ended.catch(() => {})
  }

  #note(map: Map<string, Set<number>>, callId: string, value: number): void {
    const values = map.get(callId) ?? new Set()
    map.set(callId, values.add(value))
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ isMet, resolve }) => {
      if (isMet()) resolve()
      return !isMet()
    })
  }

  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }))
  }

  has(frames: readonly ReceivedFrame[]): () => boolean {
    return () => {
      const seen = new Set(this.frames)
      return frames.every(({ bytes }) => seen.has(bytes.toString('latin1')))
    }
  }

  async commitAll(): Promise<void> {
    const ends = new Map<number, number>()
    for (const { partition, nextPosition } of this.batches) ends.set(partition, nextPosition)
    for (const [partition, position] of ends) await this.bus.commit(partition, position)
  }
}

/** Whatever a test does to the topic behind the bus's back. */
async function withKafka<T>(work: (kafka: Kafka) => Promise<T>): Promise<T> {
  return work(new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }))
}

async function produce(topic: string, partition: number, values: (Buffer | null)[]): Promise<void> {
  await withKafka(async (kafka) => {
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    await producer.send({ topic, messages: values.map((value) => ({ value, partition })) })
    await producer.disconnect()
  })
}

async function growTo(topic: string, count: number): Promise<void> {
  await withKafka(async (kafka) => {
    const admin = kafka.admin()
    await admin.connect()
    await admin.createPartitions({ topicPartitions: [{ topic, count }] })
    await admin.disconnect()
  })
}

/** As the process that has a spool does it. */
async function publishAgain(bus: KafkaBus, frames: ReceivedFrame[]): Promise<void> {
  let isDone = false
  while (!isDone) {
    isDone = await bus.publish(frames).then(
      () => true,
      (error) => {
        expect(error).toMatchObject({ name: 'BusError', isLasting: false })
        return false
      },
    )
  }
}

function only(sets: Iterable<Set<number>>): boolean {
  return [...sets].every((values) => values.size === 1)
}

describe('kafka bus', () => {
  test('what is published is delivered byte for byte, and a Call-ID has one partition', async () => {
    const bus = await openBus(newTopic())
    const sent = [...framesOf('a', 300, 'first'), ...framesOf('a', 300, 'second'), ...framesOf('b', 10)]
    const large = framesOf('large', 40, 'x'.repeat(50_000)) // 2 MB: several records a partition.
    const shared = sent.map((frame) => ({ ...frame, bytes: Buffer.from(frame.bytes) }))
    const published = bus.publish(shared, NOW_US + 5)
    for (const { bytes } of shared) bytes.fill(0) // Views die when the caller goes on.
    await published
    await bus.publish(large, NOW_US + 6)

    const reader = new Reader(bus)
    await reader.until(reader.has([...sent, ...large]))
    expect(reader.frames).toHaveLength(sent.length + large.length)
    expect(only(reader.partitionsByCall.values())).toBe(true)
    expect(new Set(reader.batches.map(({ partition }) => partition)).size).toBe(BASE)
    expect(Math.max(...reader.batches.map(({ receivedUntilUs }) => receivedUntilUs))).toBe(NOW_US + 6)
    for (const { frames, position, nextPosition } of reader.batches) {
      expect(nextPosition).toBeGreaterThan(position)
      expect(frames.every((frame) => frame.position >= position && frame.position < nextPosition)).toBe(true)
      expect(frames.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThan(1_100_000)
    }
    const first = reader.batches[0]!.frames[0]!
    expect(first).toMatchObject({ receivedAtUs: NOW_US, transport: 'udp', peerAddress: '192.0.2.1' })
  })

  test('what was not committed comes again, what was committed does not, also after the last batch', async () => {
    const topic = newTopic()
    const bus = await openBus(topic)
    const before = framesOf('before', 50)
    await bus.publish(before)
    const reader = new Reader(bus)
    await reader.until(reader.has(before))
    expect((await bus.lag()).bytes).toBeGreaterThan(0)
    await bus.endDelivery()
    await reader.commitAll()
    expect((await bus.lag()).bytes).toBe(0)
    await bus.close()
    await reader.ended

    const again = await openBus(topic)
    const after = framesOf('after', 50)
    await again.publish(after)
    const uncommitted = new Reader(again)
    await uncommitted.until(uncommitted.has(after))
    expect(uncommitted.frames).toHaveLength(after.length)
    await again.close()

    const last = new Reader(await openBus(topic))
    await last.until(last.has(after))
    expect(last.frames).toHaveLength(after.length)
  })

  test('time passes on an idle bus: each partition is told at most once a second', async () => {
    const bus = await openBus(newTopic())
    await bus.publish([], NOW_US)
    await bus.publish([], NOW_US + 900_000)
    await bus.publish([], NOW_US + 1_100_000)
    const reader = new Reader(bus)
    const told = () => reader.batches.filter(({ receivedUntilUs }) => receivedUntilUs === NOW_US + 1_100_000)
    await reader.until(() => told().length === BASE)
    expect(told().map(({ nextPosition }) => nextPosition)).toEqual([2, 2, 2, 2])
    expect(reader.batches.every(({ frames }) => frames.length === 0)).toBe(true)
  })

  test('two members share the base partitions; what one leaves uncommitted comes to the other', async () => {
    const topic = newTopic()
    const first = new Reader(await openBus(topic))
    await first.until(() => true)
    const early = framesOf('early', 100)
    await first.bus.publish(early)
    await first.until(first.has(early))

    const second = new Reader(await openBus(topic))
    await first.until(() => first.revoked.length > 0)
    expect(first.revoked.flat()).toHaveLength(BASE / 2)
    const late = framesOf('late', 100)
    await first.bus.publish(late)
    // Nothing was committed, so the second has all of its half again.
    const halves = () => new Set([...first.frames, ...second.frames])
    const isComplete = () => late.every(({ bytes }) => halves().has(bytes.toString('latin1')))
    await Promise.race([first.until(isComplete), second.until(isComplete)])
    const secondBases = [...second.bus.basePartitions]
    expect([...first.bus.basePartitions, ...secondBases].sort()).toEqual([0, 1, 2, 3])
    expect(secondBases).toEqual([...first.revoked.flat()])

    await second.bus.close()
    await first.until(first.has(late))
    expect(first.bus.basePartitions).toEqual([0, 1, 2, 3])
    expect(only(first.basesByCall.values())).toBe(true)
  })

  test('a topic that grows while calls are up keeps each call in its base partition, read by one process', async () => {
    const topic = newTopic()
    const publisher = await openBus(topic)
    await publisher.ensureTopic()
    const readers = [new Reader(await openBus(topic)), new Reader(await openBus(topic))]
    const before = framesOf('call', 200, 'INVITE')
    await publisher.publish(before, NOW_US)
    await growTo(topic, 2 * BASE)
    let ticks = 0
    // The publisher learns of it by the metadata it fetches again while it sends.
    while (publisher.partitions < 2 * BASE) await publisher.publish([], NOW_US + ++ticks * 2_000_000)
    const after = framesOf('call', 200, 'BYE')
    await publisher.publish(after, NOW_US + ++ticks * 2_000_000)
    const isComplete = () => {
      const seen = new Set(readers.flatMap(({ frames }) => frames))
      return [...before, ...after].every(({ bytes }) => seen.has(bytes.toString('latin1')))
    }
    await Promise.race(readers.map((reader) => reader.until(isComplete)))

    const partitions = new Set(
      readers.flatMap(({ partitionsByCall }) => [...partitionsByCall.values()].flatMap((s) => [...s])),
    )
    expect(partitions.size).toBe(2 * BASE)
    for (const { basesByCall } of readers) expect(only(basesByCall.values())).toBe(true)
    const owned = readers.map(({ bus }) => bus.basePartitions)
    expect(owned.flat().sort()).toEqual([0, 1, 2, 3])
    for (const { bytes } of after) {
      const callId = callIdOf(bytes)!.toString()
      const bases = readers.flatMap(({ basesByCall }) => [...(basesByCall.get(callId) ?? [])])
      expect(new Set(bases).size).toBe(1)
    }
  })

  test('a broker that is killed: publishing fails or waits, and all that was acknowledged is read later', async () => {
    const topic = newTopic()
    const bus = await openBus(topic)
    const before = framesOf('before', 50)
    await bus.publish(before)
    const reader = new Reader(bus)
    await reader.until(reader.has(before))

    await broker.kill()
    const during = framesOf('during', 50)
    await expect(bus.publish(during)).rejects.toMatchObject({ code: 'TRUNKSCOPE_BUS_UNREACHABLE' })
    await broker.restart()
    await publishAgain(bus, during)
    await reader.until(reader.has(during))
    await reader.commitAll()
    expect(bus.basePartitions).toEqual([0, 1, 2, 3])
  }, 40_000)

  test('a broker that hangs: publishing waits, and goes on when it does', async () => {
    const topic = newTopic()
    const bus = await openBus(topic)
    const reader = new Reader(bus)
    const before = framesOf('before', 20)
    await bus.publish(before)
    await reader.until(reader.has(before))
    broker.pause()
    let isSettled = false
    const during = framesOf('during', 20)
    const published = bus.publish(during).finally(() => {
      isSettled = true
    })
    await new Promise((resolve) => setTimeout(resolve, 1_500)) // How long it hangs is the point here.
    expect(isSettled).toBe(false)
    broker.resume()
    await published
    await reader.until(reader.has(during))

    broker.pause()
    const lost = bus.publish(framesOf('after', 20)).catch(() => {})
    await bus.close() // It does not wait for an answer that will not come.
    broker.resume()
    await lost
    await publishAgain(await openBus(topic), during)
  })

  test('a broker that lost its log is noticed, by the topic that is gone', async () => {
    const lost: string[] = []
    const bus = await openBus(newTopic(), { onLogLost: (sentence) => lost.push(sentence) })
    const reader = new Reader(bus)
    const before = framesOf('before', 20)
    await publishAgain(bus, before) // The broker that hung may still be finding its place.
    await reader.until(reader.has(before))
    await broker.wipe()
    await broker.restart()
    const after = framesOf('after', 20)
    await publishAgain(bus, after)
    expect(lost).toEqual([expect.stringContaining('lost')])
    await reader.until(reader.has(after))
  }, 40_000)

  test('a partition that begins again at a lower offset is a lost log, too', async () => {
    const topic = newTopic()
    const lost: string[] = []
    const bus = await openBus(topic, { onLogLost: (sentence) => lost.push(sentence) })
    for (let round = 0; round < 3; round++) await publishAgain(bus, framesOf('call', 50))
    expect(lost).toEqual([])
    await withKafka(async (kafka) => {
      const admin = kafka.admin()
      await admin.connect()
      await admin.deleteTopics({ topics: [topic] })
      await admin.disconnect()
    })
    const other = await openBus(topic) // A store that starts makes the topic before capture misses it.
    await other.ensureTopic()
    await publishAgain(bus, framesOf('call', 50))
    await publishAgain(bus, framesOf('call', 50))
    expect(lost).toEqual([expect.stringContaining('lost acknowledged records')])
  })

  test('a log that was lost while nobody published is noticed by what the process before was told; another topic says nothing', async () => {
    const topic = newTopic()
    const first = await openBus(topic)
    await publishAgain(first, framesOf('call', 50))
    const { acknowledged } = first
    expect(Object.keys(acknowledged.offsets).length).toBeGreaterThan(0)
    const lost: string[] = []
    const onLogLost = (sentence: string) => lost.push(sentence)
    const goesOn = await openBus(topic, { onLogLost, acknowledgedBefore: acknowledged })
    await publishAgain(goesOn, framesOf('call', 50))
    const elsewhere = await openBus(newTopic(), { onLogLost, acknowledgedBefore: acknowledged })
    await publishAgain(elsewhere, framesOf('call', 50))
    expect(lost).toEqual([])

    const offsets = Object.fromEntries(Object.keys(acknowledged.offsets).map((name) => [name, 1_000]))
    const next = await openBus(topic, { onLogLost, acknowledgedBefore: { topic, offsets } })
    await publishAgain(next, framesOf('call', 50))
    expect(lost).toEqual([expect.stringContaining('after 1000 was acknowledged')])
  })

  test('a record that is no container is counted and passed by', async () => {
    const topic = newTopic()
    const bus = await openBus(topic)
    await bus.ensureTopic()
    for (let partition = 0; partition < BASE; partition++) {
      await produce(topic, partition, [Buffer.from('poison'), Buffer.alloc(0), null])
    }
    const sent = framesOf('call', 50)
    await bus.publish(sent)
    const reader = new Reader(bus)
    await reader.until(reader.has(sent))
    const damaged = reader.batches.flatMap((batch) => batch.damaged ?? [])
    expect(damaged.filter(({ bytes }) => bytes === 6)).toHaveLength(BASE)
    expect(damaged).toHaveLength(3 * BASE)
    expect(damaged.every(({ reason }) => reason === 'record_damaged')).toBe(true)
  })

  test('records of another layout or of a newer version end the subscription with what to do', async () => {
    const layout = newTopic()
    await (await openBus(layout, {}, 3)).publish(framesOf('call', 20))
    await growTo(layout, BASE)
    const reader = new Reader(await openBus(layout))
    await expect(reader.ended).rejects.toMatchObject({
      code: 'TRUNKSCOPE_BUS_LAYOUT',
      message: expect.stringContaining('kafka.base_partitions 3, here it is 4'),
    })

    const newer = newTopic()
    const bus = await openBus(newer)
    await bus.ensureTopic()
    const record = encodeRecord({ basePartitions: BASE, publisher: 'next', receivedUntilUs: 0 }, [])
    record[4] = 2
    await produce(newer, 0, [record])
    await expect(new Reader(bus).ended).rejects.toMatchObject({ code: 'TRUNKSCOPE_BUS_VERSION' })
  })

  test('a topic with fewer partitions than the base is refused, by either side', async () => {
    const topic = newTopic()
    await (await openBus(topic, {}, 2)).ensureTopic()
    const bus = await openBus(topic)
    const refusal = {
      code: 'TRUNKSCOPE_BUS_TOPIC_PARTITIONS',
      message: expect.stringContaining('has 2 partitions'),
    }
    await expect(bus.ensureTopic()).rejects.toMatchObject(refusal)
    await expect(bus.publish(framesOf('call', 1))).rejects.toMatchObject(refusal)
    await expect(new Reader(bus).ended).rejects.toMatchObject(refusal)
  })

  test('a handler that waits longer than the session keeps its membership', async () => {
    const topic = newTopic()
    const bus = await openBus(topic, { timings: { sessionTimeoutMs: 1_000 } })
    const sent = framesOf('call', 50)
    await bus.publish(sent)
    const reader = new Reader(bus)
    reader.onBatch = async () => {
      reader.onBatch = async () => {}
      await new Promise((resolve) => setTimeout(resolve, 3_000)) // Longer than the session is the point here.
    }
    await reader.until(reader.has(sent))
    await reader.commitAll()
    expect((await bus.lag()).bytes).toBe(0) // The commit of a member that was thrown out would have been refused.
    expect(reader.frames).toHaveLength(sent.length)
    expect(reader.revoked).toEqual([])
  })

  test('a member that was thrown out lets go of all it held, even of what it gets again', async () => {
    const bus = await openBus(newTopic(), { timings: { sessionTimeoutMs: 1_000 } })
    const sent = framesOf('call', 50)
    await bus.publish(sent)
    const reader = new Reader(bus)
    await reader.until(reader.has(sent))
    // A process that stands still for longer than its session: another one may have read its partitions meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000)
    await reader.until(() => reader.revoked.length > 0)
    expect(reader.revoked).toEqual([[0, 1, 2, 3]])
    await reader.until(() => reader.frames.length === 2 * sent.length)
    expect(bus.basePartitions).toEqual([0, 1, 2, 3])
  })

  test('what a member was handed before it was thrown out is not committed by the one that takes its place', async () => {
    const topic = newTopic()
    const bus = await openBus(topic, { timings: { sessionTimeoutMs: 1_000 } })
    const sent = framesOf('call', 50)
    await bus.publish(sent)
    const reader = new Reader(bus)
    await reader.until(reader.has(sent))
    let committing: Promise<void> | undefined
    // As a flush that was under way would.
    reader.onRevoked = () => {
      committing = reader.commitAll()
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000)
    await reader.until(() => reader.revoked.length > 0)
    await committing
    const offsets = await withKafka(async (kafka) => {
      const admin = kafka.admin()
      await admin.connect()
      const [held] = await admin.fetchOffsets({ groupId: `store-${topic}`, topics: [topic] })
      await admin.disconnect()
      return held!.partitions.map(({ offset }) => offset)
    })
    expect(offsets).toEqual(['-1', '-1', '-1', '-1'])
  })

  test('what the handler throws ends the subscription', async () => {
    const bus = await openBus(newTopic())
    await bus.publish(framesOf('call', 5))
    const reader = new Reader(bus)
    reader.onBatch = async () => {
      throw new Error('the store is broken')
    }
    await expect(reader.ended).rejects.toThrow('the store is broken')
  })

  test('a secret that cannot be read says which file, and which key names it', async () => {
    const sasl = { mechanism: 'plain' as const, username: 'x', password_file: '/nonexistent/password' }
    const kafka = { brokers: ['127.0.0.1:1'], topic: 't', group: 'g', base_partitions: 1, sasl }
    const settings = { ...kafka, replication_factor: 1, retention_hours: 1, compression: 'none' as const }
    await expect(KafkaBus.open({ name: 'test', log: () => {}, kafka: settings })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_BUS_SECRET_UNREADABLE',
      message: expect.stringContaining(
        '/nonexistent/password (ENOENT), which kafka.sasl.password_file names',
      ),
    })
  })
})
