/**
 * Attempts that were given up, by why: counts of each sub-class with their share of all attempts, how long it took to the
 * CANCEL, how long it had rung, and how many of them were tried again.
 *
 * given up          closed attempts with a cancel class, but for CANCEL_RACE_200 (they were answered)
 * attempts          closed attempts; share is given up of a class over them, ELSEWHERE taken out of both, but for its own
 * before it rang    final 487s without any 18x over final 487s, ELSEWHERE in neither
 * time to CANCEL    t_cancel − t_inv, where an agent saw both; quantiles by nearest rank, from 20 (p50) and 100 (p95)
 * ring              t_cancel − t_180, or − t_18x when there was no 180; short: below thresholds.short_ring_ms
 * bad               of a class: attempts that count against the carrier in its SLI
 * tried again       the same caller and callee, the same direction, on any carrier that may be seen, with an INVITE within
 *                   thresholds.retry_s after the give-up: over those given up whose two numbers are known
 *
 * Read from attempts as they are judged (docs/evidence.md), not from rollups: destinations and durations are not in those.
 * Source   metrics.md §4; time to CANCEL and tried again are decisions of ours (docs/cancels.md).
 */
import { z } from 'zod'
import { CANCEL_CLASSES } from '../../schemas/attempt.js'
import { CALLEE, CALLER } from '../../schemas/call-numbers.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import type { SeenDeps } from '../deps.js'
import { wilsonInterval } from '../kpi/interval.js'
import { DIMENSIONS, DIRECTIONS, longestSpanS } from '../kpi/query.js'
import { prefixParameter } from '../numbers/destinations.js'
import { choicesOf, listOf, oneOf, type Parameter } from '../parameters.js'
import { isoOf, type Span, spanOf } from '../time-span.js'

export const CANCEL_DIMENSIONS = [...DIMENSIONS, 'destination'] as const
export type CancelDimension = (typeof CANCEL_DIMENSIONS)[number]

const P50_MIN = 20
const P95_MIN = 100
const GROUPS_MAX = 1_000
/** Prefixes with fewer attempts are not named (docs/scorecards.md). */
const DESTINATION_ATTEMPTS_MIN = 10

const share = z.object({
  count: z.number(),
  of: z.number(),
  share: z.number().nullable(),
  interval: z.array(z.number()).nullable().describe('Wilson score interval at 95 %; null for 0 of 0.'),
})

const delay = z.object({
  count: z.number(),
  p50_s: z.number().nullable().describe(`null below ${P50_MIN} measurements.`),
  p95_s: z.number().nullable().describe(`null below ${P95_MIN} measurements.`),
})

export const cancelsAnswer = z
  .object({
    from: z.string(),
    to: z.string(),
    thresholds: z.object({
      sibling_answer_ms: z.number(),
      route_advance_ms: z.number(),
      pre_ring_patience_ms: z.number(),
      retry_s: z.number(),
      short_ring_ms: z.number(),
    }),
    groups: z.array(
      z.object({
        by: z.record(z.string(), z.string()),
        attempts: z.number().describe('Closed ones.'),
        given_up: z.number(),
        classes: z.array(
          z.object({
            cancel_class: z.enum(CANCEL_CLASSES),
            ...share.shape,
            bad: z.number().describe('Of count: the carrier’s fault, as its SLI has it.'),
          }),
        ),
        pre_ring_487_share: share.describe('Final 487s without any 18x, of final 487s.'),
        time_to_cancel: delay,
        ring_before_cancel: delay.extend({ short: share }),
        tried_again: share.describe('Over those given up whose caller and callee are known.'),
      }),
    ),
    is_cut: z
      .boolean()
      .describe(`There are more than ${GROUPS_MAX} groups: those with the most attempts are here.`),
  })
  .meta({ title: 'Cancels' })

export type CancelsAnswer = z.output<typeof cancelsAnswer>

export interface CancelParameters {
  from?: Parameter
  to?: Parameter
  group_by?: Parameter
  carrier?: Parameter
  site?: Parameter
  direction?: Parameter
  prefix?: Parameter
}

export interface CancelQuery extends Span {
  groupBy: readonly CancelDimension[]
  where: readonly (readonly [column: string, values: readonly string[]])[]
  /** First digits of the destination; '' for all. */
  prefix: string
}

