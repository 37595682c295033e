/**
 * Counts what each agent sent, by the minute of arrival: rows that say from which bus position up to which they count, so
 * that frames read again after a crash are not counted again. What the counts are good for: docs/tap-health.md.
 *
 * A minute stays in memory while it changes. One that gets frames after it was put away (several captures, of which one
 * catches up) goes on in another row, told apart by `countedFrom`; whoever reads sums the rows.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { Column } from '../../schemas/call-attempts.js'
import { HEP_FLAG } from '../../schemas/hep-frame.js'
import type { ObservedMessage } from '../../schemas/observed-message.js'
import { readIdentity } from '../../sip/passport.js'
import { isSdpType } from '../../sip/sdp.js'

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
  /** Bus position before the first frame of the row. */
  countedFrom: number
  udpFrames: number
  /** SIP messages that came again; they are among `sipMessages` too. */
  duplicates: number
  /** Received-at of the first and last SIP message, microseconds since 1970 UTC; 0 without one. */
  firstSipUs: number
  lastSipUs: number
  /** SIP messages that carry a capture time of their own. */
  timedMessages: number
  /** The smallest (received - captured) of those; 0 without one. */
  arrivalDelayMinUs: number
  identitySeen: number
  identityCut: number
  sdpSeen: number
  sdpCut: number
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
  of('counted_from', 'UInt64', (x) => x.countedFrom),
  of('udp_frames', 'UInt64', (x) => x.udpFrames),
  of('duplicates', 'UInt64', (x) => x.duplicates),
  of('first_sip', 'DateTime64(6)', (x) => x.firstSipUs),
  of('last_sip', 'DateTime64(6)', (x) => x.lastSipUs),
  of('timed_messages', 'UInt64', (x) => x.timedMessages),
  of('arrival_delay_min_us', 'Int64', (x) => x.arrivalDelayMinUs),
  of('identity_seen', 'UInt64', (x) => x.identitySeen),
  of('identity_cut', 'UInt64', (x) => x.identityCut),
  of('sdp_seen', 'UInt64', (x) => x.sdpSeen),
  of('sdp_cut', 'UInt64', (x) => x.sdpCut),
]

/** Names come out of packets: beyond this many agents a minute they share one row. */
const AGENTS_MAX = 500
/** An agent that was there before keeps its own row up to this many: invented names must not push it out. */
const AGENTS_KNOWN_MAX = 2 * AGENTS_MAX
/** Minutes kept in memory, besides those that changed lately; received times hardly ever go back. */
const MINUTES_KEPT = 3
/** How far back the newest position is looked for: further than a spool or a topic reaches. */
const RESTORE_DAYS = 7

const OTHER = 'other'

let owners = 0

export class AgentCounts {
  /** Frames before this position were counted, by us or by a process before us. */
  countedUntil = 0
  /** Tells this count from any other of the process: what one has seen, another has not. */
  readonly owner = ++owners
  /** Arrival of the latest frame that was counted. */
  #lastSeenUs = 0
  #minutes = new Map<number, Map<string, AgentMinute & { changed: boolean }>>()

