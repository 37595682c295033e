/**
 * A cluster over wires that lose answers, as a network does: Kafka or ClickHouse has done what it was asked for, and nobody is
 * told. The brokers ask who is there (SASL, SCRAM-SHA-256), and records are packed with gzip. At the end the same cluster is
 * recomputed while its stores run, and a number is forgotten.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from '@clickhouse/client'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import { DEMO_CONFIG } from '../../bin/demo/network.js'
import type { TimedFrame } from '../../bin/demo/traffic.js'
import type { ForgetDocument } from '../../bin/run/forget.js'
import type { RecomputeReport } from '../../bin/run/recompute-report.js'
import { ClickHouseFront } from '../support/clickhouse-front.js'
import { Cluster, SHORT_TIMINGS } from '../support/cluster.js'
import { TRUNKSCOPE } from '../support/collector-process.js'
import { kafkaUnmet } from '../support/kafka-broker.js'
import { type KnownCalls, knownCalls, Load, wrongOf } from '../support/known-calls.js'
import { differences, sumsOfAttempts, sumsOfRollups } from '../support/kpi-sums.js'
import { needsAll } from '../support/outside-programs.js'
import { type IsRequest, isInsert, isKafkaRequest, type TcpProxy } from '../support/tcp-proxy.js'

const unmet = await kafkaUnmet()
const test = needsAll(unmet)
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const FRAMES_PER_SECOND = 300
const TOPIC = 'trunkscope.hep'
const LOGIN = { username: 'trunkscope', password: 'correct-horse' }
const { sites, carriers = [], customers } = DEMO_CONFIG
const run = promisify(execFile)

let folder: string
let cluster: Cluster
const sent: KnownCalls[] = []

beforeAll(async () => {
  if (unmet.length > 0) return
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-wire-'))
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, `${LOGIN.password}\n`)
  cluster = await Cluster.start({
    network: { sites, carriers, customers },
    broker: { scram: LOGIN },
    isOverWires: true,
    kafka: {
      compression: 'gzip',
      sasl: { mechanism: 'scram-sha-256', username: LOGIN.username, password_file: passwordFile },
    },
    clickhouse: { request_timeout_ms: 4_000 },
    // An answer that does not come costs five tries of the client.
    timings: { ...SHORT_TIMINGS, requestTimeoutMs: 2_500 },
  })
  await sharedEvenly()
}, 120_000)
afterAll(async () => {
  await cluster?.discard()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

const within30s = { timeout: 30_000, interval: 100 }

async function sharedEvenly(): Promise<void> {
  const shares = () =>
    Promise.all(cluster.stores.map((store) => store.metric('trunkscope_store_base_partitions')))
  await vi.waitFor(async () => expect(await shares()).toEqual([2, 2]), within30s)
}

function load(row: string, spanS = 60): Promise<Load> {
  const calls = knownCalls(`${seed} ${row}`, spanS, 2)
  sent.push(calls)
  return Load.start(cluster, calls.frames, FRAMES_PER_SECOND)
}

async function exact(): Promise<void> {
  await expect.poll(() => wrongOf(cluster, sent), { timeout: 60_000, interval: 300 }).toEqual([])
}

async function exactAfter(flowing: Load): Promise<void> {
  await flowing.finish()
  await exact()
  expect(await cluster.capture.metric('trunkscope_dropped_total')).toBe(0)
}

/** One that carries frames: what only tells the time stays below this, gzipped or not. */
const isProduceOfFrames: IsRequest = (bytes) => isKafkaRequest(0)(bytes) && bytes.length > 1_500

/** Loses so many answers, one kind after the other, while calls flow. */
async function loseAnswers(wire: TcpProxy, isLost: IsRequest, cuts: number): Promise<void> {
  const before = wire.lost
  wire.loseAnswers(isLost, 'cut', cuts)
  await expect.poll(() => wire.lost, within30s).toBe(before + cuts)
  wire.loseAnswers(isLost, 'swallow', 1)
  await expect.poll(() => wire.lost, within30s).toBe(before + cuts + 1)
}

async function storedRows(): Promise<number> {
  const stored = await Promise.all(
    cluster.stores.map((store) => store.metric('trunkscope_store_messages_total')),
  )
  return stored.reduce((sum, n) => sum + n)
}

