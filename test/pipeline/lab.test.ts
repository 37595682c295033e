import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { KpiAnswer } from '../../api/kpi/answer.js'
import { CollectorProcess } from '../support/collector-process.js'
import { type CallSet, Lab } from '../support/lab.js'
import { needs } from '../support/outside-programs.js'
import { CAPTURE_CONFIG, expectTruth, kpiPath } from '../support/real-capture.js'

const test = needs('kamailio', 'sipp', 'openssl')

let folder: string
let lab: Lab | undefined
let collector: CollectorProcess | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-lab-'))
})
afterEach(async () => {
  await lab?.stop()
  await collector?.kill()
  rmSync(folder, { recursive: true, force: true })
})

/** The calls of the recorded capture, so that its truth is theirs. */
const CALLS: readonly CallSet[] = [
  { carrier: '101', answerer: 'answer', caller: 'call', calls: 20, attestation: 'AAB' },
  { carrier: '101', answerer: 'ring', caller: 'cancel', calls: 8, attestation: 'AAB' },
  { carrier: '101', answerer: 'busy', caller: 'busy', calls: 5, attestation: 'AAB' },
  { carrier: '202', answerer: 'answer', caller: 'call', calls: 10, attestation: 'BC' },
  { carrier: '202', answerer: 'early', caller: 'call', calls: 6, attestation: 'CCB' },
  { carrier: '202', answerer: 'fault', caller: 'fault', calls: 4, attestation: 'C' },
  { carrier: '202', answerer: 'ring', caller: 'cancel', calls: 8, attestation: 'B' },
]

/** A caller that ends otherwise than its scenario says: on a machine too busy for its timers SIPp gives a call up. */
const isOfSipp = (error: unknown) => error instanceof Error && error.message.startsWith('sipp ')

describe('the lab, live', () => {
  test('real Kamailio and SIPp calls give exact numbers, and every message the agent sent is stored', async () => {
    try {
      await play(join(folder, '1'))
    } catch (error) {
      // Then other calls were made than those of the truth: once more, from the beginning. What Trunkscope says is not forgiven.
      if (!isOfSipp(error)) throw error
      await lab?.stop()
      await collector?.kill()
      await play(join(folder, '2'))
    }
  }, 120_000)

  async function play(own: string): Promise<void> {
    mkdirSync(own)
    collector = await CollectorProcess.start({ dataDir: join(own, 'data'), config: CAPTURE_CONFIG })
    lab = new Lab(own)
    const firstS = Date.now() / 1_000 - 5
    await lab.start(collector.hepUdpPort)
    await Promise.all(CALLS.map((set) => lab!.play(set)))
    // 487s go on being repeated for some seconds after the last call: stopping Kamailio ends them.
    await lab.stop()
    await collector.settled()
    const lastS = Date.now() / 1_000
    expectTruth(await collector.json<KpiAnswer>(kpiPath(firstS, lastS)))
    expectTruth(await collector.json<KpiAnswer>(kpiPath(firstS, lastS, '&exact=true')))
    expect(await collector.metric('trunkscope_capture_kernel_drops_total')).toBe(0)
    expect(await collector.metric('trunkscope_store_messages_total')).toBe(
      await collector.metric('trunkscope_capture_frames_total'),
    )
    expect(await collector.stop()).toBe(0)
    collector = undefined
  }
})
