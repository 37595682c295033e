/**
 * Sums that were read once and are still true, in memory: the key names what was summed for whom, and its state, so nothing
 * here is ever wrong, only forgotten. The one asked for longest ago goes first.
 *
 * They hold for ten minutes at most: retention removes rows without a mark, and of two replicas one may be late.
 */
import type { Connections, Readers } from '../readers.js'
import type { Dimension } from './query.js'
import type { Sums } from './sums.js'

export interface GroupSums {
  by: Partial<Record<Dimension, string>>
  sums: Sums
}

/** About 20 MB. */
const NUMBERS_MAX = 1_000_000
const AGE_MAX_MS = 600_000

interface Entry {
  groups: readonly GroupSums[]
  numbers: number
  readAtMs: number
}

export class KeptSums {
  readonly #entries = new Map<string, Entry>()
  readonly #nowMs: () => number
  readonly #numbersMax: number
  #numbers = 0

  constructor(nowMs = () => performance.now(), numbersMax = NUMBERS_MAX) {
    this.#nowMs = nowMs
    this.#numbersMax = numbersMax
  }

  get numbers(): number {
    return this.#numbers
  }

  get(key: string): readonly GroupSums[] | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#remove(key)
    if (this.#nowMs() - entry.readAtMs > AGE_MAX_MS) return undefined
    this.#add(key, entry)
    return entry.groups
  }

  put(key: string, groups: readonly GroupSums[]): void {
    this.#remove(key)
    this.#add(key, { groups, numbers: numbersOf(key, groups), readAtMs: this.#nowMs() })
    for (const oldest of this.#entries.keys()) {
      if (this.#numbers <= this.#numbersMax) break
      this.#remove(oldest)
    }
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry)
    this.#numbers += entry.numbers
  }

  #remove(key: string): void {
    this.#numbers -= this.#entries.get(key)?.numbers ?? 0
    this.#entries.delete(key)
  }
}

/** Its key is kept too: eight letters are as large as a number. */
function numbersOf(key: string, groups: readonly GroupSums[]): number {
  let numbers = Math.ceil(key.length / 8)
  for (const { sums } of groups) {
    numbers += Object.keys(sums.counts).length
    for (const map of Object.values(sums.maps)) numbers += Object.keys(map).length
  }
  return numbers
}

const KEPT = new WeakMap<Connections, KeptSums>()

/** One for everybody who reads through the same connections. */
export function keptSumsOf({ connections }: Readers): KeptSums {
  let kept = KEPT.get(connections)
  if (kept === undefined) {
    kept = new KeptSums()
    KEPT.set(connections, kept)
  }
  return kept
}
