/**
 * Error budget: how many bad attempts an objective allows in its window, how many are left, and for how long.
 *
 * The window rolls, so the budget of calls follows the traffic: (1 − objective) × valid attempts of the window. In minutes it
 * is the time of total outage the objective allows, less the share that is spent. Both may be below zero.
 *
 * Takes    the counts of the whole window and the burn of now.
 * Returns  what is left and, at the present burn, when it ends; and whether so few attempts can show the objective at all:
 *          without a single bad one n attempts prove it at 95 % only when objectiveⁿ ≤ 0.05.
 * Throws   nothing.
 * Source   metrics.md §8.
 */
import { badRatioLow, budgetRatioOf, burnOf, INSUFFICIENT_BELOW, type WindowCount } from './burn.js'

export interface Budget {
  /** Bad attempts the window may have. */
  calls: number
  /** Those it had. */
  callsSpent: number
  callsLeft: number
  /** Of total outage. */
  minutes: number
  minutesLeft: number | null
  /** 1: untouched, 0: spent, below: overspent; null without valid attempts. */
  leftRatio: number | null
  /** null: no end in sight, see `exhaustionReason`. */
  exhaustedInS: number | null
  /** The window whose burn was taken. */
  exhaustionWindowS: number | null
  exhaustionReason: 'no_traffic' | 'insufficient_data' | 'not_burning' | 'outlasts_window' | undefined
  /** Fewest attempts that show the objective when none is bad. */
  shownFrom: number
  /** There are fewer, and the bad ones do not show the opposite either. */
  cannotBeShown: boolean
  /** The bad ones are so many that the objective is missed for certain (Wilson, 95 %). */
  isMissed: boolean
}

export function budgetOf(
  objective: number,
  window: WindowCount,
  /** Of now, the shortest first: the first with enough attempts gives the present burn. */
  recent: readonly WindowCount[],
  /** Seconds of the window in which maintenance took everything out. */
  takenOutS = 0,
): Budget {
  const budgetRatio = budgetRatioOf(objective)
  const calls = window.valid * budgetRatio
  const burn = burnOf(window, objective)
  const leftRatio = burn === null ? null : 1 - burn
  const minutes = (Math.max(0, window.windowS - takenOutS) / 60) * budgetRatio
  const shownFrom = provableFrom(objective)
  const isMissed = (badRatioLow(window) ?? 0) > budgetRatio
  return {
    calls,
    callsSpent: window.bad,
    callsLeft: calls - window.bad,
    minutes,
    minutesLeft: leftRatio === null ? null : leftRatio * minutes,
    leftRatio,
    ...exhaustion(objective, window.windowS, leftRatio, recent),
    shownFrom,
    cannotBeShown: window.valid < shownFrom && !isMissed,
    isMissed,
  }
}

/** Zero failures prove at least `objective` at 95 % from so many attempts: 2,995 for 99.9 %, 299,572 for 99.999 %. */
export function provableFrom(objective: number): number {
  return Math.ceil(Math.log(0.05) / Math.log(objective))
}

/** As if nothing left the rolling window behind: the earliest end. */
function exhaustion(
  objective: number,
  windowS: number,
  leftRatio: number | null,
  recent: readonly WindowCount[],
): Pick<Budget, 'exhaustedInS' | 'exhaustionWindowS' | 'exhaustionReason'> {
  const none = { exhaustedInS: null, exhaustionWindowS: null }
  if (leftRatio === null) return { ...none, exhaustionReason: 'no_traffic' }
  if (leftRatio <= 0) return { exhaustedInS: 0, exhaustionWindowS: windowS, exhaustionReason: undefined }
  const present = recent.find(({ valid }) => valid >= INSUFFICIENT_BELOW)
  if (present === undefined) return { ...none, exhaustionReason: 'insufficient_data' }
  const burn = burnOf(present, objective) ?? 0
  if (burn === 0) return { ...none, exhaustionWindowS: present.windowS, exhaustionReason: 'not_burning' }
  const exhaustedInS = (leftRatio * windowS) / burn
  // By then all that was spent before has left the window: at such a burn it never ends.
  if (exhaustedInS > windowS) {
    return { ...none, exhaustionWindowS: present.windowS, exhaustionReason: 'outlasts_window' }
  }
  return { exhaustedInS, exhaustionWindowS: present.windowS, exhaustionReason: undefined }
}
