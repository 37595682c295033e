/**
 * Which attempts are stored, and under which minute: attempt id → minute, in typed arrays, 12 bytes a place.
 *
 * Any message may belong to an attempt that left memory; reading the store for every new call would be dear. The index
 * answers for everything that began after its horizon, so that only attempts known to be stored are read back. When it is
 * full the older half leaves and the horizon moves up; before the horizon the store itself must be asked.
 *
 * Invariant: an attempt of a minute after the horizon is in the index exactly if a row of it was written.
 */
const INITIAL_PLACES = 1 << 16
const LOAD_MAX = 0.6

export class StoredIndex {
  #places = INITIAL_PLACES
  #mask = INITIAL_PLACES - 1
  #high = new Uint32Array(INITIAL_PLACES)
  #low = new Uint32Array(INITIAL_PLACES)
  /** Minute of the epoch times 2, plus 1 while no INVITE of it was seen; 0 is an empty place. */
  #value = new Uint32Array(INITIAL_PLACES)
  #size = 0
  readonly sizeMax: number
  /** Minutes up to here (seconds since 1970) may be missing; 0: none are. */
  horizonS = 0

  constructor(sizeMax = 2_000_000) {
    this.sizeMax = sizeMax
  }

  get size(): number {
    return this.#size
  }

  /** @param attemptId 32 hex digits */
  get(attemptId: string): { minuteS: number; lacksInvite: boolean } | undefined {
    const place = this.#placeOf(...halves(attemptId))
    const value = this.#value[place] as number
    return value === 0 ? undefined : { minuteS: (value >>> 1) * 60, lacksInvite: (value & 1) === 1 }
  }

  set(attemptId: string, minuteS: number, lacksInvite: boolean): void {
    if (minuteS <= this.horizonS && this.horizonS > 0) return
    const [high, low] = halves(attemptId)
    const place = this.#placeOf(high, low)
    if (this.#value[place] === 0) {
      this.#high[place] = high
      this.#low[place] = low
      this.#size++
    }
    this.#value[place] = valueFor(minuteS, lacksInvite)
    if (this.#size > this.sizeMax) this.#forgetOlderHalf()
    else if (this.#size > this.#places * LOAD_MAX) this.#rebuild(this.#places * 2, 0)
  }

  #placeOf(high: number, low: number): number {
    let place = (low ^ Math.imul(high, 0x9e3779b1)) & this.#mask
    while (this.#value[place] !== 0 && (this.#high[place] !== high || this.#low[place] !== low)) {
      place = (place + 1) & this.#mask
    }
    return place
  }

  #forgetOlderHalf(): void {
    const values = this.#value.filter((value) => value !== 0).sort()
    const middle = values[values.length >> 1] as number
    this.horizonS = Math.max(this.horizonS, (middle >>> 1) * 60)
    this.#rebuild(this.#places, middle | 1)
  }

  /** Keeps entries whose value is above `above`. */
  #rebuild(places: number, above: number): void {
    const [high, low, value] = [this.#high, this.#low, this.#value]
    this.#places = places
    this.#mask = places - 1
    this.#high = new Uint32Array(places)
    this.#low = new Uint32Array(places)
    this.#value = new Uint32Array(places)
    this.#size = 0
    for (let at = 0; at < value.length; at++) {
      if ((value[at] as number) <= above) continue
      const place = this.#placeOf(high[at] as number, low[at] as number)
      this.#high[place] = high[at] as number
      this.#low[place] = low[at] as number
      this.#value[place] = value[at] as number
      this.#size++
    }
  }
}

const valueFor = (minuteS: number, lacksInvite: boolean) => (minuteS / 60) * 2 + (lacksInvite ? 1 : 0)

function halves(attemptId: string): [number, number] {
  return [Number.parseInt(attemptId.slice(0, 8), 16), Number.parseInt(attemptId.slice(8, 16), 16)]
}
