import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { checkKafka } from '../../../../bin/run/doctor/kafka.js'
import { configSchema } from '../../../../schemas/config.js'
import { KafkaBroker, kafkaUnmet } from '../../../support/kafka-broker.js'
import { needsAll } from '../../../support/outside-programs.js'

const PASSWORD = 'a-password-of-the-test'

const unmet = await kafkaUnmet()
const test = needsAll(unmet)
const folder = mkdtempSync(join(tmpdir(), 'trunkscope-doctor-'))
const passwordFile = join(folder, 'password')
let broker: KafkaBroker

/** The broker of docker-compose.yml: its own server.properties, with a password as deploy/secrets.sh writes it. */
beforeAll(async () => {
  if (unmet.length > 0) return
  const jaas = join(folder, 'jaas.conf')
  writeFileSync(passwordFile, `${PASSWORD}\n`)
  writeFileSync(
    jaas,
    `KafkaServer {\n  org.apache.kafka.common.security.plain.PlainLoginModule required\n  user_trunkscope="${PASSWORD}";\n};\n`,
  )
  const [clients, local, controller] = [await freePort(), await freePort(), await freePort()]
  const properties = Object.fromEntries(
    readFileSync('deploy/kafka/server.properties', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
      .map(([name, value]) => [
        name,
        value!
          .replace('0.0.0.0:9092', `127.0.0.1:${clients}`)
          .replace('kafka:9092', `127.0.0.1:${clients}`)
          .replaceAll(':9094', `:${local}`)
          .replaceAll(':9093', `:${controller}`)
          .replace('/var/lib/kafka/data', join(folder, 'data')),
      ]),
  )
  properties['group.initial.rebalance.delay.ms'] = '0' // The only thing that is not as deployed: it saves 3 s.
  process.env.JAVA_TOOL_OPTIONS = `-Djava.security.auth.login.config=${jaas}`
  broker = await KafkaBroker.start({ port: clients, folder: join(folder, 'broker'), properties })
  delete process.env.JAVA_TOOL_OPTIONS
}, 90_000)
afterAll(async () => {
  await broker?.stop()
  rmSync(folder, { recursive: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function config(changed: Record<string, unknown> = {}, brokers = [broker.bootstrap]) {
  const sasl = { mechanism: 'plain', username: 'trunkscope', password_file: passwordFile }
  return configSchema.parse({ kafka: { brokers, topic: 'doctor', base_partitions: 4, sasl, ...changed } })
    .kafka!
}

async function withClient<Result>(work: (kafka: Kafka) => Promise<Result>): Promise<Result> {
  return work(
    new Kafka({
      brokers: [broker.bootstrap],
      sasl: { mechanism: 'plain', username: 'trunkscope', password: PASSWORD },
      logLevel: logLevel.NOTHING,
    }),
  )
}

async function makeTopic(topic: string, numPartitions: number): Promise<void> {
  await withClient(async (kafka) => {
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions }] })
    await admin.disconnect()
  })
}

describe('doctor › kafka, with the broker of docker-compose.yml', () => {
  test('the right password is let in; the broker says what it speaks; a missing topic is a failure', async () => {
    expect(await checkKafka(config({ topic: 'missing' }))).toMatchObject([
      { check: 'kafka broker', level: 'ok', sentence: expect.stringContaining('Kafka 4.0 or later') },
      { check: 'kafka', level: 'ok' },
      { check: 'kafka topic', level: 'fail', fix: 'Run: trunkscope init' },
    ])
  })

  test('a wrong password, and none at all, are failures that name the settings', async () => {
    const wrong = join(folder, 'wrong')
    writeFileSync(wrong, 'another')
    const sasl = { mechanism: 'plain', username: 'trunkscope', password_file: wrong }
    const findings = await checkKafka(config({ sasl }))
    expect(findings.at(-1)).toMatchObject({ level: 'fail', fix: expect.stringContaining('kafka.sasl') })
    expect(JSON.stringify(findings)).not.toContain('another')
    expect((await checkKafka(config({ sasl: undefined }))).at(-1)?.level).toBe('fail')
  })

  test('a topic with the partitions of the configuration is fine, also when it has grown', async () => {
    await makeTopic('doctor', 8)
    for (const base_partitions of [4, 8]) {
      const findings = await checkKafka(config({ base_partitions }))
      expect(findings.map(({ level }) => level)).toEqual(['ok', 'ok', 'ok', 'ok'])
    }
  })

  test('fewer partitions than the base are a failure, a number that is no multiple is a warning', async () => {
    await makeTopic('uneven', 6)
    const topicOf = async (base_partitions: number) =>
      (await checkKafka(config({ topic: 'uneven', base_partitions }))).find(
        ({ check }) => check === 'kafka topic',
      )
    expect(await topicOf(8)).toMatchObject({
      level: 'fail',
      fix: expect.stringContaining('base_partitions: 6'),
    })
    expect(await topicOf(4)).toMatchObject({ level: 'warn', fix: expect.stringContaining('--partitions 8') })
  })

  test('records that nobody reads are a warning with their number', async () => {
    await makeTopic('unread', 4)
    await withClient(async (kafka) => {
      const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
      await producer.connect()
      const messages = ['a', 'b', 'c'].map((value) => ({ value }))
      await producer.send({ topic: 'unread', messages })
      await producer.disconnect()
    })
    expect((await checkKafka(config({ topic: 'unread' }))).at(-1)).toMatchObject({
      check: 'kafka group',
      level: 'warn',
      sentence: 'trunkscope-store: 0 store processes, 3 records not stored yet',
    })
  })

  test('a store that reads is counted, and what it has committed is no longer waiting', async () => {
    await makeTopic('read', 4)
    await withClient(async (kafka) => {
      const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
      await producer.connect()
      await producer.send({ topic: 'read', messages: [{ value: 'a', partition: 0 }] })
      await producer.disconnect()
      const consumer = kafka.consumer({ groupId: 'doctor-stores' })
      await consumer.connect()
      await consumer.subscribe({ topic: 'read', fromBeginning: true })
      await new Promise<void>((resolve, reject) => {
        const eachMessage = async () => {
          await consumer.commitOffsets([{ topic: 'read', partition: 0, offset: '1' }])
          resolve()
        }
        consumer.run({ autoCommit: false, eachMessage }).catch(reject)
      })
      const findings = await checkKafka(config({ topic: 'read', group: 'doctor-stores' }))
      await consumer.disconnect()
      expect(findings.at(-1)).toMatchObject({
        level: 'ok',
        sentence: 'doctor-stores: 1 store processes, 0 records not stored yet',
      })
    })
  })

  test('one broker of two that does not answer is named, and the other is asked', async () => {
    const gone = `127.0.0.1:${await freePort()}`
    const findings = await checkKafka(config({}, [gone, broker.bootstrap]))
    expect(findings.slice(0, 2)).toMatchObject([
      { level: 'fail', sentence: `${gone} does not answer (ECONNREFUSED)` },
      { level: 'ok' },
    ])
    expect(findings.some(({ check }) => check === 'kafka group')).toBe(true)
  })

  test('a password file that cannot be read is a failure', async () => {
    const sasl = { mechanism: 'plain', username: 'trunkscope', password_file: join(folder, 'nowhere') }
    expect(await checkKafka(config({ sasl }))).toMatchObject([
      { level: 'fail', sentence: expect.stringContaining('ENOENT') },
    ])
  })
})
