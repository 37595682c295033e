import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { foldOf } from '../../../collector/fold-wiring.js'
import { ATTEMPTS, ClickHouseWriter } from '../../../collector/store/clickhouse-writer.js'
import { recomputeMinutes } from '../../../collector/store/minutes.js'
import { RowBinaryWriter } from '../../../collector/store/rowbinary.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { ATTEMPT_COLUMNS, type AttemptRow } from '../../../schemas/call-attempts.js'
import { configSchema } from '../../../schemas/config.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'
import { emptyTables } from '../../support/kpi-run.js'
import { differences, sumsByRule, sumsOfRollups } from '../../support/kpi-sums.js'
import { FAR, factsFrom, type MessageFields, observed, SBC, START_US } from '../../support/messages.js'

const FOLD = foldOf(
  configSchema.parse({ sites: [{ id: 'fra', sbc: [SBC] }], carriers: [{ id: 'acme', peers: [FAR] }] }),
)
const MINUTE_S = START_US / 1_000_000
const minute = (n: number) => MINUTE_S + n * 60

let engine: TestEngine
let written = 0

beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())
beforeEach(() => emptyTables(engine.writer))

/** An attempt of its own: a call that rings after 1 s unless the messages say otherwise. */
function attempt(messages: MessageFields[], change: Partial<Attempt> = {}): Attempt {
  const id = (++written).toString(16).padStart(32, '0')
  const made = FOLD.attemptOf(id, factsFrom(messages.map(observed)), START_US + 86_400_000_000)
  return { ...made, ...change }
}
const call = (from: number, to: number): MessageFields[] => [
  { at: from },
  { at: from + 1, code: 180 },
  { at: from + 2, code: 200 },
  { at: to, cseqMethod: 'BYE' },
]

async function store(attempts: Attempt[], row: Partial<AttemptRow> = {}): Promise<void> {
  const rows = new RowBinaryWriter()
  for (const one of attempts) {
    rows.row(ATTEMPT_COLUMNS, {
      attempt: one,
      version: 1,
      isDeleted: false,
      busPartition: 0,
      storedAtS: Math.floor(Date.now() / 1_000),
      factsText: '{}',
      ...row,
    })
  }
  await new ClickHouseWriter(engine.writer, engine.insertFolder).insert(ATTEMPTS, rows.take())
}

let version = 0n
const recompute = (...minutes: number[]) => recomputeMinutes(engine.writer, [0], minutes, ++version)
const rollups = () =>
  rowsOf<Record<string, string>>(
    engine.writer,
    `SELECT *, toUInt32(minute) AS minute_s FROM kpi_minute FINAL ORDER BY minute, party, carrier, bus_partition`,
  )

