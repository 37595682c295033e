import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import { ATTEMPTS, ClickHouseWriter } from '../../../collector/store/clickhouse-writer.js'
import { RowBinaryWriter } from '../../../collector/store/rowbinary.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { ATTEMPT_COLUMNS } from '../../../schemas/call-attempts.js'
import { attempt, get, NOON_US, TestStore } from '../support.js'

let store: TestStore
let app: App
let writer: ClickHouseWriter

beforeAll(async () => {
  store = await TestStore.open()
  // Versions must stay apart until the last page is read.
  await store.command('SYSTEM STOP MERGES call_attempts')
  writer = new ClickHouseWriter(store.engine.writer, store.engine.insertFolder)
  app = await store.app()
})
afterAll(async () => {
  await app.close()
  await store.close()
})

interface Row {
  attempt: Attempt
  version: number
  isDeleted: boolean
}

async function write(rows: readonly Row[]): Promise<void> {
  const encoded = new RowBinaryWriter()
  for (const row of rows) {
    encoded.row(ATTEMPT_COLUMNS, {
      ...row,
      busPartition: 0,
      storedAtS: Math.floor(Date.now() / 1_000),
      factsText: '{}',
    })
  }
  await writer.insert(ATTEMPTS, encoded.take())
}

const DAY_US = 86_400e6
const NUMBERS = ['+12155550100', '+12155560100', '+441555550100', '0100', '12155550100', 'anonymous', '']
const CODES = [200, 486, 503]
const DISPOSITIONS = ['ANSWERED', 'BUSY', 'CONGESTION']
const CARRIERS = ['alpha', 'beta']
const SITES = ['dal', 'fra', '']
const LEVELS = ['A', 'none']

/** One more version of one of a few attempts. The places lie in several slices of the range. */
const change = fc.record({
  of: fc.nat(9),
  placeMin: fc.constantFrom(0, 1, 61, 62, 300, 640, 641, 1_300),
  carrier: fc.nat(CARRIERS.length - 1),
  site: fc.nat(SITES.length - 1),
  code: fc.nat(CODES.length - 1),
  level: fc.nat(LEVELS.length - 1),
  called: fc.nat(NUMBERS.length - 1),
  calling: fc.nat(NUMBERS.length - 1),
  state: fc.constantFrom('closed' as const, 'open' as const, 'fragment' as const),
  /** The rows before it are written again behind it, as after a crash. */
  isReplayed: fc.boolean(),
})

const filter = fc.record(
  {
    carrier: fc.constantFrom(...CARRIERS),
    site: fc.constantFrom('dal', 'fra', 'unknown'),
    final_code: fc.constantFrom('200', '486,503', '606'),
    disposition: fc.constantFrom(...DISPOSITIONS),
    attestation: fc.constantFrom(...LEVELS),
    state: fc.constantFrom('closed', 'open', 'closed,open'),
    number: fc.constantFrom('*0100', '*50100', '*550100', '*5550100', '*2155550100', '+12155550100', '0100'),
    called: fc.constantFrom('*0100', '*60100', '+12155560100'),
    calling: fc.constantFrom('*50100', '+12155550100'),
  },
  { requiredKeys: [] },
)

type Filter = Partial<Record<string, string>>

/** What the words of docs/explorer.md say, of one row. */
function fits(row: Record<string, string>, asked: Filter): boolean {
  const one = (name: string, value = row[name]!) =>
    asked[name] === undefined || asked[name].split(',').includes(value)
  const number = (name: string, columns: readonly string[]) => {
    const text = asked[name]
    if (text === undefined) return true
    return columns.some((column) => {
      if (text.startsWith('*')) return row[column]!.endsWith(text.slice(1))
      return row[column]!.replace(/^\+/, '') === text.replace(/^\+/, '')
    })
  }
  const called = ['called_number', 'dialled_number']
  const calling = ['calling_number', 'from_number']
  return (
    ['carrier', 'final_code', 'disposition', 'attestation', 'state'].every((name) => one(name)) &&
    one('site', row.site === '' ? 'unknown' : row.site) &&
    number('called', called) &&
    number('calling', calling) &&
    number('number', [...called, ...calling])
  )
}

