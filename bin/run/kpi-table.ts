// tidy: tested by test/pipeline/real-capture.test.ts
/** An answer of `/v1/kpis` as a table for a terminal: one row a group, doubt beside the number. */
import type { KpiAnswer, KpiAnswerGroup } from '../../api/kpi/answer.js'

const RATIOS: readonly [kpi: string, head: string][] = [
  ['asr', 'ASR'],
  ['ner', 'NER'],
  ['rate_487', '487'],
  ['pre_ring_487_rate', 'pre-ring'],
  ['short_call_rate', 'short'],
]
const DELAYS: readonly [kpi: string, head: string][] = [
  ['pdd_p50', 'PDD p50'],
  ['pdd_p95', 'PDD p95'],
  ['acd', 'ACD'],
]

export function kpiTable(answer: KpiAnswer): string {
  const head = [
    '',
    'attempts',
    'open',
    'lost',
    ...RATIOS.map(([, name]) => name),
    ...DELAYS.map(([, name]) => name),
    'A/B/C/none',
    'responses',
  ]
  const rows = answer.groups.map((group) => [
    Object.values(group.by).join(' / '),
    String(group.attempts),
    String(group.open),
    String(group.incomplete),
    ...RATIOS.map(([kpi]) => percent(group, kpi)),
    ...DELAYS.map(([kpi]) => seconds(group, kpi)),
    ['A', 'B', 'C', 'none'].map((level) => group.attestation[level] ?? 0).join('/'),
    Object.entries(group.responses)
      .map(([code, count]) => `${code}×${count}`)
      .join(' '),
  ])
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)))
  const line = (cells: string[]) =>
    cells
      .map((cell, at) =>
        at === 0 || at === cells.length - 1 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
      )
      .join('  ')
      .trimEnd()
  const note = '"–" is insufficient data, never 0. Intervals, exclusions and formula versions: --json'
  return `${answer.from} to ${answer.to}\n${[head, ...rows].map(line).join('\n')}\n${note}\n`
}

function percent(group: KpiAnswerGroup, kpi: string): string {
  const value = group.kpis[kpi]?.value
  return value === null || value === undefined ? '–' : `${(value * 100).toFixed(1)} %`
}

function seconds(group: KpiAnswerGroup, kpi: string): string {
  const value = group.kpis[kpi]?.value
  return value === null || value === undefined ? '–' : `${value.toFixed(2)} s`
}