describe('minutes', () => {
  test('a minute holds what the rules say of its attempts', async () => {
    const attempts = [
      attempt(call(0, 30)),
      attempt([{}, { at: 0.4, code: 503 }]),
      attempt([{}, { at: 1, code: 180 }, { at: 9, cseqMethod: 'CANCEL' }, { at: 9.1, code: 487 }]),
      attempt([{ at: 61 }, { at: 62, code: 302 }]),
    ]
    await store(attempts)
    await recompute(minute(0), minute(1))
    expect(differences(sumsByRule(attempts), await sumsOfRollups(engine.writer))).toEqual([])
  })

  test('recomputed twice it is the same, under the version that was given', async () => {
    await store([attempt(call(0, 30)), attempt([{}, { at: 0.4, code: 503 }])])
    await recompute(minute(0))
    const [before] = await rollups()
    await recompute(minute(0))
    const [after, ...more] = await rollups()
    expect(more).toEqual([])
    expect({ ...after, version: 0, computed_at: 0 }).toEqual({ ...before, version: 0, computed_at: 0 })
    expect([before?.version, after?.version]).toEqual([`${version - 1n}`, `${version}`])
  })

  test('a call counts as a try in the minute it begins, and as a conversation in the minute it ends', async () => {
    await store([attempt(call(10, 200))])
    await recompute(minute(0), minute(3))
    const rows = await rollups()
    const counted = rows.map((row) => [
      Number(row.minute_s),
      row.attempts,
      row.acd_count,
      row.short_call_rate_denominator,
    ])
    expect(counted).toEqual([
      [minute(0), '1', '0', '0'],
      [minute(3), '0', '1', '1'],
    ])
    expect(rows[1]?.acd_sum_ms).toBe(188_000)
  })

  test('the end of a call leaves the minute of its INVITE alone', async () => {
    await store([attempt(call(10, 200))])
    await recompute(minute(3))
    expect((await rollups()).map((row) => Number(row.minute_s))).toEqual([minute(3)])
  })

  test('a group that vanished is written with zeros', async () => {
    const one = attempt(call(0, 30))
    await store([one])
    await recompute(minute(0))
    await store([{ ...one, carrier: 'beta' }], { version: 2 })
    await recompute(minute(0))
    const counted = (await rollups()).map((row) => [
      row.carrier,
      row.attempts,
      row.asr_numerator,
      row.acd_count,
      row.responses,
    ])
    expect(counted).toEqual([
      ['acme', '0', '0', '0', {}],
      ['beta', '1', '1', '1', { 200: '1' }],
    ])
  })

  test('an attempt that moved to another minute is gone from the first', async () => {
    const one = attempt([{ at: 60 }, { at: 61, code: 486 }])
    await store([one])
    await recompute(minute(1))
    await store([{ ...one, minuteS: minute(0) }], { version: 2 })
    await store([one], { version: 2, isDeleted: true })
    await recompute(minute(0), minute(1))
    const counted = (await rollups()).map((row) => [Number(row.minute_s), row.attempts])
    expect(counted).toEqual([
      [minute(0), '1'],
      [minute(1), '0'],
    ])
  })

  test('fragments are in no minute', async () => {
    await store([attempt([{ cseqMethod: 'BYE' }])])
    await recompute(minute(0))
    expect(await rollups()).toEqual([])
  })

  test('open and incomplete attempts are counted, and are in no ratio', async () => {
    await store([
      attempt([{}, { at: 1, code: 180 }], { state: 'open', disposition: '' }),
      attempt([{}, { at: 1, code: 180 }]),
      attempt([{}, { at: 1, code: 486 }]),
    ])
    await recompute(minute(0))
    expect(await rollups()).toMatchObject([
      { attempts: '1', open: '1', incomplete: '1', asr_denominator: '1', pdd_count: '0' },
    ])
  })

  test('another bus partition’s attempts and rollups are not touched', async () => {
    await store([attempt([{}, { at: 1, code: 486 }])], { busPartition: 1 })
    await recompute(minute(0))
    expect(await rollups()).toEqual([])
    await recomputeMinutes(engine.writer, [1], [minute(0)], ++version)
    await store([attempt([{}, { at: 1, code: 486 }])])
    await recompute(minute(0))
    expect((await rollups()).map((row) => [Number(row.bus_partition), row.attempts])).toEqual([
      [0, '1'],
      [1, '1'],
    ])
  })

  test('several bus partitions are recomputed at once, each for itself', async () => {
    const one = attempt([{}, { at: 1, code: 486 }])
    await store([one], { busPartition: 1 })
    await store([attempt([{}, { at: 1, code: 486 }]), attempt(call(0, 30))], { busPartition: 4 })
    await recomputeMinutes(engine.writer, [1, 2, 4], [minute(0)], ++version)
    expect((await rollups()).map((row) => [Number(row.bus_partition), row.attempts])).toEqual([
      [1, '1'],
      [4, '2'],
    ])
  })

  test('a version that is past what a double holds is written as it is', async () => {
    await store([attempt(call(0, 30))])
    const claimed = (7_000_000n << 32n) + 9n
    await recomputeMinutes(engine.writer, [0], [minute(0)], claimed)
    expect((await rollups())[0]?.version).toBe(claimed.toString())
  })

  test('any number of minutes, in any order, named twice', async () => {
    const attempts = Array.from({ length: 500 }, (_, n) =>
      attempt([{ at: n * 60 }, { at: n * 60 + 1, code: 486 }]),
    )
    await store(attempts)
    const minutes = attempts.map((one) => one.minuteS).reverse()
    await recompute(...minutes, ...minutes.slice(0, 7))
    expect(differences(sumsByRule(attempts), await sumsOfRollups(engine.writer))).toEqual([])
  })

  test('no minutes, nothing done', async () => {
    await recompute()
    expect(await rollups()).toEqual([])
  })
})
