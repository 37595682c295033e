// tidy: tested by test/api/routes/attestation.test.ts
/** A share of attempts or tokens as /v1/attestation gives it: with its Wilson interval at 95 %, and why there is none. */
import { attestationARate } from '../../schemas/kpi/attestation.js'
import { LOW_CONFIDENCE_BELOW } from '../../schemas/kpi-catalog.js'
import type { RatioValue } from '../kpi/answer.js'
import { rounded, wilsonInterval } from '../kpi/interval.js'

export function ratioOf(
  numerator: number,
  denominator: number,
  excluded = 0,
  version = attestationARate.version,
): RatioValue {
  const interval = wilsonInterval(numerator, denominator)
  return {
    value: denominator === 0 ? null : numerator / denominator,
    unit: 'ratio',
    numerator,
    denominator,
    excluded,
    interval: interval === null ? null : interval.map(rounded),
    ...(denominator > 0 && denominator < LOW_CONFIDENCE_BELOW ? { low_confidence: true as const } : {}),
    ...(denominator > 0 ? {} : { reason: excluded > 0 ? ('no_attempts' as const) : ('no_traffic' as const) }),
    version,
  }
}
