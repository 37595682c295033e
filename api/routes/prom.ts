/**
 * `/prom/api/v1`: what Grafana's built-in Prometheus data source and `promtool query` call (docs/prom.md). GET and forms by
 * POST for questions, GET only for the rest. Answers and errors have Prometheus's own shapes; who may ask is answered as
 * everywhere else.
 */
import formbody from '@fastify/formbody'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { PROM_METRICS } from '../../schemas/prom-metrics.js'
import { type App, type RouteDeps, type SeenDeps, seenBy } from '../deps.js'
import { ApiError } from '../errors.js'
import { matrixOf, vectorOf } from '../prom/answer.js'
import { evaluate } from '../prom/evaluate.js'
import { METRIC_NAME } from '../prom/labels.js'
import { askedAt, askedRange, PromParameters } from '../prom/parameters.js'
import { parsePromql } from '../prom/parse.js'
import { PROM_STATUS, PromError } from '../prom/prom-error.js'
import { RollupSource } from '../prom/rollup-source.js'
import type { Selector } from '../prom/series.js'
import { listLabelNames, listLabelValues, listSeries, type SpanS } from '../prom/series-list.js'
import { SharedAnswers } from '../prom/sharing.js'
import { logFailure } from '../request-log.js'
import { shown } from '../time-span.js'
import { blindSites } from '../trunks/trunks.js'

const FORM_MAX_BYTES = 131_072

/** Of the Prometheus whose API this is; Grafana chooses what it asks by it. */
const VERSION = '2.54.0'

interface Answer {
  data: unknown
  warnings?: readonly string[]
}

interface PromDeps extends SeenDeps {
  /** What hides the trunks of a site now; looked at where a state is asked for. */
  blind: () => ReturnType<typeof blindSites>
}

type Answering = (deps: PromDeps, parameters: PromParameters, label: string) => Promise<Answer>

const answered = z
  .object({ status: z.literal('success'), data: z.unknown(), warnings: z.array(z.string()).optional() })
  .meta({ title: 'Answer of the Prometheus API' })

/** Names are checked where they are read: unknown ones are left alone, as in Prometheus. */
const parameters = z.looseObject({})

export function promRoutes(app: App, deps: RouteDeps): void {
  const shared = new SharedAnswers<string>(() => deps.nowUs() / 1_000)
  app.register(
    async (scope) => {
      scope.removeAllContentTypeParsers()
      await scope.register(formbody, { bodyLimit: FORM_MAX_BYTES })
      scope.setErrorHandler<FastifyError>((error, request, reply) => answerError(deps, error, request, reply))
      for (const { path, id, summary, answer, form } of ROUTES) {
        const handler = async (request: FastifyRequest, reply: FastifyReply) => {
          const seen = seenBy(deps, request.principal)
          const written = new PromParameters(request.query, request.body)
          const label = (request.params as { name?: string }).name ?? ''
          const { id: asker, role, carriers } = request.principal
          const key = JSON.stringify([asker, role, carriers, path, label, written.sorted()])
          const asking = { ...seen, blind: () => blindSites(deps, seen) }
          const text = await shared.get(key, async () => textOf(await answer(asking, written, label)))
          return reply.type('application/json; charset=utf-8').send(text)
        }
        const schema = {
          summary,
          querystring: parameters,
          ...(path.includes(':') ? { params: labelName } : {}),
        }
        const config = { role: 'viewer' } as const
        const response = { response: { 200: answered } }
        scope.get(path, { config, schema: { operationId: id, ...schema, ...response } }, handler)
        if (form)
          scope.post(path, { config, schema: { operationId: `${id}Form`, ...schema, ...response } }, handler)
        else scope.post(path, { config, schema: { hide: true } }, refusePost)
      }
    },
    { prefix: '/prom/api/v1' },
  )
}

const labelName = z.object({ name: z.string() })

