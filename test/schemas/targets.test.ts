import { describe, expect, it } from 'vitest'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { betterOf, TARGET_KPIS, targetNameOf } from '../../schemas/targets.js'

describe('contracted targets', () => {
  it('every KPI may have one, and each has a name of its own that carries its unit', () => {
    expect(TARGET_KPIS.size).toBe(KPI_CATALOG.length)
    for (const kpi of KPI_CATALOG) {
      expect(TARGET_KPIS.get(targetNameOf(kpi))).toBe(kpi)
      expect(targetNameOf(kpi).endsWith('_s')).toBe(kpi.unit === 's')
    }
  })

  it('where a threshold of the catalog says which way is bad, a target goes the other', () => {
    for (const { id, thresholds } of KPI_CATALOG) {
      if (thresholds === undefined) continue
      expect([id, betterOf(id)]).toEqual([id, thresholds.warn > thresholds.bad ? 'higher' : 'lower'])
    }
  })
})
