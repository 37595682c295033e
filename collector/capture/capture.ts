/**
 * Capture as the rest of the process sees it: starts the capture thread, passes its word on, stops it.
 *
 * Takes    where to listen and where the spool is; callbacks for what the thread says.
 * Returns  `startCapture` resolves when the sockets are bound and the spool is open.
 * Throws   `startCapture` rejects with a CaptureError: TRUNKSCOPE_CAPTURE_PORT_IN_USE, TRUNKSCOPE_CAPTURE_BIND_FAILED,
 *          TRUNKSCOPE_CAPTURE_TLS_FILES, TRUNKSCOPE_SPOOL_OPEN_FAILED. Later `onFatal` gets TRUNKSCOPE_CAPTURE_THREAD_FAILED: nothing is captured
 *          any more, and the process should say so and end.
 *
 * The thread is started from compiled code: run this from dist/.
 */
import { Worker } from 'node:worker_threads'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import type { RefusedSample } from '../../schemas/reasons.js'
import { CaptureError } from './capture-error.js'
import type {
  CaptureCounters,
  FromThread,
  PackedFrames,
  ThreadOptions,
  ToThread,
} from './capture-messages.js'
import type { AdmissionSettings } from './frame-intake.js'
import type { BoundAddress } from './frames.js'
import type { TlsFiles } from './tls.js'

export type { CaptureCounters } from './capture-messages.js'
export type { BoundAddress } from './frames.js'
export type { TlsFiles } from './tls.js'

/** What can change while it runs. */
export interface CaptureSettings {
  /** What agents have to put into chunk 14. */
  agentKey?: string | undefined
  /** CIDRs agents may send from; empty or left out: from anywhere. */
  allowedAgents?: readonly string[]
  /** Whether HEP1 and HEP2 are taken, over UDP. */
  hep2?: boolean
  /** What the TLS listener shows and asks for. */
  tlsFiles?: TlsFiles | undefined
}

export interface CaptureOptions extends CaptureSettings {
  /** `<data>/spool`. */
  spoolFolder: string
  /** Where to listen; left out: not at all. Port 0 lets the system choose. */
  udp?: BoundAddress
  tcp?: BoundAddress
  /** Needs `tlsFiles`. */
  tls?: BoundAddress | undefined
  receiveBufferBytes?: number
  tcpConnectionsMax?: number
  tcpConnectionsPerAddressMax?: number
  /** An hour at least: agents keep silent connections. */
  tcpIdleTimeoutMs?: number
  tcpFrameTimeoutMs?: number
  spoolSizeMaxBytes?: number
  spoolMemoryMaxBytes?: number
  spoolSegmentBytes?: number
  spoolSafetyAgeMs?: number

  /** At most every 10 ms: everything before `endPosition` is on disk; hand it to `SpoolBus.notify`. */
  onNotify?: (endPosition: number, receivedUntilUs: number) => void
  /** Samples of what was refused, at most one a reason and second. */
  onRefused?: (samples: RefusedSample[]) => void
  /** A sentence for the log. */
  onNotice?: (sentence: string) => void
  /** The thread ended without being asked to. */
  onFatal: (error: CaptureError) => void
}

export interface Capture {
  readonly bound: {
    udp: BoundAddress | undefined
    tcp: BoundAddress | undefined
    tls: BoundAddress | undefined
  }
  readonly bufferAsked: number
  /** As Linux counts it (twice what was set); 0 without UDP. */
  readonly bufferGranted: number
  /** As of the last notification. */
  readonly endPosition: number
  readonly receivedUntilUs: number
  /** At most 500 ms old. */
  counters(): CaptureCounters
  /** Everything before the position is stored: its segments may be deleted. */
  committed(position: number): void
  /** Puts frames into the spool; resolves when they are on disk. */
  publish(frames: ReceivedFrame[]): Promise<void>
  /**
   * The settings as a whole, from the next frame on: what is left out has its default. The certificates are read again
   * also when their names stay. Connections stay open, except those whose address is not allowed any more. Resolves with
   * what could not be done, in sentences.
   */
  reload(settings: CaptureSettings): Promise<string[]>
  /** Stops receiving, writes what is held, resolves when the thread has ended. */
  stop(): Promise<void>
}

