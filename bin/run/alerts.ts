/**
 * Alerts of a process that serves the api: rules are evaluated, and what was decided goes through the outbox to the sinks.
 *
 * Throws   TRUNKSCOPE_CONFIG_SECRET_FILE where the secret of a sink cannot be read.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { type Alerting, startAlerting } from '../../api/alerts/alerting.js'
import { alertMetrics } from '../../api/alerts/metrics.js'
import { Outbox } from '../../api/alerts/outbox.js'
import { type Connections, Readers } from '../../api/readers.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { LiveStatus } from '../../schemas/live-status.js'
import { sinksWithSecrets } from '../connect/sink-secrets.js'

export interface AlertsOptions {
  /** May write the alert tables. */
  client: ClickHouseClient
  connections: Connections
  config: TrunkscopeConfig
  live: () => LiveStatus
  log: (level: 'info' | 'warn' | 'error', sentence: string) => void
  /** Nothing is judged before. */
  after?: Promise<unknown> | undefined
}

export interface Alerts {
  readonly outbox: Outbox
  readonly alerting: Alerting
  /** Prometheus text. */
  metrics: () => Promise<string>
  /** Reads the secrets of the next configuration; what it returns takes it over. Throws and changes nothing. */
  prepare(next: TrunkscopeConfig): () => Promise<void>
  /** An evaluation that runs is waited for; what is not delivered waits on disk. */
  stop(): Promise<void>
}

export async function startAlerts({
  client,
  connections,
  config,
  live,
  log,
  after,
}: AlertsOptions): Promise<Alerts> {
  const outbox = await Outbox.open({ client, sinks: sinksWithSecrets(config.sinks), log })
  const readers = new Readers(connections)
  outbox.start()
  const alerting = startAlerting({ client, readers, config, outbox, live, log, after })
  return {
    outbox,
    alerting,
    metrics: () => alertMetrics(alerting.status, outbox.sinks),
    prepare: (next) => {
      const sinks = sinksWithSecrets(next.sinks)
      return () => outbox.reconfigure(sinks)
    },
    stop: async () => {
      await alerting.stop()
      await outbox.close()
    },
  }
}
