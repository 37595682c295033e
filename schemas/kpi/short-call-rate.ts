import type { RatioKpi } from './kpi.js'

export const shortCallRate: RatioKpi = {
  kind: 'ratio',
  id: 'short_call_rate',
  name: 'Short call rate',
  description:
    'Answered calls of at most 6 s over answered calls, by the minute the call ends. A CANCEL that lost to the 200 is excluded.',
  unit: 'ratio',
  version: 1,
  source: 'metrics.md §4 and §9',
  floor: 1,
  minute: 'end',
  rule: (attempt) => {
    if (attempt.disposition !== 'ANSWERED' || attempt.durationMs === null) return 'outside'
    if (attempt.cancelClass === 'CANCEL_RACE_200') return 'excluded'
    return attempt.durationMs <= 6_000 ? 'numerator' : 'denominator'
  },
  sql: `multiIf(disposition != 'ANSWERED' OR isNull(duration_ms), 'outside',
                cancel_class = 'CANCEL_RACE_200',                 'excluded',
                duration_ms <= 6000,                              'numerator', 'denominator')`,
}
