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
  type Trunk,
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
  // Minutes of one hour are one window: each counts five hours.
  reachS: HOUR_S / 2,
  settleS: 60,
  // Reads the attempts of five hours: of a large carrier tens of millions.
  everyS: 300,
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

/** Those that may be up in the hour. */
const CALLS_READ = `minute >= toDateTime({hour:UInt32} - ${CALL_MAX_S + 60}, 'UTC')
  AND minute < toDateTime({hour:UInt32} + ${HOUR_S}, 'UTC') AND party = 'carrier' AND state != 'fragment' AND invited_at_us > 0`

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
  FROM call_attempts FINAL WHERE ${CALLS_READ}`

const TRUNK_HASH = `bitAnd(cityHash64(carrier, site, far_address, port), 9007199254740991)`
const PLACE_HASH = `bitAnd(cityHash64(carrier, site), 9007199254740991)`

/**
 * By second, of each scope: calls that begin and end, that are answered and end, INVITEs, 503s, calls that never ended. Trunks and
 * scopes are numbers here, because texts as keys of a million groups took most of the time.
 */
const SECONDS = `
  SELECT scope, second, sum(up) AS up, sum(talk) AS talk, sum(invites) AS invites, sum(congested) AS congested, sum(lost) AS lost
  FROM (
    SELECT trunk, event.1 AS second, sum(event.2) AS up, sum(event.3) AS talk,
      sum(event.4) AS invites, sum(event.5) AS congested, sum(event.6) AS lost
    FROM (
      SELECT transform(${TRUNK_HASH}, {hashes:Array(UInt64)}, {trunks:Array(UInt32)}, toUInt32(0)) AS named,
        if(named > 0, named, transform(${PLACE_HASH}, {places:Array(UInt64)}, {others:Array(UInt32)}, toUInt32(0))) AS trunk,
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
    GROUP BY trunk, second
  ) ARRAY JOIN [trunk, transform(trunk, {ids:Array(UInt32)}, {carrier_sites:Array(UInt32)}, toUInt32(0)),
    transform(trunk, {ids:Array(UInt32)}, {carriers:Array(UInt32)}, toUInt32(0)),
    transform(trunk, {ids:Array(UInt32)}, {sites:Array(UInt32)}, toUInt32(0))] AS scope
  GROUP BY scope, second`

const PEAKS = `
  SELECT scope AS id, toFloat64(sum(invites)) AS attempts, toUInt32(max(calls)) AS calls_peak, argMax(second, (calls, -toInt64(second))) AS calls_peak_s,
    toUInt32(max(talking)) AS talking_peak, argMax(second, (talking, -toInt64(second))) AS talking_peak_s,
    toUInt32(sum(lost)) AS unended, toUInt32(max(invites)) AS per_second_peak,
    argMax(second, (invites, -toInt64(second))) AS per_second_peak_s,
    toUInt32(arrayElementOrNull(arrayReverseSort(groupArray(invites)), ${HOUR_S / 100 + 1})) AS p99_or_null,
    ifNull(p99_or_null, 0) AS per_second_p99, toFloat64(sum(congested)) AS congestion,
    toFloat64(sumIf(congested, is_near)) AS congestion_near_limit,
    toUInt32(sum(if(calls_near, next_s - second, toUInt32(is_near)))) AS seconds_near_limit
  FROM (
    SELECT scope, second, invites, congested, lost,
      sum(up) OVER running AS calls, sum(talk) OVER running AS talking,
      leadInFrame(second, 1, second + 1) OVER whole AS next_s,
      transform(scope, {ids:Array(UInt32)}, {calls:Array(UInt32)}, toUInt32(0)) AS calls_limit,
      transform(scope, {ids:Array(UInt32)}, {per_second:Array(UInt32)}, toUInt32(0)) AS per_second_limit,
      calls_limit > 0 AND calls >= ${NEAR_RATIO} * calls_limit AS calls_near,
      calls_near OR per_second_limit > 0 AND invites >= ${NEAR_RATIO} * per_second_limit AS is_near
    FROM (${SECONDS})
    WINDOW running AS (PARTITION BY scope ORDER BY second ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
      whole AS (PARTITION BY scope ORDER BY second ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
  )
  GROUP BY scope
  HAVING attempts > 0 OR calls_peak > 0`

/** A trunk, or what trunks are summed up to, under the number it has in the statement. */
interface Scope extends Trunk {
  id: number
  scope: PeakScope
  /** Of a trunk: its place in the three others. */
  within: readonly [carrierSite: number, carrier: number, site: number]
}

async function peaksOf(hourS: number, context: Context): Promise<TrunkRow[]> {
  const ports = [...namedPorts(context.config)]
  const { hashes, places, trunks } = await trunksOf(hourS, context, ports)
  const scopes = scopesOf(trunks)
  const limits = scopes.map((scope) => limitOf(context.config, scope))
  const rows = await select<Record<string, number>>(context, PEAKS, {
    hour: hourS,
    ports,
    // An empty array has no type to transform with: 0 is nothing's hash and nothing's number.
    hashes: [0, ...hashes.keys()],
    trunks: [0, ...hashes.values()],
    places: [0, ...places.keys()],
    others: [0, ...places.values()],
    ids: [0, ...scopes.map(({ id }) => id)],
    carrier_sites: [0, ...scopes.map(({ within }) => within[0])],
    carriers: [0, ...scopes.map(({ within }) => within[1])],
    sites: [0, ...scopes.map(({ within }) => within[2])],
    calls: [0, ...limits.map(({ calls }) => calls)],
    per_second: [0, ...limits.map(({ perSecond }) => perSecond)],
  })
  return rows.flatMap(({ id, p99_or_null: _, ...row }) => {
    const scope = scopes[id! - 1]
    if (scope === undefined) return []
    const { calls, perSecond } = limits[id! - 1]!
    return [
      {
        ...(row as Record<string, number>),
        hour: hourS,
        scope: scope.scope,
        carrier: scope.carrier,
        site: scope.site,
        far_address: scope.farAddress,
        far_port: scope.farPort,
        calls_limit: calls,
        per_second_limit: perSecond,
      },
    ]
  })
}

function limitOf({ carriers }: Pick<TrunkscopeConfig, 'carriers'>, { scope, carrier }: Scope) {
  const limits = carriers.find(({ id }) => id === carrier)?.limits
  if (limits === undefined || SCOPE_OF_LIMIT[limits.per] !== scope) return { calls: 0, perSecond: 0 }
  return { calls: limits.concurrent_calls ?? 0, perSecond: limits.calls_per_second ?? 0 }
}

/** Trunks are numbered from 1, then what they are summed up to. */
function scopesOf(trunks: readonly Trunk[]): Scope[] {
  const sums = new Map<string, Scope>()
  const sumOf = (scope: PeakScope, carrier: string, site: string): number => {
    const key = `${scope}\n${carrier}\n${site}`
    const known = sums.get(key)
    if (known !== undefined) return known.id
    const id = trunks.length + sums.size + 1
    sums.set(key, { id, scope, carrier, site, farAddress: '', farPort: 0, within: [0, 0, 0] })
    return id
  }
  const named = trunks.map(
    (trunk, index): Scope => ({
      ...trunk,
      id: index + 1,
      scope: 'trunk',
      within: [
        sumOf('carrier_site', trunk.carrier, trunk.site),
        sumOf('carrier', trunk.carrier, ''),
        sumOf('site', '', trunk.site),
      ],
    }),
  )
  return [...named, ...sums.values()]
}

interface NumberedTrunks {
  /** Numbers of trunks by their hash; and of the rest of a carrier at a site, by the hash of that. */
  hashes: Map<number, number>
  places: Map<number, number>
  /** The number is the place in the list, from 1. */
  trunks: Trunk[]
}

interface TrunkListed {
  carrier: string
  site: string
  far_address: string
  port: number
  hash: number
  place: number
}

/**
 * Those that calls of the hour may have used. Read without FINAL: one that no attempt has any more gives no row. Where there are
 * more than are counted one by one, FINAL says which are the busiest.
 */
async function trunksOf(hourS: number, context: Context, ports: readonly string[]): Promise<NumberedTrunks> {
  const listed = await listTrunks(hourS, context, ports, false)
  const found: NumberedTrunks = { hashes: new Map(), places: new Map(), trunks: [] }
  const many = new Map<number, number>()
  for (const { place } of listed) many.set(place, (many.get(place) ?? 0) + 1)
  const isCrowded = (place: number) => many.get(place)! > ADDRESSES_MAX
  const busiest = [...many.keys()].some(isCrowded) ? await listTrunks(hourS, context, ports, true) : []
  const named = new Map<number, number>()
  for (const row of [
    ...listed.filter(({ place }) => !isCrowded(place)),
    ...busiest.filter(({ place }) => isCrowded(place)),
  ]) {
    const count = (named.get(row.place) ?? 0) + 1
    named.set(row.place, count)
    const { carrier, site } = row
    if (count <= ADDRESSES_MAX) {
      found.trunks.push({ carrier, site, farAddress: row.far_address, farPort: row.port })
      found.hashes.set(row.hash, found.trunks.length)
    } else if (!found.places.has(row.place)) {
      found.trunks.push({ carrier, site, farAddress: OTHER_ADDRESSES, farPort: 0 })
      found.places.set(row.place, found.trunks.length)
    }
  }
  return found
}

/** @returns the busiest of the hour first, one more than are named of each carrier at each site */
function listTrunks(
  hourS: number,
  context: Context,
  ports: readonly string[],
  isFinal: boolean,
): Promise<TrunkListed[]> {
  return select<TrunkListed>(
    context,
    `SELECT carrier, site, far_address, port, toFloat64(${TRUNK_HASH}) AS hash, toFloat64(${PLACE_HASH}) AS place FROM (
       SELECT carrier, site, far_address, ${TRUNK_PORT_SQL} AS port, countIf(minute >= toDateTime({hour:UInt32}, 'UTC')) AS attempts
       FROM call_attempts ${isFinal ? 'FINAL' : ''} WHERE ${CALLS_READ}
       GROUP BY carrier, site, far_address, port
       ORDER BY attempts DESC, carrier, site, far_address, port LIMIT ${ADDRESSES_MAX + 1} BY carrier, site)`,
    { hour: hourS, ports },
  )
}

async function select<Row>(
  { client }: Context,
  query: string,
  parameters: Record<string, unknown>,
): Promise<Row[]> {
  const result = await client.query({ query, query_params: parameters, format: 'JSONEachRow' })
  return result.json<Row>()
}
