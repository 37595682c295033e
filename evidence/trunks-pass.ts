/**
 * The pass behind trunk-minutes.ts: what each trunk answered, by minute, from the OPTIONS among the raw messages and from the
 * attempts. Raw messages are kept for days: rows of minutes without any stay as they are.
 *
 * An OPTIONS whose Timer F had not run out when its minute was judged is looked at again: as long as one is pending, its minute
 * goes along with the next run, for an hour.
 *
 * Reading   requests by method and time: two small columns of the parts that overlap the window (a part knows its first and last
 *           capture time), then what has these Call-IDs, by the key of the table. docs/trunks.md has the figures.
 */
import type { TrunkscopeConfig } from '../schemas/config.js'
import type { Ends, LegAttributes } from '../schemas/leg-attributes.js'
import { namedPorts, TAIL_MAX, TRUNK_COUNT_COLUMNS, TRUNK_PORT_SQL } from '../schemas/trunks.js'
import { BETWEEN } from './leg.js'
import type { Context, EvidencePass, PassResult, Window } from './pass.js'
import {
  type OptionsExchange,
  TIMER_F_US,
  type TrunkCalls,
  type TrunkMinute,
  trunkMinutes,
} from './trunk-minutes.js'
import { type TrunkRow, type TrunkTable, writeTrunkRows } from './trunk-rows.js'

/** Whose leg it is, by a configuration: the role hands over how the stored calls are attributed. */
export type Attribution = (config: TrunkscopeConfig) => (ends: Ends) => LegAttributes

/** Responses of a minute change what is said of requests in the minute before. */
const REACH_S = 60
const PENDING_REACH_S = 3_600
/** Exchanges between two addresses in a minute, and of all of them: a scanner sends any number. */
const EXCHANGES_OF_PAIR_MAX = 600
const EXCHANGES_MAX = 200_000

export const TRUNK_MINUTES: TrunkTable = {
  name: 'trunk_minutes',
  keys: ['minute', 'carrier', 'site', 'far_address', 'far_port'],
  values: Object.values(TRUNK_COUNT_COLUMNS),
}

export function trunksPass(attribution: Attribution): EvidencePass {
  return {
    id: 'trunks',
    reachS: REACH_S,
    settleS: 35,
    everyS: 15,
    async run(window: Window, context: Context): Promise<PassResult> {
      const legOf = attribution(context.config)
      const windows = [
        { fromS: Math.max(0, window.fromS - REACH_S), toS: window.toS },
        ...(await pendingMinutes(context, window)),
      ]
      const minutes = new Set<number>()
      let rows = 0
      for (const one of windows) {
        const written = await judge(one, context, legOf)
        rows += written.length
        for (const row of written) minutes.add(Number(row.minute))
      }
      // Nobody reads these by their minutes: the rollups do not know of them.
      return { rows, changedMinutesS: [...minutes] }
    },
  }
}

interface Stretch {
  fromS: number
  toS: number
}

async function judge(
  stretch: Stretch,
  context: Context,
  legOf: (ends: Ends) => LegAttributes,
): Promise<TrunkRow[]> {
  const parameters = { from: stretch.fromS, to: stretch.toS }
  const exchanges = await readExchanges(context, stretch, legOf)
  const calls = await readCalls(context, stretch)
  const standing = await select<TrunkRow>(
    context,
    `SELECT toUInt32(minute) AS minute, ${[...TRUNK_MINUTES.keys.slice(1), ...TRUNK_MINUTES.values].map(numbered).join(', ')}
     FROM trunk_minutes FINAL WHERE ${BETWEEN}`,
    parameters,
  )
  if (exchanges.length === 0 && standing.some(hasOptions) && !(await areMessagesKept(context, stretch)))
    return []
  const heard = await readHeard(context, stretch)
  return writeTrunkRows(context, TRUNK_MINUTES, trunkMinutes(exchanges, calls, heard).map(rowOf), standing)
}

const hasOptions = (row: TrunkRow) =>
  [
    'options_answered',
    'options_503',
    'options_5xx',
    'options_unanswered',
    'options_pending',
    'options_in',
  ].some((name) => Number(row[name]) > 0)

/** 64-bit integers would come as texts; these are microseconds, which a double holds. */
const numbered = (name: string) => (name.endsWith('_us') ? `toFloat64(${name}) AS ${name}` : name)

function rowOf({ minuteS, trunk, counts }: TrunkMinute): TrunkRow {
  return {
    minute: minuteS,
    carrier: trunk.carrier,
    site: trunk.site,
    far_address: trunk.farAddress,
    far_port: trunk.farPort,
    ...Object.fromEntries(
      Object.entries(TRUNK_COUNT_COLUMNS).map(([name, column]) => [
        column,
        counts[name as keyof typeof counts],
      ]),
    ),
  }
}

