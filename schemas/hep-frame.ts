/**
 * What an agent sends to the collector, and what the spool and the bus carry.
 */

/** A frame as it arrived, with the collector's own observations. This is what the spool stores. */
export interface ReceivedFrame {
  /** Collector's clock at arrival, microseconds since 1970 UTC. In a replay: taken from the capture. */
  receivedAtUs: number
  transport: Transport
  /** Address of the agent as the socket saw it, without port; 'file' in a replay. */
  peerAddress: string
  /** The HEP frame, byte for byte (inflated where the agent sent gzip). */
  bytes: Buffer
  /** Where the bus holds it: position of the sealed batch (spool) or of the record (Kafka) it came in; 0 outside a bus. */
  position: number
}

export const TRANSPORTS = ['udp', 'tcp', 'tls', 'file'] as const
export type Transport = (typeof TRANSPORTS)[number]

/** A decoded HEP frame. Absent numbers are 0, absent texts ''; `flags` says what was odd. */
export interface HepFrame {
  /** Chunk 0x000b; 1 is SIP. */
  protocolType: number
  /** Chunk 0x0002: 6 TCP, 17 UDP, 132 SCTP, 22 seen for TLS; 0 absent. */
  ipProtocol: number
  sourceAddress: string
  sourcePort: number
  destinationAddress: string
  destinationPort: number
  /** Chunks 9 and 10, microseconds since 1970 UTC; 0 when absent or null (use the arrival time). */
  capturedAtUs: number
  /** Chunk 0x000c; 0 absent. */
  agentId: number
  /** Chunk 0x0013. */
  agentName: string
  /** Chunk 0x0011: a hint, never a key. */
  correlationId: string
  /** Chunk 0x000f, or the inflated chunk 0x0010. A view into the frame where it was not compressed. */
  payload: Buffer
  /** Bits of HEP_FLAG. */
  flags: number
}

/** What was tolerated in a frame; a bit set. */
export const HEP_FLAG = {
  /** No source or no destination address. */
  missingAddress: 1,
  /** No timestamp, or 0/0: the arrival time stands in. */
  missingTimestamp: 2,
  /** A chunk stood twice; the last one won. */
  repeatedChunk: 4,
  /** The payload was compressed. */
  compressed: 8,
  /** The capture time was out of bounds and was replaced by the arrival time. */
  clampedTimestamp: 16,
} as const
