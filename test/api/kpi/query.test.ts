import { describe, expect, it } from 'vitest'
import { isWholeMinutes, kpiQueryOf, stepStartsOf } from '../../../api/kpi/query.js'
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
})
