/**
 * Destinations of a week, read from the attempts: rollups do not know them. Prefixes with the most attempts, prefixes with
 * the most excess failures over the carrier's mean, and how carriers compare on the prefixes they share.
 *
 * A prefix is the first seven digits of the routing number where the number was ported (`rn`), else of the called number, and
 * at most all but the last four: it names a range of ten thousand lines, never a line, so that every role may read it. What
 * is no number, or shorter than seven digits, has no prefix and is counted in the mean only. A prefix with fewer than ten
 * attempts is not named.
 *
 * Returns  null with a reason where attempts are not kept any more, or too many for one answer.
 * Throws   what the readers throw, but for the limit of a statement.
 * Source   metrics.md §9 (excess failures, shared prefixes), §10 (numbers, rn). The lengths are decisions of ours.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { keptFromS, keptOf } from '../../schemas/retention.js'
import { ApiError } from '../errors.js'
import { wilsonInterval } from '../kpi/interval.js'
import type { Readers } from '../readers.js'
import type { Week } from './week.js'

/** Made by the engine, with the four digits that are always left out (schemas/clickhouse/021_search_columns.sql). */
export const PREFIX_DIGITS = 7
export const PREFIXES_SHOWN = 10
export const PREFIX_ATTEMPTS_MIN = 10

export interface PrefixCount {
  prefix: string
  attempts: number
  answered: number
  /** In the NER. */
  ner_attempts: number
  failures: number
  excess_failures: number
  /** The interval of the prefix's NER lies below that of all attempts of the carrier. */
  is_significant: boolean
}

export type WhyNot = 'not_kept' | 'too_many_attempts'

export interface Destinations {
  /** Prefixes named and not named. */
  prefixes: number
  /** Closed attempts whose number has no prefix. */
  without_prefix: number
  most_attempts: PrefixCount[]
  most_failures: PrefixCount[]
}

/**
 * One row a carrier and prefix. `destination` is the prefix of a row (schemas/clickhouse/021_search_columns.sql): eight bytes at
 * most. Groups are made by numbers, which takes half the time of two texts; a hash of 64 bits tells carriers apart.
 */
function countsOf(condition: string): string {
  return `SELECT any(carrier) AS whose, any(destination) AS prefix, count() AS closed, countIf(disposition = 'ANSWERED') AS answered,
      countIf(ner_denominator = 1) AS den, countIf(ner_denominator = 1 AND ner_numerator = 1) AS num
    FROM ${judgedAttempts({
      minutes: `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`,
      where: `party = 'carrier' AND state = 'closed' AND ${condition}`,
    })}
    GROUP BY cityHash64(carrier), reinterpretAsUInt64(destination)`
}

/** prefix, closed, answered, in the NER, of them effective */
type Named = [prefix: string, closed: string, answered: string, den: string, num: string]

interface Row {
  all_den: string
  all_num: string
  without_prefix: string
  prefixes: string
  by_attempts: Named[]
  by_excess: Named[]
}

/** The excess failures of a tuple as `Named` has it. */
const EXCESS = `(x.4 - x.5) - x.4 * (all_den - all_num) / greatest(all_den, 1)`

