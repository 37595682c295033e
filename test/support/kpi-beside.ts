/** What an eval line can ask of an attempt beside the columns of `call_attempts`. */
import { routingOf } from '../../api/attempts/routing.js'
import type { Attempt } from '../../schemas/attempt.js'
import type { LegsOf } from './kpi-evidence.js'
import type { SuspicionsOf } from './kpi-suspicions.js'

interface Beside {
  suspicions: SuspicionsOf
  legs: LegsOf
}

type Words = (attempt: Attempt, beside: Beside, nameOf: (attemptId: string) => string) => string

/** The words that stand in the line. */
export const BESIDE: Readonly<Record<string, Words>> = {
  suspicions: ({ attemptId }, { suspicions }) => suspicions.get(attemptId)?.join(' ') ?? 'none',
  trunk_group: ({ requestUri }) => {
    const { terminating } = routingOf(requestUri, '').trunk_group
    return terminating === null ? 'none' : `${terminating.tgrp} ${terminating.context}`
  },
  routing_number: ({ requestUri }) => routingOf(requestUri, '').portability.rn || 'none',
  legs: ({ attemptId }, { legs }, nameOf) => {
    const own = legs.get(attemptId)
    const others = [...legs.values()].filter(
      (leg) => leg.callKey === own?.callKey && leg.attemptId !== attemptId,
    )
    const words = others.map((leg) => `${nameOf(leg.attemptId)}:${leg.rule},${leg.confidence}`).sort()
    return [own === undefined ? 'none' : `${own.rule},${own.confidence}`, ...words].join(' ')
  },
}
