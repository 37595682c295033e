/** For who was paged: which promise is broken, how fast, how much is left, who is affected, and whether to believe it. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { BOARDS, board } from './board.js'
import { BURN_RULES, type BurnRule, burn } from './burn.js'
import { captureLossLines, DISPOSITIONS, outcomeBars, silentAgentsStat } from './common-panels.js'
import { increase, kpiPart } from './expressions.js'
import { attemptsLink, kpiLines } from './kpi-panels.js'
import { fallingSteps, type PanelSpec, risingSteps } from './panel.js'
import { runbookLink } from './runbooks.js'

type Placed = PanelSpec & { width: number }

const OBJECTIVE = '{{slo}} {{carrier}} {{site}}'
const [FAST, SLOW, DRAIN] = BURN_RULES as readonly [BurnRule, BurnRule, BurnRule]
const BUDGET = 'trunkscope_slo_budget_remaining_ratio'

export function onCall(): Dashboard {
  return board({
    name: 'on-call',
    description: 'Which objective burns, how fast, how much of its budget is left, and which calls say so.',
    filters: ['carrier', 'site', 'direction'],
    time: { from: 'now-6h', to: 'now' },
    rows: [
      { title: 'Objectives (whatever is chosen above)', height: 9, panels: [objectives(1, 24)] },
      {
        title: 'Burn (whatever is chosen above)',
        height: 9,
        panels: [burnLines(10, 6, FAST), burnLines(11, 6, SLOW), burnLines(12, 6, DRAIN), budgetLines(13, 6)],
      },
      {
        title: 'Who, and where',
        height: 9,
        panels: [
          badBars(20, 6),
          kpiLines(21, 6, 'availability', ['carrier', 'site']),
          kpiLines(22, 6, 'progress', ['carrier']),
          captureLossLines(23, 6, ['carrier']),
        ],
      },
      {
        title: 'How it fails, and whether to believe it',
        height: 9,
        panels: [
          outcomeBars(30, 10, DISPOSITIONS),
          { ...captureLossLines(31, 10, ['site']), runbooks: [runbookLink('CaptureLoss')] },
          { ...silentAgentsStat(32, 4, BOARDS.pipeline.uid), runbooks: [runbookLink('TapBlind')] },
        ],
      },
    ],
  })
}

function objectives(id: number, width: number): Placed {
  const windows = [...new Set(BURN_RULES.flatMap(({ long, short }) => [long, short]))]
  const limitOf = (window: string) =>
    BURN_RULES.find(({ long, short }) => [long, short].includes(window))!.limit
  return {
    kind: 'table',
    id,
    width,
    title: 'Objectives at the end of the range',
    description:
      'Burn 1 spends the error budget in exactly the window of the objective. Red is where the rule of that window asks for it; a rule fires when its long and its short window are both red and enough calls speak for it.',
    unit: 'short',
    decimals: 1,
    empty: 'no objective has traffic',
    queries: [
      { expr: `sum by (slo, carrier, site) (${BUDGET})`, legend: 'budget' },
      ...windows.map((window) => ({ expr: `sum by (slo, carrier, site) (${burn(window)})`, legend: window })),
    ],
    columns: [
      { name: 'slo', heading: 'Objective' },
      {
        name: 'carrier',
        heading: 'Carrier',
        links: [
          {
            title: 'Dashboard of the carrier',
            url: `/d/${BOARDS.carrier.uid}?var-carrier=\${__value.text}&\${__url_time_range}`,
          },
        ],
      },
      { name: 'site', heading: 'Site' },
      {
        name: 'budget',
        heading: 'Budget left',
        unit: 'percentunit',
        decimals: 0,
        steps: fallingSteps(0.5, 0.1),
      },
      ...windows.map((window) => ({
        name: window,
        heading: `Burn ${window}`,
        steps: risingSteps(Math.min(1, limitOf(window) / 2), limitOf(window)),
      })),
    ],
  }
}

function burnLines(id: number, width: number, rule: BurnRule): Placed {
  return {
    kind: 'lines',
    id,
    width,
    title: `Burn over ${rule.long} and ${rule.short}`,
    description: `How many times too fast each error budget is spent. From ${rule.limit} on in both windows it is a ${rule.severity}, if enough calls speak for it.`,
    unit: 'suffix:×',
    min: 0,
    steps: risingSteps(Math.min(1, rule.limit / 2), rule.limit),
    empty: 'no objective has traffic',
    queries: [rule.long, rule.short].map((window) => ({
      expr: burn(window),
      legend: `${OBJECTIVE} ${window}`,
    })),
    links: [
      { title: 'Objectives in Trunkscope', url: `\${trunkscope}/slos` },
      { title: 'Alerts in Trunkscope', url: `\${trunkscope}/alerts` },
    ],
    runbooks: [runbookLink(rule.alert)],
  }
}

function budgetLines(id: number, width: number): Placed {
  return {
    kind: 'lines',
    id,
    width,
    title: 'Budget left',
    description:
      'Share of the error budget that is left in the window of each objective; below 0 it is overspent.',
    unit: 'percentunit',
    steps: fallingSteps(0.5, 0.1),
    empty: 'no objective has traffic',
    queries: [{ expr: BUDGET, legend: OBJECTIVE }],
    runbooks: [runbookLink(DRAIN.alert)],
  }
}

function badBars(id: number, width: number): Placed {
  const bar = (part: 'numerator' | 'denominator') =>
    kpiPart(part, 'availability', ['carrier'], undefined, '$__interval')
  return {
    kind: 'bars',
    id,
    width,
    title: 'Bad attempts by carrier',
    description:
      'Attempts that the carrier failed: valid ones less good ones. The bars add up to the sum in the legend.',
    unit: 'short',
    decimals: 0,
    min: 0,
    queries: [{ expr: `${bar('denominator')} - ${bar('numerator')}`, legend: '{{carrier}}' }],
    links: [attemptsLink(['carrier'])],
  }
}

/** Bad attempts of each carrier in the long window of a rule: what the floor of an alert counts. */
export function badAttempts({ long }: BurnRule): string {
  const part = (name: string) =>
    increase(`trunkscope_kpi_${name}_total`, ['carrier'], 'kpi="availability"', long)
  return `${part('denominator')} - ${part('numerator')}`
}
