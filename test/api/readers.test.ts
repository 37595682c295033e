import { readdirSync, readFileSync } from 'node:fs'
import type { ClickHouseClient } from '@clickhouse/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Readers, TABLE_ACCESS } from '../../api/readers.js'
import type { Principal } from '../../schemas/tokens.js'
import { attempt, NOON_S, NOON_US, TestStore } from './support.js'

/** Answers when told to, and refuses a second statement meanwhile. */
function stubClient(): { client: ClickHouseClient; answer: () => void; statements: () => number } {
  let running: (() => void) | undefined
  let statements = 0
  const client = {
    query: () => {
      if (running !== undefined) throw new Error('two statements at once')
      statements++
      return new Promise((resolve) => {
        running = () => {
          running = undefined
          resolve({ json: async () => [{ n: statements }] })
        }
      })
    },
  }
  return {
    client: client as unknown as ClickHouseClient,
    answer: () => running?.(),
    statements: () => statements,
  }
}

describe('readers', () => {
  it('a connection runs one statement at a time; the next waits its turn', async () => {
    const stub = stubClient()
    const readers = new Readers([stub.client])
    const first = readers.select('SELECT 1')
    const second = readers.select('SELECT 2')
    await new Promise(setImmediate)
    expect(stub.statements()).toBe(1)
    stub.answer()
    expect(await first).toEqual([{ n: 1 }])
    await new Promise(setImmediate)
    expect(stub.statements()).toBe(2)
    stub.answer()
    expect(await second).toEqual([{ n: 2 }])
  })

  it('a queue that is too long refuses instead of growing', async () => {
    const readers = new Readers([stubClient().client])
    const waiting = Array.from({ length: 201 }, () => readers.select('SELECT 1'))
    await expect(readers.select('SELECT 1')).rejects.toMatchObject({ code: 'TRUNKSCOPE_API_BUSY' })
    expect(waiting).toHaveLength(201)
  })

  it('a failed statement gives its connection back', async () => {
    let isFirst = true
    const client = {
      query: async () => {
        if (!isFirst) return { json: async () => [] }
        isFirst = false
        throw new Error('broken')
      },
    } as unknown as ClickHouseClient
    const readers = new Readers([client])
    await expect(readers.select('SELECT 1')).rejects.toThrow('broken')
    expect(await readers.select('SELECT 1')).toEqual([])
  })
})

const ALPHA: Principal = { id: 'portal', role: 'investigator', carriers: ['alpha'] }

