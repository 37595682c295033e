/** The pages, their style sheet and their script. */
import { z } from 'zod'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { attemptPage } from '../page/attempt.js'
import { attemptsPage } from '../page/attempts.js'
import { carrierPage } from '../page/carrier.js'
import type { Html } from '../page/html.js'
import { LASTS, pageRangeOf } from '../page/layout.js'
import { overviewPage } from '../page/overview.js'
import { SCRIPT } from '../page/script.js'
import { STYLE } from '../page/style.js'
import { flagOf } from '../parameters.js'
import { one, problem, problems, rangeParameters } from './answers.js'

const text = z.string()
const range = z.strictObject({
  last: one(`Follows the clock: ${LASTS.join(', ')}.`, '1h'),
  ...rangeParameters,
})
const parameter = z.union([z.string(), z.array(z.string())]).optional()

const PAGE = { config: { isPage: true, role: 'viewer' }, produces: ['text/html'] } as const

export function pageRoutes(app: App, deps: RouteDeps): void {
  const schema = (operationId: string, summary: string) => ({
    operationId,
    summary,
    produces: [...PAGE.produces],
    response: { 200: text, ...problems, 404: problem },
  })

  app.get(
    '/',
    { config: PAGE.config, schema: { ...schema('page', 'Every carrier on one screen'), querystring: range } },
    async (request, reply) =>
      htmlOf(reply, await overviewPage(seenBy(deps, request.principal), pageRangeOf(request.query, deps))),
  )

  app.get(
    '/carriers/:id',
    {
      config: { ...PAGE.config, audit: 'search' },
      schema: {
        ...schema('carrier_page', 'One carrier'),
        params: z.object({ id: z.string() }),
        querystring: range.extend({
          peers: one('true: beside the other carriers on the same destinations.', 'true'),
        }),
      },
    },
    async (request, reply) =>
      htmlOf(
        reply,
        await carrierPage(
          seenBy(deps, request.principal),
          request.params.id,
          pageRangeOf(request.query, deps),
          flagOf('peers', request.query.peers),
        ),
      ),
  )

  app.get(
    '/attempts',
    {
      config: { ...PAGE.config, audit: 'search' },
      schema: {
        ...schema('attempts_page', 'Attempts of a Call-ID, or the newest that fit a filter'),
        querystring: z.strictObject({
          call_id: parameter,
          number: parameter,
          calling: parameter,
          called: parameter,
          from: parameter,
          to: parameter,
          carrier: parameter,
          site: parameter,
          direction: parameter,
          party: parameter,
          state: parameter,
          disposition: parameter,
          cancel_class: parameter,
          attestation: parameter,
          final_code: parameter,
          anomaly: parameter,
          limit: parameter,
          cursor: parameter,
        }),
      },
    },
    async (request, reply) =>
      htmlOf(reply, await attemptsPage(seenBy(deps, request.principal), request.query, request.audited)),
  )

  app.get(
    '/attempts/:id',
    {
      config: { ...PAGE.config, audit: 'attempt' },
      schema: {
        ...schema('attempt_page', 'One attempt and its messages'),
        params: z.object({ id: z.string() }),
      },
    },
    async (request, reply) =>
      htmlOf(reply, await attemptPage(seenBy(deps, request.principal), request.params.id, request.audited)),
  )

  asset(app, '/style.css', 'text/css', STYLE)
  asset(app, '/page.js', 'text/javascript', SCRIPT)
}

function htmlOf(reply: { type(type: string): unknown }, page: Html): string {
  reply.type('text/html; charset=utf-8')
  return page.text
}

function asset(app: App, url: string, type: string, body: string): void {
  app.get(
    url,
    {
      config: { isPage: true, role: 'viewer' },
      schema: {
        operationId: url.slice(1).replace('.', '_'),
        summary: 'Part of the pages',
        produces: [type],
        response: { 200: text, 401: problem, 403: problem, 429: problem },
      },
    },
    async (_request, reply) => {
      reply.header('cache-control', 'private, max-age=300')
      return reply.type(`${type}; charset=utf-8`).send(body)
    },
  )
}
