/** For who runs Trunkscope: what each agent sends, what of it is unusable, and what the capture lost. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { AGENT_COUNTS, type AgentCount } from '../schemas/prom-metrics.js'
import { BOARDS, board } from './board.js'
import { CAPTURE_LOSS_STEPS, silentAgentsStat } from './common-panels.js'
import { captureLoss, increase } from './expressions.js'
import { type PanelSpec, risingSteps, type TableColumn } from './panel.js'
import { runbookLink } from './runbooks.js'

type Placed = PanelSpec & { width: number }

const AGENT = ['agent', 'site'] as const
const AGENT_LEGEND = '{{site}} {{agent}}'
/** Of every carrier, site and direction. */
const ALL = ''
const TAP = { title: 'The tap in Trunkscope', url: `\${trunkscope}/tap` }

export function pipeline(): Dashboard {
  return board({
    name: 'pipeline',
    description:
      'Is it our tap? What each agent sends and what is wrong with it. The processes themselves tell of their spool, sockets and flushes at /metrics.',
    filters: [],
    time: { from: 'now-6h', to: 'now' },
    rows: [
      {
        title: 'Now',
        height: 4,
        panels: [
          framesStat(1, 6),
          silentAgentsStat(2, 6, BOARDS.pipeline.uid),
          lossStat(3, 6),
          openStat(4, 6),
        ].map((stat) => ({ ...stat, links: [TAP] })),
      },
      { title: 'Agents, the last hour of the range', height: 9, panels: [agentsTable(10, 24)] },
      {
        title: 'What arrives',
        height: 8,
        panels: [
          agentBars(20, 8, 'frames'),
          agentBars(21, 8, 'sip_messages'),
          agentBars(22, 8, 'keepalives'),
        ],
      },
      {
        title: 'What cannot be used',
        height: 8,
        panels: [
          agentBars(30, 6, 'refused'),
          agentBars(31, 6, 'unreadable'),
          agentBars(32, 6, 'truncated'),
          agentBars(33, 6, 'timestamps_replaced'),
        ],
      },
      {
        title: 'What is cut or sent twice',
        height: 8,
        panels: [
          agentShare(40, 6, 'Sent twice', 'duplicates', 'sip_messages'),
          agentShare(41, 6, 'Identity cut', 'identity_cut', 'identity_seen'),
          agentShare(42, 6, 'SDP cut', 'sdp_cut', 'sdp_seen'),
          lossLines(43, 6),
        ],
      },
    ],
  })
}

const counter = (count: AgentCount) => `trunkscope_agent_${count}_total`
const ofAgents = (count: AgentCount, window = '1h') =>
  `sum by (${AGENT.join(', ')}) (increase(${counter(count)}[${window}]))`

function framesStat(id: number, width: number): Placed {
  return {
    kind: 'stat',
    id,
    width,
    title: 'Frames a second',
    description: 'Frames that agents sent and that were accepted, over the last five whole minutes.',
    unit: 'cps',
    min: 0,
    queries: [{ expr: `sum(rate(${counter('frames')}[5m]))`, legend: 'Frames a second' }],
  }
}

function lossStat(id: number, width: number): Placed {
  return {
    kind: 'stat',
    id,
    width,
    title: 'Capture loss',
    description:
      'Attempts of which the capture lost a part, over all attempts of the last hour, all sites together.',
    unit: 'percentunit',
    min: 0,
    steps: CAPTURE_LOSS_STEPS,
    queries: [{ expr: captureLoss([], ALL), legend: 'Capture loss' }],
    runbooks: [runbookLink('CaptureLoss'), runbookLink('CollectorBehind')],
  }
}

function openStat(id: number, width: number): Placed {
  return {
    kind: 'stat',
    id,
    width,
    title: 'Open attempts of the last hour',
    description:
      'Attempts of the last hour that have no outcome yet. A few are calls that ring now; a growing number means that answers do not reach us.',
    unit: 'short',
    decimals: 0,
    min: 0,
    queries: [{ expr: increase('trunkscope_open_attempts_total', [], ALL), legend: 'Open attempts' }],
  }
}

