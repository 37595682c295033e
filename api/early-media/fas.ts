/**
 * `/v1/fas`: the FAS score by carrier and prefix over a window, read from the attempts. One statement, a row a carrier and
 * prefix; fas-score.ts makes the scores.
 *
 * Takes    a range, by default the last seven days; carriers to show. Whom they are compared with is whoever may be seen.
 * Returns  scores with their parts. Prefixes below the floor are counted and not named.
 * Throws   what the readers throw.
 * Source   metrics.md §5. Outbound attempts only: there it is the carrier who answers. What FAS_NO_PROGRESS and FAS_EARLY_ANSWER
 *          mean in an attempt is said here once more as SQL; a test holds it against evidence/early-media/record-rules.ts.
 */
import { z } from 'zod'
import { conditionText, FAS_CODES, FAS_PARTS } from '../../schemas/anomalies.js'
import type { SeenDeps } from '../deps.js'
import { longestSpanS } from '../kpi/query.js'
import { listOf, oneOf, type Parameter } from '../parameters.js'
import { isoOf, type Span, spanOf } from '../time-span.js'
import { type FasScores, fasScores, type PrefixAnswers, type ScoredPrefix } from './fas-score.js'

export const FAS_DEFAULT_S = 7 * 86_400
const GROUPS_MAX = 1_000

export const SIGNALLING_ONLY =
  'From signalling only: nobody listened to the media. A score is a suspicion, never a verdict; a low one clears nobody.'

export const fasAnswer = z
  .object({
    from: z.string(),
    to: z.string(),
    note: z.string(),
    thresholds: z.record(z.string(), z.number()),
    parts: z.array(
      z.object({ code: z.enum(FAS_CODES), name: z.string(), condition: z.string(), points: z.number() }),
    ),
    carriers: z.array(
      z.object({
        carrier: z.string(),
        answers: z.number(),
        answers_scored: z.number().describe('Of prefixes with a score.'),
        prefixes_scored: z.number(),
        prefixes_flagged: z.number(),
        score: z
          .number()
          .nullable()
          .describe('0 to 100: mean over its prefixes, weighted by answers. null: none has enough answers.'),
        is_flagged: z.boolean(),
      }),
    ),
    groups: z
      .array(
        z.object({
          carrier: z.string(),
          prefix: z.string(),
          attempts: z.number().describe('Below the line of the ASR.'),
          answers: z.number(),
          score: z.number(),
          is_flagged: z.boolean(),
          parts: z.array(
            z.object({
              code: z.enum(FAS_CODES),
              status: z.enum(['holds', 'does_not_hold', 'not_measured']),
              points: z.number(),
              why: z.string(),
            }),
          ),
        }),
      )
      .describe('The highest score first.'),
    is_cut: z
      .boolean()
      .describe(`There are more than ${GROUPS_MAX} groups: those with the highest scores are here.`),
  })
  .meta({ title: 'False answer supervision' })

export type FasAnswer = z.output<typeof fasAnswer>

export interface FasParameters {
  from?: Parameter
  to?: Parameter
  carrier?: Parameter
}

export interface FasQuery extends Span {
  carriers: readonly string[]
}

export function fasQueryOf(written: FasParameters, { config }: SeenDeps, nowUs: number): FasQuery {
  const span = spanOf(
    { from: oneOf('from', written.from), to: oneOf('to', written.to) },
    { nowUs, defaultS: FAS_DEFAULT_S, longestS: longestSpanS(config), wholeMinutes: { otherwise: '' } },
  )
  return { ...span, carriers: listOf(written.carrier) }
}

export async function readFas(deps: SeenDeps, { fromUs, toUs, carriers }: FasQuery): Promise<FasAnswer> {
  const { early_media, fas } = deps.config.thresholds
  const scores = fasScores(await readAnswers(deps, { fromUs, toUs }), fas)
  const isAsked = ({ carrier }: { carrier: string }) => carriers.length === 0 || carriers.includes(carrier)
  const groups = scores.prefixes.filter(isAsked)
  return {
    from: isoOf(fromUs),
    to: isoOf(toUs),
    note: SIGNALLING_ONLY,
    thresholds: fas,
    parts: FAS_CODES.map((code) => {
      const { name, points } = FAS_PARTS[code]
      return { code, name, points, condition: conditionText(FAS_PARTS[code], { ...early_media, ...fas }) }
    }),
    carriers: scores.carriers.filter(isAsked).map((one) => ({
      carrier: one.carrier,
      answers: one.answers,
      answers_scored: one.answersScored,
      prefixes_scored: one.prefixesScored,
      prefixes_flagged: one.prefixesFlagged,
      score: one.score,
      is_flagged: one.isFlagged,
    })),
    groups: groups.slice(0, GROUPS_MAX).map(groupOf),
    is_cut: groups.length > GROUPS_MAX,
  }
}

