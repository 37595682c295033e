/**
 * Three Kafka nodes, every partition on all of them, acknowledged by two at least: one is killed while calls flow, and when it
 * is back another, and then the third. With the waits of the product.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { DEMO_CONFIG } from '../../bin/demo/network.js'
import { Cluster } from '../support/cluster.js'
import { kafkaUnmet } from '../support/kafka-broker.js'
import { acceptedFrames, type KnownCalls, knownCalls, Load, wrongOf } from '../support/known-calls.js'
import { needsAll } from '../support/outside-programs.js'

const unmet = await kafkaUnmet()
const test = needsAll(unmet)
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const NODES = 3
const FRAMES_PER_SECOND = 400
/** How long a node is away: calls go on without it, and it has to catch up. */
const AWAY_MS = 20_000

let cluster: Cluster
const sent: KnownCalls[] = []

beforeAll(async () => {
  if (unmet.length > 0) return
  const { sites, carriers, customers } = DEMO_CONFIG
  cluster = await Cluster.start({
    network: { sites, carriers, customers },
    brokers: NODES,
    kafka: { replication_factor: NODES },
  })
})
afterAll(async () => {
  await cluster?.discard()
})

/** Replicas in sync, of the partition that has fewest. */
async function inSync(): Promise<number> {
  const kafka = new Kafka({
    brokers: cluster.brokers.map((broker) => broker.bootstrap),
    logLevel: logLevel.NOTHING,
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata({ topics: ['trunkscope.hep', '__consumer_offsets'] })
    return Math.min(...topics.flatMap(({ partitions }) => partitions.map(({ isr }) => new Set(isr).size)))
  } catch {
    return 0
  } finally {
    await admin.disconnect().catch(() => {}) // It may not have connected.
  }
}

const within2min = { timeout: 120_000, interval: 500 }

describe(`three nodes of Kafka (seed ${seed})`, () => {
  test('one is killed and comes back, then the next, then the third: calls go on meanwhile; exact', async () => {
    const calls = knownCalls(seed, 2_400, 4)
    sent.push(calls)
    await expect.poll(inSync, within2min).toBe(NODES)
    const flowing = await Load.start(cluster, calls.frames, FRAMES_PER_SECOND)
    const published = () => cluster.capture.metric('trunkscope_publish_frames_total')
    const outages: string[] = []
    for (const [at, broker] of cluster.brokers.entries()) {
      await broker.kill()
      const [publishedBefore, acceptedBefore] = [await published(), await acceptedFrames(cluster)]
      const killedMs = performance.now()
      // Two of three are enough: what comes is acknowledged while the node is away.
      await expect.poll(published, within2min).toBeGreaterThan(publishedBefore + 2 * FRAMES_PER_SECOND)
      const againMs = performance.now() - killedMs
      await pause(Math.max(0, AWAY_MS - againMs))
      expect(await acceptedFrames(cluster)).toBeGreaterThan(acceptedBefore + FRAMES_PER_SECOND)
      await broker.restart()
      await expect.poll(inSync, within2min).toBe(NODES)
      outages.push(`node ${at + 1} after ${(againMs / 1_000).toFixed(1)} s`)
    }
    await flowing.finish()
    const finishedMs = performance.now()
    await expect.poll(() => wrongOf(cluster, sent), { timeout: 300_000, interval: 1_000 }).toEqual([])
    expect(await cluster.capture.metric('trunkscope_dropped_total')).toBe(0)
    process.stdout.write(
      `three brokers, each killed for ${AWAY_MS / 1_000} s: ${calls.frames.length} frames, two seconds' worth published again: ` +
        `${outages.join(', ')}; all exact ${Math.round((performance.now() - finishedMs) / 1_000)} s after the last frame (seed ${seed})\n`,
    )
  })
})
