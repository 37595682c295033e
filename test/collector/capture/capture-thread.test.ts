import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { segmentName } from '../../../collector/capture/spool-format.js'
import type { ReceivedFrame } from '../../../schemas/hep-frame.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { openWriter, readUpTo, until, withFolder, writeBatches } from './spool-support.js'

const compiled = new URL('../../../dist/collector/capture/capture.js', import.meta.url)
if (!existsSync(fileURLToPath(compiled))) {
  throw new Error('dist/ is missing: run "npx tsc" first, the capture thread runs from there.')
}

/** Prints the TCP port, then every end position the thread names as durable. */
const captureScript = (folder: string) => `
  import(${JSON.stringify(compiled.href)}).then(async ({ startCapture }) => {
    const capture = await startCapture({
      spoolFolder: ${JSON.stringify(folder)},
      tcp: { host: '127.0.0.1', port: 0 },
      spoolSegmentBytes: 300_000,
      onNotify: (endPosition) => console.log(endPosition),
      onFatal: (error) => { throw error },
    })
    console.log(capture.bound.tcp.port)
  })`

const hep = (number: number) => encodeHep3({ agentId: number, payload: Buffer.alloc(900, 'x') })

/** The first frame that is not, byte for byte, the one that was sent as the so-many-eth; -1 when all are. */
function firstOutOfPlace(frames: ReceivedFrame[]): number {
  const expected = hep(0)
  const numberAt = expected.indexOf(Buffer.from([0, 0, 0, 12, 0, 10])) + 6 // Chunk 12, the agent id.
  return frames.findIndex(({ bytes }, number) => {
    expected.writeUInt32BE(number, numberAt)
    return !bytes.equals(expected)
  })
}

/** Sends numbered frames until the connection breaks. */
function sendUntilBroken(port: number): void {
  const socket = connect({ host: '127.0.0.1', port })
  let number = 0
  const more = () => {
    for (let count = 0; count < 10 && !socket.destroyed; count++) socket.write(hep(number++))
    if (!socket.destroyed) setImmediate(more)
  }
  socket.on('error', () => {})
  socket.on('connect', more)
}

async function killAfter(child: ChildProcess, notifications: number): Promise<number> {
  let endPosition = 0
  let seen = -1
  for await (const line of createInterface({ input: child.stdout! })) {
    seen++
    if (seen === 0) sendUntilBroken(Number(line))
    else endPosition = Number(line)
    if (seen >= notifications && endPosition > 0) child.kill('SIGKILL')
  }
  return endPosition
}

describe('capture thread, killed', () => {
  test('kill -9 while it writes: every frame before the last notification is whole, a restart goes on behind', async () => {
    for (const notifications of [1, 6, 17]) {
      await withFolder(async (folder) => {
        const child = spawn(process.execPath, ['-e', captureScript(folder)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const exited = once(child, 'exit')
        const endPosition = await killAfter(child, notifications)
        await exited
        expect(endPosition).toBeGreaterThan(0)
        const promised = await readUpTo(folder, endPosition)
        expect(promised.damagedBytes).toBe(0)
        expect(firstOutOfPlace(promised.frames)).toBe(-1)
        const writer = await openWriter(folder)
        expect(writer.endPosition).toBeGreaterThanOrEqual(endPosition)
        await writeBatches(writer, [[promised.frames[0]!]])
        await writer.close()
        const all = await readUpTo(folder, writer.endPosition)
        expect(all.frames.length).toBeGreaterThan(promised.frames.length)
        expect(all.frames.at(-1)).toEqual(promised.frames[0])
        expect(firstOutOfPlace(all.frames.slice(0, -1))).toBe(-1)
      })
    }
  }, 15_000)

  test('a killed writer leaves a name without bytes: the next one takes it', () =>
    withFolder(async (folder) => {
      const first = await openWriter(folder)
      await first.close()
      await writeFile(join(folder, segmentName(0)), '')
      const second = await openWriter(folder)
      second.append(1, 0, '192.0.2.1', hep(1), 0, 10)
      await until(() => second.endPosition > 0)
      await second.close()
    }))
})
