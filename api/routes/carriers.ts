import { z } from 'zod'
import { carriersAnswer, readCarriers } from '../carriers/carriers.js'
import type { App, RouteDeps } from '../deps.js'
import { longestSpanS } from '../kpi/query.js'
import { oneOf } from '../parameters.js'
import { spanOf } from '../time-span.js'
import { problems, rangeParameters } from './answers.js'

export function carrierRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/carriers',
    {
      schema: {
        operationId: 'carriers',
        summary: 'The configured carriers, and unknown peers with the YAML that would name them',
        querystring: z.strictObject(rangeParameters),
        response: { 200: carriersAnswer, ...problems },
      },
    },
    async (request) => {
      const span = spanOf(
        { from: oneOf('from', request.query.from), to: oneOf('to', request.query.to) },
        {
          nowUs: deps.nowUs(),
          longestS: longestSpanS(deps.config),
          wholeMinutes: { otherwise: '' },
        },
      )
      return readCarriers(deps.readers, deps.config, span, deps.live().asOfUs)
    },
  )
}
