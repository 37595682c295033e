/**
 * The connections of agents, over TCP and TLS alike: a stream of HEP frames each, cut anywhere.
 *
 * Reading never stops because of what comes after: back-pressure would reach the live SBC. So everything that
 * arrives is taken or refused at once, and what a peer can hold is bounded instead: connections in all and per
 * address, one unfinished frame each, a time to finish it. Silence alone is not a fault for an hour and more:
 * agents keep quiet connections open, and some never reconnect.
 *
 * Source   metrics.md §7, §13.1, §13.5; faults.md §3.4.
 */
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { CaptureReason } from '../../schemas/reasons.js'
import { Hep3StreamReader } from '../../sip/hep3-stream.js'
import { DescriptorRoom } from './descriptors.js'
import { type FrameIntake, plainAddress, type StreamTransport } from './frames.js'

export interface StreamOptions {
  intake: FrameIntake
  onNotice: (sentence: string) => void
  /** Over all listeners. */
  connectionsMax: number
  connectionsPerAddressMax: number
  /** Time without a byte after which a connection is closed. */
  idleTimeoutMs: number
  /** Time in which a frame that was begun has to be complete. */
  frameTimeoutMs: number
  /** Monotonic milliseconds. */
  nowMs?: () => number
  descriptors?: DescriptorRoom
}

/** A connection that was let in; `read` makes frames of it. */
export interface AgentConnection {
  readonly transport: StreamTransport
  readonly address: string
  /** The TCP connection, also under TLS: destroying it ends both. */
  readonly socket: Socket
  readonly reader: Hep3StreamReader
  lastByteAtMs: number
  /** When the pending frame began; undefined between frames. */
  frameBegunAtMs: number | undefined
  /** Skipped bytes that have been counted, and whether a run of them is going on. */
  skippedBytes: number
  isSkipping: boolean
  /** It was closed by us, and counted for that. */
  isRefused: boolean
}

const KEEP_ALIVE_MS = 60_000
const DRAIN_TURNS_MAX = 1_000
const NOTHING = Buffer.alloc(0)

export class AgentStreams {
  /** Bytes in all streams that belonged to no frame. */
  skippedBytes = 0
  readonly #options: StreamOptions
  readonly #connections = new Set<AgentConnection>()
  readonly #perAddress = new Map<string, number>()
  readonly #descriptors: DescriptorRoom
  readonly #nowMs: () => number
  #bytesRead = 0
  #isShortOfDescriptors = false

  constructor(options: StreamOptions) {
    this.#options = options
    this.#descriptors = options.descriptors ?? new DescriptorRoom()
    this.#nowMs = options.nowMs ?? (() => performance.now())
  }

  get connectionsOpen(): number {
    return this.#connections.size
  }

