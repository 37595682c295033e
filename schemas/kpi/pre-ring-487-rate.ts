import type { RatioKpi } from './kpi.js'

export const preRing487Rate: RatioKpi = {
  kind: 'ratio',
  id: 'pre_ring_487_rate',
  name: 'Pre-ring 487 rate',
  description:
    'Attempts given up before anything rang (final 487, or CANCEL without a final) over attempts: the carrier signal.',
  unit: 'ratio',
  version: 2,
  source: 'metrics.md §4',
  floor: 1,
  thresholds: { warn: 0.05, bad: 0.1 },
  minute: 'start',
  rule: (attempt) => {
    if (attempt.cancelClass === 'ELSEWHERE') return 'excluded'
    if (attempt.rang) return 'denominator'
    if (attempt.finalCode === 487) return 'numerator'
    return attempt.finalCode === 0 && attempt.cancelClass !== '' ? 'numerator' : 'denominator'
  },
  sql: `multiIf(cancel_class = 'ELSEWHERE',              'excluded',
                rang,                                    'denominator',
                final_code = 487,                        'numerator',
                final_code = 0 AND cancel_class != '',   'numerator', 'denominator')`,
}
