// tidy: tested by test/pipeline/real-capture.test.ts
/**
 * Frames of a capture file → batches for the store: HEP frames one after another, each with its own length.
 *
 * The time of arrival is not in such a file: the capture time stands in, never going back and never later than now, so
 * that an old capture is not "late" and as_of walks through it as it did then.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { ReceivedFrame } from '../schemas/hep-frame.js'
import { decodeHep3 } from '../sip/hep3.js'
import { Hep3StreamReader } from '../sip/hep3-stream.js'
import type { BusBatch } from './bus/bus.js'

export interface ReplayProgress {
  frames: number
  bytes: number
  bytesOfAll: number
  /** Bytes between frames that belong to none. */
  skippedBytes: number
  /** Earliest and latest capture time, microseconds since 1970 UTC; 0 while there is none. */
  firstUs: number
  lastUs: number
}

export const noProgress = (): ReplayProgress => ({
  frames: 0,
  bytes: 0,
  bytesOfAll: 0,
  skippedBytes: 0,
  firstUs: 0,
  lastUs: 0,
})

const FRAMES_A_BATCH = 1_000
const READ_BYTES = 1_048_576

/** @throws the file system's error when a file cannot be read */
export async function* readFrames(
  files: readonly string[],
  progress: ReplayProgress,
): AsyncGenerator<ReceivedFrame[]> {
  for (const file of files) progress.bytesOfAll += (await stat(file)).size
  let receivedAtUs = 0
  for (const file of files) {
    const reader = new Hep3StreamReader()
    let frames: ReceivedFrame[] = []
    for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES })) {
      reader.push(chunk as Buffer, (bytes, start, end) => {
        const frame = Buffer.from(bytes.subarray(start, end))
        receivedAtUs = Math.max(receivedAtUs, arrivalOf(frame, progress))
        frames.push({ receivedAtUs, transport: 'file', peerAddress: 'file', bytes: frame, position: 0 })
      })
      progress.bytes += (chunk as Buffer).length
      while (frames.length >= FRAMES_A_BATCH) {
        progress.frames += FRAMES_A_BATCH
        yield frames.splice(0, FRAMES_A_BATCH)
      }
    }
    progress.frames += frames.length
    progress.skippedBytes += reader.skippedBytes + reader.pendingBytes
    if (frames.length > 0) yield frames
    frames = []
  }
}

/** The capture time, not later than now; now for a frame that has none. */
function arrivalOf(bytes: Buffer, progress: ReplayProgress): number {
  const nowUs = Date.now() * 1_000
  const frame = decodeHep3(bytes)
  if ('reason' in frame || frame.capturedAtUs === 0) return progress.lastUs || nowUs
  const atUs = Math.min(frame.capturedAtUs, nowUs)
  progress.firstUs = progress.firstUs === 0 ? atUs : Math.min(progress.firstUs, atUs)
  progress.lastUs = Math.max(progress.lastUs, atUs)
  return atUs
}

/** The frames as a bus would deliver them. */
export async function* replayBatches(
  files: readonly string[],
  progress: ReplayProgress,
): AsyncGenerator<BusBatch> {
  let position = 0
  for await (const frames of readFrames(files, progress)) {
    const nextPosition = position + frames.length
    const receivedUntilUs = frames.at(-1)?.receivedAtUs ?? 0
    yield { partition: 0, basePartition: 0, frames, position, nextPosition, receivedUntilUs }
    position = nextPosition
  }
}
