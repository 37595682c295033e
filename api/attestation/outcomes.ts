/**
 * How attempts ended by the attestation that they claimed, read from the attempts: rollups count levels and endings apart.
 *
 * Counted are closed attempts with an INVITE that began in the range, as in the shares of levels. Answered, 487 and short
 * calls go by the rules of the catalog; short calls are those of the attempts that began in the range, where the catalog
 * counts by the minute a call ends.
 *
 * Returns  rows of a direction and a level, or the reason why there are none.
 * Throws   what the readers throw, but for the limit of a statement.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { asr } from '../../schemas/kpi/asr.js'
import { rate487 } from '../../schemas/kpi/rate-487.js'
import { shortCallRate } from '../../schemas/kpi/short-call-rate.js'
import { keptFromS, keptOf } from '../../schemas/retention.js'
import { ApiError } from '../errors.js'
import type { KpiQuery } from '../kpi/query.js'
import { conditionsOf, parametersOf } from '../kpi/rollups.js'
import type { Readers } from '../readers.js'

export type WhyNot = 'not_kept' | 'too_many_attempts'

export interface Counted {
  version: number
  numerator: number
  denominator: number
  excluded: number
}

export interface OutcomeCounts {
  direction: string
  level: string
  attempts: number
  answered: Counted
  terminated: Counted
  shortCalls: Counted
  /** Refused by the network for what the call is taken to be: 608, and 603 that says so. */
  blocked: number
  /** Refused for its token: 428, 436, 437, 438, and 403 that says it is stale. */
  identity: number
  code603: number
  code607: number
  code608: number
}

const RULES = { answered: asr, terminated: rate487, shortCalls: shortCallRate } as const
type Rule = keyof typeof RULES
const NAMES = Object.keys(RULES) as Rule[]

export async function readOutcomes(
  readers: Readers,
  config: TrunkscopeConfig,
  query: KpiQuery,
  nowS: number,
): Promise<OutcomeCounts[] | WhyNot> {
  if (query.fromUs / 1e6 < keptFromS(keptOf(config.retention), nowS).attempts) return 'not_kept'
  try {
    const rows = await readers.select<Record<string, string>>(statementOf(query), {
      ...parametersOf(query),
      from_s: Math.floor(query.fromUs / 1e6),
      to_s: Math.floor(query.toUs / 1e6),
    })
    return rows.map(countsOf)
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_QUERY_LIMIT') return 'too_many_attempts'
    throw error
  }
}

function statementOf(query: KpiQuery): string {
  const answers = NAMES.map((name) => `${RULES[name].sql} AS ${name}`)
  const counts = NAMES.flatMap((name) => [
    `countIf(${name} = 'numerator') AS ${name}_numerator`,
    `countIf(${name} IN ('numerator', 'denominator')) AS ${name}_denominator`,
    `countIf(${name} = 'excluded') AS ${name}_excluded`,
  ])
  return `SELECT direction, attestation AS level, count() AS attempts, ${counts.join(', ')},
    countIf(disposition = 'BLOCKED') AS blocked, countIf(disposition = 'IDENTITY') AS identity,
    countIf(final_code = 603) AS code603, countIf(final_code = 607) AS code607, countIf(final_code = 608) AS code608
  FROM (SELECT direction, attestation, disposition, final_code, ${answers.join(', ')}
    FROM ${judgedAttempts({
      minutes: `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`,
      where: `state = 'closed' AND invited AND ${conditionsOf(query)}`,
    })})
  GROUP BY direction, level`
}

function countsOf(row: Record<string, string>): OutcomeCounts {
  const number = (name: string) => Number(row[name])
  const counted = (name: Rule): Counted => ({
    version: RULES[name].version,
    numerator: number(`${name}_numerator`),
    denominator: number(`${name}_denominator`),
    excluded: number(`${name}_excluded`),
  })
  return {
    direction: row.direction === '' ? 'unknown' : row.direction!,
    level: row.level!,
    attempts: number('attempts'),
    answered: counted('answered'),
    terminated: counted('terminated'),
    shortCalls: counted('shortCalls'),
    blocked: number('blocked'),
    identity: number('identity'),
    code603: number('code603'),
    code607: number('code607'),
    code608: number('code608'),
  }
}
