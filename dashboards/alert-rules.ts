/**
 * Rules for who wants Grafana to alert, paused as they come: Trunkscope evaluates its own, and nobody is to be paged twice.
 *
 * They are coarser. A rule of Trunkscope also looks at the Wilson bound of the bad share, holds what a blind tap has spoilt,
 * and names the likely cause; PromQL can do none of it. docs/grafana.md says how to switch them on, and the others off.
 */
import {
  QueryBuilder,
  RuleBuilder,
  type RuleGroup,
  RuleGroupBuilder,
} from '@grafana/grafana-foundation-sdk/alerting'
import { TypeThresholdBuilder } from '@grafana/grafana-foundation-sdk/expr'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { BOARDS, type BoardName } from './board.js'
import { BURN_RULES, burning } from './burn.js'
import { SILENT_AGENTS } from './common-panels.js'
import { captureLoss, increase } from './expressions.js'
import { badAttempts } from './on-call.js'
import { DATA_SOURCE } from './panel.js'
import { FOLDER } from './provisioning.js'
import { type Runbook, runbookUrl } from './runbooks.js'

interface GrafanaRule {
  /** Title, label `alertname` and runbook. */
  name: Runbook
  severity: 'page' | 'ticket'
  /** Gives a series for each thing that is wrong, and nothing otherwise. */
  expr: string
  for: string
  /** What the labels of the alert say beside its severity; Grafana's templates. */
  about: string
  summary: string
  board: BoardName
  panelId: number
}

const INTERVAL_S = 60
/** Fewest bad calls (metrics.md §8). */
const BAD_MIN = { page: 5, ticket: 3 } as const

const DAY_S = 86_400
/** As `alerts.certificate_expiring.ticket_days`, `alerts.attestation_lost.falls_by_ratio`: what is configured is not known here. */
const CERTIFICATE_DAYS = 14
const FALLS_BY = 0.2
/** Fewer calls say little. */
const COMPARED_MIN = 100

/** Of what is known of each carrier and direction in an hour: the share that claims A or B, where there were enough calls. */
function attested(offset: string): { share: string; isEnough: string } {
  const calls = (matchers: string) =>
    increase(
      'trunkscope_attestation_total',
      ['carrier', 'direction'],
      `carrier!="unknown"${matchers}`,
    ).replace('[1h]', `[1h]${offset}`)
  return {
    share: `${calls(',level=~"A|B"')} / ${calls('')}`,
    isEnough: `on (carrier, direction) (${calls('')} >= ${COMPARED_MIN})`,
  }
}

function fallenAttestation(): string {
  const [now, before] = [attested(''), attested(' offset 7d')]
  return `${now.share} < ${before.share} - ${FALLS_BY} and ${now.isEnough} and ${before.isEnough}`
}

