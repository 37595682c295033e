/**
 * Reads what a scorecard is made of: thirteen weeks of sums, the hours of the week, destinations from the attempts, budgets
 * and the tap. About ten statements for one carrier, three for all of them side by side, however long the weeks are.
 *
 * Takes    what the principal may see, and a week.
 * Throws   ApiError: a carrier that is neither configured nor stored, or what the readers throw.
 */

import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { ALL_KPIS } from '../kpi/query.js'
import { type KpiGroup, readKpiGroups } from '../kpi/series.js'
import { addSums, anyAttempts, emptySums, type Sums } from '../kpi/sums.js'
import type { SeenSlos } from '../slo/seen-slos.js'
import { readSloStates } from '../slo/slo-state.js'
import { isoOf, shown } from '../time-span.js'
import { readDestinations, readSharedPrefixes } from './destinations.js'
import { BASELINE_WEEKS } from './grade.js'
import { worstHours } from './hours.js'
import { NOT_MEASURED, type RowDefinition, rowOf } from './rows.js'
import {
  appendixOf,
  attestationsOf,
  briefRowsOf,
  type CarrierLine,
  countsOf,
  frameOf,
  gradesOf,
  hasTraffic,
  pairedRowsOf,
  rowsOf,
  type Scorecard,
  type Scorecards,
  suspicionRowsOf,
} from './scorecard.js'
import { readSignatureWeeks, type SignatureRow, signatureRowsFor } from './signature-rows.js'
import { NO_SUSPICIONS, readSuspicionWeeks, SUSPICION_ROWS, type Suspicions } from './suspicions.js'
import { targetResults } from './targets.js'
import { trendOf, WEEK_S, type Week } from './week.js'

type Dimensions = Parameters<typeof readKpiGroups>[2]['groupBy']

export async function readScorecard(
  deps: SeenDeps,
  slos: SeenSlos,
  id: string,
  week: Week,
): Promise<Scorecard> {
  const nowS = Math.floor(deps.nowUs() / 1e6)
  if (id === 'unknown') throw noSuchCarrier(id)
  const groups = await readWeeks(deps, week, ['site', 'direction'], { carrier: id })
  const weeks = weeksOf(groups)
  const now = weeks.at(-1) ?? emptySums()
  const [hours, destinations, budgets, tap, suspicions, signatures] = await Promise.all([
    readHours(deps, week, id),
    readDestinations(deps.readers, deps.config, id, week, nowS),
    readBudgets(deps, slos, id, week, nowS),
    readTap(deps, week),
    readSuspicionWeeks(deps, week, nowS),
    readSignatureWeeks(deps, id, week, nowS),
  ])
  const signatureRows = typeof signatures === 'object' ? signatureRowsFor(deps, id) : []
  const configured = deps.config.carriers.find((carrier) => carrier.id === id)
  const targets = targetResults(configured?.targets, now)
  return {
    carrier: { id, name: configured?.name ?? id, is_configured: configured !== undefined },
    ...frameOf(week, deps.live().asOfUs, nowS),
    has_traffic: hasTraffic(now),
    ...gradesOf(weeks, suspicionsOf(suspicions, id)),
    rows: [
      ...rowsOf(weeks),
      ...rowsOfSuspicions(suspicions, id),
      ...(typeof signatures === 'object' ? pairedRowsOf(signatureRows, signatures) : []),
    ],
    targets,
    groups: groups.flatMap(({ by, steps }) => {
      const sums = steps?.at(-1) ?? emptySums()
      return hasTraffic(sums)
        ? [{ site: by.site ?? 'unknown', direction: by.direction ?? 'unknown', rows: briefRowsOf(sums) }]
        : []
    }),
    ...(typeof destinations === 'string'
      ? { destinations: null, destinations_reason: destinations }
      : { destinations }),
    attestations: attestationsOf(now),
    worst_hours: worstHours(hours, week.fromS),
    budgets,
    counts: countsOf(now),
    tap,
    ...withSignatures(
      appendixWith(
        suspicions,
        targets.map(({ kpi }) => kpi),
      ),
      signatureRows,
    ),
  }
}

export async function readScorecards(deps: SeenDeps, week: Week): Promise<Scorecards> {
  const nowS = Math.floor(deps.nowUs() / 1e6)
  const [groups, shared, suspicions] = await Promise.all([
    readWeeks(deps, week, ['carrier']),
    readSharedPrefixes(deps.readers, deps.config, week, nowS),
    readSuspicionWeeks(deps, week, nowS),
  ])
  return {
    ...sideBySide(deps, week, groups, suspicions, (id, weeks) =>
      lineOf(deps, id, weeks, {
        suspicions,
        shared: typeof shared === 'string' ? null : (shared.get(id) ?? null),
      }),
    ),
    ...(typeof shared === 'string' ? { shared_reason: shared } : {}),
  }
}

