/**
 * The inventory of our numbers: which carrier each was bought from. Built once from the rows of a file, then asked for
 * millions of numbers: sorted typed arrays, no overlaps, about 20 bytes a row, and rows that follow each other in one entry.
 *
 * Takes    ranges of numbers (a single number is one of length 1), in any order, with the line they stand on.
 * Returns  what is wrong between them, by line, and an inventory of the rest.
 * Throws   nothing.
 *
 * A range within a wider one of another carrier is an exception to it, as a number is that was ported out of a block: the
 * narrower one counts. Two that are equal, or overlap and neither holds the other, contradict each other: of no number in
 * them is it known whose it is, so both are left out. The same carrier twice is a duplicate, and harmless.
 */

/** What an inventory says about a number. */
export interface InventoryEntry {
  carrier: string
  country: string
  type: string
}

export interface InventoryRange extends InventoryEntry {
  /** Digits without '+', at most 15: exact in a double. */
  from: number
  to: number
  line: number
}

export type OverlapKind = 'duplicate' | 'contradiction'

export interface Overlap {
  kind: OverlapKind
  line: number
  /** The line it is compared with. */
  other: number
  carrier: string
  otherCarrier: string
}

/** What a process holds of the file in `numbers` of the configuration. */
export interface LoadedInventory {
  inventory: NumberInventory
  /** As it is configured. */
  file: string
  loadedAtUs: number
  /** Without the header row. */
  rows: number
  /** Rows that are left out, by what is wrong with them; the first of them with their lines. */
  errorCounts: Readonly<Record<string, number>>
  errors: readonly { line: number; kind: string; column: string; problem: string }[]
  notes: readonly string[]
  /** Why the file as it is now was not taken over, and that of before still holds; '' when it was. */
  problem: string
}

/** Shorter texts of digits are no global numbers, whatever the inventory holds. */
const DIGITS_MIN = 7
const DIGITS_MAX = 15

export class NumberInventory {
  readonly #from: Float64Array
  readonly #to: Float64Array
  readonly #entryOf: Uint32Array
  readonly #entries: readonly InventoryEntry[]

  constructor(
    from: Float64Array,
    to: Float64Array,
    entryOf: Uint32Array,
    entries: readonly InventoryEntry[],
  ) {
    this.#from = from
    this.#to = to
    this.#entryOf = entryOf
    this.#entries = entries
  }

  /** Stretches of numbers with the same carrier, country and type. */
  get ranges(): number {
    return this.#from.length
  }

