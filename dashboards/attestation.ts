/** For whoever answers for STIR/SHAKEN: what carriers claim about the calls, what was checked of it, and what never arrived signed. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { board } from './board.js'
import { attemptRate, captureLossLines, captureLossStat, outcomeBars } from './common-panels.js'
import { kpiGroup, kpiLines, kpiStat } from './kpi-panels.js'
import { risingSteps } from './panel.js'
import { checkedRows } from './signature-panels.js'

export function attestation(): Dashboard {
  return board({
    name: 'attestation',
    description:
      'What the PASSporTs of the calls claim, by carrier and site: decoded, not verified. Below it what was checked of them, where certificates are configured.',
    filters: ['carrier', 'site', 'direction'],
    time: { from: 'now-24h', to: 'now' },
    rows: [
      {
        title: 'The last hour of the range',
        height: 4,
        panels: [
          attemptRate(1, 4),
          kpiStat(2, 4, 'attestation_a_rate'),
          kpiStat(3, 4, 'attestation_b_rate'),
          kpiStat(4, 4, 'attestation_c_rate'),
          kpiStat(5, 4, 'attestation_none_rate'),
          captureLossStat(6, 4),
        ],
      },
      {
        title: 'Levels',
        height: 9,
        panels: [
          outcomeBars(10, 8, {
            title: 'Attempts by attestation',
            description:
              'Closed attempts by what their PASSporT claims: A, B, C, none (no token), or malformed (one that cannot be read).',
            metric: 'trunkscope_attestation_total',
            label: 'level',
            filter: 'attestation',
          }),
          kpiGroup(
            11,
            8,
            'Shares of the levels',
            ['attestation_a_rate', 'attestation_b_rate', 'attestation_c_rate', 'attestation_none_rate'],
            'Of all that is chosen together, over the hour before each point. What is left to 100 % is malformed.',
          ),
          captureLossLines(12, 8, ['site']),
        ],
      },
      {
        title: 'Each carrier',
        height: 9,
        panels: [
          kpiLines(20, 8, 'attestation_a_rate', ['carrier']),
          kpiLines(21, 8, 'attestation_none_rate', ['carrier']),
          captureLossLines(22, 8, ['carrier']),
        ],
      },
      {
        title: 'Is it them, or our side',
        height: 9,
        panels: [
          kpiLines(30, 6, 'attestation_none_rate', ['direction']),
          kpiLines(31, 6, 'attestation_none_rate', ['site']),
          {
            kind: 'lines',
            id: 32,
            width: 6,
            title: 'Identity headers cut by agents',
            description:
              'SIP messages whose Identity header breaks off, over those that have one, in the hour before each point, of every agent. A token that was cut on its way to us reads as malformed.',
            unit: 'percentunit',
            min: 0,
            steps: risingSteps(0.001, 0.01),
            queries: [
              {
                expr: 'sum by (agent, site) (increase(trunkscope_agent_identity_cut_total[1h])) / sum by (agent, site) (increase(trunkscope_agent_identity_seen_total[1h])) and sum by (agent, site) (increase(trunkscope_agent_identity_seen_total[1h])) >= 100',
                legend: '{{site}} {{agent}}',
              },
            ],
          },
          captureLossLines(33, 6, ['direction']),
        ],
      },
      ...checkedRows(),
    ],
  })
}
