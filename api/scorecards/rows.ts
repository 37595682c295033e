/**
 * The rows of a scorecard: KPIs of the catalog, and what a week is asked for besides. Each is a number of one set of sums,
 * with its doubt; formulas and versions stand beside them and go into the appendix.
 *
 * Takes    sums of the rollups.
 * Returns  a number with its counts and, where there is one, its 95 % interval (Wilson for ratios; for quantiles the values at
 *          the ranks around it, widened by the error of the histogram). Undefined numbers are null with a reason, never 0.
 * Throws   nothing.
 * Source   metrics.md §9 (rows), §§2 to 4 and 8 (what they mean).
 */
import type { CancelClass } from '../../schemas/attempt.js'
import { CANCEL_CLASS_RULES, cancelClassFormula } from '../../schemas/cancel-classes.js'
import { bucketDelayMs } from '../../schemas/delay-histogram.js'
import type { QuantileKpi } from '../../schemas/kpi/kpi.js'
import { kpiOf, LOW_CONFIDENCE_BELOW } from '../../schemas/kpi-catalog.js'
import { type Better, betterOf } from '../../schemas/targets.js'
import { kpiValueOf, type REASONS_FOR_NULL } from '../kpi/answer.js'
import { quantileRanks, rounded, wilsonInterval } from '../kpi/interval.js'
import { anyAttempts, countOf, histogramOf, mapOf, type Sums } from '../kpi/sums.js'

/** The most by which a histogram's answer is off (schemas/delay-histogram.ts). */
const HISTOGRAM_ERROR_RATIO = 0.015

export type Unit = 'count' | 'minutes' | 'ratio' | 's'

export interface Measured {
  value: number | null
  numerator?: number
  denominator?: number
  excluded?: number
  /** Measurements behind a delay or duration. */
  count?: number
  interval: [low: number, high: number] | null
  lowConfidence: boolean
  reason?: (typeof REASONS_FOR_NULL)[number]
}

export interface RowDefinition {
  id: string
  name: string
  unit: Unit
  /** Which way is good; null: neither. */
  better: Better | null
  formula: string
  source: string
  version: number
  /** Fewest observations for a value. */
  floor: number
  of: (sums: Sums) => Measured
}

const silent = (sums: Sums) => (anyAttempts(sums) === 0 ? ('no_traffic' as const) : ('no_attempts' as const))

function catalogRow(id: string, name?: string): RowDefinition {
  const kpi = kpiOf(id)
  if (kpi === undefined) throw new Error(`${id} is not in the catalog`)
  return {
    id,
    name: name ?? kpi.name,
    unit: kpi.unit,
    better: betterOf(kpi.id),
    formula: kpi.description,
    source: kpi.source,
    version: kpi.version,
    floor: kpi.floor,
    of: (sums) => {
      const { value, reason, ...more } = kpiValueOf(kpi, sums)
      const why = reason === undefined ? {} : { reason }
      if (more.unit === 's') {
        const interval = kpi.kind === 'quantile' && value !== null ? quantileInterval(kpi, sums) : null
        return { value, count: more.count, interval, lowConfidence: false, ...why }
      }
      const { numerator, denominator, excluded } = more
      const interval = more.interval as [number, number] | null
      return {
        value,
        numerator,
        denominator,
        excluded,
        interval,
        lowConfidence: more.low_confidence === true,
        ...why,
      }
    },
  }
}

/** Seconds. */
function quantileInterval(kpi: QuantileKpi, sums: Sums): [number, number] {
  const [low, high] = quantileRanks(kpi.p, countOf(sums, 'pdd_count'))
  const buckets = [...histogramOf(sums)].sort(([a], [b]) => a - b)
  const atRank = (rank: number) => {
    let left = rank
    for (const [bucket, count] of buckets) {
      left -= count
      if (left <= 0) return bucketDelayMs(bucket)
    }
    return bucketDelayMs(buckets.at(-1)?.[0] ?? 0)
  }
  return [
    (atRank(low) / 1_000) * (1 - HISTOGRAM_ERROR_RATIO),
    (atRank(high) / 1_000) * (1 + HISTOGRAM_ERROR_RATIO),
  ]
}

const ours = { source: 'metrics.md §9', version: 1 } as const

function shareRow(
  id: string,
  name: string,
  formula: string,
  better: Better,
  part: (sums: Sums) => number,
  whole = (sums: Sums) => countOf(sums, 'attempts'),
): RowDefinition {
  return {
    ...ours,
    id,
    name,
    unit: 'ratio',
    better,
    formula,
    floor: 1,
    of: (sums) => ratioOf(part(sums), whole(sums), silent(sums)),
  }
}

export function ratioOf(
  numerator: number,
  denominator: number,
  reason: Measured['reason'] = 'no_attempts',
): Measured {
  const interval = wilsonInterval(numerator, denominator)
  return {
    value: denominator === 0 ? null : numerator / denominator,
    numerator,
    denominator,
    excluded: 0,
    interval: interval === null ? null : [rounded(interval[0]), rounded(interval[1])],
    lowConfidence: denominator > 0 && denominator < LOW_CONFIDENCE_BELOW,
    ...(denominator === 0 && reason !== undefined ? { reason } : {}),
  }
}

