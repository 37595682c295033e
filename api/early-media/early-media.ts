/**
 * `/v1/early-media`: how often each suspicion was made, over the attempts that it could have been about, and against the four
 * weeks before.
 *
 * Takes    a range, and what to group by. Outbound attempts unless asked otherwise: there the 18x are the carrier's.
 * Returns  a count, its share and 95 % Wilson interval for each group; the same of the four weeks before `from`, and whether the
 *          two intervals lie apart. Attempts of minutes that the evidence pass has not looked at are in no share; those whose
 *          messages were gone when it looked are in none of a rule over messages.
 * Throws   what the readers throw; four weeks that are too much for one statement are left out, and it is said.
 * Source   metrics.md §5; shares are over the bases of schemas/anomalies.ts.
 */
import { z } from 'zod'
import {
  ANOMALY_CODES,
  type AnomalyCode,
  anomalyRule,
  BASES,
  type Base,
  conditionText,
  SEVERITIES,
} from '../../schemas/anomalies.js'
import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { wilsonInterval } from '../kpi/interval.js'
import { DIRECTIONS, longestSpanS } from '../kpi/query.js'
import { choicesOf, listOf, oneOf, type Parameter } from '../parameters.js'
import type { Readers } from '../readers.js'
import { isoOf, type Span, spanOf } from '../time-span.js'
import { SIGNALLING_ONLY } from './fas.js'

export const EARLY_MEDIA_DIMENSIONS = ['carrier', 'prefix', 'code'] as const
type Dimension = (typeof EARLY_MEDIA_DIMENSIONS)[number]

const BASELINE_S = 28 * 86_400
/** Below this many the four weeks before are no baseline (docs/scorecards.md has the same). */
const BASELINE_MIN = 100
const GROUPS_MAX = 1_000
/** Prefixes with fewer attempts are not named (docs/scorecards.md). */
const PREFIX_ATTEMPTS_MIN = 10

const share = {
  count: z.number(),
  of: z.number().describe('Attempts that it could have been about.'),
  share: z.number().nullable(),
  interval: z.array(z.number()).nullable().describe('Wilson score interval at 95 %; null for 0 of 0.'),
}

export const earlyMediaAnswer = z
  .object({
    from: z.string(),
    to: z.string(),
    note: z.string(),
    before: z.object({ from: z.string(), to: z.string() }).nullable(),
    before_reason: z.enum(['too_many_attempts']).optional(),
    attempts: z.number().describe('Closed ones in the range.'),
    not_looked_at: z.number().describe('Of these in minutes that the pass has not looked at: in no share.'),
    rules: z.array(
      z.object({
        code: z.enum(ANOMALY_CODES),
        name: z.string(),
        condition: z.string(),
        severity: z.enum(SEVERITIES).describe('The heaviest that it may be.'),
        base: z.enum(BASES),
        reads: z.enum(['record', 'messages']),
        is_baseline_only: z.boolean().describe('Common on sound connections: look at the change only.'),
        version: z.number(),
      }),
    ),
    groups: z.array(
      z.object({
        by: z.record(z.string(), z.string()),
        ...share,
        before: z.object(share).nullable(),
        change: z
          .enum(['higher', 'lower', 'not_significant', 'no_test'])
          .describe(
            `Whether the intervals lie apart. no_test: fewer than ${BASELINE_MIN} in the four weeks before.`,
          ),
      }),
    ),
    is_cut: z
      .boolean()
      .describe(`There are more than ${GROUPS_MAX} groups: those with the highest counts are here.`),
  })
  .meta({ title: 'Early media' })

export type EarlyMediaAnswer = z.output<typeof earlyMediaAnswer>
export type EarlyMediaGroup = EarlyMediaAnswer['groups'][number]

export interface EarlyMediaParameters {
  from?: Parameter
  to?: Parameter
  group_by?: Parameter
  carrier?: Parameter
  code?: Parameter
  direction?: Parameter
}

export interface EarlyMediaQuery extends Span {
  groupBy: readonly Dimension[]
  carriers: readonly string[]
  codes: readonly AnomalyCode[]
  directions: readonly string[]
}

export function earlyMediaQueryOf(
  written: EarlyMediaParameters,
  { config }: SeenDeps,
  nowUs: number,
): EarlyMediaQuery {
  const span = spanOf(
    { from: oneOf('from', written.from), to: oneOf('to', written.to) },
    { nowUs, longestS: longestSpanS(config), wholeMinutes: { otherwise: '' } },
  )
  const directions = choicesOf('direction', written.direction, DIRECTIONS)
  return {
    ...span,
    groupBy:
      written.group_by === undefined
        ? ['carrier', 'code']
        : choicesOf('group_by', written.group_by, EARLY_MEDIA_DIMENSIONS),
    carriers: listOf(written.carrier),
    codes: choicesOf('code', written.code, ANOMALY_CODES),
    directions: directions.length === 0 ? ['outbound'] : directions,
  }
}

