/** All carriers of a week side by side: as a document to print, and as a page with the way to each. */
import type { SeenDeps } from '../deps.js'
import { LIST_ROWS } from '../scorecards/read.js'
import type { CarrierLine, Scorecards } from '../scorecards/scorecard.js'
import { type Week, weekAt, weekBefore } from '../scorecards/week.js'
import { count, percent, plural } from './format.js'
import { type Html, html } from './html.js'
import { page } from './layout.js'
import {
  appendix,
  differenceText,
  notComplete,
  scorecardDocument,
  trendLine,
  valueText,
  weekText,
} from './scorecard-parts.js'
import { table } from './table.js'

const COLUMNS = [
  'attempts',
  'minutes_of_use',
  'asr',
  'ner',
  'acd',
  'pdd_p50',
  'pdd_p95',
  'pre_ring_487_rate',
  'short_call_rate',
  'rate_503',
  'attestation_a_rate',
  'capture_loss',
] as const

/** The document. */
export function scorecardsPage(cards: Scorecards): Html {
  return scorecardDocument(`All carriers, ${cards.week.id}`, [
    html`<header class="head"><div><h1>All carriers</h1><p class="quiet">weekly scorecards, side by side</p>${weekText(cards)}</div></header>`,
    notComplete(cards),
    cards.carriers.length === 0
      ? html`<p class="note">There is no carrier to show.</p>`
      : [
          gradesTable(cards, (line) => html`${line.carrier.name}`),
          ...inGroups(COLUMNS, 6).map((columns) => numbersTable(cards, columns)),
          sharedTable(cards),
        ],
    cards.unattributed === 0
      ? null
      : html`<p class="note">${plural(cards.unattributed, 'attempt')} of this week ${cards.unattributed === 1 ? 'is' : 'are'} of nobody in the configuration, and in no scorecard.</p>`,
    appendix(cards),
  ])
}

/** The page: less room on a screen, and a scorecard behind each name. */
export function scorecardListPage(deps: SeenDeps, cards: Scorecards, week: Week, stored: Html | null): Html {
  const nowS = Math.floor(deps.nowUs() / 1e6)
  const next = weekAt(week.toS)
  const weekLink = (other: Week, text: string) =>
    html`<a href="/scorecards?week=${other.id}">${text} ${other.id}</a>`
  const formats = ['html', 'csv', 'json', 'pdf'] as const
  return page(deps, {
    title: `Scorecards ${week.id}`,
    path: '/scorecards',
    content: [
      html`<div class="title"><h1>Scorecards</h1> <p class="quiet">week ${week.id}, ${cards.week.from.slice(0, 10)} to ${cards.week.to.slice(0, 10)} UTC${cards.week.is_complete ? '' : ', not complete'}</p></div>`,
      html`<p>${weekLink(weekBefore(week), '←')}${next.fromS <= nowS ? html` · ${weekLink(next, '→')}` : null} · all carriers as ${formats.map((format) => html` <a href="/v1/scorecards?week=${week.id}&amp;format=${format}">${format.toUpperCase()}</a>`)}</p>`,
      html`<section>${
        cards.carriers.length === 0
          ? html`<h2>None</h2><p class="quiet">There is no carrier to show.</p>`
          : listTable(cards, week)
      }</section>`,
      stored,
      html`<section><h2>How to read it</h2><p class="quiet">The grade goes by the lower bound of the NER, so it needs attempts: below 100 a carrier is not rated, below 400 the grade is of low confidence. Shares of carriers with other destinations do not compare; the document of all carriers has the NER on shared prefixes.</p></section>`,
    ],
  })
}

function listTable(cards: Scorecards, week: Week): Html {
  const columns = LIST_ROWS.map((id) => cards.carriers[0]!.rows.find((row) => row.id === id)!)
  return html`${table(
    `Scorecards of ${week.id}`,
    html`<th scope="col">Carrier</th><th scope="col">Grade</th><th scope="col">Week before</th>${columns.map(({ name }) => html`<th scope="col" class="num">${name}</th>`)}<th scope="col">Scorecard</th>`,
    cards.carriers.map((line) => {
      const href = (format: string) =>
        `/v1/carriers/${encodeURIComponent(line.carrier.id)}/scorecard?week=${week.id}&format=${format}`
      return html`<tr><th scope="row"><a href="/carriers/${encodeURIComponent(line.carrier.id)}">${line.carrier.name}</a></th><td><b>${line.grade.grade}</b>${confidence(line)}</td><td>${line.previous_grade.grade}</td>${LIST_ROWS.map(
        (id) => {
          const row = line.rows.find((known) => known.id === id)!
          return html`<td class="num">${row.value === null ? html`<span class="none">${valueText(row)}</span>` : valueText(row)}</td>`
        },
      )}<td class="nowrap"><a href="${href('html')}">Open</a> · <a href="${href('csv')}">CSV</a> · <a href="${href('pdf')}">PDF</a></td></tr>`
    }),
    { look: 'many' },
  )}`
}

