// tidy: tested by test/api/alerts/rules/attestation.test.ts
/**
 * What the rules on attestation and signatures say at a moment: reads what each needs, and nothing for those that are off.
 *
 * Returns  conditions, the calls that are to be sampled by key, and by rule and `kind` why nothing can be said now.
 */
import type { EvaluationDeps } from './evaluate.js'
import type { SampleAsk } from './numbers.js'
import {
  ATTESTATION_LOST,
  ATTESTATION_TIMING,
  fallenShares,
  legsWindow,
  levelWindows,
  lostBetweenLegs,
} from './rules/attestation.js'
import type { Held } from './rules/held.js'
import {
  CERTIFICATE_EXPIRING,
  endingCertificates,
  foreignSigners,
  SIGNATURE_TIMINGS,
  SIGNER_NOT_IN_CONTRACT,
} from './rules/signatures.js'
import { type AlertRow, alertKey, type Condition, type Timing } from './state.js'

export interface AttestationFound {
  conditions: Condition[]
  asks: Map<string, SampleAsk>
  undecidedOf: (alert: Pick<AlertRow, 'rule' | 'labels'>) => string
}

const TOO_MANY_LEGS = 'attempts cannot be compared between legs now: too many, or no right to read them'
const TOO_MANY_TOKENS = 'tokens cannot be read now: too many, or no right to read them'

export async function judgeAttestation(
  { config, numbers }: EvaluationDeps,
  untilS: number,
  held: Held,
): Promise<AttestationFound> {
  const { alerts } = config
  const around = { config, untilS, held }
  const conditions: Condition[] = []
  const asks = new Map<string, SampleAsk>()
  const undecided = new Map<string, string>()
  if (alerts.attestation_lost.enabled) {
    const cells = []
    for (const window of levelWindows(untilS)) cells.push(await numbers.levels(window))
    for (const { condition, ask } of fallenShares(cells, around)) {
      const key = alertKey(condition.rule, condition.labels)
      if (ask !== undefined) asks.set(key, { ...ask, key })
      conditions.push(condition)
    }
    const pairs = await numbers.betweenLegs(legsWindow(untilS))
    if (pairs === undefined) undecided.set(`${ATTESTATION_LOST} between_legs`, TOO_MANY_LEGS)
    else conditions.push(...lostBetweenLegs(pairs, around))
  }
  if (alerts.certificate_expiring.enabled || alerts.signer_not_in_contract) {
    const signatures = await numbers.signatures(untilS)
    if (signatures === undefined) {
      for (const rule of [CERTIFICATE_EXPIRING, SIGNER_NOT_IN_CONTRACT])
        undecided.set(`${rule} `, TOO_MANY_TOKENS)
    }
    if (alerts.certificate_expiring.enabled)
      conditions.push(...endingCertificates(signatures?.certificates ?? [], around))
    if (alerts.signer_not_in_contract) conditions.push(...foreignSigners(signatures?.signers ?? [], around))
  }
  return {
    conditions,
    asks,
    undecidedOf: ({ rule, labels }) => undecided.get(`${rule} ${labels.kind ?? ''}`) ?? '',
  }
}

export function attestationTimings({ alerts }: Pick<EvaluationDeps['config'], 'alerts'>): [string, Timing][] {
  return [
    ...(alerts.attestation_lost.enabled ? [[ATTESTATION_LOST, ATTESTATION_TIMING] as [string, Timing]] : []),
    ...(
      [
        [CERTIFICATE_EXPIRING, alerts.certificate_expiring.enabled],
        [SIGNER_NOT_IN_CONTRACT, alerts.signer_not_in_contract],
      ] as const
    )
      .filter(([, isOn]) => isOn)
      .map(([rule]): [string, Timing] => [rule, SIGNATURE_TIMINGS[rule]!]),
  ]
}
