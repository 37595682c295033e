// tidy: tested by test/api/packs/pack.test.ts
/** formulas.txt of a pack: what its words and numbers mean, with sources and versions. */
import { ANOMALY_CODES, anomalyRule, conditionText } from '../../schemas/anomalies.js'
import { CANCEL_CLASS_RULES } from '../../schemas/cancel-classes.js'
import { FINDINGS, INVALID_REASONS, NOT_CHECKED_REASONS } from '../../schemas/identity-checks.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { appendixOf } from '../scorecards/scorecard.js'
import { SIGNATURE_ROWS } from '../scorecards/signature-rows.js'
import type { PackContents } from './contents.js'

export function formulasText(pack: PackContents): string {
  return `${[classes(pack), numbers(pack), BLAME, signatures(), suspicions(pack), notMeasured(pack)].join('\n\n')}\n`
}

function classes({ classes: list }: PackContents): string {
  return `FAILURE CLASSES OF THIS PACK
Conditions on the columns of attempts.csv, over attempts that have ended.

${list.map(({ id, words, sql: condition, kpi }) => `${id}: attempts ${words}\n    ${condition}${kpi === undefined ? '' : `\n  The KPI that is nearest: ${kpi}, with its own exclusions.`}`).join('\n\n')}`
}

function numbers({ targets, credit: due }: PackContents): string {
  const { formulas } = appendixOf([...targets, ...due.targets].map(({ kpi }) => kpi))
  const sql = new Map(KPI_CATALOG.map((kpi) => [kpi.id, kpi.sql]))
  const texts = [...new Map(formulas.map((formula) => [formula.id, formula])).values()].map((formula) =>
    [
      `${formula.id}, version ${formula.version}: ${formula.name} (${formula.unit})`,
      `  ${formula.formula}`,
      `  Source: ${formula.source}. Fewest for a value: ${formula.floor}.`,
      ...(sql.has(formula.id) ? [sql.get(formula.id)!.replace(/^ */gm, '    ')] : []),
    ].join('\n'),
  )
  return `NUMBERS
What an attempt is in a number, by the columns of attempts.csv; intervals are Wilson score intervals at 95 %, of quantiles the
values at the ranks around them.

${texts.join('\n\n')}`
}

const BLAME = `CANCEL CLASSES AND BLAME
${Object.entries(CANCEL_CLASS_RULES)
  .map(
    ([name, { evidence, faultText, source, version }]) =>
      `${name}, version ${version}: ${evidence}\n  Fault: ${faultText}. Source: ${source}.`,
  )
  .join('\n')}
cancel_blame: carrier, for an outbound attempt that is bad in the service level (sli); us, for an inbound one that is, where our side should
have rung; unknown, where nobody can tell the direction; caller, who gave up too soon to blame anybody; nobody otherwise.
verdict: sibling_answered (another leg of the call was answered when this one was given up), route_advanced (the same numbers were called
over another carrier right after), reached_elsewhere (the number was reached over another carrier).`

function signatures(): string {
  const sentences = (of: Readonly<Record<string, string>>) =>
    Object.entries(of)
      .map(([id, sentence]) => `  ${id}: ${sentence}`)
      .join('\n')
  return `SIGNATURES
${SIGNATURE_ROWS.map(({ id, name, formula, source, version }) => `${id}, version ${version}: ${name}\n  ${formula}\n  Source: ${source}.`).join('\n')}
signed invalid (signed_reason):
${sentences(INVALID_REASONS)}
signed not_checked (signed_reason): nothing is said about the signature.
${sentences(NOT_CHECKED_REASONS)}
findings:
${sentences(FINDINGS)}
iat_delta_ms: INVITE minus iat, positive for an older token; fresh within 60 s (RFC 8224 §6.2 step 4).
truncated: the message was cut before the end of the token. That is no invalid signature.
signer_contract: the SPC of the certificate against spcs of the carrier, for inbound tokens; not_asked: outbound, or none is configured.
verstat_before_us: what the verifier before us wrote into the INVITE; a claim of theirs.
Certificates are known by the SHA-256 of their bytes, which no two share; serial numbers are not kept.`
}

function suspicions({ thresholds }: PackContents): string {
  return `SUSPICIONS, from signalling only
${ANOMALY_CODES.map((code) => {
  const rule = anomalyRule(code)
  const alone =
    rule.isBaselineOnly === true ? ' By itself it says nothing: only a rate above the usual does.' : ''
  return `${code}, version ${rule.version}: ${rule.name}\n  ${conditionText(rule, thresholds)}${alone} Source: ${rule.source}.`
}).join('\n')}`
}

function notMeasured({ targets, credit: due }: PackContents): string {
  const { not_measured } = appendixOf([...targets, ...due.targets].map(({ kpi }) => kpi))
  return `NOT MEASURED
${not_measured.map(({ id, name, why }) => `${id} (${name}): ${why}`).join('\n')}`
}
