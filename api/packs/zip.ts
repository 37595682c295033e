/**
 * A zip that is the same bytes whenever the same files are put into it, made piece by piece.
 *
 * Takes    files one after the other, each as texts or bytes. Names are ours: letters, digits, dot, - and _.
 * Returns  the bytes as they come. Nothing of a clock, a time zone or the machine is in them: every entry is dated noon of one
 *          day, compression is fflate's own (no zlib of the machine), and the level is fixed.
 * Throws   on a name that is not one of ours: one from outside must never get so far.
 *
 * Between pieces the event loop gets its turn: in `trunkscope start` the store lives on it too.
 */
import { createHash } from 'node:crypto'
import { Zip, ZipDeflate } from 'fflate'

/** What is compressed in one go: some milliseconds. */
const PIECE_BYTES = 65_536
const LEVEL = 6
const TURN_MS = 8

export interface FileSum {
  name: string
  bytes: number
  sha256: string
}

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/

export class PackZip {
  /** Of the files so far, names without the folder. */
  readonly sums: FileSum[] = []
  readonly #folder: string
  readonly #datedAt: Date
  readonly #zip: Zip
  readonly #breath: () => Promise<void>
  #out: Uint8Array[] = []
  #failed: Error | undefined

  /** @param folder that all files lie in @param dayMs any moment of the day that entries are dated, UTC */
  constructor(folder: string, dayMs: number, breath: () => Promise<void> = breather()) {
    if (!NAME.test(folder)) throw new Error(`${folder} is no name of ours`)
    this.#folder = folder
    // fflate writes local time, as zip has it. Noon by the local clock exists on every day and reads the same everywhere.
    const day = new Date(dayMs)
    // The years that a zip can tell.
    const year = Math.min(2099, Math.max(1980, day.getUTCFullYear()))
    this.#datedAt = new Date(year, day.getUTCMonth(), day.getUTCDate(), 12)
    this.#breath = breath
    this.#zip = new Zip((error, piece) => {
      if (error) this.#failed = error
      else this.#out.push(piece)
    })
  }

  async *file(name: string, parts: Iterable<string | Uint8Array>): AsyncGenerator<Uint8Array> {
    if (!NAME.test(name)) throw new Error(`${name} is no name of ours`)
    const entry = new ZipDeflate(`${this.#folder}/${name}`, { level: LEVEL })
    entry.mtime = this.#datedAt
    this.#zip.add(entry)
    const hash = createHash('sha256')
    let bytes = 0
    for (const part of parts) {
      const whole = typeof part === 'string' ? Buffer.from(part) : part
      bytes += whole.length
      for (let at = 0; at < whole.length; at += PIECE_BYTES) {
        const piece = whole.subarray(at, at + PIECE_BYTES)
        hash.update(piece)
        entry.push(piece, false)
        yield* this.#written()
        await this.#breath()
      }
    }
    entry.push(new Uint8Array(0), true)
    this.sums.push({ name, bytes, sha256: hash.digest('hex') })
    yield* this.#written()
    await this.#breath()
  }

  *end(): Generator<Uint8Array> {
    this.#zip.end()
    yield* this.#written()
  }

  *#written(): Generator<Uint8Array> {
    if (this.#failed !== undefined) throw this.#failed
    const out = this.#out
    this.#out = []
    yield* out
  }
}

/** Gives the event loop its turn when the last one is long enough ago. */
export function breather(): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < TURN_MS) return
    await new Promise((resolve) => setImmediate(resolve))
    since = performance.now()
  }
}
