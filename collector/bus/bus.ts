/**
 * The bus: what stands between capture and store. Five methods, so that the embedded mode (spool files) and the
 * cluster (Kafka) differ here and nowhere else.
 *
 * A position is one ever growing number per partition (the spool: a byte offset, the only partition is 0; Kafka: the
 * offset), so positions compare with `<`. Delivery is at least once: after a restart or a rebalance everything from the last
 * committed position comes again, and what comes after the bus must not mind.
 *
 * A topic may grow, a call must not change hands while it is up: partition p belongs to base partition p mod B, B the number
 * the topic was made with. All partitions of one base partition are read by the same process, and a Call-ID stays in
 * its base partition whatever the topic's size. Tables carry the base partition.
 */
import type { ReceivedFrame } from '../../schemas/hep-frame.js'

export interface BusBatch {
  partition: number
  /** `partition` mod the number of partitions the topic was made with; the spool: 0. */
  basePartition: number
  /** In the order of arrival. Their bytes are views that hold until the handler's promise settles: copy what is kept. */
  frames: ReceivedFrame[]
  /** Position of the first frame. */
  position: number
  /** Commit this to say: everything before it is stored. */
  nextPosition: number
  /**
   * The capture clock's promise, microseconds since 1970 UTC: every frame that this batch's publisher received before this
   * has been delivered; 0 while nothing is promised yet. It lets time pass on an idle bus. It follows the publishing host's
   * clock over a restart, so it may step back there.
   */
  receivedUntilUs: number
  /** Stretches that could not be read and were skipped; absent when there were none. */
  damaged?: DamagedStretch[]
}

export interface DamagedStretch {
  reason: 'spool_damaged' | 'record_damaged'
  bytes: number
}

export interface Bus {
  /** Resolves when the frames are on disk (spool) or acknowledged by all replicas (Kafka). */
  publish(frames: ReceivedFrame[]): Promise<void>
  /**
   * Hands over batches until the bus is closed, then resolves. The handler's promise is the back-pressure: the
   * next batch of that partition waits for it. An idle bus delivers `frames: []` at least every 500 ms (Kafka: at most every
   * few seconds a partition). Rejects with what the handler threw.
   *
   * @param onRevoked base partitions that another process reads from now on: forget what is held of them. What was not
   *   committed is delivered there.
   */
  subscribe(
    onBatch: (batch: BusBatch) => Promise<void>,
    onRevoked?: (basePartitions: number[]) => void,
  ): Promise<void>
  commit(partition: number, position: number): Promise<void>
  /** What is published and not committed; `frames` where it is known. */
  lag(): Promise<{ frames?: number; bytes: number }>
  close(): Promise<void>
}
