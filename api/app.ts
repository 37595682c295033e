/**
 * Builds the api without opening a socket: security first, then the routes, each with a schema for what it takes and what
 * it answers. `api/listen.ts` listens; tests call `inject`.
 */
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import {
  createJsonSchemaTransform,
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from '@fastify/type-provider-zod'
import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from 'fastify'
import { accessCheck } from './access.js'
import { auditMetrics } from './audit/metrics.js'
import { auditHooks } from './audit/trail.js'
import type { ApiDeps, App, RouteDeps } from './deps.js'
import { ApiError, didYouMean, nearestNames, problemOf } from './errors.js'
import { numbersMetrics } from './numbers/metrics.js'
import { errorPage } from './page/error.js'
import { Readers } from './readers.js'
import { logFailure, requestLog } from './request-log.js'
import { alertDeliveryRoutes } from './routes/alert-deliveries.js'
import { alertRoutes } from './routes/alerts.js'
import { attemptRoutes } from './routes/attempts.js'
import { attestationRoutes } from './routes/attestation.js'
import { auditRoutes } from './routes/audit.js'
import { cancelRoutes } from './routes/cancels.js'
import { carrierRoutes } from './routes/carriers.js'
import { documentRoutes } from './routes/documents.js'
import { earlyMediaRoutes } from './routes/early-media.js'
import { healthRoutes } from './routes/health.js'
import { identityRoutes } from './routes/identity.js'
import { kpiRoutes } from './routes/kpis.js'
import { numberRoutes } from './routes/numbers.js'
import { packRoutes } from './routes/packs.js'
import { pageRoutes } from './routes/page.js'
import { peerRoutes } from './routes/peers.js'
import { promRoutes } from './routes/prom.js'
import { scorecardRoutes } from './routes/scorecards.js'
import { sloRoutes } from './routes/slos.js'
import { tapRoutes } from './routes/tap.js'
import { trunkRoutes } from './routes/trunks.js'
import { tapMetrics } from './tap/metrics.js'
import { shown } from './time-span.js'
import { trunkMetrics } from './trunks/metrics.js'

export type { ApiDeps } from './deps.js'

/** Only /prom takes a body, a form, and has its own limit. */
const BODY_MAX_BYTES = 4_096

/** @param routes `health`: of a role that answers no questions, only /healthz, /readyz and /metrics */
export async function buildApp(deps: ApiDeps, routes: 'all' | 'health' = 'all'): Promise<App> {
  const nowMs = deps.nowMs ?? Date.now
  const routeDeps: RouteDeps = {
    ...deps,
    readers: new Readers(deps.readers),
    nowUs: () => nowMs() * 1_000,
    metrics:
      routes === 'health'
        ? deps.metrics
        : async () =>
            `${await deps.metrics()}${await tapMetrics(routeDeps)}${await trunkMetrics(routeDeps)}${await auditMetrics(deps.audit)}${await ofNumbers()}`,
  }
  const ofNumbers = numbersMetrics(routeDeps)
  const app = Fastify({
    logger: requestLog(deps.log),
    bodyLimit: BODY_MAX_BYTES,
    // X-Forwarded-For is anybody's word.
    trustProxy: false,
    routerOptions: { maxParamLength: 256 },
    requestTimeout: 30_000,
    // What was asked is answered; connections that only wait are closed.
    forceCloseConnections: 'idle',
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)

  app.decorateRequest('principal')
  app.decorateRequest('audited')
  app.decorate('auditedRoutes', new Map())
  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.audit !== undefined) app.auditedRoutes.set(`${String(method)} ${url}`, config.audit)
    if (config?.isPublic === true || config?.role !== undefined) return
    throw new Error(
      `${String(method)} ${url} does not say who may ask it; write config: { role: 'viewer' } or another role`,
    )
  })
  const check = accessCheck(deps.tokens, nowMs)
  app.addHook('onRequest', async (request, reply) => {
    request.audited = {}
    reply.header('cache-control', 'no-store')
    request.principal = check(request, reply)
  })
  if (deps.audit !== undefined) auditHooks(app, deps.audit, nowMs)
  app.setErrorHandler<FastifyError>((error, request, reply) => answerError(routeDeps, error, request, reply))
  app.setNotFoundHandler((request) => {
    throw new ApiError(
      'TRUNKSCOPE_API_NO_SUCH_ROUTE',
      `there is no ${request.method} ${shown(request.url.split('?')[0]!)}; /openapi.json lists the routes`,
    )
  })

  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        scriptSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // The api speaks plain HTTP; a proxy in front of it that speaks TLS sets this for its own name.
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'same-origin' },
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Trunkscope',
        version: '1',
        description:
          'Carrier KPIs from mirrored SIP. Times are UTC; ranges include `from` and not `to`. Errors are problem+json (RFC 9457).',
      },
      components: {
        securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      },
      security: deps.tokens?.() === undefined ? [] : [{ token: [] }],
    },
    transform: openapiTransform,
  })

  healthRoutes(app, routeDeps)
  if (routes === 'all') questionRoutes(app, routeDeps)
  await app.ready()
  return app
}

