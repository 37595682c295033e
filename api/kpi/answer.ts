/**
 * From sums to the numbers of an answer, each with its doubt: counts, interval, floor, version (design.md §3, 4).
 *
 * A value is never rounded: it is its numerator over its denominator. Below its floor a number is null with a reason,
 * never 0 % or 100 %. Quantiles of rollups are within `error_ratio` of the nearest-rank value.
 */
import { z } from 'zod'
import { CANCEL_CLASSES, DISPOSITIONS } from '../../schemas/attempt.js'
import type { Kpi } from '../../schemas/kpi/kpi.js'
import { LOW_CONFIDENCE_BELOW } from '../../schemas/kpi-catalog.js'
import { isoOf } from '../time-span.js'
import { rounded, wilsonInterval } from './interval.js'
import type { AskedKpi, KpiQuery } from './query.js'
import type { KpiGroup } from './series.js'
import { anyAttempts, countOf, mapOf, quantileMs, type Sums } from './sums.js'

/** (γ−1)/(γ+1) of the histogram's γ = 1.03 is 0.0148. */
const HISTOGRAM_ERROR_RATIO = 0.015

export const REASONS_FOR_NULL = ['no_traffic', 'no_attempts', 'insufficient_data'] as const

const reason = z
  .enum(REASONS_FOR_NULL)
  .optional()
  .describe(
    'Why value is null. no_traffic: nothing at all in the range. no_attempts: the denominator is 0, so the number is undefined. ' +
      'insufficient_data: fewer than the floor of the KPI.',
  )

export const ratioValue = z
  .object({
    value: z.number().nullable(),
    unit: z.literal('ratio'),
    numerator: z.number(),
    denominator: z.number(),
    excluded: z.number().describe('Taken out by the definition: in neither of the two.'),
    interval: z
      .array(z.number())
      .nullable()
      .describe('Wilson score interval at 95 %: low and high; null for 0 of 0.'),
    low_confidence: z.literal(true).optional().describe(`The denominator is below ${LOW_CONFIDENCE_BELOW}.`),
    reason,
    version: z.number().describe('Version of the formula.'),
  })
  .meta({ title: 'Ratio' })

export const delayValue = z
  .object({
    value: z.number().nullable().describe('Seconds.'),
    unit: z.literal('s'),
    count: z.number().describe('Measurements.'),
    error_ratio: z
      .number()
      .optional()
      .describe('Quantiles from rollups: the most by which the value differs from the nearest-rank one.'),
    reason,
    version: z.number(),
  })
  .meta({ title: 'Delay or duration' })

export type RatioValue = z.output<typeof ratioValue>
export type DelayValue = z.output<typeof delayValue>
export type KpiValue = RatioValue | DelayValue

const counts = z.record(z.string(), z.number())
const kpis = z.record(z.string(), z.discriminatedUnion('unit', [ratioValue, delayValue]))

export const kpiAnswer = z
  .object({
    from: z.string(),
    to: z.string().describe('Not part of the range.'),
    step_s: z.number().nullable(),
    as_of: z.string().nullable().describe('The highest received-at so far: states are judged at it.'),
    exact: z.boolean().describe('Read from attempts, not from rollups.'),
    groups: z.array(
      z.object({
        by: z.record(z.string(), z.string()),
        attempts: z.number().describe('Closed attempts.'),
        open: z.number().describe('No outcome yet: in no ratio.'),
        incomplete: z.number().describe('The capture lost a part: in no ratio.'),
        kpis,
        responses: counts.describe('Closed attempts by final response.'),
        dispositions: counts.describe(`One each: ${DISPOSITIONS.join(', ')}.`),
        cancels: counts.describe(`Sub-classes: ${CANCEL_CLASSES.join(', ')}.`),
        attestation: counts.describe('What the deciding PASSporT claims: A, B, C, none, malformed.'),
        series: z
          .array(
            z.object({
              t: z.string().describe('Start of the step.'),
              attempts: z.number(),
              open: z.number(),
              incomplete: z.number(),
              kpis,
            }),
          )
          .optional()
          .describe('With step: one entry a step, empty ones included; the last may be cut by `to`.'),
      }),
    ),
  })
  .meta({ title: 'KPIs' })

