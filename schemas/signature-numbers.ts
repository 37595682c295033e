// tidy: tested by test/schemas/kpi-reference.test.ts
/**
 * Numbers about signatures that no rollup holds: counted from the checks of tokens and from the legs of calls, so they are no
 * KPIs of the catalog. Each with its rule and its source; the reference in docs/kpi.md and the scorecard take them from here.
 */

export interface SignatureNumber {
  name: string
  rule: string
  source: string
  version: number
}

const CHECKED = 'metrics.md §6, RFC 8224 §6.2; our decision'
const BETWEEN = 'metrics.md §6; our decision'

export const SIGNATURE_NUMBERS = {
  identity_tokens: {
    name: 'PASSporTs looked at',
    rule: 'Tokens in Identity headers of inbound calls that were looked at.',
    source: CHECKED,
    version: 1,
  },
  signature_valid_rate: {
    name: 'Valid signatures',
    rule: 'Tokens whose signature holds / tokens of inbound calls that were looked at, those without a certificate at hand among them.',
    source: CHECKED,
    version: 1,
  },
  verification_failed_rate: {
    name: 'Failed verification',
    rule: 'Tokens that fail a step of RFC 8224 §6.2 / tokens with a verdict; inbound calls.',
    source: CHECKED,
    version: 1,
  },
  signer_outside_rate: {
    name: 'Signed outside the contract',
    rule: 'Tokens with a valid signature whose SPC is not among spcs of the carrier / tokens with a valid signature and an SPC; inbound calls.',
    source: 'metrics.md §6, RFC 8226 §9; our decision',
    version: 1,
  },
  lost_rate: {
    name: 'Lost between the legs',
    rule: 'Outbound legs without a token, in an INVITE that is whole / outbound legs of calls whose inbound leg claims A, B or C, without those whose INVITE or token was cut.',
    source: BETWEEN,
    version: 1,
  },
} as const satisfies Record<string, SignatureNumber>
