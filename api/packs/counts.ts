/**
 * How many attempts of the window failed, by day, hour, site, direction, class, final response, Q.850 cause, disposition, cancel
 * class and destination prefix: one statement, so that all of them are of the same attempts.
 *
 * Closed attempts only. A prefix is what the scorecard calls one (destinations.ts): at most seven digits of the routing
 * number and never its last four, named from ten attempts on.
 */

import type { Readers } from '../readers.js'
import { PREFIX_ATTEMPTS_MIN } from '../scorecards/destinations.js'
import { isoOf } from '../time-span.js'
import { ATTEMPTS_IN_WINDOW, classesHit, type PackScope, windowParameters } from './attempt-filter.js'

export const SECTIONS = [
  'total',
  'class',
  'day',
  'hour',
  'site',
  'direction',
  'final_code',
  'q850_cause',
  'disposition',
  'cancel_class',
  'prefix',
] as const
export type Section = (typeof SECTIONS)[number]

/** Those with the most failures. */
export const PREFIXES_MAX = 50
/** Hours of a quarter; of every other section more than a pack has. */
const KEYS_MAX = 2_300

export interface Count {
  section: Section
  key: string
  /** Closed. */
  attempts: number
  failures: number
}

export async function readCounts(readers: Readers, scope: PackScope): Promise<Count[]> {
  const rows = await readers.selectMasked<
    Record<'section' | 'name' | 'attempts' | 'failures', string>,
    Count
  >(
    `SELECT entry.1 AS section, entry.2 AS name, count() AS attempts, countIf(notEmpty(hit)) AS failures
     FROM (SELECT hit, arrayConcat(
         [('total', ''), ('day', toString(toUInt32(toStartOfDay(minute)))), ('hour', toString(toUInt32(toStartOfHour(minute)))),
          ('site', toString(site)), ('direction', toString(direction)), ('final_code', toString(final_code)),
          ('q850_cause', toString(q850_cause)), ('disposition', toString(disposition)), ('cancel_class', toString(cancel_class)),
          ('prefix', toString(destination))],
         arrayMap(id -> ('class', id), hit)) AS entries
       FROM (SELECT ${classesHit(scope)} AS hit, minute, site, direction, final_code, q850_cause, disposition, cancel_class, destination
         FROM ${ATTEMPTS_IN_WINDOW} WHERE state = 'closed'))
     ARRAY JOIN entries AS entry
     WHERE section NOT IN ('prefix', 'cancel_class') OR name != ''
     GROUP BY section, name
     HAVING section != 'prefix' OR attempts >= {named_from:UInt32}
     ORDER BY section, if(section = 'prefix', -toInt64(failures), 0), length(name), name
     LIMIT {keys:UInt32} BY section`,
    { ...windowParameters(scope), named_from: PREFIX_ATTEMPTS_MIN, keys: KEYS_MAX },
    (row) => ({
      section: row.section as Section,
      key: keyOf(row.section as Section, row.name),
      attempts: Number(row.attempts),
      failures: Number(row.failures),
    }),
    (count) => count, // A prefix is no number: at least four digits are gone.
  )
  return SECTIONS.flatMap((section) => {
    const of = rows.filter((count) => count.section === section)
    if (section === 'total' && of.length === 0) return [{ section, key: '', attempts: 0, failures: 0 }]
    return section === 'prefix' ? of.slice(0, PREFIXES_MAX) : of
  })
}

function keyOf(section: Section, name: string): string {
  if (section === 'day') return isoOf(Number(name) * 1e6).slice(0, 10)
  if (section === 'hour') return isoOf(Number(name) * 1e6)
  if (section === 'site') return name === '' ? 'unknown' : name
  return section === 'final_code' && name === '0' ? 'none' : name
}

export function totalOf(counts: readonly Count[]): Count {
  return counts.find(({ section }) => section === 'total')!
}
