/**
 * Whether a SIP message came before: the same row identity (agent, 5-tuple, capture time, payload) among the frames counted
 * last. Two generations of a hash table of fixed size, changed by count: between 65,536 and 131,072 frames back, in 4 MiB.
 *
 * Returns  new      not among them
 *          copy     the agent sent it again: it was received at another time, or in the same batch of the bus
 *          repeat   one receipt that stands on the bus twice: capture published it again because it died, or the broker
 *                   did, before the answer; the second one is of no agent's doing
 *
 * It misses a copy that comes later than that, and a copy whose first sighting another process counted, or this one before
 * the partition was taken away and given back (`owner`). Of one message it tells at most COPIES_MAX receipts apart.
 * Two messages are taken for one with a chance of 2^-46 (131,072 frames, 63 bits of SHA-256).
 */
export type Sighting = 'new' | 'copy' | 'repeat'

const GENERATION_FRAMES = 65_536
const SLOTS = GENERATION_FRAMES * 2
/** Receipts kept of one message, so that a flood of it is no long chain to walk. */
const COPIES_MAX = 8

/** A slot: two words of the identity, then the low words of received-at and position. */
const WORDS = 4

export class SeenFrames {
  #young = new Uint32Array(SLOTS * WORDS)
  #old = new Uint32Array(SLOTS * WORDS)
  #count = 0
  // Of the identity that is looked for: fields, so that a look allocates nothing.
  #first = 0
  #second = 0
  /** Where the walk ended, and how many receipts of the message it passed. */
  #freeAt = 0
  #receipts = 0

  /**
   * @param hash   row identity, 32 hex digits
   * @param owner  number of the count that asks: what it saw is nobody else's
   */
  see(hash: string, owner: number, receivedAtUs: number, position: number): Sighting {
    this.#first = (hexWord(hash, 0) | 1) >>> 0 // Never 0, which is a free slot.
    this.#second = (hexWord(hash, 8) ^ Math.imul(owner, 0x9e3779b1)) >>> 0
    const received = receivedAtUs >>> 0
    const placed = position >>> 0
    const old = this.#lookIn(this.#old, received, placed)
    const young = old === 'repeat' ? old : this.#lookIn(this.#young, received, placed)
    const sighting = young === 'new' ? old : young
    if (sighting !== 'repeat' && this.#receipts < COPIES_MAX) this.#keep(received, placed)
    return sighting
  }

  #lookIn(table: Uint32Array, received: number, placed: number): Sighting {
    const first = this.#first
    const second = this.#second
    let at = ((first >>> 1) & (SLOTS - 1)) * WORDS
    let receipts = 0
    let isRepeat = false
    for (; table[at] !== 0; at = (at + WORDS) & (SLOTS * WORDS - 1)) {
      if (table[at] !== first || table[at + 1] !== second) continue
      receipts++
      if (table[at + 2] === received && table[at + 3] !== placed) isRepeat = true
    }
    this.#freeAt = at
    this.#receipts = receipts
    if (receipts === 0) return 'new'
    return isRepeat ? 'repeat' : 'copy'
  }

  #keep(received: number, placed: number): void {
    const at = this.#freeAt
    const table = this.#young
    table[at] = this.#first
    table[at + 1] = this.#second
    table[at + 2] = received
    table[at + 3] = placed
    if (++this.#count < GENERATION_FRAMES) return
    this.#young = this.#old.fill(0)
    this.#old = table
    this.#count = 0
  }
}

/** Eight hex digits as a number. */
function hexWord(hex: string, from: number): number {
  let word = 0
  for (let at = from; at < from + 8; at++) {
    const code = hex.charCodeAt(at)
    word = (word << 4) | ((code & 15) + (code >> 6) * 9)
  }
  return word
}
