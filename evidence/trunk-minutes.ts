/**
 * What became of the OPTIONS and calls of each trunk, by the minute they began in.
 *
 * Takes    OPTIONS exchanges with whose they are, calls already counted by trunk, and until when each agent has been heard of.
 * Returns  a row a minute and trunk. A function of its input whatever the order: sums, maxima, and the k largest.
 * Throws   nothing.
 *
 * Rules (docs/trunks.md)
 *   answered    a final response within Timer F (32 s, RFC 3261 §17.1.2.2); any one is a sign of life, 503 and 5xx too
 *   unanswered  none, and the agent that saw the request was heard of after Timer F had run out: else it is `pending`, because
 *               then nobody knows whether the response never came or our tap went blind
 *   rest        far addresses beyond ADDRESSES_MAX of a carrier at a site, the busiest first, are one row together
 */
import { ADDRESSES_MAX, OTHER_ADDRESSES, TAIL_MAX, type Trunk, type TrunkCounts } from '../schemas/trunks.js'

/** Timer F, and Timer B of an INVITE: 64·T1 with the T1 of RFC 3261. */
export const TIMER_F_US = 32_000_000

export interface OptionsExchange {
  trunk: Trunk
  /** Who asks. */
  from: 'us' | 'them'
  agent: string
  sentAtUs: number
  /** Of the first final response; 0: none was seen. */
  status: number
  answeredAtUs: number
}

/** The calls of one trunk in one minute. */
export interface TrunkCalls {
  trunk: Trunk
  minuteS: number
  callsOut: number
  callsIn: number
  callsResponded: number
  calls503: number
  callsUnanswered: number
  lastLifeUs: number
  /** When the latest of those without an answer began, at most TAIL_MAX. */
  unansweredAtUs: readonly number[]
}

export interface TrunkMinute {
  minuteS: number
  trunk: Trunk
  counts: TrunkCounts
}

interface Gathered extends TrunkMinute {
  unansweredAtUs: number[]
}

export function trunkMinutes(
  exchanges: readonly OptionsExchange[],
  calls: readonly TrunkCalls[],
  heardUntilUs: ReadonlyMap<string, number>,
): TrunkMinute[] {
  const found = new Map<string, Gathered>()
  const rowOf = (trunk: Trunk, minuteS: number): Gathered => {
    const key = [minuteS, trunk.carrier, trunk.site, trunk.farAddress, trunk.farPort].join('\n')
    const row = found.get(key) ?? { minuteS, trunk, counts: noCounts(), unansweredAtUs: [] }
    found.set(key, row)
    return row
  }
  for (const exchange of exchanges) {
    const minuteS = Math.floor(exchange.sentAtUs / 60e6) * 60
    addExchange(rowOf(exchange.trunk, minuteS), exchange, heardUntilUs.get(exchange.agent) ?? 0)
  }
  for (const call of calls) addCalls(rowOf(call.trunk, call.minuteS), call)
  return bounded([...found.values()]).map(finished)
}

export function noCounts(): TrunkCounts {
  return {
    optionsAnswered: 0,
    options503: 0,
    options5xx: 0,
    optionsUnanswered: 0,
    optionsPending: 0,
    optionsIn: 0,
    callsOut: 0,
    callsIn: 0,
    callsResponded: 0,
    calls503: 0,
    callsUnanswered: 0,
    unansweredAfter: 0,
    lastLifeUs: 0,
    lastOptionsUs: 0,
    lastOptionsStatus: 0,
  }
}

function addExchange(row: Gathered, exchange: OptionsExchange, heardUntilUs: number): void {
  const { counts } = row
  const { sentAtUs, answeredAtUs } = exchange
  if (exchange.from === 'them') {
    counts.optionsIn++
    counts.lastLifeUs = Math.max(counts.lastLifeUs, sentAtUs)
    return
  }
  const isAnswered = exchange.status >= 200 && answeredAtUs <= sentAtUs + TIMER_F_US
  const status = isAnswered ? exchange.status : 0
  if (isAnswered) {
    counts.lastLifeUs = Math.max(counts.lastLifeUs, answeredAtUs)
    if (status === 503) counts.options503++
    else if (status >= 500 && status < 600) counts.options5xx++
    else counts.optionsAnswered++
  } else if (heardUntilUs >= sentAtUs + TIMER_F_US) {
    counts.optionsUnanswered++
    row.unansweredAtUs.push(sentAtUs)
  } else {
    counts.optionsPending++
    return
  }
  const isLater =
    sentAtUs > counts.lastOptionsUs ||
    (sentAtUs === counts.lastOptionsUs && status > counts.lastOptionsStatus)
  if (!isLater) return
  counts.lastOptionsUs = sentAtUs
  counts.lastOptionsStatus = status
}

function addCalls(row: Gathered, calls: TrunkCalls): void {
  const { counts } = row
  counts.callsOut += calls.callsOut
  counts.callsIn += calls.callsIn
  counts.callsResponded += calls.callsResponded
  counts.calls503 += calls.calls503
  counts.callsUnanswered += calls.callsUnanswered
  counts.lastLifeUs = Math.max(counts.lastLifeUs, calls.lastLifeUs)
  row.unansweredAtUs.push(...calls.unansweredAtUs)
}

function finished({ minuteS, trunk, counts, unansweredAtUs }: Gathered): TrunkMinute {
  const after = unansweredAtUs.filter((atUs) => atUs > counts.lastLifeUs).length
  return { minuteS, trunk, counts: { ...counts, unansweredAfter: Math.min(TAIL_MAX, after) } }
}

const eventsOf = ({ counts }: Gathered) =>
  counts.optionsAnswered +
  counts.options503 +
  counts.options5xx +
  counts.optionsUnanswered +
  counts.optionsPending +
  counts.optionsIn +
  counts.callsOut +
  counts.callsIn

/** The busiest addresses of each carrier, site and minute by name, all others as one. */
function bounded(rows: readonly Gathered[]): Gathered[] {
  const groups = new Map<string, Gathered[]>()
  for (const row of rows) {
    const key = [row.minuteS, row.trunk.carrier, row.trunk.site].join('\n')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return [...groups.values()].flatMap((group) => {
    if (group.length <= ADDRESSES_MAX) return group
    group.sort((a, b) => eventsOf(b) - eventsOf(a) || compareTrunks(a.trunk, b.trunk))
    return [...group.slice(0, ADDRESSES_MAX), together(group.slice(ADDRESSES_MAX))]
  })
}

function compareTrunks(a: Trunk, b: Trunk): number {
  if (a.farAddress !== b.farAddress) return a.farAddress < b.farAddress ? -1 : 1
  return a.farPort - b.farPort
}

/** Sums; what is about one far end, who answers and who does not, says nothing of several. */
function together(rows: readonly Gathered[]): Gathered {
  const [first] = rows as [Gathered]
  const counts = noCounts()
  for (const row of rows) {
    for (const name of Object.keys(counts) as (keyof TrunkCounts)[]) counts[name] += row.counts[name]
  }
  return {
    minuteS: first.minuteS,
    trunk: { ...first.trunk, farAddress: OTHER_ADDRESSES, farPort: 0 },
    counts: {
      ...counts,
      lastLifeUs: rows.reduce((latest, row) => Math.max(latest, row.counts.lastLifeUs), 0),
      lastOptionsUs: 0,
      lastOptionsStatus: 0,
    },
    unansweredAtUs: [],
  }
}