describe('search', () => {
  it('pages give what stands and fits, newest first, whatever was written before (property)', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 24 }),
        fc.array(filter, { minLength: 4, maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        async (changes, filters, limit) => {
          // A day of its own for each run.
          const toUs = NOON_US - ++run * DAY_US
          const range = `from=${(toUs - DAY_US) / 1e6}&to=${toUs / 1e6}`
          await writeChanges(changes, toUs)
          const standing = await readStanding(toUs)
          for (const asked of [{}, ...filters] as Filter[]) {
            const query = new URLSearchParams(asked as Record<string, string>).toString()
            const expected = standing.filter((row) => fits(row, asked)).map(({ id }) => id)
            expect(await allPages(`${range}&limit=${limit}&${query}`), query).toEqual(expected)
          }
        },
      ),
      { numRuns: 8 },
    )
  }, 120_000)
})

/** As the store does: a row that must move leaves one that is deleted, each change in a part of its own. */
async function writeChanges(
  changes: readonly (typeof change extends fc.Arbitrary<infer C> ? C : never)[],
  toUs: number,
) {
  const last = new Map<number, Attempt>()
  const ids = new Map<number, string>()
  const written: Row[] = []
  for (const [index, it] of changes.entries()) {
    const version = index + 1
    const before = last.get(it.of)
    const next = attempt({
      invitedAtUs: toUs - (it.placeMin + 1) * 60e6 + it.of * 1_000,
      state: it.state,
      carrier: CARRIERS[it.carrier]!,
      site: SITES[it.site]!,
      finalCode: CODES[it.code]!,
      disposition: DISPOSITIONS[it.code] as Attempt['disposition'],
      attestation: LEVELS[it.level] as Attempt['attestation'],
      calledNumber: NUMBERS[it.called]!,
      dialledNumber: NUMBERS[(it.called + 1) % NUMBERS.length]!,
      callingNumber: NUMBERS[it.calling]!,
      fromNumber: NUMBERS[(it.calling + 3) % NUMBERS.length]!,
    })
    next.attemptId = ids.get(it.of) ?? next.attemptId
    ids.set(it.of, next.attemptId)
    const rows: Row[] = [{ attempt: next, version, isDeleted: false }]
    if (before !== undefined && before.minuteS !== next.minuteS) {
      rows.push({ attempt: before, version, isDeleted: true })
    }
    await write(rows)
    if (it.isReplayed && written.length > 0) await write(written)
    written.push(...rows)
    last.set(it.of, next)
  }
}

/** The plain statement: all that stands of the day, without an index and without an early end. */
async function readStanding(toUs: number): Promise<Record<string, string>[]> {
  const result = await store.engine.writer.query({
    query: `SELECT lower(hex(attempt_id)) AS id, carrier, site, toString(final_code) AS final_code, disposition, attestation,
        state, called_number, dialled_number, calling_number, from_number
      FROM call_attempts FINAL
      WHERE minute >= toDateTime(${(toUs - DAY_US) / 1e6}, 'UTC') AND minute < toDateTime(${toUs / 1e6}, 'UTC')
        AND state != 'fragment'
      ORDER BY minute DESC, invited_at_us DESC, attempt_id DESC`,
    format: 'JSONEachRow',
  })
  return result.json<Record<string, string>>()
}

async function allPages(query: string): Promise<string[]> {
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { status: number; body: { attempts: { attempt_id: string }[]; next_cursor: string | null } } =
      await get(app, `/v1/attempts?${query}${cursor === '' ? '' : `&cursor=${cursor}`}`)
    expect(page.status).toBe(200)
    seen.push(...page.body.attempts.map(({ attempt_id }) => attempt_id))
    cursor = page.body.next_cursor
  }
  return seen
}
