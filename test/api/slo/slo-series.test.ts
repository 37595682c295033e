import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Readers } from '../../../api/readers.js'
import { expandSlos } from '../../../api/slo/instances.js'
import { readSloGauges, readSloSeries } from '../../../api/slo/slo-series.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, CONFIG, ENDED, NOON_S, TestStore } from '../support.js'

const CONFIG_WITH = configSchema.parse({
  sites: CONFIG.sites,
  carriers: CONFIG.carriers.slice(0, 1),
  slos: [
    { id: 'month', objective: 0.9, each: 'carrier' },
    { id: 'week', objective: 0.99, window_days: 7, each: 'carrier_site', sites: ['dal'] },
  ],
})

const BURN = 'trunkscope_slo_burn_ratio'
const BUDGET = 'trunkscope_slo_budget_remaining_ratio'

let store: TestStore
let readers: Readers
beforeAll(async () => {
  store = await TestStore.open()
  readers = new Readers(store.engine.readers)
  await store.add(
    Array.from({ length: 100 }, (_, index) =>
      attempt({ invitedAtUs: (NOON_S - 1 - index) * 1e6, ...(index % 20 === 0 ? ENDED.congestion : {}) }),
    ),
  )
})
afterAll(() => store.close())

describe('gauges of objectives', () => {
  const timesS = [NOON_S - 3_600, NOON_S, NOON_S + 3_600]

  it('the burn has a series for each window of each instance', async () => {
    const series = await readSloGauges(readers, CONFIG_WITH, BURN, timesS, expandSlos(CONFIG_WITH))
    expect(series.map(({ labels }) => [labels.slo, labels.window, labels.carrier, labels.site])).toEqual([
      ...['5m', '30m', '1h', '6h', '3d', '30d'].map((window) => ['month', window, 'alpha', undefined]),
      ...['5m', '30m', '1h', '2h', '6h', '1d', '7d'].map((window) => ['week', window, 'alpha', 'dal']),
    ])
    const hour = series.find(({ labels }) => labels.slo === 'month' && labels.window === '1h')!
    expect(hour.name).toBe(BURN)
    expect(hour.values[0]).toBeUndefined()
    expect(hour.values[1]).toBeCloseTo(0.5, 9)
    expect(hour.values[2]).toBeUndefined()
  })

  it('only the windows asked for are read', async () => {
    const [month] = expandSlos(CONFIG_WITH)
    const series = await readSloGauges(readers, CONFIG_WITH, BURN, timesS, [month!], ['1h'])
    expect(series).toHaveLength(1)
  })

  it('the budget has one series for each instance, of its own window', async () => {
    const series = await readSloGauges(readers, CONFIG_WITH, BUDGET, timesS, expandSlos(CONFIG_WITH))
    expect(series.map(({ labels }) => labels)).toEqual([
      { slo: 'month', carrier: 'alpha' },
      { slo: 'week', carrier: 'alpha', site: 'dal' },
    ])
    expect(series[0]!.values[0]).toBeUndefined()
    expect(series[0]!.values[1]).toBeCloseTo(0.5, 9)
    expect(series[1]!.values[2]).toBeCloseTo(-4, 9)
  })

  it('a window of a day or more begins on the whole hour, so that close points share its start', async () => {
    const [month] = await readSloSeries(
      readers,
      CONFIG_WITH,
      expandSlos(CONFIG_WITH).slice(0, 1),
      [NOON_S + 60, NOON_S + 119],
      ['3d'],
    )
    expect(month!.windows.map(({ name }) => name)).toEqual(['3d'])
    expect(month!.windows[0]!.burns[0]).toBe(month!.windows[0]!.burns[1])
  })
})
