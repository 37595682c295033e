import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Readers } from '../../../api/readers.js'
import { readSloSeries } from '../../../api/slo/slo-series.js'
import { expandSlos, readSloStates, type SloState } from '../../../api/slo/slo-state.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, CONFIG, ENDED, NOON, NOON_S, TestStore } from '../support.js'

let store: TestStore
let readers: Readers

const configWith = (parts: object) =>
  configSchema.parse({ sites: CONFIG.sites, carriers: CONFIG.carriers, ...parts })

/** Calls spread evenly over the minutes before `untilS`. */
function calls(count: number, minutes: number, untilS: number, changes: Partial<Attempt> = {}): Attempt[] {
  return Array.from({ length: count }, (_, index) =>
    attempt({ invitedAtUs: (untilS - 1 - Math.floor((index * minutes * 60) / count)) * 1e6, ...changes }),
  )
}

beforeAll(async () => {
  store = await TestStore.open()
  readers = new Readers(store.engine.readers)
  await store.add([
    // alpha: a quiet month, then 40 of the last hour's 400 fail, to the end.
    ...calls(2_000, 29 * 1_440, NOON_S - 3_600),
    ...calls(360, 60, NOON_S),
    ...calls(40, 60, NOON_S, ENDED.congestion),
    // beta: at night, each of 60 calls fails.
    ...calls(60, 60, NOON_S, { carrier: 'beta', site: 'fra', ...ENDED.congestion }),
    // Scanners from nowhere fail all day and are nobody's promise.
    ...calls(500, 60, NOON_S, { carrier: 'unknown', party: 'unknown', ...ENDED.congestion }),
  ])
})
afterAll(() => store.close())

const of = (states: readonly SloState[], carrier: string) =>
  states.find(({ instance }) => instance.labels.carrier === carrier)!

describe('the state of objectives', () => {
  it('has each window with its counts, burn and doubt', async () => {
    const alpha = of(await readSloStates(readers, CONFIG, NOON_S + 12), 'alpha')
    expect(alpha.atS).toBe(NOON_S)
    expect(alpha.windows.map(({ name, bad, valid }) => [name, bad, valid])).toEqual([
      ['5m', 4, 34],
      ['30m', 20, 200],
      ['1h', 40, 400],
      ['6h', 40, expect.any(Number)],
      ['3d', 40, expect.any(Number)],
      ['30d', 40, 2_400],
    ])
    expect(alpha.windows[2]!.burn).toBeCloseTo(20, 9)
    expect(alpha.windows[2]!.badRatioLow).toBeCloseTo(0.0743, 3)
  })

  it('pages for an outage, and says with which pair and why', async () => {
    const alpha = of(await readSloStates(readers, CONFIG, NOON_S), 'alpha')
    expect(alpha.verdict.severity).toBe('page')
    expect(alpha.verdict.fired!.pair).toMatchObject({ longS: 3_600, shortS: 300, threshold: 14.4 })
    expect(alpha.verdict.fired!.why).toMatch(/^1h burns 20 \(40 bad of 400\), 5m burns 2\d/)
  })

  it('pages for a carrier that fails all of its 60 calls, and shows "insufficient data"', async () => {
    const beta = of(await readSloStates(readers, CONFIG, NOON_S), 'beta')
    expect(beta.verdict.severity).toBe('page')
    expect(beta.verdict.fired!.isInsufficient).toBe(true)
    expect(beta.isInsufficient).toBe(true)
    expect(beta.budget).toMatchObject({ isMissed: true, cannotBeShown: false })
  })

  it('has what is left in calls and minutes, and when it ends', async () => {
    const { budget } = of(await readSloStates(readers, CONFIG, NOON_S), 'alpha')
    expect(budget.calls).toBeCloseTo(12, 9)
    expect(budget.callsLeft).toBeCloseTo(-28, 9)
    expect(budget.exhaustedInS).toBe(0)
    const hours = configWith({
      slos: [{ id: 'loose', objective: 0.95, each: 'carrier', carriers: ['alpha'] }],
    })
    const [loose] = await readSloStates(readers, hours, NOON_S)
    expect(loose!.budget.callsLeft).toBeCloseTo(80, 9)
    expect(loose!.budget.minutesLeft).toBeCloseTo((2 / 3) * 0.05 * 43_200, 6)
    // An hour at a burn of 2 of a window of 30 days with two thirds left: 10 days.
    expect(loose!.budget.exhaustedInS).toBeCloseTo(10 * 86_400, 3)
  })

  it('of a carrier without traffic is not known, and tells nobody', async () => {
    const silent = of(await readSloStates(readers, CONFIG, NOON_S), 'silent')
    expect(silent.verdict.severity).toBeUndefined()
    expect(silent.windows.every(({ burn, reason }) => burn === null && reason === 'no_traffic')).toBe(true)
    expect(silent.budget.leftRatio).toBeNull()
  })

  it('before the trouble is silent, and after it too: the short window has to burn', async () => {
    const severity = async (atS: number) =>
      of(await readSloStates(readers, CONFIG, atS), 'alpha').verdict.severity
    expect(await severity(NOON_S - 3_600)).toBeUndefined()
    expect(await severity(NOON_S + 600)).toBe('page') // 30m of 6h/30m still burns.
    expect(await severity(NOON_S + 1_800)).toBe('ticket')
  })

  it('of everything together leaves out peers that nobody configured, and says what cannot be shown', async () => {
    const platform = configWith({ slos: [{ id: 'five-nines', objective: 0.99999 }] })
    const [state] = await readSloStates(readers, platform, NOON_S)
    expect(state!.windows.at(-1)).toMatchObject({ bad: 100, valid: 2_460 })
    expect(state!.budget).toMatchObject({ shownFrom: 299_572, isMissed: true })
    const [before] = await readSloStates(readers, platform, NOON_S - 3_600)
    expect(before!.budget).toMatchObject({ cannotBeShown: true, callsSpent: 0 })
  })

  it('judges post-dial delay as an objective of its own', async () => {
    const config = configWith({ slos: [{ id: 'quick', indicator: 'pdd', objective: 0.95, each: 'carrier' }] })
    const states = await readSloStates(readers, config, NOON_S)
    expect(of(states, 'alpha').windows.at(-1)).toMatchObject({ bad: 0, valid: 2_360 })
    expect(of(states, 'beta').windows[2]).toMatchObject({ valid: 0, burn: null, reason: 'no_valid' })
  })
})