/** Of the hour before: where an OPTIONS waits for its end. */
async function pendingMinutes(context: Context, { fromS }: Window): Promise<Stretch[]> {
  const rows = await select<{ minute_s: number }>(
    context,
    `SELECT DISTINCT toUInt32(minute) AS minute_s FROM trunk_minutes FINAL
     WHERE ${BETWEEN} AND options_pending > 0 ORDER BY minute_s`,
    { from: Math.max(0, fromS - PENDING_REACH_S), to: Math.max(0, fromS - REACH_S) },
  )
  return rows.map(({ minute_s: minuteS }) => ({ fromS: minuteS, toS: minuteS + 60 }))
}

/** Arrival of the last SIP message of each agent since then. */
async function readHeard(context: Context, { fromS }: Stretch): Promise<Map<string, number>> {
  const rows = await select<{ agent: string; at_us: number }>(
    context,
    `SELECT agent, toFloat64(toUnixTimestamp64Micro(max(last_sip))) AS at_us FROM agents_minute
     WHERE minute >= toDateTime({from:UInt32}, 'UTC') GROUP BY agent`,
    { from: fromS },
  )
  return new Map(rows.map(({ agent, at_us: atUs }) => [agent, atUs]))
}

const HEAD = `substring(raw, 1, if(position(raw, '\\r\\n\\r\\n') = 0, length(raw), position(raw, '\\r\\n\\r\\n') + 1))`
const IN_TIME = `captured_at >= toDateTime64({from:UInt32} - {reach:UInt32}, 6, 'UTC') AND captured_at < toDateTime64({to:UInt32} + {reach:UInt32}, 6, 'UTC')`

/**
 * A response belongs to the request with its Call-ID, CSeq and top Via branch (RFC 3261 §17.1.3) that went the other way. Two
 * agents that saw the same exchange give one. Messages of one Call-ID are on one shard of a cluster.
 */
const EXCHANGES = `
  SELECT min_agent, client, client_port, server, server_port, toFloat64(sent_us), status, toFloat64(answered_us) FROM (
    SELECT call_id, cseq_number, branch, client, server, minIf(agent, is_request) AS min_agent,
      minIf(from_port, is_request) AS client_port, minIf(to_port, is_request) AS server_port,
      minIf(at_us, is_request) AS sent_us, argMinIf(status_code, (at_us, status_code), NOT is_request) AS status,
      if(countIf(NOT is_request) = 0, 0, minIf(at_us, NOT is_request)) AS answered_us
    FROM (
      SELECT call_id, cseq_number, agent, status_code, status_code = 0 AS is_request, source_port AS from_port,
        destination_port AS to_port, toUnixTimestamp64Micro(captured_at) AS at_us,
        if(is_request, source_address, destination_address) AS client,
        if(is_request, destination_address, source_address) AS server, ${HEAD} AS head,
        extract(head, '(?i)\\n(?:via|v)[ \\t]*:[^\\r\\n,]*?;[ \\t]*branch[ \\t]*=[ \\t]*([^;,\\s]*)') AS branch
      FROM sip_messages
      PREWHERE ${IN_TIME} AND (method = 'OPTIONS' OR status_code >= 200)
        AND call_id IN (SELECT call_id FROM sip_messages PREWHERE ${IN_TIME} AND method = 'OPTIONS' WHERE call_id != '')
      WHERE is_request OR match(head, '(?i)\\ncseq[ \\t]*:[ \\t]*[0-9]+[ \\t]+OPTIONS[ \\t]*\\r?\\n')
    )
    GROUP BY call_id, cseq_number, branch, client, server
    HAVING countIf(is_request) > 0 AND sent_us >= toUInt64({from:UInt32}) * 1000000 AND sent_us < toUInt64({to:UInt32}) * 1000000
  )
  ORDER BY sent_us, call_id, cseq_number, branch
  LIMIT {pair:UInt32} BY client, server, intDiv(sent_us, 60000000) LIMIT {limit:UInt32}`

type ExchangeRow = [string, string, number, string, number, number, number, number]

async function readExchanges(
  context: Context,
  { fromS, toS }: Stretch,
  legOf: (ends: Ends) => LegAttributes,
): Promise<OptionsExchange[]> {
  const result = await context.client.query({
    query: EXCHANGES,
    query_params: {
      from: fromS,
      to: toS,
      reach: TIMER_F_US / 1e6 + 1,
      pair: EXCHANGES_OF_PAIR_MAX,
      limit: EXCHANGES_MAX + 1,
    },
    format: 'JSONCompactEachRow',
    clickhouse_settings: { distributed_product_mode: 'local' },
  })
  const rows = await result.json<ExchangeRow>()
  if (rows.length > EXCHANGES_MAX) {
    rows.length = EXCHANGES_MAX
    context.log(
      'warn',
      `evidence: more than ${EXCHANGES_MAX} OPTIONS in one window: the rest is not looked at`,
    )
  }
  const ports = namedPorts(context.config)
  return rows.flatMap((row) => exchangeOf(row, legOf, ports) ?? [])
}

