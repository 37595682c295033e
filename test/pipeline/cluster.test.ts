/**
 * The cluster on the real capture: real broker, the engine behind HTTP, capture, two stores and the api as processes. The
 * numbers are those of the capture's truth, whatever dies on the way.
 */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect } from 'vitest'
import type { KpiAnswer } from '../../api/kpi/answer.js'
import { SeededRandom } from '../../bin/demo/seeded-random.js'
import { sendTcp } from '../../bin/demo/send.js'
import { Cluster } from '../support/cluster.js'
import { kafkaUnmet } from '../support/kafka-broker.js'
import { differences, sumsOfAttempts, sumsOfRollups } from '../support/kpi-sums.js'
import { needsAll } from '../support/outside-programs.js'
import { CAPTURE_CONFIG, captureFrames, expectTruth, kpiPath, movedTo } from '../support/real-capture.js'

const test = needsAll(await kafkaUnmet())
const FRAMES = captureFrames()
const recent = () => movedTo(FRAMES, Math.floor(Date.now() / 1_000) - 90)
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const { sites, carriers, customers } = JSON.parse(readFileSync(CAPTURE_CONFIG, 'utf8'))
const NETWORK = { sites, carriers, customers }

let cluster: Cluster | undefined
afterEach(async () => {
  await cluster?.discard()
  cluster = undefined
})

/** Frames over TCP into the capture role as it is now; an error of the connection (it was killed) is no error of the test. */
async function send(into: Cluster, frames: readonly Buffer[]): Promise<void> {
  const timed = frames.map((bytes) => ({ atUs: 0, bytes }))
  await sendTcp(timed, { transport: 'tcp', host: '127.0.0.1', port: into.hepTcpPort }).catch(() => {})
}

async function expectExact(from: Cluster, firstS: number, lastS: number): Promise<void> {
  await from.settled(FRAMES.length)
  await expect
    .poll(
      async () => {
        try {
          expectTruth(await from.json<KpiAnswer>(kpiPath(firstS, lastS)))
          return 'the truth'
        } catch (error) {
          return (error as Error).message
        }
      },
      // A store that was killed is missed by the group for a session of 30 s.
      { timeout: 90_000 },
    )
    .toBe('the truth')
  expectTruth(await from.json<KpiAnswer>(kpiPath(firstS, lastS, '&exact=true')))
  const rows = await from.rows('SELECT count() AS n, uniqExact(row_id) AS ids FROM sip_messages FINAL')
  expect(rows).toEqual([{ n: String(FRAMES.length), ids: String(FRAMES.length) }])
  const twice = await from.rows(
    'SELECT hex(attempt_id) AS id FROM call_attempts FINAL GROUP BY attempt_id HAVING count() > 1',
  )
  expect(twice).toEqual([])
  expect(differences(await sumsOfAttempts(from.client), await sumsOfRollups(from.client))).toEqual([])
}

describe(`the cluster (seed ${seed})`, () => {
  test('gives the truth of the real capture, and stops in good order', async () => {
    cluster = await Cluster.start({ network: NETWORK })
    const { frames, firstS, lastS } = recent()
    await send(cluster, frames)
    await expectExact(cluster, firstS, lastS)
    const shares = async () =>
      Promise.all(cluster!.stores.map((store) => store.metric('trunkscope_store_base_partitions')))
    await expect.poll(shares, { timeout: 20_000 }).toEqual([2, 2])
    const { api, capture, front, stores } = cluster
    const codes = await Promise.all([capture, ...stores].map((role) => role.kill('SIGINT')))
    expect(codes).toEqual([0, 0, 0])
    // What an answer keeps to itself stands in the log.
    await front.faults.down()
    expect((await fetch(`http://${api.http}${kpiPath(firstS, lastS)}`)).status).toBeGreaterThanOrEqual(500)
    await expect
      .poll(() => api.output)
      .toMatch(/^\{"level":50,.*"route":"\/v1\/kpis".*"msg":"a request failed"\}$/m)
    expect(await api.kill('SIGINT')).toBe(0)
  }, 120_000)

  test('roles killed at random under load, all frames sent again after each: the truth', async () => {
    cluster = await Cluster.start({ network: NETWORK, kafka: { base_partitions: 4 } })
    const random = new SeededRandom(seed)
    const { frames, firstS, lastS } = recent()
    for (let round = 0; round < 6; round++) {
      const { capture, stores, api } = cluster
      const victims = [capture, ...stores, api]
      const victim = victims[Math.floor(random.fraction() * victims.length)]!
      const sending = send(cluster, frames)
      // The moment of the kill is the point of the test.
      await new Promise((resolve) => setTimeout(resolve, random.fraction() * 1_500))
      await victim.kill()
      await sending
      await victim.start()
    }
    await send(cluster, frames)
    await expectExact(cluster, firstS, lastS)
  }, 240_000)
})
