/**
 * What the receivers hand their frames to, and what they have in common.
 */
import type { Transport } from '../../schemas/hep-frame.js'
import type { CaptureReason } from '../../schemas/reasons.js'

export type StreamTransport = Extract<Transport, 'tcp' | 'tls'>
export type SocketTransport = StreamTransport | 'udp'

export interface FrameIntake {
  /** Whether this address may send: asked for every datagram, and once for a connection. */
  isAllowed(peerAddress: string): boolean
  /** A whole frame, bytes[start, end), good or bad. Copies what it keeps; never throws, never waits. */
  take(bytes: Buffer, start: number, end: number, transport: SocketTransport, peerAddress: string): void
  /** Something that is not a frame was refused; `bytes` is what there is to show of it. */
  refuse(reason: CaptureReason, transport: SocketTransport, peerAddress: string, bytes: Buffer): void
}

export interface BoundAddress {
  host: string
  port: number
}

/** An IPv4 agent has one name, whether it came to an IPv4 socket or to one that takes both. */
export function plainAddress(address: string): string {
  const isMapped = address.length > 7 && address.charCodeAt(0) === 0x3a && address.startsWith('::ffff:')
  return isMapped && address.includes('.') ? address.slice(7) : address
}
