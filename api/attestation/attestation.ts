/**
 * What calls claim about their caller (STIR/SHAKEN): levels by carrier and direction, against the week before, over time,
 * and how attempts of each level ended; beside it what the signatures say of these claims (`signed`), what became of them
 * between the legs of a call (`between_legs`), and the certificates behind them. Levels are claimed: the token is decoded.
 *
 * Takes    a checked question, whose range is whole minutes.
 * Returns  the answer of `/v1/attestation`; the page at /attestation shows the same.
 * Source   the level of an attempt: metrics.md §4 and §6. A change is named where two 95 % intervals do not overlap (§9).
 */
import { z } from 'zod'
import { attestationARate } from '../../schemas/kpi/attestation.js'
import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { certificatesAnswer, readCertificates, SOON_DAYS } from '../identity/certificates.js'
import { type RatioValue, ratioValue } from '../kpi/answer.js'
import { type KpiQuery, kpiQueryOf, kpisNamed } from '../kpi/query.js'
import { type KpiGroup, readKpiGroups } from '../kpi/series.js'
import { addSums, countOf, emptySums, mapOf, type Sums } from '../kpi/sums.js'
import { isoOf, type Span } from '../time-span.js'
import { betweenLegs, readBetweenLegs } from './between-legs.js'
import { type Counted, type OutcomeCounts, readOutcomes } from './outcomes.js'
import { ratioOf } from './share.js'
import { readSigned, signedAnswer } from './signed.js'

export const LEVELS = ['A', 'B', 'C', 'none', 'malformed'] as const
export type Level = (typeof LEVELS)[number]

const WEEK_US = 7 * 86_400e6

const CHANGES = ['higher', 'lower', 'not_significant', 'no_test'] as const

const level = z.object({
  count: z.number(),
  share: ratioValue.describe('Of closed attempts with an INVITE.'),
  before: ratioValue.nullable().describe('A week earlier; null where that is not kept.'),
  change: z.enum(CHANGES).describe('Named where the two intervals do not overlap.'),
})
const levels = z.object(
  Object.fromEntries(LEVELS.map((name) => [name, level])) as Record<Level, typeof level>,
)
const perLevel = z.object(
  Object.fromEntries(LEVELS.map((name) => [name, z.number()])) as Record<Level, z.ZodNumber>,
)

const group = z.object({
  by: z.object({ carrier: z.string().optional(), direction: z.string() }),
  attempts: z.number().describe('Closed attempts with an INVITE: the denominator of every share.'),
  open: z.number().describe('No outcome yet: in no share.'),
  incomplete: z.number().describe('The capture lost a part: in no share.'),
  levels,
  series: z
    .array(z.object({ t: z.string(), counts: perLevel }))
    .optional()
    .describe('With step: one entry a step, empty ones included.'),
})

const outcome = z.object({
  by: z.object({ direction: z.string(), level: z.enum(LEVELS) }),
  attempts: z.number(),
  asr: ratioValue,
  rate_487: ratioValue,
  short_call_rate: ratioValue.describe('Answered calls of at most 6 s; by the minute the attempt began.'),
  blocked_rate: ratioValue.describe(
    'Disposition BLOCKED over attempts: 608, and 603 that says it was blocked.',
  ),
  identity_rate: ratioValue.describe('Disposition IDENTITY over attempts: refused for the token itself.'),
  responses: z.object({ 603: z.number(), 607: z.number(), 608: z.number() }),
})

const whyNot = z.enum(['not_kept', 'too_many_attempts'])

