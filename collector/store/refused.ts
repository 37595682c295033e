/** Samples of what was refused, as rows of `rejected_frames`; and how many there were, by stage and reason. */
import { createHash } from 'node:crypto'
import type { Column } from '../../schemas/call-attempts.js'
import type { Reason, RefusedSample, Stage } from '../../schemas/reasons.js'

export interface RefusedRow {
  sample: RefusedSample
  storedAtS: number
}

export const REFUSED_COLUMNS: readonly Column<RefusedRow>[] = [
  { name: 'received_at', type: 'DateTime64(6)', of: ({ sample }) => sample.receivedAtUs },
  { name: 'sample_id', type: 'FixedString(16)', of: ({ sample }) => sampleId(sample) },
  { name: 'stage', type: 'String', of: ({ sample }) => sample.stage },
  { name: 'reason', type: 'String', of: ({ sample }) => sample.reason },
  { name: 'transport', type: 'String', of: ({ sample }) => sample.transport },
  { name: 'peer_address', type: 'String', of: ({ sample }) => sample.peerAddress },
  { name: 'size_bytes', type: 'UInt32', of: ({ sample }) => sample.sizeBytes },
  { name: 'sample', type: 'String', of: ({ sample }) => sample.sample },
  { name: 'stored_at', type: 'DateTime', of: ({ storedAtS }) => storedAtS },
]

const SAMPLE_MAX_BYTES = 2_048
const SAMPLES_WAITING_MAX = 1_000

function sampleId(sample: RefusedSample): string {
  const text = `${sample.stage}|${sample.reason}|${sample.receivedAtUs}|${sample.peerAddress}|`
  return createHash('sha256').update(text).update(sample.sample).digest('hex').slice(0, 32)
}

export class RefusedSamples {
  readonly counts = new Map<string, number>()
  #waiting: RefusedSample[] = []
  #lastSampleS = new Map<string, number>()

  /** Counts what the store's stages refuse, and keeps one sample a reason and second of arrival. */
  note(
    stage: Stage,
    reason: Reason,
    receivedAtUs: number,
    transport: string,
    peerAddress: string,
    bytes: Buffer,
  ): void {
    const name = `${stage}/${reason}`
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
    const second = Math.floor(receivedAtUs / 1_000_000)
    if (this.#lastSampleS.get(name) === second) return
    this.#lastSampleS.set(name, second)
    const sample = Buffer.from(bytes.subarray(0, SAMPLE_MAX_BYTES))
    this.add([{ stage, reason, receivedAtUs, transport, peerAddress, sizeBytes: bytes.length, sample }])
  }

  /** Samples that capture took; it counts them itself. */
  add(samples: readonly RefusedSample[]): void {
    const room = SAMPLES_WAITING_MAX - this.#waiting.length
    this.#waiting.push(...samples.slice(0, Math.max(0, room)))
  }

  take(): RefusedSample[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }
}
