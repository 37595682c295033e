/**
 * The fault matrix on the cluster (docs/faults.md): real broker, the engine behind HTTP, capture, two stores and the api as
 * processes, one cluster for all rows. Each row brings calls of its own whose outcome is known and sends them while the
 * fault is there; afterwards everything sent so far must be stored exactly: no message lost or twice, no attempt twice,
 * every attempt as its caller knows it, rollups and answers likewise. What takes minutes is in test/faults.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, vi } from 'vitest'
import { DEMO_CONFIG } from '../../bin/demo/network.js'
import { Cluster, type RoleProcess, SHORT_TIMINGS } from '../support/cluster.js'
import { kafkaUnmet } from '../support/kafka-broker.js'
import { acceptedFrames, type KnownCalls, knownCalls, Load, wrongOf } from '../support/known-calls.js'
import { needsAll } from '../support/outside-programs.js'

const unmet = await kafkaUnmet()
const test = needsAll(unmet)
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const FRAMES_PER_SECOND = 200
const BASE_PARTITIONS = 4
let cluster: Cluster
const sent: KnownCalls[] = []

beforeAll(async () => {
  if (unmet.length > 0) return
  const { sites, carriers, customers } = DEMO_CONFIG
  cluster = await Cluster.start({
    network: { sites, carriers, customers },
    basePartitions: BASE_PARTITIONS,
    clickhouse: { request_timeout_ms: 4_000 },
    timings: SHORT_TIMINGS,
  })
  await vi.waitFor(async () => expect(await shares()).toEqual([2, 2]), within30s)
}, 120_000)
afterAll(async () => {
  await cluster?.discard()
})
afterEach(async () => {
  // A row that failed leaves its fault behind: the next one has its own.
  if (cluster === undefined) return
  for (const role of cluster.roles) role.resume()
  cluster.broker.resume()
  await cluster.front.faults.clear()
})

/** A load of calls that nobody sent before. */
function load(row: string, spanS = 100): Promise<Load> {
  const calls = knownCalls(`${seed} ${row}`, spanS, 2)
  sent.push(calls)
  return Load.start(cluster, calls.frames, FRAMES_PER_SECOND)
}

async function exactAfter(flowing: Load): Promise<void> {
  await flowing.finish()
  await expect.poll(() => wrongOf(cluster, sent), { timeout: 90_000, interval: 300 }).toEqual([])
  expect(await cluster.capture.metric('trunkscope_dropped_total')).toBe(0)
}

const within5s = { timeout: 5_000, interval: 100 }
const within30s = { timeout: 30_000, interval: 100 }
const expectProblem = (role: RoleProcess) => expect.poll(() => role.problem(), within5s).not.toBe('')
const expectReady = (role: RoleProcess) => expect.poll(() => role.problem(), within30s).toBe('')
const basesOf = (store: RoleProcess) => store.metric('trunkscope_store_base_partitions')
const shares = () => Promise.all(cluster.stores.map(basesOf))

describe(`ClickHouse (seed ${seed})`, () => {
  const LASTING = [
    { name: 'refuses with TOO_MANY_PARTS', begin: () => cluster.front.faults.refuse('TOO_MANY_PARTS') },
    { name: 'hangs', begin: () => cluster.front.faults.hang(1_000_000) },
    { name: 'is down', begin: () => cluster.front.faults.down(), end: () => cluster.front.faults.up() },
    { name: 'is killed', begin: () => cluster.front.kill(), end: () => cluster.front.restart() },
  ]
  for (const { name, begin, end } of LASTING) {
    test(`${name}: the stores say so within 5 s, and recover by themselves; exact`, async () => {
      const flowing = await load(name)
      await begin()
      for (const store of cluster.stores) await expectProblem(store)
      await (end ?? cluster.front.faults.clear)()
      for (const store of cluster.stores) await expectReady(store)
      await exactAfter(flowing)
      await expectReady(cluster.api)
    }, 120_000)
  }

  test('is slow, and cuts answers before and after the write: exact', async () => {
    const { faults, struck } = cluster.front
    const before = await struck.call(cluster.front)
    const flowing = await load('slow and cut')
    await faults.slow(200)
    await faults.cutAfterWrite(6)
    await faults.cutBefore(6)
    const times = async (fault: string) =>
      ((await struck.call(cluster.front))[fault] ?? 0) - (before[fault] ?? 0)
    await expect.poll(() => times('cutsAfter'), within30s).toBe(6)
    await expect.poll(() => times('cutsBefore'), within30s).toBe(6)
    await faults.clear()
    await exactAfter(flowing)
  }, 120_000)
})

describe(`stores (seed ${seed})`, () => {
  test('a third one comes and goes, and at last is killed: exact', async () => {
    const flowing = await load('third store', 150)
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const third = cluster.anotherStore()
      await third.start()
      await expect.poll(() => basesOf(third), within30s).toBeGreaterThan(0)
      await third.kill(signal)
    }
    await exactAfter(flowing)
    await expect.poll(shares, within30s).toEqual([2, 2])
  }, 120_000)

  test('one that hangs until the group throws it out, and goes on: its late writes change nothing; it joins again', async () => {
    const flowing = await load('zombie', 150)
    const [zombie, other] = cluster.stores as [RoleProcess, RoleProcess]
    await expect.poll(() => zombie.metric('trunkscope_store_messages_total'), within30s).toBeGreaterThan(0)
    zombie.pause()
    await expect.poll(() => basesOf(other), within30s).toBe(BASE_PARTITIONS)
    zombie.resume()
    await expect.poll(shares, within30s).toEqual([2, 2])
    await expectReady(zombie)
    await exactAfter(flowing)
  }, 120_000)
})

