/**
 * How soon a sink is tried again: backoff of one delivery, circuit breaker of the whole sink. Pure but for the `random` they are
 * given; the time is an argument.
 */

const FIRST_MS = 1_000
const LONGEST_MS = 300_000

/** After so many failed tries: doubling up to five minutes, half of it by chance, so that sinks are not hit in step. */
export function backoffMs(tries: number, random: () => number): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(30, Math.max(0, tries - 1)))
  return Math.round(longest * (0.5 + 0.5 * random()))
}

const FAILURES_TO_OPEN = 5
const OPEN_FIRST_MS = 30_000

/**
 * Opens after five failures in a row: then the sink is left alone, and one request looks whether it is back. Invariant:
 * while it is open at most one request goes out a wait, whatever waits.
 */
export class Circuit {
  #failures = 0
  #readyAtMs = 0

  /** Nothing is sent before; 0: closed. */
  get readyAtMs(): number {
    return this.#readyAtMs
  }

  get isOpen(): boolean {
    return this.#failures >= FAILURES_TO_OPEN
  }

  /** The sink answered, if only to refuse what it was sent. */
  answered(): void {
    this.#failures = 0
    this.#readyAtMs = 0
  }

  failed(nowMs: number, random: () => number): void {
    this.#failures++
    if (!this.isOpen) return
    const doublings = Math.min(30, this.#failures - FAILURES_TO_OPEN)
    const longest = Math.min(LONGEST_MS, OPEN_FIRST_MS * 2 ** doublings)
    this.#readyAtMs = nowMs + Math.round(longest * (0.5 + 0.5 * random()))
  }
}