  /**
   * Whether a frame was not counted before. At a position that was counted, but received after everything that was, it comes
   * from a log that began anew (a broker that lost its data): counting begins anew too, in rows of their own.
   */
  isNew(position: number, receivedAtUs: number): boolean {
    if (position >= this.countedUntil) return true
    if (receivedAtUs <= this.#lastSeenUs) return false
    this.countedUntil = position
    this.#minutes.clear()
    return true
  }

  of(
    receivedAtUs: number,
    agent: string,
    peerAddress: string,
    agentId: number,
    agentName: string,
  ): AgentMinute {
    if (receivedAtUs > this.#lastSeenUs) this.#lastSeenUs = receivedAtUs
    const minuteS = Math.floor(receivedAtUs / 60_000_000) * 60
    let minute = this.#minutes.get(minuteS)
    if (minute === undefined) {
      minute = new Map()
      this.#minutes.set(minuteS, minute)
    }
    let count = minute.get(agent)
    if (count === undefined) {
      const isOther = !this.#hasRoom(minute.size, agent)
      count = isOther ? minute.get(OTHER) : undefined
      if (count === undefined) {
        count = {
          ...(isOther
            ? emptyMinute(minuteS, OTHER, '', 0, '')
            : emptyMinute(minuteS, agent, peerAddress, agentId, agentName)),
          countedFrom: this.countedUntil,
          changed: true,
        }
        minute.set(count.agent, count)
      }
    }
    count.changed = true
    if (receivedAtUs > count.lastSeenUs) count.lastSeenUs = receivedAtUs
    return count
  }

  #hasRoom(agents: number, agent: string): boolean {
    if (agents < AGENTS_MAX) return true
    if (agents >= AGENTS_KNOWN_MAX) return false
    return [...this.#minutes.values()].some((minute) => minute.has(agent))
  }

  /** Rows that changed since the last call. */
  takeChanged(): AgentMinute[] {
    const taken: AgentMinute[] = []
    const newest = [...this.#minutes.keys()].sort((a, b) => b - a).slice(0, MINUTES_KEPT)
    for (const [minuteS, minute] of this.#minutes) {
      let isIdle = true
      for (const count of minute.values()) {
        if (!count.changed) continue
        isIdle = false
        count.changed = false
        const { changed, ...row } = count
        taken.push(row)
      }
      if (isIdle && !newest.includes(minuteS)) this.#minutes.delete(minuteS)
    }
    return taken
  }

  /** Reads back how far was counted, and the newest minutes, so that their rows go on from where they stood. */
  async restore(client: ClickHouseClient, busPartition: number): Promise<void> {
    const newest = `(SELECT minute FROM agents_minute WHERE bus_partition = {partition:UInt16} ORDER BY minute DESC LIMIT 1)`
    const select = async (query: string) => {
      const result = await client.query({
        query,
        query_params: { partition: busPartition },
        format: 'JSONEachRow',
      })
      return result.json<Record<string, string | number>>()
    }
    const [counted] = await select(
      `SELECT max(counted_until) AS until, toUnixTimestamp64Micro(max(last_seen)) AS last_seen_us FROM agents_minute
       WHERE bus_partition = {partition:UInt16} AND minute >= ${newest} - INTERVAL ${RESTORE_DAYS} DAY`,
    )
    this.countedUntil = Number(counted?.until ?? 0)
    this.#lastSeenUs = Number(counted?.last_seen_us ?? 0)
    // Of several rows of a minute the last one goes on.
    const rows = await select(
      `SELECT toUInt32(minute) AS minuteS, agent, peer_address AS peerAddress, agent_id AS agentId,
         agent_name AS agentName, frames, sip_messages AS sipMessages, keepalives, refused, unreadable, truncated,
         timestamps_replaced AS timestampsReplaced, toUnixTimestamp64Micro(last_seen) AS lastSeenUs,
         counted_from AS countedFrom, udp_frames AS udpFrames, duplicates,
         toUnixTimestamp64Micro(first_sip) AS firstSipUs, toUnixTimestamp64Micro(last_sip) AS lastSipUs,
         timed_messages AS timedMessages, arrival_delay_min_us AS arrivalDelayMinUs,
         identity_seen AS identitySeen, identity_cut AS identityCut, sdp_seen AS sdpSeen, sdp_cut AS sdpCut
       FROM agents_minute FINAL
       WHERE bus_partition = {partition:UInt16} AND minute >= ${newest} - INTERVAL 2 MINUTE
       ORDER BY counted_from`,
    )
    const texts = new Set(['agent', 'peerAddress', 'agentName'])
    for (const row of rows) {
      const minuteS = Number(row.minuteS)
      const minute = this.#minutes.get(minuteS) ?? new Map()
      this.#minutes.set(minuteS, minute)
      const count = Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, texts.has(name) ? value : Number(value)]),
      )
      minute.set(String(row.agent), { ...count, changed: false })
    }
  }
}

export function emptyMinute(
  minuteS: number,
  agent: string,
  peerAddress: string,
  agentId: number,
  agentName: string,
): AgentMinute {
  return {
    minuteS,
    agent,
    peerAddress,
    agentId,
    agentName: agentName.slice(0, 64),
    frames: 0,
    sipMessages: 0,
    keepalives: 0,
    refused: 0,
    unreadable: 0,
    truncated: 0,
    timestampsReplaced: 0,
    lastSeenUs: 0,
    countedFrom: 0,
    udpFrames: 0,
    duplicates: 0,
    firstSipUs: 0,
    lastSipUs: 0,
    timedMessages: 0,
    arrivalDelayMinUs: 0,
    identitySeen: 0,
    identityCut: 0,
    sdpSeen: 0,
    sdpCut: 0,
  }
}

/** Counts a SIP message of the agent. */
export function countMessage(
  count: AgentMinute,
  { message, frameFlags, capturedAtUs }: ObservedMessage,
  receivedAtUs: number,
): void {
  count.sipMessages++
  if (receivedAtUs > count.lastSipUs) count.lastSipUs = receivedAtUs
  if (count.firstSipUs === 0 || receivedAtUs < count.firstSipUs) count.firstSipUs = receivedAtUs
  if (message.parseError !== '') count.unreadable++
  if (frameFlags & (HEP_FLAG.missingTimestamp | HEP_FLAG.clampedTimestamp)) {
    count.timestampsReplaced++
  } else {
    const delayUs = receivedAtUs - capturedAtUs
    if (count.timedMessages++ === 0 || delayUs < count.arrivalDelayMinUs) count.arrivalDelayMinUs = delayUs
  }
  if (message.truncated) count.truncated++
  if (message.identities.length > 0) {
    count.identitySeen++
    if (message.identities.some(isCutIdentity)) count.identityCut++
  }
  if (message.hasSdp || (message.truncated && isSdpType(message.contentType))) {
    count.sdpSeen++
    if (message.truncated) count.sdpCut++
  }
}

/** As the fold will find when it reads the token, without reading it where `info` stands behind it. */
function isCutIdentity(value: string): boolean {
  const semicolon = value.indexOf(';')
  if (semicolon >= 0 && value.indexOf('info', semicolon) >= 0) return false
  return readIdentity(value).problem === 'truncated'
}
