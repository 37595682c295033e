import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { recomputeDays, recomputeHours, sumDue } from '../../../collector/store/hours.js'
import { recomputeMinutes } from '../../../collector/store/minutes.js'
import { statementsOf } from '../../../collector/store/schema.js'
import { ROLLUP_COLUMNS } from '../../../schemas/kpi-rollup.js'
import { keptOf } from '../../../schemas/retention.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'

/** 2026-09-14T09:00:00Z, two months before the clock on the wall of these tests. */
const NINE_S = Date.UTC(2026, 8, 14, 9) / 1_000
const DAY_S = NINE_S - 9 * 3_600
const NOW_S = NINE_S + 60 * 86_400
const KEPT = keptOf({})

let engine: TestEngine
let version = 0n
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())
beforeEach(async () => {
  for (const table of ['call_attempts', 'kpi_minute', 'kpi_hour', 'kpi_day', 'rollup_freshness']) {
    await engine.writer.command({ query: `TRUNCATE TABLE ${table}` })
  }
})

let stored = 0
/** Answered calls of one carrier, one each minute named, and their minutes recomputed. */
async function calls(carrier: string, minutesS: number[], busPartition = 0): Promise<void> {
  await engine.writer.command({
    query: `INSERT INTO call_attempts (minute, attempt_id, version, bus_partition, stored_at, state, party, carrier, site, direction,
        invited, final_code, disposition, attestation, pdd_ms, pdd_bucket, ner_numerator, ner_denominator)
      SELECT toDateTime(minute_s, 'UTC'), toFixedString(leftPad(toString({from:UInt32} + at), 16, '0'), 16),
        1, {partition:UInt16}, now(), 'closed', 'carrier', {carrier:String}, 'fra', 'outbound', true, 200, 'ANSWERED', 'A', 1200, 240, 1, 1
      FROM (SELECT {minutes:Array(UInt32)} AS minutes) ARRAY JOIN minutes AS minute_s, arrayEnumerate(minutes) AS at`,
    query_params: { minutes: minutesS, from: stored, partition: busPartition, carrier },
  })
  stored += minutesS.length
  await recomputeMinutes(engine.writer, [busPartition], minutesS, ++version)
}
const due = (asOfS: number, nowS = NOW_S, busPartitions = [0], kept = KEPT) =>
  sumDue(engine.writer, busPartitions, { asOfUs: asOfS * 1e6, nowS }, kept, ++version)

const rowsIn = async (grain: 'minute' | 'hour' | 'day') =>
  (
    await rowsOf<{ s: number; p: number; carrier: string; attempts: string }>(
      engine.writer,
      `SELECT toUInt32(${grain}) AS s, bus_partition AS p, carrier, attempts FROM kpi_${grain} FINAL ORDER BY s, p, carrier`,
    )
  ).map(({ s, p, carrier, attempts }) => [(s - DAY_S) / 3_600, p, carrier, Number(attempts)])

const staleIn = async (grain: 'hour' | 'day') =>
  (
    await rowsOf<{ s: number }>(
      engine.writer,
      `SELECT DISTINCT toUInt32(start) AS s FROM rollup_freshness FINAL WHERE grain = '${grain}' AND changed > summed ORDER BY s`,
    )
  ).map(({ s }) => (s - DAY_S) / 3_600)

/** Every column of the hours or days against what the rows below add up to. */
async function unlikeTheirSources(grain: 'hour' | 'day'): Promise<unknown[]> {
  const [source, time, start] =
    grain === 'hour' ? ['kpi_minute', 'minute', 'toStartOfHour'] : ['kpi_hour', 'hour', 'toStartOfDay']
  const keys = 'bus_partition, party, carrier, site, direction'
  const sums = ROLLUP_COLUMNS.map(({ name, sum }) => `${sum} AS sum_${name}`).join(', ')
  return rowsOf(
    engine.writer,
    `SELECT toUInt32(${start}(${time})) AS s, ${keys}, ${sums} FROM ${source} FINAL GROUP BY s, ${keys} HAVING sum_attempts > 0
     EXCEPT SELECT toUInt32(${grain}), ${keys}, ${ROLLUP_COLUMNS.map(({ name }) => name).join(', ')} FROM kpi_${grain} FINAL`,
  )
}

