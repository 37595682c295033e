import { z } from 'zod'
import { KPI_NAMES } from '../../schemas/kpi-catalog.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { kpiAnswer, kpiAnswerOf } from '../kpi/answer.js'
import { catalogAnswer, catalogOf } from '../kpi/catalog-answer.js'
import { DIMENSIONS, DIRECTIONS, kpiQueryOf } from '../kpi/query.js'
import { readKpiGroups } from '../kpi/series.js'
import { many, one, problems, rangeParameters } from './answers.js'

export function kpiRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/kpis',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'kpis',
        summary: 'KPIs of carriers, sites and directions',
        description:
          'From rollups of whole minutes; with exact=true from the attempts themselves. Only legs of carriers and unknown peers count.',
        querystring: z.strictObject({
          ...rangeParameters,
          group_by: many('Default: carrier. Empty: one group of everything.', DIMENSIONS),
          step: one('Seconds, whole minutes: each group carries a series.', '300'),
          kpi: many('Default: all of the catalog.', KPI_NAMES),
          carrier: many('Carrier ids; `unknown` is whose peers are nobody we know.'),
          site: many('Site ids; `unknown` where neither the SBC nor the agent tells it.'),
          direction: many('As seen from us.', DIRECTIONS),
          exact: one('true: read attempts; then from and to may lie within a minute.', 'true'),
        }),
        response: { 200: kpiAnswer, ...problems },
      },
    },
    async (request) => {
      const { config, readers } = seenBy(deps, request.principal)
      const query = kpiQueryOf(request.query, config, deps.nowUs())
      return kpiAnswerOf(query, await readKpiGroups(readers, config, query), deps.live().asOfUs)
    },
  )

  app.get(
    '/v1/catalog',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'catalog',
        summary: 'What each number means: formula, unit, source and version',
        description: 'The same as docs/kpi.md, with the thresholds of this process.',
        querystring: z.strictObject({}),
        response: { 200: catalogAnswer, ...problems },
      },
    },
    async () => catalogOf(deps.config),
  )
}
