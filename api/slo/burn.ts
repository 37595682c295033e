/**
 * Burn rate: how fast an error budget is being spent. 1 spends it in exactly its window.
 *
 * Takes    counts of windows that end at one moment: attempts that are good or bad (`valid`), and the bad ones.
 * Returns  burns, and whether somebody is told: a pair of windows fires when both burn at its threshold or above. Two gates
 *          keep few calls from paging: enough bad ones in the long window, and for a page a Wilson lower bound of their
 *          share above 1 − objective, so that we are sure the budget burns at all. That fewer than 100 valid attempts show
 *          as "insufficient data" changes the display only: a carrier that fails all of its 60 calls does page.
 * Throws   nothing.
 * Source   metrics.md §8, vectors L and M.
 */
import { wilsonInterval } from '../kpi/interval.js'

const HOUR_S = 3_600
const DAY_S = 86_400

export interface WindowCount {
  windowS: number
  bad: number
  /** Good and bad ones. */
  valid: number
}

export interface BurnPair {
  severity: 'page' | 'ticket'
  longS: number
  /** A twelfth of it: the pair stops firing soon after the trouble ends. */
  shortS: number
  /** Both windows burn at least so fast. */
  threshold: number
  /** Share of the budget that is gone when the threshold held for the long window. */
  budgetRatio: number
}

/** Long windows and the share of the budget each may spend, of a window of weeks and of a week. */
const OF_WEEKS = [
  { severity: 'page', longS: HOUR_S, budgetRatio: 0.02 },
  { severity: 'page', longS: 6 * HOUR_S, budgetRatio: 0.05 },
  { severity: 'ticket', longS: 3 * DAY_S, budgetRatio: 0.1 },
] as const
const OF_A_WEEK = [
  { severity: 'page', longS: HOUR_S, budgetRatio: 0.1 },
  { severity: 'page', longS: 6 * HOUR_S, budgetRatio: 0.2 },
  { severity: 'ticket', longS: DAY_S, budgetRatio: 0.4 },
] as const
const OF_WEEKS_FROM_DAYS = 14

/**
 * The pairs of a window: 14.4, 6 and 1 for 30 days, 16.8, 5.6 and 2.8 for 7. Never below 1: who burns slower than that keeps
 * the objective, and nobody needs to be told.
 */
export function burnPairs(windowDays: number): BurnPair[] {
  return (windowDays >= OF_WEEKS_FROM_DAYS ? OF_WEEKS : OF_A_WEEK).map((pair) => ({
    ...pair,
    shortS: pair.longS / 12,
    threshold: Math.max(1, rounded((pair.budgetRatio * windowDays * DAY_S) / pair.longS)),
  }))
}

/** 1 − objective without the dust of binary fractions: 0.999 leaves 0.001. */
export function budgetRatioOf(objective: number): number {
  return rounded(1 - objective)
}

function rounded(value: number): number {
  return Number(value.toFixed(12))
}

/** null without valid attempts: not 0, nothing is known. */
export function burnOf({ bad, valid }: Pick<WindowCount, 'bad' | 'valid'>, objective: number): number | null {
  return valid <= 0 ? null : bad / valid / budgetRatioOf(objective)
}

/** Lower end of the Wilson interval of the bad share; null for 0 of 0. */
export function badRatioLow({ bad, valid }: Pick<WindowCount, 'bad' | 'valid'>): number | null {
  return wilsonInterval(bad, valid)?.[0] ?? null
}

/** The display says so; the alert is decided by the gates alone. */
export const INSUFFICIENT_BELOW = 100
export const BAD_MIN = { page: 5, ticket: 3 } as const

/** What keeps a pair from firing; undefined: it fires. */
export type Held = 'no_data' | 'long_burn' | 'short_burn' | 'too_few_bad' | 'not_sure'

export interface PairVerdict {
  pair: BurnPair
  fires: boolean
  held: Held | undefined
  longBurn: number | null
  shortBurn: number | null
  long: WindowCount
  short: WindowCount
  /** Lower Wilson bound of the bad share of the long window. */
  badRatioLow: number | null
  /** Fewer than 100 valid attempts in the long window. */
  isInsufficient: boolean
  /** A total outage does not reach the threshold: with this objective the pair can never fire. */
  isOutOfReach: boolean
  /** One sentence with the numbers. */
  why: string
}

