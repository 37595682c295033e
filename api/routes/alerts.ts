/** Alerts: what fires, waits or was resolved, the history of one, and the page that shows them. */
import { z } from 'zod'
import {
  alertJson,
  readAlert,
  readAlerts,
  readTransitions,
  SHOWN_STATES,
  transitionJson,
} from '../alerts/read-alerts.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { ApiError } from '../errors.js'
import { alertPage, alertsPage } from '../page/alerts.js'
import { choicesOf } from '../parameters.js'
import { isoOrNull, shown } from '../time-span.js'
import { many, problem, problems } from './answers.js'

export function alertRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/alerts',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'alerts',
        summary: 'Alerts that fire or wait, those that fire first',
        querystring: z.strictObject({
          state: many('Default: firing and pending. Resolved ones come newest first.', SHOWN_STATES),
        }),
        response: {
          200: z.object({ as_of: z.string().nullable(), alerts: z.array(alertJson) }),
          ...problems,
        },
      },
    },
    async (request) => {
      const chosen = choicesOf('state', request.query.state, SHOWN_STATES)
      const { readers, live } = seenBy(deps, request.principal)
      return {
        as_of: isoOrNull(live().asOfUs),
        alerts: await readAlerts(readers, chosen.length === 0 ? ['firing', 'pending'] : chosen),
      }
    },
  )

  app.get(
    '/v1/alerts/:key',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'alert',
        summary: 'One alert, and every transition that was told of it',
        params: z.object({ key: z.string() }),
        response: {
          200: z.object({ alert: alertJson, transitions: z.array(transitionJson).describe('Newest first.') }),
          ...problems,
          404: problem,
        },
      },
    },
    async (request) => alertWithHistory(deps, request.params.key, request.principal),
  )

  const page = { isPage: true, role: 'viewer' } as const
  const schema = { produces: ['text/html'], response: { 200: z.string(), ...problems, 404: problem } }
  app.get(
    '/alerts',
    {
      config: page,
      schema: {
        ...schema,
        operationId: 'alerts_page',
        summary: 'What fires, what waits and why, what was resolved',
      },
    },
    async (request, reply) => {
      reply.type('text/html; charset=utf-8')
      return (await alertsPage(seenBy(deps, request.principal))).text
    },
  )

  app.get(
    '/alerts/:key',
    {
      config: page,
      schema: {
        ...schema,
        operationId: 'alert_page',
        summary: 'One alert and its history',
        params: z.object({ key: z.string() }),
      },
    },
    async (request, reply) => {
      const { alert, transitions } = await alertWithHistory(deps, request.params.key, request.principal)
      reply.type('text/html; charset=utf-8')
      return alertPage(seenBy(deps, request.principal), alert, transitions).text
    },
  )
}

async function alertWithHistory(deps: RouteDeps, key: string, principal: Parameters<typeof seenBy>[1]) {
  const { readers } = seenBy(deps, principal)
  const alert = /^[\w-]{1,64}$/.test(key) ? await readAlert(readers, key) : undefined
  if (alert === undefined) {
    throw new ApiError(
      'TRUNKSCOPE_API_NO_SUCH_ALERT',
      `there is no alert ${shown(key)}; /v1/alerts lists them`,
    )
  }
  return { alert, transitions: await readTransitions(readers, key) }
}
