/**
 * Alerts of a process that serves the api: rules are evaluated, and what was decided goes through the outbox to the sinks. So do
 * the scorecards of schedules.
 *
 * Throws   TRUNKSCOPE_CONFIG_SECRET_FILE where the secret of a sink cannot be read.
 */
import { randomUUID } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import { type Alerting, startAlerting } from '../../api/alerts/alerting.js'
import { alertMetrics } from '../../api/alerts/metrics.js'
import { Outbox } from '../../api/alerts/outbox.js'
import type { Sink } from '../../api/alerts/sinks/sink.js'
import type { LoadedInventory } from '../../api/numbers/inventory.js'
import { type Connections, Readers } from '../../api/readers.js'
import { type Scheduling, startScheduling } from '../../api/scorecards/scheduling.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { LiveStatus } from '../../schemas/live-status.js'
import { folderSinkId } from '../../schemas/scorecard-schedule.js'
import { sinksWithSecrets } from '../connect/sink-secrets.js'

export interface AlertsOptions {
  /** May write the alert tables and those of documents. */
  client: ClickHouseClient
  connections: Connections
  config: TrunkscopeConfig
  live: () => LiveStatus
  /** The number inventory, where there is one. */
  numbers?: (() => LoadedInventory | undefined) | undefined
  log: (level: 'info' | 'warn' | 'error', sentence: string) => void
  /** Nothing is judged before. */
  after?: Promise<unknown> | undefined
  /** Of a process that is the only one over its tables: what it began before a restart is its own. */
  isAlone?: boolean
}

export interface Alerts {
  readonly outbox: Outbox
  readonly alerting: Alerting
  readonly scheduling: Scheduling
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
  numbers,
  log,
  after,
  isAlone = false,
}: AlertsOptions): Promise<Alerts> {
  const outbox = await Outbox.open({ client, sinks: sinksOf(config), log })
  const readers = new Readers(connections)
  outbox.start()
  const alerting = startAlerting({ client, readers, config, outbox, live, numbers, log, after })
  const scheduling = startScheduling({
    client,
    owner: isAlone ? 'alone' : randomUUID(),
    deps: {
      readers,
      config,
      live,
      tokens: undefined,
      demo: false,
      metrics: async () => '',
      nowUs: () => Date.now() * 1_000,
    },
    outbox,
    log,
    after,
  })
  return {
    outbox,
    alerting,
    scheduling,
    metrics: async () => `${await alertMetrics(alerting.status, outbox.sinks)}${await scheduling.metrics()}`,
    prepare: (next) => {
      const sinks = sinksOf(next)
      return () => outbox.reconfigure(sinks)
    },
    stop: async () => {
      await scheduling.stop()
      await alerting.stop()
      await outbox.close()
    },
  }
}

/** Those of the configuration, and the folders of schedules. */
function sinksOf({ sinks, scorecards }: Pick<TrunkscopeConfig, 'sinks' | 'scorecards'>): Sink[] {
  const folders = scorecards.schedules.flatMap(({ id, folder }): Sink[] =>
    folder === undefined ? [] : [{ id: folderSinkId(id), type: 'folder', path: folder, allowPrivate: false }],
  )
  return [...sinksWithSecrets(sinks), ...folders]
}
