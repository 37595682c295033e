import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openEmbeddedEngine } from '../../../bin/connect/clickhouse.js'

test('slow statements on every connection leave the spool a thread to write with', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trunkscope-engine-'))
  const engine = openEmbeddedEngine(folder)
  try {
    let ended = 0
    const slow = [engine.writer, engine.rawWriter, ...engine.readers].map(async (client) => {
      const result = await client.query({
        query: 'SELECT max(sipHash64(number)) FROM numbers(60000000)',
        format: 'JSONEachRow',
      })
      await result.json()
      ended++
    })
    await writeFile(join(folder, 'as-the-spool-does'), 'x')
    expect(ended).toBe(0)
    await Promise.all(slow)
    expect(ended).toBe(engine.readers.length + 2)
  } finally {
    await engine.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
