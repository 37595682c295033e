import type { RatioKpi } from './kpi.js'

export const asr: RatioKpi = {
  kind: 'ratio',
  id: 'asr',
  alias: 'ser',
  name: 'Answer-seizure ratio',
  description:
    'Answered attempts over attempts that were not redirected. Attempts completed elsewhere stay below the line.',
  unit: 'ratio',
  version: 1,
  source: 'metrics.md §2, equal to SER of RFC 6076 §4.6',
  floor: 1,
  minute: 'start',
  rule: (attempt) => {
    if (attempt.disposition === 'REDIRECT') return 'excluded'
    return attempt.disposition === 'ANSWERED' ? 'numerator' : 'denominator'
  },
  sql: `multiIf(disposition = 'REDIRECT', 'excluded',
                disposition = 'ANSWERED', 'numerator', 'denominator')`,
}
