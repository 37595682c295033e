/** The pass over a real store: arrivals in any order, messages that come late or are gone, a lease that is lost. */
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Captured } from '../../evidence/early-media/last-try.js'
import { earlyMediaPass } from '../../evidence/early-media-pass.js'
import type { Context } from '../../evidence/pass.js'
import type { Anomaly } from '../../schemas/anomalies.js'
import type { Attempt } from '../../schemas/attempt.js'
import { configSchema } from '../../schemas/config.js'
import { attempt, ENDED, NOON_S, NOON_US, TestStore } from '../api/support.js'
import { rowsOf } from '../support/engine.js'
import { judgeStored } from '../support/kpi-evidence.js'
import { RELIABLE, request, response } from './early-media/messages.js'

const config = configSchema.parse({})
let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
}, 60_000)
afterAll(() => store.close())

const TABLES = [
  'call_attempts',
  'sip_messages',
  'kpi_minute',
  'stale_minutes',
  'attempt_anomalies',
  'anomaly_minutes',
]
beforeEach(empty)
async function empty(): Promise<void> {
  for (const table of [...TABLES, 'evidence_leases', 'attempt_verdicts', 'call_legs'])
    await store.command(`TRUNCATE TABLE ${table}`)
}

let version = 0n
const context = (changes: Partial<Context> = {}): Context => ({
  client: store.engine.writer,
  config,
  version: () => ++version,
  announce: async () => {},
  isHeld: async () => true,
  log: () => {},
  ...changes,
})
const look = async (changes?: Partial<Context>, minuteS = NOON_S) =>
  (await earlyMediaPass.run({ fromS: minuteS, toS: minuteS + 60, minutesS: [minuteS] }, context(changes)))
    .rows

interface Row {
  id: string
  carrier: string
  prefix: string
  basis: string
  codes: string[]
  severities: string[]
  evidence: string
}
const standing = () =>
  rowsOf<Row>(
    store.engine.writer,
    `SELECT lower(hex(attempt_id)) AS id, toUInt32(minute) AS minute_s, party, carrier, site, direction, prefix, basis, codes, severities, evidence
     FROM attempt_anomalies FINAL ORDER BY minute, id`,
  )
const codes = async () => (await standing()).map((row) => row.codes.join(' '))

let calls = 0
/** An answered call with early media, and its messages; half a second apart from the others. */
function call(changes: Partial<Attempt> = {}, messages: readonly Captured[] = ORDINARY) {
  calls++
  const at = NOON_US + (calls % 100) * 500_000
  const made = attempt({
    callId: `em-${calls}@example.com`,
    fromTag: 'f',
    invitedAtUs: at,
    first18xAtUs: at + 1e6,
    first180AtUs: at + 1e6,
    firstSdp18xAtUs: at + 1e6,
    finalAtUs: at + 5e6,
    answeredAtUs: at + 5e6,
    pddMs: 1_000,
    ...changes,
  })
  const stored = messages.map((one) => ({
    callId: made.callId,
    capturedAtUs: one.capturedAtUs - NOON_US + made.invitedAtUs,
    raw: one.bytes.toString('latin1').replace('one@example.com', made.callId),
    source: one.source,
    destination: one.destination,
    agent: one.agent,
  }))
  return { made, stored }
}
const ORDINARY = [request(0, 'INVITE'), response(1, 180, { sdp: {} }), response(5, 200, { sdp: {} })]
const MOVED = [
  request(0, 'INVITE'),
  response(1, 180, { sdp: {} }),
  response(5, 200, { sdp: { port: 9_000 } }),
]
const again = async (...made: Attempt[]) => {
  store.version += 1n
  await store.add(made, Number(store.version) + 1)
}

