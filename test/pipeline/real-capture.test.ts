import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KpiAnswer } from '../../api/kpi/answer.js'
import { SeededRandom } from '../../bin/demo/seeded-random.js'
import { sendUdp } from '../../bin/demo/send.js'
import { CollectorProcess, TRUNKSCOPE } from '../support/collector-process.js'
import {
  CAPTURE,
  CAPTURE_CONFIG,
  captureFrames,
  expectTruth,
  kpiPath,
  movedTo,
  truth,
} from '../support/real-capture.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-capture-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const FRAMES = captureFrames()
/** A minute ago, so that no answer depends on what the minute of the test is. */
const recent = () => movedTo(FRAMES, Math.floor(Date.now() / 1_000) - 90)

const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)

async function overTcp(port: number, slices: Iterable<Buffer>): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.setNoDelay(true)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => {})
  for (const slice of slices) {
    if (socket.destroyed) return
    await new Promise<void>((resolve) => socket.write(slice, () => resolve()))
  }
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
    socket.end()
    socket.resume()
  })
}

function* slicesOf(bytes: Buffer, random: SeededRandom): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + Math.floor(random.fraction() * random.fraction() * 6_000)
    yield bytes.subarray(at, at + size)
    at += size
  }
}

function shuffled(frames: readonly Buffer[], random: SeededRandom): Buffer[] {
  const mixed = [...frames]
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = Math.floor(random.fraction() * (at + 1))
    ;[mixed[at], mixed[other]] = [mixed[other]!, mixed[at]!]
  }
  return mixed
}

/** Feeds a fresh collector, stops it, and asks the next one for the truth. */
async function liveTruth(
  feed: (collector: CollectorProcess, frames: readonly Buffer[]) => Promise<number>,
): Promise<void> {
  const { frames, firstS, lastS } = recent()
  const collector = await CollectorProcess.start({ dataDir: folder, config: CAPTURE_CONFIG })
  const sent = await feed(collector, frames)
  await collector.accepted(sent)
  await collector.settled()
  expectTruth(await collector.json<KpiAnswer>(kpiPath(firstS, lastS)))
  expectTruth(await collector.json<KpiAnswer>(kpiPath(firstS, lastS, '&exact=true')))
  expect(await collector.metric('trunkscope_capture_kernel_drops_total')).toBe(0)
  expect(await collector.stop()).toBe(0)
}

describe(`the real capture (seed ${seed})`, () => {
  test('replay › prints exactly its truth, and again after a second replay into the same folder', () => {
    for (const _ of [1, 2]) {
      const text = execFileSync(process.execPath, [
        TRUNKSCOPE,
        'replay',
        CAPTURE,
        '--config',
        CAPTURE_CONFIG,
        '--data',
        folder,
        '--json',
      ])
      expectTruth(JSON.parse(text.toString()) as KpiAnswer)
    }
  }, 60_000)

  test('over UDP gives its truth', async () => {
    await liveTruth(async (collector, frames) => {
      const timed = frames.map((bytes) => ({ atUs: 0, bytes }))
      return (await sendUdp(timed, { transport: 'udp', host: '127.0.0.1', port: collector.hepUdpPort }))
        .frames
    })
  }, 60_000)

  test('over TCP in random slices gives its truth', async () => {
    await liveTruth(async (collector, frames) => {
      await overTcp(collector.hepTcpPort, slicesOf(Buffer.concat(frames), new SeededRandom(seed)))
      return frames.length
    })
  }, 60_000)

  test('shuffled, and each frame three times, gives its truth', async () => {
    await liveTruth(async (collector, frames) => {
      const random = new SeededRandom(seed)
      const thrice = shuffled([...frames, ...frames, ...frames], random)
      await overTcp(collector.hepTcpPort, slicesOf(Buffer.concat(thrice), random))
      return thrice.length
    })
  }, 60_000)

  test('killed at random moments, restarted, and all frames sent again, gives its truth', async () => {
    const random = new SeededRandom(seed)
    const { frames, firstS, lastS } = recent()
    for (let round = 0; round < 8; round++) {
      const victim = await CollectorProcess.start({ dataDir: folder, config: CAPTURE_CONFIG })
      const sending = overTcp(
        victim.hepTcpPort,
        slicesOf(Buffer.concat(shuffled(frames, random)), random),
      ).catch(() => {})
      // The moment of the kill is the point of the test: anywhere in capture, fold, flush or recomputation.
      await new Promise((resolve) => setTimeout(resolve, random.fraction() * 1_500))
      await victim.kill()
      await sending
    }
    const collector = await CollectorProcess.start({ dataDir: folder, config: CAPTURE_CONFIG })
    await overTcp(collector.hepTcpPort, slicesOf(Buffer.concat(frames), random))
    await collector.accepted(frames.length)
    await collector.settled()
    expectTruth(await collector.json<KpiAnswer>(kpiPath(firstS, lastS)))
    expectTruth(await collector.json<KpiAnswer>(kpiPath(firstS, lastS, '&exact=true')))
    expect(await collector.stop()).toBe(0)
    // And nobody recomputes it away: a fresh look at the same folder says the same.
    const again = await CollectorProcess.start({ dataDir: folder, config: CAPTURE_CONFIG })
    expectTruth(await again.json<KpiAnswer>(kpiPath(firstS, lastS)))
    await again.stop()
  }, 180_000)

  test('answered behind 183 with SDP, and 487 messages against 487 attempts, are as the truth says', async () => {
    const { frames, firstS, lastS } = recent()
    const collector = await CollectorProcess.start({ dataDir: folder, config: CAPTURE_CONFIG })
    await overTcp(collector.hepTcpPort, [Buffer.concat(frames)])
    await collector.accepted(frames.length)
    await collector.settled()
    const span = `from=${firstS - 60}&to=${lastS + 60}&limit=500`
    const found = await collector.json<{ attempts: Record<string, unknown>[] }>(
      `/v1/attempts?carrier=bravo&${span}`,
    )
    const behind183 = found.attempts.filter(
      (attempt) =>
        attempt.disposition === 'ANSWERED' &&
        attempt.media_delay_ms !== null &&
        attempt.ring_delay_ms === null,
    )
    expect(found.attempts).toHaveLength(truth().bravo.attempts)
    expect(behind183).toHaveLength(truth().bravo.answered_behind_183_sdp!)
    // 80 messages with status 487 for 16 cancelled calls on 2 legs.
    const said487 = frames.filter((frame) => frame.includes('SIP/2.0 487 ')).length
    expect(said487).toBe(80)
    expect(JSON.parse(readFileSync(CAPTURE_CONFIG, 'utf8')).notes[0]).toContain('80 messages')

    // Files that are gone below the engine: the answer says that the log says why, and it does.
    const stored = join(folder, 'clickhouse')
    for (const name of readdirSync(stored, { recursive: true, encoding: 'utf8' }))
      if (name.endsWith('.bin')) rmSync(join(stored, name), { force: true })
    const answer = await fetch(`${collector.http}/v1/attempts?carrier=bravo&${span}`)
    expect(answer.status).toBeGreaterThanOrEqual(500)
    await expect
      .poll(() => collector.output())
      .toMatch(
        /^\{"level":50,.*"route":"\/v1\/attempts",.*"err":\{"type":"\w*Error".*"msg":"a request failed"\}$/m,
      )
    await collector.kill()
  }, 60_000)
})
