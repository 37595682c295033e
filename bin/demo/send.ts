/**
 * Sends HEP frames to a collector: over TCP as fast as it reads them, over UDP at a rate it can bear.
 *
 * Takes    frames in order, and where to.
 * Returns  what was sent, when all of it is; or what was sent until the signal came.
 * Throws   what the socket says when the connection cannot be made or breaks. A datagram that could not be sent is
 *          counted and the next one tried: UDP may lose, and a collector that restarts is back in a moment.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, isIPv6, type Socket } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { TimedFrame } from './traffic.js'

export interface Destination {
  transport: 'tcp' | 'udp'
  host: string
  port: number
}

export interface Sent {
  frames: number
  bytes: number
  /** Datagrams the socket refused. */
  errors: number
  /** Capture time of the last frame. */
  atUs: number
  seconds: number
  framesPerSecond: number
}

export interface SendOptions {
  onProgress?: (sent: Sent) => void
  progressEveryMs?: number
  signal?: AbortSignal
}

export interface TcpOptions extends SendOptions {
  /** Frames are written together up to this size; 0 writes each as it comes. */
  batchBytes?: number
}

export interface UdpOptions extends SendOptions {
  /** The bucket's rate and size: at most `burst` frames at once, `framesPerSecond` in the long run. */
  framesPerSecond?: number
  burst?: number
}

type Frames = Iterable<TimedFrame> | AsyncIterable<TimedFrame>

/** How long the collector may take to read what is still under way once we are done. */
const CLOSE_TIMEOUT_MS = 30_000
const BATCH_BYTES = 262_144
const UDP_FRAMES_PER_SECOND = 20_000
const TIMER_MS = 4

export function parseDestination(text: string): Destination {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const transport = url?.protocol.slice(0, -1)
  const port = Number(url?.port)
  if (!url || (transport !== 'tcp' && transport !== 'udp') || url.hostname === '' || !(port > 0)) {
    throw new RangeError(
      `'${text}' is no destination: write for example tcp://127.0.0.1:9060 or udp://[::1]:9060.`,
    )
  }
  return { transport, host: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname, port }
}

/** Over TCP or UDP, as the destination says; one frame at a time, each as it comes. */
export function sendEach(frames: Frames, to: Destination, options: SendOptions = {}): Promise<Sent> {
  return to.transport === 'tcp'
    ? sendTcp(frames, to, { ...options, batchBytes: 0 })
    : sendUdp(frames, to, options)
}

export async function sendTcp(frames: Frames, to: Destination, options: TcpOptions = {}): Promise<Sent> {
  const { signal, batchBytes = BATCH_BYTES } = options
  const socket = connect({ host: to.host, port: to.port, noDelay: true })
  await once(socket, 'connect')
  socket.resume() // What a collector may say is not for us; its end is.
  let allSent = false
  const broken = new Promise<never>((_, reject) => {
    socket.on('error', reject)
    socket.on('end', () => {
      if (!allSent) reject(new Error(`${to.host}:${to.port} closed the connection before all was sent.`))
    })
  })
  broken.catch(() => {}) // Seen where it is raced with.
  const count = new Count(options)
  let batch: Buffer[] = []
  let size = 0
  const flush = async () => {
    await Promise.race([write(socket, Buffer.concat(batch, size)), broken])
    batch = []
    size = 0
    await setImmediate() // A write the kernel takes at once never lets timers and signals in.
  }
  try {
    for await (const frame of frames) {
      batch.push(frame.bytes)
      size += frame.bytes.length
      if (size >= batchBytes) await flush()
      count.add(frame)
      if (signal?.aborted) break
    }
    if (size > 0) await flush()
    allSent = true
    await Promise.race([closed(socket), broken, setTimeout(CLOSE_TIMEOUT_MS, undefined, { ref: false })])
  } finally {
    socket.destroy()
  }
  return count.end()
}

function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('close', () => resolve())
    socket.end()
  })
}

export async function sendUdp(frames: Frames, to: Destination, options: UdpOptions = {}): Promise<Sent> {
  const { signal, framesPerSecond = UDP_FRAMES_PER_SECOND } = options
  // At least what falls due between two timers, or the rate would never be reached.
  const burst = options.burst ?? Math.max(32, Math.ceil((framesPerSecond * TIMER_MS) / 1_000))
  const socket = createSocket(isIPv6(to.host) ? 'udp6' : 'udp4')
  const count = new Count(options)
  socket.on('error', () => count.errors++)
  try {
    await new Promise<void>((resolve) => socket.connect(to.port, to.host, resolve))
    let tokens = burst
    let filledAtMs = performance.now()
    for await (const frame of frames) {
      if (signal?.aborted) break
      while (tokens < 1) {
        await setTimeout(Math.max(1, Math.min(TIMER_MS, 1_000 / framesPerSecond)))
        const nowMs = performance.now()
        tokens = Math.min(burst, tokens + ((nowMs - filledAtMs) * framesPerSecond) / 1_000)
        filledAtMs = nowMs
      }
      tokens--
      if (await sendDatagram(socket, frame.bytes)) count.add(frame)
      else count.errors++
    }
  } finally {
    socket.close()
  }
  return count.end()
}

function sendDatagram(socket: UdpSocket, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve) => socket.send(bytes, (error) => resolve(error === null)))
}

/** Counts what was sent and says so now and then. */
class Count {
  errors = 0
  #frames = 0
  #bytes = 0
  #atUs = 0
  readonly #startedMs = performance.now()
  #toldMs = performance.now()
  readonly #everyMs: number
  readonly #tell: SendOptions['onProgress']

  constructor(options: SendOptions) {
    this.#everyMs = options.progressEveryMs ?? 250
    this.#tell = options.onProgress
  }

  add(frame: TimedFrame): void {
    this.#frames++
    this.#bytes += frame.bytes.length
    this.#atUs = frame.atUs
    // The clock costs about as much as a frame.
    if (this.#tell === undefined || ((this.#frames & 63) !== 0 && this.#frames > 64)) return
    const nowMs = performance.now()
    if (nowMs - this.#toldMs < this.#everyMs) return
    this.#toldMs = nowMs
    this.#tell(this.#sent())
  }

  end(): Sent {
    return this.#sent()
  }

  #sent(): Sent {
    const seconds = (performance.now() - this.#startedMs) / 1_000
    return {
      frames: this.#frames,
      bytes: this.#bytes,
      errors: this.errors,
      atUs: this.#atUs,
      seconds,
      framesPerSecond: this.#frames / Math.max(seconds, 0.001),
    }
  }
}
