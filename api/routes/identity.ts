/** Who signed, and with what: tokens that were checked. What calls claim is /v1/attestation. */
import { z } from 'zod'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { certificatesAnswer, readCertificates, SOON_DAYS } from '../identity/certificates.js'
import { readSigners, signersAnswer } from '../identity/signers.js'
import { DIRECTIONS, kpiQueryOf } from '../kpi/query.js'
import { checkKnown } from '../kpi/series.js'
import { wholeNumberOf } from '../parameters.js'
import { many, one, problems, rangeParameters } from './answers.js'

const question = {
  ...rangeParameters,
  carrier: many('Carrier ids; `unknown` is whose peers are nobody we know.'),
  site: many('Site ids; `unknown` where neither the SBC nor the agent tells it.'),
  direction: many('As seen from us.', DIRECTIONS),
}

export function identityRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/identity/signers',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'identity_signers',
        summary:
          'Who signed the tokens of each carrier, whether the signatures hold, and whose contract names the signer',
        description: 'From checks of each token (docs/identity.md): minutes behind the calls. Whole minutes.',
        querystring: z.strictObject(question),
        response: { 200: signersAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      const query = kpiQueryOf(request.query, seen.config, deps.nowUs())
      await checkKnown(seen.readers, query, seen.config)
      return readSigners(seen, query, query.where)
    },
  )

  app.get(
    '/v1/identity/certificates',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'identity_certificates',
        summary: 'Certificates that signed tokens, the first to end first',
        querystring: z.strictObject({
          ...question,
          within_days: one(`expires_soon is within so many days, 1 to 3,650. Default: ${SOON_DAYS}.`, '30'),
        }),
        response: { 200: certificatesAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      const { within_days: written, ...rest } = request.query
      const withinDays =
        wholeNumberOf('within_days', written, { min: 1, max: 3_650, example: SOON_DAYS }) ?? SOON_DAYS
      const query = kpiQueryOf(rest, seen.config, deps.nowUs())
      await checkKnown(seen.readers, query, seen.config)
      return readCertificates(seen, query, query.where, withinDays)
    },
  )
}
