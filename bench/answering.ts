/** What the benches of answers share: a network of carriers, and the api over a store in which a moment is now. */
import type { ClickHouseClient } from '@clickhouse/client'
import { buildApp } from '../api/app.js'
import type { App } from '../api/deps.js'
import { liveStatus } from '../collector/live.js'
import { configSchema } from '../schemas/config.js'

export const SITES = ['ams', 'fra', 'iad', 'sin']
export const CARRIERS = 50
export const CONFIG = configSchema.parse({
  sites: SITES.map((id, at) => ({ id, sbc: [`192.0.2.${at + 1}/32`] })),
  carriers: Array.from({ length: CARRIERS }, (_, at) => ({
    id: carrierOf(at),
    peers: [`198.51.100.${at + 1}/32`],
  })),
})

export function carrierOf(at: number): string {
  return `carrier-${String(at + 1).padStart(2, '0')}`
}

export function appAt(nowS: number, readers: ClickHouseClient[]): Promise<App> {
  const listening = { hepUdp: '', hepTcp: '', http: '' }
  return buildApp({
    readers,
    config: CONFIG,
    tokens: undefined,
    demo: false,
    live: () => liveStatus({ startedAtUs: 0, listening, spoolLagBytes: 0, asOfUs: nowS * 1e6, problem: '' }),
    metrics: async () => '',
    nowMs: () => nowS * 1_000,
  })
}

export async function rowsOf<Row>(client: ClickHouseClient, query: string): Promise<Row[]> {
  const result = await client.query({ query, format: 'JSONEachRow' })
  return result.json<Row>()
}
