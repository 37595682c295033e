// tidy: tested by test/api/routes/trunks.test.ts
/** What is stored of the trunks, as the walk of state.ts takes it. */
import { TRUNK_COUNT_COLUMNS, type Trunk, type TrunkCounts } from '../../schemas/trunks.js'
import type { Readers } from '../readers.js'
import type { StateMinute } from './state.js'

/** Trunks in one answer; the busiest first. */
export const TRUNKS_MAX = 500

export interface SeenTrunk {
  trunk: Trunk
  minutes: StateMinute[]
  /** Of the hour before `untilS`. */
  lastHour: Record<keyof TrunkCounts, number>
  lastLifeUs: number
  lastOptionsUs: number
  /** 0: nothing answered. */
  lastOptionsStatus: number
}

export interface TrunkFilter {
  carrier: readonly string[]
  site: readonly string[]
  /** Only this one. */
  trunk?: Trunk
}

/** Sums are 64 bits wide, and would come as texts. */
const GOOD =
  'options_answered AS options_good, toUInt32(calls_responded - least(calls_responded, calls_503)) AS calls_good'
const COUNTED = Object.values(TRUNK_COUNT_COLUMNS).filter(
  (column) => !column.startsWith('last_') && column !== 'unanswered_after',
)

type Plain = [minuteS: number, optionsGood: number, callsGood: number]
type Other = [
  ...Plain,
  optionsBad: number,
  optionsLost: number,
  callsBad: number,
  callsLost: number,
  after: number,
  lifeUs: number,
]

interface Row extends Record<string, unknown> {
  carrier: string
  site: string
  far_address: string
  far_port: number
  plain: Plain[]
  other: Other[]
  life_us: number
  options_us: number
  options_status: number
  trunks: number
}

/** @returns trunks with anything seen in the range, and how many there are beyond TRUNKS_MAX */
export async function readTrunkMinutes(
  readers: Readers,
  { fromS, untilS }: { fromS: number; untilS: number },
  filter: TrunkFilter,
): Promise<{ trunks: SeenTrunk[]; more: number }> {
  const { conditions, parameters } = conditionsOf(filter)
  const rows = await readers.select<Row>(
    `SELECT carrier, site, far_address, far_port,
       arraySort(groupArrayIf((minute_s, options_good, calls_good), is_plain)) AS plain,
       arraySort(groupArrayIf((minute_s, options_good, calls_good, options_bad, options_unanswered, calls_503, calls_unanswered, unanswered_after, toFloat64(last_life_us)), NOT is_plain)) AS other,
       toFloat64(max(last_life_us)) AS life_us, toFloat64(max(last_options_us)) AS options_us,
       argMax(last_options_status, last_options_us) AS options_status, count() OVER () AS trunks,
       ${COUNTED.map((column) => `sumIf(${column}, minute_s >= {hour_s:UInt32}) AS hour_${column}`).join(', ')}
     FROM (
       SELECT *, toUInt32(minute) AS minute_s, toUInt32(options_503 + options_5xx) AS options_bad, ${GOOD},
         last_life_us > 0 AND options_bad + options_unanswered + calls_503 + calls_unanswered = 0 AS is_plain
       FROM trunk_minutes FINAL
       WHERE minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({until_s:UInt32}, 'UTC')${conditions}
     )
     GROUP BY carrier, site, far_address, far_port
     ORDER BY sum(calls_out + calls_in) DESC, carrier, site, far_address, far_port LIMIT ${TRUNKS_MAX}`,
    { from_s: fromS, until_s: untilS, hour_s: untilS - 3_600, ...parameters },
  )
  return { trunks: rows.map(seenTrunk), more: Math.max(0, Number(rows[0]?.trunks ?? 0) - rows.length) }
}

/** Conditions on the columns of a trunk, and their parameters. */
export function conditionsOf({ carrier, site, trunk }: TrunkFilter): {
  conditions: string
  parameters: Record<string, unknown>
} {
  const conditions = [
    ...(carrier.length === 0 ? [] : ['carrier IN {carriers:Array(String)}']),
    ...(site.length === 0 ? [] : ['site IN {sites:Array(String)}']),
    ...(trunk === undefined
      ? []
      : [
          'carrier = {carrier:String} AND site = {site:String} AND far_address = {address:String} AND far_port = {port:UInt16}',
        ]),
  ]
  return {
    conditions: conditions.map((condition) => ` AND ${condition}`).join(''),
    parameters: {
      ...(carrier.length === 0 ? {} : { carriers: carrier }),
      ...(site.length === 0 ? {} : { sites: site.map((id) => (id === 'unknown' ? '' : id)) }),
      ...(trunk === undefined
        ? {}
        : { carrier: trunk.carrier, site: trunk.site, address: trunk.farAddress, port: trunk.farPort }),
    },
  }
}

function seenTrunk(row: Row): SeenTrunk {
  const plain = row.plain.map(
    ([minuteS, options, calls]): StateMinute => ({
      minuteS,
      options: { good: options, bad: 0, lost: 0 },
      calls: { good: calls, bad: 0, lost: 0 },
      unansweredAfter: 0,
      // The minute is enough of where there is nothing wrong.
      lastLifeUs: minuteS * 1e6,
    }),
  )
  const other = row.other.map(
    ([
      minuteS,
      optionsGood,
      callsGood,
      optionsBad,
      optionsLost,
      callsBad,
      callsLost,
      after,
      lifeUs,
    ]): StateMinute => ({
      minuteS,
      options: { good: optionsGood, bad: optionsBad, lost: optionsLost },
      calls: { good: callsGood, bad: callsBad, lost: callsLost },
      unansweredAfter: after,
      lastLifeUs: lifeUs,
    }),
  )
  return {
    trunk: { carrier: row.carrier, site: row.site, farAddress: row.far_address, farPort: row.far_port },
    minutes: [...plain, ...other].sort((a, b) => a.minuteS - b.minuteS),
    lastHour: Object.fromEntries(
      Object.entries(TRUNK_COUNT_COLUMNS).map(([name, column]) => [name, Number(row[`hour_${column}`] ?? 0)]),
    ) as SeenTrunk['lastHour'],
    lastLifeUs: row.life_us,
    lastOptionsUs: row.options_us,
    lastOptionsStatus: row.options_status,
  }
}