export type KpiAnswer = z.output<typeof kpiAnswer>
export type KpiAnswerGroup = KpiAnswer['groups'][number]

export function kpiAnswerOf(query: KpiQuery, groups: readonly KpiGroup[], asOfUs: number): KpiAnswer {
  return {
    from: isoOf(query.fromUs),
    to: isoOf(query.toUs),
    step_s: query.stepS,
    as_of: asOfUs > 0 ? isoOf(asOfUs) : null,
    exact: query.exact,
    groups: groups.map((group) => answerGroupOf(query, group)),
  }
}

function answerGroupOf(query: KpiQuery, group: KpiGroup): KpiAnswerGroup {
  const { total } = group
  const attestations = mapOf(total, 'attestations')
  return {
    by: group.by as Record<string, string>,
    attempts: countOf(total, 'attempts'),
    open: countOf(total, 'open'),
    incomplete: countOf(total, 'incomplete'),
    kpis: kpiValuesOf(query.kpis, total),
    responses: mapOf(total, 'responses'),
    dispositions: mapOf(total, 'dispositions'),
    cancels: mapOf(total, 'cancels'),
    attestation: Object.fromEntries(
      ['A', 'B', 'C', 'none', 'malformed'].map((level) => [level, attestations[level] ?? 0]),
    ),
    ...(group.steps === undefined
      ? {}
      : {
          series: group.steps.map((sums, index) => ({
            t: isoOf(query.fromUs + index * (query.stepS ?? 0) * 1e6),
            attempts: countOf(sums, 'attempts'),
            open: countOf(sums, 'open'),
            incomplete: countOf(sums, 'incomplete'),
            kpis: kpiValuesOf(query.kpis, sums),
          })),
        }),
  }
}

export function kpiValuesOf(kpis: readonly AskedKpi[], sums: Sums): Record<string, KpiValue> {
  return Object.fromEntries(kpis.map(({ name, kpi }) => [name, kpiValueOf(kpi, sums)]))
}

export function kpiValueOf(kpi: Kpi, sums: Sums): KpiValue {
  const silent = anyAttempts(sums) === 0 ? 'no_traffic' : undefined
  if (kpi.kind === 'ratio') {
    const numerator = countOf(sums, `${kpi.id}_numerator`)
    const denominator = countOf(sums, `${kpi.id}_denominator`)
    const interval = wilsonInterval(numerator, denominator)
    const why =
      denominator === 0
        ? (silent ?? 'no_attempts')
        : denominator < kpi.floor
          ? 'insufficient_data'
          : undefined
    return {
      value: why === undefined ? numerator / denominator : null,
      unit: kpi.unit,
      numerator,
      denominator,
      excluded: countOf(sums, `${kpi.id}_excluded`),
      interval: interval === null ? null : interval.map(rounded),
      ...(why === undefined && denominator < LOW_CONFIDENCE_BELOW ? { low_confidence: true as const } : {}),
      ...(why === undefined ? {} : { reason: why }),
      version: kpi.version,
    }
  }
  const count = countOf(sums, kpi.kind === 'mean' ? `${kpi.id}_count` : 'pdd_count')
  const valueMs =
    kpi.kind === 'mean'
      ? countOf(sums, `${kpi.id}_sum_ms`) / Math.max(1, count)
      : quantileMs(sums, kpi.id, kpi.p)
  const why = count >= kpi.floor ? undefined : whyTooFew(kpi, count, silent)
  return {
    value: why === undefined && valueMs !== null ? valueMs / 1_000 : null,
    unit: kpi.unit,
    count,
    ...(kpi.kind === 'quantile' && why === undefined && sums.exactMs === undefined
      ? { error_ratio: HISTOGRAM_ERROR_RATIO }
      : {}),
    ...(why === undefined ? {} : { reason: why }),
    version: kpi.version,
  }
}

function whyTooFew(kpi: Kpi, count: number, silent: 'no_traffic' | undefined) {
  if (count > 0) return 'insufficient_data' as const
  return silent ?? (kpi.kind === 'mean' ? ('no_attempts' as const) : ('insufficient_data' as const))
}
