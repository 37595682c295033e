/**
 * The bus of the cluster: do the brokers answer and let us in, do they speak what our client speaks, has the topic the
 * partitions that the configuration counts on, and how far behind is the group of the stores. Only reads.
 */
import { readFileSync } from 'node:fs'
import type { Admin } from 'kafkajs'
import { KafkaConnection, type KafkaSettings } from '../../../collector/bus/kafka-connection.js'
import { type Finding, fail, ok, warn } from './finding.js'
import { type ApiRanges, apiVersions } from './kafka-versions.js'
import { firstLine } from './machine.js'

const TIMEOUT_MS = 3_000

/** The latest version of each request that kafkajs 2.2.4 can send: a broker must not have dropped it. */
const SPOKEN: readonly { name: string; key: number; max: number }[] = [
  { name: 'Produce', key: 0, max: 7 },
  { name: 'Fetch', key: 1, max: 11 },
  { name: 'ListOffsets', key: 2, max: 3 },
  { name: 'Metadata', key: 3, max: 6 },
  { name: 'OffsetCommit', key: 8, max: 5 },
  { name: 'OffsetFetch', key: 9, max: 4 },
  { name: 'JoinGroup', key: 11, max: 5 },
]

export async function checkKafka(config: KafkaSettings): Promise<Finding[]> {
  let tls: Certificates | undefined
  try {
    tls = certificates(config)
    await connect(config)
  } catch (error) {
    return [fail('kafka', firstLine((error as Error).message), 'Check the path, and the rights of this user')]
  }
  const brokers = await checkBrokers(config, tls)
  // The client takes the first that it is told: not one that is known to be silent.
  const answering = config.brokers.filter((_, index) => brokers[index]?.level === 'ok')
  if (answering.length === 0) return brokers
  return [...brokers, ...(await checkTopic(config, await connect({ ...config, brokers: answering })))]
}

/** As the roles connect, but it gives up within seconds and says nothing on its own. */
function connect(config: KafkaSettings): Promise<KafkaConnection> {
  return KafkaConnection.open(config, 'trunkscope-doctor', () => {}, {
    connectionTimeoutMs: TIMEOUT_MS,
    requestTimeoutMs: TIMEOUT_MS,
    retries: 3,
    retryPauseMs: 200,
  })
}

interface Certificates {
  ca?: Buffer
  cert?: Buffer
  key?: Buffer
}

function certificates({ tls }: KafkaSettings): Certificates | undefined {
  if (tls === undefined) return undefined
  return {
    ...(tls.ca_file === undefined ? {} : { ca: readFileSync(tls.ca_file) }),
    ...(tls.cert_file === undefined ? {} : { cert: readFileSync(tls.cert_file) }),
    ...(tls.key_file === undefined ? {} : { key: readFileSync(tls.key_file) }),
  }
}

async function checkBrokers(config: KafkaSettings, tls: Certificates | undefined): Promise<Finding[]> {
  return Promise.all(
    config.brokers.map(async (broker) => {
      const answer = await apiVersions(broker, tls, TIMEOUT_MS)
      if ('reason' in answer) {
        return fail(
          'kafka broker',
          `${broker} does not answer (${answer.reason})`,
          'Start it, or mend kafka.brokers, kafka.tls and the network between',
        )
      }
      return spoken(broker, answer)
    }),
  )
}

function spoken(broker: string, ranges: ApiRanges): Finding {
  const dropped = SPOKEN.filter(({ key, max }) => (ranges.get(key)?.min ?? 0) > max)
  if (dropped.length > 0) {
    return fail(
      'kafka broker',
      `${broker} no longer speaks the ${dropped.map(({ name }) => name).join(', ')} requests of our client`,
      'Use Kafka 3.x or 4.x; 4.1 is what the tests run',
    )
  }
  const fetch = ranges.get(1)
  // KIP-896: Kafka 4.0 dropped Fetch below version 4. No request tells the version itself.
  const generation = (fetch?.min ?? 0) >= 4 ? 'Kafka 4.0 or later' : 'Kafka 3.x or older'
  return ok('kafka broker', `${broker} answers: ${generation} (Fetch ${fetch?.min} to ${fetch?.max})`)
}

