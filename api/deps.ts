/** What the api is built from, and what its routes share. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClickHouseClient } from '@clickhouse/client'
import type { ZodTypeProvider } from '@fastify/type-provider-zod'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { TrunkscopeConfig } from '../schemas/config.js'
import type { LiveStatus } from '../schemas/live-status.js'
import type { Principal, Token } from '../schemas/tokens.js'
import type { Outbox } from './alerts/outbox.js'
import type { AuditTrail } from './audit/trail.js'
import type { LoadedInventory } from './numbers/inventory.js'
import type { Connections, Readers, ReadersSource } from './readers.js'
import type { Scheduling } from './scorecards/scheduling.js'
import { configSeenBy } from './seen-config.js'

export interface ApiDeps {
  /** Connections to read with: one statement at a time each. */
  readers: ClickHouseClient[] | Connections
  config: TrunkscopeConfig
  /** Asked at every request. undefined, or a function that gives undefined: on loopback, no token is asked for. */
  tokens: (() => readonly Token[] | undefined) | undefined
  demo: boolean
  live: () => LiveStatus
  /** Prometheus text of the process. */
  metrics: () => Promise<string>
  log?: boolean | object
  /** Of a process that tells on-call. */
  outbox?: Pick<Outbox, 'retry' | 'sinks'> | undefined
  /** Of a process that makes scheduled scorecards. */
  scheduling?: Pick<Scheduling, 'runNow'> | undefined
  /** The number inventory; left out, or giving undefined: there is none. */
  numbers?: (() => LoadedInventory | undefined) | undefined
  /** Left out: answers leave no trace, as in `trunkscope scorecard` on a folder, whose owner can read all of it anyway. */
  audit?: AuditTrail | undefined
  /** For tests. */
  nowMs?: () => number
}

/** What a route is given. It holds nothing that reads: that there is for somebody only, through `seenBy`. */
export interface RouteDeps extends Omit<ApiDeps, 'readers'> {
  readers: ReadersSource
  nowUs: () => number
}

/** What an answer is made from: statements and names are those that this principal may see. */
export interface SeenDeps extends Omit<RouteDeps, 'readers'> {
  readers: Readers
  principal: Principal
}

export function seenBy(deps: RouteDeps, principal: Principal): SeenDeps {
  return {
    ...deps,
    readers: deps.readers.seenBy(principal),
    config: configSeenBy(deps.config, principal),
    principal,
  }
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>
