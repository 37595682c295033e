/** Panels that stand on more than one dashboard: how much traffic, how it ended, and how much of it the capture lost. */
import { CHOSEN, captureLoss, increase, type Label, perBar } from './expressions.js'
import { attemptsLink } from './kpi-panels.js'
import { type PanelSpec, risingSteps } from './panel.js'

type Placed = PanelSpec & { width: number }

/** Above it an alert of its own tells on-call (docs/tap-health.md, `alerts.capture_loss`). */
export const CAPTURE_LOSS_STEPS = risingSteps(0.01, 0.05)

const CAPTURE_LOSS_SENTENCE =
  'Attempts of which the capture lost a part, over all attempts of the hour before each point. They are in no ratio: the more of them, the less the numbers of this row say.'

export function attemptBars(id: number, width: number, by: readonly Label[]): Placed {
  return {
    kind: 'bars',
    id,
    width,
    title: `Attempts by ${by.join(' and ')}`,
    description: 'Closed attempts, by the minute of their INVITE. The bars add up to the sum in the legend.',
    unit: 'short',
    decimals: 0,
    min: 0,
    queries: [
      {
        expr: perBar('trunkscope_attempts_total', by),
        legend: by.map((label) => `{{${label}}}`).join(' '),
      },
    ],
    links: [attemptsLink(by)],
  }
}

/** @param label of the metric: what the bars are told apart by; `filter`: the parameter of the attempt search. */
export function outcomeBars(
  id: number,
  width: number,
  outcome: { title: string; description: string; metric: string; label: string; filter: string },
): Placed {
  return {
    kind: 'bars',
    id,
    width,
    title: outcome.title,
    description: `${outcome.description} The bars add up to the sum in the legend.`,
    unit: 'short',
    decimals: 0,
    min: 0,
    queries: [{ expr: perBar(outcome.metric, [outcome.label]), legend: `{{${outcome.label}}}` }],
    links: [attemptsLink([], `&${outcome.filter}=\${__field.labels.${outcome.label}}`)],
  }
}

/** As they are judged: a minute is drawn anew when another leg of the call, or the next route, has shown up. */
export function cancelBars(id: number, width: number, by: 'carrier' | 'site'): Placed {
  return {
    kind: 'bars',
    id,
    width,
    title: `Given up by ${by} and why`,
    description: `Attempts with a CANCEL or a final 487 by sub-class: ELSEWHERE was answered on another leg, ROUTE_ADVANCE is our SBC that went to the next carrier, PRE_RING_CANCEL before anything rang; the others are the caller's. What needs other legs follows the call by up to a minute. The bars add up to the sum in the legend.`,
    unit: 'short',
    decimals: 0,
    min: 0,
    queries: [{ expr: perBar('trunkscope_cancels_total', [by, 'class']), legend: `{{${by}}} {{class}}` }],
    links: [attemptsLink([by], `&cancel_class=\${__field.labels.class}`)],
  }
}

export const DISPOSITIONS = {
  title: 'How attempts ended',
  description: 'Closed attempts by disposition.',
  metric: 'trunkscope_dispositions_total',
  label: 'disposition',
  filter: 'disposition',
} as const

export function captureLossLines(id: number, width: number, by: readonly Label[]): Placed {
  return {
    kind: 'lines',
    id,
    width,
    title: `Capture loss by ${by.join(' and ')}`,
    description: CAPTURE_LOSS_SENTENCE,
    unit: 'percentunit',
    min: 0,
    steps: CAPTURE_LOSS_STEPS,
    queries: [{ expr: captureLoss(by), legend: by.map((label) => `{{${label}}}`).join(' ') }],
    links: [attemptsLink(by, '&state=incomplete')],
  }
}

export function captureLossStat(id: number, width: number): Placed {
  return {
    kind: 'stat',
    id,
    width,
    title: 'Capture loss',
    description: CAPTURE_LOSS_SENTENCE,
    unit: 'percentunit',
    min: 0,
    steps: CAPTURE_LOSS_STEPS,
    queries: [{ expr: captureLoss([]), legend: 'Capture loss' }],
    links: [attemptsLink([], '&state=incomplete')],
  }
}

export function attemptRate(id: number, width: number): Placed {
  return {
    kind: 'stat',
    id,
    width,
    title: 'Attempts a minute',
    description: 'Closed attempts of the last five whole minutes, a minute.',
    unit: 'cpm',
    min: 0,
    queries: [
      { expr: `${increase('trunkscope_attempts_total', [], CHOSEN, '5m')} / 5`, legend: 'Attempts a minute' },
    ],
    links: [attemptsLink([])],
  }
}

/** Agents that sent in the hour before and nothing in the last ten minutes. */
export const SILENT_AGENTS =
  'sum by (agent, site) (increase(trunkscope_agent_frames_total[10m])) == 0 and sum by (agent, site) (increase(trunkscope_agent_frames_total[1h])) > 0'

export function silentAgentsStat(id: number, width: number, board: string): Placed {
  return {
    kind: 'stat',
    id,
    width,
    title: 'Silent agents',
    description:
      'Agents that sent something within the last hour and nothing for ten minutes. What they mirrored is missing from every number.',
    unit: 'short',
    decimals: 0,
    steps: [
      { value: null, color: 'green' },
      { value: 1, color: 'red' },
    ],
    queries: [{ expr: `count(${SILENT_AGENTS}) or vector(0)`, legend: 'Silent agents' }],
    links: [{ title: 'Pipeline health', url: `/d/${board}` }],
  }
}
