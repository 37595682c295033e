// tidy: tested by test/pipeline/cluster.test.ts
/** `trunkscope api`: page and API over a ClickHouse server. */
import type { ClickHouseClient } from '@clickhouse/client'
import { buildApp } from '../../api/app.js'
import { NumberDigests } from '../../api/audit/number-digests.js'
import { AuditTrail } from '../../api/audit/trail.js'
import { listen } from '../../api/listen.js'
import { Connections } from '../../api/readers.js'
import { liveStatus } from '../../collector/live.js'
import { checkSchema } from '../../collector/store/schema.js'
import { ownMetrics } from '../../collector/telemetry.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { RoleOptions } from '../commands/roles.js'
import { auditKeys } from '../connect/audit-key.js'
import { openServer } from '../connect/clickhouse.js'
import { checkHttpExposure, tokensAsked } from '../connect/exposure.js'
import { needed } from '../connect/needed.js'
import { type Alerts, type AlertsOptions, startAlerts } from './alerts.js'
import { failure } from './capture.js'
import { processLog, requestsTo } from './log.js'
import { noticesOf, openNumbers } from './numbers.js'
import { reloadOnHup } from './reload.js'
import { Undo } from './undo.js'
import { untilStopped } from './until-stopped.js'

/** Statements of an evaluation that run side by side. */
const ALERT_CONNECTIONS = 2
const LOOK_INTERVAL_MS = 1_000
/** As of stands still for so long only when captures or stores are away. */
const AWAY_MS = 60_000

export async function runApi(options: RoleOptions): Promise<void> {
  const { config } = options
  const clickhouse = needed(config, 'clickhouse', 'api')
  const log = processLog()
  const say = (text: string) => process.stdout.write(`${text}\n`)
  const undo = new Undo()
  const startedAtUs = Date.now() * 1_000
  await undo.onFailure(async () => {
    const engine = await openServer(clickhouse, 'api')
    undo.push(() => engine.close())
    await checkSchema(engine.writer)
    const seen = { asOfUs: 0, problem: '', movedAtMs: performance.now(), sinceUs: startedAtUs }
    const look = async () => {
      try {
        const asOfUs = await readAsOf(engine.writer)
        if (asOfUs > seen.asOfUs) {
          // Time that stood still was nobody's silence: captures or stores were away.
          if (performance.now() - seen.movedAtMs > AWAY_MS) seen.sinceUs = asOfUs
          seen.movedAtMs = performance.now()
        }
        seen.asOfUs = asOfUs
        if (seen.problem !== '') log('info', 'ClickHouse answers again')
        seen.problem = ''
      } catch (error) {
        const sentence = `ClickHouse does not answer: ${(error as Error).message.split('\n')[0]}`
        if (seen.problem === '') log('error', sentence)
        seen.problem = sentence
      }
    }
    await look()
    const looking = setInterval(() => void look(), LOOK_INTERVAL_MS)
    undo.push(() => clearInterval(looking))
    const listening = { hepUdp: '', hepTcp: '', http: '' }
    const live = () =>
      liveStatus({
        startedAtUs: seen.sinceUs,
        listening,
        spoolLagBytes: 0,
        asOfUs: seen.asOfUs,
        problem: seen.problem,
      })
    const numbers = await openNumbers(config)
    for (const notice of noticesOf(numbers.loaded())) log('warn', notice)
    const alerts = await alertsOf(config, { live, log, numbers: numbers.loaded }, undo)
    const digests = new NumberDigests(auditKeys(config, undefined))
    if (!digests.hasKey)
      log(
        'warn',
        'audit.key_file is not configured: the audit trail cannot be asked who searched for a number',
      )
    const ownText = ownMetrics(() => ({ live: live() }))
    const app = await buildApp({
      readers: engine.readers,
      config,
      tokens: tokensAsked(options.http, config),
      demo: false,
      log: requestsTo(log),
      live,
      outbox: alerts?.outbox,
      scheduling: alerts?.scheduling,
      numbers: numbers.loaded,
      audit: new AuditTrail({ client: alerts?.client ?? engine.writer, digests, log }),
      metrics: async () => `${await ownText()}${(await alerts?.metrics()) ?? ''}`,
    })
    const http = await listen(app, options.http)
    listening.http = http.address
    undo.push(() => http.close())
    reloadOnHup({
      configPath: options.configPath,
      read: options.readConfig,
      apply: async (next) => {
        checkHttpExposure(options.http, next)
        const takeOverSinks = alerts?.prepare(next)
        // Every question reads names, carriers and tokens from the same object.
        Object.assign(config, next)
        await takeOverSinks?.()
        return numbers.reload(next)
      },
      log,
    })
    say(`Trunkscope answers
  page        http://${http.address}/        API  http://${http.address}/v1/kpis        docs  http://${http.address}/openapi.json
  clickhouse  ${clickhouse.url}, database ${clickhouse.database}
  alerts      ${alerts === undefined ? 'not evaluated here: clickhouse.alerts is not configured' : `evaluated every ${config.alerts.evaluation_interval_s} s, told to ${config.sinks.length} sinks`}
Ctrl-C stops it.`)
    await untilStopped(
      {
        failed: failure().failed,
        stop: async () => {
          clearInterval(looking)
          await http.close()
          await alerts?.stop()
          await engine.close()
        },
      },
      say,
    )
  })
}

/**
 * As a user of its own, because the api's may only read; undefined: none is configured. It writes the audit trail as well.
 */
async function alertsOf(
  config: TrunkscopeConfig,
  { live, log, numbers }: Pick<AlertsOptions, 'live' | 'log' | 'numbers'>,
  undo: Undo,
): Promise<(Alerts & { client: ClickHouseClient }) | undefined> {
  const { alerts: user, ...server } = needed(config, 'clickhouse', 'api')
  if (user === undefined) {
    if (config.sinks.length > 0)
      log(
        'warn',
        'sinks are configured and no alert is evaluated here: clickhouse.alerts names no user that may write them',
      )
    if (config.scorecards.schedules.length > 0)
      log(
        'warn',
        'schedules of scorecards are configured and none is made here: clickhouse.alerts names no user that may write them',
      )
    return undefined
  }
  const engine = await openServer(
    { ...server, username: user.username, password_file: user.password_file },
    'store',
  )
  undo.push(() => engine.close())
  const connections = new Connections(engine.readers.slice(0, ALERT_CONNECTIONS))
  const alerts = await startAlerts({ client: engine.writer, connections, config, live, numbers, log })
  undo.push(() => alerts.stop())
  return { ...alerts, client: engine.writer, stop: () => alerts.stop().finally(() => engine.close()) }
}

/** How far the stores have come: the highest received-at of any. */
async function readAsOf(client: ClickHouseClient): Promise<number> {
  const result = await client.query({
    query: 'SELECT toString(max(as_of_us)) AS as_of FROM store_checkpoints',
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ as_of: string }>()
  return Number(row?.as_of ?? 0)
}
