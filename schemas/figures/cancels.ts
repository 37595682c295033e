import { CANCEL_CLASSES } from '../attempt.js'
import { CANCEL_CLASS_RULES, cancelClassFormula } from '../cancel-classes.js'
import { type Figure, type Figures, SCORECARD_ROWS } from './figure.js'

const ours = { source: 'metrics.md §4, our decision', version: 1 } as const

/** The share of each cause, where it is one: a call that was answered was not given up. */
const CAUSES: Figures = Object.fromEntries(
  CANCEL_CLASSES.map((cancelClass): [string, Figure] => {
    const { id, name, source, version } = CANCEL_CLASS_RULES[cancelClass]
    const isShare = cancelClass !== 'CANCEL_RACE_200'
    return [
      id,
      {
        name,
        unit: isShare ? 'ratio' : 'count',
        formula: cancelClassFormula(cancelClass),
        source,
        version,
        fields: [
          '/v1/kpis groups.cancels',
          ...(isShare ? ['/v1/cancels groups.classes', SCORECARD_ROWS] : []),
        ],
      },
    ]
  }),
)

/** 487 and CANCEL by cause (docs/cancels.md), and what other legs of a call say (docs/evidence.md). */
export const CANCEL_FIGURES: Figures = {
  given_up: {
    ...ours,
    name: 'Given up',
    unit: 'count',
    formula:
      'Attempts that have ended with one of the causes below, but for a CANCEL that crossed the answer.',
    fields: ['/v1/cancels groups.given_up'],
  },
  ...CAUSES,
  cancel_bad: {
    ...ours,
    name: 'Given up, bad for the carrier',
    unit: 'count',
    formula: 'Of a cause: attempts whose SLI is bad, by the column "fault" of metrics.md §4.',
    fields: ['/v1/cancels groups.classes.bad'],
  },
  pre_ring_487_share: {
    ...ours,
    name: '487s before anything rang',
    unit: 'ratio',
    formula: 'Final 487s without any 18x / final 487s; those answered elsewhere are in neither.',
    fields: ['/v1/cancels groups.pre_ring_487_share'],
  },
  time_to_cancel: {
    ...ours,
    name: 'Time to CANCEL',
    unit: 's',
    formula:
      'CANCEL after the first INVITE on the clock of one agent, of attempts given up. Nearest rank: p50 from 20 measurements, p95 from 100.',
    fields: ['/v1/cancels groups.time_to_cancel'],
  },
  ring_before_cancel: {
    ...ours,
    name: 'Ringing before CANCEL',
    unit: 's',
    formula:
      'CANCEL after the first 180, or after the first other 18x where there was none, of attempts given up. Nearest rank: p50 from 20, p95 from 100.',
    fields: ['/v1/cancels groups.ring_before_cancel'],
  },
  short_ring_rate: {
    ...ours,
    name: 'Short rings',
    unit: 'ratio',
    formula: 'Given up after ringing for less than thresholds.short_ring_ms / given up after ringing.',
    fields: ['/v1/cancels groups.ring_before_cancel.short'],
  },
  tried_again_rate: {
    ...ours,
    name: 'Tried again',
    unit: 'ratio',
    formula:
      'Given up, and the same caller and callee got an INVITE in the same direction within thresholds.retry_s after it, on any carrier that may be seen / given up with both numbers known.',
    fields: ['/v1/cancels groups.tried_again'],
  },
  call_link_confidence: {
    name: 'Confidence of a leg',
    unit: 'ratio',
    formula:
      'How surely a leg belongs to a call: 1 by Session-ID or the configured header, 0.95 by Call-ID, 0.9 by numbers and time, 0.5 where several fit.',
    source: 'RFC 7989; our decision',
    version: 1,
    fields: ['/v1/attempts/{id} call.legs.confidence'],
  },
  rescued_later: {
    name: 'Rescued by another carrier',
    unit: 'ms',
    formula:
      'From the end of an outbound leg that failed to the INVITE, and to the answer, of the later leg of the call that was answered.',
    source: 'metrics.md §0, our decision',
    version: 1,
    fields: [
      '/v1/attempts/{id} call.rescues.invited_later_ms',
      '/v1/attempts/{id} call.rescues.answered_later_ms',
    ],
  },
  verdict_later: {
    ...ours,
    name: 'Distance of a verdict',
    unit: 'ms',
    formula:
      'From the give-up of the attempt, or its INVITE, to the event of another leg that its verdict rests on.',
    fields: ['/v1/attempts/{id} call.verdict.later_ms'],
  },
}
