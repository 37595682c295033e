import type { RatioKpi } from './kpi.js'

export const abandonRate: RatioKpi = {
  kind: 'ratio',
  id: 'abandon_rate',
  name: 'Abandon rate',
  description:
    'Attempts the caller gave up while it rang, over attempts that rang. A ring timer running out is no abandon.',
  unit: 'ratio',
  version: 2,
  source: 'metrics.md §4',
  floor: 1,
  minute: 'start',
  rule: (attempt) => {
    if (!attempt.rang) return 'outside'
    if (attempt.cancelClass === 'ELSEWHERE') return 'excluded'
    return attempt.cancelClass === 'CALLER_ABANDON_RING' ? 'numerator' : 'denominator'
  },
  sql: `multiIf(NOT rang,                               'outside',
                cancel_class = 'ELSEWHERE',             'excluded',
                cancel_class = 'CALLER_ABANDON_RING',   'numerator', 'denominator')`,
}
