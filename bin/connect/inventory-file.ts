/**
 * Reads the number inventory: a CSV file with a header row, one number or block a row (inventory-row.ts).
 *
 * Takes    the path, and the ids of the carriers of the configuration. UTF-8 with or without its mark, LF or CRLF, quotes; comma,
 *          semicolon or tab, whichever the header row holds. Columns in any order, others are left alone.
 * Returns  the inventory of all rows that are right, and what is wrong with the others: counted by kind, the first ones listed.
 * Throws   TRUNKSCOPE_CONFIG_NUMBERS_FILE when there is nothing to take: no file, no header row, no column `number` or
 *          `carrier`, a quote that does not end, too many rows, not one row that is right. The sentence says what to do.
 */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { CsvError, parse } from 'csv-parse'
import { InventoryBuilder, type NumberInventory, type Overlap } from '../../api/numbers/inventory.js'
import {
  INVENTORY_COLUMNS,
  type InventoryColumn,
  ROW_ERROR_KINDS,
  type RowError,
  type RowErrorKind,
  readInventoryRow,
  shown,
} from './inventory-row.js'
import { nearest } from './nearest.js'

export interface InventoryBounds {
  rowsMax: number
  bytesMax: number
}

/** A row may stand for a whole block: who has more numbers writes blocks. */
export const INVENTORY_BOUNDS: InventoryBounds = { rowsMax: 2_000_000, bytesMax: 268_435_456 }
export const ERRORS_LISTED_MAX = 1_000
const RECORD_BYTES_MAX = 8_192
const HEAD_BYTES = 65_536

export interface InventoryReport {
  inventory: NumberInventory
  /** Without the header row. */
  rows: number
  /** By line, the first of them. */
  errors: RowError[]
  counts: Readonly<Record<RowErrorKind, number>>
  /** How it was read, where that is not what everybody expects. */
  notes: string[]
}

interface Row {
  record: string[]
  info: { lines: number }
}

interface Head {
  delimiter: string
  notes: string[]
}

export async function readInventory(
  path: string,
  carriers: ReadonlySet<string> | undefined,
  bounds: InventoryBounds = INVENTORY_BOUNDS,
): Promise<InventoryReport> {
  const { delimiter, notes } = await readHead(path, bounds)
  const rows = new Rows(path, carriers, bounds)
  const parser = parse({
    bom: true,
    delimiter,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    trim: true,
    // The line a record ends on: the parser itself is ahead of the records that are taken from it.
    info: true,
    max_record_size: RECORD_BYTES_MAX,
  })
  parser.on('readable', () => {
    try {
      for (let row = parser.read() as Row | null; row !== null; row = parser.read() as Row | null) {
        rows.take(row.record, row.info.lines)
      }
    } catch (error) {
      parser.destroy(error as Error)
    }
  })
  try {
    await pipeline(createReadStream(path), parser)
  } catch (cause) {
    throw cause instanceof CsvError ? unreadable(path, cause) : cause
  }
  return rows.report([...notes, ...rows.notes])
}

class Rows {
  readonly notes: string[] = []
  readonly #path: string
  readonly #carriers: ReadonlySet<string> | undefined
  readonly #bounds: InventoryBounds
  readonly #builder = new InventoryBuilder()
  readonly #errors: RowError[] = []
  readonly #counts = Object.fromEntries(ROW_ERROR_KINDS.map((kind) => [kind, 0])) as Record<
    RowErrorKind,
    number
  >
  #places: Record<InventoryColumn, number> | undefined
  #columns = 0
  #rows = 0
  #lineEndsInCells = 0

  constructor(path: string, carriers: ReadonlySet<string> | undefined, bounds: InventoryBounds) {
    this.#path = path
    this.#carriers = carriers
    this.#bounds = bounds
  }

