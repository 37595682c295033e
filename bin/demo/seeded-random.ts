/**
 * Random numbers that are the same for the same seed, on every machine.
 *
 * Takes    a seed: any text or number.
 * Returns  numbers from a stream of 32-bit words, and the distributions telephone traffic is made of.
 * Throws   nothing.
 * Source   sfc32 (Chris Doty-Humphrey, PractRand; public domain). Not for secrets.
 */
export class SeededRandom {
  #a: number
  #b: number
  #c: number
  #counter = 1
  #spareNormal: number | undefined

  constructor(seed: number | string) {
    // FNV-1a over the seed's text, once for each word of state; sfc32 forgets where it came from in a dozen steps.
    const text = String(seed)
    this.#a = fnv1a(text, 0x811c9dc5)
    this.#b = fnv1a(text, this.#a ^ 0x9e3779b9)
    this.#c = fnv1a(text, this.#b ^ 0x85ebca6b)
    for (let step = 0; step < 15; step++) this.word()
  }

  /** 32 random bits, 0 .. 2^32 - 1. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** [0, 1) */
  fraction(): number {
    return this.word() / 4_294_967_296
  }

  /** 0 .. below - 1 */
  integer(below: number): number {
    return Math.floor(this.fraction() * below)
  }

  /** [low, high) */
  between(low: number, high: number): number {
    return low + (high - low) * this.fraction()
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)]!
  }

  /** Time between two arrivals of a Poisson process. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.fraction())
  }

  /** Mean 0, deviation 1 (Box-Muller). */
  normal(): number {
    const spare = this.#spareNormal
    if (spare !== undefined) {
      this.#spareNormal = undefined
      return spare
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.fraction()))
    const angle = 2 * Math.PI * this.fraction()
    this.#spareNormal = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal())
  }

  /** `words` times eight hex digits. */
  hex(words: number): string {
    let text = ''
    for (let index = 0; index < words; index++) text += this.word().toString(16).padStart(8, '0')
    return text
  }
}

/** Draws items by weight; the weights need not add up to 1. */
export class WeightedChoice<T> {
  readonly #items: T[] = []
  readonly #upTo: number[] = []
  #total = 0

  constructor(weighted: Iterable<readonly [T, number]>) {
    for (const [item, weight] of weighted) {
      if (weight <= 0) continue
      this.#total += weight
      this.#items.push(item)
      this.#upTo.push(this.#total)
    }
    if (this.#items.length === 0)
      throw new RangeError('A choice needs at least one item with a weight above 0.')
  }

  /** The share of draws that give this item. */
  share(item: T): number {
    const index = this.#items.indexOf(item)
    if (index < 0) return 0
    return (this.#upTo[index]! - (this.#upTo[index - 1] ?? 0)) / this.#total
  }

  draw(random: SeededRandom): T {
    const point = random.fraction() * this.#total
    let index = 0
    while (point >= this.#upTo[index]! && index < this.#items.length - 1) index++
    return this.#items[index]!
  }
}

function fnv1a(text: string, basis: number): number {
  let hash = basis
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash | 0
}
