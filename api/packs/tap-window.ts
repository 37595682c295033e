/**
 * What the tap saw and missed in the window: of each agent its counts, the minutes in which it sent no SIP, and the verdict that
 * docs/tap-health.md defines, as it was at the end of the window.
 *
 * Agents are of no carrier: who may see some carriers gets none of this.
 */
import type { SeenDeps } from '../deps.js'
import { readHeardOf, readHistories } from '../tap/history.js'
import { type Verdict, verdictOf } from '../tap/verdict.js'
import type { PackRequest } from './request.js'

export interface TapAgent {
  agent: string
  sip_messages: number
  /** Frames that hold no message to store. */
  refused: number
  unreadable: number
  truncated: number
  timestamps_replaced: number
  /** Of the window, in which it sent no SIP. */
  minutes_without_sip: number
  verdict_at_end: Verdict | 'not_heard_of'
  why: string
}

const AGENTS_MAX = 500

export async function readTapWindow(
  { readers, principal }: SeenDeps,
  { fromS, toS }: PackRequest,
): Promise<TapAgent[] | null> {
  if (principal.carriers !== 'all') return null
  const rows = await readers.select<Record<string, string>>(
    `SELECT agent, sum(sip_messages) AS sip, sum(refused) AS sum_refused, sum(unreadable) AS sum_unreadable,
       sum(truncated) AS sum_truncated, sum(timestamps_replaced) AS sum_replaced,
       uniqExactIf(minute, sip_messages > 0) AS talking
     FROM agents_minute FINAL
     WHERE minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')
     GROUP BY agent ORDER BY agent LIMIT {limit:UInt32}`,
    { from_s: fromS, to_s: toS, limit: AGENTS_MAX },
  )
  // The minute that begins with the end of the window is none of it.
  const endUs = toS * 1e6 - 1
  const heardOf = await readHeardOf(readers, endUs)
  const histories = await readHistories(readers, heardOf, endUs)
  const counted = new Map(rows.map((row) => [row.agent!, row]))
  const names = [...new Set([...counted.keys(), ...heardOf.map(({ agent }) => agent)])].sort()
  return names.map((agent) => {
    const of = (name: string) => Number(counted.get(agent)?.[name] ?? 0)
    const history = histories.get(agent)
    const judged =
      history === undefined
        ? undefined
        : verdictOf(
            { ...history, oneSided: { attempts: 0, oneSided: 0 } },
            { asOfUs: endUs, nowUs: endUs, listeningSinceUs: 0, problem: '', kernelDropRatio: undefined },
          )
    return {
      agent,
      sip_messages: of('sip'),
      refused: of('sum_refused'),
      unreadable: of('sum_unreadable'),
      truncated: of('sum_truncated'),
      timestamps_replaced: of('sum_replaced'),
      minutes_without_sip: (toS - fromS) / 60 - of('talking'),
      verdict_at_end: judged?.verdict ?? 'not_heard_of',
      why: judged?.why ?? '',
    }
  })
}
