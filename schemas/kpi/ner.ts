import type { RatioKpi } from './kpi.js'

export const ner: RatioKpi = {
  kind: 'ratio',
  id: 'ner',
  name: 'Network effectiveness ratio',
  description:
    'Attempts the network carried to the called party (answered, busy, no answer, rejected) over attempts.',
  unit: 'ratio',
  version: 2,
  source: 'metrics.md §2, disposition table, after ITU-T E.425 §1.5',
  floor: 1,
  thresholds: { warn: 0.95, bad: 0.9 },
  minute: 'start',
  rule: (attempt) => {
    if (attempt.nerDenominator === 0) return 'excluded'
    return attempt.nerNumerator === 1 ? 'numerator' : 'denominator'
  },
  sql: `multiIf(ner_denominator = 0, 'excluded',
                ner_numerator = 1,   'numerator', 'denominator')`,
}
