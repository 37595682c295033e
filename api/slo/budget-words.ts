/** A budget in sentences, the same on the page and in JSON. What is not known is said, never shown as 0 or 100 %. */
import { count, duration, plural } from '../page/format.js'
import { percentText, windowName } from './burn.js'
import type { SloState } from './slo-state.js'

export function budgetWords(state: SloState): string[] {
  const { budget, instance, windows } = state
  const { objective } = instance.slo
  const whole = windows.at(-1)!
  if (budget.leftRatio === null) return [NOTHING[whole.reason ?? 'no_traffic'], ...takenOutWords(state)]
  const words = [
    `${signed(budget.callsLeft)} of ${number(budget.calls)} bad attempts left, ` +
      `${minutesText(budget.minutesLeft ?? 0)} of ${minutesText(budget.minutes)} of total outage`,
    exhaustionWords(state),
  ]
  if (state.isInsufficient) words.push(`insufficient data: ${plural(whole.valid, 'valid attempt')}`)
  if (budget.isMissed) {
    words.push(`missed for certain: ${count(whole.bad)} bad of ${count(whole.valid)}`)
  } else if (budget.cannotBeShown) {
    words.push(
      `${percentText(objective)} cannot be shown at this volume: without a bad one it takes ${count(budget.shownFrom)} ` +
        `valid attempts in ${windowName(whole.windowS)}, there were ${count(whole.valid)}`,
    )
  }
  return [...words, ...takenOutWords(state)]
}

const NOTHING = {
  no_traffic: 'no traffic in the whole window: nothing is known',
  no_valid: 'no attempt that is good or bad in the whole window: nothing is known',
  maintenance: 'everything in the whole window was taken out by maintenance',
}

function exhaustionWords({ budget }: SloState): string {
  const window = budget.exhaustionWindowS === null ? '' : windowName(budget.exhaustionWindowS)
  if (budget.exhaustedInS === 0) return 'the budget is spent'
  if (budget.exhaustedInS !== null) {
    return `spent in ${duration(budget.exhaustedInS)} if it goes on as in the last ${window}`
  }
  switch (budget.exhaustionReason) {
    case 'not_burning':
      return `not burning: no bad attempt in the last ${window}`
    case 'outlasts_window':
      return `lasts, if it goes on as in the last ${window}`
    default:
      return 'too few attempts lately to say when it would be spent'
  }
}

function takenOutWords({ windows, maintenance }: SloState): string[] {
  const { takenOut } = windows.at(-1)!
  if (maintenance.length === 0) return []
  const why = [...new Set(maintenance.map(({ reason }) => reason))].join(', ')
  return takenOut.valid === 0
    ? [`maintenance took out no valid attempt: ${why}`]
    : [
        `maintenance took out ${plural(takenOut.valid, 'valid attempt')}, ${count(takenOut.bad)} of them bad: ${why}`,
      ]
}

/** "12", "0.1", "-28": whole calls where there are many. */
function number(value: number): string {
  const size = Math.abs(value)
  return size >= 100 ? count(value) : String(Number(value.toFixed(size >= 10 ? 1 : 2)))
}

function signed(value: number): string {
  return value < 0 ? `${number(-value)} too many, 0` : number(value)
}

function minutesText(minutes: number): string {
  return minutes <= 0 ? '0 min' : duration(minutes * 60)
}
