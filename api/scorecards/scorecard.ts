/**
 * The weekly scorecard: its published shape, and how sums become it. `api/scorecards/read.ts` reads the sums.
 *
 * Takes    sums by week and group, and what was read beside them.
 * Returns  numbers with their doubt, unrounded. A carrier without traffic has `has_traffic: false`, null values with the
 *          reason no_traffic, and the grade NR.
 * Throws   nothing.
 * Source   metrics.md §9.
 */
import { z } from 'zod'
import { REASONS_FOR_NULL } from '../kpi/answer.js'
import { addSums, anyAttempts, countOf, emptySums, mapOf, type Sums } from '../kpi/sums.js'
import { isoOf } from '../time-span.js'
import { BASELINE_WEEKS, GRADES, type Grade, gradeOf } from './grade.js'
import { BRIEF_ROWS, changeOf, type Measured, NOT_MEASURED, ROWS, type RowDefinition, rowOf } from './rows.js'
import { SUSPICION_ROWS, type Suspicions } from './suspicions.js'
import { TREND_WEEKS, trendOf, type Week } from './week.js'

const interval = z.array(z.number()).nullable().describe('95 %: low and high.')
const measured = {
  value: z.number().nullable().describe('Unrounded. Ratios are 0 to 1, delays and durations seconds.'),
  numerator: z.number().optional(),
  denominator: z.number().optional(),
  excluded: z.number().optional().describe('Taken out by the definition: in neither of the two.'),
  count: z.number().optional().describe('Measurements of a delay or duration.'),
  interval,
  low_confidence: z.boolean().describe('A ratio over fewer than 100 attempts.'),
  reason: z.enum(REASONS_FOR_NULL).optional().describe('Why value is null.'),
}
const units = z.enum(['count', 'minutes', 'ratio', 's'])

export const scorecardRow = z.object({
  id: z.string(),
  name: z.string(),
  unit: units,
  better: z.enum(['higher', 'lower']).nullable(),
  version: z.number().describe('Version of the formula.'),
  ...measured,
  previous: z.object(measured).describe('The week before.'),
  difference: z.number().nullable().describe('value - previous.value'),
  change: z
    .enum(['better', 'worse', 'changed', 'not_significant', 'no_test'])
    .describe('A change only where the two intervals do not overlap. no_test: one of them has none.'),
  trend: z.array(z.number().nullable()).describe('One value a week, in the order of trend_weeks.'),
})
const brief = z.object({ id: z.string(), unit: units, ...measured })

const letter = z.enum(GRADES)
export const gradeSchema = z.object({
  grade: z.enum([...GRADES, 'NR']),
  confidence: z.enum(['normal', 'low', 'none']).describe('low: 100 to 399 attempts.'),
  before_deductions: letter.nullable(),
  ner_low: z.number().nullable().describe('Lower 95 % bound of the NER: what the grade goes by.'),
  attempts: z.number(),
  deductions: z.array(
    z.object({
      rule: z.enum(['pdd_p95', 'pre_ring_487_rate', 'fas']),
      status: z.enum(['applied', 'not_applied', 'not_measured']),
      why: z.string(),
    }),
  ),
  why: z.string(),
})

const week = z.object({
  id: z.string(),
  from: z.string(),
  to: z.string().describe('Not part of it.'),
  is_complete: z.boolean().describe('false: the week is not over, or HEP of its end has not come yet.'),
})
const frame = {
  week,
  as_of: z.string().nullable().describe('The highest received-at so far.'),
  trend_weeks: z.array(z.string()),
}
const prefix = z.object({
  prefix: z.string().describe('First digits of the routing number (rn where ported), never a whole number.'),
  attempts: z.number(),
  answered: z.number(),
  ner_attempts: z.number(),
  failures: z.number(),
  excess_failures: z
    .number()
    .describe('failures - ner_attempts x failure ratio of all attempts of the carrier'),
  is_significant: z.boolean(),
})
const whyNot = z.enum(['not_kept', 'too_many_attempts'])

const carrierIdentity = z.object({
  id: z.string(),
  name: z.string(),
  is_configured: z.boolean(),
})

