/**
 * An attempt as the passes see it: one leg of some call, with what can be compared with other legs. Reads them from
 * `call_attempts`, where the judgement is always that of the fold: a verdict never rests on another verdict.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { CALLEE, CALLER, E164 } from '../schemas/call-numbers.js'

export interface Leg {
  minuteS: number
  attemptId: string
  busPartition: number
  state: string
  party: string
  carrier: string
  direction: string
  callId: string
  addressLow: string
  addressHigh: string
  clockAgent: string
  invitedAtUs: number
  answeredAtUs: number
  cancelledAtUs: number
  finalAtUs: number
  byeAtUs: number
  rang: boolean
  disposition: string
  sli: string
  nerNumerator: number
  nerDenominator: number
  cancelClass: string
  /** schemas/call-numbers.ts; '' for none. */
  caller: string
  callee: string
  e164: string
}

export const LEG_COLUMNS = `toUInt32(minute) AS minute_s, lower(hex(attempt_id)) AS id, bus_partition, state, party, carrier,
  direction, call_id, address_low, address_high, clock_agent, invited_at_us, answered_at_us, cancelled_at_us, final_at_us,
  bye_at_us, rang, disposition, sli, ner_numerator, ner_denominator, cancel_class, ${CALLER} AS caller, ${CALLEE} AS callee,
  ${E164} AS e164`

/** What stands between two seconds; `{from:UInt32}` and `{to:UInt32}` are parameters of the statement. */
export const BETWEEN = `minute >= toDateTime({from:UInt32}, 'UTC') AND minute < toDateTime({to:UInt32}, 'UTC')`

/** More rows than this in one window is no telephone traffic: the statement is refused, and the job says so. */
const LEGS_MAX = 500_000

export async function readLegs(
  client: ClickHouseClient,
  from: string,
  parameters: Record<string, unknown>,
): Promise<Leg[]> {
  const result = await client.query({
    query: `SELECT ${LEG_COLUMNS} FROM ${from} LIMIT ${LEGS_MAX + 1}`,
    query_params: parameters,
    format: 'JSONCompactEachRow',
  })
  const rows = await result.json<unknown[]>()
  if (rows.length > LEGS_MAX) throw new RangeError(`more than ${LEGS_MAX} attempts in one window of a pass`)
  const known = new Map<string, string>()
  return rows.map((row) => legOf(row, known))
}

/** Words that stand in every row are held once. */
function legOf(row: readonly unknown[], known: Map<string, string>): Leg {
  const text = (at: number) => String(row[at])
  const word = (at: number) => {
    const read = text(at)
    const held = known.get(read)
    if (held === undefined) known.set(read, read)
    return held ?? read
  }
  const number = (at: number) => Number(row[at])
  return {
    minuteS: number(0),
    attemptId: text(1),
    busPartition: number(2),
    state: word(3),
    party: word(4),
    carrier: word(5),
    direction: word(6),
    callId: text(7),
    addressLow: word(8),
    addressHigh: word(9),
    clockAgent: word(10),
    invitedAtUs: number(11),
    answeredAtUs: number(12),
    cancelledAtUs: number(13),
    finalAtUs: number(14),
    byeAtUs: number(15),
    rang: row[16] === true || row[16] === 1,
    disposition: word(17),
    sli: word(18),
    nerNumerator: number(19),
    nerDenominator: number(20),
    cancelClass: word(21),
    caller: text(22),
    callee: text(23),
    e164: text(24),
  }
}

/** Both numbers, on one clock; undefined: one of them is none, so that nothing can be compared. */
export function numbersKey(leg: Leg): string | undefined {
  const parties = partiesKey(leg)
  return parties === undefined ? undefined : `${parties} ${leg.clockAgent}`
}

/** Both numbers, on whatever clock. */
export function partiesKey({ caller, callee }: Leg): string | undefined {
  return caller === '' || callee === '' ? undefined : `${caller} ${callee}`
}

/** Lists by key, each in order of the INVITE; legs without a key are left out. */
export function byKey(
  legs: Iterable<Leg>,
  keyOf: (leg: Leg) => string | undefined,
  timeOf: (leg: Leg) => number = ({ invitedAtUs }) => invitedAtUs,
): Map<string, Leg[]> {
  const lists = new Map<string, Leg[]>()
  for (const leg of legs) {
    const key = keyOf(leg)
    if (key === undefined) continue
    const list = lists.get(key)
    if (list === undefined) lists.set(key, [leg])
    else list.push(leg)
  }
  for (const list of lists.values()) {
    list.sort((a, b) => timeOf(a) - timeOf(b) || (a.attemptId < b.attemptId ? -1 : 1))
  }
  return lists
}

/** The first index whose time is not below. */
export function firstFrom(
  list: readonly Leg[],
  us: number,
  timeOf: (leg: Leg) => number = ({ invitedAtUs }) => invitedAtUs,
): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (timeOf(list[middle]!) < us) low = middle + 1
    else high = middle
  }
  return low
}

/** When a leg stopped being set up: answered, given up or refused; 0: not yet. */
export function giveUpOrAnswerUs({ answeredAtUs, cancelledAtUs, finalAtUs }: Leg): number {
  if (answeredAtUs > 0) return answeredAtUs
  return cancelledAtUs > 0 ? cancelledAtUs : finalAtUs
}
