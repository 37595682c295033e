import { z } from 'zod'
import { carriersAnswer, readCarriers } from '../carriers/carriers.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { longestSpanS } from '../kpi/query.js'
import { oneOf } from '../parameters.js'
import { spanOf } from '../time-span.js'
import { problems, rangeParameters } from './answers.js'

export function carrierRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/carriers',
    {
      config: { role: 'viewer' },
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
      const { config, readers } = seenBy(deps, request.principal)
      return readCarriers(readers, config, span, deps.live().asOfUs)
    },
  )
}
