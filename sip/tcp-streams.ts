/**
 * Puts the segments of TCP connections in order, each direction for itself, and hands them to the reader of its messages.
 *
 * Takes    segments (the payload of IP) with their ends and capture times, in the order of the capture.
 * Returns  SIP messages through the sink, with their ends and the time of the segment that made them whole.
 * Throws   only what the sink throws.
 * Source   RFC 9293 §3.1, §3.4 (sequence numbers are compared modulo 2^32).
 *
 * Bytes that came before are left out, whatever stands in them: retransmissions and overlaps. A direction whose beginning
 * was not captured begins with its first bytes. A gap is given up when 256 KiB or 256 segments wait behind it, or after
 * 30 s: the capture lost them. Bounds over all: 20,000 directions and 64 MiB, beyond which the one that was silent for
 * longest is forgotten.
 */
import type { PcapReason } from '../schemas/pcap-reasons.js'
import { SipStreamReader } from './sip-stream.js'

const DIRECTIONS_MAX = 20_000
const HELD_MAX_BYTES = 64 * 1_048_576
const WAITING_MAX_BYTES = 262_144
const WAITING_MAX_SEGMENTS = 256
const GAP_PATIENCE_US = 30e6

const FIN = 1
const SYN = 2
const RST = 4

export interface Ends {
  sourceAddress: string
  sourcePort: number
  destinationAddress: string
  destinationPort: number
}

export interface TcpSink {
  onMessage(ends: Ends, payload: Buffer, completedAtUs: number): void
  onUnread(reason: PcapReason): void
}

interface Segment {
  sequence: number
  bytes: Buffer
  atUs: number
}

interface Direction {
  reader: SipStreamReader
  /** Sequence number of the next byte. */
  next: number
  /** Behind a gap, by sequence number. */
  waiting: Segment[]
  waitingBytes: number
  /** What it held when it was last looked at. */
  heldBytes: number
  /** FIN or RST was seen: what comes with other numbers is another connection. */
  isClosed: boolean
}

export class TcpStreams {
  readonly #sink: TcpSink
  /** In the order in which they were last heard of. */
  readonly #directions = new Map<string, Direction>()
  #heldBytes = 0

  constructor(sink: TcpSink) {
    this.#sink = sink
  }

  add(addresses: Pick<Ends, 'sourceAddress' | 'destinationAddress'>, segment: Buffer, atUs: number): void {
    const headerLength = segment.length < 20 ? 0 : (segment[12]! >> 4) * 4
    if (headerLength < 20 || headerLength > segment.length) {
      this.#sink.onUnread('tcp_damaged')
      return
    }
    const ends: Ends = {
      ...addresses,
      sourcePort: segment.readUInt16BE(0),
      destinationPort: segment.readUInt16BE(2),
    }
    const flags = segment[13]!
    const key = `${ends.sourceAddress} ${ends.sourcePort} ${ends.destinationAddress} ${ends.destinationPort}`
    let direction = this.#directions.get(key)
    this.#directions.delete(key)
    const sequence = segment.readUInt32BE(4)
    const bytes = segment.subarray(headerLength)
    // A SYN takes a number; with other numbers than before it begins another connection.
    const first = (flags & SYN) !== 0 ? (sequence + 1) >>> 0 : sequence
    if (
      (flags & SYN) !== 0 &&
      direction !== undefined &&
      direction.next !== first &&
      isNew(direction, first)
    ) {
      this.#end(direction)
      direction = undefined
    }
    if (direction === undefined) {
      if ((flags & SYN) === 0 && bytes.length === 0) return
      direction = this.#begin(ends, first)
    }
    this.#directions.set(key, direction)
    if (bytes.length > 0) this.#take(direction, { sequence: first, bytes, atUs })
    if ((flags & (FIN | RST)) !== 0) direction.isClosed = true
    this.#account(direction)
    this.#bound()
  }

