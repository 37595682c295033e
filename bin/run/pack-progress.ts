/**
 * How far a pack is: the calls in what has come of it, of all, the bytes, and the time that is left.
 *
 * A call is done when its text has begun: its entry in the zip is found by its local header (APPNOTE.TXT §4.3.7: signature, 26
 * bytes, the name). Bytes that only look like one could say a wrong number for a moment; it is a line on a screen.
 */

const HEADER = Buffer.from('PK\x03\x04', 'latin1')
const NAME = /\/calls\/(\d{4})-[0-9a-f]{32}\.txt/
/** Of a header, with folder and name. */
const HEADER_MAX_BYTES = 400

export class PackProgress {
  readonly #calls: number
  readonly #startedAtMs: number
  readonly #nowMs: () => number
  #firstAtMs: number | undefined
  #done = 0
  #bytes = 0
  /** The end of what came before: a header may be cut by two pieces. */
  #rest = Buffer.alloc(0)

  constructor(calls: number, startedAtMs: number, nowMs: () => number = () => performance.now()) {
    this.#calls = Number.isFinite(calls) ? calls : 0
    this.#startedAtMs = startedAtMs
    this.#nowMs = nowMs
  }

  /** What to show after this piece. */
  add(piece: Uint8Array): string {
    this.#firstAtMs ??= this.#nowMs()
    this.#bytes += piece.length
    const text = Buffer.concat([this.#rest, piece])
    for (let at = text.indexOf(HEADER); at >= 0; at = text.indexOf(HEADER, at + 4)) {
      const [, number] = NAME.exec(text.toString('latin1', at + 30, at + HEADER_MAX_BYTES)) ?? []
      if (number !== undefined) this.#done = Math.max(this.#done, Math.min(Number(number), this.#calls))
    }
    this.#rest = text.subarray(Math.max(0, text.length - HEADER_MAX_BYTES))
    const seconds = (this.#nowMs() - this.#firstAtMs) / 1_000
    const leftS = this.#done === 0 ? undefined : (seconds / this.#done) * (this.#calls - this.#done)
    return `Calls ${this.#done} of ${this.#calls}, ${megabytes(this.#bytes)} MB${leftS === undefined ? '' : `, ${Math.ceil(leftS)} s left`}`
  }

  last(): string {
    const seconds = (this.#nowMs() - this.#startedAtMs) / 1_000
    return `Pack written: ${this.#calls} calls, ${megabytes(this.#bytes)} MB in ${seconds.toFixed(1)} s.`
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