  get numbers(): number {
    let sum = 0
    for (let at = 0; at < this.#from.length; at++) sum += this.#to[at]! - this.#from[at]! + 1
    return sum
  }

  get bytes(): number {
    return this.#from.byteLength + this.#to.byteLength + this.#entryOf.byteLength
  }

  /** Of '+' and digits, or of the same digits without the '+', as many carriers send them; undefined: not in it. */
  find(number: string): InventoryEntry | undefined {
    const start = number.charCodeAt(0) === 0x2b ? 1 : 0
    const length = number.length - start
    if (length < DIGITS_MIN || length > DIGITS_MAX) return undefined
    let digits = 0
    for (let at = start; at < number.length; at++) {
      const digit = number.charCodeAt(at) - 0x30
      if (digit < 0 || digit > 9) return undefined
      digits = digits * 10 + digit
    }
    // 0123… is not the number 123….
    if (number.charCodeAt(start) === 0x30) return undefined
    let [low, high] = [0, this.#from.length - 1]
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (digits < this.#from[middle]!) high = middle - 1
      else if (digits > this.#to[middle]!) low = middle + 1
      else return this.#entries[this.#entryOf[middle]!]
    }
    return undefined
  }
}

const ROWS_AT_FIRST = 1_024
/** Ranges within each other: a number has 15 digits, and nobody splits one more often. */
const DEPTH_MAX = 64

export class InventoryBuilder {
  #from = new Float64Array(ROWS_AT_FIRST)
  #to = new Float64Array(ROWS_AT_FIRST)
  #entryOf = new Uint32Array(ROWS_AT_FIRST)
  #line = new Uint32Array(ROWS_AT_FIRST)
  #rows = 0
  #isSorted = true
  readonly #entries: InventoryEntry[] = []
  readonly #entryAt = new Map<string, number>()

  get rows(): number {
    return this.#rows
  }

  add({ from, to, carrier, country, type, line }: InventoryRange): void {
    const at = this.#rows++
    if (at === this.#from.length) this.#grow()
    if (at > 0 && (from < this.#from[at - 1]! || (from === this.#from[at - 1]! && to > this.#to[at - 1]!))) {
      this.#isSorted = false
    }
    this.#from[at] = from
    this.#to[at] = to
    this.#line[at] = line
    const key = `${carrier}\n${country}\n${type}`
    let entry = this.#entryAt.get(key)
    if (entry === undefined) {
      entry = this.#entries.push({ carrier, country, type }) - 1
      this.#entryAt.set(key, entry)
    }
    this.#entryOf[at] = entry
  }

  build(): { inventory: NumberInventory; overlaps: Overlap[] } {
    const order = this.#order()
    const { isLeftOut, overlaps } = this.#overlaps(order)
    return { inventory: this.#flat(order, isLeftOut), overlaps }
  }

  #grow(): void {
    const grown = <List extends Float64Array | Uint32Array>(list: List, into: List): List => {
      into.set(list)
      return into
    }
    const length = 2 * this.#from.length
    this.#from = grown(this.#from, new Float64Array(length))
    this.#to = grown(this.#to, new Float64Array(length))
    this.#entryOf = grown(this.#entryOf, new Uint32Array(length))
    this.#line = grown(this.#line, new Uint32Array(length))
  }

  /** Rows by their first number; of those that begin together the widest first, then as they stand in the file. */
  #order(): Uint32Array {
    const order = new Uint32Array(this.#rows).map((_, at) => at)
    if (this.#isSorted) return order
    const [from, to] = [this.#from, this.#to]
    return order.sort((a, b) => from[a]! - from[b]! || to[b]! - to[a]! || a - b)
  }

  #overlaps(order: Uint32Array): { isLeftOut: Uint8Array; overlaps: Overlap[] } {
    const isLeftOut = new Uint8Array(this.#rows)
    const overlaps: Overlap[] = []
    const carrierOf = (row: number) => this.#entries[this.#entryOf[row]!]!.carrier
    // One thing is told of a row: the rest is seen when that is mended.
    const isNoted = new Uint8Array(this.#rows)
    const note = (kind: OverlapKind, row: number, other: number) => {
      if (isNoted[row] === 1) return
      isNoted[row] = 1
      overlaps.push({
        kind,
        line: this.#line[row]!,
        other: this.#line[other]!,
        carrier: carrierOf(row),
        otherCarrier: carrierOf(other),
      })
    }
    const open: number[] = []
    for (const row of order) {
      while (open.length > 0 && this.#to[open.at(-1)!]! < this.#from[row]!) open.pop()
      let isKept = true
      // From the narrowest to the widest; past the first that holds the row nothing else can cut it.
      for (let at = open.length - 1; at >= 0 && isKept; at--) {
        const other = open[at]!
        const isSame = this.#from[row] === this.#from[other] && this.#to[row] === this.#to[other]
        if (this.#to[row]! <= this.#to[other]! && !isSame) {
          // Within a block of its own carrier it says nothing new, unless its country or type differs.
          if (this.#entryOf[row] === this.#entryOf[other]) note('duplicate', row, other)
          break
        }
        if (carrierOf(row) === carrierOf(other)) {
          note('duplicate', row, other)
          // What sticks out of the other is lost if the row goes: then it stays, and `#flat` cuts it.
          isKept = !isSame
          continue
        }
        note('contradiction', row, other)
        note('contradiction', other, row)
        isLeftOut[row] = 1
        isLeftOut[other] = 1
        if (isSame) break
      }
      if (isKept && open.length >= DEPTH_MAX) {
        note('contradiction', row, open.at(-1)!)
        isKept = false
      }
      if (isKept) this.#open(open, row)
      else isLeftOut[row] = 1
    }
    return { isLeftOut, overlaps }
  }

  /** The one that ends first stands last. */
  #open(open: number[], row: number): void {
    let at = open.length
    while (at > 0 && this.#to[open[at - 1]!]! < this.#to[row]!) at--
    open.splice(at, 0, row)
  }

  /** Without overlaps: of two that hold a number the narrower one, which begins later or ends sooner. */
  #flat(order: Uint32Array, isLeftOut: Uint8Array): NumberInventory {
    const from: number[] = []
    const to: number[] = []
    const entryOf: number[] = []
    const emit = (first: number, last: number, row: number) => {
      if (first > last) return
      const entry = this.#entryOf[row]!
      const end = to.length - 1
      if (end >= 0 && to[end] === first - 1 && entryOf[end] === entry) to[end] = last
      else {
        from.push(first)
        to.push(last)
        entryOf.push(entry)
      }
    }
    const open: number[] = []
    let next = 0
    const closeUpTo = (limit: number) => {
      while (open.length > 0 && this.#to[open.at(-1)!]! < limit) {
        const row = open.pop()!
        emit(next, this.#to[row]!, row)
        next = Math.max(next, this.#to[row]! + 1)
      }
    }
    for (const row of order) {
      if (isLeftOut[row] === 1) continue
      const first = this.#from[row]!
      closeUpTo(first)
      const around = open.at(-1)
      if (around !== undefined) emit(next, first - 1, around)
      next = Math.max(next, first)
      this.#open(open, row)
    }
    closeUpTo(Number.POSITIVE_INFINITY)
    return new NumberInventory(
      Float64Array.from(from),
      Float64Array.from(to),
      Uint32Array.from(entryOf),
      this.#entries,
    )
  }
}