/** Rows of the list. They, and the grades, need none of the maps that it does not read. */
export const LIST_ROWS = [
  'attempts',
  'asr',
  'ner',
  'acd',
  'pdd_p95',
  'pre_ring_487_rate',
  'rate_503',
] as const
const NOT_IN_LIST = ['dispositions', 'cancels', 'attestations'] as const

/** The same for a list on a screen: grades and a few rows, without trends and shared destinations. */
export async function readScorecardList(deps: SeenDeps, week: Week): Promise<Scorecards> {
  const nowS = Math.floor(deps.nowUs() / 1e6)
  const [groups, suspicions] = await Promise.all([
    // What the two grades need.
    readWeeks(deps, week, ['carrier'], { weeks: BASELINE_WEEKS + 2, without: NOT_IN_LIST }),
    readSuspicionWeeks(deps, week, nowS),
  ])
  const rows = LIST_ROWS.map(rowOf)
  return sideBySide(deps, week, groups, suspicions, (id, weeks) =>
    lineOf(deps, id, weeks, { suspicions, shared: null, rows }),
  )
}

function sideBySide(
  deps: SeenDeps,
  week: Week,
  groups: readonly KpiGroup[],
  suspicions: SuspicionWeeks,
  line: (id: string, weeks: readonly Sums[]) => CarrierLine,
): Scorecards {
  const nobody = groups.find(({ by }) => by.carrier === 'unknown')
  return {
    ...frameOf(week, deps.live().asOfUs, Math.floor(deps.nowUs() / 1e6)),
    carriers: groups
      .filter(({ by }) => by.carrier !== 'unknown')
      .map((group) => line(group.by.carrier ?? '', weeksOf([group]))),
    unattributed: anyAttempts(nobody?.steps?.at(-1) ?? emptySums()),
    ...appendixWith(suspicions),
  }
}

function lineOf(
  { config }: SeenDeps,
  id: string,
  weeks: readonly Sums[],
  {
    suspicions,
    shared,
    rows,
  }: { suspicions: SuspicionWeeks; shared: CarrierLine['shared']; rows?: readonly RowDefinition[] },
): CarrierLine {
  const configured = config.carriers.find((carrier) => carrier.id === id)
  const now = weeks.at(-1) ?? emptySums()
  const { open, incomplete } = countsOf(now)
  return {
    carrier: { id, name: configured?.name ?? id, is_configured: configured !== undefined },
    has_traffic: hasTraffic(now),
    ...gradesOf(weeks, suspicionsOf(suspicions, id)),
    rows: [...rowsOf(weeks, rows), ...rowsOfSuspicions(suspicions, id)],
    open,
    incomplete,
    shared,
  }
}

type SuspicionWeeks = Awaited<ReturnType<typeof readSuspicionWeeks>>

/** undefined: they could not be read. */
function suspicionsOf(weeks: SuspicionWeeks, id: string): Suspicions | undefined {
  return typeof weeks === 'string' ? undefined : (weeks.get(id) ?? NO_SUSPICIONS)
}

function rowsOfSuspicions(weeks: SuspicionWeeks, id: string): Scorecard['rows'] {
  const found = suspicionsOf(weeks, id)
  return found === undefined ? [] : suspicionRowsOf(found)
}

const WHY_NOT_READ = {
  not_kept: 'attempts of this week are not kept any more',
  too_many_attempts: 'the week has more attempts than one answer can read',
} as const

/** Rows that could not be read stand among what is not measured. */
function appendixWith(weeks: SuspicionWeeks, more: readonly string[] = []): ReturnType<typeof appendixOf> {
  if (typeof weeks !== 'string') return appendixOf(more, SUSPICION_ROWS)
  const missing = SUSPICION_ROWS.map(({ id, name }) => ({ id, name, why: WHY_NOT_READ[weeks] }))
  return { ...appendixOf(more), not_measured: [...missing, ...NOT_MEASURED] }
}

/** What is measured on this scorecard is not among what is not. */
function withSignatures(
  appendix: ReturnType<typeof appendixOf>,
  rows: readonly SignatureRow[],
): ReturnType<typeof appendixOf> {
  if (rows.length === 0) return appendix
  const formulas = rows.map(({ of: _, better: __, ...formula }) => formula)
  return {
    formulas: [...appendix.formulas, ...formulas],
    not_measured: appendix.not_measured.filter(({ id }) => id !== 'attestation_verified'),
  }
}