  /** Lets a new connection in, or closes and counts it. */
  admit(socket: Socket, transport: StreamTransport): AgentConnection | undefined {
    const address = plainAddress(socket.remoteAddress ?? '')
    socket.on('error', () => {}) // A reset connection: 'close' follows, and tells what there is to tell.
    const reason = this.#reasonAgainst(address)
    if (reason !== '') {
      this.#options.intake.refuse(reason, transport, address, NOTHING)
      socket.destroy()
      return undefined
    }
    const connection: AgentConnection = {
      transport,
      address,
      socket,
      reader: new Hep3StreamReader(),
      lastByteAtMs: this.#nowMs(),
      frameBegunAtMs: undefined,
      skippedBytes: 0,
      isSkipping: false,
      isRefused: false,
    }
    this.#connections.add(connection)
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.once('close', () => this.#forget(connection))
    return connection
  }

  #reasonAgainst(address: string): CaptureReason | '' {
    const { connectionsMax, connectionsPerAddressMax, intake, onNotice } = this.#options
    if (!intake.isAllowed(address)) return 'address_not_allowed'
    if (this.#connections.size >= connectionsMax) return 'connection_limit'
    if ((this.#perAddress.get(address) ?? 0) >= connectionsPerAddressMax) return 'connection_limit'
    const hasRoom = this.#descriptors.take()
    if (!hasRoom && !this.#isShortOfDescriptors) {
      onNotice(
        'Hardly any file descriptor is left: new connections of agents are refused (connection_limit), open ones go ' +
          'on. Raise the limit with ulimit -n, or LimitNOFILE= in a systemd unit.',
      )
    }
    this.#isShortOfDescriptors = !hasRoom
    return hasRoom ? '' : 'connection_limit'
  }

  /** Reads frames from `stream`: the connection's own socket, or what TLS has made of it. */
  read(connection: AgentConnection, stream: Socket): void {
    const { address, reader, transport } = connection
    const { intake } = this.#options
    let chunk: Buffer = NOTHING
    let frameEnd = 0 // In the chunk; what is skipped stands behind it.
    const onFrame = (bytes: Buffer, start: number, end: number) => {
      this.#countSkipped(connection, chunk, frameEnd, bytes === chunk ? start : chunk.length)
      connection.isSkipping = false
      connection.frameBegunAtMs = undefined
      if (bytes === chunk) frameEnd = end
      intake.take(bytes, start, end, transport, address)
    }
    stream.on('data', (data: Buffer) => {
      if (connection.isRefused) return
      chunk = data
      frameEnd = 0
      this.#bytesRead += data.length
      connection.lastByteAtMs = this.#nowMs()
      const refusal = reader.push(data, onFrame)
      this.#countSkipped(connection, data, frameEnd, data.length)
      chunk = NOTHING
      if (refusal !== '') this.#refuse(connection, refusal, data.subarray(frameEnd))
      if (reader.pendingBytes === 0) connection.frameBegunAtMs = undefined
      else connection.frameBegunAtMs ??= connection.lastByteAtMs
    })
  }

  #forget(connection: AgentConnection): void {
    const { address, isRefused, reader, transport } = connection
    // The agent went away, or we did, in the middle of a frame.
    if (reader.pendingBytes > 0 && !isRefused) {
      this.#options.intake.refuse('frame_too_short', transport, address, NOTHING)
    }
    this.#connections.delete(connection)
    const left = (this.#perAddress.get(address) ?? 1) - 1
    if (left > 0) this.#perAddress.set(address, left)
    else this.#perAddress.delete(address)
  }

  #refuse(connection: AgentConnection, reason: CaptureReason, bytes: Buffer = NOTHING): void {
    connection.isRefused = true
    this.#options.intake.refuse(reason, connection.transport, connection.address, bytes)
    connection.socket.destroy()
  }

  /** One refusal for each run of skipped bytes, however many reads it takes. */
  #countSkipped(connection: AgentConnection, chunk: Buffer, from: number, to: number): void {
    const skipped = connection.reader.skippedBytes - connection.skippedBytes
    if (skipped === 0) return
    connection.skippedBytes += skipped
    this.skippedBytes += skipped
    if (connection.isSkipping) return
    connection.isSkipping = true
    const { address, transport } = connection
    this.#options.intake.refuse('skipped_bytes', transport, address, chunk.subarray(from, to))
  }

  /** Closes connections that kept a frame or silence for too long; call it about once a second. */
  sweep(): void {
    const { frameTimeoutMs, idleTimeoutMs } = this.#options
    const now = this.#nowMs()
    for (const connection of this.#connections) {
      const { frameBegunAtMs, isRefused, lastByteAtMs } = connection
      if (isRefused) continue
      const isFrameLate = frameBegunAtMs !== undefined && now - frameBegunAtMs >= frameTimeoutMs
      if (isFrameLate) this.#refuse(connection, 'frame_timeout')
      else if (now - lastByteAtMs >= idleTimeoutMs) this.#refuse(connection, 'idle_timeout')
    }
  }

  /** Closes connections whose address may not send any more. */
  closeDisallowed(): void {
    for (const connection of this.#connections) {
      if (connection.isRefused || this.#options.intake.isAllowed(connection.address)) continue
      this.#refuse(connection, 'address_not_allowed')
    }
  }

  /** Reads what has arrived, then closes all; the listeners must have stopped. */
  async close(): Promise<void> {
    for (let turn = 0, seen = -1; turn < DRAIN_TURNS_MAX && seen !== this.#bytesRead; turn++) {
      seen = this.#bytesRead
      await setImmediate()
      await setImmediate()
    }
    for (const { socket } of this.#connections) socket.destroy()
  }
}
