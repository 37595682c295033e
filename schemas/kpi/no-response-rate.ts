import type { RatioKpi } from './kpi.js'

export const noResponseRate: RatioKpi = {
  kind: 'ratio',
  id: 'no_response_rate',
  name: 'No-response rate',
  description:
    'Attempts that got no response at all within 32 s of the last copy of the INVITE, over attempts.',
  unit: 'ratio',
  version: 1,
  source: 'RFC 3261 §17.1.1.2 (Timer B); metrics.md §0 and §4',
  floor: 1,
  thresholds: { warn: 0.005, bad: 0.02 },
  minute: 'start',
  rule: (attempt) => (attempt.disposition === 'TIMEOUT' ? 'numerator' : 'denominator'),
  sql: `multiIf(disposition = 'TIMEOUT', 'numerator', 'denominator')`,
}
