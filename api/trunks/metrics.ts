/**
 * What `/metrics` says about the trunks, as Prometheus text: the state of each that is known and how it changed, and the peaks of the last hour that is whole
 * beside the contracted limits.
 *
 * Far addresses may be many: TRUNKS_MAX series of each name, those that are not up first, then those with the most calls.
 */
import { Gauge, Registry } from 'prom-client'
import { TRUNK_METRICS, type TrunkMetricName } from '../../schemas/own-metrics.js'
import { LOOPBACK } from '../../schemas/tokens.js'
import { trunkAddress } from '../../schemas/trunks.js'
import { type RouteDeps, seenBy } from '../deps.js'
import type { Connections } from '../readers.js'
import { readPeaks, type ScopePeaks } from './peaks.js'
import { TRUNK_STATES, type TrunkState } from './state.js'
import { blindSites, judgeTrunks, type TrunkJson } from './trunks.js'

const TRUNKS_MAX = 200

/** `unknown` has no value: an alert on 0 must not go off where nothing was seen. */
const VALUES: Record<Exclude<TrunkState, 'unknown'>, number> = { up: 1, degraded: 0.5, down: 0 }

/** Scrapes come often, a look reads a day of minutes of every trunk: one is shared for so long. */
const LOOK_SHARED_US = 30e6
const looks = new WeakMap<Connections, { asOfUs: number; nowUs: number; text: Promise<string> }>()

/** '' before the first frame, and while the store cannot be read. */
export async function trunkMetrics(deps: RouteDeps): Promise<string> {
  const { asOfUs } = deps.live()
  if (asOfUs === 0) return ''
  const { connections } = deps.readers
  const last = looks.get(connections)
  // By both clocks: where as-of stands still, a trunk must become unknown.
  const nowUs = deps.nowUs()
  const isFresh = (us: number, beforeUs: number) => Math.abs(us - beforeUs) < LOOK_SHARED_US
  if (last !== undefined && isFresh(asOfUs, last.asOfUs) && isFresh(nowUs, last.nowUs)) return last.text
  const text = readText(deps, asOfUs).catch(() => {
    looks.delete(connections)
    return ''
  })
  looks.set(connections, { asOfUs, nowUs, text })
  return text
}

async function readText(deps: RouteDeps, asOfUs: number): Promise<string> {
  const seen = seenBy(deps, LOOPBACK)
  const { trunks } = await judgeTrunks(seen, await blindSites(deps, seen), { carrier: [], site: [] })
  const hourS = Math.max(0, Math.floor(asOfUs / 3_600e6) * 3_600 - 3_600)
  const { groups } = await readPeaks(
    seen.readers,
    seen.config,
    { fromS: hourS, toS: hourS + 3_600 },
    { carrier: [], site: [], scope: ['carrier', 'carrier_site', 'trunk'] },
  )
  return textOf(
    trunks.map(({ json }) => json),
    groups,
  )
}

export function textOf(trunks: readonly TrunkJson[], groups: readonly ScopePeaks[]): Promise<string> {
  const registry = new Registry()
  const gaugeOf = (name: TrunkMetricName) => {
    const { name: metricName, help, labels } = TRUNK_METRICS[name]
    return new Gauge({ name: metricName, help, labelNames: [...labels], registers: [registry] })
  }
  const counts = gaugeOf('trunks')
  for (const state of TRUNK_STATES)
    counts.set({ state }, trunks.filter((trunk) => trunk.state === state).length)
  const [up, changes, changedAt] = [gaugeOf('up'), gaugeOf('changes'), gaugeOf('changedAt')]
  for (const { carrier, site, address, state, since, flaps_24h } of firstOf(trunks)) {
    const labels = { carrier, site, address }
    if (state !== 'unknown') up.set(labels, VALUES[state])
    changes.set(labels, flaps_24h)
    if (since !== null) changedAt.set(labels, Date.parse(since) / 1_000)
  }
  const [calls, callsLimit] = [gaugeOf('callsPeak'), gaugeOf('callsLimit')]
  const [perSecond, perSecondLimit] = [gaugeOf('perSecondPeak'), gaugeOf('perSecondLimit')]
  for (const { scope, by, peak } of groups.slice(0, TRUNKS_MAX)) {
    const labels = {
      scope,
      carrier: by.carrier,
      site: by.site,
      address: scope === 'trunk' ? trunkAddress(by) : '',
    }
    calls.set(labels, peak.concurrent_calls.peak)
    perSecond.set(labels, peak.calls_per_second.peak)
    if (peak.concurrent_calls.limit !== null) callsLimit.set(labels, peak.concurrent_calls.limit)
    if (peak.calls_per_second.limit !== null) perSecondLimit.set(labels, peak.calls_per_second.limit)
  }
  return registry.metrics()
}

const WORST: readonly TrunkState[] = ['down', 'degraded', 'up', 'unknown']

/** The order is that of calls already; a sort keeps it among equals. */
function firstOf(trunks: readonly TrunkJson[]): TrunkJson[] {
  return [...trunks].sort((a, b) => WORST.indexOf(a.state) - WORST.indexOf(b.state)).slice(0, TRUNKS_MAX)
}
