/** How objectives and their state stand in an answer: snake_case, RFC 3339, a sentence beside the numbers. */
import { z } from 'zod'
import type { SloConfig } from '../../schemas/slos.js'
import { isoOf } from '../time-span.js'
import { budgetWords } from './budget-words.js'
import { BAD_MIN, INSUFFICIENT_BELOW, windowName } from './burn.js'
import { INDICATOR_KPI } from './counts.js'
import type { SloState } from './slo-state.js'

export const sloDefinition = z.object({
  id: z.string(),
  name: z.string(),
  indicator: z.enum(['availability', 'pdd']),
  kpi: z.string().describe('The number of the catalog that judges an attempt: its numerator is good.'),
  objective: z.number(),
  window_days: z.number(),
  each: z.enum(['platform', 'carrier', 'site', 'carrier_site']),
  carriers: z.array(z.string()).nullable().describe('null: all.'),
  sites: z.array(z.string()).nullable().describe('null: all.'),
})

const nullable = z.number().nullable()
const taken = z.object({ bad: z.number(), valid: z.number() })

const sloWindow = z.object({
  window: z.string().describe('"1h"; the last is the whole window of the objective.'),
  from: z.string(),
  to: z.string().describe('Not part of it.'),
  bad: z.number(),
  valid: z.number().describe('Good and bad attempts.'),
  burn: nullable.describe('(bad / valid) / (1 − objective); null without valid attempts.'),
  reason: z
    .enum(['no_traffic', 'no_valid', 'maintenance'])
    .optional()
    .describe('Why burn is null. no_valid: attempts, but none good or bad.'),
  bad_ratio_low: nullable.describe('Lower end of the Wilson interval at 95 % of bad / valid.'),
  insufficient_data: z.boolean().describe(`Fewer than ${INSUFFICIENT_BELOW} valid attempts.`),
  taken_out: taken.describe('By maintenance; not in bad and valid.'),
})

const pairAnswer = z.object({
  severity: z.enum(['page', 'ticket']),
  long: z.string(),
  short: z.string(),
  threshold: z.number().describe('Both windows burn at least so fast.'),
  budget_ratio: z.number().describe('Share of the budget that the long window may spend.'),
  fires: z.boolean(),
  held_by: z
    .enum(['no_data', 'long_burn', 'short_burn', 'too_few_bad', 'not_sure'])
    .nullable()
    .describe(
      `What keeps it from firing. too_few_bad: fewer than ${BAD_MIN.page} (page) or ${BAD_MIN.ticket} (ticket) in the long window; ` +
        'not_sure: the Wilson lower bound does not exceed 1 − objective.',
    ),
  insufficient_data: z.boolean().describe('Of the long window. It changes the display, not the decision.'),
  out_of_reach: z.boolean().describe('A total outage does not reach the threshold.'),
  why: z.string(),
})

const budgetAnswer = z.object({
  calls: z.number().describe('Bad attempts the window may have.'),
  calls_spent: z.number(),
  calls_left: z.number(),
  minutes: z.number().describe('Of total outage, without those of maintenance.'),
  minutes_left: nullable,
  left_ratio: nullable.describe('1 untouched, 0 spent, below 0 overspent.'),
  exhausted_in_s: nullable.describe('At the burn of exhaustion_window; 0: it is spent.'),
  exhausted_at: z.string().nullable(),
  exhaustion_window: z.string().nullable(),
  exhaustion_reason: z
    .enum(['no_traffic', 'insufficient_data', 'not_burning', 'outlasts_window'])
    .optional()
    .describe(
      'Why exhausted_in_s is null. outlasts_window: at this burn the window rolls on faster than the budget goes.',
    ),
  shown_from: z.number().describe('Fewest valid attempts that show the objective at 95 % when none is bad.'),
  cannot_be_shown: z.boolean().describe('There are fewer, and the bad ones do not show the opposite.'),
  missed: z.boolean().describe('The bad ones show at 95 % that the objective is missed.'),
  words: z.array(z.string()).describe('The same for a person.'),
})