describe(`the broker (seed ${seed})`, () => {
  test('is killed and comes back: capture says so within 5 s and goes on accepting, then drains; exact', async () => {
    const flowing = await load('broker killed')
    await cluster.broker.kill()
    const before = await acceptedFrames(cluster)
    for (const role of [cluster.capture, ...cluster.stores]) await expectProblem(role)
    await expect.poll(() => acceptedFrames(cluster), within5s).toBeGreaterThan(before + FRAMES_PER_SECOND)
    await cluster.broker.restart()
    for (const role of [cluster.capture, ...cluster.stores]) await expectReady(role)
    await exactAfter(flowing)
  }, 120_000)

  test('hangs for 12 s, longer than a request may take and a session lasts: as when killed; exact', async () => {
    const flowing = await load('broker hangs', 150)
    cluster.broker.pause()
    const before = await acceptedFrames(cluster)
    await expectProblem(cluster.capture)
    // The length of the fault is the point of the test.
    await pause(12_000 - 5_000)
    await expect.poll(() => acceptedFrames(cluster), within5s).toBeGreaterThan(before + 5 * FRAMES_PER_SECOND)
    cluster.broker.resume()
    await expectReady(cluster.capture)
    await exactAfter(flowing)
  }, 120_000)

  test('loses its data: capture says that acknowledged records are gone and sends again what the spool holds; exact', async () => {
    const flowing = await load('broker wiped')
    // What the broker had acknowledged is in no table yet: the spool alone still has it.
    await cluster.front.faults.down()
    const published = () => cluster.capture.metric('trunkscope_publish_frames_total')
    const before = await published()
    await expect.poll(published, within5s).toBeGreaterThan(before + FRAMES_PER_SECOND)
    await cluster.broker.wipe()
    await cluster.front.faults.up()
    await cluster.broker.restart()
    await exactAfter(flowing)
    expect(cluster.capture.output).toMatch(/Kafka lost .*what the spool still holds is sent again/is)
  }, 120_000)

  test('loses its data while capture is dead, too: the next capture knows what was acknowledged, and sends it again; exact', async () => {
    await cluster.front.faults.down()
    const flowing = await load('broker and capture', 60)
    await flowing.finish()
    await expect.poll(() => cluster.capture.metric('trunkscope_spool_lag_bytes'), within30s).toBe(0)
    await cluster.capture.kill()
    await cluster.broker.wipe()
    await cluster.front.faults.up()
    await cluster.broker.restart()
    await cluster.capture.start()
    await expect.poll(() => wrongOf(cluster, sent), { timeout: 90_000, interval: 300 }).toEqual([])
    // The stores may hold all of it in memory: then it is exact before capture has looked at the broker.
    await expect
      .poll(() => cluster.capture.output, within30s)
      .toMatch(/Kafka lost .*what the spool still holds is sent again/is)
  }, 120_000)
})

describe(`the topic (seed ${seed})`, () => {
  const client = () =>
    new Kafka({ brokers: [cluster.broker.bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 5 } })

  test('holds records that are none: counted, sampled, and the partitions go on', async () => {
    const flowing = await load('poison', 50)
    const damaged = async () =>
      Number(
        (
          await cluster.rows<{ n: string }>(
            "SELECT count() AS n FROM rejected_frames WHERE reason = 'record_damaged'",
          )
        )[0]?.n,
      )
    const counted = async () =>
      (await Promise.all(cluster.stores.map((store) => store.metric('trunkscope_dropped_total')))).reduce(
        (sum, n) => sum + n,
      )
    const countedBefore = await counted()
    const producer = client().producer()
    await producer.connect()
    const values = [Buffer.from('no record'), Buffer.alloc(0), null, Buffer.from('f5544b5201deadbeef', 'hex')]
    const messages = Array.from({ length: BASE_PARTITIONS }, (_, partition) =>
      values.map((value) => ({ partition, value })),
    ).flat()
    await producer.send({ topic: 'trunkscope.hep', messages })
    await producer.disconnect()
    await expect.poll(async () => (await counted()) - countedBefore, within30s).toBe(messages.length)
    await expect.poll(damaged, within5s).toBeGreaterThan(0)
    await exactAfter(flowing)
  }, 120_000)

  test('grows from 4 to 8 partitions while calls are up: no fact is lost; exact', async () => {
    const flowing = await load('growth', 200)
    const admin = client().admin()
    await admin.connect()
    const topic = 'trunkscope.hep'
    await admin.createPartitions({ topicPartitions: [{ topic, count: 2 * BASE_PARTITIONS }] })
    const added = async () =>
      (await admin.fetchTopicOffsets(topic)).filter(
        ({ partition, high }) => partition >= BASE_PARTITIONS && Number(high) > 0,
      ).length
    await expect.poll(added, within30s).toBe(BASE_PARTITIONS)
    await admin.disconnect()
    await exactAfter(flowing)
  }, 120_000)
})
