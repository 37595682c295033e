/**
 * The disk under the spool is full while the broker is away: frames are refused and counted, none that was accepted is lost,
 * and when there is space capture takes frames again by itself.
 */
import { afterEach, expect } from 'vitest'
import { DEMO_CONFIG } from '../../bin/demo/network.js'
import { sendTcp } from '../../bin/demo/send.js'
import type { TimedFrame } from '../../bin/demo/traffic.js'
import { Cluster } from '../support/cluster.js'
import { kafkaUnmet } from '../support/kafka-broker.js'
import { acceptedFrames, knownCalls, wrongOf } from '../support/known-calls.js'
import { missingPrograms, needsAll } from '../support/outside-programs.js'

const root = process.getuid?.() === 0 ? [] : ['root']
const test = needsAll([...(await kafkaUnmet()), ...root, ...missingPrograms('unshare')])
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const within20s = { timeout: 20_000, interval: 50 }
const DISK_BYTES = 8 * 1_048_576
/** Frames that take far less than the disk has. */
const PART = 4_000

let cluster: Cluster | undefined
afterEach(async () => {
  await cluster?.discard()
})

test(`a full disk under the spool (seed ${seed}): sent = stored + refused; goes on when there is space`, async () => {
  const { sites, carriers, customers } = DEMO_CONFIG
  const running = await Cluster.start({
    network: { sites, carriers, customers },
    stores: 1,
    captureDiskBytes: DISK_BYTES,
  })
  cluster = running
  const { capture, broker } = running
  const refused = () => capture.metric('trunkscope_dropped_total{stage="capture",reason="spool_full"}')
  const counted = async () => (await acceptedFrames(running)) + (await refused())
  const send = (frames: readonly TimedFrame[]) =>
    sendTcp(frames, { transport: 'tcp', host: '127.0.0.1', port: running.hepTcpPort })
  const storedFrames = async () =>
    Number((await running.rows<{ n: string }>('SELECT count() AS n FROM sip_messages FINAL'))[0]?.n)

  const calls = knownCalls(seed, 900, 4)
  const frames = calls.frames.length
  await broker.kill()
  const half = Math.floor(frames / 2)
  await send(calls.frames.slice(0, half)) // More than the disk holds; the rest waits in memory.
  await expect.poll(() => capture.problem(), within20s).toMatch(/spool/)
  await send(calls.frames.slice(half))
  await expect.poll(refused, { timeout: 60_000, interval: 100 }).toBeGreaterThanOrEqual(frames - half)

  // What is neither accepted nor refused yet waits in memory for space.
  await broker.restart()
  await expect.poll(counted, within20s).toBe(frames)
  await expect.poll(() => capture.problem(), within20s).toBe('')
  const refusals = await refused()
  expect(await capture.metric('trunkscope_dropped_total')).toBe(refusals)
  await expect.poll(storedFrames, within20s).toBe(frames - refusals)

  // Which it was that was refused nobody knows: all of it again, as fast as the disk gets empty.
  for (let at = 0, sent = frames; at < frames; ) {
    const part = calls.frames.slice(at, at + PART)
    const before = await refused()
    await send(part)
    sent += part.length
    await expect.poll(counted, within20s).toBe(sent)
    await expect.poll(() => capture.metric('trunkscope_spool_lag_bytes'), within20s).toBe(0)
    if ((await refused()) === before) at += PART
  }
  await expect.poll(() => wrongOf(running, [calls]), { timeout: 60_000, interval: 300 }).toEqual([])
}, 180_000)
