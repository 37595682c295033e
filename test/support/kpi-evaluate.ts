/** Whether an eval or rule line of a .kpi file holds: by the rule, the rollups and the exact SQL. */
import { attemptIdOf } from '../../collector/fold/attempt.js'
import type { Attempt } from '../../schemas/attempt.js'
import { ATTEMPT_COLUMNS, type AttemptRow } from '../../schemas/call-attempts.js'
import { BESIDE } from './kpi-beside.js'
import type { LegsOf } from './kpi-evidence.js'
import type { ScoresOf } from './kpi-fas.js'
import { type Flow, idOf } from './kpi-flow.js'
import type { Evaluation, Where } from './kpi-language.js'
import { codesOfAttempt, type RuleLine, ruleProblems } from './kpi-rules.js'
import { type Group, kpiNumbers, sumOf, type Table } from './kpi-sums.js'
import type { SuspicionsOf } from './kpi-suspicions.js'

/** JSON text whose keys are in order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

export interface Said {
  judged: ReadonlyMap<string, Attempt>
  suspicions: SuspicionsOf
  scores: ScoresOf
  legs: LegsOf
}

/** What of an eval line does not hold, by the rule, the rollups or the exact SQL. */
export function evaluate(
  evaluation: Evaluation,
  flow: Flow,
  said: Said,
  tables: Record<string, Table>,
  startUs: number,
): string[] {
  const { asks, where } = evaluation
  if (asks.kind === 'attempt') {
    // The stored row equals the record of the rules, which was compared before.
    const attempt = attemptAsked(where, flow, said.judged)
    const beside = Object.hasOwn(BESIDE, asks.column) ? BESIDE[asks.column] : undefined
    if (beside === undefined) return attemptProblem(asks.column, asks.expected, attempt)
    if (typeof attempt === 'string') return [attempt]
    const got = beside(attempt, said, (id) => nameOfAttempt(id, flow))
    return got === asks.expected.join(' ') ? [] : [`it is ${got}`]
  }
  if (asks.kind === 'rule') return ruleProblems(asks.rule, (name) => codesOf(asks.rule, name, flow, said))
  return Object.entries(tables).flatMap(([source, table]) => {
    const sums = sumOf(table, (group) => isAsked(group, where, flow.slot, startUs))
    if (asks.kind === 'count') {
      const got = sums.counts[asks.column] ?? 0
      return got === asks.expected ? [] : [`${source}: ${got}`]
    }
    if (asks.kind === 'map') {
      const got = sums.maps[asks.column] ?? {}
      return canonical(got) === canonical(asks.expected) ? [] : [`${source}: ${canonical(got)}`]
    }
    const numbers = kpiNumbers(asks.kpi, sums)
    const tolerance = asks.kpi.kind === 'quantile' && source === 'rollups' ? 0.02 : 0
    return [...asks.expected].flatMap(([word, expected]) =>
      agrees(numbers[word] ?? null, expected, tolerance)
        ? []
        : [`${source}: ${word} ${String(numbers[word])}`],
    )
  })
}

function codesOf({ family }: RuleLine, name: string, flow: Flow, said: Said): readonly string[] | string {
  if (family === 'score') {
    const isCarrier = flow.file.loads.some(({ party, owner }) => party === 'carrier' && owner === name)
    return isCarrier ? [...(said.scores.get(idOf(name, flow.slot)) ?? [])] : 'no load is of that carrier'
  }
  if (family === 'suspicion' && !flow.file.withEvidence)
    return 'suspicions are looked for with: set evidence=on'
  const attempt = attemptAsked({ attempt: name }, flow, said.judged)
  if (typeof attempt === 'string') return attempt
  return codesOfAttempt(attempt, family, said.suspicions.get(attempt.attemptId) ?? [])
}

function isAsked(group: Group, where: Where, slot: number, startUs: number): boolean {
  const atUs = group.minuteS * 1_000_000 - startUs
  const id = (name: string | undefined) => (name === undefined ? undefined : idOf(name, slot))
  const is = (wanted: string | undefined, name: string) => wanted === undefined || wanted === name
  return (
    group.site.endsWith(`-${slot}`) &&
    is(id(where.carrier), group.carrier) &&
    is(where.customer === undefined ? undefined : 'customer', group.party) &&
    is(id(where.site), group.site) &&
    is(where.direction, group.direction) &&
    (where.windowUs === undefined || (atUs >= where.windowUs[0] && atUs < where.windowUs[1]))
  )
}

/** A written number holds as far as it is written: 0.4444 is 4/9. */
function agrees(got: KpiValue, expected: string, tolerance: number): boolean {
  if (got === null || expected === 'null') return got === null && expected === 'null'
  if (typeof got === 'string') return got === expected
  if (typeof got !== 'number') {
    const [low, high] = expected.split('..')
    return high !== undefined && agrees(got[0], low as string, 0) && agrees(got[1], high, 0)
  }
  const decimals = expected.split('.')[1]?.length ?? 0
  return Math.abs(got - Number(expected)) <= 0.5 * 10 ** -decimals + 1e-12 + tolerance * Math.abs(got)
}
type KpiValue = number | string | null | [number, number]

function attemptAsked(where: Where, flow: Flow, attempts: ReadonlyMap<string, Attempt>): Attempt | string {
  const asked = flow.attempts.filter(
    ({ load, name }) =>
      name === where.attempt &&
      (where.carrier === undefined || (load.party === 'carrier' && load.owner === where.carrier)) &&
      (where.customer === undefined || (load.party === 'customer' && load.owner === where.customer)) &&
      (where.site ?? load.site) === load.site &&
      (where.direction ?? load.direction) === load.direction,
  )
  const ids = [...new Set(asked.map(({ key }) => attemptIdOf(key)))]
  if (ids.length !== 1) {
    return ids.length === 0
      ? 'no load has an attempt of that name'
      : 'several loads have it: say which with carrier= or site='
  }
  return attempts.get(ids[0] as string) ?? 'nothing of it was seen'
}

function nameOfAttempt(id: string, flow: Flow): string {
  return flow.attempts.find(({ key }) => attemptIdOf(key) === id)?.name ?? id
}

function attemptProblem(name: string, expected: string[], attempt: Attempt | string): string[] {
  if (typeof attempt === 'string') return [attempt]
  const column = ATTEMPT_COLUMNS.find((candidate) => candidate.name === name)
  const value = column?.of({ attempt } as AttemptRow)
  const got = Array.isArray(value)
    ? [...value].sort().join(' ') || 'none'
    : value === ''
      ? 'none'
      : name.endsWith('minute')
        ? new Date(Number(value) * 1_000).toISOString()
        : String(value)
  const wanted = Array.isArray(value) ? [...expected].sort().join(' ') : expected.join(' ')
  return got === wanted ? [] : [`it is ${got}`]
}
