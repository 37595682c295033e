/**
 * The pass of peaks: how many calls were up at once and how many began in a second, of each trunk, carrier, site, by hour, and what
 * of that was near the contracted limit. All of it is counted by the engine, from starts and ends summed by second.
 *
 * Rules (docs/trunks.md)
 *   up           from the INVITE to the end; it is looked at whole seconds: a call counts at second s when start ≤ s < end
 *   end          BYE of an answered call, else its final response; CANCEL or INVITE plus Timer B where there is none; INVITE plus
 *                Timer C (180 s) where the capture lost the final; a call of which no end is seen counts for CALL_MAX_S
 *   talking      from the answer to the end
 *   per second   INVITEs (attempts, not tries) by the second they were sent in
 *
 * An hour is counted again when a minute of it changes; and an hour that stands already when a minute changes of which calls reach
 * into it.
 */
import type { TrunkscopeConfig } from '../schemas/config.js'
import {
  ADDRESSES_MAX,
  namedPorts,
  OTHER_ADDRESSES,
  type PeakScope,
  SCOPE_OF_LIMIT,
  TRUNK_PORT_SQL,
} from '../schemas/trunks.js'
import type { Context, EvidencePass, PassResult, Window } from './pass.js'
import { type TrunkRow, type TrunkTable, writeTrunkRows } from './trunk-rows.js'

const HOUR_S = 3_600
/** The longest a call counts, whether its end was seen or not: what is read before an hour is bounded by it. */
export const CALL_MAX_S = 4 * HOUR_S
/** Share of a limit from which on a second is near it. */
export const NEAR_RATIO = 0.95

export const TRUNK_HOURS: TrunkTable = {
  name: 'trunk_hours',
  keys: ['hour', 'scope', 'carrier', 'site', 'far_address', 'far_port'],
  values: [
    'attempts',
    'calls_peak',
    'calls_peak_s',
    'talking_peak',
    'talking_peak_s',
    'unended',
    'per_second_peak',
    'per_second_peak_s',
    'per_second_p99',
    'congestion',
    'congestion_near_limit',
    'seconds_near_limit',
    'calls_limit',
    'per_second_limit',
  ],
}

export const trunkHoursPass: EvidencePass = {
  id: 'trunk_hours',
  reachS: 0,
  settleS: 60,
  everyS: 120,
  async run(window: Window, context: Context): Promise<PassResult> {
    const changed = new Set(window.minutesS.map((minuteS) => minuteS - (minuteS % HOUR_S)))
    const last = Math.max(...changed)
    const later = await select<{ hour: number }>(
      context,
      `SELECT DISTINCT toUInt32(hour) AS hour FROM trunk_hours FINAL
       WHERE hour > toDateTime({from:UInt32}, 'UTC') AND hour <= toDateTime({to:UInt32}, 'UTC')`,
      { from: Math.min(...changed), to: last + CALL_MAX_S },
    )
    const hours = [...new Set([...changed, ...later.map(({ hour }) => hour)])].sort((a, b) => a - b)
    let rows = 0
    for (const hourS of hours) rows += await judge(hourS, context)
    return { rows, changedMinutesS: [] }
  },
}

async function judge(hourS: number, context: Context): Promise<number> {
  const standing = await select<TrunkRow>(
    context,
    `SELECT toUInt32(hour) AS hour, ${[...TRUNK_HOURS.keys.slice(1), ...TRUNK_HOURS.values].map(numbered).join(', ')}
     FROM trunk_hours FINAL WHERE hour = toDateTime({hour:UInt32}, 'UTC')`,
    { hour: hourS },
  )
  const rows = await peaksOf(hourS, context)
  return (await writeTrunkRows(context, TRUNK_HOURS, rows, standing)).length
}

/** 64-bit integers would come as texts. */
const numbered = (name: string) =>
  name === 'attempts' || name.startsWith('congestion') ? `toFloat64(${name}) AS ${name}` : name

/** What a limit is of, as the key of a scope below. */
function limitsOf(config: Pick<TrunkscopeConfig, 'carriers'>) {
  const names: string[] = []
  const calls: number[] = []
  const perSecond: number[] = []
  for (const { id, limits } of config.carriers) {
    if (limits === undefined) continue
    const scope: PeakScope = SCOPE_OF_LIMIT[limits.per]
    names.push(`${scope} ${id}`)
    calls.push(limits.concurrent_calls ?? 0)
    perSecond.push(limits.calls_per_second ?? 0)
  }
  return { names, calls, perSecond }
}