  take(cells: readonly string[], linesRead: number): void {
    // Within quotes the parser takes CR LF for two line ends.
    for (const cell of cells)
      if (cell.includes('\r\n')) this.#lineEndsInCells += cell.split('\r\n').length - 1
    const line = linesRead - this.#lineEndsInCells
    if (this.#places === undefined) {
      this.#places = this.#header(cells, line)
      this.#columns = cells.length
      return
    }
    if (cells.every((cell) => cell === '')) return // ",,," is how a spreadsheet writes an empty row.
    if (++this.#rows > this.#bounds.rowsMax) {
      throw fileError(
        this.#path,
        `has more than ${this.#bounds.rowsMax} rows; write numbers that follow each other as blocks, for example +1415555[0000-9999]`,
      )
    }
    const { number, country, type, carrier } = this.#places
    if (cells.length < this.#columns) {
      const missing = INVENTORY_COLUMNS.find((name) => this.#places![name] >= cells.length) ?? ''
      this.#wrong({
        line,
        kind: 'columns',
        column: missing,
        problem: `the row has ${cells.length} of ${this.#columns} columns; write the others too, empty ones as nothing between two separators`,
      })
      return
    }
    const text = (at: number) => (at < 0 ? '' : cells[at]!)
    if (
      this.#carriers !== undefined &&
      this.#isMany('unknown_carrier') &&
      !this.#carriers.has(text(carrier))
    ) {
      this.#counts.unknown_carrier++ // The sentence costs more than the row.
      return
    }
    const row = readInventoryRow(
      { number: text(number), country: text(country), type: text(type), carrier: text(carrier) },
      this.#carriers,
    )
    if ('kind' in row) this.#wrong({ line, ...row })
    else this.#builder.add({ ...row, line })
  }

  report(notes: string[]): InventoryReport {
    if (this.#places === undefined) {
      throw fileError(
        this.#path,
        'holds no row; begin with number,country,type,carrier and write a number a row',
      )
    }
    const { inventory, overlaps } = this.#builder.build()
    for (const overlap of overlaps) this.#wrong(overlapError(overlap))
    const errors = this.#errors.sort((a, b) => a.line - b.line).slice(0, ERRORS_LISTED_MAX)
    if (inventory.ranges === 0) {
      const [first] = errors
      throw fileError(
        this.#path,
        first === undefined
          ? 'has a header row and nothing below it; write a number a row'
          : `has not one row that is right; the first: line ${first.line}: ${first.problem}`,
      )
    }
    return { inventory, rows: this.#rows, errors, counts: this.#counts, notes }
  }

  #isMany(kind: RowErrorKind): boolean {
    return this.#counts[kind] >= ERRORS_LISTED_MAX
  }

  /** So many of each kind, so that one kind does not push the others out before they are sorted. */
  #wrong(error: RowError): void {
    if (!this.#isMany(error.kind)) this.#errors.push(error)
    this.#counts[error.kind]++
  }

  #header(cells: readonly string[], line: number): Record<InventoryColumn, number> {
    const names = cells.map((cell) => cell.toLowerCase())
    const places = Object.fromEntries(INVENTORY_COLUMNS.map((name) => [name, names.indexOf(name)])) as Record<
      InventoryColumn,
      number
    >
    for (const name of ['number', 'carrier'] as const) {
      if (places[name] >= 0) continue
      const meant = nearest(name, names)
      throw fileError(
        this.#path,
        /\d{5}/.test(cells[0] ?? '')
          ? `begins with ${shown(cells.join(','))}, no header row; write number,country,type,carrier above it`
          : `has no column ${name} in its header row (line ${line}: ${shown(cells.join(','))}); ${meant === undefined ? 'write number,country,type,carrier' : `rename ${meant}`}`,
      )
    }
    const twice = INVENTORY_COLUMNS.find((name) => names.indexOf(name) !== names.lastIndexOf(name))
    if (twice !== undefined)
      throw fileError(this.#path, `has the column ${twice} twice in its header row; remove one`)
    const others = names.filter((name) => !(INVENTORY_COLUMNS as readonly string[]).includes(name))
    if (others.length > 0) this.notes.push(`left alone: ${others.slice(0, 8).map(shown).join(', ')}`)
    return places
  }
}

async function readHead(path: string, { bytesMax }: InventoryBounds): Promise<Head> {
  const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
    throw fileError(
      path,
      cause.code === 'ENOENT'
        ? 'does not exist; check the path, which starts where Trunkscope was started unless it begins with /'
        : `cannot be read (${cause.code}); let the user that runs Trunkscope read it`,
      cause,
    )
  })
  try {
    const { size } = await file.stat()
    if (size > bytesMax) {
      throw fileError(
        path,
        `has ${size} bytes, at most ${bytesMax} are read; write numbers that follow each other as blocks`,
      )
    }
    const { bytesRead, buffer } = await file
      .read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
      .catch((cause) => {
        throw fileError(path, `cannot be read (${(cause as NodeJS.ErrnoException).code}); name a file`, cause)
      })
    return headOf(path, buffer.subarray(0, bytesRead))
  } finally {
    await file.close()
  }
}

function headOf(path: string, bytes: Buffer): Head {
  if (bytes.includes(0)) {
    throw fileError(path, 'is not UTF-8 (UTF-16, or no text at all); save it as “CSV UTF-8”')
  }
  const [line = ''] = bytes
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart()
    .split(/[\r\n]/, 1)
  const counts = [',', ';', '\t'].map((delimiter) => ({ delimiter, times: line.split(delimiter).length - 1 }))
  const [most] = counts.sort((a, b) => b.times - a.times)
  // One column: there is nothing to separate, and the header row will say what is missing.
  if (most === undefined || most.times === 0 || most.delimiter === ',') return { delimiter: ',', notes: [] }
  return {
    delimiter: most.delimiter,
    notes: [
      `read with ${most.delimiter === ';' ? 'semicolons' : 'tabs'} between the columns, as the header row has them`,
    ],
  }
}

function overlapError({ kind, line, other, carrier, otherCarrier }: Overlap): RowError {
  return kind === 'duplicate'
    ? {
        line,
        kind,
        column: 'number',
        problem: `stands already on line ${other} for ${carrier}; remove one of the two`,
      }
    : {
        line,
        kind,
        column: 'carrier',
        problem: `is a number of ${carrier} here and of ${otherCarrier} on line ${other}; both are left out until one of them is right`,
      }
}

function unreadable(path: string, cause: CsvError): Error {
  const at = (cause as { lines?: number }).lines
  const where = at === undefined ? '' : ` near line ${at}`
  const what =
    cause.code === 'CSV_QUOTE_NOT_CLOSED' || cause.code === 'CSV_MAX_RECORD_SIZE'
      ? `has a quote that does not end, or a row of more than ${RECORD_BYTES_MAX} bytes,${where}; quotes stand around whole cells`
      : `is no CSV${where} (${cause.code})`
  return fileError(path, what, cause)
}

function fileError(path: string, problem: string, cause?: unknown): Error {
  return Object.assign(new Error(`numbers: ${path} ${problem}`, { cause }), {
    code: 'TRUNKSCOPE_CONFIG_NUMBERS_FILE',
  })
}