  /** The capture has ended. */
  end(): void {
    for (const direction of this.#directions.values()) this.#end(direction)
    this.#directions.clear()
    this.#heldBytes = 0
  }

  #begin(ends: Ends, next: number): Direction {
    const sink = this.#sink
    return {
      reader: new SipStreamReader({
        onMessage: (payload, completedAtUs) => sink.onMessage(ends, payload, completedAtUs),
        onUnread: (reason) => sink.onUnread(reason),
      }),
      next,
      waiting: [],
      waitingBytes: 0,
      heldBytes: 0,
      isClosed: false,
    }
  }

  #take(direction: Direction, segment: Segment): void {
    const ahead = distance(direction.next, segment.sequence)
    if (ahead <= 0) {
      if (-ahead < segment.bytes.length) {
        direction.reader.push(segment.bytes.subarray(-ahead), segment.atUs)
        direction.next = (segment.sequence + segment.bytes.length) >>> 0
        this.#takeWaiting(direction, segment.atUs)
      }
      return
    }
    insert(direction, segment)
    const oldestUs = direction.waiting.reduce((us, { atUs }) => Math.min(us, atUs), segment.atUs)
    if (
      direction.waitingBytes > WAITING_MAX_BYTES ||
      direction.waiting.length > WAITING_MAX_SEGMENTS ||
      segment.atUs - oldestUs > GAP_PATIENCE_US
    ) {
      this.#jumpGap(direction)
    }
  }

  /** What waited for the bytes that came at `filledAtUs`. */
  #takeWaiting(direction: Direction, filledAtUs: number): void {
    let taken = 0
    for (const { sequence, bytes, atUs } of direction.waiting) {
      const ahead = distance(direction.next, sequence)
      if (ahead > 0) break
      taken++
      direction.waitingBytes -= bytes.length
      if (-ahead >= bytes.length) continue
      direction.reader.push(bytes.subarray(-ahead), Math.max(atUs, filledAtUs))
      direction.next = (sequence + bytes.length) >>> 0
    }
    direction.waiting.splice(0, taken)
  }

  #jumpGap(direction: Direction): void {
    const [first] = direction.waiting
    if (first === undefined) return
    this.#sink.onUnread('tcp_gap')
    direction.reader.lost()
    direction.next = first.sequence
    this.#takeWaiting(direction, 0)
  }

  #giveUpGaps(direction: Direction): void {
    while (direction.waiting.length > 0) this.#jumpGap(direction)
  }

  #end(direction: Direction): void {
    this.#giveUpGaps(direction)
    if (direction.reader.isInMessage) this.#sink.onUnread('message_cut')
    this.#heldBytes -= direction.heldBytes
  }

  #account(direction: Direction): void {
    const held = direction.waitingBytes + direction.reader.heldBytes
    this.#heldBytes += held - direction.heldBytes
    direction.heldBytes = held
  }

  #bound(): void {
    while (this.#directions.size > DIRECTIONS_MAX || this.#heldBytes > HELD_MAX_BYTES) {
      const [oldest] = this.#directions
      if (oldest === undefined) return
      this.#directions.delete(oldest[0])
      this.#end(oldest[1])
      this.#sink.onUnread('tcp_evicted')
    }
  }
}

/** How far `to` is behind `from` in the stream; negative: before it. */
function distance(from: number, to: number): number {
  return (to - from) | 0
}

/** A SYN that comes late, of what is being read, is none of another connection. */
function isNew(direction: Direction, first: number): boolean {
  if (direction.isClosed) return true
  const back = distance(first, direction.next)
  return back < 0 || back > 0x100_0000
}

/** By sequence number; of two that begin at the same byte the longer one stays. The bytes are copied: they wait. */
function insert(direction: Direction, segment: Segment): void {
  const { waiting } = direction
  let at = waiting.length
  while (at > 0 && distance(waiting[at - 1]!.sequence, segment.sequence) < 0) at--
  const same = waiting[at - 1]
  if (same?.sequence === segment.sequence) {
    if (same.bytes.length >= segment.bytes.length) return
    direction.waitingBytes -= same.bytes.length
    waiting.splice(--at, 1)
  }
  waiting.splice(at, 0, { ...segment, bytes: Buffer.from(segment.bytes) })
  direction.waitingBytes += segment.bytes.length
}
