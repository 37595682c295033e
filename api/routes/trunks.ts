/** The trunks: whether they can be reached, and how much of what is contracted was used. */
import { z } from 'zod'
import { PEAK_SCOPES, readTrunkId, type Trunk } from '../../schemas/trunks.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { ApiError } from '../errors.js'
import { trunksPage } from '../page/trunks.js'
import { choicesOf, listOf, oneOf } from '../parameters.js'
import { isoOf, shown, spanOf } from '../time-span.js'
import { capacityAnswer, groupJson, readPeaks } from '../trunks/peaks.js'
import { blindSites, judgeTrunks, readRouteAdvances, trunkAnswer, trunksAnswer } from '../trunks/trunks.js'
import { many, one, problem, problems } from './answers.js'

const WEEK_S = 7 * 86_400
const SPAN_MAX_S = 31 * 86_400

const where = {
  carrier: many('Carrier ids.'),
  site: many('Site ids; `unknown` where neither the SBC nor the agent tells it.'),
}

export function trunkRoutes(app: App, deps: RouteDeps): void {
  capacityRoute(app, deps)
  pageRoute(app, deps)

  app.get(
    '/v1/trunks',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'trunks',
        summary: 'Trunks: reachable or not, since when, what was seen of them, peaks of the last day',
        querystring: z.strictObject(where),
        response: { 200: trunksAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      const found = await judgeTrunks(seen, await blindSites(deps, seen), {
        carrier: listOf(request.query.carrier),
        site: listOf(request.query.site),
      })
      return {
        as_of: asOfText(found.asOfUs),
        trunks: found.trunks.map(({ json }) => json),
        more: found.more,
        failovers: found.failovers,
        thresholds: Object.fromEntries(
          Object.entries(seen.config.thresholds).filter(
            (entry): entry is [string, number] =>
              entry[0].startsWith('trunk_') && typeof entry[1] === 'number',
          ),
        ),
      }
    },
  )

  app.get(
    '/v1/trunks/:id',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'trunk',
        summary: 'One trunk with every change of its state in the last day',
        params: z.object({
          id: z.string().describe('carrier~site~address, and ~port where a peer names one.'),
        }),
        response: { 200: trunkAnswer, ...problems, 404: problem },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      const trunk = trunkOf(request.params.id)
      const found = await judgeTrunks(seen, await blindSites(deps, seen), { carrier: [], site: [], trunk })
      const [one] = found.trunks
      if (one === undefined) throw noSuchTrunk(request.params.id)
      return {
        as_of: asOfText(found.asOfUs),
        trunk: one.json,
        changes: one.changes.map(({ atS, ...change }) => ({ at: isoOf(atS * 1e6), ...change })),
        failovers: found.failovers,
        route_advances: await readRouteAdvances(seen, trunk, found),
      }
    },
  )
}

function capacityRoute(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/capacity',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'capacity',
        summary: 'Peaks of concurrent calls and of calls per second by hour, against contracted limits',
        description: 'By trunk, carrier at a site, carrier, and site; of whole hours.',
        querystring: z.strictObject({
          from: one('Start, RFC 3339 or unix seconds. Default: a week before `to`.', '2026-11-20T00:00:00Z'),
          to: one('End, not part of the range. Default: now.', '2026-11-21T00:00:00Z'),
          ...where,
          scope: many('Of whom peaks are.', PEAK_SCOPES),
        }),
        response: { 200: capacityAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      const { query } = request
      const span = spanOf(
        { from: oneOf('from', query.from), to: oneOf('to', query.to) },
        { nowUs: deps.nowUs(), defaultS: WEEK_S, longestS: SPAN_MAX_S, wholeMinutes: { otherwise: '' } },
      )
      const range = { fromS: Math.floor(span.fromUs / 1e6), toS: Math.ceil(span.toUs / 1e6) }
      const { groups, more } = await readPeaks(seen.readers, seen.config, range, {
        carrier: listOf(query.carrier),
        site: listOf(query.site),
        scope: choicesOf('scope', query.scope, PEAK_SCOPES),
      })
      return {
        from: isoOf(span.fromUs),
        to: isoOf(span.toUs),
        as_of: asOfText(deps.live().asOfUs),
        groups: groups.map(groupJson),
        more,
      }
    },
  )
}

function pageRoute(app: App, deps: RouteDeps): void {
  app.get(
    '/trunks',
    {
      config: { isPage: true, role: 'viewer' },
      schema: {
        operationId: 'trunks_page',
        summary: 'Every trunk on one screen: reachability of the day, and peaks against limits',
        produces: ['text/html'],
        querystring: z.strictObject(where),
        response: { 200: z.string(), ...problems, 404: problem },
      },
    },
    async (request, reply) => {
      const seen = seenBy(deps, request.principal)
      reply.type('text/html; charset=utf-8')
      const page = await trunksPage(seen, await blindSites(deps, seen), {
        carrier: listOf(request.query.carrier),
        site: listOf(request.query.site),
      })
      return page.text
    },
  )
}

const asOfText = (asOfUs: number) => (asOfUs > 0 ? isoOf(asOfUs) : null)

function trunkOf(id: string): Trunk {
  const trunk = readTrunkId(id)
  if (trunk === undefined) throw noSuchTrunk(id)
  return trunk
}

function noSuchTrunk(id: string): ApiError {
  return new ApiError(
    'TRUNKSCOPE_API_NO_SUCH_TRUNK',
    `nothing was seen of a trunk ${shown(id)} in the last day; /v1/trunks lists those there are`,
  )
}
