/**
 * File descriptors that connections may take. Without it a full table would be noticed too late: the event loop's
 * library then closes new connections without a word, nothing counts them, and the spool cannot open its next segment.
 * So the last sixteenth of the limit, and 16 at least, is kept for files and for whatever else the process opens.
 *
 * Where /proc does not tell (not on Linux) there is no limit but the configured number of connections.
 */
import { readdirSync, readFileSync } from 'node:fs'

const RESERVE_MIN = 16
const RESERVE_SHIFT = 4
/** Looking costs time with thousands open: seldom while there is room, soon when there is none. */
const LOOK_AGAIN_MS = 1_000
const LOOK_SOON_MS = 50

export class DescriptorRoom {
  readonly #limit: number
  readonly #openNow: () => number
  readonly #nowMs: () => number
  #left = 0
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(
    limit: number = descriptorLimit(),
    openNow: () => number = openDescriptors,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#limit = limit
    this.#openNow = openNow
    this.#nowMs = nowMs
  }

  /** Whether one more connection, which is open already, may stay. */
  take(): boolean {
    if (this.#limit === Number.POSITIVE_INFINITY) return true
    const agoMs = this.#nowMs() - this.#lookedAtMs
    if (agoMs >= (this.#left > 0 ? LOOK_AGAIN_MS : LOOK_SOON_MS)) this.#look()
    else this.#left--
    return this.#left >= 0
  }

  #look(): void {
    this.#lookedAtMs = this.#nowMs()
    this.#left = this.#limit - Math.max(RESERVE_MIN, this.#limit >> RESERVE_SHIFT) - this.#openNow()
  }
}

/** What /proc/self/limits says about open files; Node has raised the soft limit to the hard one when it started. */
export function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return /^\d+$/.test(soft ?? '') ? Number(soft) : Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch (error) {
    // Not even one for the listing is left.
    return (error as NodeJS.ErrnoException).code === 'EMFILE' ? Number.MAX_SAFE_INTEGER : 0
  }
}
