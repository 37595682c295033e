/**
 * The demo's traffic as a stream of HEP frames in the order of time.
 *
 * Takes    a seed, a span of time, and calls a second.
 * Returns  `backfill`: the frames of a span that is over. `live`: frames as they fall due, first those of calls that
 *          are still up from before. The same seed, spans and rates give the same frames (with keys: a signature is
 *          another each time).
 * Throws   RangeError for a rate that is not above 0.
 */
import { CallPlanner, type PlannerOptions } from './call-planner.js'
import { CallQueue } from './call-queue.js'
import { callMessages, type TimedMessage } from './calls.js'
import { hepFrame } from './frames.js'
import type { PlannedCall } from './planned-call.js'
import { SeededRandom } from './seeded-random.js'
import type { ExpectedAttempt } from './truth.js'

export interface TimedFrame {
  /** Capture time, microseconds since 1970 UTC. */
  atUs: number
  bytes: Buffer
}

export interface TrafficOptions extends PlannerOptions {
  /** Told of every call as it begins: the answer sheet. */
  onCall?: (expected: ExpectedAttempt, call: PlannedCall) => void
  /** The agents' shared secret, chunk 14 of every frame. */
  agentKey?: string | undefined
}

export interface LiveOptions {
  /** Calls a second. */
  rate: number
  /** Where live begins: the end of the back-fill. Default: now. */
  fromUs?: number
  /** No call begins after it; the stream ends when those that did are over. */
  untilUs?: number
  signal?: AbortSignal
  /** For tests: the clock, and how to wait on it. */
  nowUs?: () => number
  sleep?: (ms: number, signal?: AbortSignal) => Promise<void>
}

const LIVE_POLL_MAX_MS = 250

export class Traffic {
  readonly #planner: CallPlanner
  readonly #arrivals: SeededRandom
  readonly #queue = new CallQueue()
  readonly #onCall: TrafficOptions['onCall']
  readonly #agentKey: string | undefined
  /** When the next call begins; undefined until there was a rate to draw it with. */
  #nextCallAtUs: number | undefined
  calls = 0
  frames = 0

  constructor(options: TrafficOptions) {
    this.#planner = new CallPlanner(options)
    this.#arrivals = new SeededRandom(`${options.seed} arrivals`)
    this.#onCall = options.onCall
    this.#agentKey = options.agentKey
  }

  /** Calls that have messages to come. */
  get callsUnderWay(): number {
    return this.#queue.size
  }

  /** The frames with `fromUs <= atUs < toUs`. What began in the span and goes on after it stays for `live`. */
  *backfill(fromUs: number, toUs: number, rate: number): Generator<TimedFrame, void, void> {
    this.#begin(fromUs, rate)
    for (;;) {
      const message = this.#take(toUs, toUs, rate)
      if (message === undefined) return
      yield this.#frame(message)
    }
  }

  async *live(options: LiveOptions): AsyncGenerator<TimedFrame, void, void> {
    const { rate, signal, untilUs = Infinity, nowUs = wallClockUs, sleep = sleepMs } = options
    this.#begin(options.fromUs ?? nowUs(), rate)
    while (!signal?.aborted) {
      const dueUs = nowUs()
      const message = this.#take(dueUs + 1, untilUs, rate)
      if (message !== undefined) {
        yield this.#frame(message)
        continue
      }
      const nextAtUs = Math.min(
        this.#queue.nextAtUs,
        this.#nextCallAtUs! < untilUs ? this.#nextCallAtUs! : Infinity,
      )
      if (nextAtUs === Infinity) return
      await sleep(Math.min(LIVE_POLL_MAX_MS, Math.max(1, (nextAtUs - dueUs) / 1_000)), signal)
    }
  }

  #begin(fromUs: number, rate: number): void {
    if (!(rate > 0 && rate < Infinity))
      throw new RangeError(`The rate must be above 0 calls a second, not ${rate}.`)
    this.#nextCallAtUs ??= this.#later(fromUs, rate)
  }

  /** The next message before `beforeUs`, if there is one; calls begin up to `callsUntilUs`. */
  #take(beforeUs: number, callsUntilUs: number, rate: number): TimedMessage | undefined {
    for (;;) {
      const callAtUs = this.#nextCallAtUs!
      if (callAtUs > this.#queue.nextAtUs || callAtUs >= beforeUs || callAtUs >= callsUntilUs) break
      const call = this.#planner.plan(callAtUs)
      this.calls++
      this.#queue.add(call.number, callMessages(call))
      this.#onCall?.(call.expected, call)
      this.#nextCallAtUs = this.#later(callAtUs, rate)
    }
    return this.#queue.nextAtUs < beforeUs ? this.#queue.takeNext() : undefined
  }

  #later(atUs: number, rate: number): number {
    return atUs + Math.max(1, Math.round(this.#arrivals.exponential(1_000_000 / rate)))
  }

  #frame(message: TimedMessage): TimedFrame {
    this.frames++
    return { atUs: message.atUs, bytes: hepFrame(message, this.#agentKey) }
  }
}

function wallClockUs(): number {
  return Date.now() * 1_000
}

function sleepMs(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
  })
}