async function checkTopic(config: KafkaSettings, connection: KafkaConnection): Promise<Finding[]> {
  try {
    return await connection.withAdmin(async (admin) => {
      const { brokers } = await admin.describeCluster()
      const nodes = ok('kafka', `lets us in; ${brokers.length} brokers in the cluster`)
      const topics = await admin.listTopics()
      if (!topics.includes(config.topic)) {
        return [nodes, fail('kafka topic', `there is no topic ${config.topic}`, 'Run: trunkscope init')]
      }
      // Asking for a group makes the broker create this topic: where it is not there, no group has ever committed.
      const hasGroups = topics.includes('__consumer_offsets')
      return [nodes, ...(await topicFindings(admin, config)), await groupFinding(admin, config, hasGroups)]
    })
  } catch (error) {
    return [refusal(error as Error, config)]
  }
}

function refusal(error: Error, config: KafkaSettings): Finding {
  const isRefused = /SASL|authenticat/i.test(`${error.name} ${error.message}`)
  return fail(
    'kafka',
    isRefused
      ? `user ${config.sasl?.username ?? '(none)'} is not let in: ${firstLine(error.message)}`
      : firstLine(error.message),
    isRefused
      ? 'Check kafka.sasl: mechanism, username and the content of password_file'
      : 'Check kafka.brokers: what the brokers advertise must be reachable from here (advertised.listeners)',
  )
}

async function topicFindings(admin: Admin, config: KafkaSettings): Promise<Finding[]> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [config.topic] })
  const partitions = topics[0]?.partitions ?? []
  const behind = partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length
  const findings = [partitionCount(partitions.length, config)]
  if (behind > 0) {
    findings.push(
      warn(
        'kafka replicas',
        `${behind} of ${partitions.length} partitions lack a replica`,
        'Bring the missing broker back',
      ),
    )
  }
  return findings
}

function partitionCount(count: number, { topic, base_partitions: base }: KafkaSettings): Finding {
  const name = 'kafka topic'
  if (count < base) {
    return fail(
      name,
      `${topic} has ${count} partitions, kafka.base_partitions is ${base}`,
      `If the topic was made with ${count}, write kafka.base_partitions: ${count} in every process; it never changes`,
    )
  }
  if (count % base !== 0) {
    return warn(
      name,
      `${topic} has ${count} partitions, no multiple of ${base}: ${count % base} are not used`,
      `Grow it to ${Math.ceil(count / base) * base}: kafka-topics.sh --alter --topic ${topic} --partitions ${Math.ceil(count / base) * base}`,
    )
  }
  return ok(name, `${topic} has ${count} partitions (base ${base})`)
}

async function groupFinding(
  admin: Admin,
  { topic, group }: KafkaSettings,
  hasGroups: boolean,
): Promise<Finding> {
  const name = 'kafka group'
  const members = hasGroups ? ((await admin.describeGroups([group])).groups[0]?.members.length ?? 0) : 0
  const committed = hasGroups ? await admin.fetchOffsets({ groupId: group, topics: [topic] }) : []
  const offsets = new Map(committed[0]?.partitions.map(({ partition, offset }) => [partition, offset]))
  let lag = 0n
  for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
    const offset = BigInt(offsets.get(partition) ?? '-1')
    // Who has not committed yet begins with the oldest record.
    const from = offset < BigInt(low) ? BigInt(low) : offset
    if (BigInt(high) > from) lag += BigInt(high) - from
  }
  const sentence = `${group}: ${members} store processes, ${lag} records not stored yet`
  if (members > 0 || lag === 0n) return ok(name, sentence)
  return warn(name, sentence, 'Start one: trunkscope store')
}