const ROUTES: readonly { path: string; id: string; summary: string; answer: Answering; form: boolean }[] = [
  { path: '/query', id: 'promQuery', summary: 'A PromQL expression at one time', answer: query, form: true },
  {
    path: '/query_range',
    id: 'promQueryRange',
    summary: 'A PromQL expression over a range',
    answer: queryRange,
    form: true,
  },
  {
    path: '/query_exemplars',
    id: 'promQueryExemplars',
    summary: 'No exemplars',
    answer: exemplars,
    form: true,
  },
  { path: '/labels', id: 'promLabels', summary: 'Names of labels', answer: labels, form: true },
  { path: '/series', id: 'promSeries', summary: 'Series of a span', answer: series, form: true },
  {
    path: '/label/:name/values',
    id: 'promLabelValues',
    summary: 'Values of a label',
    answer: labelValues,
    form: false,
  },
  {
    path: '/metadata',
    id: 'promMetadata',
    summary: 'Types and sentences of metrics',
    answer: metadata,
    form: false,
  },
  {
    path: '/rules',
    id: 'promRules',
    summary: 'No rules',
    answer: async () => ({ data: { groups: [] } }),
    form: false,
  },
  {
    path: '/status/buildinfo',
    id: 'promBuildinfo',
    summary: 'The version of Prometheus whose API this is',
    answer: async () => ({ data: { version: VERSION } }),
    form: false,
  },
]

function textOf({ data, warnings = [] }: Answer): string {
  return JSON.stringify({ status: 'success', data, ...(warnings.length > 0 ? { warnings } : {}) })
}

function sourceOf(deps: PromDeps): RollupSource {
  const { readers, config, blind } = deps
  return new RollupSource({ readers, config, servedUntilS: servedUntilS(deps), blind })
}

/** As far as frames have come: what they are still to change would look like a fall. */
function servedUntilS(deps: SeenDeps): number {
  const { asOfUs } = deps.live()
  return Math.floor((asOfUs > 0 ? asOfUs : deps.nowUs()) / 60e6) * 60
}

async function query(deps: PromDeps, parameters: PromParameters): Promise<Answer> {
  const timeS = parameters.timeS('time') ?? deps.nowUs() / 1e6
  const limit = parameters.limit()
  const { grid, fractionS } = askedAt(timeS)
  const expr = parsePromql(parameters.needed('query'))
  const value = await evaluate(expr, grid, sourceOf(deps))
  return {
    data: vectorOf(value, grid.startS + fractionS, limit),
    warnings: withCut(value.warnings, value, limit),
  }
}

async function queryRange(deps: PromDeps, parameters: PromParameters): Promise<Answer> {
  const { grid, fractionS } = askedRange(parameters)
  const limit = parameters.limit()
  const expr = parsePromql(parameters.needed('query'))
  if (expr.type !== 'scalar' && expr.type !== 'vector') {
    throw new PromError(
      'bad_data',
      `invalid expression type "${expr.type === 'matrix' ? 'range vector' : expr.type}" for range query, must be Scalar or instant Vector`,
    )
  }
  const value = await evaluate(expr, grid, sourceOf(deps))
  return { data: matrixOf(value, grid, fractionS, limit), warnings: withCut(value.warnings, value, limit) }
}

const CUT = 'results truncated due to limit'

function withCut(warnings: readonly string[], value: Awaited<ReturnType<typeof evaluate>>, limit: number) {
  return value.type === 'vector' && value.series.length > limit ? [...warnings, CUT] : warnings
}

async function exemplars(_deps: SeenDeps, parameters: PromParameters): Promise<Answer> {
  parameters.needed('query')
  return { data: [] }
}

async function labels(deps: PromDeps, parameters: PromParameters): Promise<Answer> {
  const listed = await listLabelNames(sourceOf(deps), selectorsOf(parameters), spanOf(deps, parameters))
  return cut(listed.items, listed.warnings, parameters.limit())
}

async function labelValues(deps: PromDeps, parameters: PromParameters, label: string): Promise<Answer> {
  if (!/^[a-zA-Z_]\w*$/.test(label)) throw new PromError('bad_data', `invalid label name: "${shown(label)}"`)
  const listed = await listLabelValues(
    sourceOf(deps),
    label,
    selectorsOf(parameters),
    spanOf(deps, parameters),
  )
  return cut(listed.items, listed.warnings, parameters.limit())
}