type Ready = Extract<FromThread, { type: 'ready' }>

class ThreadedCapture implements Capture {
  readonly bound: Capture['bound']
  endPosition: number
  receivedUntilUs: number
  readonly #worker: Worker
  readonly #options: CaptureOptions
  readonly #whenEnded: Promise<void>
  readonly #publishing = new Map<number, (failure: CaptureError | undefined) => void>()
  #counters: CaptureCounters
  readonly #reloading = new Map<number, (notices: string[] | undefined) => void>()
  #publishCount = 0
  #reloadCount = 0
  #isStopping = false
  #hasEnded = false
  #error: unknown

  constructor(worker: Worker, options: CaptureOptions, ready: Ready) {
    this.#worker = worker
    this.#options = options
    this.bound = { udp: ready.udp, tcp: ready.tcp, tls: ready.tls }
    this.endPosition = ready.endPosition
    this.receivedUntilUs = ready.receivedUntilUs
    this.#counters = ready.counters
    worker.on('message', (message: FromThread) => this.#onMessage(message))
    worker.on('error', (error) => {
      this.#error = error
    })
    this.#whenEnded = new Promise((resolve) => {
      worker.on('exit', () => {
        this.#onExit()
        resolve()
      })
    })
  }

  get bufferAsked(): number {
    return this.#counters.receiveBufferAskedBytes
  }

  get bufferGranted(): number {
    return this.#counters.receiveBufferGrantedBytes
  }

  counters(): CaptureCounters {
    return this.#counters
  }

  committed(position: number): void {
    this.#post({ type: 'committed', position })
  }

  async publish(frames: ReceivedFrame[]): Promise<void> {
    if (this.#hasEnded || this.#isStopping) throw stoppedError()
    const id = ++this.#publishCount
    const failure = await new Promise<CaptureError | undefined>((resolve) => {
      this.#publishing.set(id, resolve)
      this.#post({ type: 'publish', id, frames: packFrames(frames) })
    })
    if (failure !== undefined) throw failure
  }

  async reload(settings: CaptureSettings): Promise<string[]> {
    if (this.#hasEnded || this.#isStopping) throw stoppedError()
    const id = ++this.#reloadCount
    const notices = await new Promise<string[] | undefined>((resolve) => {
      this.#reloading.set(id, resolve)
      this.#post({ type: 'reload', id, admission: admissionOf(settings), tlsFiles: settings.tlsFiles })
    })
    if (notices === undefined) throw stoppedError()
    return notices
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.#post({ type: 'stop' })
    await this.#whenEnded
  }

  #post(message: ToThread): void {
    if (!this.#hasEnded) this.#worker.postMessage(message)
  }

  #onMessage(message: FromThread): void {
    switch (message.type) {
      case 'notify':
        this.endPosition = message.endPosition
        this.receivedUntilUs = message.receivedUntilUs
        this.#options.onNotify?.(message.endPosition, message.receivedUntilUs)
        break
      case 'counters':
        this.#counters = message.counters
        if (message.samples.length > 0) this.#options.onRefused?.(message.samples.map(asBuffer))
        break
      case 'notice':
        this.#options.onNotice?.(message.sentence)
        break
      case 'published': {
        const { id, failure } = message
        this.#publishing.get(id)?.(failure && new CaptureError(failure.code, failure.message))
        this.#publishing.delete(id)
        break
      }
      case 'reloaded':
        this.#reloading.get(message.id)?.(message.notices)
        this.#reloading.delete(message.id)
        break
      case 'stopped':
        this.#isStopping = true
    }
  }

  #onExit(): void {
    this.#hasEnded = true
    for (const settle of this.#publishing.values()) settle(stoppedError())
    this.#publishing.clear()
    for (const settle of this.#reloading.values()) settle(undefined)
    this.#reloading.clear()
    if (this.#error !== undefined || !this.#isStopping) this.#options.onFatal(threadError(this.#error))
  }
}

export async function startCapture(options: CaptureOptions): Promise<Capture> {
  const receiveBufferBytes = options.receiveBufferBytes ?? 8_388_608
  const workerData: ThreadOptions = {
    spoolFolder: options.spoolFolder,
    udp: options.udp,
    tcp: options.tcp,
    tls: options.tls,
    tlsFiles: options.tlsFiles,
    admission: admissionOf(options),
    receiveBufferBytes,
    tcpConnectionsMax: options.tcpConnectionsMax ?? 1_024,
    tcpConnectionsPerAddressMax: options.tcpConnectionsPerAddressMax ?? 64,
    tcpIdleTimeoutMs: options.tcpIdleTimeoutMs ?? 7_200_000,
    tcpFrameTimeoutMs: options.tcpFrameTimeoutMs ?? 30_000,
    spoolSizeMaxBytes: options.spoolSizeMaxBytes,
    spoolMemoryMaxBytes: options.spoolMemoryMaxBytes,
    spoolSegmentBytes: options.spoolSegmentBytes,
    spoolSafetyAgeMs: options.spoolSafetyAgeMs,
  }
  const worker = new Worker(new URL('./capture-thread.js', import.meta.url), {
    workerData,
    name: 'trunkscope-capture',
  })
  const capture = await new Promise<ThreadedCapture>((resolve, reject) => {
    const onError = (error: unknown) => reject(threadError(error))
    const onExit = () => reject(threadError(undefined))
    const onMessage = (message: FromThread) => {
      if (message.type === 'notice') return options.onNotice?.(message.sentence)
      if (message.type !== 'ready' && message.type !== 'failed') return
      worker.off('error', onError).off('exit', onExit)
      if (message.type === 'ready') resolve(new ThreadedCapture(worker, options, message))
      else worker.once('exit', () => reject(new CaptureError(message.code, message.message)))
      // Last: without any listener the worker's port would stop for good.
      worker.off('message', onMessage)
    }
    worker.on('message', onMessage).on('error', onError).on('exit', onExit)
  })
  warnOfSmallBuffer(capture, options.onNotice)
  return capture
}

function admissionOf({ agentKey, allowedAgents, hep2 }: CaptureSettings): AdmissionSettings {
  return { agentKey, allowedAgents: allowedAgents ?? [], hep2: hep2 ?? false }
}

function warnOfSmallBuffer(capture: Capture, onNotice: CaptureOptions['onNotice']): void {
  if (capture.bound.udp === undefined || capture.bufferGranted >= capture.bufferAsked) return
  onNotice?.(
    `The kernel granted ${capture.bufferGranted} bytes of UDP receive buffer, ${capture.bufferAsked} were asked for: bursts ` +
      `may be lost. Raise it with: sysctl -w net.core.rmem_max=${capture.bufferAsked}.`,
  )
}

function threadError(cause: unknown): CaptureError {
  const what = cause instanceof Error ? `: ${cause.message}` : ''
  return new CaptureError(
    'TRUNKSCOPE_CAPTURE_THREAD_FAILED',
    `The capture thread ended unexpectedly${what}. Nothing is captured any more; restart, and report this.`,
    { cause },
  )
}

function stoppedError(): CaptureError {
  return new CaptureError(
    'TRUNKSCOPE_CAPTURE_STOPPED',
    'Capture is stopped: start it again, then publish these frames again.',
  )
}

function asBuffer(sample: RefusedSample): RefusedSample {
  const { buffer, byteOffset, byteLength } = sample.sample as Uint8Array
  return { ...sample, sample: Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength) }
}

function packFrames(frames: ReceivedFrame[]): PackedFrames {
  const lengths = frames.map((frame) => frame.bytes.length)
  const bytes = Buffer.allocUnsafeSlow(lengths.reduce((sum, length) => sum + length, 0))
  let at = 0
  for (const frame of frames) at += frame.bytes.copy(bytes, at)
  return {
    receivedAtUs: frames.map((frame) => frame.receivedAtUs),
    transports: frames.map((frame) => frame.transport),
    peerAddresses: frames.map((frame) => frame.peerAddress),
    lengths,
    bytes,
  }
}
