/** The dispute pack of a carrier, as one zip. */
import { Readable } from 'node:stream'
import { z } from 'zod'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { ApiError } from '../errors.js'
import { CLASS_IDS } from '../packs/classes.js'
import { makePack } from '../packs/pack.js'
import { CALLS_DEFAULT, CALLS_MAX, packRequestOf } from '../packs/request.js'
import { many, one, problem, problems } from './answers.js'

/** Each holds the messages of its calls in memory. */
const AT_ONCE = 2

export function packRoutes(app: App, deps: RouteDeps): void {
  let running = 0
  app.get(
    '/v1/carriers/:id/dispute-pack',
    {
      config: { role: 'investigator', audit: 'pack' },
      schema: {
        operationId: 'dispute_pack',
        summary: 'Everything about the failures of a carrier in a window, as one zip that can be checked',
        description:
          'The same request, as_of included, gives the same bytes, or 409 when the attempts have changed since. The headers trunkscope-pack-calls and trunkscope-pack-as-of say how many sample calls are in it, and as of when it is.',
        params: z.object({ id: z.string() }),
        querystring: z.strictObject({
          from: one('Start, on a minute.', '2026-11-20T00:00:00Z'),
          to: one('End, not part of the window; it lies before as_of.', '2026-11-21T00:00:00Z'),
          class: many('What failed: an attempt of any of these.', CLASS_IDS),
          as_of: one('Whole second; what was stored by then. Default: now.', '2026-11-21T06:00:00Z'),
          calls: one(`Sample calls, at most ${CALLS_MAX}. Default: ${CALLS_DEFAULT}.`, String(CALLS_DEFAULT)),
        }),
        produces: ['application/zip'],
        response: {
          200: z.unknown().describe('The file.'),
          ...problems,
          404: problem,
          409: problem,
          413: problem,
        },
      },
    },
    async (request, reply) => {
      const asked = packRequestOf(request.params.id, request.query, deps.nowUs())
      if (running >= AT_ONCE) {
        throw new ApiError(
          'TRUNKSCOPE_API_BUSY',
          `${AT_ONCE} dispute packs are being made already; try again in a few seconds`,
          { retryAfterS: 5 },
        )
      }
      running++
      let isOver = false
      const over = () => {
        if (!isOver) running--
        isOver = true
      }
      try {
        const pack = await makePack(seenBy(deps, request.principal), asked)
        const body = Readable.from(pack.bytes, { objectMode: false })
        Object.assign(request.audited, { rows: pack.calls, carrier: asked.carrier })
        // Whole, broken off by an error, refused on its way out, or left by who asked.
        body.once('close', over)
        for (const end of ['finish', 'close']) reply.raw.once(end, () => body.destroy())
        return reply
          .type('application/zip')
          .header('content-disposition', `attachment; filename="${pack.name}.zip"`)
          .header('trunkscope-pack-calls', String(pack.calls))
          .header('trunkscope-pack-as-of', pack.asOf)
          .send(body)
      } catch (error) {
        over()
        throw error
      }
    },
  )
}
