/**
 * Frames of a capture file → batches for the store. A capture is HEP frames one after another, each with its own length; or
 * pcap or pcapng, told by its first bytes, whose SIP messages become HEP3 frames of an agent that the caller names. Files
 * are read in pieces, never whole. Of a file that cannot be read to its end, what came before it is given.
 *
 * The time of arrival is not in such a file: the capture time stands in, never going back and never later than now, so
 * that an old capture is not "late" and as_of walks through it as it did then.
 */
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { ReceivedFrame } from '../schemas/hep-frame.js'
import type { PcapReason } from '../schemas/pcap-reasons.js'
import { decodeHep3, encodeHep3 } from '../sip/hep3.js'
import { Hep3StreamReader } from '../sip/hep3-stream.js'
import { isPcap, MAGIC_BYTES } from '../sip/pcap.js'
import { type CapturedMessage, PcapMessages } from '../sip/pcap-messages.js'
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
  /** Packets of pcap files, and what of them gave no message. */
  packets: number
  unread: Map<PcapReason, number>
}

/** Whose the frames of a pcap file are said to be: no agent has sent them. */
export interface PcapAgent {
  agentId: number
  agentName: string
}

/** The same for every file: what is replayed again under another name is the same message. */
export const PCAP_AGENT: PcapAgent = { agentId: 0, agentName: 'pcap' }

export const noProgress = (): ReplayProgress => ({
  frames: 0,
  bytes: 0,
  bytesOfAll: 0,
  skippedBytes: 0,
  firstUs: 0,
  lastUs: 0,
  packets: 0,
  unread: new Map(),
})

const FRAMES_A_BATCH = 1_000
const READ_BYTES = 1_048_576
/** A frame has room for it, with addresses and the longest name of an agent. */
const MESSAGE_MAX_BYTES = 65_000

type OnFrame = (bytes: Buffer, capturedAtUs: number) => void

/** One file, as its reads come. */
interface FileReader {
  push(chunk: Buffer): void
  end(): void
}

/** @throws the file system's error when a file cannot be read */
export async function* readFrames(
  files: readonly string[],
  progress: ReplayProgress,
  agent: PcapAgent = PCAP_AGENT,
): AsyncGenerator<ReceivedFrame[]> {
  for (const file of files) progress.bytesOfAll += (await stat(file)).size
  let receivedAtUs = 0
  for (const file of files) {
    const frames: ReceivedFrame[] = []
    const onFrame: OnFrame = (bytes, capturedAtUs) => {
      receivedAtUs = Math.max(receivedAtUs, arrivalOf(capturedAtUs, progress))
      frames.push({ receivedAtUs, transport: 'file', peerAddress: 'file', bytes, position: 0 })
    }
    const reader = (await beginsAsPcap(file))
      ? new PcapFileReader(onFrame, progress, agent)
      : new HepFileReader(onFrame, progress)
    for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES })) {
      reader.push(chunk as Buffer)
      progress.bytes += (chunk as Buffer).length
      while (frames.length >= FRAMES_A_BATCH) {
        progress.frames += FRAMES_A_BATCH
        yield frames.splice(0, FRAMES_A_BATCH)
      }
    }
    reader.end()
    progress.frames += frames.length
    if (frames.length > 0) yield frames
  }
}

async function beginsAsPcap(file: string): Promise<boolean> {
  const opened = await open(file)
  try {
    const { bytesRead, buffer } = await opened.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0)
    return isPcap(buffer.subarray(0, bytesRead))
  } finally {
    await opened.close()
  }
}

class HepFileReader implements FileReader {
  readonly #reader = new Hep3StreamReader()

  constructor(
    private readonly onFrame: OnFrame,
    private readonly progress: ReplayProgress,
  ) {}

  push(chunk: Buffer): void {
    this.#reader.push(chunk, (bytes, start, end) => {
      const frame = Buffer.from(bytes.subarray(start, end))
      const decoded = decodeHep3(frame)
      this.onFrame(frame, 'reason' in decoded ? 0 : decoded.capturedAtUs)
    })
  }

  end(): void {
    this.progress.skippedBytes += this.#reader.skippedBytes + this.#reader.pendingBytes
  }
}

class PcapFileReader implements FileReader {
  readonly #reader: PcapMessages

  constructor(
    onFrame: OnFrame,
    private readonly progress: ReplayProgress,
    agent: PcapAgent,
  ) {
    this.#reader = new PcapMessages((message) => {
      const frame = frameOf(message, agent)
      if (frame === undefined) this.#count('message_too_large', 1)
      else onFrame(frame, message.capturedAtUs)
    })
  }

  push(chunk: Buffer): void {
    this.#reader.push(chunk)
  }

  end(): void {
    this.#reader.end()
    this.progress.packets += this.#reader.packets
    for (const [reason, count] of this.#reader.unread) this.#count(reason, count)
  }

  #count(reason: PcapReason, count: number): void {
    this.progress.unread.set(reason, (this.progress.unread.get(reason) ?? 0) + count)
  }
}

/** undefined: the message has no room in a frame. */
function frameOf(message: CapturedMessage, { agentId, agentName }: PcapAgent): Buffer | undefined {
  if (message.payload.length > MESSAGE_MAX_BYTES) return undefined
  const { capturedAtUs, ...fields } = message
  return encodeHep3({
    ...fields,
    ...(capturedAtUs === 0 ? {} : { capturedAtUs }),
    ...(agentId === 0 ? {} : { agentId }),
    ...(agentName === '' ? {} : { agentName }),
  })
}

/** The capture time, not later than now; now for a frame that has none. */
function arrivalOf(capturedAtUs: number, progress: ReplayProgress): number {
  const nowUs = Date.now() * 1_000
  if (capturedAtUs === 0) return progress.lastUs || nowUs
  const atUs = Math.min(capturedAtUs, nowUs)
  progress.firstUs = progress.firstUs === 0 ? atUs : Math.min(progress.firstUs, atUs)
  progress.lastUs = Math.max(progress.lastUs, atUs)
  return atUs
}

/** The frames as a bus would deliver them. */
export async function* replayBatches(
  files: readonly string[],
  progress: ReplayProgress,
  agent: PcapAgent = PCAP_AGENT,
): AsyncGenerator<BusBatch> {
  let position = 0
  for await (const frames of readFrames(files, progress, agent)) {
    const nextPosition = position + frames.length
    const receivedUntilUs = frames.at(-1)?.receivedAtUs ?? 0
    yield { partition: 0, basePartition: 0, frames, position, nextPosition, receivedUntilUs }
    position = nextPosition
  }
}