export interface BurnVerdict {
  /** The gravest of the pairs that fire; undefined: nobody is told. */
  severity: 'page' | 'ticket' | undefined
  /** The pair that decided it: the first that fires at that severity. */
  fired: PairVerdict | undefined
  pairs: PairVerdict[]
}

/** @param countOf counts of the window of so many seconds that ends now */
export function burnVerdict(
  objective: number,
  pairs: readonly BurnPair[],
  countOf: (windowS: number) => WindowCount,
): BurnVerdict {
  const verdicts = pairs.map((pair) =>
    pairVerdict(objective, pair, countOf(pair.longS), countOf(pair.shortS)),
  )
  const fired =
    verdicts.find(({ fires, pair }) => fires && pair.severity === 'page') ??
    verdicts.find(({ fires }) => fires)
  return { severity: fired?.pair.severity, fired, pairs: verdicts }
}

function pairVerdict(objective: number, pair: BurnPair, long: WindowCount, short: WindowCount): PairVerdict {
  const longBurn = burnOf(long, objective)
  const shortBurn = burnOf(short, objective)
  const low = badRatioLow(long)
  const held = heldBy(objective, pair, { long, longBurn, shortBurn, low })
  const verdict = {
    pair,
    fires: held === undefined,
    held,
    longBurn,
    shortBurn,
    long,
    short,
    badRatioLow: low,
    isInsufficient: long.valid < INSUFFICIENT_BELOW,
    isOutOfReach: !isAtLeast(1 / budgetRatioOf(objective), pair.threshold),
  }
  return { ...verdict, why: whyOf(objective, verdict) }
}

function heldBy(
  objective: number,
  pair: BurnPair,
  seen: { long: WindowCount; longBurn: number | null; shortBurn: number | null; low: number | null },
): Held | undefined {
  if (seen.longBurn === null) return 'no_data'
  if (!isAtLeast(seen.longBurn, pair.threshold)) return 'long_burn'
  if (seen.shortBurn === null || !isAtLeast(seen.shortBurn, pair.threshold)) return 'short_burn'
  if (seen.long.bad < BAD_MIN[pair.severity]) return 'too_few_bad'
  if (pair.severity === 'page' && (seen.low ?? 0) <= budgetRatioOf(objective)) return 'not_sure'
  return undefined
}

/** 144 bad of 10,000 at 99.9 % is a burn of 14.4, whatever the last binary digit says. */
function isAtLeast(burn: number, threshold: number): boolean {
  return burn >= threshold * (1 - 1e-9)
}

function whyOf(objective: number, verdict: Omit<PairVerdict, 'why'>): string {
  const { pair, long, short, longBurn, shortBurn, held } = verdict
  const [longName, shortName] = [windowName(pair.longS), windowName(pair.shortS)]
  if (longBurn === null) return `no valid attempt in ${longName}`
  const burns =
    `${longName} burns ${burnText(longBurn)} (${long.bad} bad of ${long.valid}), ` +
    (shortBurn === null
      ? `no valid attempt in ${shortName}`
      : `${shortName} burns ${burnText(shortBurn)} (${short.bad} of ${short.valid})`)
  switch (held) {
    case 'long_burn':
      return verdict.isOutOfReach
        ? `${burns}; a total outage would not reach ${pair.threshold}, this pair can never fire`
        : `${burns}; below ${pair.threshold}`
    case 'short_burn':
      return `${burns}; ${shortName} is below ${pair.threshold}: it is over, or has only begun`
    case 'too_few_bad':
      return `${burns}; fewer than ${BAD_MIN[pair.severity]} bad, too few to ${pair.severity === 'page' ? 'page' : 'open a ticket'}`
    case 'not_sure':
      return `${burns}; so few attempts do not show that more than ${percentText(budgetRatioOf(objective))} are bad`
    default:
      return `${burns}, both at ${pair.threshold} or above`
  }
}

/** "5m", "6h", "30d": as it stands in answers and labels. */
export function windowName(windowS: number): string {
  if (windowS % DAY_S === 0) return `${windowS / DAY_S}d`
  return windowS % HOUR_S === 0 ? `${windowS / HOUR_S}h` : `${windowS / 60}m`
}

/** "14.4", "0.03": three digits that count. */
export function burnText(burn: number): string {
  return String(Number(burn.toPrecision(3)))
}

/** "0.5 %", "0.001 %", without the digits of binary fractions. */
export function percentText(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(10))} %`
}
