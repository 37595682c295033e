/** Attempts that were given up: the numbers, and the page that shows them. */
import { z } from 'zod'
import { CANCEL_DIMENSIONS, cancelQueryOf, cancelsAnswer, readCancels } from '../cancels/cancels.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { DIRECTIONS } from '../kpi/query.js'
import { cancelsPage } from '../page/cancels.js'
import { LASTS, pageRangeOf } from '../page/layout.js'
import { isoOf } from '../time-span.js'
import { many, one, problem, problems, rangeParameters } from './answers.js'

const asked = {
  group_by: many('One group for each. Default: carrier; empty: one for all.', CANCEL_DIMENSIONS),
  carrier: many('Carrier ids.'),
  site: many('Site ids; `unknown` where neither the SBC nor the agent tells it.'),
  direction: many('As seen from us.', DIRECTIONS),
  prefix: one('First digits of the destination, up to seven.', '+4969'),
}

export function cancelRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/cancels',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'cancels',
        summary: 'Attempts that were given up: why, after how long, and whether they were tried again',
        description: 'From attempts as the evidence passes judge them. The range is in whole minutes.',
        querystring: z.strictObject({ ...rangeParameters, ...asked }),
        response: { 200: cancelsAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      return readCancels(seen, cancelQueryOf(request.query, seen, deps.nowUs()))
    },
  )

  app.get(
    '/cancels',
    {
      config: { isPage: true, role: 'viewer' },
      schema: {
        operationId: 'cancels_page',
        summary: '487s and CANCELs by cause, and how long callers waited',
        produces: ['text/html'],
        querystring: z.strictObject({
          last: one(`Follows the clock: ${LASTS.join(', ')}.`, '1h'),
          ...rangeParameters,
          ...asked,
        }),
        response: { 200: z.string(), ...problems, 404: problem },
      },
    },
    async (request, reply) => {
      const seen = seenBy(deps, request.principal)
      const range = pageRangeOf(request.query, deps)
      const { fromUs, toUs } = range
      const within = { from: isoOf(fromUs), to: isoOf(toUs) }
      const query = cancelQueryOf({ ...request.query, ...within }, seen, deps.nowUs())
      reply.type('text/html; charset=utf-8')
      const page = await cancelsPage(seen, range, query)
      return page.text
    },
  )
}
