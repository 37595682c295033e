/** What a supervisor, a scraper and a client generator ask for. */
import { z } from 'zod'
import type { App, RouteDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { problem, problems } from './answers.js'

const { 400: _, ...withoutParameters } = problems

export function healthRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/healthz',
    {
      config: { isPublic: true },
      schema: {
        operationId: 'healthz',
        summary: 'The process runs',
        security: [],
        response: { 200: z.object({ status: z.literal('ok') }) },
      },
    },
    async () => ({ status: 'ok' as const }),
  )

  app.get(
    '/readyz',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readyz',
        summary: 'The store can be read and frames are taken; otherwise 503 with the reason',
        response: { 200: z.object({ status: z.literal('ready') }), ...withoutParameters },
      },
    },
    async () => {
      const live = deps.live()
      if (live.ready) return { status: 'ready' as const }
      throw new ApiError('TRUNKSCOPE_API_STARTING', live.problem === '' ? 'starting' : live.problem, {
        retryAfterS: 2,
      })
    },
  )

  app.get(
    '/metrics',
    {
      config: { role: 'viewer', isOfAllCarriers: true },
      schema: {
        operationId: 'metrics',
        summary: "Prometheus text of the process's own health",
        produces: ['text/plain'],
        response: { 200: z.string(), ...withoutParameters },
      },
    },
    async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(await deps.metrics()),
  )

  app.get(
    '/openapi.json',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'openapi',
        summary: 'This description',
        response: { 200: z.record(z.string(), z.unknown()), 401: problem, 429: problem },
      },
    },
    async (_request, reply) =>
      reply.serializer((value) => JSON.stringify(value)).send(app.swagger() as never),
  )
}
