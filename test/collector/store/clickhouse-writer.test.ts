import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Engine, openServer } from '../../../bin/connect/clickhouse.js'
import { foldOf } from '../../../collector/fold-wiring.js'
import { ATTEMPTS, ClickHouseWriter, MESSAGES } from '../../../collector/store/clickhouse-writer.js'
import type { OpenAttempt } from '../../../collector/store/open-attempts.js'
import { RowBinaryWriter } from '../../../collector/store/rowbinary.js'
import { applySchema } from '../../../collector/store/schema.js'
import { ATTEMPT_COLUMNS } from '../../../schemas/call-attempts.js'
import { configSchema } from '../../../schemas/config.js'
import { ClickHouseFront } from '../../support/clickhouse-front.js'
import { rowsOf } from '../../support/engine.js'
import { FAR, factsFrom, observed, SBC, START_US } from '../../support/messages.js'

const FOLD = foldOf(
  configSchema.parse({ sites: [{ id: 'fra', sbc: [SBC] }], carriers: [{ id: 'acme', peers: [FAR] }] }),
)
const REQUEST_TIMEOUT_MS = 1_500
/** Many socket buffers and several engine blocks of text: what is cut is really in the middle. */
const BODY = Buffer.from(`v=0\r\n${'a=sendrecv\r\n'.repeat(70)}`)

let front: ClickHouseFront
let engine: Engine
let writer: ClickHouseWriter

beforeAll(async () => {
  front = await ClickHouseFront.start()
  engine = await openServer(serverAt(front.url), 'store')
  writer = new ClickHouseWriter(engine.writer, engine.insertFolder)
  await applySchema(engine.writer, {})
})
afterAll(async () => {
  await engine.close()
  await front.stop()
})
beforeEach(async () => {
  for (const table of ['sip_messages', 'call_attempts']) {
    await engine.writer.command({ query: `TRUNCATE TABLE ${table}` })
  }
})
afterEach(() => front.faults.clear())

const serverAt = (url: string) => ({
  url,
  database: 'default',
  username: 'default',
  request_timeout_ms: REQUEST_TIMEOUT_MS,
})

/** Encoded anew each time, as a store does that failed: rows `first` to `first + count`. */
function messages(count: number, first = 0): Buffer[] {
  const rows = new RowBinaryWriter()
  for (let n = first; n < first + count; n++) {
    rows.message({
      observed: observed({ at: n / 1_000, callId: `call-${n}` }),
      receivedAtUs: START_US + n,
      storedAtS: Math.floor(Date.now() / 1_000),
      transport: 'udp',
      ipProtocol: 17,
      raw: Buffer.concat([Buffer.from(`INVITE ${n}\r\n\0\xff`, 'latin1'), BODY]),
    })
  }
  return rows.take()
}

function attempts(count: number, version = 1): Buffer[] {
  const rows = new RowBinaryWriter()
  for (let n = 0; n < count; n++) {
    rows.row(ATTEMPT_COLUMNS, {
      attempt: FOLD.attemptOf(idOf(n), factsFrom([observed({}), observed({ at: 1, code: 486 })]), START_US),
      version,
      isDeleted: false,
      busPartition: 0,
      storedAtS: Math.floor(Date.now() / 1_000),
      factsText: `{"of":${n}}`,
    })
  }
  return rows.take()
}

const lookedUp = (n: number, unreadMinuteS = 0) => ({ id: idOf(n), unreadMinuteS }) as OpenAttempt
const idOf = (n: number) => (n + 1).toString(16).padStart(32, '0')

const count = async (from: string) =>
  Number((await rowsOf<{ n: string }>(engine.writer, `SELECT count() AS n FROM ${from}`))[0]!.n)
const stored = (table = 'sip_messages') => count(`${table} FINAL`)

/** What the store does about an error, without its pauses: the same rows again. Returns the errors on the way. */
async function insertUntilStored(rows: () => Buffer[], shape = MESSAGES, after?: () => Promise<void>) {
  const errors: (Error & { code?: string })[] = []
  for (;;) {
    try {
      await writer.insert(shape, rows())
      return errors
    } catch (error) {
      errors.push(error as Error)
      await after?.()
    }
  }
}

