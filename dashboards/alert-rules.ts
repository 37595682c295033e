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
import { captureLoss } from './expressions.js'
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
