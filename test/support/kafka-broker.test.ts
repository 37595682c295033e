import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { KafkaBroker, kafkaUnmet } from './kafka-broker.js'
import { needsAll } from './outside-programs.js'

const unmet = await kafkaUnmet()
const test = needsAll(unmet)
let broker: KafkaBroker

beforeAll(async () => {
  if (unmet.length === 0) broker = await KafkaBroker.start()
})
afterAll(() => broker?.stop())

async function topics(): Promise<string[]> {
  const kafka = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const names = await admin.listTopics()
  await admin.disconnect()
  return names.filter((name) => !name.startsWith('__'))
}

describe('kafka broker', () => {
  test('keeps its topics over a kill, and loses them when it is wiped; the port stays', async () => {
    const { bootstrap } = broker
    const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 2 }] })
    await admin.disconnect()

    await broker.kill()
    await broker.restart()
    expect(await topics()).toEqual(['kept'])

    await broker.wipe()
    await broker.restart()
    expect(await topics()).toEqual([])
    expect(broker.bootstrap).toBe(bootstrap)
  }, 60_000)
})