export const GRAFANA_RULES: readonly GrafanaRule[] = [
  ...BURN_RULES.map(
    (rule, index): GrafanaRule => ({
      name: rule.alert,
      severity: rule.severity,
      // Where few bad calls of a carrier are all there is, nobody is told. Objectives without a carrier have no such floor.
      expr: `${burning(rule)} unless on (carrier) (${badAttempts(rule)} < ${BAD_MIN[rule.severity]})`,
      for: '0s',
      about: '{{ $labels.slo }}',
      summary: `{{ $labels.slo }} {{ $labels.carrier }} {{ $labels.site }} burns {{ printf "%.1f" $values.A.Value }} times too fast over ${rule.long}; told from ${rule.limit} on.`,
      board: 'on-call',
      panelId: 10 + index,
    }),
  ),
  {
    name: 'TapBlind',
    severity: 'page',
    expr: SILENT_AGENTS,
    for: '5m',
    about: '{{ $labels.agent }}',
    summary:
      'Agent {{ $labels.agent }} {{ $labels.site }} sent within the last hour and nothing for ten minutes.',
    board: 'pipeline',
    panelId: 10,
  },
  {
    name: 'CaptureLoss',
    severity: 'page',
    expr: `(${captureLoss(['site'], '', '15m')}) > 0.05`,
    for: '5m',
    about: '{{ $labels.site }}',
    summary:
      '{{ $labels.site }}: the capture lost a part of {{ humanizePercentage $values.A.Value }} of the attempts.',
    board: 'pipeline',
    panelId: 43,
  },
  {
    name: 'TrunkDown',
    severity: 'ticket',
    expr: 'trunkscope_trunk_state_seconds{state="down"}',
    for: '0s',
    about: '{{ $labels.address }}',
    summary:
      'The trunk {{ $labels.address }} of {{ $labels.carrier }} at {{ $labels.site }} has been down for {{ humanizeDuration $values.A.Value }}.',
    board: 'trunks',
    panelId: 10,
  },
  {
    name: 'AttestationLost',
    severity: 'ticket',
    expr: fallenAttestation(),
    for: '5m',
    about: '{{ $labels.carrier }}',
    summary: `{{ $labels.carrier }}, {{ $labels.direction }}: {{ humanizePercentage $values.A.Value }} of the calls of an hour claim A or B, ${FALLS_BY * 100} points or more below the same hour a week ago.`,
    board: 'attestation',
    panelId: 20,
  },
  {
    name: 'CertificateExpiring',
    severity: 'ticket',
    // Of one that has ended the value is 0, not a time before it: the threshold below is one for all rules.
    expr: `clamp_min(min by (certificate, spc) (trunkscope_identity_certificate_remaining_seconds) <= ${CERTIFICATE_DAYS * DAY_S}, 0)`,
    for: '0s',
    about: '{{ $labels.certificate }}',
    summary:
      'The certificate {{ $labels.certificate }} of {{ $labels.spc }} signs calls and is good for {{ humanizeDuration $values.A.Value }}; 0s: it has ended.',
    board: 'attestation',
    panelId: 51,
  },
  {
    name: 'SignerNotInContract',
    severity: 'ticket',
    expr: `sum by (carrier) (increase(trunkscope_identity_contract_total{contract="other"}[1h])) >= ${BAD_MIN.ticket}`,
    for: '0s',
    about: '{{ $labels.carrier }}',
    summary:
      '{{ $labels.carrier }}: {{ $values.A.Value }} inbound tokens with a valid signature in an hour were signed by others than its contract names.',
    board: 'attestation',
    panelId: 52,
  },
]

export function alertRules(): RuleGroup[] {
  const group = new RuleGroupBuilder('Trunkscope').folderUid(FOLDER.uid).interval(INTERVAL_S)
  for (const rule of GRAFANA_RULES) group.withRule(builderOf(rule))
  return [group.build()]
}

function builderOf(rule: GrafanaRule): RuleBuilder {
  return (
    new RuleBuilder(rule.name)
      .uid(`trunkscope-${rule.name.toLowerCase()}`)
      .folderUID(FOLDER.uid)
      .ruleGroup('Trunkscope')
      .condition('B')
      .withQuery(
        new QueryBuilder('A')
          .datasourceUid(DATA_SOURCE.uid)
          // One object: two numbers would become 600, and Grafana would not start.
          .relativeTimeRange({ from: 600, to: 0 })
          .model(new DataqueryBuilder().refId('A').expr(rule.expr).instant()),
      )
      .withQuery(
        new QueryBuilder('B')
          .datasourceUid('__expr__')
          .relativeTimeRange({ from: 600, to: 0 })
          .model(
            new TypeThresholdBuilder()
              .refId('B')
              .expression('A')
              // What the query gives is wrong already, whatever its value: a silent agent's is 0.
              .conditions([{ evaluator: { params: [-1], type: 'gt' } }]),
          ),
      )
      .forDuration(rule.for)
      // No series: nothing is wrong.
      .noDataState('OK')
      .execErrState('Error')
      .isPaused(true)
      .labels({ severity: rule.severity, about: rule.about })
      .annotations({
        summary: rule.summary,
        runbook_url: runbookUrl(rule.name),
        __dashboardUid__: BOARDS[rule.board].uid,
        __panelId__: String(rule.panelId),
      })
  )
}
