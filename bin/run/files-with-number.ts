/**
 * Which files hold a number: dispute packs (zip), segments of the spool. Read in pieces, whatever their size.
 *
 * A piece is searched together with the end of the one before, so that a number over their edge is found too.
 */
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Unzip, UnzipInflate } from 'fflate'
import { type NumberPattern, numberPattern } from '../../collector/forget/number-pattern.js'

export interface FilesWithNumber {
  files: number
  /** Paths of those that hold it. */
  holding: string[]
  /** Paths of those that could not be read to their end, and why. */
  unread: { path: string; problem: string }[]
}

/** Longer than any way to write a number. */
const EDGE_CHARS = 512

export async function packsWithNumber(folder: string, digits: string): Promise<FilesWithNumber> {
  const found: FilesWithNumber = { files: 0, holding: [], unread: [] }
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.toLowerCase().endsWith('.zip'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  for (const path of paths) {
    found.files++
    try {
      if (await isInZip(path, numberPattern(digits))) found.holding.push(path)
    } catch (error) {
      found.unread.push({ path, problem: (error as Error).message })
    }
  }
  return found
}

async function isInZip(path: string, pattern: NumberPattern): Promise<boolean> {
  let isFound = false
  let entries = 0
  let failure: Error | undefined
  const zip = new Unzip((entry) => {
    entries++
    const search = new Search(pattern)
    entry.ondata = (error, piece) => {
      if (error) failure ??= error
      else isFound ||= search.add(piece)
    }
    entry.start()
  })
  zip.register(UnzipInflate)
  for await (const piece of createReadStream(path)) {
    zip.push(piece as Uint8Array)
    if (isFound) return true
    if (failure !== undefined) throw failure
  }
  zip.push(new Uint8Array(0), true)
  if (failure !== undefined) throw failure
  if (entries === 0) throw new Error('it is no zip')
  return isFound
}

/** Frames of agents that compress (gzip) cannot be looked into. */
export async function spoolWithNumber(dataDir: string, digits: string): Promise<FilesWithNumber> {
  const folder = join(dataDir, 'spool')
  const found: FilesWithNumber = { files: 0, holding: [], unread: [] }
  if (!existsSync(folder)) return found
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name)
    if (!statSync(path).isFile()) continue
    found.files++
    const search = new Search(numberPattern(digits))
    for await (const piece of createReadStream(path)) {
      if (!search.add(piece as Uint8Array)) continue
      found.holding.push(path)
      break
    }
  }
  return found
}

class Search {
  #edge = ''
  readonly #pattern: NumberPattern

  constructor(pattern: NumberPattern) {
    this.#pattern = pattern
  }

  add(piece: Uint8Array): boolean {
    const text = this.#edge + Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1')
    this.#edge = text.slice(-EDGE_CHARS)
    return this.#pattern.isIn(text)
  }
}
