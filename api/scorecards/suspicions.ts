/**
 * The rows of a scorecard that no rollup knows: the FAS score and early media anomalies of the week and of the one before, read
 * from attempts and from what the evidence pass wrote.
 *
 * Returns  by carrier the two weeks, or why they could not be read. Peers of the FAS score are the carriers that may be seen.
 * Throws   what the readers throw, but for the limit of a statement.
 * Source   metrics.md §5 and §9; formulas are decisions of ours (docs/early-media.md).
 */
import { FAS_FIGURES } from '../../schemas/figures/early-media.js'
import { keptFromS, keptOf } from '../../schemas/retention.js'
import type { SeenDeps } from '../deps.js'
import { readFasOfCarriers } from '../early-media/fas.js'
import type { ScoredCarrier } from '../early-media/fas-score.js'
import { ApiError } from '../errors.js'
import type { WhyNot } from './destinations.js'
import { type Measured, type RowDefinition, ratioOf } from './rows.js'
import { WEEK_S, type Week } from './week.js'

export interface WeekSuspicions {
  fas: ScoredCarrier | undefined
  /** Outbound attempts that rang, in minutes that were looked at; and those of them with an anomaly that is more than info. */
  rang: number
  anomalous: number
}

/** The week before, and the week. */
export type Suspicions = readonly [before: WeekSuspicions, now: WeekSuspicions]

export type SuspicionRow = Omit<RowDefinition, 'of'> & { of: (week: WeekSuspicions) => Measured }

function declared(id: keyof typeof FAS_FIGURES) {
  const { name, formula, source, version } = FAS_FIGURES[id]
  return { id, name, formula, source, version }
}

export const SUSPICION_ROWS: readonly SuspicionRow[] = [
  {
    ...declared('fas_score'),
    unit: 'count',
    better: 'lower',
    floor: 30,
    of: ({ fas }) => ({
      value: fas?.score ?? null,
      interval: null,
      lowConfidence: false,
      ...(fas?.score == null
        ? { reason: (fas?.answers ?? 0) > 0 ? ('insufficient_data' as const) : ('no_attempts' as const) }
        : { count: fas.answersScored }),
    }),
  },
  {
    ...declared('early_media'),
    unit: 'ratio',
    better: 'lower',
    floor: 1,
    of: ({ anomalous, rang }) => ratioOf(Math.min(anomalous, rang), rang),
  },
]

export async function readSuspicionWeeks(
  deps: SeenDeps,
  week: Week,
  nowS: number,
): Promise<Map<string, Suspicions> | WhyNot> {
  const before = { fromS: week.fromS - WEEK_S, toS: week.fromS }
  if (week.fromS < keptFromS(keptOf(deps.config.retention), nowS).attempts) return 'not_kept'
  try {
    if ((await attemptsOf(deps, before.fromS, week.toS)) > ATTEMPTS_MAX) return 'too_many_attempts'
    const [earlier, now] = await Promise.all([readWeek(deps, before), readWeek(deps, week)])
    const carriers = new Set([...earlier.keys(), ...now.keys()])
    return new Map([...carriers].map((id) => [id, [earlier.get(id) ?? NOTHING, now.get(id) ?? NOTHING]]))
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_QUERY_LIMIT') return 'too_many_attempts'
    throw error
  }
}

/** In both weeks, of all carriers: whom a carrier is compared with is read as well, and a scorecard is a matter of seconds. */
const ATTEMPTS_MAX = 3_000_000

/** About: hours that are still to be summed are not in it. */
async function attemptsOf({ readers }: SeenDeps, fromS: number, toS: number): Promise<number> {
  const [row] = await readers.select<{ attempts: string }>(
    `SELECT sum(attempts) AS attempts FROM kpi_hour FINAL
     WHERE hour >= toDateTime({from_s:UInt32}, 'UTC') AND hour < toDateTime({to_s:UInt32}, 'UTC')
       AND party = 'carrier' AND direction = 'outbound'`,
    { from_s: fromS, to_s: toS },
  )
  return Number(row?.attempts ?? 0)
}

const NOTHING: WeekSuspicions = { fas: undefined, rang: 0, anomalous: 0 }
export const NO_SUSPICIONS: Suspicions = [NOTHING, NOTHING]

async function readWeek(
  deps: SeenDeps,
  { fromS, toS }: Pick<Week, 'fromS' | 'toS'>,
): Promise<Map<string, WeekSuspicions>> {
  const within = `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`
  const conditions = `${within} AND party = 'carrier' AND direction = 'outbound'`
  const parameters = { from_s: fromS, to_s: toS }
  const countsOf = async (query: string) => {
    const rows = await deps.readers.select<{ carrier: string; attempts: string }>(query, parameters)
    return new Map(rows.map(({ carrier, attempts }) => [carrier, Number(attempts)]))
  }
  const [fas, rang, anomalous] = await Promise.all([
    readFasOfCarriers(deps, { fromUs: fromS * 1e6, toUs: toS * 1e6 }),
    countsOf(
      `SELECT carrier, count() AS attempts FROM call_attempts FINAL
       WHERE ${conditions} AND state = 'closed' AND rang AND minute IN (SELECT minute FROM anomaly_minutes WHERE ${within})
       GROUP BY carrier`,
    ),
    countsOf(
      `SELECT carrier, count() AS attempts FROM attempt_anomalies FINAL
       WHERE ${conditions} AND arrayExists((code, severity) -> startsWith(code, 'EM_') AND severity != 'info', codes, severities)
       GROUP BY carrier`,
    ),
  ])
  const carriers = new Set([...fas.keys(), ...rang.keys()])
  return new Map(
    [...carriers].map((id) => [
      id,
      { fas: fas.get(id), rang: rang.get(id) ?? 0, anomalous: anomalous.get(id) ?? 0 },
    ]),
  )
}
