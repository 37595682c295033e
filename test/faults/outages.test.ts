/**
 * Outages that last, with the waits of the product: a broker that is away or hangs for a minute, a group that never rests, a
 * store that hangs until the group throws it out. One cluster for all; after each everything sent so far is exact.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { DEMO_CONFIG } from '../../bin/demo/network.js'
import { Cluster, type RoleProcess } from '../support/cluster.js'
import { kafkaUnmet } from '../support/kafka-broker.js'
import { acceptedFrames, type KnownCalls, knownCalls, Load, wrongOf } from '../support/known-calls.js'
import { needsAll } from '../support/outside-programs.js'

const unmet = await kafkaUnmet()
const test = needsAll(unmet)
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const OUTAGE_MS = 60_000
const LONG_OUTAGE_MS = 600_000
const RSS_BYTES_MAX = 512 * 1_048_576
const BASE_PARTITIONS = 4

let cluster: Cluster
const sent: KnownCalls[] = []

beforeAll(async () => {
  if (unmet.length > 0) return
  const { sites, carriers, customers } = DEMO_CONFIG
  cluster = await Cluster.start({ network: { sites, carriers, customers }, basePartitions: BASE_PARTITIONS })
})
afterAll(async () => {
  await cluster?.discard()
})

const within5s = { timeout: 5_000, interval: 100 }
const within2min = { timeout: 120_000, interval: 250 }
const basesOf = (store: RoleProcess) => store.metric('trunkscope_store_base_partitions')
const shares = () => Promise.all(cluster.stores.map(basesOf))

async function load(row: string, spanS: number, framesPerSecond: number, callsPerSecond = 4): Promise<Load> {
  const calls = knownCalls(`${seed} ${row}`, spanS, callsPerSecond)
  sent.push(calls)
  return Load.start(cluster, calls.frames, framesPerSecond)
}

async function exactAfter(flowing: Load): Promise<void> {
  await flowing.finish()
  await expect.poll(() => wrongOf(cluster, sent), { timeout: 300_000, interval: 1_000 }).toEqual([])
  expect(await cluster.capture.metric('trunkscope_dropped_total')).toBe(0)
}

/** What a fault cost, for docs/faults.md. */
const say = (sentence: string) => process.stdout.write(`${sentence} (seed ${seed})\n`)

describe(`the broker for a minute (seed ${seed})`, () => {
  const FAULTS = [
    { name: 'killed', begin: () => cluster.broker.kill(), end: () => cluster.broker.restart() },
    { name: 'hung', begin: () => cluster.broker.pause(), end: () => cluster.broker.resume() },
  ]
  for (const { name, begin, end } of FAULTS) {
    test(`${name}: capture says so within 5 s, takes every frame, stays small, and drains; exact`, async () => {
      const framesPerSecond = 1_000
      const flowing = await load(`broker ${name}`, 2_400, framesPerSecond)
      const before = await acceptedFrames(cluster)
      await begin()
      await expect.poll(() => cluster.capture.problem(), within5s).not.toBe('')
      await pause(OUTAGE_MS)
      const taken = (await acceptedFrames(cluster)) - before
      expect(taken).toBeGreaterThan((0.9 * framesPerSecond * OUTAGE_MS) / 1_000)
      const rssBytes = cluster.capture.rssBytes
      expect(rssBytes).toBeLessThan(RSS_BYTES_MAX)
      await end()
      const upMs = performance.now()
      await expect.poll(() => cluster.capture.problem(), within2min).toBe('')
      await exactAfter(flowing)
      say(
        `broker ${name} 60 s: ${taken} frames taken meanwhile, capture ${Math.round(rssBytes / 1_048_576)} MiB RSS, ` +
          `all exact ${Math.round((performance.now() - upMs) / 1_000)} s after it was back`,
      )
    })
  }
})

describe(`the broker for long (seed ${seed})`, () => {
  test(`killed for ${LONG_OUTAGE_MS / 60_000} minutes: capture takes every frame and stays small; exact`, async () => {
    const framesPerSecond = 500
    // A longer span would leave long calls without their end.
    const flowing = await load('broker away for long', 3_000, framesPerSecond, 12.5)
    const before = await acceptedFrames(cluster)
    await cluster.broker.kill()
    let rssBytesMax = 0
    const endMs = performance.now() + LONG_OUTAGE_MS
    while (performance.now() < endMs) {
      await pause(5_000)
      rssBytesMax = Math.max(rssBytesMax, cluster.capture.rssBytes)
      expect(rssBytesMax).toBeLessThan(RSS_BYTES_MAX)
    }
    const taken = (await acceptedFrames(cluster)) - before
    expect(taken).toBeGreaterThan((0.9 * framesPerSecond * LONG_OUTAGE_MS) / 1_000)
    await cluster.broker.restart()
    const upMs = performance.now()
    await exactAfter(flowing)
    say(
      `broker killed ${LONG_OUTAGE_MS / 60_000} minutes: ${taken} frames taken meanwhile, capture at most ` +
        `${Math.round(rssBytesMax / 1_048_576)} MiB RSS, all exact ${Math.round((performance.now() - upMs) / 1_000)} s after it was back`,
    )
  })
})

describe(`stores (seed ${seed})`, () => {
  test('a third one joins and leaves every 5 s for a minute: exact', async () => {
    const flowing = await load('rebalancing', 1_200, 300)
    const endMs = performance.now() + 60_000
    let rounds = 0
    for (; performance.now() < endMs; rounds++) {
      const third = cluster.anotherStore()
      await third.start()
      await pause(5_000)
      await third.kill(rounds % 2 === 0 ? 'SIGINT' : 'SIGKILL')
    }
    await exactAfter(flowing)
    await expect.poll(shares, within2min).toEqual([2, 2])
    say(`rebalancing: a third store came and went ${rounds} times in 60 s`)
  })

  test('one hangs until the group throws it out, and goes on: its late writes change nothing; it joins again', async () => {
    const flowing = await load('zombie', 1_200, 300)
    const [zombie, other] = cluster.stores as [RoleProcess, RoleProcess]
    for (let round = 0; round < 3; round++) {
      await expect.poll(shares, within2min).toEqual([2, 2])
      zombie.pause()
      await expect.poll(() => basesOf(other), within2min).toBe(BASE_PARTITIONS)
      zombie.resume()
    }
    await expect.poll(shares, within2min).toEqual([2, 2])
    await exactAfter(flowing)
    say('zombie: 3 rounds')
  })
})
