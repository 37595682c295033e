import type { Figures } from './figure.js'

const ours = { source: 'our decision (docs/trunks.md)', version: 1 } as const

const ofTrunk = (field: string) => [`/v1/trunks trunks.${field}`, `/v1/trunks/{id} trunk.${field}`]
const ofPeak = (field: string) => [...ofTrunk(`peak_24h.${field}`), `/v1/capacity groups.peak.${field}`]
const ofHours = (field: string) => [
  `/v1/capacity groups.hours.${field}`,
  `/v1/capacity groups.busiest_hours.${field}`,
]
const ofFailovers = (field: string) => [`/v1/trunks failovers.${field}`, `/v1/trunks/{id} failovers.${field}`]

/** Reachability and capacity (docs/trunks.md). */
export const TRUNK_FIGURES: Figures = {
  trunk_state: {
    ...ours,
    name: 'State of a trunk',
    unit: 'word',
    formula:
      'down: thresholds.trunk_down_exchanges in a row without an answer and no sign of life since. unknown: nothing seen for trunk_unknown_minutes, or the tap is blind. degraded: trunk_degraded_ratio of the last trunk_window_minutes unanswered or refused. up: a sign of life. The first that holds.',
    fields: [...ofTrunk('state'), ...ofTrunk('seen_state')],
  },
  trunk_flaps: {
    ...ours,
    name: 'Flaps',
    unit: 'count',
    formula: 'Changes of state of the last hour and the last 24 hours, without those from and to unknown.',
    fields: [...ofTrunk('flaps_1h'), ...ofTrunk('flaps_24h')],
  },
  trunk_options: {
    name: 'OPTIONS exchanges',
    unit: 'count',
    formula:
      'Ours of the last hour with a final response within 32 s (Timer F), with a 5xx, or with none although the agent was heard of later; and those of the far side.',
    source: 'RFC 3261 §11 and §17.1.2.2; our decision (docs/trunks.md)',
    version: 1,
    fields: [
      ...ofTrunk('last_hour.options_answered'),
      ...ofTrunk('last_hour.options_refused'),
      ...ofTrunk('last_hour.options_unanswered'),
      ...ofTrunk('last_hour.options_in'),
    ],
  },
  trunk_calls: {
    name: 'Calls over a trunk',
    unit: 'count',
    formula:
      'Attempts of the last hour by direction; of those out, refused with 503, and without any response within 32 s (Timer B).',
    source: 'RFC 3261 §17.1.1.2 and §21.5.4; our decision (docs/trunks.md)',
    version: 1,
    fields: [
      ...ofTrunk('last_hour.calls_out'),
      ...ofTrunk('last_hour.calls_in'),
      ...ofTrunk('last_hour.calls_503'),
      ...ofTrunk('last_hour.calls_unanswered'),
    ],
  },
  trunk_route_advances: {
    name: 'Route advances from a trunk',
    unit: 'count',
    formula: 'Attempts of the last day over the trunk that are judged ROUTE_ADVANCE.',
    source: 'metrics.md §4, our decision',
    version: 1,
    fields: ['/v1/trunks/{id} route_advances'],
  },
  failover_calls: {
    ...ours,
    name: 'Calls before and after a trunk went down',
    unit: 'count',
    formula:
      'Attempts out in the 10 minutes that end 5 minutes before it was judged down, and in the 10 minutes after: of the trunk, and of others of its carrier that carried more afterwards.',
    fields: [...ofFailovers('calls_before'), ...ofFailovers('calls_after'), ...ofFailovers('to')],
  },
  capacity_attempts: {
    ...ours,
    name: 'Attempts behind peaks',
    unit: 'count',
    formula: 'Attempts that began in the hours of the range.',
    fields: [...ofPeak('attempts'), ...ofHours('attempts')],
  },
  concurrent_calls: {
    ...ours,
    name: 'Concurrent calls',
    unit: 'calls',
    formula:
      'Most attempts up at one whole second, from the INVITE to the end, set-up included; no call for more than four hours.',
    fields: [...ofPeak('concurrent_calls.peak'), ...ofHours('concurrent_calls')],
  },
  talking_peak: {
    ...ours,
    name: 'Concurrent answered calls',
    unit: 'calls',
    formula: 'Most calls up at one whole second, from the answer on.',
    fields: [...ofPeak('talking_peak'), ...ofHours('talking')],
  },
  calls_per_second: {
    ...ours,
    name: 'Calls per second',
    unit: 'calls/s',
    formula: 'Most attempts whose first INVITE fell into one second; a challenged or repeated INVITE is one.',
    fields: [...ofPeak('calls_per_second.peak'), ...ofHours('calls_per_second')],
  },
  per_second_p99: {
    ...ours,
    name: 'Calls per second, p99',
    unit: 'calls/s',
    formula: '99 % of the 3,600 seconds of the busiest hour had as many or fewer.',
    fields: ofPeak('per_second_p99'),
  },
  contracted_limit: {
    ...ours,
    name: 'Contracted limit',
    unit: 'calls',
    formula: 'limits of the carrier in the configuration of now; of calls per second likewise.',
    fields: [...ofPeak('concurrent_calls.limit'), ...ofPeak('calls_per_second.limit')],
  },
  headroom: {
    ...ours,
    name: 'Headroom',
    unit: 'calls',
    formula: 'Limit − peak; negative: the limit was passed. Of calls per second likewise.',
    fields: [...ofPeak('concurrent_calls.headroom'), ...ofPeak('calls_per_second.headroom')],
  },
  used_ratio: {
    ...ours,
    name: 'Used share of the limit',
    unit: 'ratio',
    formula: 'Peak / limit; may be above 1.',
    fields: [...ofPeak('concurrent_calls.used_ratio'), ...ofPeak('calls_per_second.used_ratio')],
  },
  unended: {
    ...ours,
    name: 'Calls without an end',
    unit: 'count',
    formula: 'Calls of which no end was seen; each counts as up for four hours.',
    fields: ofPeak('unended'),
  },
  congestion: {
    name: 'Refused with 503',
    unit: 'count',
    formula: 'Attempts that ended with 503, and those of them in a second at 95 % of the limit or above.',
    source: 'RFC 3261 §21.5.4; our decision (docs/trunks.md)',
    version: 1,
    fields: [...ofPeak('congestion'), ...ofPeak('congestion_near_limit')],
  },
  seconds_near_limit: {
    ...ours,
    name: 'Seconds near the limit',
    unit: 'count',
    formula: 'Seconds at 95 % of the limit of either kind, or above.',
    fields: ofPeak('seconds_near_limit'),
  },
}
