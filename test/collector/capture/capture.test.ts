/** The capture thread as it runs: compiled, in a worker, with real sockets and a real folder. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { SpoolBus } from '../../../collector/bus/spool-bus.js'
import type { Capture, CaptureCounters, CaptureOptions } from '../../../collector/capture/capture.js'
import type { ReceivedFrame } from '../../../schemas/hep-frame.js'
import type { RefusedSample } from '../../../schemas/reasons.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { Authority } from '../../support/certificates.js'
import { needs } from '../../support/outside-programs.js'
import { frame, readUpTo, until, withFolder } from './spool-support.js'

vi.setConfig({ testTimeout: 20_000 }) // Real sockets and files, on a machine that may be busy.

const compiled = fileURLToPath(new URL('../../../dist/collector/capture/capture.js', import.meta.url))
if (!existsSync(compiled))
  throw new Error('dist/ is missing: run "npx tsc" first, the capture thread runs from there.')
const { startCapture }: typeof import('../../../collector/capture/capture.js') = await import(compiled)

const LOOPBACK = { host: '127.0.0.1', port: 0 }
const hep = (number: number, authKey?: string) =>
  encodeHep3({
    sourceAddress: '192.0.2.1',
    destinationAddress: '192.0.2.2',
    agentId: number,
    authKey,
    payload: `OPTIONS sip:${number}@example.net SIP/2.0\r\n`,
  })

const recorded = await readFile(
  new URL('../../fixtures/hep/kamailio-siptrace-hep2.json', import.meta.url),
  'utf8',
)
const HEP2 = Buffer.from(JSON.parse(recorded).hep2[0].hex, 'hex')

async function sendUdp(datagrams: Buffer[], port: number) {
  const socket = createSocket('udp4')
  for (const datagram of datagrams) {
    await new Promise<void>((resolve) => socket.send(datagram, port, '127.0.0.1', () => resolve()))
  }
  socket.close()
}

async function sendTcp(bytes: Buffer, port: number) {
  const socket = connect({ host: '127.0.0.1', port })
  await once(socket, 'connect')
  socket.end(bytes)
  await once(socket, 'close')
}

interface Started {
  capture: Capture
  folder: string
  samples: RefusedSample[]
  notices: string[]
  fatal: unknown[]
}

async function withCapture(options: Partial<CaptureOptions>, use: (started: Started) => Promise<void>) {
  await withFolder(async (folder) => {
    const samples: RefusedSample[] = []
    const notices: string[] = []
    const fatal: unknown[] = []
    const capture = await startCapture({
      spoolFolder: folder,
      udp: LOOPBACK,
      tcp: LOOPBACK,
      receiveBufferBytes: 1_048_576,
      onRefused: (refused) => samples.push(...refused),
      onNotice: (sentence) => notices.push(sentence),
      onFatal: (error) => fatal.push(error),
      ...options,
    })
    try {
      await use({ capture, folder, samples, notices, fatal })
    } finally {
      await capture.stop()
    }
  })
}

const sum = (counts: Record<string, number>) =>
  Object.values(counts).reduce((total, count) => total + count, 0)

describe('capture thread', () => {
  test('sent = accepted + refused by reason, over UDP and TCP, and the spool holds what was accepted', () =>
    withCapture({ agentKey: 'the agent key' }, async ({ capture, fatal, folder, samples }) => {
      const good = Array.from({ length: 300 }, (_, number) => hep(number, 'the agent key'))
      const overrun = hep(1, 'the agent key')
      overrun.writeUInt16BE(60_000, 10)
      const bad: [string, Buffer][] = [
        ['key_missing', hep(1)],
        ['key_mismatch', hep(1, 'not this key')],
        ['not_hep', Buffer.from('SIP/2.0 200 OK\r\n')],
        ['frame_too_short', hep(1).subarray(0, 20)],
        ['length_mismatch', Buffer.concat([hep(1), Buffer.from('!')])],
        ['chunk_overrun', overrun],
      ]
      await Promise.all([
        sendUdp([...good, ...bad.map(([, bytes]) => bytes)], capture.bound.udp!.port),
        sendTcp(Buffer.concat([...good, hep(7), ...good]), capture.bound.tcp!.port),
      ])
      await capture.stop()
      const counters = capture.counters()
      expect(counters.acceptedFrames).toEqual({ udp: 300, tcp: 600, tls: 0, file: 0 })
      expect(sum(counters.refused)).toBe(bad.length + 1)
      for (const [reason] of bad) {
        const expected = reason === 'key_missing' ? 2 : 1
        expect([reason, counters.refused[reason as keyof typeof counters.refused]]).toEqual([
          reason,
          expected,
        ])
      }
      expect(counters.framesInFlight).toBe(0)
      const bytesOf = (frames: Buffer[]) => frames.reduce((total, bytes) => total + bytes.length, 0)
      expect(counters.acceptedBytes).toEqual({ udp: bytesOf(good), tcp: 2 * bytesOf(good), tls: 0, file: 0 })

      const { damagedBytes, frames } = await readUpTo(folder, capture.endPosition)
      expect(damagedBytes).toBe(0)
      const stored = (transport: string) => frames.filter((received) => received.transport === transport)
      expect(stored('udp').map((received) => received.bytes)).toEqual(good)
      expect(stored('tcp').map((received) => received.bytes)).toEqual([...good, ...good])
      for (const received of frames) {
        expect(received.peerAddress).toBe('127.0.0.1')
        expect(Math.abs(received.receivedAtUs / 1_000 - Date.now())).toBeLessThan(60_000)
      }

      expect(samples.map((sample) => sample.reason).sort()).toEqual(bad.map(([reason]) => reason).sort())
      for (const sample of samples) {
        expect(Buffer.isBuffer(sample.sample)).toBe(true)
        expect(sample.sample.toString('latin1')).not.toMatch(/the agent key|not this key/)
      }
      expect(fatal).toEqual([])
    }))

  test('frames reach the bus while capture goes on, and time passes when nothing arrives', () =>
    withFolder(async (folder) => {
      let bus: SpoolBus | undefined
      const capture = await startCapture({
        spoolFolder: folder,
        udp: LOOPBACK,
        onNotify: (end, receivedUntilUs) => bus?.notify(end, receivedUntilUs),
        onFatal: (error) => expect.unreachable(error.message),
      })
      bus = await SpoolBus.open({
        folder,
        idleMs: 20,
        publish: (frames) => capture.publish(frames),
        onCommitted: (position) => capture.committed(position),
      })
      bus.notify(capture.endPosition, capture.receivedUntilUs)
      const frames: ReceivedFrame[] = []
      let receivedUntilUs = 0
      const reading = bus.subscribe(async (batch) => {
        frames.push(...batch.frames.map((received) => ({ ...received, position: 0 })))
        receivedUntilUs = batch.receivedUntilUs
        if (batch.frames.length > 0) await bus.commit(batch.partition, batch.nextPosition)
      })
      await sendUdp([hep(1)], capture.bound.udp!.port)
      await until(() => frames.length === 1)
      const firstUs = frames[0]!.receivedAtUs
      await until(() => receivedUntilUs > firstUs)
      await bus.publish([frame(3), frame(4)])
      await until(() => frames.length === 3)
      expect(frames.slice(1)).toEqual([frame(3), frame(4)])
      expect(await bus.lag()).toEqual({ bytes: 0 })
      await capture.stop()
      await bus.close()
      await reading
      await expect(capture.publish([frame(5)])).rejects.toMatchObject({ code: 'TRUNKSCOPE_CAPTURE_STOPPED' })
    }))

  test('a restart of the thread goes on behind what the last one wrote', () =>
    withFolder(async (folder) => {
      let endPosition = 0
      for (let run = 0; run < 2; run++) {
        const capture = await startCapture({ spoolFolder: folder, udp: LOOPBACK, onFatal: () => {} })
        expect(capture.endPosition).toBe(endPosition)
        await sendUdp([hep(2 * run), hep(2 * run + 1)], capture.bound.udp!.port)
        await capture.stop()
        endPosition = capture.endPosition
      }
      const { frames } = await readUpTo(folder, endPosition)
      expect(frames.map((received) => received.bytes)).toEqual([hep(0), hep(1), hep(2), hep(3)])
    }))

  test('asked and granted receive buffer are told, and a smaller one is warned of', () =>
    withCapture({ receiveBufferBytes: 1_000_000_000 }, async ({ capture, notices }) => {
      expect(capture.bufferAsked).toBe(1_000_000_000)
      expect(capture.bufferGranted).toBeGreaterThan(0)
      expect(capture.bufferGranted).toBeLessThan(capture.bufferAsked)
      expect(notices).toEqual([expect.stringContaining('net.core.rmem_max')])
    }))

  test('a port in use stops the start with an error that names it, and frees what was bound before', () =>
    withCapture({}, async ({ capture, folder }) => {
      const udp = createSocket('udp4').bind(0, '127.0.0.1')
      await once(udp, 'listening')
      const free = udp.address().port
      udp.close()
      await once(udp, 'close')
      const again = startCapture({
        spoolFolder: folder,
        udp: { host: '127.0.0.1', port: free },
        tcp: capture.bound.tcp!,
        onFatal: () => expect.unreachable(),
      })
      await expect(again).rejects.toMatchObject({
        code: 'TRUNKSCOPE_CAPTURE_PORT_IN_USE',
        message: expect.stringContaining(`TCP 127.0.0.1:${capture.bound.tcp!.port}`),
      })
      const reused = createSocket('udp4').bind(free, '127.0.0.1')
      await once(reused, 'listening')
      reused.close()
    }))

  test('a spool that cannot be opened stops the start with an error', () =>
    withFolder(async (folder) => {
      await writeFile(folder, 'a file where the folder should be')
      const start = startCapture({ spoolFolder: folder, udp: LOOPBACK, onFatal: () => {} })
      await expect(start).rejects.toMatchObject({ code: 'TRUNKSCOPE_SPOOL_OPEN_FAILED' })
    }))

  test('a defect inside the thread is a fatal error of the parent, and publishes that wait for it fail', () =>
    withCapture({}, async ({ capture, fatal }) => {
      // A frame without bytes: nothing the thread could expect.
      const broken = [{ ...frame(1), peerAddress: undefined as unknown as string }]
      await expect(capture.publish(broken)).rejects.toMatchObject({ code: 'TRUNKSCOPE_CAPTURE_STOPPED' })
      expect(fatal).toEqual([expect.objectContaining({ code: 'TRUNKSCOPE_CAPTURE_THREAD_FAILED' })])
      await capture.stop()
    }))

  test('a reload holds from the next frame on: key, networks, HEP2', () =>
    withCapture({}, async ({ capture, folder }) => {
      const port = capture.bound.udp!.port
      const frames = () => capture.counters().acceptedFrames.udp
      const refusedCount = (reason: keyof CaptureCounters['refused']) => capture.counters().refused[reason]
      await sendUdp([hep(1)], port)
      await until(() => frames() === 1)
      expect(await capture.reload({ agentKey: 'the agent key' })).toEqual([])
      await sendUdp([hep(2), hep(3, 'the agent key')], port)
      await until(() => frames() === 2)
      expect(refusedCount('key_missing')).toBe(1)
      expect(await capture.reload({ allowedAgents: ['192.0.2.0/24'] })).toEqual([])
      await sendUdp([hep(4)], port)
      await until(() => refusedCount('address_not_allowed') === 1)
      expect(await capture.reload({ allowedAgents: ['127.0.0.0/8', '::1'], hep2: true })).toEqual([])
      await sendUdp([HEP2, hep(5)], port)
      await until(() => frames() === 4)
      await capture.reload({})
      await sendUdp([HEP2], port)
      await until(() => refusedCount('not_hep') === 1)
      await capture.stop()
      const stored = (await readUpTo(folder, capture.endPosition)).frames
      expect(stored.map(({ bytes }) => bytes)).toEqual([hep(1), hep(3, 'the agent key'), HEP2, hep(5)])
      await expect(capture.reload({})).rejects.toMatchObject({ code: 'TRUNKSCOPE_CAPTURE_STOPPED' })
    }))

  test('a reload that takes a network away ends its connections', () =>
    withCapture({}, async ({ capture }) => {
      const socket = connect({ host: '127.0.0.1', port: capture.bound.tcp!.port })
      await until(() => capture.counters().connectionsOpen === 1)
      const closed = once(socket.resume(), 'close')
      await capture.reload({ allowedAgents: ['192.0.2.0/24'] })
      await closed
      await until(() => capture.counters().refused.address_not_allowed === 1)
    }))

  needs('openssl')(
    'TLS is a transport of its own, and a broken certificate at a reload keeps the old one',
    () =>
      withFolder(async (certificates) => {
        await mkdir(certificates)
        const authority = new Authority(certificates, 'authority')
        const { cert, key } = authority.issue('collector')
        const tlsFiles = { certFile: cert, keyFile: key, clientCaFile: undefined }
        await withCapture({ tls: LOOPBACK, tlsFiles }, async ({ capture, folder }) => {
          const dial = async () => {
            const to = { host: '127.0.0.1', port: capture.bound.tls!.port }
            const socket = connectTls({ ...to, ca: await readFile(authority.cert) })
            await once(socket, 'secureConnect')
            return socket
          }
          const first = await dial()
          expect(await capture.reload({ tlsFiles: { ...tlsFiles, keyFile: authority.cert } })).toEqual([
            expect.stringMatching(
              /^The certificates for HEP over TLS cannot be used.*The certificates in use stay\.$/s,
            ),
          ])
          expect(await capture.reload({})).toEqual([expect.stringContaining('The certificates in use stay.')])
          expect(await capture.reload({ tlsFiles })).toEqual([])
          const second = await dial()
          first.write(hep(1))
          second.write(hep(2))
          await until(() => capture.counters().acceptedFrames.tls === 2)
          expect(capture.counters().connectionsOpen).toBe(2)
          const { frames } = await readUpTo(folder, capture.endPosition)
          expect(frames.map(({ transport }) => transport)).toEqual(['tls', 'tls'])
          first.destroy()
          second.destroy()
        })
      }),
  )

  test('TLS without certificates stops the start', () =>
    withFolder(async (folder) => {
      const start = startCapture({ spoolFolder: folder, tls: LOOPBACK, onFatal: () => {} })
      await expect(start).rejects.toMatchObject({
        code: 'TRUNKSCOPE_CAPTURE_TLS_FILES',
        message: expect.stringContaining('capture.tls'),
      })
    }))

  test('a connection that keeps half a frame is closed and counted', () =>
    withCapture({ tcpFrameTimeoutMs: 1 }, async ({ capture }) => {
      const socket = connect({ host: '127.0.0.1', port: capture.bound.tcp!.port })
      socket.write(hep(1).subarray(0, 20))
      await once(socket.resume(), 'close')
      await capture.stop()
      expect(capture.counters().refused.frame_timeout).toBe(1)
    }))
})
