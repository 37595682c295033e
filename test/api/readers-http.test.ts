// The same over HTTP, where a setting is a parameter of the address: what readers.test.ts shows of the embedded engine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Readers } from '../../api/readers.js'
import { createDatabase, openServer } from '../../bin/connect/clickhouse.js'
import { configSchema } from '../../schemas/config.js'
import { ClickHouseFront } from '../support/clickhouse-front.js'

let front: ClickHouseFront
const folder = mkdtempSync(join(tmpdir(), 'trunkscope-readers-'))
beforeAll(async () => {
  front = await ClickHouseFront.start({
    users: [
      { name: 'store', password: 'store' },
      { name: 'api', password: 'api', readonly: true },
    ],
  })
}, 30_000)
afterAll(async () => {
  await front.stop()
  rmSync(folder, { recursive: true })
})

async function open(username: 'store' | 'api') {
  const path = join(folder, username)
  writeFileSync(path, username)
  const { clickhouse } = configSchema.parse({
    clickhouse: { url: front.url, username, password_file: path },
  })
  if (username === 'store') await createDatabase(clickhouse!)
  return openServer(clickhouse!, username)
}

it('a server holds who may see some carriers to them, and nobody else, as a user that only reads', async () => {
  const [store, api] = [await open('store'), await open('api')]
  for (const query of [
    'CREATE TABLE kpi_minute (minute UInt32, party String, carrier String) ENGINE = MergeTree ORDER BY minute',
    "INSERT INTO kpi_minute VALUES (1, 'carrier', 'alpha'), (2, 'carrier', 'beta'), (3, 'unknown', 'unknown')",
  ]) {
    await store.writer.command({ query })
  }
  const all = new Readers(api.readers)
  const held = all.seenBy({ id: 'portal', role: 'viewer', carriers: ['alpha'] })
  const query = 'SELECT carrier FROM kpi_minute ORDER BY minute'
  expect(await held.select(query)).toEqual([{ carrier: 'alpha' }])
  expect(await all.select(query)).toHaveLength(3)
  await store.close()
  await api.close()
})