export const attestationAnswer = z
  .object({
    from: z.string(),
    to: z.string().describe('Not part of the range.'),
    before: z
      .object({ from: z.string(), to: z.string() })
      .nullable()
      .describe('The same range a week earlier; null: not kept any more.'),
    step_s: z.number().nullable(),
    as_of: z.string().nullable(),
    verified: z
      .literal(false)
      .describe('Levels and shares are what tokens claim. What was checked of them stands in signed.'),
    directions: z.array(group).describe('All carriers of the question together.'),
    groups: z.array(group).describe('One a carrier and direction.'),
    outcomes: z
      .array(outcome)
      .nullable()
      .describe('Read from attempts, so that a minute that was just written may differ from the shares.'),
    outcomes_reason: whyNot.optional().describe('Why outcomes is null.'),
    signed: signedAnswer.describe(
      'Tokens that were looked at, some minutes behind the calls (docs/identity.md).',
    ),
    certificates: certificatesAnswer.pick({ within_days: true, certificates: true, certificates_cut: true }),
    between_legs: z
      .array(betweenLegs)
      .nullable()
      .describe('By whom calls came from and went to; carrier narrows either side, direction nothing.'),
    between_legs_reason: whyNot.optional().describe('Why between_legs is null.'),
  })
  .meta({ title: 'Attestation' })

export type AttestationAnswer = z.output<typeof attestationAnswer>
export type AttestationGroup = AttestationAnswer['groups'][number]
export type Outcome = NonNullable<AttestationAnswer['outcomes']>[number]

export interface AttestationParameters {
  carrier: readonly string[]
  site: readonly string[]
  direction: KpiQuery['where']['direction']
}

export async function readAttestation(
  deps: SeenDeps,
  span: Span,
  stepS: number | null,
  where: AttestationParameters,
): Promise<AttestationAnswer> {
  const { readers, config } = deps
  const query: KpiQuery = {
    ...span,
    groupBy: ['carrier', 'direction'],
    stepS,
    kpis: kpisNamed([attestationARate.id]),
    where,
    exact: false,
  }
  const earlier = earlierOf(deps, query)
  const nowS = Math.floor(deps.nowUs() / 1e6)
  const [groups, before, outcomes, signed, certificates, pairs] = await Promise.all([
    readKpiGroups(readers, config, query),
    earlier === null ? null : readKpiGroups(readers, config, earlier),
    readOutcomes(readers, config, query, nowS),
    readSigned(deps, query, stepS, where),
    readCertificates(deps, query, where, SOON_DAYS),
    readBetweenLegs(readers, config, query, where, nowS),
  ])
  const { asOfUs } = deps.live()
  return {
    from: isoOf(query.fromUs),
    to: isoOf(query.toUs),
    before: earlier === null ? null : { from: isoOf(earlier.fromUs), to: isoOf(earlier.toUs) },
    step_s: stepS,
    as_of: asOfUs > 0 ? isoOf(asOfUs) : null,
    verified: false,
    directions: directionsOf(groups).map((one) =>
      groupOf(query, one, before === null ? null : sumsOf(directionsOf(before), one.by)),
    ),
    groups: groups.map((one) => groupOf(query, one, before === null ? null : sumsOf(before, one.by))),
    outcomes: typeof outcomes === 'string' ? null : outcomesOf(outcomes),
    ...(typeof outcomes === 'string' ? { outcomes_reason: outcomes } : {}),
    signed,
    certificates: {
      within_days: certificates.within_days,
      certificates: certificates.certificates,
      certificates_cut: certificates.certificates_cut,
    },
    between_legs: typeof pairs === 'string' ? null : pairs.map(({ sites: _, ...pair }) => pair),
    ...(typeof pairs === 'string' ? { between_legs_reason: pairs } : {}),
  }
}

/** The same minutes of the week before, or null: of those only coarser sums are left, or nothing. */
function earlierOf(deps: SeenDeps, query: KpiQuery): KpiQuery | null {
  const span = { fromUs: query.fromUs - WEEK_US, toUs: query.toUs - WEEK_US }
  if (span.fromUs < 0) return null
  try {
    kpiQueryOf({ from: isoOf(span.fromUs), to: isoOf(span.toUs) }, deps.config, deps.nowUs())
  } catch (error) {
    if (error instanceof ApiError) return null
    throw error
  }
  return { ...query, ...span, stepS: null }
}