const CALLS = `
  SELECT carrier, site, far_address, ${TRUNK_PORT_SQL} AS port, invited_at_us AS start_us, answered_at_us,
    least(start_us + ${CALL_MAX_S * 1e6}, greatest(start_us, multiIf(
      answered_at_us > 0, if(bye_at_us > 0, bye_at_us, start_us + ${CALL_MAX_S * 1e6}),
      final_at_us > 0, final_at_us,
      cancelled_at_us > 0, cancelled_at_us + 32000000,
      state = 'incomplete', start_us + 180000000,
      state = 'closed', start_us + 32000000,
      start_us + ${CALL_MAX_S * 1e6}))) AS end_us,
    answered_at_us > 0 AND bye_at_us = 0 OR state = 'open' AS has_no_end,
    if(final_code = 503, final_at_us, 0) AS congested_us
  FROM call_attempts FINAL
  WHERE minute >= toDateTime({hour:UInt32} - ${CALL_MAX_S + 60}, 'UTC') AND minute < toDateTime({hour:UInt32} + ${HOUR_S}, 'UTC')
    AND party = 'carrier' AND state != 'fragment' AND invited_at_us > 0`

/** Far addresses beyond the busiest of a carrier at a site are one. */
const NAMED = `if(has({crowded:Array(String)}, concat(carrier, '\\n', site))
  AND NOT has({named:Array(String)}, concat(carrier, '\\n', site, '\\n', far_address, '\\n', toString(port))), '${OTHER_ADDRESSES}', far_address)`

const SCOPES = `[('trunk', carrier, site, named, named_port), ('carrier_site', carrier, site, '', 0),
  ('carrier', carrier, '', '', 0), ('site', '', site, '', 0)]`

/** By second, of each scope: calls that begin and end, that are answered and end, INVITEs, 503s, calls that never ended. */
const SECONDS = `
  SELECT scope, second, sum(up) AS up, sum(talk) AS talk, sum(invites) AS invites, sum(congested) AS congested, sum(lost) AS lost
  FROM (
    SELECT carrier, site, named, named_port, event.1 AS second, sum(event.2) AS up, sum(event.3) AS talk,
      sum(event.4) AS invites, sum(event.5) AS congested, sum(event.6) AS lost
    FROM (
      SELECT carrier, site, ${NAMED} AS named, if(named = '${OTHER_ADDRESSES}', 0, port) AS named_port,
        toUInt32({hour:UInt32}) AS from_s, from_s + ${HOUR_S} AS to_s,
        least(to_s, greatest(from_s, toUInt32(intDiv(start_us + 999999, 1000000)))) AS up_s,
        least(to_s, greatest(from_s, toUInt32(intDiv(end_us + 999999, 1000000)))) AS end_s,
        if(answered_at_us = 0, end_s, least(end_s, greatest(up_s, toUInt32(intDiv(answered_at_us + 999999, 1000000))))) AS talk_s,
        arrayFilter(event -> event.1 >= from_s AND event.1 < to_s, [
          (up_s, toInt32(end_s > up_s), toInt32(0), toInt32(0), toInt32(0), toInt32(0)),
          (end_s, -toInt32(end_s > up_s), -toInt32(end_s > talk_s), 0, 0, 0),
          (talk_s, 0, toInt32(end_s > talk_s), 0, 0, 0),
          (toUInt32(intDiv(start_us, 1000000)), 0, 0, 1, 0, 0),
          (toUInt32(intDiv(congested_us, 1000000)), 0, 0, 0, toInt32(congested_us > 0), 0),
          (toUInt32(intDiv(end_us, 1000000)), 0, 0, 0, 0, toInt32(has_no_end))]) AS events
      FROM (${CALLS})
      WHERE end_us >= toUInt64({hour:UInt32}) * 1000000
    ) ARRAY JOIN events AS event
    GROUP BY carrier, site, named, named_port, second
  ) ARRAY JOIN ${SCOPES} AS scope
  GROUP BY scope, second`

