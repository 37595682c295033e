import { z } from 'zod'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { peersAnswer, peersQueryOf, readPeers } from '../peers/peers.js'
import { one, problems, rangeParameters } from './answers.js'

export function peerRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/peers',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'peers',
        summary: 'Is it the carrier or the destination: carriers side by side on the same prefixes',
        description:
          'Closed attempts that are not inbound, as they are judged. Without prefix and country: every prefix. The range is in whole minutes.',
        querystring: z.strictObject({
          ...rangeParameters,
          prefix: one(
            'What the prefix of the called number begins with: + and at most seven digits.',
            '+4969',
          ),
          country: one('ISO 3166-1, two letters.', 'DE'),
          carrier: one(
            'The carrier that is asked about: with its verdict, and each prefix that it shares.',
            'alpha',
          ),
        }),
        response: { 200: peersAnswer, ...problems },
      },
    },
    async (request) => {
      const seen = seenBy(deps, request.principal)
      return readPeers(seen, peersQueryOf(request.query, seen, deps.nowUs()))
    },
  )
}
