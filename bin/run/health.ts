// tidy: tested by test/pipeline/cluster.test.ts
/** /healthz, /readyz and /metrics of a role that answers no questions. */
import { buildApp } from '../../api/app.js'
import { listen } from '../../api/listen.js'
import { ownMetrics, type Snapshot } from '../../collector/telemetry.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { type Endpoint, tokensAsked } from '../connect/exposure.js'
import { type Log, requestsTo } from './log.js'

export async function serveHealth(
  http: Endpoint,
  config: TrunkscopeConfig,
  { snapshot, log }: { snapshot: () => Snapshot; log: Log },
) {
  const app = await buildApp(
    {
      readers: [],
      config,
      tokens: tokensAsked(http, config),
      demo: false,
      log: requestsTo(log),
      live: () => snapshot().live,
      metrics: ownMetrics(snapshot),
    },
    'health',
  )
  return listen(app, http)
}
