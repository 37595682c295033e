/** What the api is built from, and what its routes share. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClickHouseClient } from '@clickhouse/client'
import type { ZodTypeProvider } from '@fastify/type-provider-zod'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { TrunkscopeConfig } from '../schemas/config.js'
import type { LiveStatus } from '../schemas/live-status.js'
import type { Readers } from './readers.js'

export interface ApiDeps {
  /** Connections to read with: one statement at a time each. */
  readers: ClickHouseClient[]
  config: TrunkscopeConfig
  /** undefined: on loopback, no token is asked for. */
  tokens: readonly string[] | undefined
  demo: boolean
  live: () => LiveStatus
  /** Prometheus text of the process. */
  metrics: () => Promise<string>
  log?: boolean | object
  /** For tests. */
  nowMs?: () => number
}

/** What a route needs to answer. */
export interface RouteDeps extends Omit<ApiDeps, 'readers'> {
  readers: Readers
  nowUs: () => number
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>
