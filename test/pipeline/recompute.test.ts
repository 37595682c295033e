/**
 * Recompute on the embedded engine: call flows are stored under one configuration, and built again from their raw messages
 * under another, killed at every step, with a part of the raw messages gone.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClickHouseClient } from '@clickhouse/client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { recomputeReportOf } from '../../bin/run/recompute-report.js'
import { Recompute, type RecomputeOptions, type RecomputeResult } from '../../collector/recompute-role.js'
import { StoreRole } from '../../collector/store-role.js'
import { configSchema, type TrunkscopeConfig } from '../../schemas/config.js'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import { openTestEngine, rowsOf, type TestEngine } from '../support/engine.js'
import { flowOf } from '../support/kpi-flow.js'
import { parseKpiFile } from '../support/kpi-language.js'
import { differences, sumsOfAttempts, sumsOfRollups } from '../support/kpi-sums.js'

const FOLDER = join(import.meta.dirname, '../kpi')
const HOUR_S = 3_600
/** Two hours ago: raw messages are kept by the clock on the wall. */
const START_S = Math.floor(Date.now() / 1_000 / HOUR_S) * HOUR_S - 2 * HOUR_S
const START_US = START_S * 1e6
const FLOWS = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.kpi'))
  .map((name, at) =>
    flowOf(parseKpiFile(name, readFileSync(join(FOLDER, name), 'utf8')), at + 1, START_US, FOLDER),
  )
const framesOf = (flows: typeof FLOWS) =>
  flows.flatMap((flow) => flow.frames).sort((a, b) => a.receivedAtUs - b.receivedAtUs)
const ALL_FRAMES = framesOf(FLOWS)
/** Of these files, for what is played many times; the first two are those whose carriers OTHER makes one. */
const SOME = [
  'abandon-rate',
  'acd',
  'bye',
  'customer-leg',
  'end-minute',
  'hunting',
  'incomplete',
  'late-invite',
]
  .concat(['no-invite', 'open', 're-invite', 'second-agent', 'two-carriers', 'vector-h-ring-timer'])
  .map((name) => `${name}.kpi`)
const FRAMES = framesOf(FLOWS.filter(({ file }) => SOME.includes(file.name)))
const CONFIG = configSchema.parse({
  sites: FLOWS.flatMap((flow) => flow.sites),
  carriers: FLOWS.flatMap((flow) => flow.carriers),
  customers: FLOWS.flatMap((flow) => flow.customers),
})
const SPAN = { fromS: START_S - HOUR_S, toS: START_S + 2 * HOUR_S }

