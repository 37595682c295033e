/**
 * What became of a signature between the leg on which a call arrived and those on which it left: kept, signed anew, weaker,
 * or gone; and whether it is gone from the call or only from the capture.
 *
 *   kept        one of the tokens that arrived left as it was, with the same level
 *   re_signed   another token, of the same level or a better one
 *   weaker      left with a lower level than it arrived with
 *   cut         left without a level that can be read, and its INVITE or its token was cut on the way to us (MTU, snap length):
 *               nothing is known of the call itself
 *   damaged     left with a token that cannot be read although its INVITE is whole
 *   lost        left without a token, in an INVITE that is whole: somebody on our side took it off
 *
 * Takes    a range; the outbound leg began in it. Legs of one call are those of `call_legs` (docs/evidence.md) from
 *          confidence 0.8; of several inbound legs the first counts, and every outbound one is judged by it.
 * Returns  counts by the pair of whom a call came from and whom it went to, with the newest attempts of each fate.
 * Throws   what the readers throw, but for the limit of a statement.
 * Source   metrics.md §6, issue of evidence; the fates and their order are decisions of ours (docs/attestation.md).
 */
import { z } from 'zod'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { keptFromS, keptOf } from '../../schemas/retention.js'
import { ApiError } from '../errors.js'
import { ratioValue } from '../kpi/answer.js'
import type { Readers } from '../readers.js'
import type { Span } from '../time-span.js'
import type { WhyNot } from './outcomes.js'
import { ratioOf } from './share.js'

export const FATES = ['kept', 're_signed', 'weaker', 'cut', 'damaged', 'lost'] as const
export type Fate = (typeof FATES)[number]

/** As in evidence/call-legs.ts: routes that are tried one after the other. */
const CALL_REACH_S = 120
/** Below it nothing rests on a link (docs/evidence.md). */
const CONFIDENCE_MIN = 0.8
const SAMPLES = 3
const PAIRS_MAX = 1_000

const perFate = <Value extends z.ZodType>(value: Value) =>
  z.object(Object.fromEntries(FATES.map((fate) => [fate, value])) as Record<Fate, Value>)

const party = z.object({
  party: z.string().describe('carrier, customer, internal or unknown.'),
  name: z.string().describe('Id of the carrier or the customer.'),
})

export const betweenLegs = z.object({
  from: party.describe('Whose inbound leg it was.'),
  to: party.describe('Whose outbound leg it was.'),
  legs: z.number().describe('Outbound legs of calls whose inbound leg is known.'),
  arrived_signed: z.number().describe('Of those: the inbound leg claims A, B or C.'),
  signed_here: z.number().describe('Arrived without a token, left with A, B or C.'),
  fates: perFate(z.number()).describe('Of legs that arrived signed.'),
  lost_rate: ratioValue.describe('Lost over those that arrived signed; what was cut is excluded.'),
  samples: perFate(
    z.array(z.object({ inbound: z.string(), outbound: z.string() })).describe('The newest attempts.'),
  ),
})
export type BetweenLegs = z.output<typeof betweenLegs>

/** Beside the answer: sites of the outbound legs, which alerts are held by. */
export interface PairOfLegs extends BetweenLegs {
  sites: string[]
}

export interface BetweenWhere {
  carrier: readonly string[]
  site: readonly string[]
}

interface Row extends Record<string, unknown> {
  from_party: string
  from_name: string
  to_party: string
  to_name: string
  sites: string[]
  legs: string
  arrived_signed: string
  signed_here: string
}

export async function readBetweenLegs(
  readers: Readers,
  config: TrunkscopeConfig,
  { fromUs, toUs }: Span,
  where: BetweenWhere,
  nowS: number,
): Promise<PairOfLegs[] | WhyNot> {
  if (fromUs / 1e6 < keptFromS(keptOf(config.retention), nowS).attempts) return 'not_kept'
  try {
    // Ids and counts come back, and of tokens whether they are the same: nothing to mask.
    return await readers.selectMasked<Row, PairOfLegs>(
      STATEMENT,
      {
        from_s: Math.floor(fromUs / 1e6),
        to_s: Math.floor(toUs / 1e6),
        read_s: Math.max(0, Math.floor(fromUs / 1e6) - CALL_REACH_S),
        carriers: [...where.carrier],
        // A site that nothing tells is stored as ''.
        sites: where.site.map((site) => (site === 'unknown' ? '' : site)),
      },
      pairOf,
      (pair) => pair,
    )
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_QUERY_LIMIT') return 'too_many_attempts'
    throw error
  }
}

