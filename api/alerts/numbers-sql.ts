/**
 * The numbers of an evaluation, from the store: rollups for counts, verdicts of `api/tap/`, attempts for a few samples.
 *
 * An evaluation costs a statement (and one for freshness) for all objectives together, the same for each window that rules
 * share, three for the taps, and one for the samples of all alerts that begin.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { kpiOf } from '../../schemas/kpi-catalog.js'
import type { LiveStatus } from '../../schemas/live-status.js'
import type { RouteDeps } from '../deps.js'
import { readKpiGroups } from '../kpi/series.js'
import type { Readers } from '../readers.js'
import { burnPairs } from '../slo/burn.js'
import { readSloCounts, windowFromS } from '../slo/counts.js'
import { expandSlos } from '../slo/instances.js'
import { readAgents } from '../tap/agents.js'
import type { AlertNumbers, Cell, SampleAsk, SloBurn, TapAgent, Window } from './numbers.js'

const SAMPLES = 3
/** A long window is not read whole for three attempts: the newest are wanted. */
const SAMPLES_SPAN_S = 21_600

export interface StoreNumbersDeps {
  readers: Readers
  config: TrunkscopeConfig
  live: () => LiveStatus
  nowUs: () => number
}

export class StoreNumbers implements AlertNumbers {
  readonly #deps: StoreNumbersDeps
  readonly #tapDeps: RouteDeps

  constructor(deps: StoreNumbersDeps) {
    this.#deps = deps
    this.#tapDeps = { ...deps, tokens: undefined, demo: false, metrics: async () => '' }
  }

  async cells(window: Window, kpis: readonly string[]): Promise<Cell[]> {
    const { readers, config } = this.#deps
    const groups = await readKpiGroups(readers, config, {
      fromUs: window.fromS * 1e6,
      toUs: window.toS * 1e6,
      groupBy: ['carrier', 'site'],
      stepS: null,
      kpis: kpis.flatMap((name) => {
        const kpi = kpiOf(name)
        return kpi === undefined ? [] : [{ name, kpi }]
      }),
      where: { carrier: [], site: [], direction: [] },
      exact: false,
    })
    return groups.map(({ by, total }) => ({
      carrier: by.carrier ?? 'unknown',
      site: by.site ?? 'unknown',
      sums: total,
    }))
  }

  async slos(atS: number): Promise<SloBurn[]> {
    const { readers, config } = this.#deps
    const instances = expandSlos(config)
    const lengthsS = new Set(
      instances.flatMap(({ slo }) =>
        burnPairs(slo.window_days).flatMap(({ longS, shortS }) => [longS, shortS]),
      ),
    )
    const moments = [...lengthsS].map((windowS) => windowFromS(atS, windowS))
    const counts = await readSloCounts(readers, config, instances, [...moments, atS])
    return instances.map((instance, index) => ({
      instance,
      countOf: (windowS) => ({ windowS, ...counts.between(index, windowFromS(atS, windowS), atS) }),
    }))
  }

  async taps(): Promise<TapAgent[]> {
    const toUs = this.#deps.nowUs()
    const agents = await readAgents(this.#tapDeps, { fromUs: toUs - 60e6, toUs })
    return agents.map(({ agent, site, verdict, why }) => ({ agent, site, verdict, why }))
  }

  async samples(asks: readonly SampleAsk[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const found = new Map<string, string[]>()
    if (asks.length === 0) return found
    const parameters: Record<string, unknown> = {}
    const selects = asks.map((ask, at) => sampleSelect(ask, at, parameters))
    const rows = await this.#deps.readers.select<{ ask: string; attempt_id: string }>(
      selects.join('\nUNION ALL\n'),
      parameters,
    )
    for (const { ask, attempt_id } of rows) {
      const key = asks[Number(ask)]!.key
      found.set(key, [...(found.get(key) ?? []), attempt_id])
    }
    return found
  }
}

/** Text from our own catalog only; every value is a parameter. */
function sampleSelect(ask: SampleAsk, at: number, parameters: Record<string, unknown>): string {
  const name = (what: string) => `${what}_${at}`
  const toS = ask.window.toS
  parameters[name('from')] = Math.max(ask.window.fromS, toS - SAMPLES_SPAN_S)
  parameters[name('to')] = toS
  const minutes = `minute >= toDateTime({${name('from')}:UInt32}, 'UTC') AND minute < toDateTime({${name('to')}:UInt32}, 'UTC')`
  const conditions = [
    "party IN ('carrier', 'unknown')",
    "state = 'closed'",
    partCondition(ask, name, parameters),
  ]
  for (const [column, value, values] of [
    ['carrier', ask.carrier, ask.carriers],
    ['site', ask.site, ask.sites],
  ] as const) {
    const kept = value === undefined ? values : [value]
    if (kept === undefined) continue
    parameters[name(column)] = kept.map((one) => (one === 'unknown' && column === 'site' ? '' : one))
    conditions.push(`${column} IN {${name(column)}:Array(String)}`)
  }
  return `SELECT '${at}' AS ask, lower(hex(attempt_id)) AS attempt_id FROM (
  SELECT attempt_id FROM ${judgedAttempts({ minutes })} WHERE ${conditions.join(' AND ')}
  ORDER BY invited_at_us DESC, attempt_id LIMIT ${SAMPLES})`
}

function partCondition(
  ask: SampleAsk,
  name: (what: string) => string,
  parameters: Record<string, unknown>,
): string {
  const kpi = kpiOf(ask.kpi)
  if (kpi === undefined) return '0'
  if (typeof ask.part === 'string') {
    parameters[name('part')] = ask.part
    return kpi.kind === 'ratio' ? `(${kpi.sql}) = {${name('part')}:String}` : '1'
  }
  const isAbove = 'aboveMs' in ask.part
  parameters[name('limit')] = 'aboveMs' in ask.part ? ask.part.aboveMs : ask.part.belowMs
  const measure = kpi.kind === 'ratio' ? 'pdd_ms' : `(${kpi.sql})`
  return `${measure} ${isAbove ? '>' : '<'} {${name('limit')}:Float64}`
}
