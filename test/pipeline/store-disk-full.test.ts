/**
 * The disk under the embedded store is full: frames wait in the spool, which lies elsewhere, questions are answered, and when
 * there is space everything is stored by itself, exactly.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@clickhouse/client'
import { afterEach, expect } from 'vitest'
import { DEMO_CONFIG } from '../../bin/demo/network.js'
import { sendTcp } from '../../bin/demo/send.js'
import type { TimedFrame } from '../../bin/demo/traffic.js'
import { ClickHouseFront } from '../support/clickhouse-front.js'
import { RoleProcess } from '../support/cluster.js'
import { knownCalls, wrongAnswers, wrongRows } from '../support/known-calls.js'
import { missingPrograms, needsAll } from '../support/outside-programs.js'
import { SmallDisk } from '../support/small-disk.js'

const root = process.getuid?.() === 0 ? [] : ['root']
const test = needsAll([...root, ...missingPrograms('unshare', 'nsenter')])
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const DISK_BYTES = 96 * 1_048_576
const within20s = { timeout: 20_000, interval: 50 }

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

test(`a full disk under the store (seed ${seed}): the spool keeps, the api reads, and it goes on when there is space; exact`, async () => {
  const data = mkdtempSync(join(tmpdir(), 'trunkscope-store-disk-'))
  ends.push(async () => rmSync(data, { recursive: true, force: true }))
  const disk = await SmallDisk.mount(join(data, 'clickhouse'), DISK_BYTES)
  ends.push(() => disk.unmount())
  const { sites, carriers, customers } = DEMO_CONFIG
  const config = join(data, 'trunkscope.json')
  writeFileSync(config, JSON.stringify({ sites, carriers, customers }))
  const anywhere = ['--hep-udp', '127.0.0.1:0', '--hep-tcp', '127.0.0.1:0', '--http', '127.0.0.1:0']
  const embedded = new RoleProcess('start', ['--data', data, '--config', config, ...anywhere], {
    under: disk.under,
  })
  await embedded.start()
  ends.push(() => embedded.kill())
  const send = (frames: readonly TimedFrame[]) =>
    sendTcp(frames, {
      transport: 'tcp',
      host: '127.0.0.1',
      port: Number(embedded.address('HEP tcp').split(':')[1]),
    })
  const json = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://${embedded.http}${path}`)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }
  const accepted = () => embedded.metric('trunkscope_capture_frames_total')

  const before = knownCalls(`${seed} before`, 120, 2)
  await send(before.frames)
  await expect.poll(() => wrongAnswers({ json }, [before]), within20s).toEqual([])

  disk.fill()
  const during = knownCalls(`${seed} during`, 120, 2)
  await send(during.frames)
  await expect.poll(() => embedded.problem(), within20s).not.toBe('')
  const sent = before.frames.length + during.frames.length
  await expect.poll(accepted, within20s).toBe(sent)
  expect(await embedded.metric('trunkscope_spool_lag_bytes')).toBeGreaterThan(0)
  expect(await wrongAnswers({ json }, [before])).toEqual([])

  disk.free()
  await expect.poll(() => embedded.problem(), within20s).toBe('')
  await expect.poll(() => wrongAnswers({ json }, [before, during]), within20s).toEqual([])
  expect(await embedded.metric('trunkscope_dropped_total')).toBe(0)
  expect(await embedded.kill('SIGINT')).toBe(0)

  const front = await ClickHouseFront.start({ folder: data, under: disk.under })
  ends.push(() => front.stop())
  const client = createClient({ url: front.url })
  ends.push(() => client.close())
  const rows = async <Row>(query: string) =>
    (await client.query({ query, format: 'JSONEachRow' })).json<Row>()
  expect(await wrongRows({ rows, client }, [before, during])).toEqual([])
}, 90_000)