describe('maintenance', () => {
  const maintenance = (carriers?: string[]) => [
    { from: '2026-11-20T11:00:00Z', to: NOON, reason: 'trunk moves', ...(carriers ? { carriers } : {}) },
  ]

  it('takes an outage out of every window and the budget, and shows what it took', async () => {
    const config = configWith({ maintenance: maintenance(['alpha']) })
    const alpha = of(await readSloStates(readers, config, NOON_S), 'alpha')
    expect(alpha.verdict.severity).toBeUndefined()
    expect(alpha.windows[2]).toMatchObject({
      valid: 0,
      reason: 'maintenance',
      takenOut: { bad: 40, valid: 400 },
    })
    expect(alpha.windows.at(-1)).toMatchObject({ bad: 0, valid: 2_000, takenOut: { bad: 40, valid: 400 } })
    expect(alpha.budget.minutes).toBeCloseTo((43_200 - 60) * 0.005, 9)
    expect(alpha.maintenance).toMatchObject([{ reason: 'trunk moves', covers: 'all' }])
    expect(alpha.isInMaintenance).toBe(true)
  })

  it('of another carrier changes nothing here, and of everything together a part', async () => {
    const config = configWith({
      maintenance: maintenance(['alpha']),
      slos: [
        { id: 'platform', objective: 0.99 },
        { id: 'each', objective: 0.99, each: 'carrier' },
      ],
    })
    const states = await readSloStates(readers, config, NOON_S)
    expect(of(states, 'beta')).toMatchObject({ verdict: { severity: 'page' }, maintenance: [] })
    expect(states[0]).toMatchObject({ isInMaintenance: false, maintenance: [{ covers: 'part' }] })
    expect(states[0]!.windows[2]).toMatchObject({ bad: 60, valid: 60, takenOut: { bad: 40, valid: 400 } })
    expect(states[0]!.budget.minutes).toBeCloseTo(432, 9)
  })
})

describe('burn over time', () => {
  it('is at each moment what the state was then', async () => {
    const instances = expandSlos(CONFIG)
    const timesS = [NOON_S - 7_200, NOON_S - 1_800, NOON_S, NOON_S + 900]
    const series = await readSloSeries(readers, CONFIG, instances, timesS)
    for (const [at, timeS] of timesS.entries()) {
      const states = await readSloStates(readers, CONFIG, timeS)
      expect(series.map(({ windows }) => windows.map(({ burns }) => burns[at] ?? null))).toEqual(
        states.map(({ windows }) => windows.map(({ burn }) => burn)),
      )
    }
  })
})