describe('the early media pass', () => {
  test('writes a row for each attempt with a suspicion: which rules, and which messages made them', async () => {
    const sound = call()
    const moved = call({}, MOVED)
    await store.add([sound.made, moved.made])
    await store.addMessages([...sound.stored, ...moved.stored])
    expect(await look()).toBe(1)
    const [row, ...others] = await standing()
    expect(others).toEqual([])
    expect(row).toMatchObject({
      id: moved.made.attemptId,
      carrier: 'alpha',
      site: 'dal',
      direction: 'outbound',
      prefix: '+1215555',
      basis: 'messages',
      codes: ['EM_SDP_CHANGED'],
      severities: ['info'],
    })
    const [anomaly] = JSON.parse(row!.evidence) as Anomaly[]
    expect(anomaly?.messages).toEqual([
      { what: '180', atUs: moved.made.invitedAtUs + 1e6 },
      { what: '200', atUs: moved.made.invitedAtUs + 5e6 },
    ])
    expect(row!.evidence).not.toContain('2155550')
  })

  test('looked at again nothing is written, and what holds no more ends', async () => {
    const { made, stored } = call({ first180AtUs: 0 })
    await store.add([made])
    await store.addMessages(stored)
    expect(await look()).toBe(1)
    expect(await look()).toBe(0)
    expect(await codes()).toEqual(['EM_183_NO_180'])
    // The 180 came late, with the time at which the agent saw it.
    await again({ ...made, first180AtUs: made.first18xAtUs })
    expect(await look()).toBe(1)
    expect(await standing()).toEqual([])
  })

  test('a message that comes late revises, as soon as the attempt changes with it', async () => {
    const { made, stored } = call({ answeredAtUs: 0, finalAtUs: 0, state: 'open' }, MOVED)
    await store.add([made])
    await store.addMessages(stored.slice(0, 2))
    await judgeStored(store.engine.writer, config)
    expect(await standing()).toEqual([])
    await store.addMessages(stored.slice(2))
    const at = made.invitedAtUs + 5e6
    await again({
      ...made,
      state: 'closed',
      answeredAtUs: at,
      finalAtUs: at,
      finalCode: 200,
      disposition: 'ANSWERED',
    })
    await judgeStored(store.engine.writer, config)
    expect(await codes()).toEqual(['EM_SDP_CHANGED'])
  })

  test('where messages are gone only rules over the record speak, and the row says so', async () => {
    await store.add([
      call({ first180AtUs: 0 }).made,
      call().made,
      attempt({ rang: false, first18xAtUs: 0, first180AtUs: 0, pddMs: 2_000 }),
    ])
    await look()
    expect((await standing()).map((row) => [row.basis, row.codes.join()]).sort()).toEqual([
      ['record', ''],
      ['record', 'EM_183_NO_180'],
    ])
  })

  test('what messages said stays when they are gone, and what the record says is asked again', async () => {
    const moved = call({ first180AtUs: 0 }, MOVED)
    const sound = call()
    await store.add([moved.made, sound.made])
    await store.addMessages([...moved.stored, ...sound.stored])
    await look()
    await store.command('TRUNCATE TABLE sip_messages')
    expect(await look()).toBe(0)
    await again({ ...moved.made, first180AtUs: moved.made.first18xAtUs })
    expect(await look()).toBe(1)
    expect((await standing()).map((row) => [row.basis, row.codes.join()])).toEqual([
      ['messages', 'EM_SDP_CHANGED'],
    ])
  })

  test('legs of customers, open attempts and fragments are not judged', async () => {
    await store.add([
      call({ party: 'customer', carrier: '', customer: 'desk', first180AtUs: 0 }).made,
      call({ party: 'internal', carrier: '', first180AtUs: 0 }).made,
      call({ state: 'open', first180AtUs: 0 }).made,
      call({ state: 'incomplete', first180AtUs: 0 }).made,
    ])
    expect(await look()).toBe(0)
  })

  test('a process that lost its lease ends what it wrote', async () => {
    await store.add([call({ first180AtUs: 0 }).made])
    await look({ isHeld: async () => false })
    expect(await standing()).toEqual([])
  })

  test('an attempt whose minute moves leaves no row behind', async () => {
    const { made, stored } = call({ first180AtUs: 0 })
    await store.add([made])
    await store.addMessages(stored)
    await look()
    await store.command(
      `INSERT INTO call_attempts (minute, attempt_id, version, is_deleted, stored_at) SELECT minute, attempt_id, version + 1, 1, now() FROM call_attempts FINAL WHERE attempt_id = toFixedString(unhex('${made.attemptId}'), 16)`,
    )
    await again({ ...made, invitedAtUs: made.invitedAtUs - 60e6, minuteS: NOON_S - 60 })
    // The store recomputes both minutes.
    await look()
    await look({}, NOON_S - 60)
    expect((await standing()).map((row) => (row as unknown as { minute_s: number }).minute_s)).toEqual([
      NOON_S - 60,
    ])
  })

  test('several hundred attempts of one minute are looked at in handfuls, each with its own messages', async () => {
    const many = Array.from({ length: 600 }, (_, at) => call({}, at % 3 === 0 ? MOVED : ORDINARY))
    await store.add(many.map(({ made }) => made))
    await store.addMessages(many.flatMap(({ stored }) => stored))
    expect(await look()).toBe(200)
    const ids = many.filter((_, at) => at % 3 === 0).map(({ made }) => made.attemptId)
    expect((await standing()).map(({ id }) => id).sort()).toEqual(ids.sort())
  })

  test('whatever arrives before a look, and whatever after it: the same rows in the end', async () => {
    const any = () => [
      call({}, MOVED),
      call(),
      call({ first180AtUs: 0 }, [
        request(0, 'INVITE', { headers: ['Supported: 100rel'] }),
        response(1, 183, { sdp: { address: '10.0.0.1' }, headers: RELIABLE(4) }),
        response(1.5, 183, { sdp: {}, tag: 'b' }),
        response(5, 200, { sdp: {}, tag: 'c' }),
      ]),
      call(
        { ...ENDED.busy, firstSdp18xAtUs: NOON_US + 30e6, finalAtUs: NOON_US + 60e6 },
        ORDINARY.slice(0, 2),
      ),
    ]
    // Many at once: a look costs the same.
    const all = Array.from({ length: 8 }, any).flat()
    const messages = all.flatMap(({ stored }) => stored)
    let expected: unknown
    await fc.assert(
      fc.asyncProperty(someOf(all), someOf(messages), async (attempts, heard) => {
        await empty()
        await again(...attempts.map(({ made }) => made))
        await store.addMessages(heard)
        await judgeStored(store.engine.writer, config)
        await store.addMessages(messages.filter((one) => !heard.includes(one)))
        // As the fold does with every late message that says something: the attempt is written again.
        await again(...all.map(({ made }) => made))
        await judgeStored(store.engine.writer, config)
        const found = await standing()
        expected ??= found
        expect(found).toEqual(expected)
      }),
      { numRuns: 2 },
    )
    expect((expected as Row[]).length).toBeGreaterThan(2 * 8)
  }, 60_000)
})

/** About half of them. */
const someOf = <One>(all: readonly One[]) =>
  fc
    .array(fc.boolean(), { minLength: all.length, maxLength: all.length })
    .map((isIn) => all.filter((_, at) => isIn[at]))
