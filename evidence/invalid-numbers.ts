/**
 * Numbers that one carrier calls invalid and another one reaches: carriers hide faults behind 404.
 *
 * An outbound attempt to a carrier that ended as INVALID_NUMBER is NETWORK, and bad, when the same E.164 number was answered,
 * busy or not answered over another carrier within `reclass_hours` before or after it. So the class may change up to that
 * long after the call. An inbound attempt is left alone: there it is our side that says 404.
 *
 * Takes    the attempts that ended so, and of each number and carrier the first and the last attempt of each ten minutes that
 *          reached it: as good as all of them, because a window that holds a part of ten minutes holds one of the two, and
 *          few, however often a number is called.
 * Returns  verdicts; the evidence is the nearest in time, the lower attempt id in a draw.
 * Source   metrics.md §2, the note below the disposition table; outbound only, and E.164 as it stands: our decisions.
 */
import type { Verdict } from '../schemas/verdicts.js'
import { verdictOf } from './cancels.js'
import type { Leg } from './leg.js'

export interface Reached {
  e164: string
  carrier: string
  attemptId: string
  invitedAtUs: number
  disposition: string
}

export const REACHED_GRAIN_S = 600

export function isCalledInvalid(leg: Leg): boolean {
  return (
    leg.state === 'closed' &&
    leg.party === 'carrier' &&
    leg.direction === 'outbound' &&
    leg.disposition === 'INVALID_NUMBER' &&
    leg.e164 !== '' &&
    leg.invitedAtUs > 0
  )
}

export function invalidNumberVerdicts(
  legs: readonly Leg[],
  reached: readonly Reached[],
  reclassHours: number,
): Verdict[] {
  const byNumber = new Map<string, Reached[]>()
  for (const one of reached) {
    const list = byNumber.get(one.e164)
    if (list === undefined) byNumber.set(one.e164, [one])
    else list.push(one)
  }
  const withinUs = reclassHours * 3_600e6
  return legs.filter(isCalledInvalid).flatMap((leg) => {
    const nearest = nearestOf(leg, byNumber.get(leg.e164) ?? [], withinUs)
    if (nearest === undefined) return []
    const { attemptId, carrier, disposition, invitedAtUs } = nearest
    const laterMs = (invitedAtUs - leg.invitedAtUs) / 1_000
    return [
      verdictOf(
        leg,
        { disposition: 'NETWORK', sli: 'bad', nerNumerator: 0, nerDenominator: 1, cancelClass: '' },
        'reached_elsewhere',
        { attemptId, carrier, party: 'carrier', event: 'reached', disposition, laterMs, link: 'number' },
      ),
    ]
  })
}

function nearestOf(leg: Leg, reached: readonly Reached[], withinUs: number): Reached | undefined {
  let best: Reached | undefined
  let bestUs = withinUs
  for (const one of reached) {
    if (one.carrier === leg.carrier) continue
    const distanceUs = Math.abs(one.invitedAtUs - leg.invitedAtUs)
    if (distanceUs > bestUs) continue
    if (best !== undefined && distanceUs === bestUs && one.attemptId > best.attemptId) continue
    best = one
    bestUs = distanceUs
  }
  return best
}
