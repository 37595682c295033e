/**
 * What `agents_minute` holds of each agent, as its verdict needs it: who was heard of lately, the minutes of the last hour,
 * and of those that are silent the hour before and the same time a week ago. Rows of several bus partitions are one here:
 * counts are summed, times and delays are the smallest or highest.
 *
 * Where only times are asked for, FINAL is left out: a row that was replaced says the same or less.
 */
import type { Readers } from '../readers.js'
import { type AgentHistory, type TapMinute, THRESHOLDS } from './verdict.js'

/** Names come from the wire: a hostile peer may invent any number of agents. Those with the most minutes are shown. */
export const AGENTS_MAX = 500
/** An agent that was not heard of for longer is forgotten. */
export const REMEMBERED_DAYS = 8
const WEEK_S = 7 * 86_400
/** How far beside the same time of last week is looked. */
const WEEK_AGO_SLACK_S = 900
const KNOWN_DAYS = 15
/** The history of one that was heard of since then is in the minutes that are read of all. */
const RECENT_S = 5_400

export interface HeardOf {
  agent: string
  peerAddress: string
  agentId: number
  agentName: string
  /** Minutes with rows: how well it is known. */
  minutes: number
  lastSeenUs: number
  lastSipUs: number
}

/** Rows of before 011_agents_health.sql know the last frame only. */
const LAST_SIP_US =
  'if(sip_messages = 0, toInt64(0), if(toUnixTimestamp64Micro(last_sip) = 0, toUnixTimestamp64Micro(last_seen), toUnixTimestamp64Micro(last_sip)))'
const FIRST_SIP_US =
  'if(toUnixTimestamp64Micro(first_sip) = 0, toInt64(toUnixTimestamp(minute)) * 1000000, toUnixTimestamp64Micro(first_sip))'

/** Of rows grouped by agent. */
export const HEARD_OF_COLUMNS = `agent, any(peer_address) AS peer, any(agent_id) AS id, any(agent_name) AS name, uniq(minute) AS minutes,
  toUnixTimestamp64Micro(max(last_seen)) AS last_seen_us, max(${LAST_SIP_US}) AS last_sip_us`

export function heardOfRow(row: Record<string, string>): HeardOf {
  return {
    agent: row.agent!,
    peerAddress: row.peer!,
    agentId: Number(row.id),
    agentName: row.name!,
    minutes: Number(row.minutes),
    lastSeenUs: Number(row.last_seen_us),
    lastSipUs: Number(row.last_sip_us),
  }
}

export async function readHeardOf(readers: Readers, asOfUs: number): Promise<HeardOf[]> {
  const rows = await readers.select<Record<string, string>>(
    `SELECT ${HEARD_OF_COLUMNS} FROM agents_minute
     WHERE minute >= toDateTime({since_s:UInt32}, 'UTC') AND minute <= toDateTime({as_of_s:UInt32}, 'UTC')
     GROUP BY agent ORDER BY minutes DESC, agent LIMIT {limit:UInt32}`,
    { ...spanParameters(asOfUs, REMEMBERED_DAYS * 86_400), limit: AGENTS_MAX },
  )
  return rows.map(heardOfRow)
}

/** All but `oneSided`, which attempts know. */
export type MinutesHistory = Omit<AgentHistory, 'oneSided'>

export async function readHistories(
  readers: Readers,
  heardOf: readonly HeardOf[],
  asOfUs: number,
): Promise<Map<string, MinutesHistory>> {
  const silent = heardOf
    .filter(({ lastSipUs }) => lastSipUs > 0 && asOfUs - lastSipUs > THRESHOLDS.silentMinUs)
    .map(({ agent }) => agent)
  const [recent, before, weekAgo] = await Promise.all([
    readRecent(readers, asOfUs, heardOf),
    silent.length === 0 ? [] : readBeforeSilence(readers, asOfUs, silent),
    silent.length === 0 ? new Map<string, 'talked' | 'silent'>() : readWeekAgo(readers, asOfUs, silent),
  ])
  const minutes = new Map(heardOf.map(({ agent }) => [agent, new Map<number, TapMinute>()]))
  for (const { agent, minute } of [...before, ...recent]) minutes.get(agent)?.set(minute.minuteS, minute)
  return new Map(
    heardOf.map(({ agent, lastSeenUs, lastSipUs }) => [
      agent,
      {
        lastSeenUs,
        lastSipUs,
        minutes: [...minutes.get(agent)!.values()].sort((a, b) => a.minuteS - b.minuteS),
        weekAgo: weekAgo.get(agent) ?? 'unknown',
      },
    ]),
  )
}

interface MinuteOfAgent {
  agent: string
  minute: TapMinute
}

