/** Parts that a carrier's scorecard and the one of all carriers share: the document, numbers in cells, the appendix. */
import { createHash } from 'node:crypto'
import type { CarrierLine, Scorecard, ScorecardRow, Scorecards } from '../scorecards/scorecard.js'
import { sparkline } from './chart.js'
import { count, day, duration, percent } from './format.js'
import { type Content, Html, html } from './html.js'
import { SCORECARD_STYLE } from './scorecard-style.js'
import { table } from './table.js'

/** Of the only style in the document, for its Content-Security-Policy. */
export const STYLE_HASH = `sha256-${createHash('sha256').update(SCORECARD_STYLE).digest('base64')}`

/** No script, nothing from anywhere: the page is itself and nothing else, wherever it is opened. */
export const SCORECARD_CSP = `default-src 'none'; style-src '${STYLE_HASH}'; img-src data:; base-uri 'none'; form-action 'none'`

export function scorecardDocument(title: string, content: Content): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(SCORECARD_CSP)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Trunkscope</title>
<link rel="icon" href="data:,">
<style>${new Html(SCORECARD_STYLE)}</style>
</head>
<body>
<main>
${content}
</main>
<footer>Trunkscope. Times are UTC. Measured at the carrier leg, from signalling only; no number here is end to end.</footer>
</body>
</html>
`
}

type Measured = Pick<ScorecardRow, 'unit' | 'value' | 'reason'>

const REASONS = {
  no_traffic: 'no traffic',
  no_attempts: 'not defined',
  insufficient_data: 'too few',
} as const

/** "98.4 %", "2.41 s", "12,345"; words where there is no number. */
export function valueText({ unit, value, reason }: Measured): string {
  if (value === null) return REASONS[reason ?? 'insufficient_data']
  if (unit === 'ratio') return percent(value)
  return unit === 's' ? duration(value) : count(value)
}

export function valueCell(row: Scorecard['groups'][number]['rows'][number]): Html {
  if (row.value === null) return html`<td class="num none">${valueText(row)}</td>`
  return html`<td class="num">${valueText(row)}${row.low_confidence ? html`<small>low confidence</small>` : null}</td>`
}

export function intervalText({ unit, interval }: Pick<ScorecardRow, 'unit' | 'interval'>): string {
  const [low, high] = interval ?? []
  if (low === undefined || high === undefined) return ''
  if (unit === 's') return `${duration(low)} to ${duration(high)}`
  return `${percent(low)} to ${percent(high)}`
}

/** "9,810 of 10,000; 12 excluded". */
export function doubtText(row: ScorecardRow): string {
  if (row.denominator !== undefined) {
    const excluded = row.excluded ? `; ${count(row.excluded)} excluded` : ''
    return `${count(row.numerator ?? 0)} of ${count(row.denominator)}${excluded}`
  }
  return row.count === undefined ? '' : `${count(row.count)} measured`
}

/** "+1.3 points", "−0.21 s", "+12 %". */
export function differenceText(row: ScorecardRow): string {
  const { difference, unit, previous } = row
  if (difference === null) return '–'
  const sign = difference > 0 ? '+' : difference < 0 ? '−' : '±'
  const size = Math.abs(difference)
  if (unit === 'ratio') return `${sign}${(size * 100).toFixed(size < 0.001 && size > 0 ? 2 : 1)} points`
  if (unit === 's') return `${sign}${duration(size)}`
  return previous.value ? `${sign}${percent(size / previous.value)}` : `${sign}${count(size)}`
}

const CHANGES: Record<ScorecardRow['change'], Html | null> = {
  better: html`<small class="good">▲ better</small>`,
  worse: html`<small class="bad">▼ worse</small>`,
  changed: html`<small>changed</small>`,
  not_significant: null,
  no_test: null,
}

export function changeCell(row: ScorecardRow): Html {
  return html`<td class="num">${differenceText(row)}${CHANGES[row.change]}</td>`
}

export function trendLine(row: ScorecardRow, weeks: readonly string[]): Html {
  const label = `${row.name}, ${weeks[0] ?? ''} to ${weeks.at(-1) ?? ''}: ${row.trend
    .map((value) => (value === null ? 'none' : valueText({ unit: row.unit, value })))
    .join(', ')}`
  return sparkline(row.trend, { label, ...scaleOf(row) })
}

/** Ratios over at least five points, all else from 0: noise must not look like a fall. */
function scaleOf({ unit, trend }: ScorecardRow): { floor?: number; max?: number } {
  if (unit !== 'ratio') return { floor: 0 }
  const values = trend.filter((value) => value !== null)
  const low = Math.max(0, Math.min(...values) - 0.01)
  return { floor: Math.min(low, 0.95), max: Math.min(1, low + 0.05) }
}

export function gradeText({ grade }: CarrierLine['grade']): string {
  return grade === 'NR' ? 'not rated' : `grade ${grade}`
}

export function weekText({ week, as_of }: Pick<Scorecards, 'week' | 'as_of'>): Html {
  return html`<p class="quiet">Week ${week.id}, ${day(week.from)} to ${day(week.to)} UTC${as_of === null ? ', no HEP frame yet' : html`, as of ${day(as_of)}`}.</p>`
}

export function notComplete({ week }: Pick<Scorecards, 'week'>): Html | null {
  if (week.is_complete) return null
  return html`<p class="note">This week is not complete: it is not over, or what was captured at its end has not come. Its counts will grow, and its grade may change.</p>`
}

export function appendix({ formulas, not_measured }: Pick<Scorecard, 'formulas' | 'not_measured'>): Html {
  return html`<section class="appendix"><h2>Appendix: what each number is</h2>
<p>Ratios carry the Wilson score interval at 95\u202f%; quantiles (nearest rank, from a histogram within 1.5\u202f%) the values at the ranks around them. A change is marked only where the intervals of the two weeks do not overlap; below 100 attempts a ratio is of low confidence. Open and incomplete attempts are in no ratio.</p>
<p>Grade: by the lower bound of the NER, A from 99\u202f%, B from 97, C from 94, D from 90, F below; one off for PDD p95 above its limit, one for 487s before anything rang that are significantly above the four weeks before, and one where false answers are suspected (FAS score of enough of its answers). Below 100 attempts a carrier is not rated; below 400 the grade is of low confidence.</p>
${not_measured.length === 0 ? null : html`<h2>Not measured</h2><ul class="plain">${not_measured.map(({ name, why }) => html`<li>${name}: ${why}.</li>`)}</ul>`}
<h2>Formulas</h2>
${table(
  'Formulas of the numbers',
  html`<th scope="col">Number</th><th scope="col">Formula</th><th scope="col">Source</th><th scope="col" class="num">Version</th><th scope="col" class="num">Floor</th>`,
  formulas.map(
    ({ id, name, formula, source, version, floor }) =>
      html`<tr><th scope="row">${name}<small>${id}</small></th><td>${formula}</td><td>${source}</td><td class="num">${version}</td><td class="num">${floor}</td></tr>`,
  ),
)}</section>`
}
