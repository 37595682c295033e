/**
 * Writes the audit trail: a row for every answer of a route that declares `config.audit`, refused ones too. In one place, so
 * that no route can forget it; test/api/audit/trail.test.ts asks for the declaration.
 *
 * How      An export is kept back until its row is on the disk; if that fails it is refused (TRUNKSCOPE_API_AUDIT_UNAVAILABLE):
 *          nothing is taken away that nobody can find again. A look is answered at once, and its row waits in memory for
 *          the next write, a second later at most; what cannot be written is tried again, and beyond ROWS_WAITING_MAX the
 *          oldest are lost and counted. So a store that takes no rows stops exports and not the people on call.
 * Not here Who had no valid token: nobody knows who it was, and whoever can reach the port could fill the table.
 */
import { randomUUID } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { AUDIT_ACTIONS, type AuditActionName, type AuditRow, storedAuditRow } from '../../schemas/audit.js'
import type { App } from '../deps.js'
import { ApiError } from '../errors.js'
import { maskedNumber, maskedText } from '../masking.js'
import { shown } from '../time-span.js'
import type { NumberDigests } from './number-digests.js'

const ROWS_WAITING_MAX = 10_000
const ROWS_A_WRITE = 1_000
const WRITE_INTERVAL_MS = 1_000
/** An export waits so long for its row. */
const EXPORT_WAIT_MS = 10_000
const FILTER_LENGTH_MAX = 200
const FILTERS_MAX = 40

export interface AuditTrailOptions {
  /** May insert into audit_trail. */
  client: ClickHouseClient
  digests: NumberDigests
  log?: ((level: 'info' | 'warn' | 'error', sentence: string) => void) | undefined
}

export interface AuditCounts {
  written: number
  lost: number
  waiting: number
  refusedExports: number
}

export class AuditTrail {
  readonly digests: NumberDigests
  readonly #client: ClickHouseClient
  readonly #log: NonNullable<AuditTrailOptions['log']>
  #waiting: AuditRow[] = []
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isFailing = false
  #counts = { written: 0, lost: 0, refusedExports: 0 }

  constructor({ client, digests, log }: AuditTrailOptions) {
    this.#client = client
    this.digests = digests
    this.#log = log ?? (() => {})
  }

  get counts(): AuditCounts {
    return { ...this.#counts, waiting: this.#waiting.length }
  }

  /** Of a look: written soon. */
  note(row: AuditRow): void {
    this.#waiting.push(row)
    if (this.#waiting.length > ROWS_WAITING_MAX) {
      this.#waiting.shift()
      this.#counts.lost++
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.flush()
    }, WRITE_INTERVAL_MS).unref()
  }

  /** Of an export: resolves when the row is on the disk. */
  async write(row: AuditRow): Promise<void> {
    try {
      await withinMs(this.#insert([row]), EXPORT_WAIT_MS)
      this.#counts.written++
    } catch (cause) {
      this.#counts.refusedExports++
      throw new ApiError(
        'TRUNKSCOPE_API_AUDIT_UNAVAILABLE',
        'nothing is given away that the audit trail does not hold, and it takes no row now; try again in a few seconds',
        { retryAfterS: 5 },
        cause,
      )
    }
  }

  /** Writes what waits. Does not throw: what failed stays for the next time. */
  flush(): Promise<void> {
    this.#writing ??= this.#writeWaiting().finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.flush()
    if (this.#waiting.length > 0) {
      this.#log('error', `the audit trail lost ${this.#waiting.length} rows: the store took none of them`)
    }
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const rows = this.#waiting.slice(0, ROWS_A_WRITE)
      try {
        await this.#insert(rows)
      } catch (error) {
        if (!this.#isFailing) {
          this.#isFailing = true
          // Only the code: the engine's text may quote the row.
          this.#log(
            'error',
            `the audit trail cannot be written (${codeOf(error)}); exports are refused until it can`,
          )
        }
        if (this.#timer === undefined) {
          this.#timer = setTimeout(() => {
            this.#timer = undefined
            void this.flush()
          }, WRITE_INTERVAL_MS).unref()
        }
        return
      }
      const written = new Set(rows)
      this.#waiting = this.#waiting.filter((row) => !written.has(row))
      this.#counts.written += rows.length
      if (this.#isFailing) this.#log('info', 'the audit trail is written again')
      this.#isFailing = false
    }
  }

  async #insert(rows: readonly AuditRow[]): Promise<void> {
    await this.#client.insert({
      table: 'audit_trail',
      values: rows.map(storedAuditRow),
      format: 'JSONEachRow',
      // Servers of 26.x answer before the row is stored otherwise.
      clickhouse_settings: { async_insert: 0 },
    })
  }
}