const PEAKS = `
  SELECT {hour:UInt32} AS hour, scope.1 AS scope_, scope.2 AS carrier, scope.3 AS site, scope.4 AS far_address, scope.5 AS far_port,
    toFloat64(sum(invites)) AS attempts, toUInt32(max(calls)) AS calls_peak, argMax(second, (calls, -toInt64(second))) AS calls_peak_s,
    toUInt32(max(talking)) AS talking_peak, argMax(second, (talking, -toInt64(second))) AS talking_peak_s,
    toUInt32(sum(lost)) AS unended, toUInt32(max(invites)) AS per_second_peak,
    argMax(second, (invites, -toInt64(second))) AS per_second_peak_s,
    toUInt32(arrayElementOrNull(arrayReverseSort(groupArray(invites)), ${HOUR_S / 100 + 1})) AS p99_or_null,
    ifNull(p99_or_null, 0) AS per_second_p99, toFloat64(sum(congested)) AS congestion,
    toFloat64(sumIf(congested, is_near)) AS congestion_near_limit,
    toUInt32(sum(if(calls_near, next_s - second, toUInt32(is_near)))) AS seconds_near_limit,
    any(calls_limit) AS calls_limit_, any(per_second_limit) AS per_second_limit_
  FROM (
    SELECT scope, second, invites, congested, lost,
      sum(up) OVER running AS calls, sum(talk) OVER running AS talking,
      leadInFrame(second, 1, second + 1) OVER whole AS next_s,
      concat(scope.1, ' ', scope.2) AS limited,
      transform(limited, {names:Array(String)}, {calls:Array(UInt32)}, toUInt32(0)) AS calls_limit,
      transform(limited, {names:Array(String)}, {per_second:Array(UInt32)}, toUInt32(0)) AS per_second_limit,
      calls_limit > 0 AND calls >= ${NEAR_RATIO} * calls_limit AS calls_near,
      calls_near OR per_second_limit > 0 AND invites >= ${NEAR_RATIO} * per_second_limit AS is_near
    FROM (${SECONDS})
    WINDOW running AS (PARTITION BY scope ORDER BY second ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
      whole AS (PARTITION BY scope ORDER BY second ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
  )
  GROUP BY scope
  HAVING attempts > 0 OR calls_peak > 0`

async function peaksOf(hourS: number, context: Context): Promise<TrunkRow[]> {
  const ports = [...namedPorts(context.config)]
  const { crowded, named } = await crowdedOf(hourS, context, ports)
  const limits = limitsOf(context.config)
  const rows = await select<Record<string, string | number>>(context, PEAKS, {
    hour: hourS,
    ports,
    crowded,
    named,
    // An empty array has no type to transform with.
    names: ['', ...limits.names],
    calls: [0, ...limits.calls],
    per_second: [0, ...limits.perSecond],
  })
  return rows.map(
    ({ scope_: scope, calls_limit_: callsLimit, per_second_limit_: perSecondLimit, ...row }) => ({
      ...row,
      scope: scope!,
      calls_limit: callsLimit!,
      per_second_limit: perSecondLimit!,
    }),
  )
}

/** Carriers at sites with more far addresses than are counted one by one, and those of them that are. */
async function crowdedOf(
  hourS: number,
  context: Context,
  ports: readonly string[],
): Promise<{ crowded: string[]; named: string[] }> {
  const rows = await select<{ carrier: string; site: string; far_address: string; port: number }>(
    context,
    `SELECT carrier, site, far_address, ${TRUNK_PORT_SQL} AS port FROM call_attempts FINAL
     WHERE minute >= toDateTime({hour:UInt32}, 'UTC') AND minute < toDateTime({hour:UInt32} + ${HOUR_S}, 'UTC')
       AND party = 'carrier' AND state != 'fragment' AND invited_at_us > 0
     GROUP BY carrier, site, far_address, port ORDER BY count() DESC, far_address, port LIMIT ${ADDRESSES_MAX + 1} BY carrier, site`,
    { hour: hourS, ports },
  )
  const groups = new Map<string, string[]>()
  for (const { carrier, site, far_address: address, port } of rows) {
    const key = `${carrier}\n${site}`
    const group = groups.get(key) ?? []
    groups.set(key, group)
    group.push(`${key}\n${address}\n${port}`)
  }
  const crowded = [...groups].filter(([, addresses]) => addresses.length > ADDRESSES_MAX)
  return {
    crowded: crowded.map(([key]) => key),
    named: crowded.flatMap(([, addresses]) => addresses.slice(0, ADDRESSES_MAX)),
  }
}

async function select<Row>(
  { client }: Context,
  query: string,
  parameters: Record<string, unknown>,
): Promise<Row[]> {
  const result = await client.query({ query, query_params: parameters, format: 'JSONEachRow' })
  return result.json<Row>()
}
