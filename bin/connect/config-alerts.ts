/**
 * What makes no sense under `alerts` of a configuration: numbers, sinks, carriers and sites that do not exist, rules named
 * twice, and windows that no number could fill. Looks at the data as written; what has the wrong shape is passed over here.
 */
import { KPI_NAMES, kpiOf } from '../../schemas/kpi-catalog.js'
import { type Mistake, valueAt } from './config-shape.js'
import { type ConfigPath, pathText } from './config-text.js'
import { nearest } from './nearest.js'

export function alertMistakes(data: unknown): Mistake[] {
  const sinks = idsOf(data, 'sinks')
  const rules = blocksOf(data, ['alerts', 'rules'])
  return [
    ...unknownNames(data, ['alerts', 'sinks', 'page'], sinks, SINK),
    ...unknownNames(data, ['alerts', 'sinks', 'ticket'], sinks, SINK),
    ...repeatedRules(rules),
    ...rules.flatMap(({ path, block }) => [
      ...unknownKpi(path, block.kpi),
      ...unknownNames(data, [...path, 'sinks'], sinks, SINK),
      ...unknownNames(data, [...path, 'carriers'], idsOf(data, 'carriers'), CARRIER),
      ...unknownNames(data, [...path, 'sites'], idsOf(data, 'sites'), SITE),
      ...impossible(path, block),
    ]),
  ]
}

interface Block {
  path: ConfigPath
  block: Record<string, unknown>
}

function blocksOf(data: unknown, path: ConfigPath): Block[] {
  const list = valueAt(data, path)
  if (!Array.isArray(list)) return []
  return list.flatMap((block: unknown, index) =>
    typeof block === 'object' && block !== null
      ? [{ path: [...path, index], block: block as Record<string, unknown> }]
      : [],
  )
}

function idsOf(data: unknown, key: string): string[] {
  return blocksOf(data, [key]).flatMap(({ block: { id } }) => (typeof id === 'string' ? [id] : []))
}

interface Named {
  code: Mistake['code']
  what: string
  list: string
}
const SINK: Named = { code: 'TRUNKSCOPE_CONFIG_BAD_VALUE', what: 'sink', list: 'sinks' }
const CARRIER: Named = { code: 'TRUNKSCOPE_CONFIG_UNKNOWN_CARRIER', what: 'carrier', list: 'carriers' }
const SITE: Named = { code: 'TRUNKSCOPE_CONFIG_UNKNOWN_SITE', what: 'site', list: 'sites' }

function unknownNames(
  data: unknown,
  path: ConfigPath,
  known: readonly string[],
  { code, what, list }: Named,
): Mistake[] {
  const names = valueAt(data, path)
  if (!Array.isArray(names)) return []
  return names.flatMap((name: unknown, index) => {
    if (typeof name !== 'string' || known.includes(name)) return []
    return [
      { code, path: [...path, index], problem: `no ${what} has the id ${name}; ${fixOf(name, known, list)}` },
    ]
  })
}

function fixOf(name: string, known: readonly string[], list: string): string {
  const meant = nearest(name, known)
  if (meant !== undefined) return `did you mean ${meant}?`
  return known.length === 0
    ? `add it under ${list}`
    : `write one of ${known.join(', ')}, or add it under ${list}`
}

function unknownKpi(path: ConfigPath, kpi: unknown): Mistake[] {
  if (typeof kpi !== 'string' || kpi === ATTEMPTS || kpiOf(kpi) !== undefined) return []
  const meant = nearest(kpi, [...KPI_NAMES, ATTEMPTS])
  return [
    {
      code: 'TRUNKSCOPE_CONFIG_BAD_VALUE',
      path: [...path, 'kpi'],
      problem: `${kpi} is not in the catalog; ${meant === undefined ? `there are ${ATTEMPTS} and ${KPI_NAMES.join(', ')}` : `did you mean ${meant}?`}`,
    },
  ]
}

