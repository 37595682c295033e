import { z } from 'zod'
import { CANCEL_DIMENSIONS, cancelQueryOf, cancelsAnswer, readCancels } from '../cancels/cancels.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { DIRECTIONS } from '../kpi/query.js'
import { many, problems, rangeParameters } from './answers.js'

export function cancelRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/cancels',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'cancels',
        summary: 'Attempts that were given up: why, after how long, and whether they were tried again',
        description: 'From attempts as the evidence passes judge them. The range is in whole minutes.',
        querystring: z.strictObject({
          ...rangeParameters,
          group_by: many('One group for each. Default: carrier; empty: one for all.', CANCEL_DIMENSIONS),
          carrier: many('Carrier ids.'),
          site: many('Site ids.'),
          direction: many('As seen from us.', DIRECTIONS),
        }),
        response: { 200: cancelsAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      return readCancels(seen, cancelQueryOf(request.query, seen, deps.nowUs()))
    },
  )
}