export async function readDestinations(
  readers: Readers,
  config: TrunkscopeConfig,
  carrier: string,
  week: Week,
  nowS: number,
): Promise<Destinations | WhyNot> {
  if (!isKept(config, week, nowS)) return 'not_kept'
  const rows = await orTooMany(
    readers.selectMasked<Row, Row>(
      `SELECT all_den, all_num, without_prefix, prefixes,
         arraySlice(arraySort(x -> (-x.2, x.1), named), 1, {shown:UInt32}) AS by_attempts,
         arraySlice(arraySort(x -> (-(${EXCESS}), x.1), named), 1, {shown:UInt32}) AS by_excess
       FROM (SELECT toInt64(sum(den)) AS all_den, toInt64(sum(num)) AS all_num,
           sumIf(closed, prefix = '') AS without_prefix, countIf(prefix != '') AS prefixes,
           groupArrayIf((prefix, toInt64(closed), toInt64(answered), toInt64(den), toInt64(num)),
             prefix != '' AND closed >= {attempts_min:UInt32}) AS named
         FROM (${countsOf('carrier = {carrier:String}')}))`,
      {
        carrier,
        from_s: week.fromS,
        to_s: week.toS,
        attempts_min: PREFIX_ATTEMPTS_MIN,
        shown: PREFIXES_SHOWN,
      },
      (row) => row,
      (row) => row, // A prefix is no number: at least four digits are gone.
    ),
  )
  if (typeof rows === 'string') return rows
  const [row] = rows
  const [den, num] = [Number(row?.all_den ?? 0), Number(row?.all_num ?? 0)]
  const counted = (named: readonly Named[] = []) => named.map((entry) => prefixOf(entry, den, num))
  return {
    prefixes: Number(row?.prefixes ?? 0),
    without_prefix: Number(row?.without_prefix ?? 0),
    most_attempts: counted(row?.by_attempts),
    most_failures: counted(row?.by_excess).filter(({ excess_failures }) => excess_failures > 0),
  }
}

function prefixOf([prefix, closed, answered, ...of]: Named, allDen: number, allNum: number): PrefixCount {
  const [den, num] = of.map(Number) as [number, number]
  const whole = wilsonInterval(allNum, allDen)
  return {
    prefix,
    attempts: Number(closed),
    answered: Number(answered),
    ner_attempts: den,
    failures: den - num,
    excess_failures: den - num - (den * (allDen - allNum)) / Math.max(1, allDen),
    is_significant: whole !== null && (wilsonInterval(num, den)?.[1] ?? 1) < whole[0],
  }
}

/** One carrier on the prefixes that others carried too. */
export interface SharedPrefixes {
  prefixes: number
  /** In the NER. */
  attempts: number
  ner: number
  interval: [number, number]
  /** NER if each prefix had gone as it went over the other carriers. */
  expected_ner: number
  is_significant: boolean
}

export async function readSharedPrefixes(
  readers: Readers,
  config: TrunkscopeConfig,
  week: Week,
  nowS: number,
): Promise<Map<string, SharedPrefixes> | WhyNot> {
  if (!isKept(config, week, nowS)) return 'not_kept'
  const rows = await orTooMany(
    readers.selectMasked<Record<string, string>, Record<string, string>>(
      `SELECT whose AS carrier, count() AS prefixes, sum(den) AS shared_den, sum(num) AS shared_num,
         sum(den * others_num / others_den) AS expected_num
       FROM (SELECT whose, den, num, sum(den) OVER (PARTITION BY prefix) - den AS others_den,
           sum(num) OVER (PARTITION BY prefix) - num AS others_num
         FROM (${countsOf("carrier != 'unknown'")})
         WHERE prefix != '' AND den > 0)
       WHERE others_den >= {attempts_min:UInt32}
       GROUP BY whose ORDER BY whose`,
      { from_s: week.fromS, to_s: week.toS, attempts_min: PREFIX_ATTEMPTS_MIN },
      (row) => row,
      (row) => row, // Names no number.
    ),
  )
  if (typeof rows === 'string') return rows
  return new Map(
    rows.map((row) => {
      const [den, num] = [Number(row.shared_den), Number(row.shared_num)]
      const interval = wilsonInterval(num, den)!
      const expected = Number(row.expected_num) / den
      return [
        row.carrier!,
        {
          prefixes: Number(row.prefixes),
          attempts: den,
          ner: num / den,
          interval,
          expected_ner: expected,
          is_significant: expected < interval[0] || expected > interval[1],
        },
      ]
    }),
  )
}

function isKept(config: TrunkscopeConfig, week: Week, nowS: number): boolean {
  return week.fromS >= keptFromS(keptOf(config.retention), nowS).attempts
}

async function orTooMany<Answer>(asked: Promise<Answer>): Promise<Answer | WhyNot> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_QUERY_LIMIT') return 'too_many_attempts'
    throw error
  }
}
