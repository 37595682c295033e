/** What the tests of spool and bus share: a folder of their own, frames, a disk that fails on demand. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BusBatch } from '../../../collector/bus/bus.js'
import { SpoolBus, type SpoolBusOptions } from '../../../collector/bus/spool-bus.js'
import { type SpoolOptions, SpoolWriter } from '../../../collector/capture/spool.js'
import { realDisk, type SegmentFile, type SpoolDisk } from '../../../collector/capture/spool-disk.js'
import { type ReceivedFrame, TRANSPORTS } from '../../../schemas/hep-frame.js'

export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'trunkscope-spool-'))
  try {
    return await use(join(folder, 'spool'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A clock that only moves when it is read. */
export function countingClock(startUs = 1_700_000_000_000_000): () => number {
  let us = startUs
  return () => us++
}

export function openWriter(folder: string, options: Partial<SpoolOptions> = {}): Promise<SpoolWriter> {
  return SpoolWriter.open({ folder, nowUs: countingClock(), onDurable: () => {}, lingerMs: 1, ...options })
}

export function frame(number: number, bytes = 40): ReceivedFrame {
  return {
    receivedAtUs: 1_700_000_000_000_000 + number,
    transport: TRANSPORTS[number % 3]!,
    peerAddress: number % 2 === 0 ? '192.0.2.7' : '2001:db8::1',
    bytes: Buffer.alloc(bytes, `frame ${number};`),
    position: 0,
  }
}

export function append(writer: SpoolWriter, received: ReceivedFrame): string {
  const transport = TRANSPORTS.indexOf(received.transport)
  const { bytes, peerAddress, receivedAtUs } = received
  return writer.append(receivedAtUs, transport, peerAddress, bytes, 0, bytes.length)
}

/** Writes each group as one batch; returns the position behind each. */
export async function writeBatches(writer: SpoolWriter, groups: ReceivedFrame[][]): Promise<number[]> {
  const ends: number[] = []
  for (const group of groups) {
    for (const received of group) append(writer, received)
    await writer.flush()
    ends.push(writer.endPosition)
  }
  return ends
}

export interface Delivered {
  batches: BusBatch[]
  frames: ReceivedFrame[]
  damagedBytes: number
}

/** Everything the bus delivers up to the position. */
export async function readUpTo(
  folder: string,
  endPosition: number,
  options: Partial<SpoolBusOptions> = {},
): Promise<Delivered> {
  const bus = await SpoolBus.open({ folder, idleMs: 1, ...options })
  const delivered: Delivered = { batches: [], frames: [], damagedBytes: 0 }
  bus.notify(endPosition, 1)
  await bus.subscribe(async (batch) => {
    delivered.batches.push(batch)
    // Their bytes hold until this returns.
    delivered.frames.push(
      ...batch.frames.map((frame) => ({ ...frame, position: 0, bytes: Buffer.from(frame.bytes) })),
    )
    for (const stretch of batch.damaged ?? []) delivered.damagedBytes += stretch.bytes
    if (batch.nextPosition >= endPosition) void bus.close()
  })
  return delivered
}

export function errno(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code })
}

/** What a call on the disk shall do instead: throw, or write this many bytes only. */
export interface Faults {
  writev?: (buffers: Buffer[], position: number) => number | undefined
  datasync?: () => void
  create?: () => void
  truncate?: () => void
}

/** The real disk with faults in front; `calls` tells what was asked of which segment. */
export function faultyDisk(faults: Faults): SpoolDisk & { calls: string[] } {
  const calls: string[] = []
  let files = 0
  return {
    ...realDisk,
    calls,
    async createSegment(path) {
      faults.create?.()
      const name = `segment ${++files}`
      calls.push(`create ${name}`)
      const file = await realDisk.createSegment(path)
      const wrapped: Pick<SegmentFile, keyof SegmentFile> = {
        writev: (async (buffers: Buffer[], position: number) => {
          calls.push(`write ${name}`)
          const cut = faults.writev?.(buffers, position)
          if (cut === undefined) return file.writev(buffers, position)
          return file.writev([Buffer.concat(buffers).subarray(0, cut)], position)
        }) as unknown as SegmentFile['writev'],
        async datasync() {
          calls.push(`sync ${name}`)
          faults.datasync?.()
          await file.datasync()
        },
        async truncate(length) {
          calls.push(`truncate ${name}`)
          faults.truncate?.()
          await file.truncate(length)
        },
        async close() {
          calls.push(`close ${name}`)
          await file.close()
        },
      }
      return wrapped as SegmentFile
    },
  }
}

/** Resolves when the condition holds, as soon as the event loop comes round to it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => setImmediate(resolve))
}