describe('readers of who may see some carriers', () => {
  let store: TestStore
  let all: Readers
  let held: Readers
  beforeAll(async () => {
    store = await TestStore.open()
    const beta = { carrier: 'beta', addressHigh: '198.51.100.20', farAddress: '198.51.100.20' }
    await store.add([
      attempt({ attemptId: 'a'.repeat(32), callId: 'one@example.com' }),
      attempt({ attemptId: 'b'.repeat(32), callId: 'one@example.com', ...beta }),
      attempt({ attemptId: 'c'.repeat(32), invitedAtUs: NOON_US + 60e6 }),
      attempt({ attemptId: 'd'.repeat(32), party: 'customer', customer: 'x' }),
    ])
    await store.add([attempt({ attemptId: 'c'.repeat(32), invitedAtUs: NOON_US + 60e6, ...beta })], 2)
    await store.addMessages([
      { callId: 'one@example.com', capturedAtUs: NOON_US, raw: 'OPTIONS sip:a SIP/2.0\r\n\r\n' },
      {
        callId: 'one@example.com',
        capturedAtUs: NOON_US,
        raw: 'OPTIONS sip:b SIP/2.0\r\n\r\n',
        destination: '',
      },
      {
        callId: 'one@example.com',
        capturedAtUs: NOON_US,
        raw: 'OPTIONS sip:c SIP/2.0\r\n\r\n',
        destination: '198.51.100.20',
      },
    ])
    await store.addAgentMinute()
    all = new Readers(store.engine.readers)
    held = all.seenBy(ALPHA)
  })
  afterAll(() => store.close())

  const ATTEMPTS = 'SELECT lower(hex(attempt_id)) AS id FROM call_attempts FINAL'
  const idsOf = async (readers: Readers, query: string) =>
    (await readers.select<{ id: string }>(query))
      .map(({ id }) => id[0])
      .sort()
      .join('')

  it.each([
    [ATTEMPTS],
    [`${ATTEMPTS} PREWHERE minute > 0`],
    [`SELECT id FROM (${ATTEMPTS} UNION ALL ${ATTEMPTS} WHERE carrier = 'beta')`],
    [`${ATTEMPTS} WHERE attempt_id IN (SELECT attempt_id FROM call_attempts FINAL) OR 1`],
    [`WITH mine AS (${ATTEMPTS}) SELECT id FROM mine`],
    [
      'SELECT lower(hex(one.attempt_id)) AS id FROM call_attempts AS one FINAL LEFT JOIN call_attempts AS other FINAL ON one.minute = other.minute',
    ],
    [`SELECT lower(hex(attempt_id)) AS id, 'alpha' AS carrier, 'carrier' AS party FROM call_attempts FINAL`],
  ])('%s: no row of another, nor one that was its own once', async (query) => {
    expect(await idsOf(held, query)).toMatch(/^a+$/)
    expect(await idsOf(all, query)).toMatch(/[bcd]/)
  })

  it('sums are over its own: a name in the statement widens nothing', async () => {
    const query = "SELECT sum(attempts) AS n FROM kpi_minute FINAL WHERE carrier IN ('alpha', 'beta')"
    expect(await held.select(query)).toEqual([{ n: '1' }])
    // A customer's leg under the name of the carrier: none of it is its own.
    expect(await all.select(query)).toEqual([{ n: '4' }])
    expect(await held.select('SELECT count() AS n FROM call_attempts FINAL')).toEqual([{ n: '1' }])
    expect(await held.select('SELECT DISTINCT carrier FROM kpi_minute')).toEqual([{ carrier: 'alpha' }])
  })

  it('what knows no carriers is empty; the messages are those of a leg that was asked for', async () => {
    expect(await held.select('SELECT count() AS n FROM agents_minute FINAL')).toEqual([{ n: '0' }])
    expect(await held.select('SELECT count() AS n FROM sip_messages')).toEqual([{ n: '0' }])
    const one = held.ofLeg({ callId: 'one@example.com', addresses: ['192.0.2.11', '198.51.100.10'] })
    expect(await one.select('SELECT count() AS n FROM sip_messages')).toEqual([{ n: '1' }])
    const strange = held.ofLeg({ callId: "one@example.com' OR '1'='1", addresses: ['', "\\'"] })
    expect(await strange.select('SELECT count() AS n FROM sip_messages')).toEqual([{ n: '0' }])
  })

  it('what one may not see does not stay behind for the next, though settings stay in the engine', async () => {
    const one = new Readers([store.engine.readers[0]!])
    const count = "SELECT count() AS n FROM call_attempts FINAL WHERE party = 'carrier'"
    expect(await one.seenBy(ALPHA).select(count)).toEqual([{ n: '1' }])
    expect(await one.select(count)).toEqual([{ n: '3' }])
    expect(await one.seenBy(ALPHA).select(count)).toEqual([{ n: '1' }])
  })

  it('readers that are held cannot be widened', () => {
    expect(() => held.seenBy({ id: 'loopback', role: 'admin', carriers: 'all' })).toThrow(
      'held to its carriers',
    )
    expect(() => held.seenBy({ ...ALPHA, carriers: ['beta'] })).toThrow('held to its carriers')
  })

  it('every table of the schema says what of it may be read, and what is none of them is refused', async () => {
    const folder = 'schemas/clickhouse'
    const made = readdirSync(folder)
      .filter((name) => name.endsWith('.sql'))
      .flatMap((name) => [
        ...readFileSync(`${folder}/${name}`, 'utf8').matchAll(/CREATE TABLE IF NOT EXISTS (\w+)/g),
      ])
      .map(([, table]) => table!)
    expect(Object.keys(TABLE_ACCESS).sort()).toEqual([...new Set(made)].sort())
    for (const query of [
      'SELECT name FROM system.tables',
      "SELECT 1 AS n FROM merge(currentDatabase(), 'call_attempts')",
      'SELECT 1 AS n FROM call_attempts JOIN secrets ON 1',
      'SELECT 1 AS n FROM default.call_attempts',
    ]) {
      await expect(held.select(query)).rejects.toThrow('TABLE_ACCESS')
    }
  })

  it('numbers are read with a mask, and viewers get what it makes of them', async () => {
    const query = `SELECT called_number FROM call_attempts FINAL WHERE minute = toDateTime(${NOON_S}) LIMIT 1`
    await expect(all.select(query)).rejects.toThrow('selectMasked')
    const numbers = (role: Principal['role']) =>
      all.seenBy({ id: role, role, carriers: 'all' }).selectMasked<{ called_number: string }, string>(
        query,
        {},
        (row) => row.called_number,
        () => 'masked',
      )
    expect(await numbers('viewer')).toEqual(['masked'])
    expect(await numbers('investigator')).toEqual(['+12155550100'])
  })
})
