import { describe, expect, it } from 'vitest'
import { isWholeMinutes, kpiQueryOf, stepStartsOf } from '../../../api/kpi/query.js'
import { configSchema } from '../../../schemas/config.js'
import { KPI_CATALOG } from '../../../schemas/kpi-catalog.js'
import { CONFIG, NOON_US } from '../support.js'

describe('a KPI question', () => {
  it('without parameters is the hour that ends with the running minute, by carrier, of all KPIs', () => {
    const query = kpiQueryOf({}, CONFIG, NOON_US + 1)
    expect(query).toMatchObject({
      fromUs: NOON_US - 59 * 60e6,
      toUs: NOON_US + 60e6,
      groupBy: ['carrier'],
      stepS: null,
      exact: false,
    })
    expect(query.kpis).toHaveLength(KPI_CATALOG.length)
    expect(isWholeMinutes(query)).toBe(true)
  })

  it('lists may be repeated or written with commas, and name each once', () => {
    const query = kpiQueryOf(
      { kpi: ['asr,ner', 'ner'], carrier: 'b, a ,', group_by: 'site,carrier' },
      CONFIG,
      NOON_US,
    )
    expect(query.kpis.map(({ name }) => name)).toEqual(['asr', 'ner'])
    expect(query.where.carrier).toEqual(['b', 'a'])
    expect(query.groupBy).toEqual(['site', 'carrier'])
  })

  it('a range that is no multiple of the step ends with a short one', () => {
    expect(stepStartsOf({ fromUs: 0, toUs: 420e6, stepS: 180 })).toEqual([0, 180e6, 360e6])
  })

  it('by the clock it also begins with one, and steps of less than an hour begin with the range', () => {
    const starts = (fromS: number, toS: number, stepS: number) =>
      stepStartsOf({ fromUs: fromS * 1e6, toUs: toS * 1e6, stepS, byClock: true }).map((us) => us / 1e6)
    expect(starts(2_040, 9_240, 3_600)).toEqual([2_040, 3_600, 7_200])
    expect(starts(3_600, 10_800, 3_600)).toEqual([3_600, 7_200])
    expect(starts(90_000, 200_000, 86_400)).toEqual([90_000, 172_800])
    expect(starts(90_000, 1_000_000, 604_800)).toEqual([90_000, 691_200])
    expect(starts(2_040, 2_700, 300)).toEqual([2_040, 2_340, 2_640])
  })

  describe('of events whose minutes are no longer kept', () => {
    const config = configSchema.parse({
      ...CONFIG,
      retention: { minutes_days: 30, hours_months: 14, days_months: 36 },
    })
    const ask = (from: string, to: string, step?: string) =>
      kpiQueryOf({ from, to, ...(step === undefined ? {} : { step }) }, config, NOON_US)

    it('may ask for whole hours, and of later ones for minutes', () => {
      expect(ask('2026-09-01T10:00:00Z', '2026-11-20T11:31:00Z').fromUs % 3_600e6).toBe(0)
      expect(ask('2026-09-01T10:00:00Z', '2026-10-01T10:00:00Z', '7200').stepS).toBe(7_200)
    })

    it('is told what to write otherwise', () => {
      const before = 'before 2026-10-21T12:00:00Z only whole hours are kept'
      for (const [from, to, step, sentence] of [
        ['2026-09-01T10:07:00Z', '2026-11-20T10:00:00Z', undefined, 'from=2026-09-01T10:00:00Z'],
        ['2026-09-01T10:00:00Z', '2026-10-01T10:30:00Z', undefined, 'to=2026-10-01T10:00:00Z'],
        ['2026-09-01T10:00:00Z', '2026-10-01T10:00:00Z', '5400', 'step=7200'],
      ] as const) {
        expect(() => ask(from, to, step)).toThrow(`: ${before}; write ${sentence}, or a later range`)
      }
    })

    it('whose hours are gone too, may ask for whole days', () => {
      expect(ask('2024-09-01T00:00:00Z', '2026-11-20T12:00:00Z', '86400').stepS).toBe(86_400)
      expect(() => ask('2024-09-01T10:00:00Z', '2026-11-20T12:00:00Z')).toThrow(
        'only whole days of UTC are kept; write from=2024-09-01T00:00:00Z',
      )
    })

    it('minutes are kept no longer than the attempts they are made of', () => {
      const short = configSchema.parse({ ...CONFIG, retention: { attempts_months: 1 } })
      expect(() => kpiQueryOf({ from: '2026-09-01T10:07:00Z' }, short, NOON_US)).toThrow('only whole hours')
    })
  })
})