export async function readEarlyMedia(deps: SeenDeps, query: EarlyMediaQuery): Promise<EarlyMediaAnswer> {
  const { early_media, fas } = deps.config.thresholds
  const earlier = { fromUs: Math.max(0, query.fromUs - BASELINE_S * 1e6), toUs: query.fromUs }
  const [now, before] = await Promise.all([
    readCounts(deps.readers, query, query),
    orTooMany(readCounts(deps.readers, query, earlier)),
  ])
  const groups = groupsOf(query, now, before === 'too_many_attempts' ? undefined : before)
  return {
    from: isoOf(query.fromUs),
    to: isoOf(query.toUs),
    note: SIGNALLING_ONLY,
    ...(before === 'too_many_attempts'
      ? { before: null, before_reason: before }
      : { before: { from: isoOf(earlier.fromUs), to: isoOf(earlier.toUs) } }),
    attempts: [...now.bases.values()].reduce((sum, one) => sum + one.attempts, 0),
    not_looked_at: [...now.bases.values()].reduce((sum, one) => sum + one.notLookedAt, 0),
    rules: codesOf(query).map((code) => {
      const { name, severity, base, reads, isBaselineOnly, version, condition } = anomalyRule(code)
      return {
        code,
        name,
        condition: conditionText({ condition }, { ...early_media, ...fas }),
        severity,
        base,
        reads,
        is_baseline_only: isBaselineOnly === true,
        version,
      }
    }),
    groups: groups.slice(0, GROUPS_MAX),
    is_cut: groups.length > GROUPS_MAX,
  }
}

const codesOf = ({ codes }: EarlyMediaQuery) => (codes.length === 0 ? ANOMALY_CODES : codes)

export async function orTooMany<Answer>(asked: Promise<Answer>): Promise<Answer | 'too_many_attempts'> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_QUERY_LIMIT') return 'too_many_attempts'
    throw error
  }
}

/** What a base is, over the columns of an attempt. `any`: rang or answered, whatever code there could be. */
const BASE_SQL: Readonly<Record<Base | 'any', string>> = {
  early_media: 'first_sdp_18x_at_us > 0',
  early_media_answered: 'first_sdp_18x_at_us > 0 AND answered_at_us > 0',
  rang: 'rang',
  heard: 'isNotNull(pdd_ms)',
  answered: "answered_at_us > 0 AND cancel_class != 'CANCEL_RACE_200'",
  any: 'rang OR answered_at_us > 0',
}
const BASE_NAMES = [...BASES, 'any'] as const
type BaseName = (typeof BASE_NAMES)[number]

interface Bases {
  attempts: number
  notLookedAt: number
  /** Looked at; and of these with their messages. */
  all: Record<BaseName, number>
  withMessages: Record<BaseName, number>
}

interface Counts {
  /** By the values of the keys, one a line. */
  bases: Map<string, Bases>
  /** By the same, then the code; '' for attempts with any of those asked for. */
  codes: Map<string, Map<string, number>>
}

type Row = Record<string, string>