describe('rows over HTTP', () => {
  test('come back as they were sent, byte for byte', async () => {
    await writer.insert(MESSAGES, messages(2_000))
    expect(await stored()).toBe(2_000)
    const [row] = await rowsOf<{ call_id: string; raw: string; at: string; agent: string }>(
      engine.writer,
      `SELECT call_id, hex(raw) AS raw, toUnixTimestamp64Micro(captured_at) AS at, agent
       FROM sip_messages WHERE call_id = 'call-1999'`,
    )
    expect(row).toEqual({
      call_id: 'call-1999',
      raw: Buffer.concat([Buffer.from('INVITE 1999\r\n\0\xff', 'latin1'), BODY])
        .toString('hex')
        .toUpperCase(),
      at: String(START_US + 1_999_000),
      agent: 'tap/1',
    })
  })

  test('a batch of no rows is no statement', async () => {
    await front.faults.refuse('TOO_MANY_PARTS', 1)
    await writer.insert(MESSAGES, [])
    await writer.insert(MESSAGES, [Buffer.alloc(0)])
    await expect(writer.insert(MESSAGES, messages(1))).rejects.toMatchObject({ type: 'TOO_MANY_PARTS' })
  })

  test('a look-up of more attempts than fit an address finds every one, at its highest version', async () => {
    await writer.insert(ATTEMPTS, attempts(3_000))
    await writer.insert(ATTEMPTS, attempts(10, 7))
    const found = await writer.lookUp(
      Array.from({ length: 3_000 }, (_, n) => lookedUp(n, n % 2 === 0 ? 0 : START_US / 1_000_000)),
    )
    expect(found.size).toBe(3_000)
    expect(found.get(idOf(2_999))!.facts).toBe('{"of":2999}')
    expect(Number(found.get(idOf(3))!.places[0]!.version)).toBe(7)
    expect(Number(found.get(idOf(10))!.places[0]!.version)).toBe(1)
  })

  test('rows that end in the middle are refused by the engine, and none of them is stored', async () => {
    const whole = Buffer.concat(messages(50))
    await expect(writer.insert(MESSAGES, [whole.subarray(0, whole.length - 7)])).rejects.toMatchObject({
      type: expect.stringMatching(/CANNOT_READ_ALL_DATA|ATTEMPT_TO_READ_AFTER_EOF/),
    })
    expect(await stored()).toBe(0)
  })
})

