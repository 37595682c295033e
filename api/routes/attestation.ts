/** What calls claim about their caller: the numbers, and the page that shows them. */
import { z } from 'zod'
import { attestationAnswer, readAttestation } from '../attestation/attestation.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { DIRECTIONS, kpiQueryOf } from '../kpi/query.js'
import { attestationPage } from '../page/attestation.js'
import { LASTS, pageRangeOf } from '../page/layout.js'
import { choicesOf, listOf } from '../parameters.js'
import { many, one, problem, problems, rangeParameters } from './answers.js'

const where = {
  carrier: many('Carrier ids; `unknown` is whose peers are nobody we know.'),
  site: many('Site ids; `unknown` where neither the SBC nor the agent tells it.'),
  direction: many('As seen from us.', DIRECTIONS),
}

export function attestationRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/attestation',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'attestation',
        summary:
          'Attestation by carrier and direction: claimed, signed and verified, how attempts ended, what is lost between legs',
        description:
          'Claimed levels are decoded, not verified: shares come from rollups of whole minutes, outcomes and legs from the attempts themselves. Signatures come from the checks of each token (docs/identity.md).',
        querystring: z.strictObject({
          ...rangeParameters,
          ...where,
          step: one('Seconds, whole minutes: each group carries a series.', '300'),
        }),
        response: { 200: attestationAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      const { fromUs, toUs, stepS, where } = kpiQueryOf(request.query, seen.config, deps.nowUs())
      return readAttestation(seen, { fromUs, toUs }, stepS, where)
    },
  )

  app.get(
    '/attestation',
    {
      config: { isPage: true, role: 'viewer' },
      schema: {
        operationId: 'attestation_page',
        summary: 'STIR/SHAKEN: what calls claim about their caller, and how they end',
        produces: ['text/html'],
        querystring: z.strictObject({
          last: one(`Follows the clock: ${LASTS.join(', ')}.`, '1h'),
          ...rangeParameters,
          ...where,
        }),
        response: { 200: z.string(), ...problems, 404: problem },
      },
    },
    async (request, reply) => {
      const { carrier, site, direction } = request.query
      reply.type('text/html; charset=utf-8')
      const page = await attestationPage(seenBy(deps, request.principal), pageRangeOf(request.query, deps), {
        carrier: listOf(carrier),
        site: listOf(site),
        direction: choicesOf('direction', direction, DIRECTIONS),
      })
      return page.text
    },
  )
}
