/** Weekly scorecards: of one carrier, of all side by side, and the page that leads to them. */
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { scorecardPage } from '../page/scorecard.js'
import { SCORECARD_CSP } from '../page/scorecard-parts.js'
import { scorecardListPage, scorecardsPage } from '../page/scorecards.js'
import { storedDocuments } from '../page/stored-documents.js'
import { choicesOf, oneOf, type Parameter } from '../parameters.js'
import { pdfOf } from '../scorecards/pdf.js'
import { readScorecard, readScorecardList, readScorecards } from '../scorecards/read.js'
import { scorecard, scorecards } from '../scorecards/scorecard.js'
import { scorecardCsv, scorecardsCsv } from '../scorecards/tables.js'
import { type Week, weekOf } from '../scorecards/week.js'
import { seenSlosOf } from '../slo/seen-slos.js'
import { one, problem, problems } from './answers.js'

const FORMATS = ['json', 'html', 'csv', 'pdf'] as const

const weekParameter = one('ISO week in UTC. Default: the last one that is over.', '2026-W47')
const query = z.strictObject({
  week: weekParameter,
  format: one(`One of ${FORMATS.join(', ')}; pdf needs a Chromium beside Trunkscope.`, 'json'),
})
const DESCRIPTION =
  'JSON is described here. csv: one table, a line a number. html: one document that needs nothing else, to read and to print. pdf: the same, printed.'

interface Written {
  week?: Parameter
  format?: Parameter
}

export function scorecardRoutes(app: App, deps: RouteDeps): void {
  const week = (written: Written): Week => weekOf(oneOf('week', written.week), Math.floor(deps.nowUs() / 1e6))

  app.get(
    '/v1/carriers/:id/scorecard',
    {
      config: { role: 'viewer', audit: 'scorecard' },
      schema: {
        operationId: 'scorecard',
        summary: 'The weekly scorecard of one carrier',
        description: DESCRIPTION,
        params: z.object({ id: z.string() }),
        querystring: query,
        response: { 200: scorecard, ...problems, 404: problem, 501: problem },
      },
    },
    async (request, reply) => {
      const asked = week(request.query)
      const format = formatOf(request.query)
      const card = await readScorecard(
        seenBy(deps, request.principal),
        seenSlosOf(deps, request.principal),
        request.params.id,
        asked,
      )
      if (format === 'json') return card
      return answer(reply, format, `scorecard-${card.carrier.id}-${asked.id}`, {
        page: () => scorecardPage(card).text,
        table: () => scorecardCsv(card),
      })
    },
  )

  app.get(
    '/v1/scorecards',
    {
      config: { role: 'viewer', audit: 'scorecard' },
      schema: {
        operationId: 'scorecards',
        summary: 'The weekly scorecards of all carriers side by side; of its own for a token of some',
        description: DESCRIPTION,
        querystring: query,
        response: { 200: scorecards, ...problems, 501: problem },
      },
    },
    async (request, reply) => {
      const asked = week(request.query)
      const format = formatOf(request.query)
      const cards = await readScorecards(seenBy(deps, request.principal), asked)
      if (format === 'json') return cards
      return answer(reply, format, `scorecards-${asked.id}`, {
        page: () => scorecardsPage(cards).text,
        table: () => scorecardsCsv(cards),
      })
    },
  )

  app.get(
    '/scorecards',
    {
      config: { isPage: true, role: 'viewer' },
      schema: {
        operationId: 'scorecards_page',
        summary: 'The carriers of a week with their grades, and the way to each scorecard',
        produces: ['text/html'],
        querystring: z.strictObject({ week: weekParameter }),
        response: { 200: z.string(), ...problems },
      },
    },
    async (request, reply) => {
      const asked = week(request.query)
      const seen = seenBy(deps, request.principal)
      reply.type('text/html; charset=utf-8')
      const cards = await readScorecardList(seen, asked)
      return scorecardListPage(seen, cards, asked, await storedDocuments(seen, asked)).text
    },
  )
}

function formatOf(written: Written): (typeof FORMATS)[number] {
  const text = oneOf('format', written.format)
  return choicesOf('format', text, FORMATS)[0] ?? 'json'
}

/** What is no JSON has no schema: it goes out as it is. */
async function answer(
  reply: FastifyReply,
  format: 'html' | 'csv' | 'pdf',
  name: string,
  made: { page: () => string; table: () => string },
): Promise<FastifyReply> {
  const plain = reply.serializer((payload) => payload as string)
  if (format === 'csv') {
    return plain
      .type('text/csv; charset=utf-8; header=present')
      .header('content-disposition', `attachment; filename="${fileName(name)}.csv"`)
      .send(made.table())
  }
  if (format === 'html') {
    return plain
      .type('text/html; charset=utf-8')
      .header('content-security-policy', `${SCORECARD_CSP}; frame-ancestors 'none'`)
      .send(made.page())
  }
  return plain
    .type('application/pdf')
    .header('content-disposition', `inline; filename="${fileName(name)}.pdf"`)
    .send(await pdfOf(made.page()))
}

/** An id of an old configuration may hold anything. */
export function fileName(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, 100)
}
