/**
 * Reachability of trunks, live: the dispatcher of a real Kamailio asks SIPp carriers with OPTIONS whether they live, its siptrace
 * mirrors that as HEP, and /v1/trunks says which of them can be used. Minutes long, because a state is judged by whole minutes.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { TrunksAnswer } from '../../api/trunks/trunks.js'
import { CollectorProcess } from '../support/collector-process.js'
import { Lab } from '../support/lab.js'
import { needs } from '../support/outside-programs.js'

const test = needs('kamailio', 'sipp')

const CARRIERS = { alpha: '127.0.1.1', bravo: '127.0.2.1', charlie: '127.0.3.1' }
const CONFIG = {
  sites: [{ id: 'lab', sbc: ['127.0.0.10/32'], agents: [2001] }],
  carriers: Object.entries(CARRIERS).map(([id, host]) => ({ id, peers: [`${host}/32`] })),
}
/** Three exchanges, the time each may take, the rest of a minute, and the look of the pass. */
const JUDGED_MS = 420_000

let folder: string
let lab: Lab
let collector: CollectorProcess | undefined
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-trunks-'))
  const config = join(folder, 'trunkscope.json')
  writeFileSync(config, JSON.stringify(CONFIG))
  lab = new Lab(folder)
  collector = await CollectorProcess.start({ dataDir: join(folder, 'data'), config })
})
afterEach(async () => {
  await lab.stop()
  await collector?.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function states(): Promise<Record<string, string>> {
  const { trunks } = await collector!.json<TrunksAnswer>('/v1/trunks')
  return Object.fromEntries(trunks.map(({ carrier, state }) => [carrier, state]))
}

describe('trunks that a real Kamailio asks whether they live', () => {
  test('one that answers is up, one that says 503 is degraded, a dead one is down; and each changes its state when it does', async () => {
    const alpha = lab.answering(CARRIERS.alpha, '200 OK')
    lab.answering(CARRIERS.bravo, '503 Service Unavailable')
    await lab.startPinging(collector!.hepUdpPort, Object.values(CARRIERS))
    const expected = { alpha: 'up', bravo: 'degraded', charlie: 'down' }
    await expect.poll(states, { timeout: JUDGED_MS, interval: 1_000 }).toEqual(expected)

    const { trunks } = await collector!.json<TrunksAnswer>('/v1/trunks')
    const of = (wanted: string) => trunks.find(({ carrier }) => carrier === wanted)!
    expect(of('alpha')).toMatchObject({ site: 'lab', last_options: { status: 200 } })
    expect(of('alpha').last_hour).toMatchObject({ options_refused: 0, options_unanswered: 0 })
    expect(of('bravo').last_hour).toMatchObject({ options_answered: 0, options_unanswered: 0 })
    expect(of('charlie')).toMatchObject({ last_sign_of_life: null, last_options: { status: null } })
    // Three in a row, none of them answered: what Kamailio sent again is one exchange.
    expect(of('charlie').last_hour.options_unanswered).toBeGreaterThanOrEqual(3)
    expect(of('charlie').last_hour.options_answered).toBe(0)

    lab.answering(CARRIERS.charlie, '200 OK')
    await alpha.end()
    await expect
      .poll(states, { timeout: JUDGED_MS, interval: 1_000 })
      .toEqual({ alpha: 'down', bravo: 'degraded', charlie: 'up' })
    const changed = await collector!.json<{ changes: { to: string }[] }>(
      `/v1/trunks/${encodeURIComponent(of('alpha').id)}`,
    )
    expect(changed.changes.map(({ to }) => to)).toEqual(expect.arrayContaining(['up', 'down']))
    expect(changed.changes.at(-1)).toMatchObject({ to: 'down' })
  }, 900_000)
})
