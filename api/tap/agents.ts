/** The agents: what each sent in a span, and when it was last heard of. */
import { z } from 'zod'
import type { LiveStatus } from '../../schemas/live-status.js'
import type { Readers } from '../readers.js'
import { isoUsOf, type Span } from '../time-span.js'

/** Names come from the wire: a hostile peer may invent any number of agents. */
const AGENTS_MAX = 500

const COUNTS = [
  'frames',
  'sip_messages',
  'keepalives',
  'refused',
  'unreadable',
  'truncated',
  'timestamps_replaced',
] as const

export const agent = z
  .object({
    agent: z.string(),
    peer_address: z.string(),
    agent_id: z.number(),
    agent_name: z.string(),
    site: z.string().describe('By its capture id; empty when no site names it.'),
    frames: z.number(),
    sip_messages: z.number(),
    keepalives: z.number(),
    refused: z.number().describe('Accepted frames that hold no SIP message to store.'),
    unreadable: z.number().describe('SIP messages that were stored raw with a parse error.'),
    truncated: z.number(),
    timestamps_replaced: z.number(),
    last_seen: z.string(),
    silent_s: z.number().describe('Since its last frame, at as_of.'),
  })
  .meta({ title: 'Agent' })

export type AgentJson = z.output<typeof agent>

/**
 * Agents heard of in the span or in the day before its end: one that fell silent stays in view, with counts of 0.
 *
 * @param siteOf  site of a capture id, '' for none
 */
export async function readAgents(
  readers: Readers,
  span: Span,
  live: LiveStatus,
  siteOf: (agentId: number) => string,
): Promise<AgentJson[]> {
  const rows = await readers.select<Record<string, string | number>>(
    `SELECT agent, any(peer_address) AS peer, any(agent_id) AS id, any(agent_name) AS name,
       ${COUNTS.map((name) => `sumIf(${name}, minute >= toDateTime({from_s:UInt32}, 'UTC')) AS sum_${name}`).join(', ')},
       toUnixTimestamp64Micro(max(last_seen)) AS last_seen_us
     FROM agents_minute FINAL
     WHERE minute >= toDateTime({since_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')
     GROUP BY agent ORDER BY max(last_seen) DESC LIMIT {limit:UInt32}`,
    {
      from_s: Math.floor(span.fromUs / 6e7) * 60,
      since_s: Math.max(0, Math.floor(Math.min(span.fromUs, span.toUs - 86_400e6) / 6e7) * 60),
      to_s: Math.ceil(span.toUs / 1e6),
      limit: AGENTS_MAX,
    },
  )
  return rows
    .map((row) => ({
      agent: String(row.agent),
      peer_address: String(row.peer),
      agent_id: Number(row.id),
      agent_name: String(row.name),
      site: siteOf(Number(row.id)),
      ...(Object.fromEntries(COUNTS.map((name) => [name, Number(row[`sum_${name}`])])) as Record<
        (typeof COUNTS)[number],
        number
      >),
      last_seen: isoUsOf(Number(row.last_seen_us)),
      silent_s: Math.max(0, Math.round((live.asOfUs - Number(row.last_seen_us)) / 1e6)),
    }))
    .sort((a, b) => (a.site < b.site ? -1 : a.site > b.site ? 1 : a.agent < b.agent ? -1 : 1))
}
