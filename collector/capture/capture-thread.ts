/**
 * The capture thread: UDP, TCP, TLS and the spool's writer, away from everything that takes time. It does as little as
 * possible per frame: look at it, copy it into the current batch, or count why not.
 *
 * Takes    `workerData`: ThreadOptions; messages `ToThread`.
 * Returns  messages `FromThread`: first `ready` or `failed`; then at most every 10 ms how far the spool is synced,
 *          every 500 ms the counters and the samples of what was refused; `stopped` last.
 * Throws   nothing it could handle: what is left is a defect, ends the thread, and reaches the main thread as the
 *          worker's error.
 * Source   design.md §1–2, faults.md §2.1.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type ReceivedFrame, TRANSPORTS, type Transport } from '../../schemas/hep-frame.js'
import { Refusals } from './admission.js'
import { CaptureError } from './capture-error.js'
import type {
  CaptureCounters,
  FromThread,
  PackedFrames,
  ThreadOptions,
  ToThread,
} from './capture-messages.js'
import { CaptureIntake } from './frame-intake.js'
import { ReceiveClock } from './receive-clock.js'
import { SpoolWriter } from './spool.js'
import { AgentStreams } from './streams.js'
import { listenTcp, type TcpListener } from './tcp.js'
import { listenTls, type TlsListener } from './tls.js'
import { listenUdp, type UdpReceiver } from './udp.js'

const NOTIFY_INTERVAL_MS = 10
const TICK_MS = 500
const TRANSPORT_INDEX = {
  udp: TRANSPORTS.indexOf('udp'),
  tcp: TRANSPORTS.indexOf('tcp'),
  tls: TRANSPORTS.indexOf('tls'),
}

class CaptureThread {
  readonly #port: MessagePort
  readonly #options: ThreadOptions
  readonly #clock = new ReceiveClock()
  readonly #refusals: Refusals
  #spool!: SpoolWriter
  #intake!: CaptureIntake
  #streams!: AgentStreams
  #udp: UdpReceiver | undefined
  #tcp: TcpListener | undefined
  #tls: TlsListener | undefined
  #notifyTimer: NodeJS.Timeout | undefined
  #notifiedAtMs = 0
  #ticks: NodeJS.Timeout | undefined
  #tickCount = 0
  #isStopping = false

  constructor(port: MessagePort, options: ThreadOptions) {
    this.#port = port
    this.#options = options
    this.#refusals = new Refusals(options.admission.agentKey)
  }

  async start(): Promise<void> {
    const { options, onNotice } = { options: this.#options, onNotice: this.#notice.bind(this) }
    this.#spool = await SpoolWriter.open({
      folder: options.spoolFolder,
      nowUs: () => this.#clock.nowUs(),
      onDurable: () => this.#notifySoon(),
      onNotice,
      sizeMaxBytes: options.spoolSizeMaxBytes,
      memoryMaxBytes: options.spoolMemoryMaxBytes,
      segmentBytes: options.spoolSegmentBytes,
      safetyAgeMs: options.spoolSafetyAgeMs,
    })
    await this.#listen(onNotice)
    this.#port.on('message', (message: ToThread) => this.#onMessage(message))
    this.#ticks = setInterval(() => this.#tick(), TICK_MS).unref()
    this.#post({
      type: 'ready',
      udp: this.#udp?.bound,
      tcp: this.#tcp?.bound,
      tls: this.#tls?.bound,
      endPosition: this.#spool.endPosition,
      receivedUntilUs: this.#spool.receivedUntilUs,
      counters: this.#counters(),
    })
  }

  async #listen(onNotice: (sentence: string) => void): Promise<void> {
    const options = this.#options
    const spool = this.#spool
    const intake = new CaptureIntake({
      settings: options.admission,
      refusals: this.#refusals,
      nowUs: () => this.#clock.nowUs(),
      append: (receivedAtUs, transport, peerAddress, bytes, start, end) =>
        spool.append(receivedAtUs, TRANSPORT_INDEX[transport], peerAddress, bytes, start, end),
    })
    const streams = new AgentStreams({
      intake,
      onNotice,
      connectionsMax: options.tcpConnectionsMax,
      connectionsPerAddressMax: options.tcpConnectionsPerAddressMax,
      idleTimeoutMs: options.tcpIdleTimeoutMs,
      frameTimeoutMs: options.tcpFrameTimeoutMs,
    })
    this.#intake = intake
    this.#streams = streams
    if (options.udp !== undefined) {
      const { receiveBufferBytes } = options
      this.#udp = await listenUdp({ ...options.udp, receiveBufferBytes, intake, onNotice })
    }
    if (options.tcp !== undefined) {
      this.#tcp = await listenTcp({ ...options.tcp, streams, intake, onNotice })
    }
    if (options.tls !== undefined) {
      const files = options.tlsFiles
      if (files === undefined) throw tlsWithoutFiles()
      this.#tls = await listenTls({ ...options.tls, files, streams, intake, onNotice })
    }
  }

  #onMessage(message: ToThread): void {
    if (message.type === 'committed') this.#spool.committed(message.position)
    else if (message.type === 'publish') void this.#publish(message.id, message.frames)
    else if (message.type === 'reload') this.#reload(message)
    else if (!this.#isStopping) void this.#stop()
  }

  /** From the next frame on. Connections stay, except those whose address may not send any more. */
  #reload({ admission, id, tlsFiles }: Extract<ToThread, { type: 'reload' }>): void {
    const notices: string[] = []
    this.#intake.change(admission)
    this.#streams.closeDisallowed()
    if (this.#tls !== undefined) {
      try {
        if (tlsFiles === undefined) throw tlsWithoutFiles()
        this.#tls.reload(tlsFiles)
      } catch (error) {
        if (!(error instanceof CaptureError)) throw error
        notices.push(`${error.message} The certificates in use stay.`)
      }
    }
    this.#post({ type: 'reloaded', id, notices })
  }

  async #publish(id: number, frames: PackedFrames): Promise<void> {
    try {
      await this.#spool.publish(unpackFrames(frames))
      this.#post({ type: 'published', id, failure: undefined })
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error
      this.#post({ type: 'published', id, failure: { code: error.code, message: error.message } })
    }
  }

  /** Drains: no new frames, everything held goes to disk, the last word about positions and counters goes out. */
  async #stop(): Promise<void> {
    this.#isStopping = true
    clearInterval(this.#ticks)
    const listenersClosed = [this.#tcp?.close(), this.#tls?.close()]
    const [dropped] = await Promise.all([this.#udp?.close(), this.#streams.close(), ...listenersClosed])
    this.#refusals.count('kernel_drop', dropped ?? 0)
    await this.#spool.close()
    this.#refusals.count('spool_full', this.#spool.lost.spool_full)
    this.#refusals.count('spool_slow', this.#spool.lost.spool_slow)
    clearTimeout(this.#notifyTimer)
    this.#notify()
    this.#postCounters()
    this.#post({ type: 'stopped' })
    this.#port.close()
  }

  #tick(): void {
    this.#tickCount++
    if (this.#tickCount % 2 === 0) {
      this.#clock.follow()
      this.#refusals.count('kernel_drop', this.#udp?.takeKernelDrops() ?? 0)
      this.#streams.sweep()
    }
    this.#spool.collect()
    this.#notifySoon() // So that time passes for the reader, also when nothing arrives.
    this.#postCounters()
  }

  #notifySoon(): void {
    if (this.#notifyTimer !== undefined) return
    const waitMs = this.#notifiedAtMs + NOTIFY_INTERVAL_MS - performance.now()
    if (waitMs <= 0) this.#notify()
    else this.#notifyTimer = setTimeout(() => this.#notify(), waitMs)
  }

  #notify(): void {
    this.#notifyTimer = undefined
    this.#notifiedAtMs = performance.now()
    const { endPosition, receivedUntilUs } = this.#spool
    this.#post({ type: 'notify', endPosition, receivedUntilUs })
  }

  #postCounters(): void {
    this.#post({ type: 'counters', counters: this.#counters(), samples: this.#refusals.takeSamples() })
  }

  #counters(): CaptureCounters {
    const spool = this.#spool
    return {
      acceptedFrames: byTransport(spool.acceptedFrames),
      acceptedBytes: byTransport(spool.acceptedBytes),
      refused: { ...this.#refusals.counts },
      skippedBytes: this.#streams.skippedBytes,
      receiveBufferAskedBytes: this.#options.receiveBufferBytes,
      receiveBufferGrantedBytes: this.#udp?.receiveBufferGrantedBytes ?? 0,
      connectionsOpen: this.#streams.connectionsOpen,
      framesInFlight: spool.framesInFlight,
      spoolBytes: spool.sizeBytes,
      spoolSegments: spool.segmentCount,
      spoolState: spool.state,
      spoolSegmentsCutShort: spool.segmentsCutShort,
      spoolWriteFailures: spool.writeFailures,
    }
  }

  #notice(sentence: string): void {
    this.#post({ type: 'notice', sentence })
  }

  #post(message: FromThread): void {
    this.#port.postMessage(message)
  }
}