describe(`answers are lost (seed ${seed})`, () => {
  test('none is: SCRAM-SHA-256 and gzip from end to end; a wrong password is refused', async () => {
    await exactAfter(await load('no fault'))
    const client = (password: string) =>
      new Kafka({
        brokers: [cluster.broker.bootstrap],
        logLevel: logLevel.NOTHING,
        retry: { retries: 0 },
        sasl: { mechanism: 'scram-sha-256', username: LOGIN.username, password },
      })
    await expect(client('battery staple').admin().connect()).rejects.toThrow(/SASL/)
    const admin = client(LOGIN.password).admin()
    await admin.connect()
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: TOPIC, configNames: ['compression.type'] }],
    })
    await admin.disconnect()
    expect(resources[0]?.configEntries[0]).toMatchObject({ configValue: 'gzip' })
  }, 60_000)

  test('those to produce: capture sends again what the topic already holds; exact', async () => {
    const storedBefore = await storedRows()
    const flowing = await load('produce', 120)
    await loseAnswers(cluster.wires!.kafka, isProduceOfFrames, 3)
    await exactAfter(flowing)
    const calls = sent.at(-1)!
    expect((await storedRows()) - storedBefore).toBeGreaterThan(calls.frames.length)
  }, 90_000)

  test('those to the commit of offsets: exact', async () => {
    const flowing = await load('commit', 120)
    await loseAnswers(cluster.wires!.kafka, isKafkaRequest(8), 3)
    await exactAfter(flowing)
  }, 90_000)

  test('those to inserts, one until the client gives up and the server has committed: exact', async () => {
    const flowing = await load('insert', 120)
    await loseAnswers(cluster.wires!.clickhouse, isInsert, 3)
    await exactAfter(flowing)
  }, 90_000)
})

describe(`recompute beside running stores (seed ${seed})`, () => {
  const [first, second] = carriers as [(typeof carriers)[number], (typeof carriers)[number]]
  /** All that the second carrier has is the first one's. */
  const other = carriers
    .filter((carrier) => carrier !== second)
    .map((carrier) => (carrier === first ? { ...first, peers: [...first.peers, ...second.peers] } : carrier))

  function span(): string[] {
    const minutes = sent
      .flatMap(({ expected }) => expected)
      .map((one) => Math.floor(one.invitedAtUs / 60_000_000) * 60)
    return ['--from', String(Math.min(...minutes)), '--to', String(Math.max(...minutes) + 60)]
  }

  async function recompute(...args: string[]): Promise<RecomputeReport> {
    // With the patience of the product: one that gives up on a slow server is not what this is about.
    const { clickhouse, ...config } = JSON.parse(readFileSync(cluster.config, 'utf8'))
    const path = join(folder, 'recompute.json')
    writeFileSync(
      path,
      JSON.stringify({ ...config, clickhouse: { ...clickhouse, request_timeout_ms: 60_000 } }),
    )
    const { stdout } = await run(process.execPath, [
      ...[TRUNKSCOPE, 'recompute', ...span(), '--config', path, '--yes', '--json'],
      ...args,
    ])
    return JSON.parse(stdout) as RecomputeReport
  }

  /** Sums of milliseconds depend on the order in which they were added, in the last digit. */
  const about = (report: RecomputeReport) =>
    JSON.parse(JSON.stringify(report), (_, value: unknown) =>
      typeof value === 'number' && !Number.isInteger(value) ? expect.closeTo(value, 6) : value,
    ) as RecomputeReport

  async function useCarriers(next: typeof carriers): Promise<void> {
    const config = JSON.parse(readFileSync(cluster.config, 'utf8'))
    writeFileSync(cluster.config, JSON.stringify({ ...config, carriers: next }))
    for (const store of cluster.stores) await store.reload()
  }

  test('another network: report and numbers are those of an embedded recompute; and back again', async () => {
    await exactAfter(await load('recomputed'))
    const capture = join(folder, 'all.hep')
    const data = join(folder, 'embedded')
    const frames = sent.flatMap((calls) => calls.frames)
    writeFileSync(capture, Buffer.concat(frames.map(({ bytes }) => bytes)))
    await run(process.execPath, [
      ...[TRUNKSCOPE, 'replay', capture, '--config', cluster.config, '--data', data],
    ])
    await useCarriers(other)
    const embedded = await recompute('--data', data)
    const clustered = await recompute()
    expect(clustered).toEqual(about(embedded))
    expect(clustered.attempts.changed).toBeGreaterThan(0)
    expect(clustered.swapped).toBe(true)

    const front = await ClickHouseFront.start({ folder: data })
    const client = createClient({ url: front.url })
    const [rollups, attempts] = [await sumsOfRollups(client), await sumsOfAttempts(client)]
    await client.close()
    await front.stop()
    expect(differences(attempts, await sumsOfAttempts(cluster.client))).toEqual([])
    // The stores recompute the minutes that were marked.
    const wrongRollups = async () => differences(rollups, await sumsOfRollups(cluster.client))
    await expect.poll(wrongRollups, within30s).toEqual([])

    await useCarriers(carriers)
    await recompute()
    await exact()
  }, 120_000)

  test('attempts go to other minutes: the stores read again what stands, and a late BYE finds its call; exact', async () => {
    const calls = knownCalls(`${seed} moved`, 120, 2)
    const isBye = ({ bytes }: TimedFrame) => /\r\nCSeq: *\d+ BYE\r\n/.test(bytes.toString('latin1'))
    const byes = calls.frames.filter(isBye)
    expect(byes.length).toBeGreaterThan(50)
    await (
      await Load.start(
        cluster,
        calls.frames.filter((frame) => !isBye(frame)),
        1_000,
      )
    ).finish()
    sent.push(calls)
    const messages = sent.reduce((sum, { frames }) => sum + frames.length, 0)
    await cluster.settled(messages - byes.length)
    for (const store of cluster.stores) await store.kill('SIGINT')
    await moveByHalfAnHour(calls)
    for (const store of cluster.stores) await store.start()
    await sharedEvenly()
    await cluster.settled(messages - byes.length)

    const { attempts } = await recompute()
    expect(attempts.moved_to_another_minute).toBeGreaterThanOrEqual(calls.expected.length)
    expect(attempts.left_to_the_store).toBe(0)
    await (await Load.start(cluster, byes, 1_000)).finish()
    await exact()
    for (const store of cluster.stores) expect(store.output).toContain('joining the group again')
  }, 120_000)

  /** As if other rules had placed them there: further than a look at the minutes of the same flush reaches. */
  async function moveByHalfAnHour({ expected }: KnownCalls): Promise<void> {
    const callIds = expected.map(({ callId }) => `'${callId}'`).join(', ')
    for (const query of [
      `CREATE TABLE moved ENGINE = Memory AS SELECT * FROM call_attempts FINAL WHERE call_id IN (${callIds}) AND state != 'fragment'`,
      'INSERT INTO call_attempts SELECT * REPLACE (version + 1 AS version, 1 AS is_deleted) FROM moved',
      'INSERT INTO call_attempts SELECT * REPLACE (version + 1 AS version, minute + 1800 AS minute) FROM moved',
      `INSERT INTO stale_minutes (bus_partition, minute, marked_at, done)
       SELECT DISTINCT bus_partition, arrayJoin([minute, minute + 1800]), now64(6), 0 FROM moved`,
      'DROP TABLE moved',
    ])
      await cluster.client.command({ query })
  }
})

