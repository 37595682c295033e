import type { RatioKpi } from './kpi.js'

export const rate487: RatioKpi = {
  kind: 'ratio',
  id: 'rate_487',
  name: '487 rate',
  description:
    'Attempts that ended with 487 Request Terminated over attempts; those completed elsewhere are excluded.',
  unit: 'ratio',
  version: 2,
  source: 'RFC 3261 §21.4.25; denominator: metrics.md §4',
  floor: 1,
  minute: 'start',
  rule: (attempt) => {
    if (attempt.cancelClass === 'ELSEWHERE') return 'excluded'
    return attempt.finalCode === 487 ? 'numerator' : 'denominator'
  },
  sql: `multiIf(cancel_class = 'ELSEWHERE', 'excluded',
                final_code = 487,           'numerator', 'denominator')`,
}