export const scorecard = z
  .object({
    carrier: carrierIdentity,
    ...frame,
    has_traffic: z.boolean(),
    grade: gradeSchema,
    previous_grade: gradeSchema,
    rows: z.array(scorecardRow),
    targets: z.array(
      z.object({
        target: z.string(),
        kpi: z.string(),
        name: z.string(),
        unit: units,
        bound: z.enum(['at_least', 'at_most']),
        promised: z.number(),
        delivered: z.number().nullable(),
        status: z.enum(['met', 'missed', 'not_measured']),
        is_certain: z.boolean().describe('The whole interval lies on that side of the target.'),
        low_confidence: z.boolean(),
      }),
    ),
    groups: z
      .array(z.object({ site: z.string(), direction: z.string(), rows: z.array(brief) }))
      .describe('By site and direction.'),
    destinations: z
      .object({
        prefixes: z.number(),
        without_prefix: z.number(),
        most_attempts: z.array(prefix),
        most_failures: z.array(prefix).describe('By excess failures over the carrier mean.'),
      })
      .nullable(),
    destinations_reason: whyNot.optional(),
    attestations: z
      .record(z.string(), z.number())
      .describe('What the deciding PASSporT claims; not verified.'),
    worst_hours: z.array(
      z.object({
        from: z.string(),
        attempts: z.number(),
        failures: z.number(),
        ner: z.number(),
        excess_failures: z.number(),
        is_significant: z.boolean(),
      }),
    ),
    budgets: z
      .array(
        z.object({
          slo: z.string(),
          name: z.string(),
          site: z.string().nullable(),
          indicator: z.string(),
          objective: z.number(),
          window_from: z.string(),
          window_to: z.string(),
          valid: z.number(),
          bad: z.number(),
          left_ratio: z.number().nullable().describe('1: untouched, 0: spent, below: overspent.'),
          cannot_be_shown: z.boolean(),
        }),
      )
      .describe('Error budgets at the end of the week, over the window of each objective.'),
    counts: z.object({
      attempts: z.number(),
      open: z.number(),
      incomplete: z.number(),
      excluded: z.record(z.string(), z.number()).describe('By KPI: taken out by its definition.'),
    }),
    tap: z
      .object({
        agents: z.number(),
        sip_messages: z.number(),
        refused: z.number(),
        unreadable: z.number(),
        truncated: z.number(),
        identity_seen: z.number(),
        identity_cut: z.number(),
        hours_without_sip: z
          .number()
          .describe('Whole hours of the week, up to as_of, in which no agent sent SIP.'),
      })
      .nullable()
      .describe('Of all agents together; null for a token of some carriers.'),
    not_measured: z.array(z.object({ id: z.string(), name: z.string(), why: z.string() })),
    formulas: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        unit: units,
        formula: z.string(),
        source: z.string(),
        version: z.number(),
        floor: z.number(),
      }),
    ),
  })
  .meta({ title: 'Weekly scorecard' })
export type Scorecard = z.output<typeof scorecard>
export type ScorecardRow = z.output<typeof scorecardRow>

export const scorecards = z
  .object({
    ...frame,
    carriers: z.array(
      z.object({
        carrier: carrierIdentity,
        has_traffic: z.boolean(),
        grade: gradeSchema,
        previous_grade: gradeSchema,
        rows: z.array(scorecardRow),
        incomplete: z.number(),
        open: z.number(),
        shared: z
          .object({
            prefixes: z.number(),
            attempts: z.number(),
            ner: z.number(),
            interval: z.array(z.number()),
            expected_ner: z
              .number()
              .describe('NER if each shared prefix had gone as it went over the other carriers.'),
            is_significant: z.boolean(),
          })
          .nullable()
          .describe('On destination prefixes that others carried too: the only fair comparison.'),
      }),
    ),
    shared_reason: whyNot.optional(),
    unattributed: z.number().describe('Attempts of the week whose far side is nobody in the configuration.'),
    not_measured: scorecard.shape.not_measured,
    formulas: scorecard.shape.formulas,
  })
  .meta({ title: 'Weekly scorecards' })
export type Scorecards = z.output<typeof scorecards>
export type CarrierLine = Scorecards['carriers'][number]

export function frameOf(
  of: Week,
  asOfUs: number,
  nowS: number,
): Pick<Scorecard, 'week' | 'as_of' | 'trend_weeks'> {
  return {
    week: {
      id: of.id,
      from: isoOf(of.fromS * 1e6),
      to: isoOf(of.toS * 1e6),
      is_complete: nowS >= of.toS && asOfUs >= of.toS * 1e6,
    },
    as_of: asOfUs > 0 ? isoOf(asOfUs) : null,
    trend_weeks: trendOf(of).map(({ id }) => id),
  }
}