const MINUTES = `minute >= toDateTime({read_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`
const NAME = `if(party = 'customer', customer, carrier)`
const TOKENS = 'JSONExtractArrayRaw(identities)'
const RANK = (level: string) => `indexOf(['C', 'B', 'A'], ${level})`

const COUNTED = FATES.map(
  (fate) => `countIf(fate = '${fate}') AS ${fate}_count,
    arrayMap(one -> [one.2, one.3], groupArraySortedIf(${SAMPLES})(newest, fate = '${fate}')) AS ${fate}_samples`,
).join(',\n    ')

const STATEMENT = `
SELECT from_party, from_name, to_party, to_name, arraySort(groupUniqArray(site)) AS sites, count() AS legs,
    countIf(fate != '') AS arrived_signed, countIf(arrived_level = 'none' AND ${RANK('left_level')} > 0) AS signed_here,
    ${COUNTED}
FROM (
  SELECT arrived.1 AS from_party, arrived.2 AS from_name, arrived.3 AS arrived_level, leg.1 AS to_party, leg.2 AS to_name,
    leg.3 AS left_level, leg.6 AS site, (-toInt64(leg.8), arrived.5, leg.7) AS newest,
    multiIf(${RANK('arrived_level')} = 0, '',
      ${RANK('left_level')} > 0 AND ${RANK('left_level')} < ${RANK('arrived_level')}, 'weaker',
      ${RANK('left_level')} > 0, if(hasAny(arrived.4, leg.4), 'kept', 're_signed'),
      leg.5, 'cut', left_level = 'malformed', 'damaged', 'lost') AS fate
  FROM (
    SELECT call_key, countIf(direction = 'inbound') AS arrivals,
      argMinIf((party, name, attestation, hashes, id), (invited_at_us, id), direction = 'inbound') AS arrived,
      groupArrayIf((party, name, attestation, hashes, is_cut, site, id, invited_at_us), is_asked) AS legs_left
    FROM (
      SELECT attempt_id, party, ${NAME} AS name, attestation, direction, site, invited_at_us, lower(hex(attempt_id)) AS id,
        arrayMap(token -> JSONExtractString(token, 'tokenHash'), ${TOKENS}) AS hashes,
        has(flags, 'truncated') OR arrayExists(token -> JSONExtractString(token, 'problem') = 'truncated', ${TOKENS}) AS is_cut,
        direction = 'outbound' AND state = 'closed' AND party IN ('carrier', 'unknown')
          AND minute >= toDateTime({from_s:UInt32}, 'UTC')
          AND (empty({sites:Array(String)}) OR has({sites:Array(String)}, site)) AS is_asked
      FROM call_attempts FINAL WHERE ${MINUTES} AND invited
    ) AS attempt
    INNER JOIN (SELECT attempt_id, call_key FROM call_legs FINAL WHERE ${MINUTES} AND confidence >= ${CONFIDENCE_MIN}) AS link
      ON attempt.attempt_id = link.attempt_id
    GROUP BY call_key HAVING arrivals > 0 AND notEmpty(legs_left)
  )
  ARRAY JOIN legs_left AS leg
  WHERE empty({carriers:Array(String)}) OR has({carriers:Array(String)}, from_name) OR has({carriers:Array(String)}, to_name)
)
GROUP BY from_party, from_name, to_party, to_name
ORDER BY lost_count DESC, arrived_signed DESC, from_party, from_name, to_party, to_name LIMIT ${PAIRS_MAX}`

function pairOf(row: Row): PairOfLegs {
  const fates = ofFates((fate) => Number(row[`${fate}_count`]))
  const arrived = Number(row.arrived_signed)
  return {
    from: { party: row.from_party, name: row.from_name },
    to: { party: row.to_party, name: row.to_name },
    sites: row.sites.map((site) => (site === '' ? 'unknown' : site)),
    legs: Number(row.legs),
    arrived_signed: arrived,
    signed_here: Number(row.signed_here),
    fates,
    lost_rate: ratioOf(fates.lost, arrived - fates.cut, fates.cut),
    samples: ofFates((fate) =>
      (row[`${fate}_samples`] as [string, string][]).map(([inbound, outbound]) => ({ inbound, outbound })),
    ),
  }
}

function ofFates<Value>(of: (fate: Fate) => Value): Record<Fate, Value> {
  return Object.fromEntries(FATES.map((fate) => [fate, of(fate)])) as Record<Fate, Value>
}
