import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkSchema, migrations } from '../../../collector/store/schema.js'
import { withSchemaLock } from '../../../collector/store/schema-lock.js'
import { ClickHouseFront, TYPESCRIPT_LOADER } from '../../support/clickhouse-front.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'

const PROCESS = fileURLToPath(new URL('../../support/apply-schema-process.ts', import.meta.url))

let front: ClickHouseFront
let client: ClickHouseClient

beforeAll(async () => {
  front = await ClickHouseFront.start()
  client = createClient({ url: front.url, log: { level: 127 } })
})
afterAll(async () => {
  await client.close()
  await front.stop()
})

async function init(...args: string[]): Promise<number | null> {
  const child = fork(PROCESS, [front.url, ...args], { execArgv: TYPESCRIPT_LOADER, stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code
}

const lockTables = (of: ClickHouseClient) =>
  rowsOf<{ name: string; comment: string }>(
    of,
    "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND name LIKE 'schema_lock%'",
  )

describe('schema lock, on a server', () => {
  test('two processes that start at once apply every migration once', async () => {
    expect(await Promise.all([init(), init()])).toEqual([0, 0])
    const applied = await rowsOf(
      client,
      'SELECT number, toUInt32(count()) AS times FROM schema_migrations GROUP BY number ORDER BY number',
    )
    expect(applied).toEqual(migrations().map(({ number }) => ({ number, times: 1 })))
    await checkSchema(client)
    expect(await lockTables(client)).toEqual([{ name: 'schema_lock_2', comment: '' }])
  }, 60_000)

  test('a holder killed with -9 is passed when it has not been heard of for long enough', async () => {
    await init('dies')
    const [held] = await lockTables(client)
    expect(held!.comment).toMatch(/ process \d+ /)
    const result = await withSchemaLock(client, async () => 'done', { deadAfterS: 2 })
    expect(result).toBe('done')
    expect(await lockTables(client)).toEqual([{ name: 'schema_lock_4', comment: '' }])
  })

  test('a holder that lives keeps the lock, and its beats say that it lives', async () => {
    let finish: () => void = () => {}
    const hold = withSchemaLock(client, () => new Promise<void>((resolve) => (finish = resolve)), {
      beatMs: 200,
    })
    while ((await lockTables(client))[0]?.comment === '')
      await new Promise((resolve) => setTimeout(resolve, 20))
    // Longer than a holder without beats would count as alive.
    await expect(
      withSchemaLock(client, async () => {}, { deadAfterS: 4, waitMaxMs: 5_000 }),
    ).rejects.toMatchObject({
      code: 'TRUNKSCOPE_STORE_SCHEMA_LOCKED',
      message: expect.stringMatching(/ process \d+ .*run: DROP TABLE schema_lock_5$/),
    })
    finish()
    await hold
  })

  test('work that fails gives the lock back', async () => {
    const failing = withSchemaLock(client, async () => {
      throw new Error('as a migration may')
    })
    await expect(failing).rejects.toThrow('as a migration may')
    expect(await withSchemaLock(client, async () => 'next', { waitMaxMs: 0 })).toBe('next')
  })
})

describe('schema lock, in the embedded engine', () => {
  let engine: TestEngine
  beforeAll(async () => {
    engine = await openTestEngine()
  })
  afterAll(() => engine.discard())

  test('of many that ask at once one works at a time', async () => {
    let working = 0
    let most = 0
    const clients = [engine.writer, engine.rawWriter, ...engine.readers]
    await Promise.all(
      clients.map((one) =>
        withSchemaLock(one, async () => {
          most = Math.max(most, ++working)
          await rowsOf(one, 'SELECT 1')
          working--
        }),
      ),
    )
    expect(most).toBe(1)
    expect(await lockTables(engine.writer)).toEqual([{ name: `schema_lock_${clients.length}`, comment: '' }])
  })
})