function lossLines(id: number, width: number): Placed {
  return {
    kind: 'lines',
    id,
    width,
    title: 'Capture loss by site',
    description:
      'Attempts of which the capture lost a part, over all attempts of the hour before each point.',
    unit: 'percentunit',
    min: 0,
    steps: CAPTURE_LOSS_STEPS,
    queries: [{ expr: captureLoss(['site'], ALL), legend: '{{site}}' }],
    links: [TAP],
    runbooks: [runbookLink('CaptureLoss')],
  }
}

function agentBars(id: number, width: number, count: AgentCount): Placed {
  return {
    kind: 'bars',
    id,
    width,
    title: `${headingOf(count)} by agent`,
    description: `${AGENT_COUNTS[count]} By the minute of arrival; the bars add up to the sum in the legend.`,
    unit: 'short',
    decimals: 0,
    min: 0,
    empty: 'no agent has sent anything',
    queries: [{ expr: ofAgents(count, '$__interval'), legend: AGENT_LEGEND }],
    links: [TAP],
    runbooks: [runbookLink('TapLossy')],
  }
}

const SHARE_FLOOR = 100

function shareOf(part: AgentCount, whole: AgentCount): string {
  return `${ofAgents(part)} / ${ofAgents(whole)} and on (${AGENT.join(', ')}) (${ofAgents(whole)} >= ${SHARE_FLOOR})`
}

function agentShare(id: number, width: number, title: string, part: AgentCount, whole: AgentCount): Placed {
  return {
    kind: 'lines',
    id,
    width,
    title: `${title} by agent`,
    description: `${AGENT_COUNTS[part]} As a share of: ${AGENT_COUNTS[whole]} Over the hour before each point, from ${SHARE_FLOOR} on.`,
    unit: 'percentunit',
    min: 0,
    steps: risingSteps(0.01, 0.05),
    queries: [{ expr: shareOf(part, whole), legend: AGENT_LEGEND }],
    links: [TAP],
    runbooks: [runbookLink('TapLossy')],
  }
}

function agentsTable(id: number, width: number): Placed {
  const counts = [
    'frames',
    'sip_messages',
    'refused',
    'unreadable',
    'truncated',
    'timestamps_replaced',
  ] as const
  const shares = [
    ['duplicates', 'sip_messages', 'Sent twice'],
    ['identity_cut', 'identity_seen', 'Identity cut'],
    ['sdp_cut', 'sdp_seen', 'SDP cut'],
  ] as const
  const isBad = { unit: 'percentunit', decimals: 1, steps: risingSteps(0.01, 0.05) }
  return {
    kind: 'table',
    id,
    width,
    title: 'Agents',
    description:
      'What each agent sent in the hour that ends with the range, and what was wrong with it. Silent is red when it sent nothing for ten minutes. Verdicts, clock skew and one-sided calls stand on the page of the tap.',
    unit: 'short',
    decimals: 0,
    empty: '',
    queries: [
      ...counts.map((count) => ({ expr: ofAgents(count), legend: count })),
      ...shares.map(([part, whole]) => ({ expr: shareOf(part, whole), legend: part })),
      { expr: `sum by (agent, site) (increase(${counter('frames')}[10m]))`, legend: 'recent' },
    ],
    columns: [
      { name: 'site', heading: 'Site' },
      { name: 'agent', heading: 'Agent', links: [TAP] },
      ...counts.map((count): TableColumn => ({ name: count, heading: headingOf(count) })),
      ...shares.map(([part, , heading]): TableColumn => ({ name: part, heading, ...isBad })),
      {
        name: 'recent',
        heading: 'Frames, last 10 min',
        steps: [
          { value: null, color: 'red' },
          { value: 1, color: 'green' },
        ],
      },
    ],
    runbooks: [runbookLink('TapBlind'), runbookLink('TapLossy')],
  }
}

function headingOf(count: AgentCount): string {
  const words = count.replaceAll('_', ' ').replace('sip', 'SIP')
  return `${words[0]!.toUpperCase()}${words.slice(1)}`
}