function confidence({ grade, has_traffic }: CarrierLine): Html | null {
  if (!has_traffic) return html` <small>no traffic</small>`
  if (grade.confidence === 'normal') return null
  return html` <small>${grade.confidence === 'low' ? 'low confidence' : 'not rated'}</small>`
}

function gradesTable(cards: Scorecards, name: (line: CarrierLine) => Html): Html {
  return html`<section><h2>Grades</h2>${table(
    'Grades',
    html`<th scope="col">Carrier</th><th scope="col">Grade</th><th scope="col">Week before</th><th scope="col">Why</th>`,
    cards.carriers.map(
      (line) =>
        html`<tr><th scope="row">${name(line)}</th><td class="grade-cell grade-${line.grade.grade}"><b>${line.grade.grade}</b>${confidence(line)}</td><td>${line.previous_grade.grade}</td><td>${line.has_traffic ? line.grade.why : 'No traffic: nothing is known.'}${line.grade.deductions.filter(({ status }) => status === 'applied').map(({ why }) => ` ${why}`)}</td></tr>`,
    ),
  )}</section>`
}

function inGroups<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
    items.slice(at * size, (at + 1) * size),
  )
}

function numbersTable(cards: Scorecards, columns: readonly string[]): Html {
  const head = columns.map((id) => cards.carriers[0]!.rows.find((row) => row.id === id)!)
  return html`<section><h2>${head.map(({ name }, index) => (index === 0 ? name : `, ${name}`))}</h2>${table(
    head.map(({ name }) => name).join(', '),
    html`<th scope="col">Carrier</th>${head.map(({ name }) => html`<th scope="col" class="num">${name}</th>`)}`,
    cards.carriers.map(
      (line) =>
        html`<tr><th scope="row">${line.carrier.name}</th>${columns.map((id) => numberCell(line, id, cards.trend_weeks))}</tr>`,
    ),
  )}</section>`
}

function numberCell(line: CarrierLine, id: string, weeks: readonly string[]): Html {
  const row = line.rows.find((known) => known.id === id)!
  if (row.value === null) return html`<td class="num none">${valueText(row)}</td>`
  const mark =
    row.change === 'better'
      ? html`<small class="good">▲ better</small>`
      : row.change === 'worse'
        ? html`<small class="bad">▼ worse</small>`
        : null
  return html`<td class="num">${valueText(row)}<small>${differenceText(row)}</small>${mark}${trendLine(row, weeks)}</td>`
}

function sharedTable({ carriers, shared_reason: reason }: Scorecards): Html {
  const lines = carriers.flatMap((line) => (line.shared === null ? [] : [{ line, shared: line.shared }]))
  const why =
    reason === 'not_kept'
      ? 'Attempts of this week are not kept any more.'
      : reason === 'too_many_attempts'
        ? 'There are more attempts in this week than one answer can read.'
        : 'No two carriers share a destination prefix with ten attempts.'
  return html`<section><div class="title"><h2>On shared destinations</h2> <p class="quiet">the NER of each carrier on prefixes that others carried too, beside what the others made of the same mix</p></div>${
    lines.length === 0
      ? html`<p class="quiet">${why}</p>`
      : html`${table(
          'Carriers on shared destinations',
          html`<th scope="col">Carrier</th><th scope="col" class="num">Prefixes</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">NER</th><th scope="col" class="num">Others, same mix</th><th scope="col">Verdict</th>`,
          lines.map(
            ({ line, shared }) =>
              html`<tr><th scope="row">${line.carrier.name}</th><td class="num">${count(shared.prefixes)}</td><td class="num">${count(shared.attempts)}</td><td class="num">${percent(shared.ner)}</td><td class="num">${percent(shared.expected_ner)}</td><td class="nowrap">${shared.is_significant ? (shared.ner > shared.expected_ner ? html`<b class="good">better than the others</b>` : html`<b class="bad">worse than the others</b>`) : 'no significant difference'}</td></tr>`,
          ),
        )}`
  }</section>`
}
