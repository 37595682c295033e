/** Objectives: their state, their burn over time, and the page that shows them. */
import { z } from 'zod'
import { keptFromS, keptOf } from '../../schemas/retention.js'
import type { SloConfig } from '../../schemas/slos.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { ApiError, didYouMean, nearestNames } from '../errors.js'
import { longestSpanS, POINTS_MAX } from '../kpi/query.js'
import { LASTS, pageRangeOf, stepFor } from '../page/layout.js'
import { slosPage } from '../page/slos.js'
import { oneOf, type Parameter, wholeNumberOf } from '../parameters.js'
import { type SeenSlos, seenSlosOf } from '../slo/seen-slos.js'
import { sloDefinition, sloDefinitionOf, sloState, sloStateOf } from '../slo/slo-json.js'
import { readSloSeries } from '../slo/slo-series.js'
import { readSloStates } from '../slo/slo-state.js'
import { isoOf, shown, spanOf } from '../time-span.js'
import { one, problem, problems, rangeParameters } from './answers.js'

const VALUES_MAX = 200_000

export function sloRoutes(app: App, deps: RouteDeps): void {
  statesRoute(app, deps)
  burnRoute(app, deps)
  pageRoute(app, deps)
}

function statesRoute(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/slos',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'slos',
        summary: 'Every objective: burn of each window, who has to be told, budget left',
        description:
          'Only legs of configured carriers count. Windows of a day or more begin on the whole hour at or before their start.',
        querystring: z.strictObject({}),
        response: {
          200: z.object({
            at: z.string(),
            as_of: z.string().nullable(),
            slos: z.array(sloDefinition.extend({ states: z.array(sloState) })),
          }),
          ...problems,
        },
      },
    },
    async ({ principal }) => {
      const nowS = nowOf(deps)
      const { slos, instances, readers, config } = seenSlosOf(deps, principal)
      const states = await readSloStates(readers, config, nowS, { instances })
      return {
        at: isoOf(nowS * 1e6),
        as_of: asOf(deps),
        slos: slos.map((slo) => ({
          ...sloDefinitionOf(slo),
          states: states.filter(({ instance }) => instance.slo.id === slo.id).map(sloStateOf),
        })),
      }
    },
  )
}

const burnAnswer = z.object({
  from: z.string(),
  to: z.string().describe('The last point lies here or before.'),
  step_s: z.number(),
  as_of: z.string().nullable(),
  slo: sloDefinition,
  instances: z.array(
    z.object({
      carrier: z.string().optional(),
      site: z.string().optional(),
      now: sloState,
      series: z
        .array(
          z.object({
            t: z.string().describe('End of the windows.'),
            burn: z
              .record(z.string(), z.number().nullable())
              .describe('By window; null without valid attempts.'),
            budget_left_ratio: z.number().nullable(),
          }),
        )
        .describe('One entry a step.'),
    }),
  ),
})

function burnRoute(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/slos/:id/burn',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'slo_burn',
        summary: 'Burn of each window of one objective over time, and its state now',
        params: z.object({ id: z.string() }),
        querystring: z.strictObject({
          ...rangeParameters,
          step: one('Seconds, whole minutes. Default: at most 120 points.', '300'),
        }),
        response: {
          200: burnAnswer,
          ...problems,
          404: problem,
        },
      },
    },
    async ({ principal, params, query }) => {
      const seen = seenSlosOf(deps, principal)
      const slo = sloNamed(seen, params.id)
      const instances = seen.instances.filter((instance) => instance.slo.id === slo.id)
      const { timesS, stepS } = timesOf(deps, query, instances.length)
      const [states, series] = await Promise.all([
        readSloStates(seen.readers, seen.config, nowOf(deps), { instances }),
        readSloSeries(seen.readers, seen.config, instances, timesS),
      ])
      return {
        from: isoOf(timesS[0]! * 1e6),
        to: isoOf(timesS.at(-1)! * 1e6),
        step_s: stepS,
        as_of: asOf(deps),
        slo: sloDefinitionOf(slo),
        instances: instances.map((instance, index) => ({
          ...instance.labels,
          now: sloStateOf(states[index]!),
          series: timesS.map((timeS, at) => {
            const burns = series[index]!.windows.map(({ name, burns }) => [name, burns[at] ?? null] as const)
            const whole = burns.at(-1)![1]
            return {
              t: isoOf(timeS * 1e6),
              burn: Object.fromEntries(burns),
              budget_left_ratio: whole === null ? null : 1 - whole,
            }
          }),
        })),
      }
    },
  )
}

