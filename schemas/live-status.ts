/**
 * What the running collector knows about itself without asking the store: collector → api, a snapshot a call. Counters
 * count since the process started. The api shows it, and asks for it often, so making one is cheap.
 */
import type { Transport } from './hep-frame.js'
import type { Reason, Stage } from './reasons.js'

export interface LiveStatus {
  /** The highest received-at so far, microseconds since 1970 UTC; 0 before the first frame. */
  asOfUs: number
  startedAtUs: number
  /** False while the process starts, and while the store cannot be read: `/readyz` answers 503 with `problem`. */
  ready: boolean
  /** One sentence for an operator; '' when there is none. */
  problem: string
  /** "host:port" as bound; '' where it does not listen. */
  listening: { hepUdp: string; hepTcp: string; http: string }
  /** UDP receive buffer: what was asked for and what the kernel granted; 0 without a UDP socket. */
  bufferAskedBytes: number
  bufferGrantedBytes: number
  accepted: readonly { transport: Transport; frames: number; bytes: number }[]
  refused: readonly { stage: Stage; reason: Reason; count: number }[]
  /** Datagrams the kernel dropped because the receive buffer was full. */
  kernelDrops: number
  spoolBytes: number
  /** Bytes of the spool that the store has not committed yet. */
  spoolLagBytes: number
  openAttempts: number
  /** Duration of the last flush; 0 before the first. */
  flushSecondsLast: number
  storedMessages: number
  lastFrame: { atUs: number; peerAddress: string } | undefined
}