/** @param weeks thirteen, the oldest first */
export function rowsOf(weeks: readonly Sums[], definitions: readonly RowDefinition[] = ROWS): ScorecardRow[] {
  const [now, before] = [weeks.at(-1) ?? emptySums(), weeks.at(-2) ?? emptySums()]
  return definitions.map((row) => {
    const [value, previous] = [row.of(now), row.of(before)]
    return {
      id: row.id,
      name: row.name,
      unit: row.unit,
      better: row.better,
      version: row.version,
      ...jsonOf(value),
      previous: jsonOf(previous),
      difference: value.value === null || previous.value === null ? null : value.value - previous.value,
      change: changeOf(row, value, previous),
      trend: weeks.map((sums) => row.of(sums).value),
    }
  })
}

export function suspicionRowsOf(weeks: Suspicions): ScorecardRow[] {
  return pairedRowsOf(SUSPICION_ROWS, weeks)
}

/** The week and the one before; nobody asks thirteen weeks of attempts. */
export function pairedRowsOf<OfWeek>(
  definitions: readonly (Omit<RowDefinition, 'of'> & { of: (week: OfWeek) => Measured })[],
  [before, now]: readonly [before: OfWeek, now: OfWeek],
): ScorecardRow[] {
  return definitions.map((row) => {
    const [value, previous] = [row.of(now), row.of(before)]
    return {
      id: row.id,
      name: row.name,
      unit: row.unit,
      better: row.better,
      version: row.version,
      ...jsonOf(value),
      previous: jsonOf(previous),
      difference: value.value === null || previous.value === null ? null : value.value - previous.value,
      change: changeOf(row, value, previous),
      trend: [...Array.from({ length: TREND_WEEKS - 2 }, () => null), previous.value, value.value],
    }
  })
}

export function briefRowsOf(sums: Sums): Scorecard['groups'][number]['rows'] {
  return BRIEF_ROWS.map((id) => {
    const row = rowOf(id)
    return { id, unit: row.unit, ...jsonOf(row.of(sums)) }
  })
}

function jsonOf({ lowConfidence, ...measured }: Measured) {
  return { ...measured, low_confidence: lowConfidence }
}

/** Of the week, and of the one before. */
export function gradesOf(
  weeks: readonly Sums[],
  suspicions?: Suspicions,
): { grade: Grade; previous_grade: Grade } {
  const gradeAt = (at: number) =>
    gradeOf(
      weeks.at(at) ?? emptySums(),
      weeks
        .slice(Math.max(0, weeks.length + at - BASELINE_WEEKS), weeks.length + at)
        .reduce(addSums, emptySums()),
      suspicions?.at(at)?.fas,
    )
  return { grade: gradeAt(-1), previous_grade: gradeAt(-2) }
}

export function countsOf(sums: Sums): Scorecard['counts'] {
  return {
    attempts: countOf(sums, 'attempts'),
    open: countOf(sums, 'open'),
    incomplete: countOf(sums, 'incomplete'),
    excluded: Object.fromEntries(
      ROWS.flatMap(({ id, of }) => {
        const { excluded = 0 } = of(sums)
        return excluded > 0 ? [[id, excluded]] : []
      }),
    ),
  }
}

export function attestationsOf(sums: Sums): Scorecard['attestations'] {
  const levels = mapOf(sums, 'attestations')
  return Object.fromEntries(['A', 'B', 'C', 'none', 'malformed'].map((level) => [level, levels[level] ?? 0]))
}

export function hasTraffic(sums: Sums): boolean {
  return anyAttempts(sums) > 0
}

/** The appendix; rows of the catalog and of the scorecard alike, and the KPIs of targets that are no rows. */
export function appendixOf(
  more: readonly string[] = [],
  beside: readonly Omit<RowDefinition, 'of'>[] = [],
): Pick<Scorecard, 'formulas' | 'not_measured'> {
  const extra = more.filter((id) => !ROWS.some((row) => row.id === id)).map(rowOf)
  return {
    formulas: [...ROWS, ...beside, ...extra].map(({ id, name, unit, formula, source, version, floor }) => ({
      id,
      name,
      unit,
      formula,
      source,
      version,
      floor,
    })),
    not_measured: [...NOT_MEASURED],
  }
}