export function cancelQueryOf(written: CancelParameters, { config }: SeenDeps, nowUs: number): CancelQuery {
  const span = spanOf(
    { from: oneOf('from', written.from), to: oneOf('to', written.to) },
    { nowUs, longestS: longestSpanS(config), wholeMinutes: { otherwise: '' } },
  )
  return {
    ...span,
    groupBy:
      written.group_by === undefined
        ? ['carrier']
        : choicesOf('group_by', written.group_by, CANCEL_DIMENSIONS),
    where: [
      ['carrier', listOf(written.carrier)],
      // A site that nothing tells is stored as ''.
      ['site', listOf(written.site).map((site) => (site === 'unknown' ? '' : site))],
      ['direction', choicesOf('direction', written.direction, DIRECTIONS)],
    ],
    prefix: prefixParameter(written.prefix),
  }
}

const GIVEN_UP = "cancel_class NOT IN ('', 'CANCEL_RACE_200')"
const GIVE_UP_US = 'if(cancelled_at_us > 0, cancelled_at_us, final_at_us)'
const NUMBERS = `${CALLER} AS caller, ${CALLEE} AS callee`

interface Row extends Record<string, unknown> {
  attempts: string
  class_counts: Record<string, string>
  bad_counts: Record<string, string>
  of_487: string
  pre_ring_487: string
  to_cancel: number[]
  rings: number[]
  short_rings: string
  known: string
  again: string
}

const RANKS = (name: string) =>
  `arrayMap(p -> ${name}[toUInt64(greatest(1, ceil(p * length(${name}))))], [0.5, 0.95])`

function statementOf({ groupBy, where, prefix }: CancelQuery): string {
  const conditions = [
    "party IN ('carrier', 'unknown')",
    "state = 'closed'",
    ...where
      .filter(([, values]) => values.length > 0)
      .map(([column]) => `${column} IN {${column}:Array(String)}`),
    ...(prefix === '' ? [] : ['startsWith(destination, {prefix:String})']),
  ].join(' AND ')
  const minutes = (to: string) =>
    `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({${to}:UInt32}, 'UTC')`
  const keys = groupBy.length === 0 ? '' : `${groupBy.join(', ')}, `
  // The nearest INVITE after the give-up: one look-up each, however many attempts there are to a number.
  return `
SELECT ${keys}attempts, class_counts, bad_counts, of_487, pre_ring_487, short_rings, known, again,
  length(to_cancel_ms) AS to_cancel_count, length(ring_ms) AS ring_count,
  ${RANKS('to_cancel_ms')} AS to_cancel, ${RANKS('ring_ms')} AS rings
FROM (
  SELECT ${keys}count() AS attempts, sumMapIf(map(cancel_class, toUInt64(1)), given_up) AS class_counts,
    sumMapIf(map(cancel_class, toUInt64(1)), given_up AND sli = 'bad') AS bad_counts,
    countIf(final_code = 487 AND cancel_class != 'ELSEWHERE') AS of_487,
    countIf(final_code = 487 AND cancel_class != 'ELSEWHERE' AND NOT rang) AS pre_ring_487,
    arraySort(groupArrayIf((cancelled_at_us - invited_at_us) / 1000, given_up AND invited_at_us > 0 AND cancelled_at_us >= invited_at_us)) AS to_cancel_ms,
    arraySort(groupArrayIf(assumeNotNull(ring_before_cancel_ms), given_up AND isNotNull(ring_before_cancel_ms))) AS ring_ms,
    countIf(given_up AND isNotNull(ring_before_cancel_ms) AND ring_before_cancel_ms < {short_ring_ms:UInt32}) AS short_rings,
    countIf(given_up AND callee != '') AS known,
    countIf(given_up AND callee != '' AND next_us > give_up_us AND next_us <= give_up_us + {retry_us:UInt64}) AS again
  FROM (
    SELECT ${keys}cancel_class, sli, final_code, rang, invited_at_us, cancelled_at_us, ring_before_cancel_ms, given_up, caller, callee, give_up_us, later.invited_at_us AS next_us
    FROM (
      SELECT ${keys}cancel_class, sli, final_code, rang, invited_at_us, cancelled_at_us, ring_before_cancel_ms, ${GIVEN_UP} AS given_up, ${GIVE_UP_US} AS give_up_us,
        if(${GIVEN_UP} AND caller_number != '' AND callee_number != '', caller_number, toString(generateUUIDv4())) AS caller,
        if(${GIVEN_UP} AND caller_number != '', callee_number, '') AS callee, direction AS way
      FROM (SELECT *, destination, ${NUMBERS.replace('AS caller', 'AS caller_number').replace('AS callee', 'AS callee_number')}
        FROM ${judgedAttempts({ minutes: minutes('to_s'), where: conditions })})
    ) AS given
    ASOF LEFT JOIN (
      SELECT ${NUMBERS}, direction AS way, invited_at_us
      FROM call_attempts FINAL WHERE ${minutes('retry_to_s')} AND state != 'fragment' AND invited_at_us > 0 AND caller != '' AND callee != ''
    ) AS later
    ON given.caller = later.caller AND given.callee = later.callee AND given.way = later.way AND given.give_up_us < later.invited_at_us
  )
  ${groupBy.length === 0 ? '' : `GROUP BY ${groupBy.join(', ')}`}
)
${groupBy.includes('destination') ? `WHERE destination = '' OR attempts >= ${DESTINATION_ATTEMPTS_MIN}` : ''}
ORDER BY attempts DESC ${groupBy.map((name) => `, ${name}`).join('')} LIMIT ${GROUPS_MAX + 1}`
}

