/**
 * Counts what each agent sent, by the minute of arrival, in whole rows: a row says up to which bus position it counts, so
 * that frames read again after a crash are not counted again.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { Column } from '../../schemas/call-attempts.js'

export interface AgentMinute {
  minuteS: number
  agent: string
  peerAddress: string
  agentId: number
  agentName: string
  frames: number
  sipMessages: number
  keepalives: number
  refused: number
  unreadable: number
  truncated: number
  timestampsReplaced: number
  lastSeenUs: number
}

export interface AgentRow {
  count: AgentMinute
  busPartition: number
  countedUntil: number
}

const of = (
  name: string,
  type: Column<AgentRow>['type'],
  get: (count: AgentMinute) => unknown,
): Column<AgentRow> => ({
  name,
  type,
  of: (row) => get(row.count),
})

export const AGENT_COLUMNS: readonly Column<AgentRow>[] = [
  { name: 'bus_partition', type: 'UInt16', of: (row) => row.busPartition },
  of('minute', 'DateTime', (x) => x.minuteS),
  of('agent', 'String', (x) => x.agent),
  of('peer_address', 'String', (x) => x.peerAddress),
  of('agent_id', 'UInt32', (x) => x.agentId),
  of('agent_name', 'String', (x) => x.agentName),
  { name: 'counted_until', type: 'UInt64', of: (row) => row.countedUntil },
  of('frames', 'UInt64', (x) => x.frames),
  of('sip_messages', 'UInt64', (x) => x.sipMessages),
  of('keepalives', 'UInt64', (x) => x.keepalives),
  of('refused', 'UInt64', (x) => x.refused),
  of('unreadable', 'UInt64', (x) => x.unreadable),
  of('truncated', 'UInt64', (x) => x.truncated),
  of('timestamps_replaced', 'UInt64', (x) => x.timestampsReplaced),
  of('last_seen', 'DateTime64(6)', (x) => x.lastSeenUs),
]

/** Names come out of packets: beyond this many agents a minute they share one row. */
const AGENTS_MAX = 500
/** Minutes kept in memory for late frames; received times hardly ever go back. */
const MINUTES_KEPT = 3

export class AgentCounts {
  /** Frames before this position were counted by a process before us. */
  countedUntil = 0
  #minutes = new Map<number, Map<string, AgentMinute & { changed: boolean }>>()

  of(
    receivedAtUs: number,
    agent: string,
    peerAddress: string,
    agentId: number,
    agentName: string,
  ): AgentMinute {
    const minuteS = Math.floor(receivedAtUs / 60_000_000) * 60
    let minute = this.#minutes.get(minuteS)
    if (minute === undefined) {
      minute = new Map()
      this.#minutes.set(minuteS, minute)
    }
    let count = minute.get(agent)
    if (count === undefined && minute.size >= AGENTS_MAX) count = minute.get('other')
    if (count === undefined) {
      const isOther = minute.size >= AGENTS_MAX
      count = {
        minuteS,
        agent: isOther ? 'other' : agent,
        peerAddress: isOther ? '' : peerAddress,
        agentId: isOther ? 0 : agentId,
        agentName: isOther ? '' : agentName.slice(0, 64),
        frames: 0,
        sipMessages: 0,
        keepalives: 0,
        refused: 0,
        unreadable: 0,
        truncated: 0,
        timestampsReplaced: 0,
        lastSeenUs: 0,
        changed: true,
      }
      minute.set(count.agent, count)
    }
    count.changed = true
    count.lastSeenUs = Math.max(count.lastSeenUs, receivedAtUs)
    return count
  }

  /** Rows that changed since the last call. */
  takeChanged(): AgentMinute[] {
    const changed: AgentMinute[] = []
    for (const minute of this.#minutes.values()) {
      for (const count of minute.values()) {
        if (!count.changed) continue
        count.changed = false
        changed.push({ ...count })
      }
    }
    const kept = [...this.#minutes.keys()].sort((a, b) => b - a).slice(0, MINUTES_KEPT)
    for (const minuteS of this.#minutes.keys()) if (!kept.includes(minuteS)) this.#minutes.delete(minuteS)
    return changed
  }

  /** Reads back the newest minutes, so that their rows go on from where they stood. */
  async restore(client: ClickHouseClient, busPartition: number): Promise<void> {
    const result = await client.query({
      query: `SELECT toUInt32(minute) AS minuteS, agent, peer_address AS peerAddress, agent_id AS agentId,
                agent_name AS agentName, frames, sip_messages AS sipMessages, keepalives, refused, unreadable, truncated,
                timestamps_replaced AS timestampsReplaced, toUnixTimestamp64Micro(last_seen) AS lastSeenUs,
                counted_until AS countedUntil
              FROM agents_minute FINAL
              WHERE bus_partition = {partition:UInt16}
                AND minute >= (SELECT max(minute) FROM agents_minute WHERE bus_partition = {partition:UInt16}) - 120`,
      query_params: { partition: busPartition },
      format: 'JSONEachRow',
    })
    for (const row of await result.json<Record<string, string | number>>()) {
      const minuteS = Number(row.minuteS)
      const minute = this.#minutes.get(minuteS) ?? new Map()
      this.#minutes.set(minuteS, minute)
      const { countedUntil, ...texts } = row
      const texty = new Set(['agent', 'peerAddress', 'agentName'])
      const count = Object.fromEntries(
        Object.entries(texts).map(([name, value]) => [name, texty.has(name) ? value : Number(value)]),
      )
      minute.set(String(row.agent), { ...count, changed: false })
      this.countedUntil = Math.max(this.countedUntil, Number(countedUntil))
    }
  }
}
