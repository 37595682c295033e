/** The health of the tap: agents, and what was refused. */
import { z } from 'zod'
import type { App, RouteDeps } from '../deps.js'
import { longestSpanS } from '../kpi/query.js'
import { oneOf, wholeNumberOf } from '../parameters.js'
import { agent, readAgents } from '../tap/agents.js'
import { readRefused, refusedReason } from '../tap/refused.js'
import { isoOf, isoOrNull, spanOf } from '../time-span.js'
import { one, problems, rangeParameters } from './answers.js'

export function tapRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/agents',
    {
      schema: {
        operationId: 'agents',
        summary: 'Capture agents: what they sent in the range, and when they were last heard of',
        querystring: z.strictObject(rangeParameters),
        response: {
          200: z.object({
            from: z.string(),
            to: z.string(),
            as_of: z.string().nullable(),
            agents: z.array(agent).describe('Those of the range, and of the day before its end.'),
            accepted: z
              .array(z.object({ transport: z.string(), frames: z.number(), bytes: z.number() }))
              .describe('Since the process started.'),
            kernel_drops: z.number(),
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
        agents: await readAgents(deps.readers, span, live, siteOfAgent(deps)),
        accepted: live.accepted.map((entry) => ({ ...entry })),
        kernel_drops: live.kernelDrops,
        last_frame:
          live.lastFrame === undefined
            ? null
            : { at: isoOrNull(live.lastFrame.atUs), peer_address: live.lastFrame.peerAddress },
      }
    },
  )

  app.get(
    '/v1/refused',
    {
      schema: {
        operationId: 'refused',
        summary: 'What was refused or could not be read, by reason, with samples',
        querystring: z.strictObject({ limit: one('Samples for each reason, at most 20. Default: 5.', '5') }),
        response: { 200: z.object({ reasons: z.array(refusedReason) }), ...problems },
      },
    },
    async (request) => ({
      reasons: await readRefused(
        deps.readers,
        deps.live(),
        wholeNumberOf('limit', request.query.limit, { min: 1, max: 20, example: 5 }) ?? 5,
      ),
    }),
  )
}

export function siteOfAgent({ config }: RouteDeps): (agentId: number) => string {
  const sites = new Map(config.sites.flatMap(({ id, agents }) => agents.map((agentId) => [agentId, id])))
  return (agentId) => sites.get(agentId) ?? ''
}