/** Thirteen weeks or so many, the oldest first. */
async function readWeeks(
  { readers, config }: SeenDeps,
  week: Week,
  groupBy: Dimensions,
  { carrier, weeks, without = [] }: { carrier?: string; weeks?: number; without?: readonly string[] } = {},
): Promise<KpiGroup[]> {
  return readKpiGroups(readers, config, {
    fromUs: trendOf(week).slice(weeks === undefined ? 0 : -weeks)[0]!.fromS * 1e6,
    toUs: week.toS * 1e6,
    groupBy,
    stepS: WEEK_S,
    kpis: ALL_KPIS,
    without,
    where: { carrier: carrier === undefined ? [] : [carrier], site: [], direction: [] },
    exact: false,
  }).catch((error: unknown) => {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_UNKNOWN_CARRIER') {
      throw noSuchCarrier(carrier ?? '')
    }
    throw error
  })
}

function noSuchCarrier(id: string): ApiError {
  return new ApiError(
    'TRUNKSCOPE_API_NO_SUCH_CARRIER',
    `${shown(id)} is neither configured nor stored; /v1/scorecards lists the carriers`,
  )
}

function weeksOf(groups: readonly KpiGroup[]): Sums[] {
  const weeks = groups[0]?.steps?.length ?? 0
  return Array.from({ length: weeks }, (_, at) =>
    groups.reduce((sums, { steps }) => addSums(sums, steps?.[at] ?? emptySums()), emptySums()),
  )
}

async function readHours({ readers, config }: SeenDeps, week: Week, id: string): Promise<Sums[]> {
  const groups = await readKpiGroups(readers, config, {
    fromUs: week.fromS * 1e6,
    toUs: week.toS * 1e6,
    groupBy: [],
    stepS: 3_600,
    kpis: ALL_KPIS.filter(({ name }) => name === 'ner'),
    where: { carrier: [id], site: [], direction: [] },
    exact: false,
  })
  return groups[0]?.steps ?? []
}

/** At the end of the week, or now while it runs. */
async function readBudgets(
  { nowUs }: SeenDeps,
  slos: SeenSlos,
  id: string,
  week: Week,
  nowS: number,
): Promise<Scorecard['budgets']> {
  const instances = slos.instances.filter(({ labels }) => labels.carrier === id)
  if (instances.length === 0) return []
  const atS = Math.min(week.toS, Math.floor(nowUs() / 60e6) * 60, nowS)
  const states = await readSloStates(slos.readers, slos.config, atS, { instances })
  return states.flatMap(({ instance: { slo, labels }, windows, budget }) => {
    const whole = windows.at(-1)
    if (whole === undefined) return []
    return [
      {
        slo: slo.id,
        name: slo.name ?? slo.id,
        site: labels.site ?? null,
        indicator: slo.indicator,
        objective: slo.objective,
        window_from: isoOf(whole.fromS * 1e6),
        window_to: isoOf(whole.toS * 1e6),
        valid: whole.valid,
        bad: whole.bad,
        left_ratio: budget.leftRatio,
        cannot_be_shown: budget.cannotBeShown,
      },
    ]
  })
}

/** What the tap itself says of the week. Agents are of no carrier. */
async function readTap(deps: SeenDeps, week: Week): Promise<Scorecard['tap']> {
  if (deps.principal.carriers !== 'all') return null
  const toS = Math.min(week.toS, Math.floor(deps.live().asOfUs / 3_600e6) * 3_600)
  const [row] = await deps.readers.select<Record<string, string>>(
    `SELECT uniq(agent) AS agents, sum(sip_messages) AS sip, sum(refused) AS refused, sum(unreadable) AS unreadable,
       sum(truncated) AS truncated, sum(identity_seen) AS identity_seen, sum(identity_cut) AS identity_cut,
       uniqExactIf(toStartOfHour(minute), sip_messages > 0 AND minute < toDateTime({hours_to_s:UInt32}, 'UTC')) AS hours
     FROM agents_minute FINAL
     WHERE minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`,
    { from_s: week.fromS, to_s: week.toS, hours_to_s: Math.max(week.fromS, toS) },
  )
  const of = (name: string) => Number(row?.[name] ?? 0)
  return {
    agents: of('agents'),
    sip_messages: of('sip'),
    refused: of('refused'),
    unreadable: of('unreadable'),
    truncated: of('truncated'),
    identity_seen: of('identity_seen'),
    identity_cut: of('identity_cut'),
    hours_without_sip: Math.max(0, (toS - week.fromS) / 3_600 - of('hours')),
  }
}
