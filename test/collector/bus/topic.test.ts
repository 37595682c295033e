import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { KafkaSettings } from '../../../collector/bus/kafka-connection.js'
import { ensureTopic } from '../../../collector/bus/topic.js'
import { KafkaBroker, kafkaUnmet } from '../../support/kafka-broker.js'
import { needsAll } from '../../support/outside-programs.js'

const unmet = await kafkaUnmet()
const test = needsAll(unmet)

const SETTINGS: KafkaSettings = {
  brokers: [],
  topic: 'trunkscope.hep',
  base_partitions: 6,
  replication_factor: 1,
  retention_hours: 24,
  group: 'store',
  compression: 'gzip',
}

let broker: KafkaBroker
let admin: ReturnType<Kafka['admin']>
beforeAll(async () => {
  if (unmet.length > 0) return
  broker = await KafkaBroker.start()
  admin = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
})
afterAll(async () => {
  await admin?.disconnect()
  await broker?.stop()
})

describe('topic', () => {
  test('is made once, by whoever comes first, and then checked', async () => {
    const [first, second] = await Promise.all([ensureTopic(admin, SETTINGS), ensureTopic(admin, SETTINGS)])
    expect([first.isNew, second.isNew].filter(Boolean)).toHaveLength(1)
    expect(await ensureTopic(admin, SETTINGS)).toEqual({ partitions: 6, isNew: false })
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: SETTINGS.topic }],
    })
    const config = Object.fromEntries(
      resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]),
    )
    expect(config).toMatchObject({
      'retention.ms': String(24 * 3_600_000),
      'compression.type': 'gzip',
      'min.insync.replicas': '1',
    })
    expect(Number(config['max.message.bytes'])).toBeGreaterThan(1_048_576)
  })

  test('more replicas than brokers are refused with what to do', async () => {
    const wide = { ...SETTINGS, topic: 'wide', replication_factor: 3 }
    await expect(ensureTopic(admin, wide)).rejects.toMatchObject({
      code: 'TRUNKSCOPE_BUS_TOPIC_REFUSED',
      message: expect.stringContaining('kafka.replication_factor (3)'),
    })
  })
})
