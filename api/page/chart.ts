/**
 * Small drawings as SVG: sparklines in table cells, bars of shares, charts over time.
 *
 * Takes    numbers; null is a gap, not 0. Colours are classes of the style sheet, so that both themes have their own.
 * Returns  markup with a text alternative; coordinates are numbers of ours, texts are escaped by the template.
 */
import { type Html, html } from './html.js'
import { table } from './table.js'

type Points = readonly (number | null)[]

const SPARK_WIDTH = 96
const SPARK_HEIGHT = 20

/** A line with gaps. `max` fixes the scale (a ratio over its own range hides nothing and exaggerates nothing). */
export function sparkline(points: Points, options: { label: string; floor?: number; max?: number }): Html {
  const values = points.filter((point) => point !== null)
  if (values.length === 0)
    return html`<svg class="spark" width="${SPARK_WIDTH}" height="${SPARK_HEIGHT}" role="img" aria-label="${options.label}: no data"></svg>`
  const low = Math.min(options.floor ?? Infinity, ...values)
  const high = Math.max(options.max ?? -Infinity, ...values)
  const x = (index: number) => round(2 + (index / Math.max(1, points.length - 1)) * (SPARK_WIDTH - 4))
  const y = (value: number) =>
    round(SPARK_HEIGHT - 2 - ((value - low) / (high - low || 1)) * (SPARK_HEIGHT - 4))
  const last = points.findLastIndex((point) => point !== null)
  return html`<svg class="spark" width="${SPARK_WIDTH}" height="${SPARK_HEIGHT}" viewBox="0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}" role="img" aria-label="${options.label}"><path class="line" d="${linePath(points, x, y)}"/><circle class="dot" cx="${x(last)}" cy="${y(points[last] as number)}" r="1.8"/></svg>`
}

/** The course of a line in words, for its label: ", from 40 % to 52 %, between 38 % and 55 %". */
export function courseWords(points: Points, text: (value: number) => string): string {
  const values = points.filter((point) => point !== null)
  if (values.length < 2) return ''
  return `, from ${text(values[0]!)} to ${text(values.at(-1)!)}, between ${text(Math.min(...values))} and ${text(Math.max(...values))}`
}

/** Bars from 0; `above` stands on top of `bars`, lighter: what has no outcome yet. */
export function sparkbars(
  bars: readonly number[],
  above: readonly number[],
  options: { label: string },
): Html {
  const high = Math.max(1, ...bars.map((bar, index) => bar + (above[index] ?? 0)))
  const width = SPARK_WIDTH / Math.max(1, bars.length)
  const rect = (kind: string, index: number, from: number, to: number) =>
    to > from
      ? html`<rect class="${kind}" x="${round(index * width + 0.5)}" width="${round(Math.max(1, width - 1))}" y="${round(SPARK_HEIGHT - (to / high) * SPARK_HEIGHT)}" height="${round(((to - from) / high) * SPARK_HEIGHT)}"/>`
      : null
  return html`<svg class="spark" width="${SPARK_WIDTH}" height="${SPARK_HEIGHT}" viewBox="0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}" role="img" aria-label="${options.label}">${bars.map((bar, index) => [rect('bar', index, 0, bar), rect('bar-open', index, bar, bar + (above[index] ?? 0))])}</svg>`
}

export interface Share {
  /** Class of the colour. */
  kind: string
  label: string
  count: number
}

/** One bar of 100 %, left to right in the given order. The numbers stand in its label and its titles. */
export function shareBar(shares: readonly Share[], options: { label: string; width?: number }): Html {
  const total = shares.reduce((sum, share) => sum + share.count, 0)
  const width = options.width ?? 120
  if (total === 0) return html`<span class="quiet">no attempts</span>`
  const words = shares
    .filter(({ count }) => count > 0)
    .map(({ label, count }) => `${label} ${count} (${((count / total) * 100).toFixed(1)} %)`)
    .join(', ')
  let at = 0
  const parts = shares.map(({ kind, label, count }) => {
    if (count === 0) return null
    const size = (count / total) * width
    const part = html`<rect class="${kind}" x="${round(at)}" y="0" width="${round(Math.max(0.75, size - 0.75))}" height="12"><title>${label}: ${count} of ${total}</title></rect>`
    at += size
    return part
  })
  return html`<svg class="shares" viewBox="0 0 ${width} 12" width="${width}" height="12" preserveAspectRatio="none" role="img" aria-label="${options.label}: ${words}">${parts}</svg>`
}

export interface ChartLine {
  kind: string
  label: string
  points: Points
  /** Intervals of the points, drawn as a band. */
  band?: readonly (readonly [number, number] | null)[]
}

export interface ChartBars {
  kind: string
  label: string
  counts: readonly number[]
}

export interface TimeChart {
  title: string
  /** One sentence: what is drawn. */
  description: string
  /** Labels of the points, in order. */
  times: readonly string[]
  lines?: readonly ChartLine[]
  /** Stacked, first at the bottom. */
  bars?: readonly ChartBars[]
  /** Writes a value of the axis. */
  unit: (value: number) => string
  /** Lowest top of the axis, so that noise does not fill it. */
  topAtLeast: number
  topAtMost?: number
}

const WIDTH = 460
const HEIGHT = 150
const LEFT = 46
const RIGHT = 8
const TOP = 10
const BOTTOM = 20

