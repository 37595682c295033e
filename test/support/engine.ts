/** A real embedded engine in a folder of its own, with the schema applied; one a process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClickHouseClient } from '@clickhouse/client'
import { type Engine, openEmbeddedEngine } from '../../bin/connect/clickhouse.js'
import { applySchema } from '../../collector/store/schema.js'

export const RETENTION = { raw_days: 7, attempts_months: 13 }

export interface TestEngine extends Engine {
  /** Closes the engine and removes its folder. */
  discard(): Promise<void>
}

export async function openTestEngine(): Promise<TestEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'trunkscope-engine-'))
  const engine = openEmbeddedEngine(folder)
  await applySchema(engine.writer, RETENTION)
  return {
    ...engine,
    discard: async () => {
      await engine.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function rowsOf<Row = Record<string, unknown>>(
  client: ClickHouseClient,
  query: string,
): Promise<Row[]> {
  const result = await client.query({ query, format: 'JSONEachRow' })
  return result.json<Row>()
}
