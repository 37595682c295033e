/**
 * What `/metrics` says about the number inventory, '' without one. Misrouted calls are looked for once a minute of as of: the
 * answer in between is that of before.
 */
import { Gauge, Registry } from 'prom-client'
import { NUMBERS_METRICS } from '../../schemas/own-metrics.js'
import { LOOPBACK } from '../../schemas/tokens.js'
import type { RouteDeps } from '../deps.js'
import { MINUTE_US } from '../time-span.js'
import { type MisroutedCount, readMisroutedCounts } from './misrouted.js'

const SPAN_US = 3_600e6

export function numbersMetrics(deps: Pick<RouteDeps, 'numbers' | 'readers' | 'live'>): () => Promise<string> {
  let looked: { key: string; counts: Promise<MisroutedCount[]> } | undefined
  return async () => {
    const loaded = deps.numbers?.()
    if (loaded === undefined) return ''
    const { asOfUs } = deps.live()
    const toUs = Math.ceil(asOfUs / MINUTE_US) * MINUTE_US
    const key = `${toUs} ${loaded.loadedAtUs}`
    if (looked?.key !== key) {
      const readers = deps.readers.seenBy(LOOPBACK)
      const span = { fromUs: Math.max(0, toUs - SPAN_US), toUs }
      // While the store cannot be read `/readyz` tells that: here the series is missing.
      looked = {
        key,
        counts:
          asOfUs === 0
            ? Promise.resolve([])
            : readMisroutedCounts(readers, loaded.inventory, span).catch(() => []),
      }
    }
    const registry = new Registry()
    const gaugeOf = (name: keyof typeof NUMBERS_METRICS) => {
      const { name: metricName, help, labels } = NUMBERS_METRICS[name]
      return new Gauge({ name: metricName, help, labelNames: [...labels], registers: [registry] })
    }
    gaugeOf('rows').set(loaded.rows)
    gaugeOf('wrongRows').set(Object.values(loaded.errorCounts).reduce((sum, count) => sum + count, 0))
    gaugeOf('isStale').set(loaded.problem === '' ? 0 : 1)
    const misrouted = gaugeOf('misrouted')
    for (const { carrier, attempts } of await looked.counts) misrouted.set({ carrier }, attempts)
    return registry.metrics()
  }
}
