/**
 * Rows into ClickHouse. Bytes are RowBinary: embedded, through a file the engine reads (its raw insert takes line formats
 * only); the same bytes are the body of an INSERT to a server.
 *
 * An insert is safe to repeat: rows carry their identity, so what came twice is one row. So one whose outcome is not known
 * (a cut, a timeout) is simply done again. There are no insert tokens: the same token over other rows would drop those
 * rows in silence.
 */
import { open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type ClickHouseClient, parseError } from '@clickhouse/client'
import { ATTEMPT_COLUMNS, type Column } from '../../schemas/call-attempts.js'
import { MESSAGE_COLUMNS } from '../../schemas/sip-messages.js'
import type { OpenAttempt, StoredPlace } from './open-attempts.js'

export interface TableShape {
  table: string
  columns: string
  structure: string
}

export function shapeOf<Row>(table: string, columns: readonly Column<Row>[]): TableShape {
  const typeOf = (column: Column<Row>) =>
    column.type.startsWith('DateTime')
      ? column.type.replace(/^DateTime(64\(6\))?$/, (_, fraction) =>
          fraction ? "DateTime64(6, 'UTC')" : "DateTime('UTC')",
        )
      : column.type
  return {
    table,
    columns: columns.map((column) => column.name).join(', '),
    structure: columns.map((column) => `${column.name} ${typeOf(column)}`).join(', '),
  }
}

export const MESSAGES = shapeOf('sip_messages', MESSAGE_COLUMNS)
export const ATTEMPTS = shapeOf('call_attempts', ATTEMPT_COLUMNS)

/** Ids a look-up: bounds the size of one statement's parameters. */
const LOOK_UP_MAX = 2_000

interface StoredRow {
  id: string
  version: string
  minute_s: number
  end_minute_s: number
  facts: string
}

let files = 0

export class ClickHouseWriter {
  readonly client: ClickHouseClient
  readonly #folder: string | undefined

  /** `insertFolder`: where the embedded engine reads rows from; undefined: a server, that takes them over HTTP. */
  constructor(client: ClickHouseClient, insertFolder: string | undefined) {
    this.client = client
    this.#folder = insertFolder
  }

  async insert(shape: TableShape, rows: readonly Buffer[]): Promise<void> {
    if (rows.every((chunk) => chunk.length === 0)) return
    if (this.#folder === undefined) await this.#insertBody(shape, rows)
    else await this.#insertFile(this.#folder, shape, rows)
  }

  async #insertBody(shape: TableShape, rows: readonly Buffer[]): Promise<void> {
    const { stream } = await this.client.exec({
      query: `INSERT INTO ${shape.table} (${shape.columns}) FORMAT RowBinary`,
      values: Readable.from(
        rows.filter((chunk) => chunk.length > 0),
        { objectMode: false },
      ),
      // Otherwise the status can be 200 before the rows are stored.
      clickhouse_settings: { wait_end_of_query: 1 },
    })
    let answer = ''
    for await (const chunk of stream) answer += (chunk as Buffer).toString()
    // The answer to an insert is empty: text is an exception that came after the status line.
    if (answer.trim() !== '') throw parseError(answer)
  }

  async #insertFile(folder: string, shape: TableShape, rows: readonly Buffer[]): Promise<void> {
    // The name comes from a counter only: the engine can read any file, so no text from outside may reach it.
    const path = join(folder, `rows-${process.pid}-${files++}.rowbinary`)
    try {
      const file = await open(path, 'w', 0o600)
      try {
        const sizeBytes = rows.reduce((sum, chunk) => sum + chunk.length, 0)
        const { bytesWritten } = await file.writev([...rows])
        if (bytesWritten < sizeBytes)
          throw new Error(`the disk took ${bytesWritten} of ${sizeBytes} bytes: is it full?`)
      } finally {
        await file.close()
      }
      await this.client.command({
        query: `INSERT INTO ${shape.table} (${shape.columns}) SELECT * FROM file({path:String}, 'RowBinary', {structure:String})`,
        query_params: { path, structure: shape.structure },
      })
    } finally {
      await unlink(path).catch(() => {})
    }
  }

  /** Reads back the rows of attempts that are known, or suspected, to be stored. */
  async lookUp(
    entries: readonly Pick<OpenAttempt, 'id' | 'unreadMinuteS'>[],
  ): Promise<Map<string, { facts: string; places: StoredPlace[] }>> {
    const found = new Map<string, { facts: string; places: StoredPlace[] }>()
    const placed = entries.filter((entry) => entry.unreadMinuteS !== 0)
    const anywhere = entries.filter((entry) => entry.unreadMinuteS === 0)
    for (const [group, condition] of [
      [placed, 'AND toUInt32(minute) IN {minutes:Array(UInt32)}'],
      [anywhere, ''],
    ] as const) {
      for (let at = 0; at < group.length; at += LOOK_UP_MAX) {
        const part = group.slice(at, at + LOOK_UP_MAX)
        const minutes = [...new Set(part.map((entry) => entry.unreadMinuteS as number))]
        const result = await this.client.query({
          query: `SELECT lower(hex(attempt_id)) AS id, version, toUInt32(minute) AS minute_s,
                    toUInt32(end_minute) AS end_minute_s, facts
                  FROM call_attempts FINAL
                  WHERE attempt_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16)) ${condition}
                    AND minute BETWEEN toDateTime({first:UInt32}, 'UTC') AND toDateTime({last:UInt32}, 'UTC')
                  ORDER BY version DESC`,
          query_params: {
            ids: part.map((entry) => entry.id),
            minutes,
            first: condition === '' ? 0 : Math.min(...minutes),
            last: condition === '' ? 4_294_967_295 : Math.max(...minutes),
          },
          format: 'JSONEachRow',
        })
        for (const row of await result.json<StoredRow>()) {
          const place = { version: Number(row.version), minuteS: row.minute_s, endMinuteS: row.end_minute_s }
          const present = found.get(row.id)
          // Two rows under two minutes: a crash came between the new row and the end of the old one. The new one knows more.
          if (present !== undefined) present.places.push(place)
          else found.set(row.id, { facts: row.facts, places: [place] })
        }
      }
    }
    return found
  }
}
