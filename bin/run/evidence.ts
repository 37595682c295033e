// tidy: tested by test/faults/evidence.test.ts
/**
 * The evidence passes of a process that stores, started; with the check of PASSporTs where `identity` is configured. What is
 * configured of that is read once, at the start: the folder of certificates is looked at again by itself.
 *
 * Throws   TRUNKSCOPE_EVIDENCE_CERTIFICATES when roots or folder cannot be read.
 */
import { attributeLeg, compileNetwork } from '../../collector/enrich/carrier.js'
import { IdentityChecker } from '../../evidence/identity/identity-checker.js'
import { identityPass } from '../../evidence/identity/identity-pass.js'
import { EvidenceJob, type EvidenceOptions, type EvidenceStatus } from '../../evidence/job.js'
import { PASSES } from '../../evidence/passes.js'
import { trunkHoursPass } from '../../evidence/trunk-hours.js'
import { trunksPass } from '../../evidence/trunks-pass.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { checksIdentities } from '../../schemas/identity-config.js'
import type { Ends, LegAttributes } from '../../schemas/leg-attributes.js'

export interface Evidence {
  readonly status: EvidenceStatus
  stop(): Promise<void>
}

/** OPTIONS are a trunk's as calls are a leg's. */
function attribution(config: TrunkscopeConfig): (ends: Ends) => LegAttributes {
  const network = compileNetwork(config)
  return (ends) => attributeLeg(network, ends)
}

export function startEvidence(options: EvidenceOptions): Evidence {
  const { identity } = options.config()
  const checker = checksIdentities(identity) ? new IdentityChecker(identity) : undefined
  const passes = options.passes ?? [...PASSES, trunksPass(attribution), trunkHoursPass]
  const job = new EvidenceJob({
    ...options,
    passes: checker === undefined ? passes : [...passes, identityPass(checker)],
  })
  job.start()
  return {
    get status() {
      return job.status
    },
    stop: () => job.stop().finally(() => checker?.close()),
  }
}