async function series(deps: PromDeps, parameters: PromParameters): Promise<Answer> {
  const selectors = selectorsOf(parameters)
  if (selectors.length === 0) throw new PromError('bad_data', 'no match[] parameter provided')
  const { items, warnings } = await listSeries(sourceOf(deps), selectors, spanOf(deps, parameters))
  return cut(items, warnings, parameters.limit())
}

function cut(items: readonly unknown[], warnings: readonly string[], limit: number): Answer {
  if (items.length <= limit) return { data: items, warnings }
  return { data: items.slice(0, limit), warnings: [...warnings, CUT] }
}

async function metadata(_deps: SeenDeps, parameters: PromParameters): Promise<Answer> {
  const name = parameters.one('metric')
  const limit = parameters.limit()
  const found = PROM_METRICS.filter((metric) => name === undefined || metric.name === name).slice(0, limit)
  return {
    data: Object.fromEntries(found.map(({ name, type, help, unit }) => [name, [{ type, help, unit }]])),
  }
}

function selectorsOf(parameters: PromParameters): Selector[] {
  return parameters.all('match[]').map((text) => {
    const expr = parsePromql(text)
    if (expr.kind === 'selector' && !expr.offsetWritten) return expr.selector
    throw new PromError(
      'bad_data',
      `match[]=${shown(text)} is no series selector; write for example {${METRIC_NAME}="up"}`,
    )
  })
}

const DAY_S = 86_400

/** Whole minutes around what was asked for, of long spans whole days at the start; left out: all that is kept. */
function spanOf(deps: SeenDeps, parameters: PromParameters): SpanS {
  const servedS = servedUntilS(deps)
  const fromS = parameters.timeS('start') ?? 0
  const endS = parameters.timeS('end') ?? servedS
  if (endS < fromS) throw new PromError('bad_data', 'end timestamp must not be before start time')
  const toS = Math.min(Math.ceil(endS / 60) * 60, servedS)
  const unitS = toS - fromS > 2 * DAY_S ? DAY_S : 60
  return { fromS: Math.min(Math.floor(fromS / unitS) * unitS, toS), toS }
}

async function refusePost(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const path = shown(request.url.split('?')[0]!)
  return reply
    .header('allow', 'GET, HEAD')
    .code(405)
    .send(errorBody('bad_data', `${path} is asked by GET`))
}

const errorBody = (errorType: string, error: string) => ({ status: 'error', errorType, error })

/** Who may ask is not Prometheus's affair: these errors are answered as everywhere else. */
const ACCESS_STATUS = new Set([401, 403, 429])

function answerError(
  deps: RouteDeps,
  error: FastifyError | ApiError | PromError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (error instanceof ApiError && ACCESS_STATUS.has(error.status)) throw error
  const { status, errorType, text } = wordsOf(deps, error)
  if (status >= 500) logFailure(request, error)
  if (status === 503) reply.header('retry-after', '5')
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(errorBody(errorType, text)))
}

function wordsOf(deps: RouteDeps, error: FastifyError | ApiError | PromError) {
  const of = (errorType: PromError['errorType'], text: string) => ({
    status: PROM_STATUS[errorType],
    errorType,
    text,
  })
  if (error instanceof PromError) return of(error.errorType, error.message)
  const status = error instanceof ApiError ? error.status : (error.statusCode ?? 500)
  if (status === 503) return of('timeout', error.message)
  if (status >= 400 && status < 500) {
    return of(
      'bad_data',
      status === 413 ? `a form of at most ${FORM_MAX_BYTES} bytes is read` : shown(error.message),
    )
  }
  const live = deps.live()
  if (!live.ready) {
    return of(
      'timeout',
      live.problem === '' ? 'the store is not ready yet; try again in a few seconds' : live.problem,
    )
  }
  return {
    status: 500,
    errorType: 'internal',
    text: 'the answer could not be made; the log of Trunkscope says why',
  }
}