function repeatedRules(rules: readonly Block[]): Mistake[] {
  const seen = new Map<unknown, ConfigPath>()
  return rules.flatMap(({ path, block: { id } }) => {
    const first = seen.get(id)
    if (typeof id !== 'string') return []
    if (first === undefined) {
      seen.set(id, path)
      return []
    }
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_DUPLICATE' as const,
        path: [...path, 'id'],
        problem: `${id} is already the id of ${pathText(first)}; an alert is known by the id of its rule, so rename one`,
      },
    ]
  })
}

/** How many there were: neither a ratio nor a time. */
const ATTEMPTS = 'attempts'

const WEEK_MINUTES = 7 * 1_440

/** Rules that could never fire, or that compare a thing with itself. */
function impossible(path: ConfigPath, rule: Record<string, unknown>): Mistake[] {
  const bad = (key: string, problem: string): Mistake => ({
    code: 'TRUNKSCOPE_CONFIG_BAD_VALUE',
    path: [...path, key],
    problem,
  })
  const kpi = typeof rule.kpi === 'string' ? kpiOf(rule.kpi) : undefined
  const compare = rule.compare ?? 'level'
  if (rule.kpi === ATTEMPTS) return impossibleAttempts(bad, rule, compare)
  const found: Mistake[] = []
  for (const side of ['above', 'below'] as const) {
    const limit = rule[side]
    if (typeof limit !== 'number') continue
    if (compare !== 'level' && limit < 0) {
      found.push(bad(side, `is a distance with compare: ${compare}; write a number of 0 or more`))
    } else if (kpi?.unit === 'ratio' && (side === 'above' ? limit >= 1 : limit <= 0) && compare === 'level') {
      found.push(
        bad(
          side,
          `can never be: ${rule.kpi} is a ratio from 0 to 1; write for example ${side === 'above' ? 0.1 : 0.9}`,
        ),
      )
    } else if (kpi?.unit === 'ratio' && limit > 1) {
      found.push(bad(side, `can never be: ${rule.kpi} is a ratio from 0 to 1; write 0.05 for five points`))
    } else if (kpi?.unit === 's' && compare === 'level' && limit <= 0) {
      found.push(bad(side, `is no time; write seconds, for example 4`))
    }
  }
  if (compare === 'peers' && (rule.each === 'site' || rule.each === 'platform')) {
    found.push(bad('each', `has no other carriers to compare with; write carrier or carrier_site`))
  }
  return [...found, ...impossibleWeeks(bad, rule, compare)]
}

type Bad = (key: string, problem: string) => Mistake

function impossibleWeeks(bad: Bad, rule: Record<string, unknown>, compare: unknown): Mistake[] {
  const found: Mistake[] = []
  if (compare !== 'past_weeks' && rule.weeks !== undefined) {
    found.push(bad('weeks', 'belongs to compare: past_weeks; remove it, or write compare: past_weeks'))
  }
  if (
    compare === 'past_weeks' &&
    typeof rule.window_minutes === 'number' &&
    rule.window_minutes >= WEEK_MINUTES / 7
  ) {
    found.push(bad('window_minutes', 'is a day or more: that is no hour of the week; write at most 1439'))
  }
  return found
}

function impossibleAttempts(bad: Bad, rule: Record<string, unknown>, compare: unknown): Mistake[] {
  const { above, below } = rule
  const found: Mistake[] = []
  if (above !== undefined) found.push(bad('above', 'is not asked of attempts; write below'))
  if (compare === 'peers')
    found.push(bad('compare', 'says nothing of attempts: carriers differ in size; write level or past_weeks'))
  if (typeof below === 'number' && compare === 'past_weeks' && (below <= 0 || below >= 1))
    found.push(bad('below', 'is a share of what past weeks let expect; write for example 0.2'))
  if (typeof below === 'number' && compare === 'level' && below < 1)
    found.push(bad('below', 'can never be: there are no fewer than 0 attempts; write 1 or more'))
  return [...found, ...impossibleWeeks(bad, rule, compare)]
}