export async function readCancels(deps: SeenDeps, query: CancelQuery): Promise<CancelsAnswer> {
  const { thresholds } = deps.config
  const rows = await deps.readers.selectMasked<Row, Row>(
    statementOf(query),
    {
      ...Object.fromEntries(query.where.filter(([, values]) => values.length > 0)),
      prefix: query.prefix,
      from_s: Math.floor(query.fromUs / 1e6),
      to_s: Math.ceil(query.toUs / 1e6),
      // An attempt rings for minutes before it is given up, and the next one comes later still.
      retry_to_s: Math.ceil(query.toUs / 1e6) + 600 + thresholds.retry_s,
      retry_us: thresholds.retry_s * 1e6,
      short_ring_ms: thresholds.short_ring_ms,
    },
    (row) => row,
    (row) => row, // No number leaves: a prefix lacks its last four digits.
  )
  const { sibling_answer_ms, route_advance_ms, pre_ring_patience_ms, retry_s, short_ring_ms } = thresholds
  return {
    from: isoOf(query.fromUs),
    to: isoOf(query.toUs),
    thresholds: { sibling_answer_ms, route_advance_ms, pre_ring_patience_ms, retry_s, short_ring_ms },
    groups: rows.slice(0, GROUPS_MAX).map((row) => groupOf(row, query.groupBy)),
    is_cut: rows.length > GROUPS_MAX,
  }
}

function groupOf(row: Row, groupBy: readonly CancelDimension[]): CancelsAnswer['groups'][number] {
  const attempts = Number(row.attempts)
  const counts = new Map(Object.entries(row.class_counts).map(([name, count]) => [name, Number(count)]))
  const elsewhere = counts.get('ELSEWHERE') ?? 0
  const givenUp = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const toCancel = delayOf(Number(row.to_cancel_count), row.to_cancel)
  const ring = delayOf(Number(row.ring_count), row.rings)
  return {
    by: Object.fromEntries(groupBy.map((name) => [name, String(row[name]) || 'unknown'])),
    attempts,
    given_up: givenUp,
    classes: CANCEL_CLASSES.filter((name) => counts.has(name)).map((name) => ({
      cancel_class: name,
      ...shareOf(counts.get(name)!, name === 'ELSEWHERE' ? attempts : attempts - elsewhere),
      bad: Number(row.bad_counts[name] ?? 0),
    })),
    pre_ring_487_share: shareOf(Number(row.pre_ring_487), Number(row.of_487)),
    time_to_cancel: toCancel,
    ring_before_cancel: { ...ring, short: shareOf(Number(row.short_rings), ring.count) },
    tried_again: shareOf(Number(row.again), Number(row.known)),
  }
}

function shareOf(count: number, of: number): z.output<typeof share> {
  return { count, of, share: of === 0 ? null : count / of, interval: wilsonInterval(count, of) }
}

function delayOf(count: number, [p50, p95]: readonly number[]): z.output<typeof delay> {
  return {
    count,
    p50_s: count >= P50_MIN ? (p50 ?? 0) / 1_000 : null,
    p95_s: count >= P95_MIN ? (p95 ?? 0) / 1_000 : null,
  }
}
