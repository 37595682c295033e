import { SIGNATURE_NUMBERS } from '../signature-numbers.js'
import { type Figure, type Figures, SCORECARD_ROWS } from './figure.js'

const ours = { source: 'metrics.md §6, our decision', version: 1 } as const

const ofGroups = (field: string) => [`/v1/attestation directions.${field}`, `/v1/attestation groups.${field}`]
const ofTokens = (field: string) => [
  `/v1/attestation signed.levels.${field}`,
  `/v1/attestation signed.signers.${field}`,
]

const declared = (id: keyof typeof SIGNATURE_NUMBERS, unit: Figure['unit'], fields: readonly string[]) => {
  const { name, rule: formula, source, version } = SIGNATURE_NUMBERS[id]
  return { name, unit, formula, source, version, fields }
}

/** STIR/SHAKEN: what is claimed, how that ended, what signatures say, what is lost between legs (docs/attestation.md, docs/identity.md). */
export const IDENTITY_FIGURES: Figures = {
  attestation_share: {
    name: 'Attestation by level',
    unit: 'ratio',
    formula:
      'Attempts whose deciding token claims the level / attempts that have ended, with an INVITE; none and malformed are levels too. Beside it the same range a week earlier.',
    source: 'RFC 8588 §4; metrics.md §4 and §6',
    version: 1,
    fields: [...ofGroups('levels'), ...ofGroups('series.counts'), '/v1/kpis groups.attestation'],
  },
  short_call_rate_begun: {
    name: 'Short calls by level',
    unit: 'ratio',
    formula:
      'As short_call_rate, but of the attempts that began in the range, not of the calls that ended in it.',
    source: 'metrics.md §4 and §9, our decision',
    version: 1,
    fields: ['/v1/attestation outcomes.short_call_rate'],
  },
  blocked_rate: {
    name: 'Blocked',
    unit: 'ratio',
    formula:
      'Disposition BLOCKED (608, and a 603 that says the network blocked it) / attempts that have ended.',
    source: 'RFC 8688; metrics.md §2 and §6',
    version: 1,
    fields: ['/v1/attestation outcomes.blocked_rate', SCORECARD_ROWS],
  },
  identity_rate: {
    name: 'Identity errors',
    unit: 'ratio',
    formula: 'Disposition IDENTITY (428, 436, 437, 438, 403 Stale Date) / attempts that have ended.',
    source: 'RFC 8224 §6.2.2; metrics.md §2',
    version: 1,
    fields: ['/v1/attestation outcomes.identity_rate', SCORECARD_ROWS],
  },
  refusals_by_level: {
    name: '603, 607 and 608 by level',
    unit: 'count',
    formula: 'Attempts that ended with a final 603, 607 or 608; a 603 may be the callee’s own.',
    source: 'RFC 3261 §21.6.2, RFC 8197, RFC 8688',
    version: 1,
    fields: ['/v1/attestation outcomes.responses'],
  },
  tokens: {
    ...ours,
    name: 'Tokens',
    unit: 'count',
    formula:
      'PASSporTs in Identity headers that were looked at; an INVITE may hold several, nested ones are not counted. In /v1/attestation shaken ones only.',
    fields: [
      ...ofTokens('tokens'),
      '/v1/attestation signed.signers.series.tokens',
      '/v1/attestation certificates.certificates.tokens',
      '/v1/identity/signers signers.tokens',
      '/v1/identity/certificates certificates.tokens',
    ],
  },
  tokens_claimed: {
    name: 'Claimed levels of tokens',
    unit: 'count',
    formula: 'Tokens that claim A, B or C.',
    source: 'RFC 8588 §4',
    version: 1,
    fields: ['/v1/identity/signers signers.claimed'],
  },
  tokens_signed: {
    name: 'What signatures say',
    unit: 'count',
    formula:
      'Tokens whose ES256 signature over the received bytes is valid, invalid, or was not checked, with the reasons of the latter two.',
    source: 'RFC 8224 §6.2; metrics.md §6, our decision',
    version: 1,
    fields: [
      ...ofTokens('signed'),
      '/v1/attestation signed.signers.series.signed',
      '/v1/identity/signers signers.signed',
      '/v1/identity/signers signers.reasons',
    ],
  },
  tokens_verified: {
    name: 'What verification says',
    unit: 'count',
    formula:
      'Tokens that pass all steps together (originator, destination, certificate to a root, 60 s of freshness, signature, chain of div), fail one, or were not checked; and what else was found.',
    source: 'RFC 8224 §6.2, RFC 8946; metrics.md §6',
    version: 1,
    fields: [
      ...ofTokens('verified'),
      '/v1/identity/signers signers.verified',
      '/v1/identity/signers signers.findings',
    ],
  },
  tokens_truncated: {
    ...ours,
    name: 'Tokens that were cut',
    unit: 'count',
    formula: 'Of tokens that were not checked: cut on their way to us, by an MTU or an agent. Never invalid.',
    fields: ofTokens('truncated'),
  },
  identity_tokens: declared('identity_tokens', 'count', [SCORECARD_ROWS]),
  signature_valid_rate: declared('signature_valid_rate', 'ratio', [SCORECARD_ROWS]),
  verification_failed_rate: declared('verification_failed_rate', 'ratio', [SCORECARD_ROWS]),
  signer_outside_rate: declared('signer_outside_rate', 'ratio', [SCORECARD_ROWS]),
  certificate_days_left: {
    name: 'Days a certificate is still good',
    unit: 'days',
    formula:
      'Whole days from now to notAfter, of certificates that signed tokens of the range; negative: it has ended.',
    source: 'RFC 5280 §4.1.2.5; our decision',
    version: 1,
    fields: [
      '/v1/attestation certificates.certificates.days_left',
      '/v1/identity/certificates certificates.days_left',
    ],
  },
  legs_between: {
    ...ours,
    name: 'Legs with a known origin',
    unit: 'count',
    formula:
      'Outbound legs of calls whose inbound leg is known with a confidence of 0.8 or more; those of them that arrived with A, B or C, and those that arrived without a token and left with one.',
    fields: [
      '/v1/attestation between_legs.legs',
      '/v1/attestation between_legs.arrived_signed',
      '/v1/attestation between_legs.signed_here',
    ],
  },
  leg_fates: {
    ...ours,
    name: 'What became of the signature',
    unit: 'count',
    formula:
      'Of legs that arrived signed: kept, re_signed, weaker, cut (on its way to us), damaged or lost. The first that holds.',
    fields: ['/v1/attestation between_legs.fates'],
  },
  lost_rate: declared('lost_rate', 'ratio', ['/v1/attestation between_legs.lost_rate']),
}
