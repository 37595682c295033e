/**
 * Certificates of signers in a local folder: where Trunkscope looks for what an x5u names, unless it may fetch.
 *
 *   index.csv                      x5u,file          a line a certificate; the file is one of the folder; # begins a comment
 *   <sha256 of the x5u, hex>.pem   for what is not in the index
 *
 * Takes    the folder. `refresh` looks whether anything in it changed; nothing else looks at the folder as a whole.
 * Returns  for an x5u the certificate, or why there is none. What was read is kept, CERTIFICATES_KEPT of them.
 * Throws   TRUNKSCOPE_EVIDENCE_CERTIFICATES when the folder or its index cannot be read, with the line at fault; from
 *          `refresh` too. What is wrong with one certificate is a reason.
 *
 * An x5u is a stranger's text: it is looked up in the index, or hashed; no part of it becomes part of a path.
 */
import { hash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PEM_MAX_BYTES, readCertificates, type SigningCertificate } from './certificate.js'

const INDEX = 'index.csv'
const INDEX_MAX_BYTES = 4_194_304
const INDEX_LINES_MAX = 50_000
const CERTIFICATES_KEPT = 4_096
/** Longer ones name no certificate that anybody has. */
export const X5U_MAX_CHARS = 2_048

export type Found =
  | { certificate: SigningCertificate }
  | { reason: 'no_certificate' | 'certificate_unreadable' }

const NOT_FOUND: Found = { reason: 'no_certificate' }

export class CertificatesFolder {
  readonly #folder: string
  #stamp = ''
  #files = new Map<string, string>()
  readonly #kept = new Map<string, Found>()

  constructor(folder: string) {
    this.#folder = folder
    this.refresh()
  }

  /**
   * @returns whether the folder or its index changed: what was looked up before may have another answer now. A file whose
   *          content is exchanged is seen when it is exchanged by renaming, as files of certificates should be.
   */
  refresh(): boolean {
    const stamp = this.#stampNow()
    if (stamp === this.#stamp) return false
    this.#files = this.#readIndex()
    this.#stamp = stamp
    this.#kept.clear()
    return true
  }

  find(x5u: string): Found {
    if (x5u === '' || x5u.length > X5U_MAX_CHARS) return NOT_FOUND
    const known = this.#kept.get(x5u)
    if (known !== undefined) return known
    const found = this.#read(this.#files.get(x5u) ?? `${hash('sha256', x5u, 'hex')}.pem`)
    // The oldest goes first: x5u that lead nowhere are as many as a stranger likes.
    if (this.#kept.size >= CERTIFICATES_KEPT) this.#kept.delete(this.#kept.keys().next().value!)
    this.#kept.set(x5u, found)
    return found
  }

  #stampNow(): string {
    let folder: string
    try {
      folder = stampOf(this.#folder)
    } catch (cause) {
      throw folderError(`${this.#folder} cannot be read (${codeOf(cause)})`, cause)
    }
    try {
      return `${folder} ${stampOf(join(this.#folder, INDEX))}`
    } catch {
      return folder // Without an index files go by the hash of their x5u.
    }
  }

  #readIndex(): Map<string, string> {
    const path = join(this.#folder, INDEX)
    let text: string
    try {
      if (statSync(path).size > INDEX_MAX_BYTES) throw folderError(`${path} is larger than 4 MiB`)
      text = readFileSync(path, 'utf8')
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return new Map()
      if (codeOf(cause) === CODE) throw cause
      throw folderError(`${path} cannot be read (${codeOf(cause)})`, cause)
    }
    return readIndex(text, path)
  }

  #read(file: string): Found {
    let bytes: Buffer | undefined
    try {
      bytes = beginningOf(join(this.#folder, file))
    } catch (error) {
      return codeOf(error) === 'ENOENT' ? NOT_FOUND : UNREADABLE
    }
    if (bytes === undefined) return UNREADABLE
    const read = readCertificates(bytes)
    return 'reason' in read ? read : { certificate: read }
  }
}

const UNREADABLE: Found = { reason: 'certificate_unreadable' }
const CODE = 'TRUNKSCOPE_EVIDENCE_CERTIFICATES'

export function readIndex(text: string, path: string): Map<string, string> {
  const files = new Map<string, string>()
  const lines = text.split('\n')
  if (lines.length > INDEX_LINES_MAX) throw folderError(`${path} has more than ${INDEX_LINES_MAX} lines`)
  for (const [index, line] of lines.entries()) {
    const written = line.trim()
    if (written === '' || written.startsWith('#') || (files.size === 0 && /^x5u\s*,\s*file$/i.test(written)))
      continue
    // A URL may hold commas, a file name here may not.
    const comma = written.lastIndexOf(',')
    const x5u = unquoted(written.slice(0, Math.max(0, comma)))
    const file = unquoted(written.slice(comma + 1))
    const where = `${path}:${index + 1}`
    if (comma < 0 || !/^https?:\/\//i.test(x5u)) {
      throw folderError(
        `${where} does not begin with an x5u; write https://cert.example.org/shaken.pem,alpha.pem`,
      )
    }
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/.test(file)) {
      throw folderError(`${where} names no file of the folder; write its name alone, for example alpha.pem`)
    }
    if (files.has(x5u))
      throw folderError(`${where} names ${x5u.slice(0, 200)} a second time; remove one line`)
    files.set(x5u, file)
  }
  return files
}

function unquoted(text: string): string {
  const plain = text.trim()
  return plain.startsWith('"') && plain.endsWith('"') ? plain.slice(1, -1).replaceAll('""', '"') : plain
}

/** The file as a whole; undefined when it is larger than any certificate, or no file. */
function beginningOf(path: string): Buffer | undefined {
  const file = openSync(path, 'r')
  try {
    const stats = fstatSync(file)
    if (!stats.isFile() || stats.size > PEM_MAX_BYTES) return undefined
    const bytes = Buffer.alloc(stats.size)
    return bytes.subarray(0, readSync(file, bytes))
  } finally {
    closeSync(file)
  }
}

function stampOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path)
  return `${ino}:${size}:${mtimeMs}`
}

function folderError(sentence: string, cause?: unknown): Error {
  return Object.assign(
    new Error(`identity.certificates: ${sentence}`, cause === undefined ? undefined : { cause }),
    {
      code: CODE,
    },
  )
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? (error as Error).message)
}