/** As /v1/cancels has it; here from the rollups, which count each class as it is judged. */
function cancelRow(cancelClass: CancelClass): RowDefinition {
  const { id, name, source, version, fault } = CANCEL_CLASS_RULES[cancelClass]
  return {
    id,
    name,
    unit: 'ratio',
    better: fault === 'none' ? null : 'lower',
    formula: cancelClassFormula(cancelClass),
    source,
    version,
    floor: 1,
    of: (sums) => {
      const { [cancelClass]: given = 0, ELSEWHERE: elsewhere = 0 } = mapOf(sums, 'cancels')
      const excluded = cancelClass === 'ELSEWHERE' ? 0 : elsewhere
      return { ...ratioOf(given, countOf(sums, 'attempts') - excluded, silent(sums)), excluded }
    },
  }
}

function totalRow(
  id: string,
  name: string,
  unit: 'count' | 'minutes',
  formula: string,
  of: (sums: Sums) => number,
): RowDefinition {
  const measured = (sums: Sums): Measured => ({ value: of(sums), interval: null, lowConfidence: false })
  const nothing: Measured = { value: null, interval: null, lowConfidence: false, reason: 'no_traffic' }
  return {
    ...ours,
    id,
    name,
    unit,
    better: null,
    formula,
    floor: 0,
    of: (sums) => (anyAttempts(sums) === 0 && of(sums) === 0 ? nothing : measured(sums)),
  }
}

const response = (sums: Sums, code: number) => mapOf(sums, 'responses')[code] ?? 0
const disposition = (sums: Sums, name: string) => mapOf(sums, 'dispositions')[name] ?? 0

/** In the order in which they are read. */
export const ROWS: readonly RowDefinition[] = [
  totalRow(
    'attempts',
    'Attempts',
    'count',
    'Attempts that have ended, by the minute of their INVITE.',
    (sums) => countOf(sums, 'attempts'),
  ),
  totalRow(
    'minutes_of_use',
    'Minutes of use',
    'minutes',
    'Sum of the durations of answered calls (SDT) / 60 s, by the minute the call ended; no billing rounding.',
    (sums) => countOf(sums, 'acd_sum_ms') / 60_000,
  ),
  catalogRow('asr', 'ASR (= SER)'),
  catalogRow('ner', 'NER'),
  catalogRow('seer', 'SEER'),
  catalogRow('isa', 'ISA'),
  catalogRow('availability'),
  catalogRow('acd', 'ACD'),
  catalogRow('pdd_p50'),
  catalogRow('pdd_p95'),
  catalogRow('progress'),
  catalogRow('pre_ring_487_rate', '487 before anything rang'),
  catalogRow('abandon_rate', 'Abandoned while ringing'),
  catalogRow('rate_487', '487s'),
  cancelRow('PRE_RING_CANCEL'),
  cancelRow('ROUTE_ADVANCE'),
  cancelRow('487_NO_CANCEL'),
  cancelRow('CALLER_ABANDON_RING'),
  cancelRow('RING_TIMER'),
  cancelRow('ELSEWHERE'),
  catalogRow('short_call_rate', 'Short calls (6 s or less)'),
  shareRow('rate_503', '503', 'Final 503 / attempts.', 'lower', (sums) => response(sums, 503)),
  shareRow(
    'timeout_rate',
    '408 or no response',
    'Final 408 or disposition TIMEOUT (no response at all in 32 s) / attempts.',
    'lower',
    (sums) => response(sums, 408) + disposition(sums, 'TIMEOUT'),
  ),
  shareRow('blocked_rate', 'Blocked', 'Disposition BLOCKED (603+, 608) / attempts.', 'lower', (sums) =>
    disposition(sums, 'BLOCKED'),
  ),
  shareRow(
    'identity_rate',
    'Identity errors',
    'Disposition IDENTITY (428, 436, 437, 438, 403 Stale Date) / attempts.',
    'lower',
    (sums) => disposition(sums, 'IDENTITY'),
  ),
  catalogRow('attestation_a_rate'),
  catalogRow('attestation_b_rate'),
  catalogRow('attestation_c_rate'),
  catalogRow('attestation_none_rate'),
  shareRow(
    'capture_loss',
    'Capture loss',
    'Incomplete attempts (their end, or their INVITE, was not captured) / attempts in any state.',
    'lower',
    (sums) => countOf(sums, 'incomplete'),
    anyAttempts,
  ),
]

/** What stands in the tables by site, direction, and side by side. */
export const BRIEF_ROWS: readonly string[] = [
  'attempts',
  'asr',
  'ner',
  'acd',
  'pdd_p95',
  'pre_ring_487_rate',
  'rate_503',
]

/** Of a scorecard, or any KPI of the catalog: a contract may name one that is no row. */
export function rowOf(id: string): RowDefinition {
  return ROWS.find((known) => known.id === id) ?? catalogRow(id)
}

/** Rows of metrics.md §9 that need evidence over several attempts. */
export const NOT_MEASURED = [
  {
    id: 'attestation_verified',
    name: 'Failed verification',
    why: 'where certificates are configured (docs/identity.md) it stands on the scorecard of the carrier; the attestation mix is what tokens claim',
  },
] as const

export type Change = 'better' | 'worse' | 'changed' | 'not_significant' | 'no_test'

/** Only intervals that do not overlap are a change (metrics.md §9). Numbers without an interval have no test. */
export function changeOf(row: Pick<RowDefinition, 'better'>, now: Measured, before: Measured): Change {
  if (now.value === null || before.value === null || now.interval === null || before.interval === null)
    return 'no_test'
  const isUp = now.interval[0] > before.interval[1]
  const isDown = now.interval[1] < before.interval[0]
  if (!isUp && !isDown) return 'not_significant'
  if (row.better === null) return 'changed'
  return isUp === (row.better === 'higher') ? 'better' : 'worse'
}