function groupOf({ isFlagged, parts, ...group }: ScoredPrefix): FasAnswer['groups'][number] {
  return { ...group, is_flagged: isFlagged, parts: parts.map((part) => ({ ...part, why: part.why() })) }
}

/** By carrier, for a scorecard. */
export async function readFasOfCarriers(
  deps: SeenDeps,
  span: Span,
): Promise<Map<string, FasScores['carriers'][number]>> {
  const { carriers } = fasScores(await readAnswers(deps, span), deps.config.thresholds.fas)
  return new Map(carriers.map((one) => [one.carrier, one]))
}

type Row = Record<'carrier' | 'prefix', string> & Record<(typeof NUMBERS)[number], string | number | null>

const NUMBERS = [
  'attempts',
  'answered',
  'answers',
  'timed',
  'time_mean_ms',
  'time_deviation_ms',
  'lasted',
  'duration_sum_ms',
  'byes',
  'callee_byes',
  'no_progress',
  'early_answer',
] as const

const ANSWER = "answered_at_us > 0 AND cancel_class != 'CANCEL_RACE_200'"
const TIMED = `${ANSWER} AND invited_at_us > 0 AND answered_at_us >= invited_at_us`
const TIME_MS = 'if(answered_at_us >= invited_at_us, (answered_at_us - invited_at_us) / 1000, 0)'

export async function readAnswers(
  { readers, config }: SeenDeps,
  { fromUs, toUs }: Span,
): Promise<PrefixAnswers[]> {
  const { no_progress_ms, early_answer_ms, early_answer_call_ms } = config.thresholds.fas
  const rows = await readers.select<Row>(
    `SELECT carrier, destination AS prefix, countIf(disposition != 'REDIRECT') AS attempts, countIf(disposition = 'ANSWERED') AS answered,
       countIf(${ANSWER}) AS answers, countIf(${TIMED}) AS timed, avgIf(${TIME_MS}, ${TIMED}) AS time_mean_ms,
       stddevSampStableIf(${TIME_MS}, ${TIMED}) AS time_deviation_ms,
       countIf(${ANSWER} AND isNotNull(duration_ms)) AS lasted, sumIf(assumeNotNull(duration_ms), ${ANSWER} AND isNotNull(duration_ms)) AS duration_sum_ms,
       countIf(${ANSWER} AND bye_from != '') AS byes, countIf(${ANSWER} AND bye_from = 'callee') AS callee_byes,
       countIf(${ANSWER} AND NOT rang AND isNotNull(pdd_ms) AND assumeNotNull(pdd_ms) < {no_progress_ms:Float64}) AS no_progress,
       countIf(${TIMED} AND ${TIME_MS} < {early_answer_ms:Float64} AND bye_from = 'caller' AND isNotNull(duration_ms)
         AND assumeNotNull(duration_ms) < {early_answer_call_ms:Float64}) AS early_answer
     FROM call_attempts FINAL
     WHERE minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')
       AND party = 'carrier' AND direction = 'outbound' AND state = 'closed'
     GROUP BY carrier, prefix`,
    {
      from_s: Math.floor(fromUs / 1e6),
      to_s: Math.ceil(toUs / 1e6),
      no_progress_ms,
      early_answer_ms,
      early_answer_call_ms,
    },
  )
  return rows.map((row) => {
    const number = (name: (typeof NUMBERS)[number]) => Number(row[name] ?? 0)
    return {
      carrier: row.carrier,
      prefix: row.prefix,
      attempts: number('attempts'),
      answered: number('answered'),
      answers: number('answers'),
      timed: number('timed'),
      timeMeanMs: number('time_mean_ms'),
      timeDeviationMs: number('time_deviation_ms'),
      lasted: number('lasted'),
      durationSumMs: number('duration_sum_ms'),
      byes: number('byes'),
      calleeByes: number('callee_byes'),
      noProgress: number('no_progress'),
      earlyAnswer: number('early_answer'),
    }
  })
}
