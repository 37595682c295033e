/**
 * The disk under the spool is slow to sync, or says that a sync failed: the real `trunkscope capture` with its system calls
 * tampered with (strace). No broker runs: what was accepted is read from the spool.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect } from 'vitest'
import { sendTcp } from '../../bin/demo/send.js'
import type { TimedFrame } from '../../bin/demo/traffic.js'
import { SpoolBus } from '../../collector/bus/spool-bus.js'
import { listSegments } from '../../collector/capture/spool-disk.js'
import { RoleProcess } from '../support/cluster.js'
import { knownCalls } from '../support/known-calls.js'
import { missingPrograms, needsAll } from '../support/outside-programs.js'

const test = needsAll(missingPrograms('strace'))
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
const within10s = { timeout: 10_000, interval: 50 }
/** Sent one after the other, so that there are many syncs. */
const PARTS = 16

let capture: RoleProcess | undefined
let data = ''
afterEach(async () => {
  await capture?.kill()
  rmSync(data, { recursive: true, force: true })
})

/** `inject` as strace takes it; the calls it saw are written to `strace.log` in the data folder. */
async function start(inject: string): Promise<RoleProcess> {
  data = mkdtempSync(join(tmpdir(), 'trunkscope-disk-sync-'))
  const config = join(data, 'trunkscope.json')
  // Nobody listens on port 1.
  writeFileSync(config, JSON.stringify({ kafka: { brokers: ['127.0.0.1:1'] } }))
  const anywhere = ['--hep-udp', '127.0.0.1:0', '--hep-tcp', '127.0.0.1:0', '--http', '127.0.0.1:0']
  capture = new RoleProcess('capture', ['--config', config, '--data', data, ...anywhere], {
    // -D: strace is beside, so that what is started is capture itself.
    under: [
      ...['strace', '-D', '-f', '-qq', '-y', '--seccomp-bpf', '-o', join(data, 'strace.log')],
      ...['-e', 'trace=fdatasync,openat', '-e', `inject=fdatasync:${inject}`],
    ],
  })
  await capture.start()
  return capture
}

const accepted = () => capture!.metric('trunkscope_capture_frames_total')
const send = (frames: readonly TimedFrame[]) =>
  sendTcp(frames, {
    transport: 'tcp',
    host: '127.0.0.1',
    port: Number(capture!.address('HEP tcp').split(':')[1]),
  })

interface Call {
  name: 'openat' | 'fdatasync'
  path: string
  result: string
}

/** What capture did to segments, in the order in which it ended: each sync, each one made. */
function calls(): Call[] {
  const ended: Call[] = []
  const underWay = new Map<string, Call>()
  for (const line of readFileSync(join(data, 'strace.log'), 'latin1').split('\n')) {
    const [, thread, name, path] =
      /^(\d+) +(openat|fdatasync)\(.*[<"]([^<"]*\.spool)[>"]/.exec(line) ??
      /^(\d+) +<\.\.\. (openat|fdatasync) resumed>/.exec(line) ??
      []
    if (thread === undefined) continue
    const call = underWay.get(thread) ?? { name: name as Call['name'], path: path ?? '', result: '' }
    underWay.set(thread, call)
    // Opened by its reader: nothing that was done to it.
    if (call.name === 'openat' && path !== undefined && !line.includes('O_EXCL')) call.path = ''
    if (line.includes('<unfinished ...>')) continue
    underWay.delete(thread)
    if (call.path !== '') ended.push({ ...call, result: line.slice(line.lastIndexOf(' = ')) })
  }
  return ended
}

/** The frames that whoever opens the spool next gets, and the stretches that it cannot read. */
async function spooled(): Promise<{ frames: number; bytes: Buffer; damaged: number }> {
  const folder = join(data, 'spool')
  const last = (await listSegments(folder)).at(-1)!
  const bus = await SpoolBus.open({ folder })
  bus.notify(last.start + last.bytes, 0)
  const frames: Buffer[] = []
  let damaged = 0
  await bus.subscribe(async (batch) => {
    for (const { bytes } of batch.frames) frames.push(Buffer.from(bytes))
    damaged += batch.damaged?.length ?? 0
    if (batch.nextPosition >= last.start + last.bytes) void bus.close()
  })
  return { frames: frames.length, bytes: Buffer.concat(frames), damaged }
}

async function expectSpooled(sent: readonly TimedFrame[]): Promise<void> {
  const { frames, bytes, damaged } = await spooled()
  expect({ frames, damaged }).toEqual({ frames: sent.length, damaged: 0 })
  expect(bytes.equals(Buffer.concat(sent.map((frame) => frame.bytes)))).toBe(true)
}

describe(`syncs of the spool (seed ${seed})`, () => {
  test('each takes 300 ms: nothing is refused, and frames are accepted when they are on disk, many at a time', async () => {
    await start('delay_enter=300000')
    const { frames } = knownCalls(seed, 600, 4)
    const sent = frames.slice(0, 20_000)
    await send(sent)
    await expect.poll(accepted, within10s).toBe(sent.length)
    expect(await capture!.metric('trunkscope_dropped_total')).toBe(0)
    expect(await capture!.kill('SIGINT')).toBe(0)
    const syncs = calls().filter(({ name }) => name === 'fdatasync')
    expect(syncs.length).toBeGreaterThan(2)
    expect(syncs.length).toBeLessThan(sent.length / 100)
    await expectSpooled(sent)
  }, 30_000)

  test('some fail (EIO): that segment is never synced again, its frames go to a new one, and none is lost or twice', async () => {
    // Counted by thread of the pool.
    await start('error=EIO:when=2+3')
    const { frames } = knownCalls(seed, 120, 4)
    const size = Math.ceil(frames.length / PARTS)
    for (let at = 0; at < frames.length; at += size) {
      await send(frames.slice(at, at + size))
      await expect.poll(accepted, within10s).toBe(Math.min(frames.length, at + size))
    }
    expect(await capture!.metric('trunkscope_dropped_total')).toBe(0)
    expect(capture!.output).toMatch(/Writing the spool failed \(EIO\): going on in a new segment/)
    expect(capture!.output).toContain('The spool is written again.')
    await capture!.kill() // As it is, without a farewell.

    const failed = new Set<string>()
    let failures = 0
    for (const { name, path, result } of calls()) {
      // A segment that had nothing synced is removed, and the next one bears its name.
      if (name === 'openat') failed.delete(path)
      else expect(failed).not.toContain(path)
      if (!result.includes('EIO')) continue
      failed.add(path)
      failures++
    }
    expect(failures).toBeGreaterThan(1)
    await expectSpooled(frames)
  }, 30_000)
})
