/**
 * The fields that a stored text of facts is made of: numbers, times, texts, names (`facts-text.ts` has the grammar).
 *
 * Numbers are told in letters, 'a' for 0 to 'p' for 15: whoever looks for a telephone number in the stored text must not find
 * a length or a time of day.
 *
 * The writer puts chars into bytes that are used again and makes one string of them at the end: a string that is put together
 * piece by piece leaves more behind for the collector of garbage than all of its pieces.
 */
const COMMA = 0x2c
const MINUS = 0x2d
/** 'a' to 'p' are the digits of numbers. */
const ZERO = 0x61
const COLON = 0x3a
const EQUALS = 0x3d
const QUOTE = 0x22
const ESCAPE = 0x5c

/** 2^32: what the operators of bits take. */
const WORD = 0x1_0000_0000
/** The largest number, its sign, and what stands before and after it. */
const NUMBER_CHARS_MAX = 24
/** Names that can be pointed back to: looked through one by one, and few unless somebody wants to make them many. */
const NAMES_MAX = 32
/** Room that is kept for the next text. */
const KEPT_BYTES = 1 << 16

let room = Buffer.allocUnsafeSlow(KEPT_BYTES)

/** One at a time: all write into the same bytes. */
export class TextWriter {
  #bytes = room
  #at = 0
  #firstTime = 0
  #hasTime = false
  readonly #names: string[] = []

  constructor(head: string) {
    this.#chars(head)
  }

  number(value: number): void {
    this.#reserve(NUMBER_CHARS_MAX)
    this.#digits(value)
    this.#bytes[this.#at++] = COMMA
  }

  time(atUs: number): void {
    this.number(this.#hasTime ? atUs - this.#firstTime : atUs)
    if (this.#hasTime) return
    this.#firstTime = atUs
    this.#hasTime = true
  }

  text(text: string): void {
    const { length } = text
    this.#reserve(NUMBER_CHARS_MAX + length)
    const startsAt = this.#at
    this.#digits(length)
    this.#bytes[this.#at++] = COLON
    if (!this.#chars(text)) this.#wide(startsAt, text)
    this.#bytes[this.#at++] = COMMA
  }

  name(text: string): void {
    const names = this.#names
    for (let at = 0; at < names.length; at++) {
      if (names[at] !== text) continue
      this.#reserve(NUMBER_CHARS_MAX)
      this.#bytes[this.#at++] = EQUALS
      this.number(at)
      return
    }
    if (names.length < NAMES_MAX) names.push(text)
    this.text(text)
  }

  end(): string {
    const text = this.#bytes.toString('latin1', 0, this.#at)
    if (this.#bytes.length <= KEPT_BYTES) room = this.#bytes
    return text
  }

  #digits(value: number): void {
    let rest = value
    if (rest < 0) {
      this.#bytes[this.#at++] = MINUS
      rest = -rest
    }
    const high = Math.floor(rest / WORD)
    if (high > 0) this.#word(high, 31 - Math.clz32(high))
    this.#word(rest, high > 0 ? 31 : 31 - Math.clz32(rest))
  }

  /** The digits of the low 32 bits, from the one that holds `bit` on; bit -1 is that of 0. */
  #word(word: number, bit: number): void {
    for (let shift = Math.max(0, bit) & ~3; shift >= 0; shift -= 4)
      this.#bytes[this.#at++] = ZERO + ((word >>> shift) & 15)
  }

  /** False when one of them takes more than a byte. */
  #chars(text: string): boolean {
    const bytes = this.#bytes
    const { length } = text
    let at = this.#at
    let all = 0
    for (let from = 0; from < length; from++) {
      const code = text.charCodeAt(from)
      all |= code
      bytes[at++] = code
    }
    this.#at = at
    return all <= 0xff
  }

  /** Lone surrogates come back as they are, which no encoding of Unicode gives. */
  #wide(startsAt: number, text: string): void {
    this.#at = startsAt
    this.#reserve(NUMBER_CHARS_MAX + text.length * 5)
    this.#digits(text.length)
    this.#bytes[this.#at++] = QUOTE
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      const isPlain = code <= 0xff && code !== ESCAPE
      this.#bytes[this.#at++] = isPlain ? code : ESCAPE
      if (!isPlain) this.#word(code, 15)
    }
  }

  #reserve(sizeBytes: number): void {
    if (this.#at + sizeBytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow((this.#at + sizeBytes) * 2)
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

export class TextReader {
  readonly #text: string
  #at: number
  #firstTime = 0
  #hasTime = false
  readonly #names: string[] = []

  constructor(text: string, head: string) {
    if (!text.startsWith(head))
      throw new SyntaxError(`stored facts of a version that is not known here: ${text[0]}`)
    this.#text = text
    this.#at = head.length
  }

  number(): number {
    return this.#until(COMMA)
  }

  time(): number {
    const value = this.number()
    if (this.#hasTime) return this.#firstTime + value
    this.#firstTime = value
    this.#hasTime = true
    return value
  }

  text(): string {
    const length = this.#until(COLON)
    const startsAt = this.#at
    const isWide = this.#text.charCodeAt(startsAt - 1) === QUOTE
    if (isWide) return this.#wide(length)
    this.#at += length
    if (this.#text.charCodeAt(this.#at) !== COMMA) this.#fail()
    return this.#text.slice(startsAt, this.#at++)
  }

  name(): string {
    if (this.#text.charCodeAt(this.#at) === EQUALS) {
      this.#at++
      return this.#names[this.number()] ?? this.#fail()
    }
    const text = this.text()
    if (this.#names.length < NAMES_MAX) this.#names.push(text)
    return text
  }

  list<Entry>(read: (from: TextReader) => Entry): Entry[] {
    const count = this.number()
    if (count === 0) return []
    // An empty array that is pushed to takes room for 17 entries; most of these have one.
    const entries = [read(this)]
    for (let more = count - 1; more > 0; more--) entries.push(read(this))
    return entries
  }

  /** Everything was read, and no more than there is. */
  end(): void {
    if (this.#at !== this.#text.length) this.#fail()
  }

  /** Up to the char that ends the number; a length may end with a quote, too. */
  #until(ending: number): number {
    const text = this.#text
    let at = this.#at
    const isNegative = text.charCodeAt(at) === MINUS
    if (isNegative) at++
    const firstAt = at
    let value = 0
    for (;;) {
      const digit = text.charCodeAt(at++) - ZERO
      if (digit >= 0 && digit <= 15) {
        value = value * 16 + digit
        continue
      }
      const code = digit + ZERO
      const isEnding = code === ending || (ending === COLON && code === QUOTE)
      if (!isEnding || at - 1 === firstAt) this.#fail()
      this.#at = at
      return isNegative ? -value : value
    }
  }

  #wide(length: number): string {
    let text = ''
    for (let count = 0; count < length; count++) {
      let code = this.#text.charCodeAt(this.#at++)
      if (Number.isNaN(code)) this.#fail()
      if (code === ESCAPE) {
        code = 0
        for (let digits = 0; digits < 4; digits++) code = code * 16 + this.#text.charCodeAt(this.#at++) - ZERO
      }
      text += String.fromCharCode(code)
    }
    if (this.#text.charCodeAt(this.#at++) !== COMMA) this.#fail()
    return text
  }

  #fail(): never {
    throw new SyntaxError(`stored facts are damaged at char ${this.#at}`)
  }
}