const MINUTE_COLUMNS = `agent, toUInt32(minute) AS minute_s, sum(frames) AS sum_frames, sum(sip_messages) AS sum_sip,
  sum(udp_frames) AS sum_udp, minIf(${FIRST_SIP_US}, sip_messages > 0) AS first_sip_us, max(${LAST_SIP_US}) AS last_sip_us,
  sum(timed_messages) AS sum_timed, minIf(arrival_delay_min_us, timed_messages > 0) AS delay_min_us,
  sum(identity_seen) AS sum_identity, sum(identity_cut) AS sum_identity_cut, sum(sdp_seen) AS sum_sdp, sum(sdp_cut) AS sum_sdp_cut`

function minuteOf(row: Record<string, string>): MinuteOfAgent {
  return {
    agent: row.agent!,
    minute: {
      minuteS: Number(row.minute_s),
      frames: Number(row.sum_frames),
      sipMessages: Number(row.sum_sip),
      udpFrames: Number(row.sum_udp),
      firstSipUs: Number(row.first_sip_us),
      lastSipUs: Number(row.last_sip_us),
      timedMessages: Number(row.sum_timed),
      arrivalDelayMinUs: Number(row.delay_min_us),
      identitySeen: Number(row.sum_identity),
      identityCut: Number(row.sum_identity_cut),
      sdpSeen: Number(row.sum_sdp),
      sdpCut: Number(row.sum_sdp_cut),
    },
  }
}

async function readRecent(readers: Readers, asOfUs: number, heardOf: readonly HeardOf[]) {
  const rows = await readers.select<Record<string, string>>(
    `SELECT ${MINUTE_COLUMNS} FROM agents_minute FINAL
     WHERE minute > toDateTime({since_s:UInt32}, 'UTC') AND minute <= toDateTime({as_of_s:UInt32}, 'UTC')
       AND agent IN {agents:Array(String)}
     GROUP BY agent, minute`,
    { ...spanParameters(asOfUs, RECENT_S), agents: heardOf.map(({ agent }) => agent) },
  )
  return rows.map(minuteOf)
}

/** The hour up to the last SIP message of each of these. */
async function readBeforeSilence(readers: Readers, asOfUs: number, agents: readonly string[]) {
  const rows = await readers.select<Record<string, string>>(
    `SELECT ${MINUTE_COLUMNS} FROM agents_minute FINAL
     INNER JOIN (
       SELECT agent, max(minute) AS last_minute FROM agents_minute
       WHERE minute >= toDateTime({since_s:UInt32}, 'UTC') AND minute <= toDateTime({as_of_s:UInt32}, 'UTC')
         AND agent IN {agents:Array(String)} AND sip_messages > 0
       GROUP BY agent) AS last USING agent
     WHERE minute >= toDateTime({since_s:UInt32}, 'UTC') AND minute <= last_minute
       AND minute > last_minute - INTERVAL ${THRESHOLDS.historySpanS} SECOND AND agent IN {agents:Array(String)}
     GROUP BY agent, minute`,
    { ...spanParameters(asOfUs, REMEMBERED_DAYS * 86_400 + THRESHOLDS.historySpanS), agents },
  )
  return rows.map(minuteOf)
}

async function readWeekAgo(
  readers: Readers,
  asOfUs: number,
  agents: readonly string[],
): Promise<Map<string, 'talked' | 'silent'>> {
  const weekAgoS = Math.floor(asOfUs / 60e6) * 60 - WEEK_S
  const rows = await readers.select<{ agent: string; talking: string; known: number }>(
    `SELECT agent, uniqExactIf(minute, sip_messages > 0 AND minute >= toDateTime({from_s:UInt32}, 'UTC')) AS talking,
       min(minute) < toDateTime({from_s:UInt32}, 'UTC') AS known
     FROM agents_minute
     WHERE minute >= toDateTime({since_s:UInt32}, 'UTC') AND minute <= toDateTime({to_s:UInt32}, 'UTC')
       AND agent IN {agents:Array(String)}
     GROUP BY agent`,
    {
      since_s: Math.max(0, weekAgoS + WEEK_S - KNOWN_DAYS * 86_400),
      from_s: weekAgoS - WEEK_AGO_SLACK_S,
      to_s: weekAgoS + WEEK_AGO_SLACK_S,
      agents,
    },
  )
  const found = new Map<string, 'talked' | 'silent'>()
  for (const { agent, talking, known } of rows) {
    if (Number(talking) >= THRESHOLDS.historyMinutes) found.set(agent, 'talked')
    else if (Number(known) === 1) found.set(agent, 'silent')
  }
  return found
}

function spanParameters(asOfUs: number, lengthS: number) {
  const asOfS = Math.floor(asOfUs / 1e6)
  return { since_s: Math.max(0, asOfS - lengthS), as_of_s: asOfS }
}
