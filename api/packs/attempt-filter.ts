/** Which attempts a pack is about, as SQL: those of the window, and of them those that failed as asked. */
import type { FailureClass } from './classes.js'
import type { PackRequest } from './request.js'

export interface PackScope {
  request: PackRequest
  /** In the order of their list. */
  classes: readonly FailureClass[]
}

/** Of the carrier, by the minute of the INVITE. */
export const IN_WINDOW = `party = 'carrier' AND carrier = {carrier:String} AND state != 'fragment'
  AND minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`

export function windowParameters({ request: { carrier, fromS, toS } }: PackScope): Record<string, unknown> {
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
