import type { MeanKpi } from './kpi.js'

export const acd: MeanKpi = {
  kind: 'mean',
  id: 'acd',
  name: 'Average call duration',
  description:
    'Mean time from answer to the end of the call, over answered calls, by the minute the call ends.',
  unit: 's',
  version: 1,
  source: 'ITU-T E.425; metrics.md §2 (SDT, RFC 6076 §4.5)',
  floor: 1,
  minute: 'end',
  rule: (attempt) => (attempt.disposition === 'ANSWERED' ? attempt.durationMs : null),
  sql: `if(disposition = 'ANSWERED', duration_ms, NULL)`,
}
