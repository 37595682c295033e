import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { CaptureCounters } from '../../../collector/capture/capture.js'
import { segmentName } from '../../../collector/capture/spool-format.js'
import type { ReceivedFrame } from '../../../schemas/hep-frame.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { needs } from '../../support/outside-programs.js'
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

/** Prints the ports, then the counters whenever a line comes in. */
const countingScript = (folder: string) => `
  import(${JSON.stringify(compiled.href)}).then(async ({ startCapture }) => {
    const at = { host: '127.0.0.1', port: 0 }
    const capture = await startCapture({
      spoolFolder: ${JSON.stringify(folder)}, udp: at, tcp: at, spoolSegmentBytes: 300_000,
      onNotice: (sentence) => console.log(JSON.stringify({ sentence })),
      onFatal: (error) => { throw error },
    })
    console.log(JSON.stringify({ tcp: capture.bound.tcp.port, udp: capture.bound.udp.port }))
    process.stdin.on('data', () => console.log(JSON.stringify(capture.counters())))
  })`

describe('capture thread without file descriptors', () => {
  needs('prlimit')(
    'new connections are refused and counted, the old ones, UDP and the spool go on',
    () =>
      withFolder(async (folder) => {
        const child = spawn('prlimit', ['--nofile=72:72', process.execPath, '-e', countingScript(folder)], {
          stdio: ['pipe', 'pipe', 'inherit'],
        })
        const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
        const notices: string[] = []
        const next = async (): Promise<Record<string, never>> => {
          const said = JSON.parse((await lines.next()).value)
          if (said.sentence === undefined) return said
          notices.push(said.sentence)
          return next()
        }
        const ports = await next()
        const counters = async () => {
          child.stdin.write('?\n')
          return (await next()) as unknown as CaptureCounters
        }
        const sockets: Socket[] = []
        let closedCount = 0
        for (let count = 0; count < 100; count++) {
          const socket = connect({ host: '127.0.0.1', port: ports.tcp! }).on('error', () => {})
          socket.on('close', () => closedCount++).resume()
          sockets.push(socket)
          await once(socket, 'connect')
        }
        let counted = await counters()
        while (counted.refused.connection_limit + counted.connectionsOpen < 100) counted = await counters()
        expect(counted.connectionsOpen).toBeGreaterThan(0)
        await until(() => closedCount === counted.refused.connection_limit)
        expect(notices).toContainEqual(expect.stringContaining('Hardly any file descriptor is left'))

        // Enough for several segments: each of them needs a descriptor of its own.
        const kept = sockets.filter((socket) => !socket.destroyed)
        const udp = createSocket('udp4')
        for (let round = 1; round <= 4; round++) {
          for (let number = 0; number < 400; number++) {
            kept[number % kept.length]!.write(hep(number))
            if (number % 10 === 0) udp.send(hep(number), ports.udp!, '127.0.0.1')
          }
          while (counted.acceptedFrames.tcp < 400 * round || counted.acceptedFrames.udp < 40 * round) {
            counted = await counters()
          }
        }
        expect(counted.spoolSegments).toBeGreaterThan(2)
        expect(counted.spoolState).toBe('writing')
        expect(counted.connectionsOpen).toBe(kept.length)
        udp.close()
        for (const socket of sockets) socket.destroy()
        child.kill('SIGKILL')
        await once(child, 'exit')
      }),
    20_000,
  )
})

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
