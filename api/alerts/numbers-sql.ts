/**
 * The numbers of an evaluation, from the store: rollups for counts, verdicts of `api/tap/`, attempts for a few samples.
 *
 * An evaluation costs a statement (and one for freshness) for all objectives together, the same for each window that rules
 * share, three for the taps, one for the samples of all alerts that begin, and up to four for their peers; of attestation one
 * for each of five weeks and one between the legs, and two of signatures each ten minutes; of trunks those of `/v1/trunks`.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { attestationARate } from '../../schemas/kpi/attestation.js'
import { kpiOf } from '../../schemas/kpi-catalog.js'
import type { LiveStatus } from '../../schemas/live-status.js'
import { LOOPBACK } from '../../schemas/tokens.js'
import { LEVELS } from '../attestation/attestation.js'
import { type PairOfLegs, readBetweenLegs } from '../attestation/between-legs.js'
import { type RouteDeps, seenBy } from '../deps.js'
import { ApiError } from '../errors.js'
import { readKpiGroups } from '../kpi/series.js'
import { mapOf } from '../kpi/sums.js'
import type { LoadedInventory } from '../numbers/inventory.js'
import { type MisroutedCount, readMisroutedCounts } from '../numbers/misrouted.js'
import { readPrefixCounts } from '../peers/peers.js'
import type { PrefixNer } from '../peers/verdict.js'
import type { Readers } from '../readers.js'
import { burnPairs } from '../slo/burn.js'
import { readSloCounts, windowFromS } from '../slo/counts.js'
import { expandSlos } from '../slo/instances.js'
import { readAgents } from '../tap/agents.js'
import { judgeTrunks } from '../trunks/trunks.js'
import type {
  AlertNumbers,
  Cell,
  LevelCell,
  SampleAsk,
  SeenTrunkState,
  Signatures,
  SloBurn,
  TapAgent,
  Window,
} from './numbers.js'
import { readSignatures } from './signatures-sql.js'

const SAMPLES = 3
const MARKS_EVERY_S = 600
const MISROUTED_S = 3_600
/** A long window is not read whole for three attempts: the newest are wanted. */
const SAMPLES_SPAN_S = 21_600

export interface StoreNumbersDeps {
  readers: Readers
  config: TrunkscopeConfig
  live: () => LiveStatus
  nowUs: () => number
  /** The number inventory, where there is one. */
  numbers?: (() => LoadedInventory | undefined) | undefined
}

/** What changes slowly is read at marks of the clock, so that two processes see the same. */
class AtMarks<Read> {
  readonly #read: (markS: number) => Promise<Read>
  #last: { markS: number; answer: Promise<Read> } | undefined

  constructor(read: (markS: number) => Promise<Read>) {
    this.#read = read
  }

  async at(atS: number): Promise<Read | undefined> {
    const markS = Math.floor(atS / MARKS_EVERY_S) * MARKS_EVERY_S
    if (this.#last?.markS !== markS) this.#last = { markS, answer: this.#read(markS) }
    const answer = await readable(() => this.#last!.answer)
    if (answer === undefined) this.#last = undefined
    return answer
  }
}

const ACCESS_DENIED = '497'

/**
 * undefined: more than one statement may read, or a user of before that has no right to these tables (`trunkscope init` gives
 * it). The other rules are judged all the same.
 */
async function readable<Read>(read: () => Promise<Read>): Promise<Read | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_QUERY_LIMIT') return undefined
    if ((error as { code?: unknown }).code === ACCESS_DENIED) return undefined
    throw error
  }
}

export class StoreNumbers implements AlertNumbers {
  readonly #deps: StoreNumbersDeps
  readonly #tapDeps: RouteDeps
  readonly #signatures: AtMarks<Signatures>
  readonly #misrouted: AtMarks<readonly MisroutedCount[]>

  constructor(deps: StoreNumbersDeps) {
    this.#deps = deps
    this.#signatures = new AtMarks((markS) => readSignatures(deps.readers, markS))
    this.#misrouted = new AtMarks((markS) =>
      readMisroutedCounts(deps.readers, deps.numbers?.()?.inventory, {
        fromUs: Math.max(0, markS - MISROUTED_S) * 1e6,
        toUs: markS * 1e6,
      }),
    )
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

  async trunks(): Promise<SeenTrunkState[] | undefined> {
    const seen = seenBy(this.#tapDeps, LOOPBACK)
    // Blind taps hold the alert; what was seen of a trunk before stays what it is.
    const judged = await readable(() => judgeTrunks(seen, () => '', { carrier: [], site: [] }))
    return judged?.trunks.map(
      ({ json: { id, carrier, site, address, seen_state: state, why, last_hour: lastHour } }) => ({
        id,
        carrier,
        site,
        address,
        state,
        why,
        callsOut: lastHour.calls_out,
      }),
    )
  }

  async levels(window: Window): Promise<LevelCell[]> {
    const { readers, config } = this.#deps
    const groups = await readKpiGroups(readers, config, {
      fromUs: window.fromS * 1e6,
      toUs: window.toS * 1e6,
      groupBy: ['carrier', 'site', 'direction'],
      stepS: null,
      kpis: [{ name: attestationARate.id, kpi: attestationARate }],
      where: { carrier: [], site: [], direction: [] },
      exact: false,
    })
    return groups.map(({ by, total }) => {
      const counts = mapOf(total, 'attestations')
      return {
        carrier: by.carrier ?? 'unknown',
        site: by.site ?? 'unknown',
        direction: by.direction ?? 'unknown',
        counts: Object.fromEntries(LEVELS.map((level) => [level, counts[level] ?? 0])) as LevelCell['counts'],
      }
    })
  }

  async betweenLegs(window: Window): Promise<PairOfLegs[] | undefined> {
    const { readers, config, nowUs } = this.#deps
    const span = { fromUs: window.fromS * 1e6, toUs: window.toS * 1e6 }
    const where = { carrier: [], site: [] }
    const pairs = await readable(() => readBetweenLegs(readers, config, span, where, nowUs() / 1e6))
    return typeof pairs === 'string' ? undefined : pairs
  }

  async signatures(atS: number): Promise<Signatures | undefined> {
    return this.#signatures.at(atS)
  }

  async misrouted(atS: number): Promise<readonly MisroutedCount[] | undefined> {
    return this.#misrouted.at(atS)
  }

  async peers(window: Window, sites: readonly string[] | undefined): Promise<PrefixNer[]> {
    const span = { fromUs: window.fromS * 1e6, toUs: window.toS * 1e6 }
    return readPrefixCounts(this.#deps.readers, span, sites)
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
    ['direction', ask.direction, undefined],
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
