/** What `/metrics` says about the evaluation of alerts and their delivery, as Prometheus text. */
import { Counter, Gauge, Registry } from 'prom-client'
import { ALERT_METRICS } from '../../schemas/own-metrics.js'
import type { AlertingStatus } from './alerting.js'
import type { SinkStatus } from './outbox-queue.js'

const SINK_STATES = ['ok', 'failing', 'left_alone', 'off'] as const

export function alertMetrics(status: AlertingStatus, sinks: readonly SinkStatus[]): Promise<string> {
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
  const waiting = new Gauge(optionsOf('deliveriesWaiting'))
  const dead = new Counter(optionsOf('deliveriesDead'))
  const state = new Gauge(optionsOf('sinkState'))
  for (const sink of sinks) {
    waiting.set({ sink: sink.id }, sink.waiting)
    dead.inc({ sink: sink.id }, sink.dead)
    const now = sink.isLeftAlone && sink.state !== 'off' ? 'left_alone' : sink.state
    for (const one of SINK_STATES) state.set({ sink: sink.id, state: one }, Number(one === now))
  }
  return registry.metrics()
}
