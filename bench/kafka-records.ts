/**
 * What a record of Kafka costs: many frames packed into one (record.ts) against one frame a record, sent and read by the
 * bus's own code through a real broker, in turns. CPU is this process's alone, the broker's is not in it; the rate is the
 * clock's, with broker and bench on the same machine. The median of RUNS runs.
 *
 * Run      npx tsc && node dist/bench/kafka-records.js
 */
import { Partitioners } from 'kafkajs'
import { KafkaBus } from '../collector/bus/kafka-bus.js'
import { KafkaConnection, type KafkaSettings } from '../collector/bus/kafka-connection.js'
import { hashOf, partitionOf } from '../collector/bus/partition.js'
import { decodeRecord, encodeRecord } from '../collector/bus/record.js'
import type { ReceivedFrame } from '../schemas/hep-frame.js'
import { callIdOf } from '../sip/call-id.js'
import { encodeHep3 } from '../sip/hep3.js'
import { KafkaBroker } from '../test/support/kafka-broker.js'
import { cpuNsPerCall, median } from './measure.js'
import { sampleInvite } from './sample-messages.js'

const RUNS = 5
const FRAMES = 40_000
/** What the spool hands over at a time: about 1 MiB. */
const FRAMES_AT_A_TIME = 1_000
const BASE_PARTITIONS = 24

interface Figures {
  sendCpuUs: number[]
  sendRate: number[]
  readCpuUs: number[]
  readRate: number[]
}

const frames = Array.from({ length: FRAMES }, (_, index): ReceivedFrame => {
  const bytes = encodeHep3({
    sourceAddress: '198.51.100.10',
    sourcePort: 5060,
    destinationAddress: '203.0.113.20',
    destinationPort: 5060,
    capturedAtUs: 1_795_217_976_000_000 + index,
    agentId: 2001,
    payload: sampleInvite(index),
  })
  return {
    receivedAtUs: 1_795_217_976_000_000 + index,
    transport: 'udp',
    peerAddress: '192.0.2.1',
    bytes,
    position: 0,
  }
})

const broker = await KafkaBroker.start()
let topics = 0
try {
  const packed: Figures = { sendCpuUs: [], sendRate: [], readCpuUs: [], readRate: [] }
  const single: Figures = { sendCpuUs: [], sendRate: [], readCpuUs: [], readRate: [] }
  for (let run = 0; run <= RUNS; run++) {
    const isWarmUp = run === 0
    await measure(sendPacked, isWarmUp ? undefined : packed)
    await measure(sendSingle, isWarmUp ? undefined : single)
  }
  report(`packed, ${FRAMES_AT_A_TIME} frames over ${BASE_PARTITIONS} partitions at a time`, packed)
  report('one frame a record', single)
} finally {
  await broker.stop()
}
reportParts()

async function measure(
  send: (bus: KafkaBus, settings: KafkaSettings) => Promise<void>,
  into?: Figures,
): Promise<void> {
  const settings: KafkaSettings = {
    brokers: [broker.bootstrap],
    topic: `bench-${++topics}`,
    base_partitions: BASE_PARTITIONS,
    replication_factor: 1,
    retention_hours: 1,
    group: `bench-${topics}`,
    compression: 'none',
  }
  const bus = await KafkaBus.open({ kafka: settings, name: 'bench', log: () => {} })
  await bus.publish([], 1_795_217_976_000_000) // From here on topic and connection are there.
  const sent = await timed(() => send(bus, settings))
  let count = 0
  const read = await timed(async () => {
    await new Promise<void>((resolve, reject) => {
      bus
        .subscribe(async (batch) => {
          count += batch.frames.length
          if (count >= FRAMES) resolve()
        })
        .catch(reject)
    })
  })
  await bus.close()
  into?.sendCpuUs.push(sent.cpuUs / FRAMES)
  into?.sendRate.push(FRAMES / sent.seconds)
  into?.readCpuUs.push(read.cpuUs / FRAMES)
  into?.readRate.push(FRAMES / read.seconds)
}

async function sendPacked(bus: KafkaBus): Promise<void> {
  for (let at = 0; at < FRAMES; at += FRAMES_AT_A_TIME)
    await bus.publish(frames.slice(at, at + FRAMES_AT_A_TIME))
}

/** The same choice of partition and the same container, with one frame in it. */
async function sendSingle(_bus: KafkaBus, settings: KafkaSettings): Promise<void> {
  const connection = await KafkaConnection.open(settings, 'bench', () => {})
  const producer = connection.client().producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  for (let at = 0; at < FRAMES; at += FRAMES_AT_A_TIME) {
    const messages = frames.slice(at, at + FRAMES_AT_A_TIME).map((frame) => ({
      key: null,
      partition: partitionOf(hashOf(callIdOf(frame.bytes)!), BASE_PARTITIONS, 1),
      value: encodeRecord({ basePartitions: BASE_PARTITIONS, publisher: 'bench', receivedUntilUs: 0 }, [
        frame,
      ]),
    }))
    await producer.sendBatch({ acks: -1, topicMessages: [{ topic: settings.topic, messages }] })
  }
  await producer.disconnect()
}

async function timed(work: () => Promise<void>): Promise<{ cpuUs: number; seconds: number }> {
  const started = process.cpuUsage()
  const startedMs = performance.now()
  await work()
  const { user, system } = process.cpuUsage(started)
  return { cpuUs: user + system, seconds: (performance.now() - startedMs) / 1_000 }
}

function report(what: string, { sendCpuUs, sendRate, readCpuUs, readRate }: Figures): void {
  console.log(
    `${what}: sent ${median(sendCpuUs).toFixed(1)} µs of CPU a frame (${spread(sendCpuUs)}), ${thousands(sendRate)} frames/s; ` +
      `read ${median(readCpuUs).toFixed(1)} µs (${spread(readCpuUs)}), ${thousands(readRate)} frames/s`,
  )
}

function spread(values: number[]): string {
  return `${Math.min(...values).toFixed(1)}..${Math.max(...values).toFixed(1)}`
}

function thousands(values: number[]): string {
  return `${(median(values) / 1_000).toFixed(0)} k`
}

/** The parts that are ours, without Kafka. */
function reportParts(): void {
  const some = frames.slice(0, FRAMES_AT_A_TIME)
  const head = { basePartitions: BASE_PARTITIONS, publisher: 'bench', receivedUntilUs: 0 }
  const record = encodeRecord(head, some.slice(0, 42))
  const parts: [string, number, (index: number) => number][] = [
    ['callIdOf', 1, (index) => callIdOf(some[index]!.bytes)!.length],
    ['callIdOf + hash', 1, (index) => hashOf(callIdOf(some[index]!.bytes)!) + 1],
    ['encodeRecord, a frame', 42, () => encodeRecord(head, some.slice(0, 42)).length],
    ['decodeRecord, a frame', 42, () => ('frames' in decodeRecord(record, 0) ? 1 : 0)],
  ]
  for (const [name, framesACall, work] of parts) {
    const ns = Array.from(
      { length: RUNS + 2 },
      () => cpuNsPerCall(FRAMES_AT_A_TIME, framesACall === 1 ? 50 : 4, work) / framesACall,
    )
    console.log(`${name}: ${median(ns).toFixed(0)} ns`)
  }
}
