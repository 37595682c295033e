/**
 * Whether a trunk can be reached: one pure walk over the minutes that are stored of it.
 *
 * Takes    its minutes, ascending; the range to walk; the thresholds of the configuration.
 * Returns  the state at the end with its reason in a sentence, since when, and every change. Rule and thresholds with their
 *          reasons: docs/trunks.md.
 * Throws   nothing.
 *
 * Rule, at each minute; the first line that holds is the state
 *   down      `trunk_down_exchanges` exchanges in a row got no answer, and no sign of life came since the first of them
 *   unknown   nothing at all was seen for `trunk_unknown_minutes`
 *   degraded  of the OPTIONS of the last `trunk_window_minutes` at least 2, or of the calls at least 3, were unanswered or refused
 *             with 503 (OPTIONS: any 5xx), and they are `trunk_degraded_ratio` of all; it ends below half of that. Of a trunk of
 *             which a sign of life is known
 *   up        a sign of life within `trunk_unknown_minutes`
 *   as before otherwise: too little was seen to say anything else
 *
 * What came before the end of a `down` is not held against the trunk afterwards: it would be degraded for a while each time.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'

export const TRUNK_STATES = ['up', 'degraded', 'down', 'unknown'] as const
export type TrunkState = (typeof TRUNK_STATES)[number]

/** How many answered well, answered badly, and not at all. */
export interface Outcomes {
  good: number
  bad: number
  lost: number
}

export interface StateMinute {
  minuteS: number
  options: Outcomes
  calls: Outcomes
  /** Exchanges in a row without an answer at its end; all of it where there was no sign of life. */
  unansweredAfter: number
  /** 0: no sign of life in it. */
  lastLifeUs: number
}

export type TrunkThresholds = Pick<
  TrunkscopeConfig['thresholds'],
  'trunk_down_exchanges' | 'trunk_degraded_ratio' | 'trunk_window_minutes' | 'trunk_unknown_minutes'
>

export interface StateChange {
  /** The minute from which on it holds. */
  atS: number
  from: TrunkState
  to: TrunkState
  why: string
}

export interface Reachability {
  state: TrunkState
  why: string
  /** undefined: for longer than the range. */
  sinceS: number | undefined
  changes: StateChange[]
}

const OPTIONS_BAD_MIN = 2
const CALLS_BAD_MIN = 3

export function reachabilityOf(
  minutes: readonly StateMinute[],
  { fromS, untilS }: { fromS: number; untilS: number },
  thresholds: TrunkThresholds,
): Reachability {
  const walk = new Walk(thresholds)
  const changes: StateChange[] = []
  let at = 0
  for (let minuteS = fromS; minuteS < untilS; minuteS += 60) {
    while (at < minutes.length && minutes[at]!.minuteS < minuteS) at++
    const row = minutes[at]?.minuteS === minuteS ? minutes[at] : undefined
    const before = walk.state
    walk.step(minuteS, row)
    if (walk.state !== before) changes.push({ atS: minuteS, from: before, to: walk.state, why: walk.why() })
  }
  return { state: walk.state, why: walk.why(), sinceS: changes.at(-1)?.atS, changes }
}

/** Changes after `sinceS` that are flaps: those to and from `unknown` are about what we saw, not about the trunk. */
export function flapsSince(changes: readonly StateChange[], sinceS: number): number {
  return changes.filter(({ atS, from, to }) => atS >= sinceS && from !== 'unknown' && to !== 'unknown').length
}

class Walk {
  state: TrunkState = 'unknown'
  readonly #thresholds: TrunkThresholds
  /** Rows of the window, oldest first. */
  #window: StateMinute[] = []
  /** Exchanges in a row without an answer. */
  #unanswered = 0
  #lastSeenS = Number.NEGATIVE_INFINITY
  #lastLifeUs = 0

  constructor(thresholds: TrunkThresholds) {
    this.#thresholds = thresholds
  }

