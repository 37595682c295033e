/**
 * Calls come through the real store into an engine whose columns are not compressed, so that a search of its files tells
 * whether a number is in them. It is there before; after `forget` it is nowhere.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClickHouseClient } from '@clickhouse/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedEngine, openEmbeddedEngine } from '../../bin/connect/clickhouse.js'
import { FORGOTTEN_IN } from '../../collector/forget/forget-tables.js'
import { type ForgetOptions, type ForgetReport, forget } from '../../collector/forget-role.js'
import { Recompute } from '../../collector/recompute-role.js'
import { applySchema } from '../../collector/store/schema.js'
import { configSchema } from '../../schemas/config.js'
import { rowsOf } from '../support/engine.js'
import { sumsOfRollups } from '../support/kpi-sums.js'
import { framesOfCall, type SipCall, storeFrames } from '../support/sip-calls.js'

const NUMBER = '12025550143'
const OTHER = '12025550199'
const HOUR_S = 3_600
const START_S = Math.floor(Date.now() / 1_000 / HOUR_S) * HOUR_S - 2 * HOUR_S
const START_US = START_S * 1e6
const CONFIG = configSchema.parse({
  sites: [{ id: 'dal', sbc: ['192.0.2.11/32'] }],
  carriers: [
    { id: 'alpha', peers: ['198.51.100.10/32'] },
    { id: 'beta', peers: ['198.51.100.20/32'] },
  ],
})

const call = (at: number, changes: Partial<SipCall> = {}): SipCall => ({
  callId: `call-${at}@sbc.example`,
  startUs: START_US + at * 7e6,
  called: `+${OTHER}`,
  calling: '+12025550111',
  ...changes,
})
const CALLS: SipCall[] = [
  call(1, { called: `+${NUMBER}` }),
  call(2, { calling: NUMBER, final: 486, phrase: 'Busy Here' }),
  // In texts only: a display name, a Call-ID with tags, a diversion that stands in the message alone.
  call(3, { from: '"+1 (202) 555-0143" <sip:anonymous@anonymous.invalid>' }),
  call(4, { callId: `x-${NUMBER}-4@sbc.example`, fromTag: `a${NUMBER}`, toTag: `b-${NUMBER}` }),
  call(5, { more: [`Diversion: <tel:+${NUMBER}>;reason=no-answer`] }),
  call(6, { final: 404, phrase: `No ${NUMBER} here`, reason: `SIP;cause=404;text="tel:+${NUMBER}"` }),
  // The other leg of a call, where the number is rewritten.
  call(1, { called: '+12025550777', destination: '198.51.100.20' }),
  // In a token inside a token only: what was read of it says so.
  call(7),
  // Others, one of them with a number that holds the digits.
  call(10),
  call(11, { called: `+${NUMBER}0`, final: 503, phrase: 'Service Unavailable' }),
  call(12, { calling: `9${NUMBER}` }),
  // The oldest: how far back raw messages reach.
  call(0),
]
const ABOUT = CALLS.slice(0, 8)

let folder: string
let engine: EmbeddedEngine
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-forget-'))
  engine = openEmbeddedEngine(folder)
  await applySchema(engine.writer, CONFIG.retention)
  const columns = await rowsOf<{ table: string; name: string; type: string }>(
    engine.writer,
    `SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND type IN ('String', 'Array(String)')
       AND default_kind = '' AND table IN ('sip_messages', 'call_attempts', 'rejected_frames', 'identity_checks') AND NOT is_in_sorting_key`,
  )
  for (const { table, name, type } of columns)
    await engine.writer.command({ query: `ALTER TABLE ${table} MODIFY COLUMN ${name} ${type} CODEC(NONE)` })
  await storeFrames(engine, CALLS.flatMap(framesOfCall), CONFIG)
  await engine.writer.command({
    query: `INSERT INTO rejected_frames (received_at, sample_id, stage, reason, transport, peer_address, size_bytes, sample, stored_at)
      VALUES (now64(6), unhex('${'ab'.repeat(16)}'), 'decode', 'no_call_id', 'udp', '192.0.2.11', 12, 'To: tel:+${NUMBER}', now()),
             (now64(6), unhex('${'cd'.repeat(16)}'), 'decode', 'no_call_id', 'udp', '192.0.2.11', 12, 'To: tel:+${OTHER}', now())`,
  })
  await engine.writer.command({
    query: `INSERT INTO identity_checks (minute, attempt_id, token_hash, version, checked_at, party, carrier, dest, raw_claims)
      SELECT minute, attempt_id, toFixedString('token', 16), 1, now(), party, carrier,
        if(call_id LIKE 'call-7%', ['${NUMBER}'], []), if(call_id LIKE 'call-7%', '', '{"orig":{"tn":"${NUMBER}"},"rcd":{"nam":"A Caller"}}')
      FROM call_attempts FINAL WHERE call_id IN ('call-1@sbc.example', 'call-7@sbc.example')`,
  })
}, 60_000)
afterAll(async () => {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})

const options = (changes: Partial<ForgetOptions> = {}): ForgetOptions => ({
  client: engine.writer,
  insertFolder: engine.insertFolder,
  digits: NUMBER,
  forms: [NUMBER, `+${NUMBER}`],
  dryRun: false,
  isAlone: true,
  owner: 'test',
  ...changes,
})

/** Files of the data folder that hold the text. */
function filesWith(text: string): number {
  try {
    return (
      execFileSync('grep', ['-rlaE', `(^|[^0-9])${text}([^0-9]|$)`, folder], { encoding: 'utf8' }).split('\n')
        .length - 1
    )
  } catch {
    return 0
  }
}

