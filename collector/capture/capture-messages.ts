/**
 * What the main thread and the capture thread say to each other. All of it survives a structured clone.
 */
import type { Transport } from '../../schemas/hep-frame.js'
import type { CaptureReason, RefusedSample } from '../../schemas/reasons.js'
import type { CaptureErrorCode } from './capture-error.js'
import type { AdmissionSettings } from './frame-intake.js'
import type { BoundAddress } from './frames.js'
import type { TlsFiles } from './tls.js'

export interface ThreadOptions {
  spoolFolder: string
  udp: BoundAddress | undefined
  tcp: BoundAddress | undefined
  tls: BoundAddress | undefined
  tlsFiles: TlsFiles | undefined
  admission: AdmissionSettings
  receiveBufferBytes: number
  tcpConnectionsMax: number
  tcpConnectionsPerAddressMax: number
  tcpIdleTimeoutMs: number
  tcpFrameTimeoutMs: number
  spoolSizeMaxBytes: number | undefined
  spoolMemoryMaxBytes: number | undefined
  spoolSegmentBytes: number | undefined
  spoolSafetyAgeMs: number | undefined
}

/** Totals since the start of the thread, and the state at that moment. */
export interface CaptureCounters {
  /** On disk in the spool. */
  acceptedFrames: Record<Transport, number>
  acceptedBytes: Record<Transport, number>
  /**
   * Frames; for connection_limit, tls_refused, frame_timeout and idle_timeout connections, for address_not_allowed
   * datagrams and connections; for skipped_bytes runs of bytes.
   */
  refused: Record<CaptureReason, number>
  /** Bytes in TCP and TLS streams that belonged to no frame. */
  skippedBytes: number
  receiveBufferAskedBytes: number
  /** 0 without UDP. Linux shows twice what was set. */
  receiveBufferGrantedBytes: number
  connectionsOpen: number
  framesInFlight: number
  spoolBytes: number
  spoolSegments: number
  spoolState: 'writing' | 'full' | 'failing'
  /** Segments deleted before their safety age, because the room was needed. */
  spoolSegmentsCutShort: number
  spoolWriteFailures: number
}

/** ReceivedFrames, packed: one buffer instead of one clone a frame. */
export interface PackedFrames {
  receivedAtUs: number[]
  transports: Transport[]
  peerAddresses: string[]
  lengths: number[]
  bytes: Uint8Array
}

export type FromThread =
  | {
      type: 'ready'
      udp: BoundAddress | undefined
      tcp: BoundAddress | undefined
      tls: BoundAddress | undefined
      endPosition: number
      receivedUntilUs: number
      counters: CaptureCounters
    }
  | { type: 'failed'; code: CaptureErrorCode; message: string }
  | { type: 'notify'; endPosition: number; receivedUntilUs: number }
  | { type: 'counters'; counters: CaptureCounters; samples: RefusedSample[] }
  | { type: 'notice'; sentence: string }
  | { type: 'published'; id: number; failure: { code: CaptureErrorCode; message: string } | undefined }
  | { type: 'reloaded'; id: number; notices: string[] }
  | { type: 'stopped' }

export type ToThread =
  | { type: 'committed'; position: number }
  | { type: 'publish'; id: number; frames: PackedFrames }
  | { type: 'reload'; id: number; admission: AdmissionSettings; tlsFiles: TlsFiles | undefined }
  | { type: 'stop' }