/** What a route may add to the row of its answer. */
export interface Audited {
  rows?: number
  carrier?: string
  /** Its row is written, or waits. */
  isDone?: true
}

export function auditHooks(app: App, trail: AuditTrail, nowMs: () => number): void {
  app.addHook('onSend', async (request, reply) => {
    const action = actionOf(request)
    if (action === undefined || !AUDIT_ACTIONS[action].isExport || reply.statusCode >= 400) return
    // Once only: the refusal below is an answer, too.
    if (request.audited.isDone) return
    request.audited.isDone = true
    try {
      await trail.write(rowOf(trail, action, request, reply, nowMs()))
    } catch (error) {
      for (const name of ['content-disposition', 'content-length', 'etag']) reply.removeHeader(name)
      reply.serializer((payload: unknown) => JSON.stringify(payload))
      throw error
    }
  })
  app.addHook('onResponse', async (request, reply) => {
    const action = actionOf(request)
    if (action === undefined || request.audited.isDone) return
    request.audited.isDone = true
    trail.note(rowOf(trail, action, request, reply, nowMs()))
  })
  app.addHook('onClose', () => trail.close())
}

/** undefined: not audited, or asked by nobody who is known. */
function actionOf(request: FastifyRequest): AuditActionName | undefined {
  // principal is not set where the token was wrong.
  return request.principal === undefined ? undefined : request.routeOptions.config.audit
}

const NUMBER_PARAMETERS: ReadonlySet<string> = new Set(['number', 'calling', 'called', 'rn'])
/** Numbers have columns of their own; a cursor says nothing that its first page did not. */
const LEFT_OUT: ReadonlySet<string> = new Set([...NUMBER_PARAMETERS, 'cursor'])

function rowOf(
  trail: AuditTrail,
  action: AuditActionName,
  request: FastifyRequest,
  reply: FastifyReply,
  atMs: number,
): AuditRow {
  const { principal, audited, routeOptions } = request
  const query = Object.entries((request.query ?? {}) as Record<string, string | string[]>)
  const params = (request.params ?? {}) as Record<string, string>
  const numbers = query.filter(([name]) => NUMBER_PARAMETERS.has(name)).flatMap(([, value]) => value)
  const digests = numbers.flatMap((number) => trail.digests.of(number) ?? [])
  const isAttempt = /\/attempts\/:id/.test(routeOptions.url ?? '')
  const isCarrier = /\/carriers\/:id/.test(routeOptions.url ?? '')
  const filters = query.filter(([name, value]) => !LEFT_OUT.has(name) && value !== '')
  return {
    atMs,
    id: randomUUID().replaceAll('-', ''),
    token: principal.id,
    role: principal.role,
    carriers: principal.carriers === 'all' ? [] : principal.carriers,
    address: request.socket.remoteAddress ?? '',
    action,
    route: `${request.method} ${routeOptions.url ?? ''}`,
    status: reply.statusCode,
    carrier: audited.carrier ?? (isCarrier ? textOf(params.id) : ''),
    attemptId: isAttempt && /^[0-9a-fA-F]{32}$/.test(params.id ?? '') ? params.id!.toLowerCase() : '',
    filters: Object.fromEntries(
      filters.slice(0, FILTERS_MAX).map(([name, value]) => [textOf(name), textOf([value].flat().join(','))]),
    ),
    numbers: numbers.slice(0, FILTERS_MAX).map(maskedTerm),
    numberDigests: [...new Set(digests.map(({ digest }) => digest))].slice(0, FILTERS_MAX),
    keyId: digests[0]?.keyId ?? '',
    rows: audited.rows,
  }
}

/** Anything may be typed into a filter: numbers too, and what a terminal would obey. A moment has many digits and stays. */
function textOf(text = ''): string {
  if (/^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?[Zz]?)?$/.test(text)) return text
  return shown(maskedText(text.slice(0, FILTER_LENGTH_MAX)).replaceAll('…', '*'))
}

/** "…43"; "*…43" of a search for last digits. */
function maskedTerm(text: string): string {
  return `${/^\s*[*\u2026]/.test(text) ? '*' : ''}${maskedNumber(text)}`
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: string }
  return typeof code === 'string' ? code : (name ?? 'no code')
}

async function withinMs<Value>(promise: Promise<Value>, ms: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    audited: Audited
  }
  interface FastifyInstance {
    /** "GET /v1/attempts": what the trail calls it. */
    auditedRoutes: Map<string, AuditActionName>
  }
  interface FastifyContextConfig {
    /** What the audit trail calls an answer of this route. */
    audit?: AuditActionName
  }
}
