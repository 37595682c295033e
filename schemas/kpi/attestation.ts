import type { Attestation } from '../passport.js'
import type { RatioKpi } from './kpi.js'

/**
 * One share a level: what the deciding token of the last try says, over all attempts with an INVITE. Attempts without a
 * usable token (`none`, `malformed`) stay below the line. Decoded, not verified.
 */
function attestationRate(id: string, level: Attestation, name: string, description: string): RatioKpi {
  return {
    kind: 'ratio',
    id,
    name,
    description,
    unit: 'ratio',
    version: 1,
    source: 'RFC 8588 §4; metrics.md §4 and §6',
    floor: 1,
    minute: 'start',
    rule: (attempt) => {
      if (!attempt.invited) return 'outside'
      return attempt.attestation === level ? 'numerator' : 'denominator'
    },
    sql: `multiIf(NOT invited,               'outside',
                  attestation = '${level}',  'numerator', 'denominator')`,
  }
}

export const attestationARate = attestationRate(
  'attestation_a_rate',
  'A',
  'Attestation A share',
  'Attempts whose PASSporT claims full attestation, over attempts.',
)
export const attestationBRate = attestationRate(
  'attestation_b_rate',
  'B',
  'Attestation B share',
  'Attempts whose PASSporT claims partial attestation, over attempts.',
)
export const attestationCRate = attestationRate(
  'attestation_c_rate',
  'C',
  'Attestation C share',
  'Attempts whose PASSporT claims gateway attestation, over attempts.',
)
export const attestationNoneRate = attestationRate(
  'attestation_none_rate',
  'none',
  'Unsigned share',
  'Attempts that carried no usable shaken PASSporT at all, over attempts.',
)
