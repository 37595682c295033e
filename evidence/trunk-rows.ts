// tidy: tested by test/evidence/trunks-pass.test.ts
/**
 * Writes the difference between the rows that hold and those that stand, into a table that replaces by `version` and ends by
 * `is_deleted`. Rows are compared by the text of their values.
 */
import type { Context } from './pass.js'

const ROWS_A_STATEMENT = 2_000

export type TrunkRow = Readonly<Record<string, string | number>>

export interface TrunkTable {
  name: string
  /** What tells rows apart, and what they say. */
  keys: readonly string[]
  values: readonly string[]
}

/** @returns rows written, ends among them */
export async function writeTrunkRows(
  context: Context,
  table: TrunkTable,
  rows: readonly TrunkRow[],
  standing: readonly TrunkRow[],
): Promise<TrunkRow[]> {
  const textOf = (row: TrunkRow, columns: readonly string[]) => columns.map((name) => row[name]).join('\n')
  const ending = new Map(standing.map((row) => [textOf(row, table.keys), row]))
  const changed: TrunkRow[] = []
  for (const row of rows) {
    const key = textOf(row, table.keys)
    const before = ending.get(key)
    if (before === undefined || textOf(before, table.values) !== textOf(row, table.values)) changed.push(row)
    ending.delete(key)
  }
  const ended = [...ending.values()]
  if (changed.length + ended.length === 0) return []
  const version = context.version()
  await insert(context, table, changed, version, false)
  await insert(context, table, ended, version, true)
  // Of a process that lost its lease: its successor knows nothing of these.
  if (changed.length > 0 && !(await context.isHeld()))
    await insert(context, table, changed, context.version(), true)
  return [...changed, ...ended]
}

async function insert(
  { client }: Context,
  { name, keys, values }: TrunkTable,
  rows: readonly TrunkRow[],
  version: bigint,
  isEnd: boolean,
): Promise<void> {
  const judgedAt = Math.floor(Date.now() / 1_000) // Retention counts from it, nothing else.
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    await client.insert({
      table: name,
      columns: ['version', 'is_deleted', 'judged_at', ...keys, ...values],
      values: rows.slice(at, at + ROWS_A_STATEMENT).map((row) => ({
        ...Object.fromEntries([...keys, ...values].map((column) => [column, row[column]])),
        version: String(version),
        is_deleted: isEnd ? 1 : 0,
        judged_at: judgedAt,
      })),
      format: 'JSONEachRow',
    })
  }
}
