/**
 * The service credit of a window: which tiers of the contract are reached, by what was measured and for certain.
 *
 * Takes    the carrier's entry of the configuration and the sums of the window.
 * Returns  two credits. `point_estimate` is what the measured value gives; `certain` counts a tier only where the whole 95 %
 *          interval lies beyond it, and is the one that a dispute does not shake. A number without an interval (a mean) has no
 *          certain credit. Of the tiers of one target the highest that is reached counts; targets are added up, to 100 at most.
 * Throws   nothing.
 *
 * The period is the window. Contracts bill by the calendar month: an amount is told only where the window is one (UTC).
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { CreditTier, MonthlyCharge } from '../../schemas/credits.js'
import { TARGET_KPIS } from '../../schemas/targets.js'
import type { Sums } from '../kpi/sums.js'
import { type Measured, rowOf, type Unit } from '../scorecards/rows.js'
import { isoOf } from '../time-span.js'

type Carrier = TrunkscopeConfig['carriers'][number]

export interface TierResult {
  bound: 'below' | 'above'
  value: number
  percent: number
  reached: 'certain' | 'point_estimate' | 'no' | 'not_measured'
}

export interface TargetCredit {
  target: string
  kpi: string
  name: string
  unit: Unit
  delivered: number | null
  interval: readonly [number, number] | null
  low_confidence: boolean
  tiers: TierResult[]
  certain_percent: number
  point_estimate_percent: number
}

export interface Credit {
  period: { from: string; to: string; is_calendar_month: boolean }
  is_configured: boolean
  targets: TargetCredit[]
  certain_percent: number
  point_estimate_percent: number
  /** null: see `amount_note`. */
  amount: { currency: string; certain: number; point_estimate: number } | null
  amount_note: string
}

export function creditOf(
  carrier: Pick<Carrier, 'credits' | 'monthly_charge'> | undefined,
  sums: Sums,
  { fromS, toS }: { fromS: number; toS: number },
): Credit {
  const tiers = carrier?.credits ?? []
  const targets = [...TARGET_KPIS].flatMap(([target, kpi]) => {
    const own = tiers.filter((tier) => tier.target === target)
    return own.length === 0 ? [] : [targetCredit(target, kpi.id, own, sums)]
  })
  const total = (of: 'certain_percent' | 'point_estimate_percent') =>
    Math.min(
      100,
      targets.reduce((sum, target) => sum + target[of], 0),
    )
  const percents = {
    certain_percent: total('certain_percent'),
    point_estimate_percent: total('point_estimate_percent'),
  }
  const isMonth = isCalendarMonth(fromS, toS)
  return {
    period: { from: isoOf(fromS * 1e6), to: isoOf(toS * 1e6), is_calendar_month: isMonth },
    is_configured: tiers.length > 0,
    targets,
    ...percents,
    ...amountOf(carrier?.monthly_charge, percents, isMonth),
  }
}

function targetCredit(target: string, kpi: string, tiers: readonly CreditTier[], sums: Sums): TargetCredit {
  const row = rowOf(kpi)
  const measured = row.of(sums)
  const results = tiers
    .map((tier): TierResult => {
      const bound = tier.below === undefined ? ('above' as const) : ('below' as const)
      const value = (tier.below ?? tier.above) as number
      return { bound, value, percent: tier.percent, reached: reachedBy(measured, bound, value) }
    })
    .sort((a, b) => a.percent - b.percent)
  const highest = (...reached: TierResult['reached'][]) =>
    Math.max(0, ...results.filter((tier) => reached.includes(tier.reached)).map(({ percent }) => percent))
  return {
    target,
    kpi,
    name: row.name,
    unit: row.unit,
    delivered: measured.value,
    interval: measured.interval,
    low_confidence: measured.lowConfidence,
    tiers: results,
    certain_percent: highest('certain'),
    point_estimate_percent: highest('certain', 'point_estimate'),
  }
}

/** A value on the bound itself has not gone beyond it. */
function reachedBy(
  { value, interval }: Measured,
  bound: 'below' | 'above',
  at: number,
): TierResult['reached'] {
  if (value === null) return 'not_measured'
  const isBeyond = (delivered: number) => (bound === 'below' ? delivered < at : delivered > at)
  if (!isBeyond(value)) return 'no'
  return interval?.every(isBeyond) === true ? 'certain' : 'point_estimate'
}

function isCalendarMonth(fromS: number, toS: number): boolean {
  const from = new Date(fromS * 1_000)
  return (
    fromS * 1_000 === Date.UTC(from.getUTCFullYear(), from.getUTCMonth(), 1) &&
    toS * 1_000 === Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1, 1)
  )
}

function amountOf(
  charge: MonthlyCharge | undefined,
  percents: { certain_percent: number; point_estimate_percent: number },
  isMonth: boolean,
): Pick<Credit, 'amount' | 'amount_note'> {
  if (charge === undefined) {
    return { amount: null, amount_note: 'The configuration names no monthly_charge: percentages only.' }
  }
  if (!isMonth) {
    return {
      amount: null,
      amount_note:
        'The window is no calendar month (UTC), and the charge is one of a month: percentages only. Ask for a pack of the month.',
    }
  }
  const of = (percent: number) => Math.round(charge.amount * percent) / 100
  return {
    amount: {
      currency: charge.currency,
      certain: of(percents.certain_percent),
      point_estimate: of(percents.point_estimate_percent),
    },
    amount_note: `Of ${charge.amount} ${charge.currency} a month, rounded to hundredths.`,
  }
}
