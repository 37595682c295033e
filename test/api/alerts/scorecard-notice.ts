/** What is told of a scorecard, as a schedule tells it. */
import { identityOf } from '../../../api/scorecards/documents.js'
import { summaryOf } from '../../../api/scorecards/headline.js'
import type { ScorecardHeadline, ScorecardNotice } from '../../../schemas/alert-hook.js'

export const SUBJECT = { schedule: 'weekly', firedAtMs: Date.parse('2026-11-23T06:00:00Z'), carrier: 'alpha' }

export const HEADLINE: ScorecardHeadline = {
  week: { id: '2026-W47', from: '2026-11-16T00:00:00Z', to: '2026-11-23T00:00:00Z', is_complete: true },
  as_of: '2026-11-23T06:00:00Z',
  carrier: {
    id: 'alpha',
    name: 'Alpha Telecom',
    has_traffic: true,
    grade: 'B',
    confidence: 'low',
    previous_grade: 'A',
    why: 'the lower bound of the NER is 97.3 %',
  },
  rows: [
    {
      id: 'ner',
      name: 'NER',
      unit: 'ratio',
      value: 0.981,
      interval: [0.973, 0.989],
      low_confidence: false,
      previous: 0.995,
      change: 'worse',
    },
  ],
  carriers: [],
  omitted: [],
}

export function scorecardNoticeOf(changes: Partial<ScorecardNotice> = {}): ScorecardNotice {
  return {
    kind: 'scorecard',
    key: identityOf(SUBJECT),
    transition: 1,
    status: 'made',
    rule: 'weekly',
    sinks: ['hook'],
    labels: { schedule: 'weekly', week: '2026-W47', carrier: 'alpha' },
    annotations: { summary: summaryOf(HEADLINE), link: 'https://trunkscope.example/v1/documents/1' },
    headline: HEADLINE,
    documents: [
      { id: '1', format: 'html', file_name: 'scorecard-2026-W47-alpha.html', sha256: 'ab', size_bytes: 2 },
    ],
    firedAtUs: SUBJECT.firedAtMs * 1_000,
    madeAtUs: SUBJECT.firedAtMs * 1_000 + 5e6,
    ...changes,
  }
}
