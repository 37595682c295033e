/**
 * The capture process of the cluster: capture thread → spool → Kafka. The spool is the retry: a batch is committed there
 * when every replica has it, and until then it is read again, by this process or the next.
 *
 * An outage of the broker costs memory for one batch; frames go on into the spool, and afterwards out again, oldest first.
 */
import type { ReceivedFrame } from '../schemas/hep-frame.js'
import type { BusBatch } from './bus/bus.js'

/** What the capture role needs of the spool and of the broker. */
export interface CaptureParts {
  spool: {
    subscribe(onBatch: (batch: BusBatch) => Promise<void>): Promise<void>
    commit(partition: number, position: number): Promise<void>
    /** Delivers again what is still on disk. */
    rewind(): Promise<void>
  }
  broker: {
    /** Resolves when all replicas have the frames; tells every partition how far time has gone. */
    publish(frames: ReceivedFrame[], receivedUntilUs: number): Promise<void>
  }
  log: (level: 'info' | 'warn' | 'error', sentence: string) => void
}

export interface CaptureRoleStatus {
  framesPublished: number
  /** Received-at of the newest published frame, microseconds since 1970 UTC; 0 before the first. */
  publishedUntilUs: number
  /** Bytes of the spool that could not be read. */
  damagedBytes: number
  /** '' while the broker takes what it is given. */
  problem: string
}

const RETRY_PAUSE_MAX_MS = 10_000
/** A send costs milliseconds whatever is in it: little waits for company. */
const LINGER_MS = 100
const LINGER_BELOW_BYTES = 1_048_576
/** After this a broker that owes an answer is a problem: the client itself tries for minutes before it says so. */
const SILENT_MS = 3_000

export class CaptureRole {
  readonly #parts: CaptureParts
  #status: CaptureRoleStatus = { framesPublished: 0, publishedUntilUs: 0, damagedBytes: 0, problem: '' }
  /** When the batch under way was given to the broker; undefined: none is. */
  #publishingSinceMs: number | undefined
  #isStopping = false
  #logWasLost = false
  #wake: () => void = () => {}

  constructor(parts: CaptureParts) {
    this.#parts = parts
  }

  get status(): CaptureRoleStatus {
    return this.#status.problem === '' ? { ...this.#status, problem: this.#silence() } : this.#status
  }

  /** Carries the spool to the broker until the spool is closed. Rejects when the spool cannot be read. */
  run(): Promise<void> {
    return this.#parts.spool.subscribe((batch) => this.#publish(batch))
  }

  /** The broker has less than it acknowledged: what the spool still holds is sent again. */
  onLogLost(sentence: string): void {
    this.#parts.log('error', `${sentence}; what the spool still holds is sent again`)
    this.#logWasLost = true
  }

  /** A broker that does not answer is not waited for any longer: what it did not take stays in the spool. */
  stop(): void {
    this.#isStopping = true
    this.#wake()
  }

  #silence(): string {
    if (this.#publishingSinceMs === undefined) return ''
    const silentMs = performance.now() - this.#publishingSinceMs
    return silentMs < SILENT_MS ? '' : `the broker has not answered for ${Math.round(silentMs / 1_000)} s`
  }

  async #publish(batch: BusBatch): Promise<void> {
    for (const stretch of batch.damaged ?? []) {
      this.#status.damagedBytes += stretch.bytes
      this.#parts.log(
        'error',
        `the spool is damaged: ${stretch.bytes} bytes could not be read and were skipped`,
      )
    }
    const startedMs = performance.now()
    for (let pauseMs = 250; ; pauseMs = Math.min(pauseMs * 2, RETRY_PAUSE_MAX_MS)) {
      try {
        this.#publishingSinceMs = performance.now()
        await this.#parts.broker.publish(batch.frames, batch.receivedUntilUs)
        this.#publishingSinceMs = undefined
        break
      } catch (error) {
        const sentence = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
        if (this.#status.problem === '')
          this.#parts.log('error', `the broker takes nothing: ${sentence}; the spool keeps it, trying again`)
        this.#status.problem = `the broker takes nothing: ${sentence}`
        if (this.#isStopping) return
        await this.#pause(pauseMs)
        if (this.#isStopping) return
      }
    }
    if (this.#status.problem !== '') this.#parts.log('info', 'the broker takes frames again')
    this.#status.problem = ''
    this.#status.framesPublished += batch.frames.length
    this.#status.publishedUntilUs = batch.frames.at(-1)?.receivedAtUs ?? this.#status.publishedUntilUs
    if (this.#logWasLost) {
      this.#logWasLost = false
      return this.#parts.spool.rewind()
    }
    if (batch.nextPosition > batch.position)
      await this.#parts.spool.commit(batch.partition, batch.nextPosition)
    const isSmall = batch.frames.length > 0 && batch.nextPosition - batch.position < LINGER_BELOW_BYTES
    const waitMs = LINGER_MS - (performance.now() - startedMs)
    if (isSmall && waitMs > 0 && !this.#isStopping) await this.#pause(waitMs)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
