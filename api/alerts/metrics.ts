/** What `/metrics` says about the evaluation of alerts, as Prometheus text. */
import { Counter, Gauge, Registry } from 'prom-client'
import { ALERT_METRICS } from '../../schemas/own-metrics.js'
import type { AlertingStatus } from './alerting.js'

export function alertMetrics(status: AlertingStatus): Promise<string> {
  const registry = new Registry()
  const optionsOf = (name: keyof typeof ALERT_METRICS) => {
    const { name: metricName, help, labels } = ALERT_METRICS[name]
    return { name: metricName, help, labelNames: [...labels], registers: [registry] }
  }
  const alerts = new Gauge(optionsOf('alerts'))
  alerts.set({ state: 'firing' }, status.firing)
  alerts.set({ state: 'pending' }, status.pending)
  new Gauge(optionsOf('held')).set(status.held)
  new Gauge(optionsOf('cut')).set(status.cut)
  new Gauge(optionsOf('evaluatedAt')).set(status.evaluatedAtMs / 1_000)
  new Gauge(optionsOf('seconds')).set(status.lastSeconds)
  const evaluations = new Counter(optionsOf('evaluations'))
  evaluations.inc({ result: 'ok' }, status.evaluations)
  evaluations.inc({ result: 'failed' }, status.failures)
  return registry.metrics()
}