/** A chart over time with an axis from 0, a legend, and a table of its values for those who cannot see it. */
export function timeChart(chart: TimeChart): Html {
  const lines = chart.lines ?? []
  const bars = chart.bars ?? []
  const stacked = chart.times.map((_, index) => bars.reduce((sum, bar) => sum + (bar.counts[index] ?? 0), 0))
  const highest = Math.max(
    chart.topAtLeast,
    ...stacked,
    ...lines.flatMap(({ points }) => points.map((point) => point ?? 0)),
    ...lines.flatMap(({ band = [] }) => band.map((interval) => interval?.[1] ?? 0)),
  )
  const top = Math.min(chart.topAtMost ?? Infinity, niceTop(highest))
  const slot = (WIDTH - LEFT - RIGHT) / Math.max(1, chart.times.length)
  const x = (index: number) => round(LEFT + (index + 0.5) * slot)
  const y = (value: number) => round(HEIGHT - BOTTOM - (Math.min(value, top) / top) * (HEIGHT - TOP - BOTTOM))
  return html`<figure class="chart">
<figcaption><b>${chart.title}</b> <span class="quiet">${chart.description}</span></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${chart.title}, ${chart.times.length} points; the table below has the values">
${[0, 0.5, 1].map((part) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(part * top)}" y2="${y(part * top)}"/><text class="axis" x="${LEFT - 6}" y="${y(part * top) + 3.5}" text-anchor="end">${chart.unit(part * top)}</text>`)}
${timeMarks(chart.times).map((index) => html`<text class="axis" x="${x(index)}" y="${HEIGHT - 5}" text-anchor="middle">${chart.times[index]}</text>`)}
${stackedBars(bars, slot, x, y)}
${lines.map(({ band, kind }) => (band === undefined ? null : html`<path class="band ${kind}" d="${bandPath(band, x, y)}"/>`))}
${lines.map(({ kind, points }) => html`<path class="line ${kind}" d="${linePath(points, x, y)}"/>${lonePoints(points).map((index) => html`<circle class="dot ${kind}" cx="${x(index)}" cy="${y(points[index] as number)}" r="2"/>`)}`)}
</svg>
<p class="legend">${[...lines, ...bars].map(({ kind, label }) => html`<span><i class="${kind}"></i>${label}</span>`)}</p>
<details><summary>Values</summary>${valueTable(chart)}</details>
</figure>`
}

function stackedBars(
  bars: readonly ChartBars[],
  slot: number,
  x: (index: number) => number,
  y: (value: number) => number,
): Html[] {
  const below: number[] = []
  const width = round(Math.max(0.8, slot - Math.min(1.5, slot * 0.2)))
  return bars.flatMap(({ counts, kind }) =>
    counts.flatMap((count, index) => {
      const from = below[index] ?? 0
      below[index] = from + count
      if (count === 0) return []
      const [foot, head] = [y(from), y(from + count)]
      return [
        html`<rect class="${kind}" x="${round(x(index) - width / 2)}" width="${width}" y="${head}" height="${round(foot - head)}"/>`,
      ]
    }),
  )
}

function valueTable({ times, lines = [], bars = [], unit, title }: TimeChart): Html {
  const columns = [
    ...lines.map(({ label, points }) => ({ label, values: points })),
    ...bars.map(({ label, counts }) => ({ label, values: counts as Points })),
  ]
  return html`${table(
    `${title}`,
    html`<th scope="col">UTC</th>${columns.map(({ label }) => html`<th scope="col">${label}</th>`)}`,
    times.map(
      (time, index) =>
        html`<tr><th scope="row">${time}</th>${columns.map(({ values }) => html`<td>${values[index] === null || values[index] === undefined ? '–' : unit(values[index])}</td>`)}</tr>`,
    ),
    { look: 'plain' },
  )}`
}

function linePath(points: Points, x: (index: number) => number, y: (value: number) => number): string {
  let path = ''
  let isDrawing = false
  points.forEach((point, index) => {
    if (point !== null) path += `${isDrawing ? 'L' : 'M'}${x(index)} ${y(point)}`
    isDrawing = point !== null
  })
  return path
}

/** Points with a gap on both sides: a line would not show them. */
function lonePoints(points: Points): number[] {
  return points.flatMap((point, index) =>
    point !== null && (points[index - 1] ?? null) === null && (points[index + 1] ?? null) === null
      ? [index]
      : [],
  )
}

function bandPath(
  band: readonly (readonly [number, number] | null)[],
  x: (index: number) => number,
  y: (value: number) => number,
): string {
  let path = ''
  let run: number[] = []
  const close = () => {
    if (run.length > 1) {
      const upper = run.map((index) => `${x(index)} ${y(band[index]![1])}`)
      const lower = run.reverse().map((index) => `${x(index)} ${y(band[index]![0])}`)
      path += `M${upper.join('L')}L${lower.join('L')}Z`
    }
    run = []
  }
  band.forEach((interval, index) => {
    if (interval === null) close()
    else run.push(index)
  })
  close()
  return path
}

function timeMarks(times: readonly string[]): number[] {
  const marks = Math.min(5, times.length)
  return Array.from({ length: marks }, (_, mark) => Math.floor(((mark + 0.5) * times.length) / marks))
}

function niceTop(value: number): number {
  if (value <= 0) return 1
  const magnitude = 10 ** Math.floor(Math.log10(value))
  const step =
    [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((candidate) => candidate * magnitude >= value * 0.999) ?? 10
  return step * magnitude
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
