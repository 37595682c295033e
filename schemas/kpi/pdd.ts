import type { QuantileKpi } from './kpi.js'

/**
 * Post-dial delay: first 101..189 (not 199) or 2xx, whichever is first, after the first INVITE. Attempts that fail
 * before any of them have no PDD and are in none of these (RFC 6076 §4.3.2).
 */
function pddQuantile(
  id: string,
  p: number,
  floor: number,
  name: string,
  thresholds?: QuantileKpi['thresholds'],
): QuantileKpi {
  return {
    kind: 'quantile',
    id,
    name,
    description: `Post-dial delay that ${p * 100} % of the measured attempts do not exceed (nearest rank).`,
    unit: 's',
    version: 1,
    source: 'metrics.md §3, after RFC 6076 §4.3.1',
    floor,
    ...(thresholds && { thresholds }),
    minute: 'start',
    p,
    histogram: 'pdd',
    rule: (attempt) => attempt.pddMs,
    sql: 'pdd_ms',
  }
}

export const pddP50 = pddQuantile('pdd_p50', 0.5, 20, 'PDD median', { warn: 3, bad: 5 })
export const pddP95 = pddQuantile('pdd_p95', 0.95, 100, 'PDD p95', { warn: 6, bad: 11 })
export const pddP99 = pddQuantile('pdd_p99', 0.99, 500, 'PDD p99')
