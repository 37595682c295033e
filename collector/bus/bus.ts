/**
 * The bus: what stands between capture and store. Five methods, so that the embedded mode (spool files) and the
 * cluster (Kafka) differ here and nowhere else.
 *
 * A position is one ever growing number per partition (the spool: a byte offset, the only partition is 0), so
 * positions compare with `<`. Delivery is at least once: after a restart everything from the last committed
 * position comes again, and what comes after the bus must not mind.
 */
import type { ReceivedFrame } from '../../schemas/hep-frame.js'

export interface BusBatch {
  partition: number
  /** In the order of arrival. Their bytes are views that hold until the handler's promise settles: copy what is kept. */
  frames: ReceivedFrame[]
  /** Position of the first frame. */
  position: number
  /** Commit this to say: everything before it is stored. */
  nextPosition: number
  /**
   * The capture clock's promise, microseconds since 1970 UTC: every frame received before this has been
   * delivered; 0 while nothing is promised yet. It lets time pass on an idle bus. It follows the host's clock
   * over a restart, so it may step back there.
   */
  receivedUntilUs: number
  /** Stretches that could not be read and were skipped; absent when there were none. */
  damaged?: DamagedStretch[]
}

export interface DamagedStretch {
  reason: 'spool_damaged'
  bytes: number
}

export interface Bus {
  /** Resolves when the frames are on disk (spool) or acknowledged by all replicas (Kafka). */
  publish(frames: ReceivedFrame[]): Promise<void>
  /**
   * Hands over batches until the bus is closed, then resolves. The handler's promise is the back-pressure: the
   * next batch waits for it. An idle bus delivers `frames: []` at least every 500 ms. Rejects with what the
   * handler threw.
   */
  subscribe(onBatch: (batch: BusBatch) => Promise<void>): Promise<void>
  commit(partition: number, position: number): Promise<void>
  /** What is published and not committed; `frames` where it is known. */
  lag(): Promise<{ frames?: number; bytes: number }>
  close(): Promise<void>
}