export const sloState = z
  .object({
    carrier: z.string().optional(),
    site: z.string().optional(),
    at: z.string().describe('End of all windows.'),
    severity: z.enum(['page', 'ticket']).nullable(),
    why: z.string().nullable().describe('Of the pair that fires.'),
    pairs: z.array(pairAnswer),
    windows: z.array(sloWindow),
    budget: budgetAnswer,
    maintenance: z.array(
      z.object({
        from: z.string(),
        to: z.string(),
        reason: z.string(),
        covers: z.enum(['all', 'part']).describe('All that the objective is about here, or some of it.'),
      }),
    ),
    in_maintenance: z.boolean(),
    insufficient_data: z.boolean().describe('Of the whole window.'),
  })
  .meta({ title: 'State of an objective' })

const isoOfS = (seconds: number) => isoOf(seconds * 1e6)

export function sloDefinitionOf(slo: SloConfig): z.output<typeof sloDefinition> {
  return {
    id: slo.id,
    name: slo.name ?? slo.id,
    indicator: slo.indicator,
    kpi: INDICATOR_KPI[slo.indicator],
    objective: slo.objective,
    window_days: slo.window_days,
    each: slo.each,
    carriers: slo.carriers ?? null,
    sites: slo.sites ?? null,
  }
}

export function sloStateOf(state: SloState): z.output<typeof sloState> {
  const { instance, verdict, windows, maintenance, atS } = state
  return {
    ...instance.labels,
    at: isoOfS(atS),
    severity: verdict.severity ?? null,
    why: verdict.fired?.why ?? null,
    pairs: verdict.pairs.map((one) => ({
      severity: one.pair.severity,
      long: windowName(one.pair.longS),
      short: windowName(one.pair.shortS),
      threshold: one.pair.threshold,
      budget_ratio: one.pair.budgetRatio,
      fires: one.fires,
      held_by: one.held ?? null,
      insufficient_data: one.isInsufficient,
      out_of_reach: one.isOutOfReach,
      why: one.why,
    })),
    windows: windows.map((window) => ({
      window: window.name,
      from: isoOfS(window.fromS),
      to: isoOfS(window.toS),
      bad: window.bad,
      valid: window.valid,
      burn: window.burn,
      ...(window.reason === undefined ? {} : { reason: window.reason }),
      bad_ratio_low: window.badRatioLow,
      insufficient_data: window.isInsufficient,
      taken_out: window.takenOut,
    })),
    budget: budgetAnswerOf(state),
    maintenance: maintenance.map(({ fromS, toS, reason, covers }) => ({
      from: isoOfS(fromS),
      to: isoOfS(toS),
      reason,
      covers,
    })),
    in_maintenance: state.isInMaintenance,
    insufficient_data: state.isInsufficient,
  }
}

function budgetAnswerOf(state: SloState): z.output<typeof budgetAnswer> {
  const { budget, atS } = state
  return {
    calls: budget.calls,
    calls_spent: budget.callsSpent,
    calls_left: budget.callsLeft,
    minutes: budget.minutes,
    minutes_left: budget.minutesLeft,
    left_ratio: budget.leftRatio,
    exhausted_in_s: budget.exhaustedInS,
    exhausted_at: budget.exhaustedInS === null ? null : isoOfS(atS + Math.round(budget.exhaustedInS)),
    exhaustion_window: budget.exhaustionWindowS === null ? null : windowName(budget.exhaustionWindowS),
    ...(budget.exhaustionReason === undefined ? {} : { exhaustion_reason: budget.exhaustionReason }),
    shown_from: budget.shownFrom,
    cannot_be_shown: budget.cannotBeShown,
    missed: budget.isMissed,
    words: budgetWords(state),
  }
}
