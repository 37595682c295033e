/** Which attempts a pack is about, as SQL: those of the window, and of them those that failed as asked. */
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import type { FailureClass } from './classes.js'
import type { PackRequest } from './request.js'

export interface PackScope {
  request: PackRequest
  /** In the order of their list. */
  classes: readonly FailureClass[]
}

const MINUTES = `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`
export const OF_CARRIER = `party = 'carrier' AND carrier = {carrier:String}`

/** Of the carrier, by the minute of the INVITE. */
export const IN_WINDOW = `${OF_CARRIER} AND state != 'fragment' AND ${MINUTES}`

/** Verdicts on attempts in the window, and what else evidence passes say of them. */
export const VERDICTS_IN_WINDOW = `${OF_CARRIER} AND ${MINUTES}`

/** For the place of a table: the attempts of the window as they are judged. */
export const ATTEMPTS_IN_WINDOW = judgedAttempts({
  minutes: MINUTES,
  where: `${OF_CARRIER} AND state != 'fragment'`,
})

export function windowParameters({
  request: { carrier, fromS, toS },
}: Pick<PackScope, 'request'>): Record<string, unknown> {
  return { carrier, from_s: fromS, to_s: toS }
}

/** Ids of the classes that a closed attempt is in; empty: it did not fail in this sense. */
export function classesHit({ classes }: PackScope): string {
  const each = classes.map(({ id, sql }) => `if(${sql}, '${id}', '')`)
  return `arrayFilter(id -> id != '', if(state = 'closed', [${each.join(', ')}], []))`
}

export function hasFailed({ classes }: PackScope): string {
  return `state = 'closed' AND (${classes.map(({ sql }) => `(${sql})`).join(' OR ')})`
}
