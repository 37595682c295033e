/**
 * HEP1 and HEP2: what agents sent before HEP3, and old ones still send. Over UDP only: nothing in the frame says where
 * it ends, so on a stream it cannot be told from the next one.
 *
 *   HEP2 frame => version(u8, 1 or 2) header_length(u8) family(u8) ip_protocol(u8) source_port(u16) destination_port(u16)
 *                 source destination [seconds(u32) microseconds(u32) agent_id(u16) [padding(2)]] payload
 *   source, destination: 4 bytes each with header_length 16, 16 each with 40; the time and agent id only in version 2,
 *   not counted in header_length. Ports are big-endian. The rest is as the agent's machine and compiler have it: Kamailio,
 *   OpenSIPS and captagent copy a C struct of 12 bytes in host order (little-endian on x86 and ARM); others write ten
 *   bytes big-endian.
 *
 * Takes    a whole datagram, and when it arrived: of the two readings of the time, the one nearer to that is taken, and
 *          the agent id is read in the same order. The padding is there unless a SIP start line begins in its place.
 * Returns  `checkHep2`: '' or why the frame is refused, for the receive thread. `decodeHep2`: a HepFrame, or the reason.
 *          A frame carries no agent key, no agent name and no protocol type: it is taken for SIP.
 * Throws   nothing, whatever the bytes are.
 * Source   metrics.md §7 (HEP2/1) and §13.3; frames of Kamailio 5.6 in test/fixtures/hep.
 */
import { HEP_FLAG, type HepFrame } from '../schemas/hep-frame.js'
import type { CaptureReason } from '../schemas/reasons.js'
import { ipv4Text, ipv6Text } from './ip-address.js'

const IPV4_HEADER_BYTES = 16
const IPV6_HEADER_BYTES = 40
const TIME_BYTES = 10
const PADDING_BYTES = 2
/** AF_INET is 2 everywhere; AF_INET6 is 10 on Linux and another number elsewhere. */
const FAMILY_IPV4 = 2
const SIP = 1

/** Of the methods in use and the status line: enough to see whether the payload begins here or two bytes later. */
const START_LINE =
  /^(SIP\/2\.0|INVITE|ACK|BYE|CANCEL|OPTIONS|REGISTER|PRACK|UPDATE|INFO|SUBSCRIBE|NOTIFY|REFER|MESSAGE|PUBLISH) /
const START_WORD_MAX_BYTES = 10

export function checkHep2(bytes: Buffer, start: number, end: number): CaptureReason | '' {
  const size = end - start
  if (size <= 0) return 'frame_too_short'
  const version = bytes[start]
  if (version !== 1 && version !== 2) return 'not_hep'
  if (size < 3) return 'frame_too_short'
  const headerBytes = bytes[start + 1]
  const isIpv4 = bytes[start + 2] === FAMILY_IPV4
  if (headerBytes !== (isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES)) return 'not_hep'
  return size < headerBytes + (version === 2 ? TIME_BYTES : 0) ? 'frame_too_short' : ''
}

export function decodeHep2(bytes: Buffer, receivedAtUs: number): HepFrame | { reason: CaptureReason } {
  const refused = checkHep2(bytes, 0, bytes.length)
  if (refused !== '') return { reason: refused }
  const headerBytes = bytes[1]!
  const isIpv4 = headerBytes === IPV4_HEADER_BYTES
  const { agentId, capturedAtUs } =
    bytes[0] === 2 ? timeAt(bytes, headerBytes, receivedAtUs) : { agentId: 0, capturedAtUs: 0 }
  return {
    protocolType: SIP,
    ipProtocol: bytes[3]!,
    sourceAddress: isIpv4 ? ipv4Text(bytes, 8) : ipv6Text(bytes, 8),
    sourcePort: bytes.readUInt16BE(4),
    destinationAddress: isIpv4 ? ipv4Text(bytes, 12) : ipv6Text(bytes, 24),
    destinationPort: bytes.readUInt16BE(6),
    capturedAtUs,
    agentId,
    agentName: '',
    correlationId: '',
    payload: bytes.subarray(payloadStart(bytes, headerBytes)),
    flags: capturedAtUs === 0 ? HEP_FLAG.missingTimestamp : 0,
  }
}

function payloadStart(bytes: Buffer, headerBytes: number): number {
  if (bytes[0] === 1) return headerBytes
  const packed = headerBytes + TIME_BYTES
  if (START_LINE.test(bytes.toString('latin1', packed, packed + START_WORD_MAX_BYTES))) return packed
  return Math.min(bytes.length, packed + PADDING_BYTES)
}

function timeAt(bytes: Buffer, at: number, receivedAtUs: number): { capturedAtUs: number; agentId: number } {
  const little = microseconds(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4))
  const big = microseconds(bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4))
  const isLittle = Math.abs(receivedAtUs - little) <= Math.abs(receivedAtUs - big)
  return isLittle
    ? { capturedAtUs: little, agentId: bytes.readUInt16LE(at + 8) }
    : { capturedAtUs: big, agentId: bytes.readUInt16BE(at + 8) }
}

/** 0 without seconds. As in HEP3, a sum nobody normalised is carried and nonsense is dropped. */
function microseconds(seconds: number, fraction: number): number {
  return seconds === 0 ? 0 : seconds * 1_000_000 + (fraction < 2_000_000 ? fraction : 0)
}
