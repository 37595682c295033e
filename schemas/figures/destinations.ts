import type { Figures } from './figure.js'

const ours = { source: 'metrics.md §10, our decision (docs/numbers.md)', version: 1 } as const
const compared = { source: 'metrics.md §9, our decision (docs/peers.md)', version: 1 } as const

/** Judged as a whole, and carrier by carrier. */
const ofJudgement = (field: string) => [
  `/v1/peers judgement.${field}`,
  `/v1/peers carriers.judgement.${field}`,
]

/** Numbers, destinations, and carriers side by side (docs/numbers.md, docs/peers.md). */
export const DESTINATION_FIGURES: Figures = {
  destinations_left_over: {
    ...ours,
    name: 'In no destination',
    unit: 'count',
    formula: 'Attempts of prefixes beyond the 20,000 that one statement answers.',
    fields: ['/v1/destinations left_over'],
  },
  inventory_rows: {
    ...ours,
    name: 'Rows and numbers of the inventory',
    unit: 'count',
    formula:
      'Rows without the header row, those left out because they are wrong, by what is wrong, and the numbers and ranges of the rest.',
    fields: ['rows', 'wrong_rows', 'error_counts', 'numbers', 'ranges'].map(
      (field) => `/v1/numbers ${field}`,
    ),
  },
  inbound_numbers: {
    ...ours,
    name: 'Inbound attempts by owner',
    unit: 'count',
    formula:
      'Inbound attempts of carriers, and called numbers by carrier: to numbers that the carrier owns by the inventory, and to numbers that are not in it.',
    fields: [
      '/v1/numbers/misrouted inbound',
      '/v1/numbers/misrouted owned',
      '/v1/numbers/misrouted not_in_inventory',
    ],
  },
  misrouted: {
    ...ours,
    name: 'On the wrong carrier',
    unit: 'count',
    formula:
      'Inbound attempts, and called numbers, that arrived on another carrier than the one that owns the number by the inventory; those answered among them.',
    fields: [
      '/v1/numbers/misrouted misrouted',
      '/v1/numbers/misrouted misrouted_numbers',
      '/v1/numbers/misrouted numbers.attempts',
      '/v1/numbers/misrouted numbers.answered',
    ],
  },
  peers_verdict: {
    ...compared,
    name: 'Is it the carrier or the destination?',
    unit: 'word',
    formula:
      'not_enough: fewer than 30 comparable attempts of the carrier or of the others. destination: every carrier with enough attempts lies significantly below its own other prefixes. carrier: this one lies significantly below the others on the same prefixes. both_fine: neither is shown. The first that holds.',
    fields: [
      ...ofJudgement('verdict'),
      ...ofJudgement('is_worse'),
      '/v1/peers judgement.below_own.is_below',
      '/v1/peers prefixes.verdict',
    ],
  },
  peers_own: {
    ...compared,
    name: 'NER on shared prefixes',
    unit: 'ratio',
    formula:
      'NER of the carrier over prefixes on which the others together have ten attempts or more in theirs.',
    fields: [...ofJudgement('own'), '/v1/peers prefixes.ner', '/v1/peers carriers.ner'],
  },
  peers_others: {
    ...compared,
    name: 'NER of the others, mix-adjusted',
    unit: 'ratio',
    formula:
      'Σ w·p over the shared prefixes: p the NER of the other carriers there, w the share of the prefix in this carrier’s attempts; the interval is Wilson’s for 1 / Σ(w²/n) attempts.',
    fields: [...ofJudgement('others'), '/v1/peers prefixes.others'],
  },
  peers_elsewhere: {
    ...compared,
    name: 'NER here and on other prefixes',
    unit: 'ratio',
    formula: 'NER of a carrier on what was asked about, and on all its other prefixes of the range.',
    fields: [
      '/v1/peers carriers.elsewhere',
      '/v1/peers judgement.below_own.here',
      '/v1/peers judgement.below_own.elsewhere',
    ],
  },
  peers_answered: {
    ...compared,
    name: 'Answered',
    unit: 'ratio',
    formula: 'Answered attempts / attempts that have ended, redirected ones among them.',
    fields: ['/v1/peers carriers.answered'],
  },
  peers_prefixes: {
    ...compared,
    name: 'Prefixes and carriers compared',
    unit: 'count',
    formula:
      'Prefixes with attempts of the carrier, those that it shares with others, and carriers with attempts on a prefix.',
    fields: ['/v1/peers carriers.prefixes', ...ofJudgement('shared_prefixes'), '/v1/peers prefixes.carriers'],
  },
}
