/**
 * Puts datagrams together from their fragments, in whatever order and however often they come.
 *
 * Takes    fragments (ip-packet.ts) with their capture times.
 * Returns  the payload of the datagram when its last missing fragment comes; it is a buffer of its own.
 * Throws   nothing.
 * Source   RFC 791 §3.2, RFC 8200 §4.5. Where fragments overlap, what came first stays: an observer cannot know what the
 *          receiver's system does, and copies of a fragment are the same anyway.
 *
 * Bounds: 256 datagrams, of which the oldest is given up for a new one, each up to 65,535 bytes and a flag for each 8 of
 * them: below 20 MiB. A datagram that is not whole 60 s after its first fragment is begun anew, because the id comes again.
 */
import type { PcapReason } from '../schemas/pcap-reasons.js'
import type { Fragment, IpPacket } from './ip-packet.js'

const DATAGRAMS_MAX = 256
const DATAGRAM_MAX_BYTES = 65_535
const UNIT_BYTES = 8
const PATIENCE_US = 60e6

interface Datagram {
  begunAtUs: number
  bytes: Buffer
  /** One for each 8 bytes that came. */
  has: Uint8Array
  units: number
  /** Known with the last fragment. */
  length: number | undefined
}

export class IpFragments {
  readonly #datagrams = new Map<string, Datagram>()

  /** undefined: fragments are missing still. */
  add(
    packet: IpPacket,
    fragment: Fragment,
    capturedAtUs: number,
    onLost: (reason: PcapReason) => void,
  ): Buffer | undefined {
    const { payload } = packet
    const { offset, hasMore } = fragment
    const isLegal =
      payload.length > 0 &&
      offset + payload.length <= DATAGRAM_MAX_BYTES &&
      (!hasMore || payload.length % UNIT_BYTES === 0)
    if (!isLegal) {
      onLost('fragment_damaged')
      return undefined
    }
    const key = `${packet.sourceAddress} ${packet.destinationAddress} ${packet.protocol} ${fragment.id}`
    const datagram = this.#datagramOf(key, capturedAtUs, onLost)
    copyInto(datagram, payload, offset)
    if (!hasMore) datagram.length ??= offset + payload.length
    if (datagram.length === undefined || !isComplete(datagram, datagram.length)) return undefined
    this.#datagrams.delete(key)
    return datagram.bytes.subarray(0, datagram.length)
  }

  /** The capture has ended. */
  end(onLost: (reason: PcapReason) => void): void {
    for (const _ of this.#datagrams) onLost('fragment_missing')
    this.#datagrams.clear()
  }

  #datagramOf(key: string, capturedAtUs: number, onLost: (reason: PcapReason) => void): Datagram {
    const known = this.#datagrams.get(key)
    if (known !== undefined && capturedAtUs - known.begunAtUs <= PATIENCE_US) return known
    const oldest = this.#datagrams.keys().next().value
    if (known !== undefined) {
      this.#datagrams.delete(key)
      onLost('fragment_missing')
    } else if (this.#datagrams.size >= DATAGRAMS_MAX && oldest !== undefined) {
      this.#datagrams.delete(oldest)
      onLost('fragment_missing')
    }
    const begun: Datagram = {
      begunAtUs: capturedAtUs,
      bytes: Buffer.alloc(0),
      has: new Uint8Array(0),
      units: 0,
      length: undefined,
    }
    this.#datagrams.set(key, begun)
    return begun
  }
}

function copyInto(datagram: Datagram, payload: Buffer, offset: number): void {
  const end = offset + payload.length
  if (end > datagram.bytes.length) {
    const room = Math.min(DATAGRAM_MAX_BYTES + 1, Math.max(2 * datagram.bytes.length, end, 4_096))
    const bytes = Buffer.alloc(room)
    datagram.bytes.copy(bytes)
    const has = new Uint8Array(Math.ceil(room / UNIT_BYTES))
    has.set(datagram.has)
    datagram.bytes = bytes
    datagram.has = has
  }
  for (let at = offset; at < end; at += UNIT_BYTES) {
    const unit = at / UNIT_BYTES
    if (datagram.has[unit] === 1) continue
    datagram.has[unit] = 1
    datagram.units++
    payload.copy(datagram.bytes, at, at - offset, Math.min(at + UNIT_BYTES, end) - offset)
  }
}

function isComplete(datagram: Datagram, length: number): boolean {
  const wanted = Math.ceil(length / UNIT_BYTES)
  // More came than the last fragment lets in: some beyond it do not count.
  if (datagram.units < wanted) return false
  for (let unit = 0; unit < wanted; unit++) if (datagram.has[unit] !== 1) return false
  return true
}
