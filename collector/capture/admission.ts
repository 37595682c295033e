/**
 * Admission: which frames may come in, and the books about those that may not.
 *
 * `Admission.check` looks at the form of a frame and, if an agent key is configured, at chunk 14. The key is
 * compared in constant time, over SHA-256 of both sides, so that neither its bytes nor its length can be timed. HEP2
 * has no place for a key: with one configured it is refused, and without `capture.hep2` it is no HEP at all.
 * `Refusals` counts every refusal by reason and keeps a sample a second of each, with the agent key blanked: a
 * wrong key is often the right one of another place.
 *
 * Source   metrics.md §7, §13.1; faults.md §4.1.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { CAPTURE_REASONS, type CaptureReason, type RefusedSample } from '../../schemas/reasons.js'
import { isHep2 } from '../../sip/hep.js'
import { checkHep2 } from '../../sip/hep2.js'
import { authKeyOf, checkHep3 } from '../../sip/hep3.js'

export const SAMPLE_MAX_BYTES = 2_048
const SAMPLE_INTERVAL_US = 1_000_000
const BLANK = 0x2a // '*'

export class Admission {
  readonly #keyDigest: Buffer | undefined
  readonly #takesHep2: boolean

  constructor(agentKey: string | undefined, takesHep2 = false) {
    this.#keyDigest = agentKey === undefined ? undefined : hash('sha256', agentKey, 'buffer')
    this.#takesHep2 = takesHep2
  }

  /** '' or why bytes[start, end) is not accepted. */
  check(bytes: Buffer, start: number, end: number): CaptureReason | '' {
    if (this.#takesHep2 && isHep2(bytes[start])) {
      return checkHep2(bytes, start, end) || (this.#keyDigest === undefined ? '' : 'key_missing')
    }
    const refused = checkHep3(bytes, start, end)
    if (refused !== '' || this.#keyDigest === undefined) return refused
    const key = authKeyOf(bytes, start, end)
    if (key === undefined) return 'key_missing'
    return timingSafeEqual(hash('sha256', key, 'buffer'), this.#keyDigest) ? '' : 'key_mismatch'
  }
}

export class Refusals {
  /** Since the start, by reason. */
  readonly counts = Object.fromEntries(Object.keys(CAPTURE_REASONS).map((reason) => [reason, 0])) as Record<
    CaptureReason,
    number
  >

  /** The keys to blank: the configured one, and the one before it, which agents still send after a change. */
  #agentKeys: Buffer[] = []
  readonly #sampledAtUs = new Map<CaptureReason, number>()
  #samples: RefusedSample[] = []

  constructor(agentKey: string | undefined) {
    this.changeKey(agentKey)
  }

  changeKey(agentKey: string | undefined): void {
    if (agentKey !== undefined) this.#agentKeys = [Buffer.from(agentKey), ...this.#agentKeys].slice(0, 2)
  }

  refuse(
    reason: CaptureReason,
    receivedAtUs: number,
    transport: string,
    peerAddress: string,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    this.counts[reason]++
    const sampledAtUs = this.#sampledAtUs.get(reason)
    if (sampledAtUs !== undefined && receivedAtUs - sampledAtUs < SAMPLE_INTERVAL_US) return
    this.#sampledAtUs.set(reason, receivedAtUs)
    const sample = Buffer.allocUnsafeSlow(Math.min(end - start, SAMPLE_MAX_BYTES))
    bytes.copy(sample, 0, start, start + sample.length)
    blankAgentKey(sample)
    for (const agentKey of this.#agentKeys) blankAgentKey(sample, agentKey)
    this.#samples.push({
      stage: 'capture',
      reason,
      receivedAtUs,
      transport,
      peerAddress,
      sizeBytes: end - start,
      sample,
    })
  }

  /** Refusals without bytes of their own: the kernel's drops, frames lost when the spool was closed. */
  count(reason: CaptureReason, frames: number): void {
    this.counts[reason] += frames
  }

  /** The samples since the last call. At most one a reason and second, so there are few. */
  takeSamples(): RefusedSample[] {
    const samples = this.#samples
    this.#samples = []
    return samples
  }
}

/**
 * Overwrites every agent key in the sample, in place. Refused bytes are often not a frame that could be walked
 * chunk by chunk, so everything that looks like the header of chunk 14 (vendor 0) is taken for one; and the
 * configured key is blanked wherever it stands, also where the sample begins or ends in the middle of it.
 */
export function blankAgentKey(sample: Buffer, agentKey?: Buffer): void {
  for (let at = 0; at + 6 < sample.length; at++) {
    if (sample[at] !== 0 || sample[at + 1] !== 0 || sample[at + 2] !== 0 || sample[at + 3] !== 0x0e) continue
    const length = (sample[at + 4]! << 8) | sample[at + 5]!
    if (length > 6) sample.fill(BLANK, at + 6, Math.min(sample.length, at + length))
  }
  if (agentKey === undefined || agentKey.length === 0) return
  for (let at = sample.indexOf(agentKey); at >= 0; at = sample.indexOf(agentKey, at)) {
    sample.fill(BLANK, at, at + agentKey.length)
  }
  const partMax = Math.min(agentKey.length - 1, sample.length)
  for (let part = partMax; part > 1; part--) {
    const isTail = sample.compare(agentKey, agentKey.length - part, agentKey.length, 0, part) === 0
    if (isTail) sample.fill(BLANK, 0, part)
    const isHead = sample.compare(agentKey, 0, part, sample.length - part) === 0
    if (isHead) sample.fill(BLANK, sample.length - part)
  }
}
