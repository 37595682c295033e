/**
 * The SIP messages of a capture file: UDP datagrams and TCP connections over IPv4 and IPv6.
 *
 * Takes    the bytes of a pcap or pcapng file (pcap.ts says which), in reads of any size.
 * Returns  messages through `onMessage`, in the order in which they became whole, each a buffer of its own; `unread`
 *          counts by reason what gave none. `push` and `end` give '' or why the rest of the file cannot be read.
 * Throws   only what `onMessage` throws.
 *
 * A datagram is SIP when its first line is one, whatever its ports are. One of which the capture kept the beginning only is
 * handed over as far as it goes: the reader of messages says that it is cut. A packet that stands twice in the file, as
 * with captures on all interfaces, gives a message twice, as a retransmission would.
 */
import type { FileReason, PcapReason } from '../schemas/pcap-reasons.js'
import { IpFragments } from './ip-fragments.js'
import { behindExtensions, type IpPacket, ipPacketOf } from './ip-packet.js'
import { PcapReader } from './pcap.js'
import type { CapturedPacket } from './pcap-packet.js'
import { beginsSip } from './sip-stream.js'
import { type Ends, TcpStreams } from './tcp-streams.js'

export const UDP = 17
export const TCP = 6

export interface CapturedMessage extends Ends {
  /** Microseconds since 1970 UTC; 0 when the file tells none. */
  capturedAtUs: number
  /** 17 UDP, 6 TCP. */
  ipProtocol: number
  payload: Buffer
}

export class PcapMessages {
  readonly unread = new Map<PcapReason, number>()
  packets = 0
  readonly #onMessage: (message: CapturedMessage) => void
  readonly #reader: PcapReader
  readonly #fragments = new IpFragments()
  readonly #streams: TcpStreams

  constructor(onMessage: (message: CapturedMessage) => void) {
    this.#onMessage = onMessage
    this.#reader = new PcapReader({
      onPacket: (packet) => {
        this.packets++
        this.#packet(packet)
      },
      onUnread: this.#count,
    })
    this.#streams = new TcpStreams({
      onMessage: (ends, payload, capturedAtUs) =>
        onMessage({ ...ends, capturedAtUs, ipProtocol: TCP, payload }),
      onUnread: this.#count,
    })
  }

  push(chunk: Buffer): FileReason | '' {
    return this.#reader.push(chunk)
  }

  /** The file has ended: what waits for more is handed over or counted. */
  end(): FileReason | '' {
    const refusal = this.#reader.end()
    if (refusal !== '') this.#count(refusal)
    this.#streams.end()
    this.#fragments.end(this.#count)
    return refusal
  }

  #count = (reason: PcapReason): void => {
    this.unread.set(reason, (this.unread.get(reason) ?? 0) + 1)
  }

  #packet({ linkType, bytes, capturedAtUs }: CapturedPacket): void {
    const packet = ipPacketOf(linkType, bytes)
    if ('reason' in packet) {
      this.#count(packet.reason)
      return
    }
    if (packet.isCut) this.#count('packet_cut')
    if (packet.fragment === undefined) {
      this.#transport(packet, packet.protocol, packet.payload, capturedAtUs)
      return
    }
    // With a part missing no later fragment can make it whole.
    if (packet.isCut) return
    const whole = this.#fragments.add(packet, packet.fragment, capturedAtUs, this.#count)
    if (whole === undefined) return
    const carried = behindExtensions(packet.protocol, whole)
    if ('reason' in carried) this.#count(carried.reason)
    else this.#transport(packet, carried.protocol, carried.payload, capturedAtUs)
  }

  #transport(packet: IpPacket, protocol: number, payload: Buffer, capturedAtUs: number): void {
    if (protocol === TCP) this.#streams.add(addressesOf(packet), payload, capturedAtUs)
    else if (protocol === UDP) this.#datagram(packet, payload, capturedAtUs)
    else this.#count('not_udp_or_tcp')
  }

  /** RFC 768: source_port(2) destination_port(2) length(2, these 8 bytes included) checksum(2) bytes. */
  #datagram(packet: IpPacket, bytes: Buffer, capturedAtUs: number): void {
    const told = bytes.length < 8 ? 0 : bytes.readUInt16BE(4)
    // 0 is the length of one that is longer than 65,535 bytes, which only a network card sees.
    const end = told === 0 ? bytes.length : told
    if (bytes.length < 8 || end < 8 || (end > bytes.length && !packet.isCut)) {
      this.#count('udp_damaged')
      return
    }
    const payload = bytes.subarray(8, Math.min(end, bytes.length))
    const from = payload.findIndex((byte) => !BLANK.has(byte))
    if (from < 0) {
      this.#count('keepalive')
      return
    }
    if (!beginsSip(payload, from, payload.length)) {
      this.#count('not_sip')
      return
    }
    this.#onMessage({
      ...addressesOf(packet),
      sourcePort: bytes.readUInt16BE(0),
      destinationPort: bytes.readUInt16BE(2),
      capturedAtUs,
      ipProtocol: UDP,
      payload: Buffer.from(payload),
    })
  }
}

/** Space, tab, CR, LF and NUL. */
const BLANK: ReadonlySet<number> = new Set([0, 9, 10, 13, 32])

function addressesOf({ sourceAddress, destinationAddress }: IpPacket) {
  return { sourceAddress, destinationAddress }
}