const attempts = () =>
  rowsOf(
    engine.writer,
    `SELECT hex(attempt_id) AS id, * EXCEPT (attempt_id, version, flags, facts, identities, call_id, from_tag, to_tags, called_number,
       dialled_number, calling_number, from_number, request_uri, final_phrase, reasons) FROM call_attempts FINAL ORDER BY id`,
  )
const callIds = async () =>
  new Set(
    (await rowsOf<{ call_id: string }>(engine.writer, 'SELECT DISTINCT call_id FROM sip_messages')).map(
      (row) => row.call_id,
    ),
  )

describe('forget', { timeout: 60_000 }, () => {
  test('every table of the schema has its sentence', async () => {
    const tables = await rowsOf<{ name: string }>(
      engine.writer,
      "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'",
    )
    expect(tables.map(({ name }) => name).filter((name) => FORGOTTEN_IN[name] === undefined)).toEqual([])
  })

  test('a dry run counts and changes nothing', async () => {
    const before = await attempts()
    const report = await forget(options({ dryRun: true }))
    expect(report).toMatchObject({ calls: 7, attempts: ABOUT.length, samples: 1, unended: 0 })
    expect(report.messages).toBe(ABOUT.flatMap(framesOfCall).length)
    expect(report.places.map(({ table }) => table)).toEqual(
      expect.arrayContaining(['call_attempts', 'sip_messages', 'rejected_frames']),
    )
    expect(await attempts()).toEqual(before)
  })

  test('the number is in the files before and in none of them after; what is counted stays as it was', async () => {
    expect(filesWith(NUMBER)).toBeGreaterThan(2)
    expect(filesWith(OTHER)).toBeGreaterThan(1)
    const before = { attempts: await attempts(), sums: await sumsOfRollups(engine.writer) }
    const report: ForgetReport = await forget(options())
    expect(report).toMatchObject({ calls: 7, attempts: ABOUT.length, samples: 1, places: [], oldParts: 0 })
    expect(filesWith(NUMBER)).toBe(0)
    expect(filesWith('1 \\(202\\) 555-0143')).toBe(0)
    expect(filesWith('A Caller')).toBe(0)
    expect(filesWith(OTHER)).toBeGreaterThan(1)
    expect({ attempts: await attempts(), sums: await sumsOfRollups(engine.writer) }).toEqual(before)
  })

  test('all messages of these calls are gone, and no others', async () => {
    expect(await callIds()).toEqual(new Set(CALLS.slice(8).map(({ callId }) => callId)))
    const samples = await rowsOf<{ sample: string }>(engine.writer, 'SELECT sample FROM rejected_frames')
    expect(samples).toEqual([{ sample: `To: tel:+${OTHER}` }])
  })

  test('attempts say that they were blanked, on every leg of the call; others keep their numbers', async () => {
    const rows = await rowsOf<Record<string, unknown>>(
      engine.writer,
      `SELECT call_id, carrier, called_number, calling_number, request_uri, has(flags, 'forgotten') AS forgotten, final_phrase, from_tag
       FROM call_attempts FINAL ORDER BY invited_at_us, carrier`,
    )
    expect(rows.filter(({ forgotten }) => forgotten === 1 || forgotten === true)).toHaveLength(ABOUT.length)
    for (const row of rows) {
      const isBlank = row.called_number === '' && row.calling_number === '' && row.request_uri === ''
      expect([row.call_id, isBlank]).toEqual([row.call_id, Boolean(row.forgotten)])
    }
    expect(rows.find(({ final_phrase }) => String(final_phrase).startsWith('No '))!.final_phrase).toBe(
      'No forgotten here',
    )
    expect(rows.filter(({ call_id }) => call_id === 'x-forgotten-4@sbc.example')).toHaveLength(1)
    expect(rows.find(({ called_number }) => called_number === `+${NUMBER}0`)).toBeDefined()
  })

  test('again it finds nothing, and changes nothing', async () => {
    expect(await forget(options())).toMatchObject({
      calls: 0,
      attempts: 0,
      messages: 0,
      samples: 0,
      places: [],
    })
  })

  test('a recompute leaves these attempts as they are, and does not bring the number back', async () => {
    const before = await attempts()
    const job = await Recompute.open({
      writer: engine.writer,
      insertFolder: engine.insertFolder,
      config: CONFIG,
      rules: 'test',
      fromS: START_S - HOUR_S,
      toS: START_S + HOUR_S,
      nowS: Math.floor(Date.now() / 1_000),
      owner: 'test',
      busPartitionOf: () => 0,
      isAlone: true,
    })
    const { counts } = await job.fold()
    expect(counts).toMatchObject({ changed: 0, added: 0, removed: 0, keptRawExpired: ABOUT.length })
    await job.swap()
    expect(await attempts()).toEqual(before)
    expect(await forget(options({ dryRun: true }))).toMatchObject({ calls: 0, places: [] })
  })

  test.each([3, 4, 5, 6])('a kill at statement %s is made good by the next run', async (dieAt) => {
    // The Call-ID is how the run after the kill finds the call.
    const callId = `x-${NUMBER}-${dieAt}@sbc.example`
    const legs = [
      call(20 + dieAt, { callId, called: `+${NUMBER}` }),
      call(20 + dieAt, { callId, called: '+12025550778', destination: '198.51.100.20' }),
    ]
    await storeFrames(engine, legs.flatMap(framesOfCall), CONFIG)
    let statements = 0
    const client = new Proxy(engine.writer, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as (...given: unknown[]) => unknown
        if (!['command', 'insert'].includes(String(name))) return value.bind(target)
        return (...given: unknown[]) => {
          // A table that is taken off is there again when the engine starts: in a process that lives on it has to be put back.
          const { query = '' } = (given[0] ?? {}) as { query?: string }
          if (statements++ >= dieAt && !query.startsWith('ATTACH')) throw new Error('killed')
          return value.apply(target, given)
        }
      },
    }) as ClickHouseClient
    await expect(forget(options({ client }))).rejects.toThrow('killed')
    const report = await forget(options())
    expect([report.places, report.oldParts, filesWith(NUMBER)]).toEqual([[], 0, 0])
    const left = await rowsOf<{ n: string }>(
      engine.writer,
      "SELECT count() AS n FROM call_attempts FINAL WHERE called_number = '+12025550778'",
    )
    expect(Number(left[0]!.n)).toBe(0)
  })

  test('a call that is up is told: its next message brings the number back', async () => {
    const up = call(90, { called: `+${NUMBER}`, isUp: true })
    await storeFrames(engine, framesOfCall(up), CONFIG)
    expect(await forget(options())).toMatchObject({ calls: 1, unended: 1, places: [] })
    const bye = framesOfCall({ ...up, isUp: false }).slice(-2)
    await storeFrames(engine, bye, CONFIG)
    expect(await forget(options())).toMatchObject({ calls: 1, places: [] })
    const [row] = await rowsOf<{ bye: string }>(
      engine.writer,
      `SELECT toString(bye_at_us) AS bye FROM call_attempts FINAL WHERE call_id = '${up.callId}'`,
    )
    expect(Number(row!.bye)).toBe(up.startUs + 12e6)
  })

  test('a recompute that is at work is waited for; one that was given up is dropped', async () => {
    const job = (state: string, version: number) =>
      engine.writer.command({
        query: `INSERT INTO recompute_jobs (job_id, version, state, asked_from, asked_to, rules, config_hash, owner, started_at, progress, updated_at)
          VALUES ('j', ${version}, '${state}', now(), now(), 'r', 'c', 'somebody', now(), '{}', now64(3)${state === 'swapping' ? ' - 600' : ''})`,
      })
    await job('folding', 1)
    await expect(forget(options({ dryRun: true }))).rejects.toMatchObject({
      code: 'TRUNKSCOPE_FORGET_RECOMPUTE_RUNNING',
    })
    await job('swapping', 2)
    await expect(forget(options())).rejects.toMatchObject({ code: 'TRUNKSCOPE_FORGET_RECOMPUTE_RUNNING' })
    await job('folded', 3)
    await forget(options())
    const [row] = await rowsOf<{ state: string }>(
      engine.writer,
      "SELECT state FROM recompute_jobs FINAL WHERE job_id = 'j'",
    )
    expect(row).toEqual({ state: 'dropped' })
  })
})
