/**
 * Calls of which an agent saw one direction only: for certain, not as it looks when a far side does not answer.
 *
 * An attempt is one-sided when
 *   responses came and no request:         no INVITE, no CANCEL, no ACK
 *   an INVITE and an ACK, and no response: the ACK answers a final response that went by unseen (RFC 3261 §17.1.1.3)
 *
 * Attempts that are settled, of the half hour that ended five minutes before as_of: by then Timer C has run out for nearly
 * all. Those that several agents saw are left out: their row holds the times of one agent, and two taps that see one
 * direction each see the whole call together. The INVITE alone is no evidence: a dead far side looks the same.
 */
import type { Readers } from '../readers.js'
import { AGENTS_MAX } from './history.js'

const MINUTE_S = 60
const SETTLED_S = 5 * MINUTE_S
const SPAN_S = 30 * MINUTE_S

export interface OneSided {
  attempts: number
  oneSided: number
}

const RESPONSES_ONLY = 'NOT invited AND cancelled_at_us = 0 AND acked_at_us = 0'
const REQUESTS_ONLY = `invited AND acked_at_us > 0 AND first_100_at_us = 0 AND first_18x_at_us = 0 AND final_at_us = 0
  AND first_response_ms IS NULL`

export function oneSidedSpan(asOfUs: number): { fromS: number; toS: number } {
  const toS = Math.floor(asOfUs / 1e6 / MINUTE_S) * MINUTE_S - SETTLED_S
  return { fromS: toS - SPAN_S, toS }
}

/** One question a minute, however often it is asked: on a large platform it reads millions of attempts. */
export class OneSidedCalls {
  #ofS = 0
  #answer: Promise<Map<string, OneSided>> | undefined

  read(readers: Readers, asOfUs: number): Promise<Map<string, OneSided>> {
    const { fromS, toS } = oneSidedSpan(asOfUs)
    if (this.#answer !== undefined && this.#ofS === toS) return this.#answer
    const answer = readOneSided(readers, fromS, toS)
    this.#ofS = toS
    this.#answer = answer
    answer.catch(() => {
      if (this.#answer === answer) this.#answer = undefined
    })
    return answer
  }
}

async function readOneSided(readers: Readers, fromS: number, toS: number): Promise<Map<string, OneSided>> {
  if (fromS <= 0) return new Map()
  const rows = await readers.select<{ agent: string; attempts: string; one_sided: string }>(
    `SELECT agents[1] AS agent, count() AS attempts, countIf((${RESPONSES_ONLY}) OR (${REQUESTS_ONLY})) AS one_sided
     FROM call_attempts FINAL
     WHERE minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')
       AND state IN ('closed', 'incomplete') AND length(agents) = 1
     GROUP BY agent ORDER BY attempts DESC LIMIT {limit:UInt32}`,
    { from_s: fromS, to_s: toS, limit: AGENTS_MAX },
  )
  return new Map(
    rows.map(({ agent, attempts, one_sided }) => [
      agent,
      { attempts: Number(attempts), oneSided: Number(one_sided) },
    ]),
  )
}
