// tidy: tested by test/evidence/early-media-pass.test.ts
/**
 * Statements of passes that keep rows beside single attempts: rows read as lists, and rows written under a version, which a
 * higher one replaces or ends.
 */
import type { ClickHouseClient } from '@clickhouse/client'

const ROWS_A_STATEMENT = 2_000

export async function readRows<Row>(
  client: ClickHouseClient,
  query: string,
  parameters: Record<string, unknown>,
): Promise<Row[]> {
  const result = await client.query({ query, query_params: parameters, format: 'JSONCompactEachRow' })
  return result.json<Row>()
}

export interface PassTable {
  name: string
  /** Of the time of writing. */
  writtenAt: 'judged_at' | 'checked_at'
  /** Which row it is, then what it says. */
  columns: readonly string[]
}

export async function writeRows(
  client: ClickHouseClient,
  { name, writtenAt, columns }: PassTable,
  rows: readonly object[],
  { version, isEnd }: { version: bigint; isEnd: boolean },
): Promise<void> {
  const writtenAtS = Math.floor(Date.now() / 1_000) // Retention counts from it, nothing else.
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    await client.insert({
      table: name,
      columns: ['version', 'is_deleted', writtenAt, ...columns],
      values: rows.slice(at, at + ROWS_A_STATEMENT).map((row) => ({
        ...row,
        version: String(version),
        is_deleted: isEnd ? 1 : 0,
        [writtenAt]: writtenAtS,
      })),
      format: 'JSONEachRow',
    })
  }
}