  step(minuteS: number, row: StateMinute | undefined): void {
    const { trunk_window_minutes: windowMinutes, trunk_unknown_minutes: unknownMinutes } = this.#thresholds
    while (this.#window.length > 0 && this.#window[0]!.minuteS <= minuteS - windowMinutes * 60)
      this.#window.shift()
    if (row !== undefined) this.#see(row)
    if (minuteS - this.#lastSeenS >= unknownMinutes * 60) {
      this.state = 'unknown'
      this.#unanswered = 0
      return
    }
    this.state = this.#judge(minuteS)
  }

  #see(row: StateMinute): void {
    const isAlive = row.lastLifeUs > 0
    const lost = row.options.lost + row.calls.lost
    if (!isAlive && lost === 0) return
    this.#lastSeenS = row.minuteS
    this.#lastLifeUs = Math.max(this.#lastLifeUs, row.lastLifeUs)
    this.#unanswered = isAlive ? row.unansweredAfter : this.#unanswered + lost
    if (this.state === 'down' && isAlive) this.#window = []
    else this.#window.push(row)
  }

  #judge(minuteS: number): TrunkState {
    const { trunk_down_exchanges: inARow, trunk_unknown_minutes: unknownMinutes } = this.#thresholds
    if (this.#unanswered >= inARow) return 'down'
    if (this.#lastLifeUs > 0 && this.#isDegraded()) return 'degraded'
    const isAlive = this.#lastLifeUs >= (minuteS - (unknownMinutes - 1) * 60) * 1e6
    return isAlive ? 'up' : this.state
  }

  #isDegraded(): boolean {
    const { trunk_degraded_ratio: ratio } = this.#thresholds
    const isDegraded = this.state === 'degraded'
    const limit = isDegraded ? ratio / 2 : ratio
    const exceeds = ({ good, bad, lost }: Outcomes, least: number) =>
      bad + lost >= (isDegraded ? 1 : least) && (bad + lost) / (good + bad + lost) >= limit
    return exceeds(this.#sum('options'), OPTIONS_BAD_MIN) || exceeds(this.#sum('calls'), CALLS_BAD_MIN)
  }

  #sum(kind: 'options' | 'calls'): Outcomes {
    const sum = { good: 0, bad: 0, lost: 0 }
    for (const row of this.#window) {
      sum.good += row[kind].good
      sum.bad += row[kind].bad
      sum.lost += row[kind].lost
    }
    return sum
  }

  why(): string {
    const { trunk_unknown_minutes: unknownMinutes, trunk_window_minutes: windowMinutes } = this.#thresholds
    const life =
      this.#lastLifeUs === 0
        ? 'no sign of life is known'
        : `the last sign of life was at ${timeText(this.#lastLifeUs)}`
    if (this.state === 'unknown') {
      if (this.#lastSeenS === Number.NEGATIVE_INFINITY) return 'nothing was seen of it'
      return this.#unanswered > 0
        ? `${exchanges(this.#unanswered)} got no answer, too few to call it down; ${life}`
        : `nothing was seen of it for ${unknownMinutes} min or longer; ${life}`
    }
    if (this.state === 'down') return `${exchanges(this.#unanswered)} in a row got no answer; ${life}`
    const parts = [outcomeText('OPTIONS', this.#sum('options')), outcomeText('calls', this.#sum('calls'))]
    const seen = parts.filter((part) => part !== '').join('; ')
    return seen === '' ? life : `in the last ${windowMinutes} min ${seen}`
  }
}

const exchanges = (count: number) => (count === 1 ? '1 exchange' : `${count} exchanges`)

function outcomeText(name: string, { good, bad, lost }: Outcomes): string {
  const all = good + bad + lost
  if (all === 0) return ''
  const wrong = [
    ...(lost > 0 ? [`${lost} without an answer`] : []),
    ...(bad > 0 ? [`${bad} refused by the far side (${name === 'calls' ? '503' : '5xx'})`] : []),
  ]
  return `${good} of ${all} ${name} answered${wrong.length === 0 ? '' : `, ${wrong.join(', ')}`}`
}

/** The minute: of minutes in which all was well no more is known here. */
const timeText = (us: number) => `${new Date(us / 1_000).toISOString().slice(0, 16)}Z`