function questionRoutes(app: App, deps: RouteDeps): void {
  kpiRoutes(app, deps)
  carrierRoutes(app, deps)
  attemptRoutes(app, deps)
  cancelRoutes(app, deps)
  attestationRoutes(app, deps)
  identityRoutes(app, deps)
  earlyMediaRoutes(app, deps)
  tapRoutes(app, deps)
  trunkRoutes(app, deps)
  alertRoutes(app, deps)
  sloRoutes(app, deps)
  scorecardRoutes(app, deps)
  numberRoutes(app, deps)
  peerRoutes(app, deps)
  packRoutes(app, deps)
  documentRoutes(app, deps)
  alertDeliveryRoutes(app, deps)
  auditRoutes(app, deps)
  pageRoutes(app, deps)
  promRoutes(app, deps)
}

const toJsonSchema = createJsonSchemaTransform({})

/** Problems are problem+json; what a route `produces` otherwise, it produces when all is well only. */
const openapiTransform: typeof toJsonSchema = (document) => {
  const { schema, url } = toJsonSchema(document)
  const response = (schema as { response?: Record<string, { description?: string }> }).response
  if (response === undefined) return { schema, url }
  const { produces } = schema as { produces?: string[] }
  for (const [status, body] of Object.entries(response)) {
    const type = status.startsWith('2')
      ? (produces?.[0] ?? 'application/json')
      : produces?.[0] === 'text/html'
        ? 'text/html'
        : 'application/problem+json'
    response[status] = {
      description: body.description ?? (status.startsWith('2') ? 'OK' : 'Problem'),
      ...{ content: { [type]: { schema: type === 'text/html' ? { type: 'string' } : body } } },
    }
  }
  return { schema, url }
}

function answerError(
  deps: RouteDeps,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const known = apiErrorOf(deps, error, request)
  // What the answer keeps to itself; one that only says "not now" has said it all.
  if (known.status >= 500 && known.cause !== undefined) logFailure(request, error)
  const problem = problemOf(known)
  reply.code(problem.status)
  if (known.extras.retryAfterS !== undefined) reply.header('retry-after', String(known.extras.retryAfterS))
  const wantsPage =
    request.routeOptions.config?.isPage === true ||
    (problem.code === 'TRUNKSCOPE_API_NO_SUCH_ROUTE' && (request.headers.accept ?? '').includes('text/html'))
  if (wantsPage) return reply.type('text/html; charset=utf-8').send(errorPage(problem, deps.demo).text)
  return reply
    .type('application/problem+json; charset=utf-8')
    .serializer((payload) => JSON.stringify(payload))
    .send(problem)
}

function apiErrorOf(deps: RouteDeps, error: FastifyError, request: FastifyRequest): ApiError {
  if (error instanceof ApiError) return error
  if (hasZodFastifySchemaValidationErrors(error)) return ofValidation(error, request)
  if (error.statusCode === 413) {
    return new ApiError('TRUNKSCOPE_API_BODY_TOO_LARGE', 'this route takes no body; leave it out', {}, error)
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new ApiError('TRUNKSCOPE_API_BAD_REQUEST', shown(error.message), {}, error)
  }
  const live = deps.live()
  if (!live.ready) {
    return new ApiError(
      'TRUNKSCOPE_API_STARTING',
      live.problem === '' ? 'the store is not ready yet; try again in a few seconds' : live.problem,
      { retryAfterS: 2 },
      error,
    )
  }
  return new ApiError(
    'TRUNKSCOPE_API_INTERNAL',
    'the answer could not be made; the log of Trunkscope says why',
    {},
    error,
  )
}

/** Values are checked by the routes themselves; what is left to zod is the names of the parameters. */
function ofValidation(error: FastifyError, request: FastifyRequest): ApiError {
  const query = request.routeOptions.schema?.querystring as { shape?: Record<string, unknown> } | undefined
  const known = Object.keys(query?.shape ?? {})
  const unknown = Object.keys(request.query as Record<string, unknown>).find((name) => !known.includes(name))
  if (unknown === undefined)
    return new ApiError('TRUNKSCOPE_API_BAD_REQUEST', shown(error.message), {}, error)
  const suggestions = nearestNames(unknown, known)
  return new ApiError(
    'TRUNKSCOPE_API_UNKNOWN_PARAMETER',
    known.length === 0
      ? `${shown(unknown)} is not a parameter; this route takes none`
      : `${shown(unknown)} is not a parameter of this route${didYouMean(suggestions) || ';'} it takes ${known.join(', ')}`,
    { parameter: shown(unknown), suggestions },
    error,
  )
}
