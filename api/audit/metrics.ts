/** What `/metrics` says about the audit trail. */
import { Counter, Gauge, Registry } from 'prom-client'
import { AUDIT_METRICS } from '../../schemas/own-metrics.js'
import type { AuditTrail } from './trail.js'

export async function auditMetrics(trail: AuditTrail | undefined): Promise<string> {
  if (trail === undefined) return ''
  const registry = new Registry()
  const optionsOf = (name: keyof typeof AUDIT_METRICS) => {
    const { name: metricName, help } = AUDIT_METRICS[name]
    return { name: metricName, help, registers: [registry] }
  }
  const { written, lost, refusedExports, waiting } = trail.counts
  new Counter(optionsOf('rows')).inc(written)
  new Counter(optionsOf('lost')).inc(lost)
  new Counter(optionsOf('refused')).inc(refusedExports)
  new Gauge(optionsOf('waiting')).set(waiting)
  return registry.metrics()
}