describe(`a number is forgotten beside running stores (seed ${seed})`, () => {
  test('it stands nowhere, its messages are gone, no number of calls moves, and other calls come in exactly', async () => {
    const [{ number } = { number: '' }] = await cluster.rows<{ number: string }>(
      `SELECT called_number AS number FROM call_attempts FINAL WHERE state = 'closed' AND is_deleted = 0
       AND match(called_number, '^[+]1[0-9]{10}$') ORDER BY cityHash64(called_number) LIMIT 1`,
    )
    const before = await sumsOfAttempts(cluster.client)
    const messagesBefore = await messages()
    const forgotten = await forget(number, '--yes')
    expect(forgotten).toMatchObject({ deleted: true, places: [], old_parts: 0 })
    expect(forgotten.attempts_blanked).toBeGreaterThan(0)
    expect(messagesBefore - (await messages())).toBe(forgotten.messages_deleted)
    expect(await forget(number)).toMatchObject({ calls: 0, places: [] })
    expect(differences(before, await sumsOfAttempts(cluster.client))).toEqual([])

    // The stores still flush what comes in, and rollups stay the sums of the attempts.
    await (await load('after')).finish()
    await cluster.settled(messagesBefore - forgotten.messages_deleted + sent.at(-1)!.frames.length)
    const ofRollups = async () =>
      differences(await sumsOfAttempts(cluster.client), await sumsOfRollups(cluster.client))
    await expect.poll(ofRollups, within30s).toEqual([])
    expect(await forget(number)).toMatchObject({ calls: 0, places: [] })
  }, 120_000)

  async function messages(): Promise<number> {
    const [row] = await cluster.rows<{ n: string }>('SELECT count() AS n FROM sip_messages FINAL')
    return Number(row?.n)
  }

  async function forget(number: string, ...args: string[]): Promise<ForgetDocument> {
    const { stdout } = await run(process.execPath, [
      ...[TRUNKSCOPE, 'forget', '--number', number, '--config', cluster.config, '--json', ...args],
    ])
    return JSON.parse(stdout) as ForgetDocument
  }
})
