/**
 * SIP messages → a pcap file that analysers open: raw IP packets, without link headers that nobody captured.
 *
 *   pcap => as in pcap.ts: little-endian, microseconds, link type 101 (raw IP)
 *
 * Takes    messages as they were captured, in the order in which they shall stand.
 * Returns  the parts of the file, in order, each made when it is asked for. A message over UDP is one packet, whole, however it
 *          was fragmented. One over TCP is as many segments as it needs; the numbers of a connection go on from message to
 *          message, whoever takes the parts in how many pieces, and there is no handshake, because none was seen. Checksums
 *          are right.
 * Throws   nothing. Where one end is IPv6 and the other IPv4 or not known, both are written as IPv6 (::ffff:a.b.c.d).
 *
 * What is not TCP (6) or TLS as agents tell it (22) is written as UDP: SCTP, and what no agent told. More than 65,507 bytes
 * fit in no datagram: the rest is left out, and the message reads as cut. Where a message over TCP is shorter than its
 * Content-Length the numbers leave room for what is missing, so that the next one is found.
 */
import { addressBytes } from './ip-address.js'
import { LINK_TYPE } from './ip-packet.js'
import { type CapturedMessage, TCP, UDP } from './pcap-messages.js'
import { PACKET_MAX_BYTES } from './pcap-packet.js'
import { readSip } from './sip-message.js'

const TLS = 22
const SEGMENT_MAX_BYTES = 1_400
const UDP_MAX_BYTES = 65_507
const TTL = 64
const WINDOW = 65_535
const PSH_ACK = 0x18
const ACK = 0x10
/** Of a connection whose beginning is not told. */
const FIRST_SEQUENCE = 1

export function* pcapOf(messages: Iterable<CapturedMessage>): Generator<Buffer> {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(PACKET_MAX_BYTES, 16)
  header.writeUInt32LE(LINK_TYPE.raw, 20)
  yield header
  const sequences = new Map<string, number>()
  for (const message of messages) {
    const packets =
      message.ipProtocol === TCP || message.ipProtocol === TLS
        ? tcpPackets(message, sequences)
        : [udpPacket(message)]
    for (const packet of packets)
      yield Buffer.concat([recordHeader(message.capturedAtUs, packet.length), packet])
  }
}

function recordHeader(capturedAtUs: number, length: number): Buffer {
  const header = Buffer.alloc(16)
  const atUs = Math.min(Math.max(0, Math.floor(capturedAtUs)), 2 ** 32 * 1e6 - 1)
  header.writeUInt32LE(Math.floor(atUs / 1e6), 0)
  header.writeUInt32LE(atUs % 1e6, 4)
  header.writeUInt32LE(length, 8)
  header.writeUInt32LE(length, 12)
  return header
}

function udpPacket(message: CapturedMessage): Buffer {
  const payload = message.payload.subarray(0, UDP_MAX_BYTES)
  const bytes = Buffer.alloc(8 + payload.length)
  bytes.writeUInt16BE(message.sourcePort, 0)
  bytes.writeUInt16BE(message.destinationPort, 2)
  bytes.writeUInt16BE(bytes.length, 4)
  payload.copy(bytes, 8)
  return ipPacket(message, UDP, bytes, 6)
}

function tcpPackets(message: CapturedMessage, sequences: Map<string, number>): Buffer[] {
  const { payload } = message
  const source = `${message.sourceAddress} ${message.sourcePort}`
  const destination = `${message.destinationAddress} ${message.destinationPort}`
  let sequence = sequences.get(`${source} ${destination}`) ?? FIRST_SEQUENCE
  const acknowledged = sequences.get(`${destination} ${source}`) ?? FIRST_SEQUENCE
  const packets: Buffer[] = []
  for (let from = 0; from < payload.length; from += SEGMENT_MAX_BYTES) {
    const part = payload.subarray(from, from + SEGMENT_MAX_BYTES)
    const bytes = Buffer.alloc(20 + part.length)
    bytes.writeUInt16BE(message.sourcePort, 0)
    bytes.writeUInt16BE(message.destinationPort, 2)
    bytes.writeUInt32BE(sequence, 4)
    bytes.writeUInt32BE(acknowledged, 8)
    bytes[12] = 0x50
    bytes[13] = from + part.length === payload.length ? PSH_ACK : ACK
    bytes.writeUInt16BE(WINDOW, 14)
    part.copy(bytes, 20)
    packets.push(ipPacket(message, TCP, bytes, 16))
    sequence = (sequence + part.length) >>> 0
  }
  const { bodyOffset, contentLength } = readSip(payload)
  const missing = Math.min(Math.max(0, contentLength - (payload.length - bodyOffset)), 65_535)
  sequences.set(`${source} ${destination}`, (sequence + missing) >>> 0)
  return packets
}

/** @param checksumAt where the checksum of the transport stands in `bytes`, which is 0 there */
function ipPacket(message: CapturedMessage, protocol: number, bytes: Buffer, checksumAt: number): Buffer {
  const [source, destination] = [endOf(message.sourceAddress), endOf(message.destinationAddress)]
  const isIpv4 = source.length === 4 && destination.length === 4
  const ends = isIpv4
    ? Buffer.concat([source, destination])
    : Buffer.concat([mapped(source), mapped(destination)])
  const header = isIpv4 ? ipv4Header(protocol, bytes.length, ends) : ipv6Header(protocol, bytes.length, ends)
  // RFC 768, RFC 9293 §3.1, RFC 8200 §8.1: over a header that holds the ends, the length and the protocol as well.
  const sum = sumOf(bytes, sumOf(ends, bytes.length + protocol))
  const checksum = folded(sum)
  bytes.writeUInt16BE(protocol === UDP && checksum === 0 ? 0xffff : checksum, checksumAt)
  return Buffer.concat([header, bytes])
}

function ipv4Header(protocol: number, length: number, ends: Buffer): Buffer {
  const header = Buffer.alloc(20)
  header[0] = 0x45
  header.writeUInt16BE(20 + length, 2)
  header.writeUInt16BE(0x4000, 6) // Not to be fragmented: then the id may be 0 (RFC 6864 §4.1).
  header[8] = TTL
  header[9] = protocol
  ends.copy(header, 12)
  header.writeUInt16BE(folded(sumOf(header, 0)), 10)
  return header
}

function ipv6Header(protocol: number, length: number, ends: Buffer): Buffer {
  const header = Buffer.alloc(40)
  header[0] = 0x60
  header.writeUInt16BE(length, 4)
  header[6] = protocol
  header[7] = TTL
  ends.copy(header, 8)
  return header
}

/** An end that no agent told is 0.0.0.0. */
function endOf(address: string): Buffer {
  return addressBytes(address) ?? Buffer.alloc(4)
}

function mapped(address: Buffer): Buffer {
  if (address.length === 16) return address
  return Buffer.concat([Buffer.alloc(10), Buffer.from([255, 255]), address])
}

/** RFC 1071: the sum of 16-bit words, not folded yet. */
function sumOf(bytes: Buffer, start: number): number {
  let sum = start
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!
  return bytes.length % 2 === 0 ? sum : sum + (bytes.at(-1)! << 8)
}

function folded(sum: number): number {
  let word = sum
  while (word > 0xffff) word = (word & 0xffff) + Math.floor(word / 0x10000)
  return ~word & 0xffff
}