export async function readCounts(
  readers: Readers,
  {
    groupBy,
    carriers,
    directions,
    ...query
  }: Pick<EarlyMediaQuery, 'groupBy' | 'carriers' | 'codes' | 'directions'>,
  { fromUs, toUs }: Span,
): Promise<Counts> {
  const keys = groupBy.filter((name) => name !== 'code')
  const within = `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`
  const conditions = `${within} AND party IN ('carrier', 'unknown') AND direction IN {directions:Array(String)}${carriers.length === 0 ? '' : ' AND carrier IN {carriers:Array(String)}'}`
  const parameters = {
    from_s: Math.floor(fromUs / 1e6),
    to_s: Math.ceil(toUs / 1e6),
    directions: [...directions],
    ...(carriers.length === 0 ? {} : { carriers: [...carriers] }),
  }
  const grouped = (more: readonly string[] = []) => {
    const names = [...keys, ...more]
    return names.length === 0 ? '' : `GROUP BY ${names.join(', ')}`
  }
  const selected = (prefix: string) =>
    keys.map((name) => (name === 'prefix' ? `${prefix} AS prefix, ` : `${name}, `)).join('')
  const [bases, codes] = await Promise.all([
    readers.select<Row>(
      `SELECT ${selected('destination')}count() AS attempts, countIf(NOT is_looked_at) AS not_looked_at,
         ${BASE_NAMES.map((name) => `countIf(is_looked_at AND (${BASE_SQL[name]})) AS ${name}_all, countIf(is_looked_at AND has_messages AND (${BASE_SQL[name]})) AS ${name}_read`).join(', ')}
       FROM (SELECT carrier, destination, first_sdp_18x_at_us, answered_at_us, rang, pdd_ms, cancel_class,
           minute IN (SELECT minute FROM anomaly_minutes WHERE ${within}) AS is_looked_at,
           (minute, attempt_id) NOT IN (SELECT minute, attempt_id FROM attempt_anomalies FINAL WHERE ${within} AND basis = 'record') AS has_messages
         FROM call_attempts FINAL WHERE ${conditions} AND state = 'closed')
       ${grouped()}`,
      parameters,
    ),
    readers.select<Row>(
      `SELECT ${selected('prefix')}arrayJoin(arrayPushBack(asked, '')) AS code, count() AS attempts
       FROM (SELECT ${keys.map((name) => `${name}, `).join('')}arrayFilter(one -> has({codes:Array(String)}, one), codes) AS asked
         FROM attempt_anomalies FINAL WHERE ${conditions})
       WHERE notEmpty(asked) ${grouped(['code'])}`,
      { ...parameters, codes: [...codesOf({ codes: query.codes } as EarlyMediaQuery)] },
    ),
  ])
  const keyOf = (row: Row) => keys.map((name) => row[name]).join('\n')
  const byKey = new Map<string, Map<string, number>>()
  for (const row of codes) {
    const found = byKey.get(keyOf(row)) ?? new Map<string, number>()
    byKey.set(keyOf(row), found.set(row.code!, Number(row.attempts)))
  }
  return { bases: new Map(bases.map((row) => [keyOf(row), basesOf(row)])), codes: byKey }
}

function basesOf(row: Row): Bases {
  const of = (suffix: string) =>
    Object.fromEntries(BASE_NAMES.map((name) => [name, Number(row[`${name}${suffix}`])])) as Bases['all']
  return {
    attempts: Number(row.attempts),
    notLookedAt: Number(row.not_looked_at),
    all: of('_all'),
    withMessages: of('_read'),
  }
}

function groupsOf(query: EarlyMediaQuery, now: Counts, before: Counts | undefined): EarlyMediaGroup[] {
  const keys = query.groupBy.filter((name) => name !== 'code')
  const isByCode = query.groupBy.includes('code')
  const groups: EarlyMediaGroup[] = []
  for (const [key, bases] of now.bases) {
    const values = key.split('\n')
    const by = Object.fromEntries(keys.map((name, at) => [name, values[at] || 'unknown']))
    const isNamed =
      !keys.includes('prefix') || by.prefix === 'unknown' || bases.attempts >= PREFIX_ATTEMPTS_MIN
    if (!isNamed) continue
    for (const code of isByCode ? codesOf(query) : ([''] as const)) {
      const found = shareOf(code, bases, now.codes.get(key))
      const earlier =
        before === undefined ? null : shareOf(code, before.bases.get(key), before.codes.get(key))
      if (isByCode && found.count === 0 && (earlier?.count ?? 0) === 0) continue
      groups.push({
        by: code === '' ? by : { ...by, code },
        ...found,
        before: earlier,
        change: changeOf(found, earlier),
      })
    }
  }
  const textOf = ({ by }: EarlyMediaGroup) => JSON.stringify(by)
  return groups.sort((a, b) => b.count - a.count || (textOf(a) < textOf(b) ? -1 : 1))
}

interface Share {
  count: number
  of: number
  share: number | null
  interval: [number, number] | null
}

function shareOf(
  code: AnomalyCode | '',
  bases: Bases | undefined,
  codes: Map<string, number> | undefined,
): Share {
  const { base, reads } = code === '' ? { base: 'any' as const, reads: 'record' as const } : anomalyRule(code)
  const count = codes?.get(code) ?? 0
  const of = (reads === 'messages' ? bases?.withMessages : bases?.all)?.[base] ?? 0
  // A row may stand whose attempt has just changed, until the pass looks again.
  const counted = Math.min(count, of)
  return { count: counted, of, share: of === 0 ? null : counted / of, interval: wilsonInterval(counted, of) }
}

function changeOf(now: Share, before: Share | null): EarlyMediaGroup['change'] {
  if (now.interval === null || before?.interval == null || before.of < BASELINE_MIN) return 'no_test'
  if (now.interval[0] > before.interval[1]) return 'higher'
  return now.interval[1] < before.interval[0] ? 'lower' : 'not_significant'
}
