// tidy: tested by test/api/routes/trunks.test.ts
/**
 * Peaks against what is contracted: by trunk, by carrier at a site, by carrier, and by site, over the hours of a range. Peaks come
 * from evidence/trunk-hours.ts, limits from the configuration of now. Definitions: docs/trunks.md.
 */
import { z } from 'zod'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import {
  PEAK_SCOPES,
  type PeakScope,
  SCOPE_OF_LIMIT,
  type Trunk,
  trunkAddress,
  trunkId,
} from '../../schemas/trunks.js'
import type { Readers } from '../readers.js'
import { isoOf } from '../time-span.js'
import { conditionsOf, type TrunkFilter } from './read-minutes.js'

/** Groups of one answer, those with the highest peaks first. */
const GROUPS_MAX = 500
const BUSIEST_HOURS = 5

const limited = (what: string) =>
  z.object({
    peak: z.number().describe(what),
    at: z.string().nullable().describe('The second; null: none.'),
    limit: z.number().nullable().describe('Contracted; null: none of this group.'),
    headroom: z.number().nullable().describe('limit − peak; negative: the limit was passed.'),
    used_ratio: z.number().nullable().describe('peak / limit'),
  })

export const capacityPeak = z.object({
  attempts: z.number(),
  concurrent_calls: limited('Most calls up at one second, set-up included.'),
  talking_peak: z.number().describe('Most answered calls up at one second.'),
  calls_per_second: limited('Most INVITEs in one second.'),
  per_second_p99: z.number().describe('99 % of the seconds of the busiest hour had as many or fewer.'),
  unended: z.number().describe('Calls of which no end was seen: each counted for four hours.'),
  congestion: z.number().describe('Attempts refused with 503.'),
  congestion_near_limit: z.number().describe('Those of them in a second at 95 % of the limit or above.'),
  seconds_near_limit: z.number(),
})
export type CapacityPeak = z.output<typeof capacityPeak>

const hourShape = z.object({
  hour: z.string(),
  attempts: z.number(),
  concurrent_calls: z.number(),
  talking: z.number(),
  calls_per_second: z.number(),
})

export const capacityGroup = z
  .object({
    scope: z.enum(PEAK_SCOPES),
    carrier: z.string().describe('Empty: all carriers at the site.'),
    site: z.string(),
    trunk: z.string().nullable().describe('Id, of scope trunk.'),
    address: z.string(),
    peak: capacityPeak,
    busiest_hours: z.array(hourShape).describe('The five with the most concurrent calls, the busiest first.'),
    hours: z.array(hourShape).describe('Those with calls, the oldest first.'),
    suspicion: z.string().nullable(),
  })
  .meta({ title: 'Capacity' })

export const capacityAnswer = z
  .object({
    from: z.string(),
    to: z.string(),
    as_of: z.string().nullable(),
    groups: z.array(capacityGroup),
    more: z.number().describe('Groups beyond those shown.'),
  })
  .meta({ title: 'Capacity of the range' })
export type CapacityGroupJson = z.output<typeof capacityGroup>

export interface HourPeaks {
  hourS: number
  attempts: number
  calls: number
  callsAtS: number
  talking: number
  perSecond: number
  perSecondAtS: number
}

export interface ScopePeaks {
  scope: PeakScope
  by: Trunk
  peak: CapacityPeak
  hours: HourPeaks[]
}

interface Row {
  scope: PeakScope
  carrier: string
  site: string
  far_address: string
  far_port: number
  hours: [number, number, number, number, number, number, number][]
  p99: number
  unended_: number
  congestion_: number
  congestion_near: number
  seconds_near: number
  groups: number
}

export interface PeaksFilter extends TrunkFilter {
  /** Empty: all. */
  scope: readonly PeakScope[]
}

