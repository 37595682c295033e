import type { RatioKpi } from './kpi.js'

export const availability: RatioKpi = {
  kind: 'ratio',
  id: 'availability',
  name: 'Availability',
  description:
    'Attempts that the carrier served (good) over those it served or failed (good and bad). What says nothing about the carrier is left out.',
  unit: 'ratio',
  version: 2,
  source: 'metrics.md §8; the SLI column of §2 and §4',
  floor: 1,
  thresholds: { warn: 0.995, bad: 0.98 },
  minute: 'start',
  rule: (attempt) => {
    if (attempt.sli === 'good') return 'numerator'
    return attempt.sli === 'bad' ? 'denominator' : 'excluded'
  },
  sql: `multiIf(sli = 'good', 'numerator',
                sli = 'bad',  'denominator', 'excluded')`,
}
