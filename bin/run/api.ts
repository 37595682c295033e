// tidy: tested by test/pipeline/cluster.test.ts
/** `trunkscope api`: page and API over a ClickHouse server. */
import type { ClickHouseClient } from '@clickhouse/client'
import { buildApp } from '../../api/app.js'
import { listen } from '../../api/listen.js'
import { liveStatus } from '../../collector/live.js'
import { checkSchema } from '../../collector/store/schema.js'
import { ownMetrics } from '../../collector/telemetry.js'
import type { RoleOptions } from '../commands/roles.js'
import { openServer } from '../connect/clickhouse.js'
import { isLoopback } from '../connect/exposure.js'
import { needed } from '../connect/needed.js'
import { failure } from './capture.js'
import { processLog } from './log.js'
import { Undo } from './undo.js'
import { untilStopped } from './until-stopped.js'

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
    const app = await buildApp({
      readers: engine.readers,
      config,
      tokens: isLoopback(options.http.host) && config.api_tokens.length === 0 ? undefined : config.api_tokens,
      demo: false,
      live,
      metrics: ownMetrics(() => ({ live: live() })),
    })
    const http = await listen(app, options.http)
    listening.http = http.address
    undo.push(() => http.close())
    say(`Trunkscope answers
  page        http://${http.address}/        API  http://${http.address}/v1/kpis        docs  http://${http.address}/openapi.json
  clickhouse  ${clickhouse.url}, database ${clickhouse.database}
Ctrl-C stops it.`)
    await untilStopped(
      {
        failed: failure().failed,
        stop: async () => {
          clearInterval(looking)
          await http.close()
          await engine.close()
        },
      },
      say,
    )
  })
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
