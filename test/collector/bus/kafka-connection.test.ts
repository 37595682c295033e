import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { KafkaConnection, type KafkaSettings } from '../../../collector/bus/kafka-connection.js'
import { ensureTopic } from '../../../collector/bus/topic.js'
import { KafkaBroker, kafkaUnmet } from '../../support/kafka-broker.js'
import { missingPrograms, needsAll } from '../../support/outside-programs.js'

const unmet = [...(await kafkaUnmet()), ...missingPrograms('openssl')]
const test = needsAll(unmet)

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-kafka-tls-'))
const CA = join(folder, 'ca.pem')
const CLIENT = { cert: join(folder, 'client.pem'), key: join(folder, 'client.key') }
const PASSWORD = join(folder, 'password')

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

/** A certificate of the test's authority. */
function certify(name: string): void {
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/CN=${name}`,
  )
  writeFileSync(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  openssl(
    ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-out', `${name}.pem`, '-days', '2', '-extfile', 'names'],
  )
}

let broker: KafkaBroker
beforeAll(async () => {
  if (unmet.length > 0) return
  const ca = [
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=ca',
  ]
  openssl('req', '-x509', ...ca)
  for (const name of ['server', 'client']) certify(name)
  writeFileSync(
    join(folder, 'keystore.pem'),
    ['server.key', 'server.pem'].map((name) => readFileSync(join(folder, name), 'utf8')).join(''),
  )
  writeFileSync(PASSWORD, 'correct horse\n')
  broker = await KafkaBroker.start({
    properties: {
      'listener.security.protocol.map': 'PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT',
      'inter.broker.listener.name': 'PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.plaintext.plain.sasl.jaas.config':
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="b" ' +
        'user_broker="b" user_store="correct horse";',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': join(folder, 'keystore.pem'),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': CA,
      'listener.name.plaintext.ssl.client.auth': 'required',
    },
  })
})
afterAll(async () => {
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
})

function settings(fields: Partial<KafkaSettings>): KafkaSettings {
  return {
    brokers: [broker.bootstrap],
    topic: 'trunkscope.hep',
    base_partitions: 2,
    replication_factor: 1,
    retention_hours: 24,
    group: 'store',
    compression: 'none',
    tls: { ca_file: CA, cert_file: CLIENT.cert, key_file: CLIENT.key },
    sasl: { mechanism: 'plain', username: 'store', password_file: PASSWORD },
    ...fields,
  }
}

/** How many partitions the topic has, over a connection with these settings; rejects as the bus would. */
async function partitions(fields: Partial<KafkaSettings>): Promise<number> {
  const timings = { retries: 0, connectionTimeoutMs: 3_000 }
  const connection = await KafkaConnection.open(settings(fields), 'test', () => {}, timings)
  try {
    return (await connection.withAdmin((admin) => ensureTopic(admin, connection.settings))).partitions
  } catch (error) {
    throw connection.busError(error)
  }
}

describe('kafka connection', () => {
  test('TLS with a client certificate, and a password: both from files', async () => {
    expect(await partitions({})).toBe(2)
  })

  test('without the authority, the certificate or the right password the brokers cannot be used', async () => {
    const unreachable = { code: 'TRUNKSCOPE_BUS_UNREACHABLE' }
    await expect(partitions({ tls: {} })).rejects.toMatchObject(unreachable)
    await expect(partitions({ tls: { ca_file: CA } })).rejects.toMatchObject(unreachable)
    writeFileSync(join(folder, 'wrong'), 'battery staple')
    const wrong = { mechanism: 'plain' as const, username: 'store', password_file: join(folder, 'wrong') }
    await expect(partitions({ sasl: wrong })).rejects.toMatchObject(unreachable)
  })

  test('a password that would cross the network in the clear is warned of', async () => {
    const said: string[] = []
    const { tls: _, ...clear } = settings({})
    await KafkaConnection.open(clear, 'test', (level, sentence) => said.push(`${level} ${sentence}`))
    expect(said).toEqual([expect.stringMatching(/^warn kafka\.sasl sends the password in the clear/)])
  })

  test('the warning of negative timers is left out, others are not', async () => {
    const warned: string[] = []
    const listen = ({ name }: Error) => warned.push(name)
    process.on('warning', listen)
    await KafkaConnection.open(settings({}), 'test', () => {})
    process.emitWarning('-1 is a negative number.', 'TimeoutNegativeWarning')
    process.emitWarning('another', 'OtherWarning')
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', listen)
    expect(warned).toEqual(['OtherWarning'])
  })
})
