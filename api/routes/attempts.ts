import { z } from 'zod'
import { ANOMALY_CODES } from '../../schemas/anomalies.js'
import { CANCEL_CLASSES, DISPOSITIONS } from '../../schemas/attempt.js'
import { attemptRecord } from '../attempts/attempt-json.js'
import { callLadder, findCall } from '../attempts/call-ladder.js'
import { messagesOf, sipMessage } from '../attempts/messages.js'
import { readRouting, routing } from '../attempts/routing.js'
import { attemptSearchOf, findAttempt, LIMIT_MAX, searchAttempts } from '../attempts/search.js'
import { call, readCall } from '../calls/call.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { readSuspicions, suspicions } from '../early-media/suspicions.js'
import { identityCheck, readIdentityChecks } from '../identity/attempt-identity.js'
import { DIRECTIONS } from '../kpi/query.js'
import { ladderSvg } from '../page/ladder-svg.js'
import { flagOf } from '../parameters.js'
import { many, one, problem, problems, rangeParameters } from './answers.js'
import { callExportRoutes } from './call-exports.js'

const attemptId = z.object({ id: z.string().describe('attempt_id: 32 hex digits.') })

export function attemptRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/attempts',
    {
      config: { role: 'viewer', audit: 'search' },
      schema: {
        operationId: 'attempts',
        summary: 'Attempts of a Call-ID, or the newest that fit a filter',
        description:
          'Newest first. Without call_id: those of carriers and unknown peers in the last hour, unless asked otherwise.',
        querystring: z.strictObject({
          call_id: one('The Call-ID; every leg of the call is given.'),
          number: one(
            'Calling or called number: whole, or * and its last digits (4 at least). Role investigator.',
            '*0100',
          ),
          calling: one('The same of P-Asserted-Identity and From.'),
          called: one('The same of Request-URI and To.', '+12025550143'),
          rn: one('Routing number of a ported call, whole. Role investigator.', '+12155550000'),
          tgrp: many('Trunk groups that the Request-URI names, with a context. Role investigator.'),
          ...rangeParameters,
          carrier: many('Carrier ids.'),
          site: many('Site ids.'),
          direction: many('As seen from us.', DIRECTIONS),
          party: many('Whose leg.', ['carrier', 'unknown', 'customer', 'internal']),
          state: many('State.', ['open', 'closed', 'incomplete']),
          disposition: many('Disposition.', DISPOSITIONS),
          cancel_class: many('Sub-class of a CANCEL or 487.', CANCEL_CLASSES),
          attestation: many('What the deciding PASSporT claims.', ['A', 'B', 'C', 'none', 'malformed']),
          final_code: many('Final response; 0: none.'),
          anomaly: many('Code of a suspicion (docs/early-media.md).', ANOMALY_CODES),
          limit: one(`At most ${LIMIT_MAX}. Default: 50.`, '50'),
          cursor: one('next_cursor of the page before, with the same filters; it brings the range along.'),
        }),
        response: {
          200: z.object({
            attempts: z.array(attemptRecord),
            next_cursor: z.string().nullable().describe('null: this was the last page.'),
          }),
          ...problems,
        },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      const search = attemptSearchOf(request.query, seen, deps.nowUs())
      const { attempts, nextCursor } = await searchAttempts(seen.readers, search)
      request.audited.rows = attempts.length
      return { attempts, next_cursor: nextCursor }
    },
  )

  attemptRoute(app, deps)

  callExportRoutes(app, deps)

  ladderRoutes(app, deps)
}

function attemptRoute(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/attempts/:id',
    {
      config: { role: 'viewer', audit: 'attempt' },
      schema: {
        operationId: 'attempt',
        summary: 'One attempt: its record and its messages in order',
        params: attemptId,
        querystring: z.strictObject({
          facts: one('true: with the merged facts that the record was made from.', 'true'),
        }),
        response: {
          200: z.object({
            attempt: attemptRecord,
            call: call.describe('The call that it is a leg of.'),
            ...routing.shape,
            identity_checks: z
              .array(identityCheck)
              .describe('What the check of each of its PASSporTs gave; empty where none is checked.'),
            suspicions: suspicions.describe(
              'Early media and false answers: from signalling only, never a verdict.',
            ),
            messages: z.array(sipMessage),
            messages_cut: z.boolean().describe('There are more messages than one answer holds.'),
          }),
          ...problems,
          404: problem,
        },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      const { readers } = seen
      const { attempt, key } = await findAttempt(
        readers,
        request.params.id,
        flagOf('facts', request.query.facts),
      )
      const { messages, isCut } = await messagesOf(readers, key)
      Object.assign(request.audited, { rows: messages.length, carrier: attempt.carrier })
      return {
        attempt,
        call: await readCall(seen, attempt, key.callId),
        ...(await readRouting(readers, attempt.attempt_id, Date.parse(attempt.minute) / 1_000)),
        identity_checks: await readIdentityChecks(
          readers,
          attempt.attempt_id,
          Date.parse(attempt.minute) / 1_000,
        ),
        suspicions: await readSuspicions(seen, attempt.attempt_id, Date.parse(attempt.minute) / 1_000),
        messages,
        messages_cut: isCut,
      }
    },
  )
}

function ladderRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/attempts/:id/ladder',
    {
      config: { role: 'viewer', audit: 'ladder' },
      schema: {
        operationId: 'attempt_ladder',
        summary:
          'The call of an attempt: parties, messages in their true order, and what the rules said and why',
        params: attemptId,
        response: { 200: callLadder, ...problems, 404: problem },
      },
    },
    async (request) => {
      const { attempt, ladder } = await findCall(seenBy(deps, request.principal), request.params.id)
      Object.assign(request.audited, { rows: ladder.arrows.length, carrier: attempt.carrier })
      return ladder
    },
  )

  app.get(
    '/v1/attempts/:id/ladder.svg',
    {
      config: { role: 'viewer', audit: 'ladder' },
      schema: {
        operationId: 'attempt_ladder_svg',
        summary: 'The same as a drawing',
        params: attemptId,
        produces: ['image/svg+xml'],
        response: { 200: z.string(), ...problems, 404: problem },
      },
    },
    async (request, reply) => {
      const { attempt, ladder } = await findCall(seenBy(deps, request.principal), request.params.id)
      Object.assign(request.audited, { rows: ladder.arrows.length, carrier: attempt.carrier })
      return reply.type('image/svg+xml; charset=utf-8').send(ladderSvg(ladder).text)
    },
  )
}