describe('a fault of the server', () => {
  test('TOO_MANY_PARTS is an error by name, and the same rows again are stored once', async () => {
    await front.faults.refuse('TOO_MANY_PARTS', 2)
    const errors = await insertUntilStored(() => messages(500))
    expect(errors.map((error) => (error as { type?: string }).type)).toEqual([
      'TOO_MANY_PARTS',
      'TOO_MANY_PARTS',
    ])
    expect(await stored()).toBe(500)
  })

  test('TOO_MANY_PARTS of the engine itself reads the same', async () => {
    await engine.writer.command({
      query: `CREATE TABLE few_parts (x UInt8) ENGINE = MergeTree ORDER BY x
              SETTINGS parts_to_throw_insert = 1, parts_to_delay_insert = 1`,
    })
    const insert = () =>
      writer.insert({ table: 'few_parts', columns: 'x', structure: 'x UInt8' }, [Buffer.from([1])])
    await insert()
    await expect(insert()).rejects.toMatchObject({ type: 'TOO_MANY_PARTS' })
  })

  test('stored but never acknowledged: repeated, every row is there once', async () => {
    await engine.writer.command({ query: 'SYSTEM STOP MERGES sip_messages' })
    await front.faults.cutAfterWrite(2)
    const errors = await insertUntilStored(() => messages(1_000))
    expect(errors).toHaveLength(2)
    // The engine did store them each time: only identity makes them one.
    expect([await count('sip_messages'), await stored()]).toEqual([3_000, 1_000])
    await engine.writer.command({ query: 'SYSTEM START MERGES sip_messages' })
    await front.faults.cutAfterWrite(1)
    expect(await insertUntilStored(() => attempts(200), ATTEMPTS)).toHaveLength(1)
    expect(await stored('call_attempts')).toBe(200)
  })

  test('cut before it was stored: an error, and stored by the next', async () => {
    await front.faults.cutBefore(1)
    expect(await insertUntilStored(() => messages(1_000))).toHaveLength(1)
    expect(await stored()).toBe(1_000)
  })

  test('no answer within the time given is an error, and the next is not behind it', async () => {
    await front.faults.hang(1)
    const errors = await insertUntilStored(() => messages(100))
    expect(errors.map(({ message }) => message)).toEqual(['Timeout error.'])
    expect(await stored()).toBe(100)
  })

  test('down, then up again: errors until then, and every row once', async () => {
    await writer.insert(MESSAGES, messages(100))
    await front.faults.down()
    let tries = 0
    const errors = await insertUntilStored(
      () => messages(300, 50),
      MESSAGES,
      async () => {
        if (++tries === 3) await front.faults.up()
      },
    )
    expect(errors).toHaveLength(3)
    expect(errors[0]!.code).toBe('ECONNREFUSED')
    expect(await stored()).toBe(350)
  })

  test('slow, but within the time limit, is only slow', async () => {
    const rows = messages(2_000)
    const sizeBytes = rows.reduce((sum, chunk) => sum + chunk.length, 0)
    await front.faults.slow(REQUEST_TIMEOUT_MS / 10, sizeBytes * 4)
    await writer.insert(MESSAGES, rows)
    expect(await stored()).toBe(2_000)
  })

  test('slower than the time limit: stored after we gave up and repeated it, and there once', async () => {
    await engine.writer.command({ query: 'SYSTEM STOP MERGES sip_messages' })
    await front.faults.slow(REQUEST_TIMEOUT_MS + 500)
    const errors = await insertUntilStored(
      () => messages(100),
      MESSAGES,
      async () => {
        await front.faults.clear()
      },
    )
    expect(errors.map(({ message }) => message)).toEqual(['Timeout error.'])
    while ((await count('sip_messages')) < 200) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await stored()).toBe(100)
    await engine.writer.command({ query: 'SYSTEM START MERGES sip_messages' })
  })

  test('an exception in the middle of an answer is an error, never fewer rows', async () => {
    await writer.insert(MESSAGES, messages(3_000))
    await front.faults.failMidStream(1)
    const read = () => rowsOf(engine.writer, 'SELECT call_id FROM sip_messages FINAL')
    await expect(read()).rejects.toThrow()
    expect(await read()).toHaveLength(3_000)
    await front.faults.failMidStream(1)
    const lookUp = () => writer.lookUp([lookedUp(0)])
    await writer.insert(ATTEMPTS, attempts(1))
    await expect(lookUp()).rejects.toThrow()
    expect((await lookUp()).size).toBe(1)
  })

  test('killed with -9 after it acknowledged, and restarted, it has every row', async () => {
    for (let batch = 0; batch < 5; batch++) await writer.insert(MESSAGES, messages(400, batch * 400))
    await front.restart()
    expect(await stored()).toBe(2_000)
  })

  test('killed with -9 while inserts run: what was acknowledged is there, and the rest once after a repeat', async () => {
    const acknowledged: number[] = []
    const failed: number[] = []
    const batches = Array.from({ length: 6 }, async (_, batch) => {
      try {
        await writer.insert(MESSAGES, messages(1_000, batch * 1_000))
        acknowledged.push(batch)
      } catch {
        failed.push(batch)
      }
      if (acknowledged.length === 1 && failed.length === 0) await front.kill()
    })
    await Promise.all(batches)
    expect(failed.length).toBeGreaterThan(0)
    await front.restart()
    expect(await stored()).toBeGreaterThanOrEqual(acknowledged.length * 1_000)
    for (const batch of failed) await writer.insert(MESSAGES, messages(1_000, batch * 1_000))
    expect(await stored()).toBe(6_000)
  })
})
