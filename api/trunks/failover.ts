/**
 * Failover as it was seen: when a trunk went down, did the calls of its carrier go out over others?
 *
 * Takes    outbound calls a minute of the trunks of one carrier, and when one of them went down.
 * Returns  what it carried before and after, and the trunks that carried more afterwards; undefined when it had too few calls to
 *          say anything. It says what happened at the same time, not why.
 * Throws   nothing.
 * Rule     before: the 10 minutes that end 5 minutes before it was judged down, because a trunk is down before it is known to be;
 *          after: the 10 minutes from then on (docs/trunks.md).
 */

export const BEFORE_S = { from: -900, to: -300 } as const
export const AFTER_S = { from: 0, to: 600 } as const
export const CALLS_MIN = 20
/** Of the calls that the trunk lost, so many must turn up elsewhere. */
const MOVED_RATIO = 0.5

export interface CallsOfMinute {
  /** Id of the trunk. */
  trunk: string
  minuteS: number
  callsOut: number
}

export interface Moved {
  trunk: string
  callsBefore: number
  callsAfter: number
}

export interface Failover extends Moved {
  atS: number
  /** Those that carried more afterwards, the most first. */
  to: Moved[]
  verdict: 'moved' | 'partly' | 'not_seen'
}

export function failoverOf(
  minutes: readonly CallsOfMinute[],
  down: { trunk: string; atS: number },
): Failover | undefined {
  const sums = new Map<string, Moved>()
  for (const { trunk, minuteS, callsOut } of minutes) {
    const sum = sums.get(trunk) ?? { trunk, callsBefore: 0, callsAfter: 0 }
    sums.set(trunk, sum)
    const atS = minuteS - down.atS
    if (atS >= BEFORE_S.from && atS < BEFORE_S.to) sum.callsBefore += callsOut
    if (atS >= AFTER_S.from && atS < AFTER_S.to) sum.callsAfter += callsOut
  }
  const own = sums.get(down.trunk)
  if (own === undefined || own.callsBefore < CALLS_MIN) return undefined
  const to = [...sums.values()]
    .filter((sum) => sum !== own && sum.callsAfter > sum.callsBefore)
    .sort((a, b) => gainOf(b) - gainOf(a) || (a.trunk < b.trunk ? -1 : 1))
  const lost = own.callsBefore - own.callsAfter
  const gained = to.reduce((sum, one) => sum + gainOf(one), 0)
  const hasMoved = lost > 0 && gained >= MOVED_RATIO * lost
  return {
    ...own,
    atS: down.atS,
    to,
    // It went on being tried where half of its calls or more still go out over it.
    verdict: !hasMoved ? 'not_seen' : own.callsAfter >= own.callsBefore / 2 ? 'partly' : 'moved',
  }
}

const gainOf = ({ callsBefore, callsAfter }: Moved) => callsAfter - callsBefore
