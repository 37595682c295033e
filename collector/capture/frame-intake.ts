/**
 * What happens to a frame between socket and spool: is its sender allowed, is it a frame, is it ours; then it is spooled
 * or counted.
 *
 * A datagram that is a HEP3 frame in gzip (heplify's `payload_zip`) is inflated here, within its bounds, and it is the
 * inflated frame that is judged and spooled: what lies on disk is what was checked, and every reader behind the spool
 * sees plain frames. Over a stream `Hep3StreamReader` has done so already.
 */
import type { CaptureReason } from '../../schemas/reasons.js'
import { gunzipFrame } from '../../sip/hep-gzip.js'
import { Admission, type Refusals } from './admission.js'
import { AllowedAgents } from './allowed-agents.js'
import type { FrameIntake, SocketTransport } from './frames.js'

/** What a reload may change. */
export interface AdmissionSettings {
  /** What agents have to put into chunk 14. */
  agentKey: string | undefined
  /** CIDRs; empty: from anywhere. */
  allowedAgents: readonly string[]
  hep2: boolean
}

export interface IntakeOptions {
  settings: AdmissionSettings
  refusals: Refusals
  nowUs: () => number
  /** Puts the frame into the spool, or says why not. */
  append: (
    receivedAtUs: number,
    transport: SocketTransport,
    peerAddress: string,
    bytes: Buffer,
    start: number,
    end: number,
  ) => CaptureReason | ''
}

const GZIP_FIRST_BYTE = 0x1f

export class CaptureIntake implements FrameIntake {
  readonly #refusals: Refusals
  readonly #nowUs: () => number
  readonly #append: IntakeOptions['append']
  #admission: Admission
  #allowed: AllowedAgents

  constructor({ append, nowUs, refusals, settings }: IntakeOptions) {
    this.#refusals = refusals
    this.#nowUs = nowUs
    this.#append = append
    this.#admission = new Admission(settings.agentKey, settings.hep2)
    this.#allowed = new AllowedAgents(settings.allowedAgents)
  }

  /** Holds from the next frame on. */
  change({ agentKey, allowedAgents, hep2 }: AdmissionSettings): void {
    this.#admission = new Admission(agentKey, hep2)
    this.#allowed = new AllowedAgents(allowedAgents)
    this.#refusals.changeKey(agentKey)
  }

  isAllowed(peerAddress: string): boolean {
    return this.#allowed.has(peerAddress)
  }

  take(bytes: Buffer, start: number, end: number, transport: SocketTransport, peerAddress: string): void {
    const receivedAtUs = this.#nowUs()
    const reason =
      bytes[start] === GZIP_FIRST_BYTE && transport === 'udp'
        ? this.#takeGzip(receivedAtUs, peerAddress, bytes, start, end)
        : this.#admission.check(bytes, start, end) ||
          this.#append(receivedAtUs, transport, peerAddress, bytes, start, end)
    if (reason !== '') this.#refusals.refuse(reason, receivedAtUs, transport, peerAddress, bytes, start, end)
  }

  #takeGzip(
    receivedAtUs: number,
    peerAddress: string,
    bytes: Buffer,
    start: number,
    end: number,
  ): CaptureReason | '' {
    const unzipped = gunzipFrame(bytes, start, end)
    if ('reason' in unzipped) return unzipped.reason === 'incomplete' ? 'gzip_damaged' : unzipped.reason
    const { frame, memberBytes } = unzipped
    if (memberBytes !== end - start) return 'length_mismatch'
    return (
      this.#admission.check(frame, 0, frame.length) ||
      this.#append(receivedAtUs, 'udp', peerAddress, frame, 0, frame.length)
    )
  }

  refuse(reason: CaptureReason, transport: SocketTransport, peerAddress: string, bytes: Buffer): void {
    this.#refusals.refuse(reason, this.#nowUs(), transport, peerAddress, bytes, 0, bytes.length)
  }
}