/** Of whole hours: that in which the range begins is among them. */
export async function readPeaks(
  readers: Readers,
  config: Pick<TrunkscopeConfig, 'carriers'>,
  { fromS, toS }: { fromS: number; toS: number },
  filter: PeaksFilter,
): Promise<{ groups: ScopePeaks[]; more: number }> {
  const { conditions, parameters } = conditionsOf(filter)
  const rows = await readers.select<Row>(
    `SELECT scope, carrier, site, far_address, far_port,
       arraySort(groupArray((toUInt32(hour), toFloat64(attempts), calls_peak, calls_peak_s, talking_peak, per_second_peak, per_second_peak_s))) AS hours,
       argMax(per_second_p99, (per_second_peak, per_second_p99)) AS p99, toUInt32(sum(unended)) AS unended_, toFloat64(sum(congestion)) AS congestion_,
       toFloat64(sum(congestion_near_limit)) AS congestion_near, toUInt32(sum(seconds_near_limit)) AS seconds_near,
       toUInt32(count() OVER ()) AS groups
     FROM trunk_hours FINAL
     WHERE hour >= toDateTime({from_s:UInt32}, 'UTC') AND hour < toDateTime({to_s:UInt32}, 'UTC')
       ${filter.scope.length === 0 ? '' : 'AND scope IN {scopes:Array(String)}'}${conditions}
     GROUP BY scope, carrier, site, far_address, far_port
     ORDER BY max(calls_peak) DESC, scope, carrier, site, far_address, far_port LIMIT ${GROUPS_MAX}`,
    { from_s: fromS - (fromS % 3_600), to_s: toS, scopes: filter.scope, ...parameters },
  )
  return {
    groups: rows.map((row) => scopePeaks(row, config)),
    more: Math.max(0, (rows[0]?.groups ?? 0) - rows.length),
  }
}

function scopePeaks(row: Row, config: Pick<TrunkscopeConfig, 'carriers'>): ScopePeaks {
  const by = { carrier: row.carrier, site: row.site, farAddress: row.far_address, farPort: row.far_port }
  const hours = row.hours.map(
    ([hourS, attempts, calls, callsAtS, talking, perSecond, perSecondAtS]): HourPeaks => ({
      hourS,
      attempts,
      calls,
      callsAtS,
      talking,
      perSecond,
      perSecondAtS,
    }),
  )
  const busiest = hours.reduce((most, hour) => (hour.calls > most.calls ? hour : most))
  const fastest = hours.reduce((most, hour) => (hour.perSecond > most.perSecond ? hour : most))
  const limits = config.carriers.find(({ id }) => id === row.carrier)?.limits
  const own = limits !== undefined && SCOPE_OF_LIMIT[limits.per] === row.scope ? limits : undefined
  return {
    scope: row.scope,
    by,
    hours,
    peak: {
      attempts: hours.reduce((sum, { attempts }) => sum + attempts, 0),
      concurrent_calls: against(busiest.calls, busiest.callsAtS, own?.concurrent_calls),
      talking_peak: Math.max(...hours.map(({ talking }) => talking)),
      calls_per_second: against(fastest.perSecond, fastest.perSecondAtS, own?.calls_per_second),
      per_second_p99: row.p99,
      unended: row.unended_,
      congestion: row.congestion_,
      congestion_near_limit: row.congestion_near,
      seconds_near_limit: row.seconds_near,
    },
  }
}

function against(peak: number, atS: number, limit: number | undefined) {
  return {
    peak,
    at: peak === 0 ? null : isoOf(atS * 1e6),
    limit: limit ?? null,
    headroom: limit === undefined ? null : limit - peak,
    used_ratio: limit === undefined ? null : Math.round((peak / limit) * 10_000) / 10_000,
  }
}

export function groupJson({ scope, by, peak, hours }: ScopePeaks): CapacityGroupJson {
  return {
    scope,
    carrier: by.carrier,
    site: by.site,
    trunk: scope === 'trunk' ? trunkId(by) : null,
    address: scope === 'trunk' ? trunkAddress(by) : '',
    peak,
    busiest_hours: [...hours]
      .sort((a, b) => b.calls - a.calls || a.hourS - b.hourS)
      .slice(0, BUSIEST_HOURS)
      .map(hourJson),
    hours: hours.map(hourJson),
    suspicion: suspicionOf(peak),
  }
}

const hourJson = ({ hourS, attempts, calls, talking, perSecond }: HourPeaks) => ({
  hour: isoOf(hourS * 1e6),
  attempts,
  concurrent_calls: calls,
  talking,
  calls_per_second: perSecond,
})

/** 503s that came while the limit was reached: its own limit may be what the carrier enforces. */
function suspicionOf({ congestion, congestion_near_limit: near }: CapacityPeak): string | null {
  if (near === 0) return null
  return `${near} of ${congestion} refusals with 503 came in seconds at 95 % of the contracted limit or above: the limit itself may be why`
}
