/**
 * What is wrong with `carriers[].credits` although its shape is right: names that are no KPI, a bound on the wrong side, tiers
 * that pay less for a worse result, or that pay although the target is met. What has the wrong shape is passed over here.
 */
import { betterOf, TARGET_KPIS } from '../../schemas/targets.js'
import type { Mistake } from './config-shape.js'
import type { ConfigPath } from './config-text.js'
import { nearest } from './nearest.js'

type Entry = Record<string, unknown>

interface Tier {
  path: ConfigPath
  target: string
  side: 'below' | 'above'
  bound: number
  percent: unknown
}

export function creditMistakes(data: unknown): Mistake[] {
  const carriers = (data as { carriers?: unknown } | null)?.carriers
  if (!Array.isArray(carriers)) return []
  return carriers.flatMap((carrier: unknown, index) => {
    const { credits, targets } = (carrier ?? {}) as { credits?: unknown; targets?: unknown }
    if (!Array.isArray(credits)) return []
    const judged = credits.flatMap((entry: unknown, at) =>
      typeof entry === 'object' && entry !== null
        ? [judge(entry as Entry, ['carriers', index, 'credits', at])]
        : [],
    )
    const tiers = judged.flatMap(({ tier }) => tier ?? [])
    return [
      ...judged.flatMap(({ mistakes }) => mistakes),
      ...tiers.flatMap((tier, at) => [
        ...contradictions(tier, tiers.slice(0, at)),
        ...paidThoughMet(tier, targets),
      ]),
    ]
  })
}

function judge(entry: Entry, path: ConfigPath): { mistakes: Mistake[]; tier?: Tier } {
  const { target, below, above, percent } = entry
  if (typeof target !== 'string') return { mistakes: [] }
  const kpi = TARGET_KPIS.get(target)
  if (kpi === undefined) return { mistakes: [unknownTarget([...path, 'target'], target)] }
  const side = betterOf(kpi.id) === 'higher' ? 'below' : 'above'
  const wrong = side === 'below' ? 'above' : 'below'
  if (entry[wrong] !== undefined) {
    return {
      mistakes: [
        badValue(
          [...path, wrong],
          `of ${target} ${side === 'below' ? 'more' : 'less'} is better, so a credit is due ${side} a value; write ${side}`,
        ),
      ],
    }
  }
  const bound = side === 'below' ? below : above
  if (bound === undefined) {
    const example = kpi.unit === 's' ? '8' : side === 'below' ? '0.95' : '0.05'
    return {
      mistakes: [
        {
          code: 'TRUNKSCOPE_CONFIG_MISSING_KEY',
          path: [...path, side],
          problem: `is missing; write the value from which the credit is due, for example ${side}: ${example}`,
        },
      ],
    }
  }
  if (typeof bound !== 'number') return { mistakes: [] }
  const problem = outOfUnit(kpi.unit, bound)
  if (problem !== undefined) return { mistakes: [badValue([...path, side], problem)] }
  return { mistakes: [], tier: { path, target, side, bound, percent } }
}

function outOfUnit(unit: 'ratio' | 's', bound: number): string | undefined {
  if (unit === 'ratio' && !(bound >= 0 && bound <= 1)) {
    const meant =
      bound > 1 && bound <= 100 ? `${Number((bound / 100).toPrecision(12))} for ${bound} %` : '0.95 for 95 %'
    return `is ${bound}, and no share of 1; write ${meant}`
  }
  if (unit === 's' && !(bound > 0)) return `is ${bound}, and no time; write seconds, for example 8`
  return undefined
}

/** Against the tiers of the same target that stand before it. */
function contradictions(tier: Tier, before: readonly Tier[]): Mistake[] {
  for (const other of before) {
    if (other.target !== tier.target) continue
    if (other.bound === tier.bound) {
      return [
        {
          code: 'TRUNKSCOPE_CONFIG_DUPLICATE',
          path: [...tier.path, tier.side],
          problem: `${tier.target} ${tier.side} ${tier.bound} stands twice; remove one of the two`,
        },
      ]
    }
    if (typeof tier.percent !== 'number' || typeof other.percent !== 'number') continue
    const isWorse = tier.side === 'below' ? tier.bound < other.bound : tier.bound > other.bound
    if (isWorse ? tier.percent > other.percent : tier.percent < other.percent) continue
    return [
      badValue(
        [...tier.path, 'percent'],
        `is ${tier.percent} for ${tier.target} ${tier.side} ${tier.bound}, and ${other.percent} for ${tier.side} ` +
          `${other.bound}; the worse result has to give the higher credit`,
      ),
    ]
  }
  return []
}

function paidThoughMet({ path, target, side, bound }: Tier, targets: unknown): Mistake[] {
  const promised = (targets as Record<string, unknown> | null | undefined)?.[target]
  if (typeof promised !== 'number') return []
  if (side === 'below' ? bound <= promised : bound >= promised) return []
  return [
    badValue(
      [...path, side],
      `is ${bound}, but the target of ${target} is ${promised}: a credit would be due although the target is met; ` +
        `write ${side}: ${promised}, or change the target`,
    ),
  ]
}

function unknownTarget(path: ConfigPath, name: string): Mistake {
  const names = [...TARGET_KPIS.keys()]
  const meant = TARGET_KPIS.has(`${name}_s`) ? `${name}_s` : nearest(name, names)
  return badValue(
    path,
    `${name} is no KPI with a target; ${meant === undefined ? `write one of ${names.join(', ')}` : `did you mean ${meant}?`}`,
  )
}

function badValue(path: ConfigPath, problem: string): Mistake {
  return { code: 'TRUNKSCOPE_CONFIG_BAD_VALUE', path, problem }
}