function exchangeOf(
  row: ExchangeRow,
  legOf: (ends: Ends) => LegAttributes,
  ports: ReadonlySet<string>,
): OptionsExchange | undefined {
  const [agent, client, clientPort, server, serverPort, sentAtUs, status, answeredAtUs] = row
  const agentId = Number(agent.split('/')[1] ?? 0)
  const asked = legOf({
    agentId,
    sourceAddress: client,
    sourcePort: clientPort,
    destinationAddress: server,
    destinationPort: serverPort,
  })
  // A peer that is named for one direction of calls is pinged in both.
  const turned =
    asked.party === 'carrier'
      ? undefined
      : legOf({
          agentId,
          sourceAddress: server,
          sourcePort: serverPort,
          destinationAddress: client,
          destinationPort: clientPort,
        })
  const leg = turned ?? asked
  if (leg.party !== 'carrier') return undefined
  const isOurs = (leg.direction === 'outbound') !== (turned !== undefined)
  return {
    trunk: {
      carrier: leg.carrier,
      site: leg.site,
      farAddress: leg.farAddress,
      farPort: ports.has(`${leg.carrier}:${leg.farPort}`) ? leg.farPort : 0,
    },
    from: isOurs ? 'us' : 'them',
    agent,
    sentAtUs,
    status,
    answeredAtUs,
  }
}

/** Judged at the attempts as the fold sees them. A response to an INVITE is any, 100 too: somebody is there. */
async function readCalls(context: Context, { fromS, toS }: Stretch): Promise<TrunkCalls[]> {
  const rows = await select<Record<string, unknown>>(
    context,
    `SELECT toUInt32(minute) AS minute_s, carrier, site, far_address, ${TRUNK_PORT_SQL} AS port,
       countIf(is_out) AS calls_out, countIf(NOT is_out) AS calls_in, countIf(is_out AND has_responded) AS responded,
       countIf(is_out AND final_code = 503) AS calls_503, countIf(is_unanswered) AS unanswered,
       toFloat64(maxIf(invited_at_us + if(is_out, toUInt64(ifNull(first_response_ms, 0) * 1000), 0), NOT is_out OR has_responded)) AS life_us,
       arrayMap(x -> toFloat64(x), arraySlice(arrayReverseSort(groupArrayIf(100000)(invited_at_us, is_unanswered)), 1, ${TAIL_MAX})) AS unanswered_us
     FROM (
       SELECT minute, carrier, site, far_address, far_port, final_code, first_response_ms, invited_at_us,
         direction = 'outbound' AS is_out,
         ifNull(first_response_ms <= ${TIMER_F_US / 1e3}, final_code > 0) AS has_responded,
         is_out AND state = 'closed' AND final_code = 0 AND disposition = 'TIMEOUT' AND isNull(first_response_ms) AS is_unanswered
       FROM call_attempts FINAL
       WHERE ${BETWEEN} AND party = 'carrier' AND state != 'fragment' AND direction != 'unknown' AND invited_at_us > 0
     )
     GROUP BY minute_s, carrier, site, far_address, port`,
    { from: fromS, to: toS, ports: [...namedPorts(context.config)] },
  )
  return rows.map((row) => ({
    trunk: {
      carrier: String(row.carrier),
      site: String(row.site),
      farAddress: String(row.far_address),
      farPort: Number(row.port),
    },
    minuteS: Number(row.minute_s),
    callsOut: Number(row.calls_out),
    callsIn: Number(row.calls_in),
    callsResponded: Number(row.responded),
    calls503: Number(row.calls_503),
    callsUnanswered: Number(row.unanswered),
    lastLifeUs: Number(row.life_us),
    unansweredAtUs: row.unanswered_us as number[],
  }))
}

async function areMessagesKept(context: Context, stretch: Stretch): Promise<boolean> {
  const rows = await select(
    context,
    `SELECT 1 AS one FROM sip_messages
     WHERE captured_at >= toDateTime64({from:UInt32}, 6, 'UTC') AND captured_at < toDateTime64({to:UInt32}, 6, 'UTC') LIMIT 1`,
    { from: stretch.fromS, to: stretch.toS },
  )
  return rows.length > 0
}

async function select<Row>(
  { client }: Context,
  query: string,
  parameters: Record<string, unknown>,
): Promise<Row[]> {
  const result = await client.query({ query, query_params: parameters, format: 'JSONEachRow' })
  return result.json<Row>()
}
