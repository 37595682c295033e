/**
 * What is wrong with `carriers[].targets` although its shape is right: names that are no KPI, and values that its unit does
 * not have. What has the wrong shape is passed over here.
 */
import { TARGET_KPIS } from '../../schemas/targets.js'
import type { Mistake } from './config-shape.js'
import { nearest } from './nearest.js'

export function targetMistakes(data: unknown): Mistake[] {
  const carriers = (data as { carriers?: unknown } | null)?.carriers
  if (!Array.isArray(carriers)) return []
  return carriers.flatMap((carrier: unknown, index) => {
    const targets = (carrier as { targets?: unknown } | null)?.targets
    if (typeof targets !== 'object' || targets === null || Array.isArray(targets)) return []
    return Object.entries(targets).flatMap(([name, value]) => mistakeOf(index, name, value))
  })
}

function mistakeOf(index: number, name: string, value: unknown): Mistake[] {
  const path = ['carriers', index, 'targets', name]
  const kpi = TARGET_KPIS.get(name)
  if (kpi === undefined) return [unknownName(path, name)]
  if (typeof value !== 'number') return []
  if (kpi.unit === 'ratio' && !(value >= 0 && value <= 1)) {
    const meant =
      value > 1 && value <= 100 ? `${Number((value / 100).toPrecision(12))} for ${value} %` : '0.95 for 95 %'
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_BAD_VALUE',
        path,
        problem: `is ${value}, and no share of 1; write ${meant}`,
      },
    ]
  }
  if (kpi.unit === 's' && !(value > 0)) {
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_BAD_VALUE',
        path,
        problem: `is ${value}, and no time; write seconds, for example 6`,
      },
    ]
  }
  return []
}

function unknownName(path: Mistake['path'], name: string): Mistake {
  const names = [...TARGET_KPIS.keys()]
  const meant = TARGET_KPIS.has(`${name}_s`) ? `${name}_s` : nearest(name, names)
  return {
    code: 'TRUNKSCOPE_CONFIG_UNKNOWN_KEY',
    path,
    atKey: true,
    problem: `${name} is no KPI with a target; ${meant === undefined ? `write one of ${names.join(', ')}` : `did you mean ${meant}?`}`,
  }
}
