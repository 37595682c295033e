import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Readers } from '../../../api/readers.js'
import { readSloCounts, windowFromS } from '../../../api/slo/counts.js'
import { expandSlos, isAbout } from '../../../api/slo/instances.js'
import { isTakenOut, maintenanceOf } from '../../../api/slo/maintenance.js'
import { sumDue } from '../../../collector/store/hours.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema, type TrunkscopeConfig } from '../../../schemas/config.js'
import { kpiOf } from '../../../schemas/kpi-catalog.js'
import { keptOf } from '../../../schemas/retention.js'
import { attempt, CONFIG, ENDED, NOON_S, TestStore } from '../support.js'

const DAY_S = 86_400

let store: TestStore
let readers: Readers
beforeAll(async () => {
  store = await TestStore.open()
  readers = new Readers(store.engine.readers)
})
afterAll(() => store.close())

const SLOS = [
  { id: 'platform', objective: 0.99999 },
  { id: 'carriers', objective: 0.995, each: 'carrier' },
  { id: 'sites', objective: 0.999, each: 'site', carriers: ['alpha', 'beta'] },
  { id: 'pairs', objective: 0.99, each: 'carrier_site', indicator: 'pdd', sites: ['dal'] },
]

function configWith(maintenance: object[], slos: object[] = SLOS): TrunkscopeConfig {
  return configSchema.parse({ sites: CONFIG.sites, carriers: CONFIG.carriers, slos, maintenance })
}

const iso = (seconds: number) => new Date(seconds * 1_000).toISOString()

/** The same from the attempts themselves, one by one. */
function counted(attempts: readonly Attempt[], config: TrunkscopeConfig, fromS: number, toS: number) {
  const maintenance = maintenanceOf(config.maintenance)
  return expandSlos(config).map((instance) => {
    const count = { bad: 0, valid: 0, attempts: 0, takenOut: { bad: 0, valid: 0 } }
    const kpi = kpiOf(instance.slo.indicator === 'pdd' ? 'progress' : 'availability')!
    for (const one of attempts) {
      if (one.party !== 'carrier' || one.minuteS < fromS || one.minuteS >= toS) continue
      if (!isAbout(instance, one.carrier, one.site)) continue
      count.attempts++
      const answer = one.state === 'closed' && kpi.kind === 'ratio' ? kpi.rule(one) : 'outside'
      const isOut = maintenance.some(
        (times) =>
          times.fromS <= one.minuteS && one.minuteS < times.toS && isTakenOut(times, one.carrier, one.site),
      )
      const into = isOut ? count.takenOut : count
      if (answer === 'numerator' || answer === 'denominator') into.valid++
      if (answer === 'denominator') into.bad++
    }
    return count
  })
}

describe('counts of windows', () => {
  const call = fc.record({
    agoS: fc.integer({ min: 0, max: 4 * DAY_S }),
    carrier: fc.constantFrom('alpha', 'beta', 'former'),
    site: fc.constantFrom('dal', 'fra', ''),
    party: fc.constantFrom('carrier' as const, 'carrier' as const, 'unknown' as const),
    pddMs: fc.constantFrom(300, 6_000, 6_001),
    how: fc.constantFrom<Partial<Attempt>>(ENDED.congestion, ENDED.preRing, { state: 'open' }, {}, {}),
  })
  const about = fc.constantFrom(
    {},
    { carriers: ['alpha'] },
    { sites: ['dal'] },
    { carriers: ['beta'], sites: ['fra'] },
  )
  const maintenance = fc
    .tuple(fc.integer({ min: 0, max: 4 * DAY_S }), fc.integer({ min: 1, max: 40_000 }), about)
    .map(([agoS, lengthS, named]) => ({
      from: iso(NOON_S - agoS),
      to: iso(NOON_S - agoS + lengthS),
      reason: 'works',
      ...named,
    }))
  const windows = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 3 * 1_440 }), fc.constantFrom(300, 3_600, 21_600, DAY_S, 3 * DAY_S)),
    { minLength: 1, maxLength: 5 },
  )

  it('are those of the attempts, with what maintenance takes out beside them', async () => {
    const stored: Attempt[] = []
    const round = fc.record({
      calls: fc.array(call, { minLength: 1, maxLength: 20 }),
      maintenances: fc.array(maintenance, { maxLength: 3 }),
      windows,
      summed: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(round, async ({ calls, maintenances, windows, summed }) => {
        const rows = calls.map(({ agoS, how, ...rest }) =>
          attempt({ ...rest, invitedAtUs: (NOON_S - agoS) * 1e6, ...how }),
        )
        stored.push(...rows)
        await store.add(rows)
        if (summed) {
          const moment = { asOfUs: (NOON_S + 2 * DAY_S) * 1e6, nowS: NOON_S + 2 * DAY_S }
          await sumDue(store.engine.writer, [0], moment, keptOf(CONFIG.retention), ++store.version)
        }
        const config = configWith(maintenances)
        const asked = windows.map(([agoMinutes, windowS]) => {
          const toS = NOON_S - agoMinutes * 60
          return { fromS: windowFromS(toS, windowS), toS }
        })
        const instances = expandSlos(config)
        const moments = asked.flatMap(({ fromS, toS }) => [fromS, toS])
        const counts = await readSloCounts(readers, config, instances, moments)
        for (const { fromS, toS } of asked) {
          expect(instances.map((_, index) => counts.between(index, fromS, toS))).toEqual(
            counted(stored, config, fromS, toS),
          )
        }
      }),
      { numRuns: 20 },
    )
  }, 60_000)

  it('sum over carriers and sites in the store where no objective tells them apart', async () => {
    const config = configWith([], [{ id: 'platform', objective: 0.999 }])
    const instances = expandSlos(config)
    const counts = await readSloCounts(readers, config, instances, [NOON_S - 4 * DAY_S, NOON_S + 60])
    expect(counts.between(0, NOON_S - 4 * DAY_S, NOON_S + 60).attempts).toBeGreaterThan(0)
  })

  it('of no instance, or of no time, are none, without a question to the store', async () => {
    const idle = new Readers([])
    const config = configWith([])
    await readSloCounts(idle, config, [], [NOON_S, NOON_S + 60])
    await readSloCounts(idle, config, expandSlos(config), [NOON_S])
  })

  it('of too many windows are refused before they are read', async () => {
    const config = configWith([])
    const moments = Array.from({ length: 20_000 }, (_, index) => NOON_S + index * 60)
    await expect(readSloCounts(readers, config, expandSlos(config), moments)).rejects.toMatchObject({
      code: 'TRUNKSCOPE_API_TOO_MANY_POINTS',
    })
  })
})

describe('a window', () => {
  it('of a day or more begins on the whole hour at or before', () => {
    expect(windowFromS(NOON_S + 1_740, 3_600)).toBe(NOON_S + 1_740 - 3_600)
    expect(windowFromS(NOON_S + 1_740, 3 * DAY_S)).toBe(NOON_S - 3 * DAY_S)
    expect(windowFromS(NOON_S, 3 * DAY_S)).toBe(NOON_S - 3 * DAY_S)
  })
})
