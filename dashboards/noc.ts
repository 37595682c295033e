/** For the wall: is something wrong now, with whom, where, and is it them or our tap. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { BOARDS, board } from './board.js'
import { BURN_RULES, burning } from './burn.js'
import { carriersTable } from './carriers-table.js'
import {
  attemptBars,
  attemptRate,
  captureLossLines,
  captureLossStat,
  DISPOSITIONS,
  outcomeBars,
  silentAgentsStat,
} from './common-panels.js'
import { kpiLines, kpiStat } from './kpi-panels.js'
import type { PanelSpec } from './panel.js'
import { runbookLink } from './runbooks.js'

export function noc(): Dashboard {
  return board({
    name: 'noc',
    description: 'Every site and every carrier on one screen: what is wrong now, with whom, and where.',
    filters: ['carrier', 'site', 'direction'],
    time: { from: 'now-6h', to: 'now' },
    rows: [
      {
        title: 'Now',
        height: 4,
        panels: [
          attemptRate(1, 3),
          kpiStat(2, 3, 'availability'),
          kpiStat(3, 3, 'ner'),
          kpiStat(4, 3, 'pre_ring_487_rate'),
          kpiStat(5, 3, 'pdd_p95'),
          burningStat(6, 3),
          captureLossStat(7, 3),
          silentAgentsStat(8, 3, BOARDS.pipeline.uid),
        ],
      },
      { title: 'Carriers', height: 10, panels: [carriersTable(10, 24)] },
      {
        title: 'Traffic, and how it ended',
        height: 8,
        panels: [
          attemptBars(20, 8, ['carrier']),
          outcomeBars(21, 8, DISPOSITIONS),
          attemptBars(22, 8, ['site']),
        ],
      },
      {
        title: 'Each carrier',
        height: 9,
        panels: [
          kpiLines(30, 6, 'ner', ['carrier']),
          kpiLines(31, 6, 'pre_ring_487_rate', ['carrier']),
          kpiLines(32, 6, 'pdd_p95', ['carrier']),
          captureLossLines(33, 6, ['carrier']),
        ],
      },
      {
        title: 'Each site',
        height: 9,
        panels: [
          kpiLines(40, 8, 'ner', ['site']),
          kpiLines(41, 8, 'rate_5xx', ['site']),
          captureLossLines(42, 8, ['site']),
        ],
      },
    ],
  })
}

function burningStat(id: number, width: number): PanelSpec & { width: number } {
  const fast = BURN_RULES[0]!
  return {
    kind: 'stat',
    id,
    width,
    title: 'Burning fast',
    description: `Objectives that spend their error budget ${fast.limit} times too fast or more, over ${fast.long} and over ${fast.short}, whatever is chosen above. Somebody is paged when enough calls speak for it.`,
    unit: 'short',
    decimals: 0,
    steps: [
      { value: null, color: 'green' },
      { value: 1, color: 'red' },
    ],
    queries: [{ expr: `count(${burning(fast)}) or vector(0)`, legend: 'Burning fast' }],
    links: [{ title: 'SLOs and on-call', url: `/d/${BOARDS['on-call'].uid}` }],
    runbooks: [runbookLink(fast.alert)],
  }
}
