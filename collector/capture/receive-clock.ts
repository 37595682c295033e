/**
 * The clock that stamps arrivals: microseconds since 1970 UTC, never going back.
 *
 * It runs on the monotonic clock, so a stepped system clock does not tear two stamps apart. Now and then `follow`
 * compares it with the system clock: where that is ahead by more than 20 ms (set after our start, a suspended
 * host), it jumps forward at once; where that is behind, it runs 10 % slower until both agree.
 */
const TOLERANCE_US = 20_000
const SLOWED_RATE = 0.9

export class ReceiveClock {
  readonly #monotonicMs: () => number
  readonly #systemMs: () => number
  /** At monotonic time `#anchorMs` this clock showed `#anchorUs`; since then it runs at `#rate`. */
  #anchorMs: number
  #anchorUs: number
  #rate = 1
  #lastUs = 0

  /** `originMs` is the system time at 0 of the monotonic clock, in finer steps than the system clock shows. */
  constructor(
    monotonicMs: () => number = () => performance.now(),
    systemMs: () => number = Date.now,
    originMs: number = performance.timeOrigin,
  ) {
    this.#monotonicMs = monotonicMs
    this.#systemMs = systemMs
    this.#anchorMs = monotonicMs()
    const fineUs = (originMs + this.#anchorMs) * 1_000
    const coarseUs = systemMs() * 1_000
    this.#anchorUs = Math.abs(fineUs - coarseUs) < TOLERANCE_US ? fineUs : coarseUs
  }

  nowUs(): number {
    const us = Math.floor(this.#anchorUs + (this.#monotonicMs() - this.#anchorMs) * 1_000 * this.#rate)
    if (us > this.#lastUs) this.#lastUs = us
    return this.#lastUs
  }

  /** Call about once a second. */
  follow(): void {
    const nowUs = this.nowUs()
    const aheadUs = nowUs - this.#systemMs() * 1_000
    this.#anchorMs = this.#monotonicMs()
    this.#anchorUs = aheadUs < -TOLERANCE_US ? nowUs - aheadUs : nowUs
    this.#rate = aheadUs > TOLERANCE_US ? SLOWED_RATE : 1
  }
}
