/** The health of the tap: agents, and what was refused. */
import { z } from 'zod'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { longestSpanS } from '../kpi/query.js'
import { LASTS, pageRangeOf } from '../page/layout.js'
import { tapPage } from '../page/tap.js'
import { oneOf, wholeNumberOf } from '../parameters.js'
import { agent, kernelDropRatio, readAgents, watchTap } from '../tap/agents.js'
import { FORMULAS } from '../tap/formulas.js'
import { readRefused, refusedReason } from '../tap/refused.js'
import { isoOf, isoOrNull, spanOf } from '../time-span.js'
import { one, problem, problems, rangeParameters } from './answers.js'

const WATCH_INTERVAL_MS = 15_000

export function tapRoutes(app: App, deps: RouteDeps): void {
  let watching: NodeJS.Timeout | undefined
  app.addHook('onReady', async () => {
    watchTap(deps)
    watching = setInterval(() => watchTap(deps), WATCH_INTERVAL_MS).unref()
  })
  app.addHook('onClose', async () => clearInterval(watching))

  app.get(
    '/v1/agents',
    {
      config: { role: 'viewer', isOfAllCarriers: true },
      schema: {
        operationId: 'agents',
        summary: 'Capture agents: what they sent in the range, and how they are doing now',
        querystring: z.strictObject(rangeParameters),
        response: {
          200: z.object({
            from: z.string(),
            to: z.string(),
            as_of: z.string().nullable(),
            agents: z.array(agent).describe('Those of the range, and of the 8 days before as_of.'),
            formulas: z.record(z.string(), z.object({ unit: z.string(), formula: z.string() })),
            accepted: z
              .array(z.object({ transport: z.string(), frames: z.number(), bytes: z.number() }))
              .describe('Since the process started.'),
            kernel_drops: z.number().describe('Since the process started.'),
            kernel_drop_ratio: z.number().nullable().describe(FORMULAS.kernel_drop_ratio.formula),
            last_frame: z.object({ at: z.string().nullable(), peer_address: z.string() }).nullable(),
          }),
          ...problems,
        },
      },
    },
    async (request) => {
      const live = deps.live()
      const span = spanOf(
        { from: oneOf('from', request.query.from), to: oneOf('to', request.query.to) },
        { nowUs: deps.nowUs(), longestS: longestSpanS(deps.config), wholeMinutes: { otherwise: '' } },
      )
      return {
        from: isoOf(span.fromUs),
        to: isoOf(span.toUs),
        as_of: live.asOfUs > 0 ? isoOf(live.asOfUs) : null,
        agents: await readAgents(deps, span),
        formulas: FORMULAS,
        accepted: live.accepted.map((entry) => ({ ...entry })),
        kernel_drops: live.kernelDrops,
        kernel_drop_ratio: kernelDropRatio(deps),
        last_frame:
          live.lastFrame === undefined
            ? null
            : { at: isoOrNull(live.lastFrame.atUs), peer_address: live.lastFrame.peerAddress },
      }
    },
  )

  app.get(
    '/tap',
    {
      config: { isPage: true, role: 'viewer', isOfAllCarriers: true },
      schema: {
        operationId: 'tap_page',
        summary: 'Every agent on one screen',
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
      return (await tapPage(seenBy(deps, request.principal), pageRangeOf(request.query, deps))).text
    },
  )

  app.get(
    '/v1/refused',
    {
      // Samples are bytes off the wire.
      config: { role: 'investigator', isOfAllCarriers: true, audit: 'samples' },
      schema: {
        operationId: 'refused',
        summary: 'What was refused or could not be read, by reason, with samples',
        querystring: z.strictObject({ limit: one('Samples for each reason, at most 20. Default: 5.', '5') }),
        response: { 200: z.object({ reasons: z.array(refusedReason) }), ...problems },
      },
    },
    async (request) => ({
      reasons: await readRefused(
        seenBy(deps, request.principal).readers,
        deps.live(),
        wholeNumberOf('limit', request.query.limit, { min: 1, max: 20, example: 5 }) ?? 5,
      ),
    }),
  )
}
