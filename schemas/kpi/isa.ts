import type { RatioKpi } from './kpi.js'

export const isa: RatioKpi = {
  kind: 'ratio',
  id: 'isa',
  name: 'Ineffective session attempts',
  description: 'Attempts that ended with 408, 500, 503 or 504 over all attempts.',
  unit: 'ratio',
  version: 1,
  source: 'RFC 6076 §4.8',
  floor: 1,
  thresholds: { warn: 0.01, bad: 0.05 },
  minute: 'start',
  rule: (attempt) => ([408, 500, 503, 504].includes(attempt.finalCode) ? 'numerator' : 'denominator'),
  sql: `multiIf(final_code IN (408, 500, 503, 504), 'numerator', 'denominator')`,
}
