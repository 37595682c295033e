import type { RatioKpi } from './kpi.js'

/**
 * Longest post-dial delay that is still good. metrics.md §8 has 6 s for domestic and 11 s for international calls; nothing
 * in an attempt tells the two apart yet, so every call is held to the domestic limit.
 */
export const PROGRESS_LIMIT_MS = 6_000

export const progress: RatioKpi = {
  kind: 'ratio',
  id: 'progress',
  name: 'Progress in time',
  description: `Effective attempts whose caller heard something within ${PROGRESS_LIMIT_MS / 1_000} s, over those with a post-dial delay. International calls are held to the same limit: attempts do not tell them apart.`,
  unit: 'ratio',
  version: 2,
  source: 'metrics.md §8 (progress SLI, T = 6 s), §3 (PDD), §2 (effective: NER numerator)',
  floor: 1,
  minute: 'start',
  rule: (attempt) => {
    if (attempt.nerNumerator !== 1) return 'outside'
    if (attempt.pddMs === null) return 'excluded'
    return attempt.pddMs <= PROGRESS_LIMIT_MS ? 'numerator' : 'denominator'
  },
  sql: `multiIf(ner_numerator != 1,              'outside',
                isNull(pdd_ms),                  'excluded',
                pdd_ms <= ${PROGRESS_LIMIT_MS},  'numerator', 'denominator')`,
}
