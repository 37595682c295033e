/** manifest.json: what was asked, what was found, what it rests on, and the SHA-256 of every file before it. */
import { ANOMALY_CODES, anomalyRule } from '../../schemas/anomalies.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { SIGNATURE_ROWS } from '../scorecards/signature-rows.js'
import type { PackContents } from './contents.js'
import { totalOf } from './counts.js'
import { LISTED_MAX } from './failed-attempts.js'
import { ROWS_MAX } from './identity-table.js'
import type { FileSum } from './zip.js'

/** Of this shape: a reader that knows 1 knows what it finds. */
const MANIFEST_VERSION = 1

export function manifestText(pack: PackContents, scope: 'all' | 'some', files: readonly FileSum[]): string {
  const { request, state } = pack
  const { attempts, failures } = totalOf(pack.counts)
  return `${JSON.stringify(
    {
      manifest_version: MANIFEST_VERSION,
      trunkscope_version: pack.version,
      request: {
        carrier: request.carrier,
        from: pack.from,
        to: pack.to,
        class: request.classes,
        as_of: pack.asOf,
        calls: request.calls,
      },
      repeat: pack.repeat,
      made_for: scope === 'all' ? 'who may see all carriers' : 'who may see some carriers: without the tap',
      configuration_sha256: pack.configurationSha256,
      attempts: {
        seen: state.attempts,
        ended: attempts,
        failed: failures,
        open: state.open,
        incomplete: state.incomplete,
        attempts_digest: state.digest,
        listed: pack.listed,
        listed_max: LISTED_MAX,
      },
      evidence: {
        evidence_digest: state.evidenceDigest,
        identity_tokens: pack.identity.tokens,
        identity_rows: pack.identity.rows,
        identity_rows_left_out: pack.identity.left,
        identity_rows_max: ROWS_MAX,
        suspicions_not_looked_at: pack.evidence.notLookedAt,
      },
      calls: { ...pack.calls, chosen_by: 'the smallest attempt_id of those that failed' },
      service_credit_percent: pack.credit.is_configured
        ? { certain: pack.credit.certain_percent, point_estimate: pack.credit.point_estimate_percent }
        : null,
      formulas: Object.fromEntries([
        ...KPI_CATALOG.map(({ id, version }) => [id, version]),
        ...SIGNATURE_ROWS.map(({ id, version }) => [id, version]),
        ...ANOMALY_CODES.map((code) => [code, anomalyRule(code).version]),
      ]),
      files,
    },
    null,
    2,
  )}\n`
}
