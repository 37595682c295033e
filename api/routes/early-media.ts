/** Suspicions about early media and false answers: the numbers, and the page that shows them. */
import { z } from 'zod'
import { ANOMALY_CODES } from '../../schemas/anomalies.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import {
  EARLY_MEDIA_DIMENSIONS,
  earlyMediaAnswer,
  earlyMediaQueryOf,
  readEarlyMedia,
} from '../early-media/early-media.js'
import { fasAnswer, fasQueryOf, readFas } from '../early-media/fas.js'
import { DIRECTIONS } from '../kpi/query.js'
import { earlyMediaPage } from '../page/early-media.js'
import { LASTS, pageRangeOf } from '../page/layout.js'
import { listOf } from '../parameters.js'
import { many, one, problem, problems, rangeParameters } from './answers.js'

const carrier = many('Carrier ids.')

export function earlyMediaRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/early-media',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'early_media',
        summary:
          'Suspicions about early media and answers: how many of each, and against the four weeks before',
        description:
          'From signalling only; the range is in whole minutes. What each code is: docs/early-media.md.',
        querystring: z.strictObject({
          ...rangeParameters,
          group_by: many(
            'One group for each. Without code: attempts with any of them. Default: carrier, code.',
            EARLY_MEDIA_DIMENSIONS,
          ),
          carrier,
          code: many('Codes.', ANOMALY_CODES),
          direction: many('As seen from us. Default: outbound, where the 18x are the carrier’s.', DIRECTIONS),
        }),
        response: { 200: earlyMediaAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      return readEarlyMedia(seen, earlyMediaQueryOf(request.query, seen, deps.nowUs()))
    },
  )

  app.get(
    '/v1/fas',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'fas',
        summary: 'False answer supervision: a score by carrier and prefix, with its parts',
        description:
          'A suspicion from signalling only, never a verdict. Outbound attempts. Default: the seven days before `to`.',
        querystring: z.strictObject({ ...rangeParameters, carrier }),
        response: { 200: fasAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      return readFas(seen, fasQueryOf(request.query, seen, deps.nowUs()))
    },
  )

  app.get(
    '/early-media',
    {
      config: { isPage: true, role: 'viewer' },
      schema: {
        operationId: 'early_media_page',
        summary: 'Early media and false answers: suspicions by carrier',
        produces: ['text/html'],
        querystring: z.strictObject({
          last: one(`Follows the clock: ${LASTS.join(', ')}.`, '1h'),
          ...rangeParameters,
          carrier,
        }),
        response: { 200: z.string(), ...problems, 404: problem },
      },
    },
    async (request, reply) => {
      reply.type('text/html; charset=utf-8')
      const seen = seenBy(deps, request.principal)
      const page = await earlyMediaPage(seen, pageRangeOf(request.query, deps), listOf(request.query.carrier))
      return page.text
    },
  )
}
