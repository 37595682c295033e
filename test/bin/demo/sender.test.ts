import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { authKeyOf } from '../../../sip/hep3.js'
import { tcpSink, udpSink, until } from './sinks.js'

/** The sender and what it imports, as JavaScript in a folder of its own: it must run as a process. */
const built = mkdtempSync(join(tmpdir(), 'trunkscope-sender-'))

beforeAll(() => {
  writeFileSync(join(built, 'package.json'), '{"type":"module"}')
  for (const folder of ['bin/demo', 'sip', 'schemas']) {
    mkdirSync(join(built, folder), { recursive: true })
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.ts'))) {
      const { outputText } = ts.transpileModule(readFileSync(join(folder, name), 'utf8'), {
        compilerOptions: { module: ts.ModuleKind.ES2022, target: ts.ScriptTarget.ES2022 },
      })
      writeFileSync(join(built, folder, name.replace(/\.ts$/, '.js')), outputText)
    }
  }
})
afterAll(() => rmSync(built, { recursive: true }))

function start(args: string[]) {
  const child = spawn(process.execPath, [join(built, 'bin/demo/sender.js'), ...args], {
    stdio: 'pipe',
    env: { ...process.env, TRUNKSCOPE_AGENT_KEY: 'secret-of-agents' },
  })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  const lines = () =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { child, lines }
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

describe('demo sender', () => {
  it.each([
    ['SIGTERM', (child: ChildProcess) => child.kill('SIGTERM')],
    ['the end of its parent (stdin closes)', (child: ChildProcess) => child.stdin!.end()],
  ])('fills in, goes live, tells it in JSON lines, and ends cleanly on %s', async (_, stop) => {
    const [past, present] = [await tcpSink(), await udpSink()]
    const { child, lines } = start([
      '--to',
      `tcp://127.0.0.1:${past.to.port}`,
      '--live',
      `udp://127.0.0.1:${present.to.port}`,
      ...['--seed', '3', '--rate', '30', '--backfill-s', '60'],
    ])
    await until(() => present.datagrams.length > 5)
    stop(child)
    expect(await exitOf(child)).toBe(0)
    expect(lines()).toContainEqual(
      expect.objectContaining({ event: 'progress', phase: 'backfill', done: true }),
    )
    expect(lines()).toContainEqual(expect.objectContaining({ event: 'progress', phase: 'live', done: true }))
    expect(lines().at(-1)).toEqual({ event: 'stopped' })
    expect(past.received().subarray(0, 4).toString()).toBe('HEP3')
    for (const frame of present.datagrams)
      expect(authKeyOf(frame, 0, frame.length)?.toString()).toBe('secret-of-agents')
    await Promise.all([past.close(), present.close()])
  })

  it('says why it failed', async () => {
    const gone = await tcpSink()
    await gone.close()
    const { child, lines } = start(['--to', `tcp://127.0.0.1:${gone.to.port}`])
    expect(await exitOf(child)).toBe(1)
    expect(lines()).toEqual([{ event: 'failed', message: expect.stringContaining('ECONNREFUSED') }])
    const wrong = start(['--rate', '0'])
    expect(await exitOf(wrong.child)).toBe(1)
    expect(wrong.lines()[0]!.message).toBe("--rate takes a number above 0, not '0'.")
  })
})
