import type { RatioKpi } from './kpi.js'

export const seer: RatioKpi = {
  kind: 'ratio',
  id: 'seer',
  name: 'Session establishment effectiveness ratio',
  description: 'Attempts that ended with 2xx, 480, 486, 600 or 603 over attempts that were not redirected.',
  unit: 'ratio',
  version: 1,
  source: 'RFC 6076 §4.7',
  floor: 1,
  minute: 'start',
  rule: (attempt) => {
    if (attempt.disposition === 'REDIRECT') return 'excluded'
    if (attempt.disposition === 'ANSWERED') return 'numerator'
    return [480, 486, 600, 603].includes(attempt.finalCode) ? 'numerator' : 'denominator'
  },
  sql: `multiIf(disposition = 'REDIRECT',              'excluded',
                disposition = 'ANSWERED',              'numerator',
                final_code IN (480, 486, 600, 603),    'numerator', 'denominator')`,
}
