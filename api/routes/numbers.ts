/** Destinations, the number inventory, and numbers on the wrong carrier: answers, and the page that shows them. */
import { z } from 'zod'
import { isAtLeast } from '../../schemas/tokens.js'
import { type App, type RouteDeps, type SeenDeps, seenBy } from '../deps.js'
import { DIRECTIONS, longestSpanS } from '../kpi/query.js'
import {
  checkKept,
  DESTINATION_DIMENSIONS,
  destinationQueryOf,
  destinationsAnswer,
  readDestinations,
} from '../numbers/destinations.js'
import { inventoryState, inventoryStateOf } from '../numbers/inventory-state.js'
import { misroutedAnswer, readMisrouted } from '../numbers/misrouted.js'
import { LASTS, pageRangeOf } from '../page/layout.js'
import { numbersPage } from '../page/numbers.js'
import { oneOf, type Parameter } from '../parameters.js'
import { type Span, spanOf } from '../time-span.js'
import { many, one, problem, problems, rangeParameters } from './answers.js'

export function numberRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/destinations',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'destinations',
        summary: 'Numbers of the catalog by country or prefix of the called number',
        description:
          'From attempts, in whole minutes. A prefix is seven digits at most and never the last four; with fewer than ten attempts it is not named.',
        querystring: z.strictObject({
          ...rangeParameters,
          group_by: many('One group for each. Default: country.', DESTINATION_DIMENSIONS),
          carrier: many('Carrier ids.'),
          site: many('Site ids.'),
          direction: many('As seen from us.', DIRECTIONS),
          country: one('ISO 3166-1, two letters.', 'DE'),
          prefix: one('What the prefix begins with.', '+4969'),
          kpi: many('KPIs. Default: asr, ner, acd, pdd_p50.'),
        }),
        response: { 200: destinationsAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      return readDestinations(seen, destinationQueryOf(request.query, seen, deps.nowUs()))
    },
  )

  app.get(
    '/v1/numbers',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'numbers',
        summary: 'The number inventory: when it was read, and what is wrong with it',
        response: { 200: inventoryState, ...problems },
      },
    },
    async (request) => inventoryStateOf(seenBy(deps, request.principal)),
  )

  app.get(
    '/v1/numbers/misrouted',
    {
      config: { role: 'viewer', audit: 'search' },
      schema: {
        operationId: 'misrouted_numbers',
        summary: 'Calls that arrived on a carrier that does not own the called number',
        description: 'Inbound attempts against the number inventory. The range is in whole minutes.',
        querystring: z.strictObject(rangeParameters),
        response: { 200: misroutedAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      return misroutedOf(seen, wholeMinutesOf(request.query, seen))
    },
  )

  app.get(
    '/numbers',
    {
      config: { isPage: true, role: 'viewer', audit: 'search' },
      schema: {
        operationId: 'numbers_page',
        summary: 'Where calls go, and numbers on the wrong carrier',
        produces: ['text/html'],
        querystring: z.strictObject({
          last: one(`Follows the clock: ${LASTS.join(', ')}.`, '1h'),
          ...rangeParameters,
        }),
        response: { 200: z.string(), ...problems, 404: problem },
      },
    },
    async (request, reply) => {
      const seen = seenBy(deps, request.principal)
      const range = pageRangeOf(request.query, deps)
      checkKept(range.fromUs, seen.config, deps.nowUs())
      reply.type('text/html; charset=utf-8')
      return (await numbersPage(seen, range, () => misroutedOf(seen, range))).text
    },
  )
}

function misroutedOf(seen: SeenDeps, span: Span) {
  const sees = isAtLeast(seen.principal.role, 'investigator') ? 'numbers' : 'masked'
  return readMisrouted(seen.readers, seen.config, seen.numbers?.()?.inventory, span, sees)
}

function wholeMinutesOf(written: { from?: Parameter; to?: Parameter }, { config, nowUs }: SeenDeps): Span {
  const span = spanOf(
    { from: oneOf('from', written.from), to: oneOf('to', written.to) },
    { nowUs: nowUs(), longestS: longestSpanS(config), wholeMinutes: { otherwise: '' } },
  )
  checkKept(span.fromUs, config, nowUs())
  return span
}
