/** The audit trail: as JSON, and as a page. */
import { z } from 'zod'
import { AUDIT_ACTION_NAMES } from '../../schemas/audit.js'
import { AUDIT_LIMIT_MAX, auditEntry, auditQuestionOf, readAudit } from '../audit/read-audit.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { auditPage } from '../page/audit.js'
import { many, one, problems, rangeParameters } from './answers.js'

const parameters = {
  ...rangeParameters,
  from: one('Start, RFC 3339 or unix seconds. Default: a day before `to`.', '2026-11-20T00:00:00Z'),
  token: many('Ids of tokens.'),
  number: one(
    'Who searched for this number, whole or by its last digits; * and last digits: who searched for these.',
    '+12025550143',
  ),
  action: many('What was done.', AUDIT_ACTION_NAMES),
  attempt: many('Ids of attempts.'),
  carrier: many('Ids of carriers: of attempts that were opened, of scorecards and packs.'),
  limit: one(`At most ${AUDIT_LIMIT_MAX}. Default: 100.`, '100'),
  cursor: one('next_cursor of the page before, with the same filters.'),
}

export function auditRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/audit',
    {
      config: { role: 'investigator', isOfAllCarriers: true, audit: 'audit' },
      schema: {
        operationId: 'audit',
        summary: 'Who looked at calls, and who took some away; newest first',
        querystring: z.strictObject(parameters),
        response: {
          200: z.object({ entries: z.array(auditEntry), next_cursor: z.string().nullable() }),
          ...problems,
        },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      const { entries, nextCursor } = await readAudit(seen, auditQuestionOf(request.query, seen))
      request.audited.rows = entries.length
      return { entries, next_cursor: nextCursor }
    },
  )

  app.get(
    '/audit',
    {
      config: { isPage: true, role: 'investigator', isOfAllCarriers: true, audit: 'audit' },
      schema: {
        operationId: 'audit_page',
        summary: 'The audit trail as a page',
        produces: ['text/html'],
        querystring: z.strictObject(parameters),
        response: { 200: z.string(), ...problems },
      },
    },
    async (request, reply) => {
      const seen = seenBy(deps, request.principal)
      reply.type('text/html; charset=utf-8')
      const { page, rows } = await auditPage(seen, request.query)
      request.audited.rows = rows
      return page.text
    },
  )
}
