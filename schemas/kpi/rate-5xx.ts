import type { RatioKpi } from './kpi.js'

export const rate5xx: RatioKpi = {
  kind: 'ratio',
  id: 'rate_5xx',
  name: '5xx rate',
  description: 'Attempts that ended with a server failure (500 to 599) over attempts.',
  unit: 'ratio',
  version: 1,
  source: 'RFC 3261 §21.5; metrics.md §4',
  floor: 1,
  thresholds: { warn: 0.01, bad: 0.05 },
  minute: 'start',
  rule: (attempt) => (attempt.finalCode >= 500 && attempt.finalCode <= 599 ? 'numerator' : 'denominator'),
  sql: `multiIf(final_code >= 500 AND final_code <= 599, 'numerator', 'denominator')`,
}
