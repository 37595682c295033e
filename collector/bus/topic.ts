/**
 * The topic: made with the number of partitions that the configuration names, or checked.
 *
 * Returns  `ensureTopic`: how many partitions it has, and whether it was made just now.
 * Throws   TRUNKSCOPE_BUS_TOPIC_PARTITIONS when it has fewer than the base, TRUNKSCOPE_BUS_TOPIC_REFUSED when the brokers
 *          do not make it; whatever kafkajs throws when it does not reach them.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { BusError } from './bus-error.js'
import { type KafkaSettings, kafkaErrorType } from './kafka-connection.js'

/** The broker's default and limit for what is sent to a partition at a time: a record is at most 900,000 bytes. */
const MESSAGE_MAX_BYTES = 1_048_588
const SHOWN_WAITS_MAX = 100
const SHOWN_WAIT_MS = 100

export async function ensureTopic(
  admin: Admin,
  settings: KafkaSettings,
): Promise<{ partitions: number; isNew: boolean }> {
  const { topic, base_partitions: basePartitions } = settings
  let partitions = await partitionsOf(admin, topic)
  const isNew = partitions === 0 && (await createTopic(admin, settings))
  // The broker that is asked may hear of it later than the one that made it.
  for (let waits = 0; partitions === 0 && waits < SHOWN_WAITS_MAX; waits++) {
    if (waits > 0) await pause(SHOWN_WAIT_MS)
    partitions = await partitionsOf(admin, topic)
  }
  if (partitions === 0) {
    throw new BusError(
      'TRUNKSCOPE_BUS_TOPIC_REFUSED',
      `The topic ${topic} was made and the brokers do not show it: check that they have a controller.`,
    )
  }
  if (partitions < basePartitions) {
    throw new BusError(
      'TRUNKSCOPE_BUS_TOPIC_PARTITIONS',
      `The topic ${topic} has ${partitions} partitions and kafka.base_partitions is ${basePartitions}. If it was made with ` +
        `${partitions}, set kafka.base_partitions to that in every process; if it holds nothing yet, delete it, and it is ` +
        'made anew.',
    )
  }
  return { partitions, isNew }
}

/** 0 when there is no such topic. */
async function partitionsOf(admin: Admin, topic: string): Promise<number> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]?.partitions.length ?? 0
  } catch (error) {
    if (kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return 0
    throw error
  }
}

/** False when another process was faster. */
async function createTopic(admin: Admin, settings: KafkaSettings): Promise<boolean> {
  const { topic, replication_factor: replicas } = settings
  const config = {
    'cleanup.policy': 'delete',
    'retention.ms': String(settings.retention_hours * 3_600_000),
    'max.message.bytes': String(MESSAGE_MAX_BYTES),
    // With three replicas one may be away and frames are still acknowledged, by two.
    'min.insync.replicas': replicas >= 3 ? '2' : '1',
    // Whatever a producer sends, consumers get a codec they have: another one would stop them at that record for good.
    'compression.type': settings.compression === 'gzip' ? 'gzip' : 'uncompressed',
    // The stamps are ours: received-at stands with every frame.
    'message.timestamp.type': 'LogAppendTime',
  }
  try {
    return await admin.createTopics({
      topics: [
        {
          topic,
          numPartitions: settings.base_partitions,
          replicationFactor: replicas,
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        },
      ],
    })
  } catch (error) {
    const [refusal] = (error as { errors?: Error[] }).errors ?? []
    if (refusal === undefined) throw error
    throw new BusError(
      'TRUNKSCOPE_BUS_TOPIC_REFUSED',
      `The brokers do not make the topic ${topic}: ${refusal.message}. kafka.replication_factor (${replicas}) must not ` +
        'exceed the number of brokers, and the user needs the right to create topics, or somebody who has it makes it.',
      { cause: error },
    )
  }
}
