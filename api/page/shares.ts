/** What the parts of a bar are called and in which order they stand. */
import { countOf, mapOf, type Sums } from '../kpi/sums.js'
import type { Share } from './chart.js'
import { type Html, html } from './html.js'

const RESPONSES: readonly { kind: string; label: string; holds: (code: number) => boolean }[] = [
  { kind: 'k-ok', label: '2xx', holds: (code) => code >= 200 && code < 300 },
  { kind: 'k-busy', label: '486, 600', holds: (code) => code === 486 || code === 600 },
  { kind: 'k-480', label: '480', holds: (code) => code === 480 },
  { kind: 'k-487', label: '487', holds: (code) => code === 487 },
  {
    kind: 'k-number',
    label: '404, 410, 484',
    holds: (code) => [404, 410, 416, 484, 485, 604].includes(code),
  },
  {
    kind: 'k-refused',
    label: '403, 603, 607, 608',
    holds: (code) => [403, 433, 603, 607, 608].includes(code),
  },
  { kind: 'k-5xx', label: '5xx', holds: (code) => code >= 500 && code < 600 },
  { kind: 'k-other', label: 'other', holds: () => true },
]

/** Closed attempts by final response; those that got none come last. */
export function responseShares(sums: Sums): Share[] {
  const shares = RESPONSES.map(({ kind, label }) => ({ kind, label, count: 0 }))
  let answered = 0
  for (const [code, count] of Object.entries(mapOf(sums, 'responses'))) {
    const index = RESPONSES.findIndex(({ holds }) => holds(Number(code)))
    shares[index]!.count += count
    answered += count
  }
  return [
    ...shares,
    { kind: 'k-none', label: 'no final', count: Math.max(0, countOf(sums, 'attempts') - answered) },
  ]
}

export function attestationShares(sums: Sums): Share[] {
  const levels = mapOf(sums, 'attestations')
  return ['A', 'B', 'C', 'none', 'malformed'].map((level) => ({
    kind: `a-${level}`,
    label: level,
    count: levels[level] ?? 0,
  }))
}

export function legendOf(shares: readonly Share[]): Html {
  return html`<p class="legend">${shares.map(({ kind, label }) => html`<span><i class="${kind}"></i>${label}</span>`)}</p>`
}