function pageRoute(app: App, deps: RouteDeps): void {
  app.get(
    '/slos',
    {
      config: { isPage: true, role: 'viewer' },
      schema: {
        operationId: 'slos_page',
        summary: 'Every objective on one screen',
        produces: ['text/html'],
        querystring: z.strictObject({
          last: one(`Follows the clock: ${LASTS.join(', ')}.`, '1h'),
          ...rangeParameters,
        }),
        response: { 200: z.string(), ...problems, 404: problem },
      },
    },
    async (request, reply) => {
      reply.type('text/html; charset=utf-8')
      return (
        await slosPage(
          seenBy(deps, request.principal),
          seenSlosOf(deps, request.principal),
          pageRangeOf(request.query, deps),
        )
      ).text
    },
  )
}

function nowOf(deps: RouteDeps): number {
  return Math.floor(deps.nowUs() / 60e6) * 60
}

function asOf(deps: RouteDeps): string | null {
  const { asOfUs } = deps.live()
  return asOfUs > 0 ? isoOf(asOfUs) : null
}

function sloNamed({ slos }: SeenSlos, id: string): SloConfig {
  const slo = slos.find((known) => known.id === id)
  if (slo !== undefined) return slo
  const known = slos.map((other) => other.id)
  const suggestions = nearestNames(id, known)
  const there = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`
  throw new ApiError(
    'TRUNKSCOPE_API_NO_SUCH_SLO',
    `there is no objective ${shown(id)}${didYouMean(suggestions) || ';'} ${there}`,
    { suggestions },
  )
}

/** The points: from, from + step … and not after to. */
function timesOf(
  deps: RouteDeps,
  query: { from?: Parameter; to?: Parameter; step?: Parameter },
  instances: number,
): { timesS: number[]; stepS: number } {
  const nowUs = nowOf(deps) * 1e6
  const span = spanOf(
    { from: oneOf('from', query.from), to: oneOf('to', query.to) },
    { nowUs, longestS: longestSpanS(deps.config), wholeMinutes: { otherwise: '' } },
  )
  const keptS = Math.ceil(keptFromS(keptOf(deps.config.retention), nowUs / 1e6).minutes / 3_600) * 3_600
  if (span.fromUs < keptS * 1e6) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_RANGE',
      `from=${isoOf(span.fromUs)}: minutes are kept since ${isoOf(keptS * 1e6)}; write from=${isoOf(keptS * 1e6)} or later`,
      { parameter: 'from' },
    )
  }
  const stepS =
    wholeNumberOf('step', query.step, { min: 60, max: 31_536_000, example: 300 }) ?? stepFor(span, 120)
  if (stepS % 60 !== 0) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_NUMBER',
      `step=${stepS} is not a number of whole minutes; write step=${Math.ceil(stepS / 60) * 60}`,
      { parameter: 'step' },
    )
  }
  const seconds = (span.toUs - span.fromUs) / 1e6
  const points = Math.floor(seconds / stepS) + 1
  const pointsMax = Math.min(POINTS_MAX, Math.floor(VALUES_MAX / (8 * Math.max(1, instances))))
  if (points > pointsMax) {
    throw new ApiError(
      'TRUNKSCOPE_API_TOO_MANY_POINTS',
      `step=${stepS} gives ${points} points for ${instances} carriers and sites, at most ${pointsMax} are answered; ` +
        `write step=${Math.ceil(seconds / (pointsMax - 1) / 60) * 60} or more, or a shorter range`,
      { parameter: 'step' },
    )
  }
  return { stepS, timesS: Array.from({ length: points }, (_, at) => span.fromUs / 1e6 + at * stepS) }
}