/** Carriers of one direction together. */
function directionsOf(groups: readonly KpiGroup[]): KpiGroup[] {
  const byDirection = new Map<string, KpiGroup>()
  for (const { by, total, steps } of groups) {
    const direction = by.direction ?? 'unknown'
    const all = byDirection.get(direction) ?? {
      by: { direction },
      total: emptySums(),
      steps: steps?.map(emptySums),
    }
    addSums(all.total, total)
    for (const [index, sums] of (all.steps ?? []).entries()) addSums(sums, steps![index]!)
    byDirection.set(direction, all)
  }
  return [...byDirection.values()].sort((a, b) => (a.by.direction! < b.by.direction! ? -1 : 1))
}

function sumsOf(groups: readonly KpiGroup[], by: KpiGroup['by']): Sums {
  const same = groups.find((one) => one.by.carrier === by.carrier && one.by.direction === by.direction)
  return same?.total ?? emptySums()
}

function groupOf(
  { fromUs, stepS }: KpiQuery,
  { by, total, steps }: KpiGroup,
  before: Sums | null,
): AttestationGroup {
  return {
    by: {
      ...(by.carrier === undefined ? {} : { carrier: by.carrier }),
      direction: by.direction ?? 'unknown',
    },
    attempts: allOf(total),
    open: countOf(total, 'open'),
    incomplete: countOf(total, 'incomplete'),
    levels: perLevelOf((name) => {
      const share = ratioOf(countsIn(total)[name], allOf(total))
      const then = before === null ? null : ratioOf(countsIn(before)[name], allOf(before))
      return { count: countsIn(total)[name], share, before: then, change: changeOf(share, then) }
    }),
    ...(steps === undefined
      ? {}
      : {
          series: steps.map((sums, index) => ({
            t: isoOf(fromUs + index * (stepS ?? 0) * 1e6),
            counts: countsIn(sums),
          })),
        }),
  }
}

function perLevelOf<Value>(of: (name: Level) => Value): Record<Level, Value> {
  return Object.fromEntries(LEVELS.map((name) => [name, of(name)])) as Record<Level, Value>
}

function countsIn(sums: Sums): Record<Level, number> {
  const counts = mapOf(sums, 'attestations')
  return perLevelOf((name) => counts[name] ?? 0)
}

function allOf(sums: Sums): number {
  return Object.values(mapOf(sums, 'attestations')).reduce((all, count) => all + count, 0)
}

function changeOf(now: RatioValue, then: RatioValue | null): (typeof CHANGES)[number] {
  const [nowLow, nowHigh] = now.interval ?? []
  const [thenLow, thenHigh] = then?.interval ?? []
  if (nowLow === undefined || thenLow === undefined) return 'no_test'
  if (nowLow > thenHigh!) return 'higher'
  return nowHigh! < thenLow ? 'lower' : 'not_significant'
}

function outcomesOf(rows: readonly OutcomeCounts[]): Outcome[] {
  const ratio = ({ numerator, denominator, excluded, version }: Counted) =>
    ratioOf(numerator, denominator, excluded, version)
  return rows
    .flatMap((row) => {
      const known = LEVELS.find((name) => name === row.level)
      return known === undefined ? [] : [{ row, known }]
    })
    .sort(
      (a, b) =>
        compare(a.row.direction, b.row.direction) || LEVELS.indexOf(a.known) - LEVELS.indexOf(b.known),
    )
    .map(({ row, known }) => ({
      by: { direction: row.direction, level: known },
      attempts: row.attempts,
      asr: ratio(row.answered),
      rate_487: ratio(row.terminated),
      short_call_rate: ratio(row.shortCalls),
      blocked_rate: ratioOf(row.blocked, row.attempts),
      identity_rate: ratioOf(row.identity, row.attempts),
      responses: { 603: row.code603, 607: row.code607, 608: row.code608 },
    }))
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
