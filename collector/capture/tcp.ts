/**
 * HEP over TCP: a stream of frames per agent, cut anywhere.
 *
 * Reading never stops because of what comes after: back-pressure would reach the live SBC. So everything that
 * arrives is taken or refused at once, and what a peer can hold is bounded instead: connections in all and per
 * address, one unfinished frame each, a time to finish it. Silence alone is not a fault for an hour and more:
 * agents keep quiet connections open, and some never reconnect.
 *
 * Throws   `listenTcp` rejects with TRUNKSCOPE_CAPTURE_PORT_IN_USE or TRUNKSCOPE_CAPTURE_BIND_FAILED.
 * Source   metrics.md §7, §13.1, §13.5; faults.md §3.4.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { Hep3StreamReader } from '../../sip/hep3-stream.js'
import { bindError } from './capture-error.js'
import { type BoundAddress, type FrameIntake, plainAddress } from './frames.js'

export interface TcpOptions extends BoundAddress {
  intake: FrameIntake
  onNotice: (sentence: string) => void
  connectionsMax: number
  connectionsPerAddressMax: number
  /** Time without a byte after which a connection is closed. */
  idleTimeoutMs: number
  /** Time in which a frame that was begun has to be complete. */
  frameTimeoutMs: number
  /** Monotonic milliseconds. */
  nowMs?: () => number
}

interface Connection {
  socket: Socket
  address: string
  reader: Hep3StreamReader
  lastByteAtMs: number
  /** When the pending frame began; undefined between frames. */
  frameBegunAtMs: number | undefined
  /** Skipped bytes that have been counted, and whether a run of them is going on. */
  skippedBytes: number
  isSkipping: boolean
  isTimedOut: boolean
}

const KEEP_ALIVE_MS = 60_000
const DRAIN_TURNS_MAX = 1_000
const NOTHING = Buffer.alloc(0)

export class TcpReceiver {
  /** Bytes in all streams that belonged to no frame. */
  skippedBytes = 0
  readonly #options: TcpOptions
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #perAddress = new Map<string, number>()
  readonly #nowMs: () => number
  #bytesRead = 0

  constructor(options: TcpOptions, server: Server) {
    this.#options = options
    this.#server = server
    this.#nowMs = options.nowMs ?? (() => performance.now())
    server.on('connection', (socket) => this.#accept(socket))
  }

  get bound(): BoundAddress {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('The TCP server is not bound.')
    return { host: address.address, port: address.port }
  }

  get connectionsOpen(): number {
    return this.#connections.size
  }

  #accept(socket: Socket): void {
    const { connectionsMax, connectionsPerAddressMax, intake } = this.#options
    const address = plainAddress(socket.remoteAddress ?? '')
    const ofAddress = this.#perAddress.get(address) ?? 0
    socket.on('error', () => {}) // A reset connection: 'close' follows, and tells what there is to tell.
    if (this.#connections.size >= connectionsMax || ofAddress >= connectionsPerAddressMax) {
      intake.refuse('connection_limit', 'tcp', address, NOTHING)
      socket.destroy()
      return
    }
    this.#perAddress.set(address, ofAddress + 1)
    const connection: Connection = {
      socket,
      address,
      reader: new Hep3StreamReader(),
      lastByteAtMs: this.#nowMs(),
      frameBegunAtMs: undefined,
      skippedBytes: 0,
      isSkipping: false,
      isTimedOut: false,
    }
    this.#connections.add(connection)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    let chunk: Buffer = NOTHING
    let frameEnd = 0 // In the chunk; what is skipped stands behind it.
    const onFrame = (bytes: Buffer, start: number, end: number) => {
      this.#countSkipped(connection, chunk, frameEnd, bytes === chunk ? start : chunk.length)
      connection.isSkipping = false
      connection.frameBegunAtMs = undefined
      if (bytes === chunk) frameEnd = end
      intake.take(bytes, start, end, 'tcp', address)
    }
    socket.on('data', (data: Buffer) => {
      chunk = data
      frameEnd = 0
      this.#bytesRead += data.length
      connection.lastByteAtMs = this.#nowMs()
      connection.reader.push(data, onFrame)
      this.#countSkipped(connection, data, frameEnd, data.length)
      chunk = NOTHING
      if (connection.reader.pendingBytes === 0) connection.frameBegunAtMs = undefined
      else connection.frameBegunAtMs ??= connection.lastByteAtMs
    })
    socket.once('close', () => {
      // The agent went away, or we did, in the middle of a frame.
      if (connection.reader.pendingBytes > 0 && !connection.isTimedOut) {
        intake.refuse('frame_too_short', 'tcp', address, NOTHING)
      }
      this.#connections.delete(connection)
      const left = (this.#perAddress.get(address) ?? 1) - 1
      if (left > 0) this.#perAddress.set(address, left)
      else this.#perAddress.delete(address)
    })
  }

  /** One refusal for each run of skipped bytes, however many reads it takes. */
  #countSkipped(connection: Connection, chunk: Buffer, from: number, to: number): void {
    const skipped = connection.reader.skippedBytes - connection.skippedBytes
    if (skipped === 0) return
    connection.skippedBytes += skipped
    this.skippedBytes += skipped
    if (connection.isSkipping) return
    connection.isSkipping = true
    this.#options.intake.refuse('skipped_bytes', 'tcp', connection.address, chunk.subarray(from, to))
  }

  /** Closes connections that kept a frame or silence for too long; call it about once a second. */
  sweep(): void {
    const { frameTimeoutMs, idleTimeoutMs, intake } = this.#options
    const now = this.#nowMs()
    for (const connection of this.#connections) {
      const { address, frameBegunAtMs, isTimedOut, lastByteAtMs, socket } = connection
      if (isTimedOut) continue
      const isFrameLate = frameBegunAtMs !== undefined && now - frameBegunAtMs >= frameTimeoutMs
      if (!isFrameLate && now - lastByteAtMs < idleTimeoutMs) continue
      connection.isTimedOut = true
      intake.refuse(isFrameLate ? 'frame_timeout' : 'idle_timeout', 'tcp', address, NOTHING)
      socket.destroy()
    }
  }

  /** Takes no new connections, reads what has arrived on the old ones, and closes them. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (let turn = 0, seen = -1; turn < DRAIN_TURNS_MAX && seen !== this.#bytesRead; turn++) {
      seen = this.#bytesRead
      await setImmediate()
      await setImmediate()
    }
    for (const { socket } of this.#connections) socket.destroy()
    await closed
  }
}

export async function listenTcp(options: TcpOptions): Promise<TcpReceiver> {
  const { host, onNotice, port } = options
  const server = createServer()
  const receiver = new TcpReceiver(options, server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(bindError(error, 'TCP', host, port, '--hep-tcp')))
    server.listen({ host, port, exclusive: true, backlog: 1_024 }, () => resolve())
  })
  server.removeAllListeners('error')
  // Out of descriptors, for example: the new connection is refused, the old ones go on.
  server.on('error', (error) => {
    options.intake.refuse('connection_limit', 'tcp', '', NOTHING)
    onNotice(`A TCP connection could not be accepted: ${error.message}.`)
  })
  return receiver
}
