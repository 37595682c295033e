/** What the readers of the formats (pcap.ts, pcapng.ts) have in common. */
import type { FileReason, PcapReason } from '../schemas/pcap-reasons.js'

/** libpcap writes no longer ones (MAXIMUM_SNAPLEN). */
export const PACKET_MAX_BYTES = 262_144

export interface CapturedPacket {
  linkType: number
  /** Microseconds since 1970 UTC; 0 when the file tells none. */
  capturedAtUs: number
  /** As many as the capture kept. */
  bytes: Buffer
  /** How long the packet was on the wire. */
  originalLength: number
}

export interface PacketSink {
  onPacket(packet: CapturedPacket): void
  /** Of something that gave no packet. */
  onUnread(reason: PcapReason): void
}

/** What a format does with what has come: bytes it is done with, or the reason why it cannot go on. */
export interface FormatReader {
  read(bytes: Buffer, sink: PacketSink): { usedBytes: number } | { reason: FileReason }
  /** In the middle of a block that is not read. */
  readonly isSkipping: boolean
}