let engine: TestEngine
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())
beforeEach(async () => {
  const tables = await rowsOf<{ name: string }>(
    engine.writer,
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'schema_migrations'`,
  )
  for (const { name } of tables) await engine.writer.command({ query: `TRUNCATE TABLE ${name}` })
})

async function store(frames: readonly ReceivedFrame[], config = CONFIG, untilUs = START_US + 7_200_000_000) {
  const role = await StoreRole.open({
    writer: engine.writer,
    rawWriter: engine.rawWriter,
    insertFolder: engine.insertFolder,
    config,
    basePartitions: [0],
    commit: async () => {},
    log: () => {},
    flushIntervalMs: Number.POSITIVE_INFINITY,
    countAgents: false,
  })
  const batch = { partition: 0, basePartition: 0, nextPosition: frames.length, position: 0 }
  await role.accept({ ...batch, frames: [...frames], receivedUntilUs: 0 })
  await role.drain()
  await role.accept({ ...batch, position: frames.length, frames: [], receivedUntilUs: untilUs })
  await role.drain()
}

function options(config: TrunkscopeConfig, more: Partial<RecomputeOptions> = {}): RecomputeOptions {
  return {
    writer: engine.writer,
    insertFolder: engine.insertFolder,
    config,
    rules: 'test',
    ...SPAN,
    nowS: Math.floor(Date.now() / 1_000),
    owner: 'test',
    busPartitionOf: () => 0,
    isAlone: true,
    portions: { messagesABucket: 150, messagesAPage: 40 },
    ...more,
  }
}

async function recompute(
  config: TrunkscopeConfig,
  more: Partial<RecomputeOptions> = {},
): Promise<RecomputeResult> {
  const job = await Recompute.open(options(config, more))
  await job.fold()
  return job.swap()
}

/** Every answer there is: attempts without what says when they were written, and rollups. */
async function answers() {
  const attempts = await rowsOf(
    engine.writer,
    `SELECT * EXCEPT (version, is_deleted, stored_at), hex(attempt_id) AS id FROM call_attempts FINAL
     WHERE state != 'fragment' ORDER BY id, minute`,
  )
  return { attempts, rollups: sorted(await sumsOfRollups(engine.writer)) }
}

const sorted = (table: Awaited<ReturnType<typeof sumsOfRollups>>) =>
  [...table].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sums]) => ({ ...sums, pddMs: undefined }))

/** Rollups are what the attempts give, and no attempt stands twice. */
async function expectExact() {
  const [exact, rollups] = [await sumsOfAttempts(engine.writer), await sumsOfRollups(engine.writer)]
  expect(differences(exact, rollups)).toEqual([])
  const twice = await rowsOf(
    engine.writer,
    'SELECT hex(attempt_id) AS id, count() AS n FROM call_attempts FINAL GROUP BY id HAVING n > 1',
  )
  expect(twice).toEqual([])
}

/** What a store gives that knew the configuration from the beginning. */
async function answersUnder(config: TrunkscopeConfig, frames = FRAMES) {
  await store(frames, config)
  const truth = await answers()
  for (const table of ['sip_messages', 'call_attempts', 'kpi_minute', 'store_checkpoints', 'store_claims'])
    await engine.writer.command({ query: `TRUNCATE TABLE ${table}` })
  return truth
}

const OTHER = {
  ...CONFIG,
  thresholds: { ...CONFIG.thresholds, pre_ring_patience_ms: 2_000, ring_timers_s: [20, 30, 60] },
  // All peers of the second carrier are the first one's.
  carriers: CONFIG.carriers
    .map((carrier, at) =>
      at === 0 ? { ...carrier, peers: [...carrier.peers, ...(CONFIG.carriers[1]?.peers ?? [])] } : carrier,
    )
    .filter((_, at) => at !== 1),
}

/** A process: it dies at its `dieAt`-th statement, before the engine has it or before it hears the answer. */
class Process {
  isDead = false
  count = 0

  constructor(
    readonly dieAt: number,
    readonly isBefore: boolean,
  ) {}

  through(client: ClickHouseClient): ClickHouseClient {
    return new Proxy(client, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (!['command', 'query', 'insert'].includes(String(name))) return value.bind(target)
        return async (...parameters: unknown[]) => {
          const isLast = ++this.count >= this.dieAt
          if (this.isDead || (isLast && this.isBefore)) {
            this.isDead = true
            throw new Error('killed')
          }
          const answer = await value.apply(target, parameters)
          if (!isLast) return answer
          this.isDead = true
          throw new Error('killed')
        }
      },
    })
  }
}

describe('recompute', () => {
  test('with nothing changed it moves nothing and touches no row', async () => {
    await store(ALL_FRAMES)
    const before = await answers()
    const rows = await rowsOf(engine.writer, 'SELECT count() AS n FROM call_attempts')
    const result = await recompute(CONFIG)
    expect(result.counts).toMatchObject({ changed: 0, added: 0, removed: 0, moved: 0, keptRawExpired: 0 })
    const { fromS, toS } = SPAN
    const [within] = await rowsOf<{ n: string }>(
      engine.writer,
      `SELECT count() AS n FROM call_attempts FINAL WHERE state != 'fragment' AND minute >= ${fromS} AND minute < ${toS}`,
    )
    expect(result.counts.unchanged).toBe(Number(within!.n))
    expect(result.counts.unchanged).toBeGreaterThan(before.attempts.length - 5)
    expect(result.counts.messages).toBeGreaterThan(500)
    expect(recomputeReportOf(result).carriers).toEqual([])
    expect(await answers()).toEqual(before)
    expect(await rowsOf(engine.writer, 'SELECT count() AS n FROM call_attempts')).toEqual(rows)
  })

  test('another configuration gives the attempts and rollups of a store that always had it, and says what moved', async () => {
    const truth = await answersUnder(OTHER, ALL_FRAMES)
    await store(ALL_FRAMES)
    const result = await recompute(OTHER)
    expect(await answers()).toEqual(truth)
    await expectExact()

    const [first, second] = CONFIG.carriers.map(({ id }) => id)
    const report = recomputeReportOf(result)
    expect(report.carriers.map(({ carrier }) => carrier)).toEqual(expect.arrayContaining([first, second]))
    const gone = report.carriers.find(({ carrier }) => carrier === second)
    const grown = report.carriers.find(({ carrier }) => carrier === first)
    expect(gone?.attempts.after).toBe(0)
    expect((grown?.attempts.after ?? 0) - (grown?.attempts.before ?? 0)).toBe(gone?.attempts.before)
    // With a timer of 20 s three of the four callers of this file did not hang up themselves.
    const timed = FLOWS.find(({ file }) => file.name === 'vector-h-ring-timer.kpi')?.carriers[0]?.id
    const moved = report.carriers.find(({ carrier }) => carrier === timed)
    expect(moved?.kpis.find(({ kpi }) => kpi === 'abandon_rate')).toMatchObject({
      before: { numerator: 5, denominator: 5, value: 1 },
      after: { numerator: 2, denominator: 5, value: 0.4 },
      difference: -0.6,
    })
    expect(result.counts.changed).toBeGreaterThan(gone?.attempts.before ?? 0)
  })

  test('a dry run says the same, and leaves everything as it is', async () => {
    await store(FRAMES)
    const before = await answers()
    const dry = await Recompute.open(options(OTHER))
    const told = recomputeReportOf(await dry.fold())
    await dry.drop()
    expect(await answers()).toEqual(before)
    expect(await rowsOf(engine.writer, 'SELECT count() AS n FROM call_attempts_new')).toEqual([{ n: '0' }])
    const done = recomputeReportOf(await recompute(OTHER))
    expect(told.carriers.length).toBeGreaterThan(1)
    expect({ ...done, swapped: false }).toEqual(told)
  })

  test('killed at any statement, before or behind it, it goes on where it was and ends the same', async () => {
    const truth = new Map([[OTHER, await answersUnder(OTHER)]])
    await store(FRAMES)
    truth.set(CONFIG, await answers())
    const statements = new Process(Number.POSITIVE_INFINITY, true)
    await recompute(OTHER, { writer: statements.through(engine.writer) })
    let wasResumed = 0
    // There and back again, with another death each time; the swap, the last third, at every second statement, those or the
    // others by the clock: all of them take a minute.
    for (
      let dieAt = 1 + (Date.now() % 2), turn = 0;
      dieAt <= statements.count;
      dieAt += dieAt < (2 / 3) * statements.count ? 12 : 2, turn++
    ) {
      const config = turn % 2 === 0 ? CONFIG : OTHER
      const process = new Process(dieAt, turn % 4 < 2)
      await expect(recompute(config, { writer: process.through(engine.writer) })).rejects.toThrow('killed')
      const result = await recompute(config)
      if (result.isResumed) wasResumed++
      expect(await answers(), `killed at statement ${dieAt}`).toEqual(truth.get(config))
      await expectExact()
    }
    expect(wasResumed).toBeGreaterThan(5)
  }, 120_000)

  test('an interrupted swap is finished first, whatever is asked next', async () => {
    const truth = await answersUnder(OTHER)
    await store(FRAMES)
    const job = await Recompute.open(options(OTHER))
    await job.fold()
    const process = new Process(4, false)
    const cut = await Recompute.open(options(OTHER, { writer: process.through(engine.writer) }))
    await expect(cut.swap()).rejects.toThrow('killed')
    const later = await Recompute.open(options(OTHER, { fromS: START_S + 60 }))
    await later.drop()
    expect(await answers()).toEqual(truth)
    await expectExact()
  })

  test('a call over the edge of the span belongs to it by the minute it began in', async () => {
    const truth = await answersUnder(OTHER)
    await store(FRAMES)
    const before = await answers()
    await recompute(OTHER, { fromS: START_S, toS: START_S + 60 })
    const minuteOf = (row: Record<string, unknown>) =>
      Date.parse(`${String(row.minute).replace(' ', 'T')}Z`) / 1_000
    const expected = before.attempts.map((row, at) => (minuteOf(row) === START_S ? truth.attempts[at] : row))
    expect(
      expected.filter((row) => minuteOf(row as object as Record<string, unknown>) !== START_S).length,
    ).toBeGreaterThan(2)
    expect((await answers()).attempts).toEqual(expected)
    await expectExact()
    await recompute(OTHER, { fromS: START_S + 60 })
    expect(await answers()).toEqual(truth)
  })

  test('an attempt that lost a raw message stays as it was, and is counted', async () => {
    const truth = await answersUnder(OTHER)
    await store(FRAMES)
    const before = await answers()
    // Of every third call the first message is gone, of every fifth all of them.
    const calls = [...new Set(before.attempts.map((row) => String(row.call_id)))].sort()
    const cut = calls.filter((_, at) => at % 3 === 0)
    const lost = calls.filter((_, at) => at % 5 === 0)
    await engine.writer.command({
      query: `ALTER TABLE sip_messages DELETE WHERE call_id IN {lost:Array(String)} OR (call_id, captured_at) IN (
                SELECT call_id, min(captured_at) FROM sip_messages WHERE call_id IN {cut:Array(String)} GROUP BY call_id)`,
      query_params: { lost, cut },
      clickhouse_settings: { mutations_sync: '1' },
    })
    const result = await recompute(OTHER)
    const kept = (row: Record<string, unknown>) => [...cut, ...lost].includes(String(row.call_id))
    expect(result.counts.keptRawExpired).toBe(before.attempts.filter(kept).length)
    expect((await answers()).attempts).toEqual(
      truth.attempts.map((row, at) => (kept(row) ? before.attempts[at] : row)),
    )
    await expectExact()
  })

  test('it reaches as far back as raw messages do, and says so', async () => {
    await store(FRAMES)
    const result = await recompute(CONFIG, { fromS: START_S - 30 * 86_400 })
    expect(result.fromS).toBeGreaterThan(START_S - HOUR_S)
    expect(result.notes[0]).toMatch(/^Raw messages reach back to .*Z, not to .*: they are kept 7 days/)
    const none = Recompute.open(options(CONFIG, { fromS: START_S - 2 * 86_400, toS: START_S - 86_400 }))
    await expect(none).rejects.toMatchObject({ code: 'TRUNKSCOPE_RECOMPUTE_NO_RAW' })
    await engine.writer.command({ query: 'TRUNCATE TABLE sip_messages' })
    await expect(Recompute.open(options(CONFIG))).rejects.toThrow('no raw message is stored')
  })

  test('attempts that are missing come back, those that no message gives go, a wrong minute is put right', async () => {
    await store(FRAMES)
    const before = await answers()
    const [missing, bogus, misplaced] = before.attempts
      .filter(({ state }) => state === 'closed')
      .map(({ id }) => String(id))
    const columns = `* REPLACE (version + 1 AS version`
    await engine.writer.command({
      query: `INSERT INTO call_attempts SELECT ${columns}, 1 AS is_deleted) FROM call_attempts FINAL WHERE hex(attempt_id) IN ('${missing}', '${misplaced}')`,
    })
    await engine.writer.command({
      query: `INSERT INTO call_attempts SELECT ${columns}, toFixedString('not by any rule.', 16) AS attempt_id)
              FROM (SELECT * FROM call_attempts FINAL WHERE hex(attempt_id) = '${bogus}')`,
    })
    await engine.writer.command({
      query: `INSERT INTO call_attempts SELECT ${columns}, minute - 60 AS minute, 0 AS is_deleted) FROM call_attempts WHERE hex(attempt_id) = '${misplaced}' ORDER BY version DESC LIMIT 1`,
    })
    const result = await recompute(CONFIG)
    expect(result.counts).toMatchObject({ added: 1, removed: 1, moved: 1, changed: 1 })
    expect(await answers()).toEqual(before)
    await expectExact()
  })

  test('what a store process has written since stays, and the minutes are left to it', async () => {
    await store(FRAMES)
    const job = await Recompute.open(options(OTHER, { isAlone: false }))
    await job.fold()
    const [row] = await rowsOf<{ id: string }>(
      engine.writer,
      'SELECT hex(attempt_id) AS id FROM call_attempts_new FINAL WHERE is_deleted = 0 ORDER BY id',
    )
    await engine.writer.command({
      query: `INSERT INTO call_attempts SELECT * REPLACE (version + 1 AS version, 'written meanwhile' AS user_agent, stored_at + 100 AS stored_at)
              FROM call_attempts FINAL WHERE hex(attempt_id) = '${row?.id}'`,
    })
    const result = await job.swap()
    expect(result.overtaken).toBe(1)
    expect(
      await rowsOf(
        engine.writer,
        `SELECT user_agent FROM call_attempts FINAL WHERE hex(attempt_id) = '${row?.id}'`,
      ),
    ).toEqual([{ user_agent: 'written meanwhile' }])
    expect(differences(await sumsOfAttempts(engine.writer), await sumsOfRollups(engine.writer))).not.toEqual(
      [],
    )
    // A store process that begins finds the marks.
    await store([], OTHER)
    await expectExact()
  })

  test('a job that was left and whose folder was written since begins anew', async () => {
    await store(FRAMES)
    await (await Recompute.open(options(OTHER))).fold()
    expect((await (await Recompute.open(options(OTHER))).fold()).isResumed).toBe(true)
    await store(
      framesOf(FLOWS.filter(({ file }) => file.name === 'asr.kpi')),
      CONFIG,
      START_US + 7_260_000_000,
    )
    const anew = await Recompute.open(options(OTHER))
    expect((await anew.fold()).isResumed).toBe(false)
    await anew.swap()
    await expectExact()
  })

  test('beside another recompute it does not begin', async () => {
    await store(FRAMES)
    const job = await Recompute.open(options(OTHER, { isAlone: false }))
    const second = Recompute.open(options(CONFIG, { isAlone: false, owner: 'another' }))
    await expect(second).rejects.toMatchObject({ code: 'TRUNKSCOPE_RECOMPUTE_RUNNING' })
    await job.drop()
    await expect(
      Recompute.open(options(CONFIG, { isAlone: false, owner: 'another' })),
    ).resolves.toBeInstanceOf(Recompute)
  })
})
