import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GRAIN_S, type Grain, partsOf } from '../../../api/kpi/grains.js'
import { firstStepUs, type KpiQuery, kpiQueryOf } from '../../../api/kpi/query.js'
import { readKpiGroups } from '../../../api/kpi/series.js'
import type { Sums } from '../../../api/kpi/sums.js'
import { Readers } from '../../../api/readers.js'
import { sumDue } from '../../../collector/store/hours.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema } from '../../../schemas/config.js'
import { keptOf } from '../../../schemas/retention.js'
import { attempt, CONFIG, ENDED, endedCall, TestStore } from '../support.js'

/** 2026-11-16T00:00:00Z. */
const MONDAY_S = 1_794_787_200
const NONE = { hour: new Set<number>(), day: new Set<number>() }
const asked = (fromS: number, toS: number, stepS: number | null = null) => ({
  fromUs: fromS * 1e6,
  toUs: toS * 1e6,
  stepS,
})
const grainsOf = (parts: ReturnType<typeof partsOf>) =>
  Object.fromEntries(
    Object.entries(parts).map(([grain, ranges]) => [
      grain,
      ranges.map(({ fromS, toS }) => [(fromS - MONDAY_S) / 60, (toS - MONDAY_S) / 60]),
    ]),
  )

describe('a range is cut into days, hours and minutes', () => {
  it('the coarsest that fits inside, the finer ones at its ends', () => {
    const parts = partsOf(asked(MONDAY_S - 5_400, MONDAY_S + 86_400 + 3_600 + 120), NONE)
    expect(grainsOf(parts)).toEqual({
      minute: [
        [-90, -60],
        [1_500, 1_502],
      ],
      hour: [
        [-60, 0],
        [1_440, 1_500],
      ],
      day: [[0, 1_440]],
    })
  })

  it('a stale day is read by its hours, a stale hour by its minutes', () => {
    const stale = { day: new Set([MONDAY_S]), hour: new Set([MONDAY_S + 7_200]) }
    expect(grainsOf(partsOf(asked(MONDAY_S, MONDAY_S + 2 * 86_400), stale))).toEqual({
      minute: [[120, 180]],
      hour: [
        [0, 120],
        [180, 1_440],
      ],
      day: [[1_440, 2_880]],
    })
  })

  it('a step takes what its entries hold whole', () => {
    const grains = (stepS: number, shiftS = 0) =>
      Object.entries(partsOf(asked(MONDAY_S + shiftS, MONDAY_S + shiftS + 4 * 86_400, stepS), NONE))
        .filter(([, ranges]) => ranges.length > 0)
        .map(([grain]) => grain)
    expect(grains(300)).toEqual(['minute'])
    expect(grains(5_400)).toEqual(['minute'])
    expect(grains(3_600)).toEqual(['hour'])
    expect(grains(3_600, 60)).toEqual(['minute'])
    expect(grains(86_400)).toEqual(['day'])
    expect(grains(86_400, 3_600)).toEqual(['hour'])
  })

  it('steps by the clock take hours and days wherever the range begins, and minutes at its ends', () => {
    const range = asked(MONDAY_S + 2_040, MONDAY_S + 2_040 + 86_400, 3_600)
    expect(grainsOf(partsOf({ ...range, byClock: true }, NONE))).toEqual({
      minute: [
        [34, 60],
        [1_440, 1_474],
      ],
      hour: [[60, 1_440]],
      day: [],
    })
  })

  it('every minute is in one part, stale ones and those of small steps in no coarser one', () => {
    const hours = fc.uniqueArray(fc.integer({ min: -30, max: 80 }), { maxLength: 20 })
    const days = fc.uniqueArray(fc.integer({ min: -2, max: 3 }), { maxLength: 3 })
    const step = fc.constantFrom(null, 60, 300, 3_600, 5_400, 7_200, 86_400, 172_800)
    fc.assert(
      fc.property(
        fc.integer({ min: -1_500, max: 3_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        hours,
        days,
        step,
        fc.constantFrom(undefined, true as const),
        (fromMinute, minutes, staleHours, staleDays, stepS, byClock) => {
          const fromS = MONDAY_S + fromMinute * 60
          const stale = {
            hour: new Set(staleHours.map((hour) => MONDAY_S + hour * 3_600)),
            day: new Set(staleDays.map((day) => MONDAY_S + day * 86_400)),
          }
          const question = { ...asked(fromS, fromS + minutes * 60, stepS), byClock }
          const parts = partsOf(question, stale)
          const firstS = firstStepUs(question) / 1e6
          expect(firstS).toBeLessThanOrEqual(fromS)
          expect(fromS - firstS).toBeLessThan(Math.min(stepS ?? 60, 86_400))
          const covered: number[] = []
          for (const grain of Object.keys(parts) as Grain[]) {
            for (const range of parts[grain]) {
              for (let atS = range.fromS; atS < range.toS; atS += GRAIN_S[grain]) {
                expect(atS % GRAIN_S[grain]).toBe(0)
                if (grain !== 'minute') expect(stale[grain].has(atS)).toBe(false)
                const entry = (timeS: number) => (stepS === null ? 0 : Math.floor((timeS - firstS) / stepS))
                expect(entry(atS)).toBe(entry(atS + GRAIN_S[grain] - 60))
                for (let minuteS = atS; minuteS < atS + GRAIN_S[grain]; minuteS += 60) covered.push(minuteS)
              }
            }
          }
          expect(covered.sort((a, b) => a - b)).toEqual(
            Array.from({ length: minutes }, (_, minute) => fromS + minute * 60),
          )
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('answers from days, hours and minutes', () => {
  let store: TestStore
  let readers: Readers
  beforeAll(async () => {
    store = await TestStore.open()
    readers = new Readers(store.engine.readers)
  })
  afterAll(() => store.close())

  const due = (asOfS: number) =>
    sumDue(
      store.engine.writer,
      [0],
      { asOfUs: asOfS * 1e6, nowS: asOfS },
      keptOf(CONFIG.retention),
      ++store.version,
    )

  const iso = (seconds: number) => new Date(seconds * 1_000).toISOString()
  const read = async (
    fromS: number,
    toS: number,
    parameters: Record<string, string>,
    config = CONFIG,
    asPage: Partial<KpiQuery> = {},
  ) =>
    readKpiGroups(readers, config, {
      ...kpiQueryOf({ from: iso(fromS), to: iso(toS), ...parameters }, config, (MONDAY_S + 5 * 86_400) * 1e6),
      ...asPage,
    })

  const call = fc.record({
    atS: fc.integer({ min: 0, max: 4 * 86_400 - 1 }),
    carrier: fc.constantFrom('alpha', 'beta', 'former'),
    site: fc.constantFrom('dal', 'fra', ''),
    how: fc.constantFrom<Partial<Attempt>>(ENDED.busy, ENDED.abandoned, ENDED.preRing, { state: 'open' }, {}),
    pddMs: fc.integer({ min: 1, max: 20_000 }),
    talkedMs: fc.integer({ min: 100, max: 4_000_000 }),
  })
  const question = fc.record({
    fromMinute: fc.integer({ min: -100, max: 4 * 1_440 }),
    minutes: fc.oneof(fc.integer({ min: 1, max: 180 }), fc.integer({ min: 1, max: 4 * 1_440 })),
    // Most people ask from the hour or from midnight.
    snapS: fc.constantFrom(60, 3_600, 86_400),
    step: fc.constantFrom(undefined, '3600', '7200', '86400'),
    by: fc.constantFrom('', 'carrier', 'carrier,site'),
    byClock: fc.constantFrom(undefined, true as const),
  })

  it('are those of the attempts, whatever was summed when and whatever came late', async () => {
    const round = fc.record({
      calls: fc.array(call, { minLength: 1, maxLength: 12 }),
      asOfHours: fc.option(fc.integer({ min: 0, max: 120 })),
      questions: fc.array(question, { minLength: 2, maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(round, async ({ calls, asOfHours, questions }) => {
        await store.add(
          calls.map(({ atS, how, talkedMs, ...rest }) => {
            const invitedAtUs = (MONDAY_S + atS) * 1e6
            const isAnswered = Object.keys(how).length === 0
            return attempt({
              ...rest,
              invitedAtUs,
              ...how,
              ...(isAnswered ? endedCall(invitedAtUs, talkedMs) : {}),
            })
          }),
        )
        if (asOfHours !== null) await due(MONDAY_S + asOfHours * 3_600)
        for (const { fromMinute, minutes, snapS, step, by, byClock } of questions) {
          const fromS = MONDAY_S + Math.floor((fromMinute * 60) / snapS) * snapS
          const toS = fromS + Math.ceil((minutes * 60) / snapS) * snapS
          const parameters = { group_by: by, ...(step === undefined ? {} : { step }) }
          // As our own pages ask, with steps by the clock, and without a column.
          const asPage = byClock && { byClock, without: ['dispositions'] }
          const rollups = await read(fromS, toS, parameters, CONFIG, asPage)
          const exact = await read(fromS, toS, { ...parameters, exact: 'true' }, CONFIG, asPage)
          expect(rollups.map(comparable)).toEqual(exact.map(comparable))
          if (!byClock) continue
          for (const { total } of rollups) expect(total.maps.dispositions).toEqual({})
          const whole = await read(fromS, toS, { group_by: by }, CONFIG, asPage)
          expect(rollups.map(({ total }) => comparableSums(total))).toEqual(
            whole.map(({ total }) => comparableSums(total)),
          )
        }
      }),
      { numRuns: 15 },
    )
  }, 60_000)

  it('stay right while an hour is stale: its minutes are read', async () => {
    const atS = MONDAY_S + 6 * 86_400
    await store.add([attempt({ carrier: 'late', invitedAtUs: atS * 1e6 })])
    while ((await due(atS + 2 * 86_400)) > 0);
    await store.add([attempt({ carrier: 'late', invitedAtUs: (atS + 60) * 1e6 })])
    const counted = async () =>
      (await read(atS, atS + 86_400, { carrier: 'late' })).map(({ total }) => total.counts.attempts)
    expect(await counted()).toEqual([2])
    while ((await due(atS + 2 * 86_400)) > 0);
    expect(await counted()).toEqual([2])
    await store.command('ALTER TABLE kpi_minute DELETE WHERE 1 SETTINGS mutations_sync = 1')
    expect(await counted()).toEqual([2])
  })

  it('of events older than minutes are kept come from whole hours, and say so', async () => {
    const config = configSchema.parse({ ...CONFIG, retention: { minutes_days: 2 } })
    const at = (minute: number) => MONDAY_S + minute * 60
    await expect(read(at(30), at(120), {}, config)).rejects.toMatchObject({
      code: 'TRUNKSCOPE_API_BAD_RANGE',
      message:
        'from=2026-11-16T00:30:00Z: before 2026-11-19T00:00:00Z only whole hours are kept; write from=2026-11-16T00:00:00Z, or a later range',
    })
  })
})

function comparable({ by, total, steps }: { by: object; total: Sums; steps: Sums[] | undefined }) {
  return { by, total: comparableSums(total), steps: steps?.map(comparableSums) }
}

function comparableSums({ counts, maps }: Sums) {
  return {
    counts: Object.fromEntries(
      Object.entries(counts).map(([name, sum]) => [name, Math.round(sum * 1e3) / 1e3]),
    ),
    maps,
  }
}