describe('hours and days', () => {
  test('hold what their minutes add up to, in every column, for each bus partition', async () => {
    await calls('acme', [NINE_S, NINE_S + 60, NINE_S + 60, NINE_S + 3_600], 0)
    await calls('acme', [NINE_S + 3_540], 3)
    await calls('beta', [NINE_S + 120], 3)
    expect(await due(DAY_S + 2 * 86_400, NOW_S, [0, 3])).toBe(3)
    expect(await rowsIn('hour')).toEqual([
      [9, 0, 'acme', 3],
      [9, 3, 'acme', 1],
      [9, 3, 'beta', 1],
      [10, 0, 'acme', 1],
    ])
    expect(await rowsIn('day')).toEqual([
      [0, 0, 'acme', 4],
      [0, 3, 'acme', 1],
      [0, 3, 'beta', 1],
    ])
    expect(await unlikeTheirSources('hour')).toEqual([])
    expect(await unlikeTheirSources('day')).toEqual([])
    expect(await due(DAY_S + 2 * 86_400, NOW_S, [0, 3])).toBe(0)
  })

  test('the running hour and the running day are never summed, nor an hour whose calls may still end', async () => {
    await calls('acme', [NINE_S, NINE_S + 3_600])
    expect(await due(NINE_S + 3_600 + 299)).toBe(0)
    expect(await due(NINE_S + 3_600 + 300)).toBe(1)
    expect(await rowsIn('hour')).toEqual([[9, 0, 'acme', 1]])
    expect(await staleIn('hour')).toEqual([10])
    expect(await rowsIn('day')).toEqual([])
    expect(await staleIn('day')).toEqual([0])
  })

  test('a late message makes its hour and its day stale, until they are summed again', async () => {
    await calls('acme', [NINE_S, NINE_S + 3_600])
    const tomorrowS = DAY_S + 86_400 + 600
    await due(tomorrowS)
    expect([await staleIn('hour'), await staleIn('day')]).toEqual([[], []])
    await calls('acme', [NINE_S + 60])
    expect([await staleIn('hour'), await staleIn('day')]).toEqual([[9], [0]])
    expect(await due(tomorrowS)).toBe(2)
    expect([await rowsIn('hour'), await rowsIn('day')]).toEqual([
      [
        [9, 0, 'acme', 2],
        [10, 0, 'acme', 1],
      ],
      [[0, 0, 'acme', 3]],
    ])
  })

  test('a group that went away leaves zeros in its hour and its day', async () => {
    await calls('acme', [NINE_S])
    const tomorrowS = DAY_S + 86_400 + 600
    await due(tomorrowS)
    await engine.writer.command({ query: 'TRUNCATE TABLE call_attempts' })
    await calls('beta', [NINE_S])
    await due(tomorrowS)
    expect(await rowsIn('day')).toEqual([
      [0, 0, 'acme', 0],
      [0, 0, 'beta', 1],
    ])
  })

  test('a process that dies before it sums leaves a stale hour, never a wrong one', async () => {
    await calls('acme', [NINE_S])
    await due(NINE_S + 7_200)
    const dies = (at: number) => {
      let left = at
      return new Proxy(engine.writer, {
        get: (client, name: 'command' | 'query') =>
          name !== 'command'
            ? client[name].bind(client)
            : (parameters: Parameters<typeof client.command>[0]) =>
                left-- > 0 ? client.command(parameters) : Promise.reject(new Error('died')),
      })
    }
    // Marks, then minutes; then the mark of the day, the hour, the mark of the hour.
    for (const at of [1, 2]) {
      if (at === 1) {
        await expect(recomputeMinutes(dies(1), [0], [NINE_S], ++version)).rejects.toThrow('died')
      } else {
        await recomputeMinutes(engine.writer, [0], [NINE_S], ++version)
        await expect(recomputeHours(dies(2), [0], [NINE_S], ++version)).rejects.toThrow('died')
      }
      expect(await staleIn('hour')).toEqual([9])
      await due(NINE_S + 7_200)
      expect(await staleIn('hour')).toEqual([])
    }
  })

  test('a day waits for its hours, and an hour that changes later makes its day stale again', async () => {
    await calls('acme', [NINE_S])
    await recomputeHours(engine.writer, [0], [NINE_S], ++version)
    await recomputeDays(engine.writer, [0], [DAY_S], ++version)
    expect(await staleIn('day')).toEqual([])
    await recomputeHours(engine.writer, [0], [NINE_S + 1_800], ++version)
    expect(await staleIn('day')).toEqual([0])
    await calls('acme', [NINE_S + 3_600 * 5])
    // As of that moment only the first hours are over for long enough; then all of them are.
    await due(NINE_S + 3_600 * 6)
    expect(await staleIn('day')).toEqual([0])
    await due(DAY_S + 86_400 + 300)
    expect(await rowsIn('day')).toEqual([[0, 0, 'acme', 2]])
  })

  test('a backlog is worked off a dozen at a time, the newest first', async () => {
    await calls(
      'acme',
      Array.from({ length: 40 }, (_, hour) => DAY_S + hour * 3_600),
    )
    const tomorrowS = DAY_S + 3 * 86_400
    expect(await due(tomorrowS)).toBe(12)
    expect((await rowsIn('hour'))[0]?.[0]).toBe(28)
    const done = [await due(tomorrowS), await due(tomorrowS), await due(tomorrowS), await due(tomorrowS)]
    expect(done.reduce((sum, count) => sum + count)).toBe(28 + 2)
    expect(done.at(-1)).toBe(0)
    expect(await unlikeTheirSources('day')).toEqual([])
  })

  test('minutes that retention took are recomputed from attempts before their hour changes', async () => {
    await calls('acme', [NINE_S, NINE_S + 60])
    await due(NINE_S + 7_200)
    await engine.writer.command({ query: 'TRUNCATE TABLE kpi_minute' })
    await calls('acme', [NINE_S + 120])
    await due(NINE_S + 7_200, NOW_S, [0], keptOf({ minutes_days: 30 }))
    expect(await rowsIn('hour')).toEqual([[9, 0, 'acme', 3]])
  })

  test('an hour whose attempts are gone stays as it was summed; one that never was is summed', async () => {
    await calls('acme', [NINE_S, NINE_S + 60])
    await due(NINE_S + 7_200)
    for (const table of ['kpi_minute', 'call_attempts']) {
      await engine.writer.command({ query: `TRUNCATE TABLE ${table}` })
    }
    await calls('acme', [NINE_S + 120, NINE_S + 7_200])
    const kept = keptOf({ attempts_months: 1 })
    expect(await due(NINE_S + 86_400, NOW_S, [0], kept)).toBeGreaterThan(0)
    expect(await rowsIn('hour')).toEqual([
      [9, 0, 'acme', 2],
      [11, 0, 'acme', 1],
    ])
    expect(await due(NINE_S + 86_400, NOW_S, [0], kept)).toBe(0)
  })

  test('minutes of before there were hours are found by the migration, and summed', async () => {
    await calls('acme', [NINE_S, NINE_S + 3_600])
    await engine.writer.command({ query: 'TRUNCATE TABLE rollup_freshness' })
    const migration = readFileSync('schemas/clickhouse/008_kpi_day.sql', 'utf8')
    for (const statement of statementsOf(migration)) await engine.writer.command({ query: statement })
    expect([await staleIn('hour'), await staleIn('day')]).toEqual([[9, 10], [0]])
    version += 10n
    expect(await due(DAY_S + 2 * 86_400)).toBe(3)
    expect(await rowsIn('day')).toEqual([[0, 0, 'acme', 2]])
  })

  test('nothing to sum, nothing done', async () => {
    await recomputeHours(engine.writer, [0], [], ++version)
    expect(await due(NOW_S)).toBe(0)
    expect(await rowsIn('hour')).toEqual([])
  })
})
