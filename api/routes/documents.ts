/** Stored documents: the list, the bytes as they were made, and a schedule tried at once. */
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { DOCUMENT_FORMATS, type DocumentFormat } from '../../schemas/scorecard-schedule.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { ApiError, didYouMean, nearestNames } from '../errors.js'
import { SCORECARD_CSP } from '../page/scorecard-parts.js'
import { choicesOf, listOf, wholeNumberOf } from '../parameters.js'
import type { Readers } from '../readers.js'
import { listDocuments, readDocument, type StoredDocument } from '../scorecards/documents.js'
import { shown } from '../time-span.js'
import { many, one, problem, problems } from './answers.js'

const LIMIT = { min: 1, max: 1_000, example: 100 }

const TYPES: Record<DocumentFormat, string> = {
  html: 'text/html; charset=utf-8',
  pdf: 'application/pdf',
  csv: 'text/csv; charset=utf-8; header=present',
  json: 'application/json; charset=utf-8',
}

const document = z.object({
  id: z.string(),
  kind: z.literal('scorecard'),
  schedule: z.string(),
  carrier: z.string().nullable().describe('null: all carriers side by side.'),
  week: z.string(),
  format: z.enum(DOCUMENT_FORMATS),
  file_name: z.string(),
  sha256: z.string().describe('Of the bytes.'),
  size_bytes: z.number(),
  fired_at: z.string().describe('When the schedule fired.'),
  made_at: z.string(),
  as_of: z.string().nullable().describe('The highest received-at when it was made.'),
})

export function documentRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/documents',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'documents',
        summary: 'Stored scorecards, the latest week first; of its own carriers for a token of some',
        querystring: z.strictObject({
          carrier: many('Only of these.'),
          week: many('Only of these ISO weeks.'),
          schedule: many('Only of these schedules.'),
          format: many('Only these.', DOCUMENT_FORMATS),
          limit: one('At most so many, 1 to 1,000. Default: 100.', '100'),
        }),
        response: { 200: z.object({ documents: z.array(document) }), ...problems },
      },
    },
    async (request) => {
      const { query } = request
      const documents = await listDocuments(seenBy(deps, request.principal).readers, {
        carriers: listOf(query.carrier),
        weeks: listOf(query.week),
        schedules: listOf(query.schedule),
        formats: choicesOf('format', query.format, DOCUMENT_FORMATS),
        limit: wholeNumberOf('limit', query.limit, LIMIT) ?? LIMIT.example,
      })
      return { documents: documents.map(jsonOf) }
    },
  )

  app.get(
    '/v1/documents/:id',
    {
      config: { role: 'viewer', audit: 'document' },
      schema: {
        operationId: 'document',
        summary: 'A stored scorecard: the bytes as they were made',
        params: z.object({ id: z.string() }),
        response: {
          200: z.string().describe('HTML, PDF, CSV or JSON, as its content type says.'),
          ...problems,
          404: problem,
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const found = /^[0-9a-f]{32}$/.test(id)
        ? await readDocument(seenBy(deps, request.principal).readers, id)
        : undefined
      if (found === undefined) {
        throw new ApiError(
          'TRUNKSCOPE_API_NO_SUCH_DOCUMENT',
          `${shown(id)} is no stored document; /v1/documents lists those that are kept`,
        )
      }
      request.audited.carrier = found.document.carrier
      return send(reply, found.document, found.body)
    },
  )

  app.post(
    '/v1/scorecards/schedules/:id/run',
    {
      config: { role: 'admin', isOfAllCarriers: true },
      schema: {
        operationId: 'run_scorecard_schedule',
        summary:
          'Lets a schedule fire now: its scorecards are made, stored and told; answered when that is done',
        params: z.object({ id: z.string() }),
        response: {
          200: z.object({
            schedule: z.string(),
            fired_at: z.string(),
            outcome: z.enum(['done', 'failed']).describe('failed: not all could be made; the log says why.'),
            documents: z.array(document),
          }),
          ...problems,
          404: problem,
          409: problem,
        },
      },
    },
    async (request) => runNow(deps, seenBy(deps, request.principal).readers, request.params.id),
  )
}

async function runNow(deps: RouteDeps, readers: Readers, id: string) {
  const { schedules } = deps.config.scorecards
  const schedule = schedules.find((known) => known.id === id)
  if (schedule === undefined) {
    const suggestions = nearestNames(
      id,
      schedules.map((known) => known.id),
    )
    throw new ApiError(
      'TRUNKSCOPE_API_NO_SUCH_SCHEDULE',
      `no schedule under scorecards has the id ${shown(id)}${didYouMean(suggestions)}`,
      { suggestions },
    )
  }
  if (deps.scheduling === undefined) {
    throw new ApiError(
      'TRUNKSCOPE_API_NOT_MADE_HERE',
      'this process makes no scheduled scorecards; ask the one that evaluates alerts',
    )
  }
  const { outcome, firedAtMs } = await deps.scheduling.runNow(schedule)
  if (outcome === 'not_ours') {
    throw new ApiError(
      'TRUNKSCOPE_API_NOT_MADE_HERE',
      'one is being made at this moment; look at /v1/documents',
    )
  }
  const firedAt = new Date(firedAtMs).toISOString().replace('.000', '')
  const made = await listDocuments(readers, { schedules: [id], limit: LIMIT.max })
  return {
    schedule: id,
    fired_at: firedAt,
    outcome,
    documents: made.filter((one) => one.firedAt === firedAt).map(jsonOf),
  }
}

function send(reply: FastifyReply, { fileName, format, sha256 }: StoredDocument, body: Buffer): FastifyReply {
  const isRead = format === 'html' || format === 'pdf'
  reply
    .type(TYPES[format])
    .header('content-disposition', `${isRead ? 'inline' : 'attachment'}; filename="${fileName}"`)
    // The same for ever: what it says is what was made.
    .header('etag', `"${sha256}"`)
  if (format === 'html') reply.header('content-security-policy', `${SCORECARD_CSP}; frame-ancestors 'none'`)
  return reply.send(body)
}

function jsonOf(stored: StoredDocument): z.output<typeof document> {
  return {
    id: stored.id,
    kind: stored.kind,
    schedule: stored.schedule,
    carrier: stored.carrier === '' ? null : stored.carrier,
    week: stored.week,
    format: stored.format,
    file_name: stored.fileName,
    sha256: stored.sha256,
    size_bytes: stored.sizeBytes,
    fired_at: stored.firedAt,
    made_at: stored.madeAt,
    as_of: stored.asOf,
  }
}
