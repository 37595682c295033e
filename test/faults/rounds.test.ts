/**
 * Fifty rounds of kill -9 on a random process of the cluster, broker and ClickHouse among them, under load; what was sent in
 * the round is sent again after each. At the end the cluster holds exactly the calls of the generator, the numbers are those
 * of an embedded replay of the same frames, and a recompute from the raw messages moves nothing.
 *
 * TEST_ROUNDS and TEST_SEED repeat a run.
 */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createClient } from '@clickhouse/client'
import { afterEach, describe, expect } from 'vitest'
import { DEMO_CONFIG } from '../../bin/demo/network.js'
import { SeededRandom } from '../../bin/demo/seeded-random.js'
import type { RecomputeReport } from '../../bin/run/recompute-report.js'
import { ClickHouseFront } from '../support/clickhouse-front.js'
import { Cluster } from '../support/cluster.js'
import { TRUNKSCOPE } from '../support/collector-process.js'
import { kafkaUnmet } from '../support/kafka-broker.js'
import { type KnownCalls, knownCalls, Load, wrongOf } from '../support/known-calls.js'
import { differences, sumsOfAttempts, sumsOfRollups } from '../support/kpi-sums.js'
import { needsAll } from '../support/outside-programs.js'

const test = needsAll(await kafkaUnmet())
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const rounds = Number(process.env.TEST_ROUNDS ?? 50)
const FRAMES_PER_SECOND = 400
const run = promisify(execFile)

let cluster: Cluster | undefined
let embedded: ClickHouseFront | undefined
afterEach(async () => {
  await embedded?.stop()
  await cluster?.discard()
})

describe(`kill -9 (seed ${seed})`, () => {
  test(`${rounds} rounds on a random process under load, frames sent again after each: exact`, async () => {
    const startedMs = performance.now()
    const { sites, carriers, customers } = DEMO_CONFIG
    const running = await Cluster.start({ network: { sites, carriers, customers } })
    cluster = running
    const calls = knownCalls(seed, 15 * rounds, 4)
    const killed = await killRounds(running, calls)
    const healedMs = performance.now()
    await expect.poll(() => wrongOf(running, [calls]), { timeout: 300_000, interval: 1_000 }).toEqual([])
    await expectAsEmbedded(running, calls)
    await expectUnmovedByRecompute(running, calls)
    const seconds = (fromMs: number, toMs: number) => Math.round((toMs - fromMs) / 1_000)
    process.stdout.write(
      `kill -9: seed ${seed}, ${rounds} rounds (${[...killed].map(([name, n]) => `${name} ${n}`).join(', ')}), ` +
        `${calls.expected.length} calls, ${calls.frames.length} frames, rounds ${seconds(startedMs, healedMs)} s, ` +
        `until exact and compared ${seconds(healedMs, performance.now())} s\n`,
    )
  })
})

async function killRounds(running: Cluster, { frames }: KnownCalls): Promise<Map<string, number>> {
  const random = new SeededRandom(seed)
  const { capture, stores, api, broker, front } = running
  const role = (process: typeof capture) => ({ kill: () => process.kill(), start: () => process.start() })
  const victims = [
    { name: 'capture', ...role(capture) },
    ...stores.map((store) => ({ name: 'store', ...role(store) })),
    { name: 'api', ...role(api) },
    { name: 'broker', kill: () => broker.kill(), start: () => broker.restart() },
    { name: 'ClickHouse', kill: () => front.kill(), start: () => front.restart() },
  ]
  const killed = new Map<string, number>()
  const size = Math.ceil(frames.length / rounds)
  for (let round = 0; round < rounds; round++) {
    const part = frames.slice(round * size, (round + 1) * size)
    const victim = victims[Math.floor(random.fraction() * victims.length)]!
    killed.set(victim.name, (killed.get(victim.name) ?? 0) + 1)
    const load = await Load.start(running, part, FRAMES_PER_SECOND)
    // The moment of the kill is the point of the test.
    await pause((random.fraction() * 1_000 * part.length) / FRAMES_PER_SECOND)
    await victim.kill()
    if (victim.name === 'capture') await load.abandoned()
    else await load.finish()
    await victim.start()
    await (await Load.start(running, part, Number.POSITIVE_INFINITY)).finish()
  }
  return killed
}

/** The same frames through `trunkscope replay`: one process, no broker, no faults. */
async function expectAsEmbedded(running: Cluster, { frames }: KnownCalls): Promise<void> {
  const capture = join(running.folder, 'all.hep')
  writeFileSync(capture, Buffer.concat(frames.map(({ bytes }) => bytes)))
  const data = join(running.folder, 'embedded')
  await run(process.execPath, [TRUNKSCOPE, 'replay', capture, '--config', running.config, '--data', data])
  embedded = await ClickHouseFront.start({ folder: data })
  const client = createClient({ url: embedded.url })
  try {
    const [rollups, attempts] = [await sumsOfRollups(client), await sumsOfAttempts(client)]
    expect(rollups.size).toBeGreaterThan(0)
    expect(differences(rollups, await sumsOfRollups(running.client))).toEqual([])
    expect(differences(attempts, await sumsOfAttempts(running.client))).toEqual([])
  } finally {
    await client.close()
  }
}

async function expectUnmovedByRecompute(running: Cluster, { expected }: KnownCalls): Promise<void> {
  const minutes = expected.map((one) => Math.floor(one.invitedAtUs / 60_000_000) * 60)
  const span = ['--from', String(Math.min(...minutes)), '--to', String(Math.max(...minutes) + 60)]
  const args = [TRUNKSCOPE, 'recompute', ...span, '--config', running.config, '--dry-run', '--json']
  const { stdout } = await run(process.execPath, args)
  const report = JSON.parse(stdout) as RecomputeReport
  expect(report.carriers).toEqual([])
  expect(report.attempts).toMatchObject({ changed: 0, added: 0, removed: 0, kept_raw_expired: 0 })
  expect(report.attempts.unchanged).toBeGreaterThanOrEqual(expected.length)
}