function tlsWithoutFiles(): CaptureError {
  return new CaptureError(
    'TRUNKSCOPE_CAPTURE_TLS_FILES',
    'HEP over TLS has no certificate: give cert_file and key_file under capture.tls of the configuration.',
  )
}

function byTransport(values: number[]): Record<Transport, number> {
  return Object.fromEntries(TRANSPORTS.map((transport, index) => [transport, values[index]])) as Record<
    Transport,
    number
  >
}

function unpackFrames(packed: PackedFrames): ReceivedFrame[] {
  const bytes = Buffer.from(packed.bytes.buffer, packed.bytes.byteOffset, packed.bytes.byteLength)
  let at = 0
  return packed.lengths.map((length, index) => {
    at += length
    return {
      receivedAtUs: packed.receivedAtUs[index]!,
      transport: packed.transports[index]!,
      peerAddress: packed.peerAddresses[index]!,
      bytes: bytes.subarray(at - length, at),
      position: 0,
    }
  })
}

if (parentPort !== null) {
  const port = parentPort
  new CaptureThread(port, workerData as ThreadOptions).start().catch((error: unknown) => {
    const code = error instanceof CaptureError ? error.code : 'TRUNKSCOPE_CAPTURE_THREAD_FAILED'
    const message = error instanceof Error ? error.message : String(error)
    port.postMessage({ type: 'failed', code, message } satisfies FromThread)
    // A socket that was bound before the failure would keep the thread alive; the message above still goes out.
    setImmediate(() => process.exit(1))
  })
}
