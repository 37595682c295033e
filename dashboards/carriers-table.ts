/** A row a carrier: traffic, the numbers that a carrier is judged by, and beside them what the capture lost. */
import { BOARDS } from './board.js'
import { CAPTURE_LOSS_STEPS } from './common-panels.js'
import { CHOSEN, captureLoss, increase } from './expressions.js'
import { kpiColumn, SPAN } from './kpi-panels.js'
import type { PanelSpec } from './panel.js'

const BY = ['carrier'] as const

export function carriersTable(id: number, width: number): PanelSpec & { width: number } {
  const kpis = [
    kpiColumn('availability', 'Availability', BY),
    kpiColumn('ner', 'NER', BY),
    kpiColumn('asr', 'ASR', BY),
    kpiColumn('pre_ring_487_rate', 'Pre-ring 487', BY),
    kpiColumn('rate_5xx', '5xx', BY),
    kpiColumn('pdd_p50', 'PDD median', BY),
    kpiColumn('pdd_p95', 'PDD p95', BY),
    kpiColumn('attestation_a_rate', 'Attested A', BY),
  ]
  return {
    kind: 'table',
    id,
    width,
    title: 'Carriers, the last hour of the range',
    description:
      'Each number over the hour that ends with the range; empty where there are too few attempts to say. The carrier leads to its dashboard and to its attempts. Capture loss is the doubt about the whole row.',
    unit: 'short',
    decimals: 0,
    queries: [
      { expr: increase('trunkscope_attempts_total', BY, CHOSEN), legend: 'attempts' },
      ...kpis.map(({ query }) => query),
      { expr: captureLoss(BY), legend: 'capture_loss' },
    ],
    columns: [
      {
        name: 'carrier',
        heading: 'Carrier',
        links: [
          {
            title: 'Dashboard of the carrier',
            url: `/d/${BOARDS.carrier.uid}?var-carrier=\${__value.text}&\${__url_time_range}`,
          },
          {
            title: 'Attempts in Trunkscope',
            url: `\${trunkscope}/attempts?carrier=\${__value.text}&${SPAN}`,
          },
        ],
      },
      { name: 'attempts', heading: 'Attempts' },
      ...kpis.map(({ column }) => column),
      {
        name: 'capture_loss',
        heading: 'Capture loss',
        unit: 'percentunit',
        decimals: 1,
        steps: CAPTURE_LOSS_STEPS,
      },
    ],
  }
}
