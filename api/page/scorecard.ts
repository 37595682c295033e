/** The scorecard of one carrier as a document: what a carrier manager takes to a meeting. No scripts; prints on A4. */
import { destinationOfPrefix } from '../../sip/e164.js'
import type { Scorecard, ScorecardRow } from '../scorecards/scorecard.js'
import { shareBar } from './chart.js'
import { count, day, percent, plural } from './format.js'
import { type Html, html } from './html.js'
import {
  appendix,
  changeCell,
  doubtText,
  gradeText,
  intervalText,
  notComplete,
  scorecardDocument,
  trendLine,
  valueCell,
  valueText,
  weekText,
} from './scorecard-parts.js'
import { table } from './table.js'

export function scorecardPage(card: Scorecard): Html {
  const { carrier, week } = card
  return scorecardDocument(`${carrier.name}, ${week.id}`, [
    head(card),
    notComplete(card),
    card.has_traffic ? null : silence(card),
    targets(card),
    rows(card),
    card.has_traffic
      ? [groups(card), destinations(card), attestations(card), worstHours(card), budgets(card), missed(card)]
      : [budgets(card), missed(card)],
    appendix(card),
  ])
}

function head(card: Scorecard): Html {
  const { carrier, grade, previous_grade: before } = card
  const doubt = { normal: '', low: 'low confidence', none: 'not rated' }[grade.confidence]
  return html`<header class="head"><div><h1>${carrier.name}</h1>
<p class="quiet">${carrier.id === carrier.name ? null : html`${carrier.id} · `}weekly scorecard${carrier.is_configured ? null : ' · no longer configured'}</p>
${weekText(card)}
<p>${grade.why} The week before: ${gradeText(before)}.</p>
${grade.deductions.length === 0 ? null : html`<ul class="plain">${grade.deductions.filter(({ rule, status }) => rule !== 'fas' || status !== 'not_measured').map(({ status, why }) => html`<li>${status === 'applied' ? html`<b class="bad">One off.</b> ` : null}${why}</li>`)}</ul>`}
</div><div class="grade grade-${grade.grade}"><b>${grade.grade}</b><small>${doubt === '' ? 'grade' : doubt}</small></div></header>`
}

function silence({ carrier, week }: Scorecard): Html {
  return html`<p class="note"><b>No traffic.</b> No attempt of ${carrier.name} was seen in ${week.id}, so nothing is known: neither good nor bad.</p>`
}

function targets({ targets: list }: Scorecard): Html | null {
  if (list.length === 0) return null
  return html`<section><h2>Contracted targets</h2>${table(
    'Promised against delivered',
    html`<th scope="col">Target</th><th scope="col" class="num">Promised</th><th scope="col" class="num">Delivered</th><th scope="col">Verdict</th>`,
    list.map(
      (target) =>
        html`<tr><th scope="row">${target.name}</th><td class="num">${target.bound === 'at_least' ? 'at least ' : 'at most '}${valueText({ unit: target.unit, value: target.promised })}</td><td class="num">${target.delivered === null ? html`<span class="none">not measured</span>` : valueText({ unit: target.unit, value: target.delivered })}</td><td>${verdict(target)}</td></tr>`,
    ),
    { isCaptionShown: true },
  )}</section>`
}

function verdict({ status, is_certain, low_confidence, unit }: Scorecard['targets'][number]): Html {
  if (status === 'not_measured') return html`<span class="none">too little to say</span>`
  const word = html`<b class="${status === 'met' ? 'good' : 'bad'}">${status}</b>`
  if (low_confidence) return html`${word} <span class="quiet">low confidence</span>`
  if (is_certain) return html`${word} <span class="quiet">for certain: the whole interval says so</span>`
  return html`${word} <span class="quiet">${unit === 'ratio' ? 'the interval holds the target: may be chance' : 'without a test'}</span>`
}

function rows(card: Scorecard): Html {
  return html`<section class="long"><div class="title"><h2>The week</h2> <p class="quiet">against the week before, and thirteen weeks</p></div>${table(
    `A change is marked where the 95\u202f% intervals do not overlap`,
    html`<th scope="col">Number</th><th scope="col" class="num">${card.week.id}</th><th scope="col" class="num">95\u202f% interval</th><th scope="col" class="num">Counts</th><th scope="col" class="num">Week before</th><th scope="col" class="num">Difference</th><th scope="col" class="num">13 weeks</th>`,
    card.rows.map((row) => rowLine(row, card.trend_weeks)),
    { isCaptionShown: true },
  )}</section>`
}

function rowLine(row: ScorecardRow, weeks: readonly string[]): Html {
  return html`<tr><th scope="row">${row.name}</th>${valueCell(row)}<td class="num quiet">${intervalText(row)}</td><td class="num quiet">${doubtText(row)}</td><td class="num">${row.previous.value === null ? html`<span class="none">${valueText({ ...row.previous, unit: row.unit })}</span>` : valueText({ ...row.previous, unit: row.unit })}</td>${changeCell(row)}<td class="num">${trendLine(row, weeks)}</td></tr>`
}

function groups({ groups: list, rows: all }: Scorecard): Html {
  const names = list[0]?.rows.map(({ id }) => all.find((row) => row.id === id)?.name ?? id) ?? []
  return html`<section><h2>By site and direction</h2>${table(
    'Numbers by site and direction',
    html`<th scope="col">Site</th><th scope="col">Direction</th>${names.map((name) => html`<th scope="col" class="num">${name}</th>`)}`,
    list.map(
      ({ site, direction, rows: numbers }) =>
        html`<tr><th scope="row">${site}</th><td>${direction}</td>${numbers.map(valueCell)}</tr>`,
    ),
  )}</section>`
}

const WHY_NOT = {
  not_kept: 'Attempts of this week are not kept any more, and destinations are read from them.',
  too_many_attempts:
    'There are more attempts in this week than one answer can read, so destinations are left out.',
}

function destinations(card: Scorecard): Html {
  const { destinations: found, destinations_reason: reason } = card
  if (found === null) {
    return html`<section><h2>Destinations</h2><p class="quiet">${WHY_NOT[reason ?? 'not_kept']}</p></section>`
  }
  const { prefixes, without_prefix } = found
  return html`<section><div class="title"><h2>Destinations</h2> <p class="quiet">${plural(prefixes, 'prefix', 'prefixes')} of up to seven digits of the routing number, ported numbers by where they went; ${without_prefix === 0 ? 'every attempt has one' : `${plural(without_prefix, 'attempt')} without`}; named from ten attempts on</p></div>
<div class="two">${prefixTable('Most attempts', found.most_attempts)}${prefixTable('Most excess failures', found.most_failures, true)}</div></section>`
}

function prefixTable(
  caption: string,
  list: NonNullable<Scorecard['destinations']>['most_attempts'],
  byExcess = false,
): Html {
  if (list.length === 0) {
    return html`<div><p class="quiet">${caption}: ${byExcess ? 'none fails more than the carrier’s mean explains' : 'no prefix has ten attempts'}.</p></div>`
  }
  return html`${table(
    `${caption}${byExcess ? ': failures beyond the carrier’s own mean' : ''}`,
    html`<th scope="col">Prefix</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Answered</th><th scope="col" class="num">NER</th><th scope="col" class="num">Failed</th><th scope="col" class="num">Excess</th>`,
    list.map(
      (entry) =>
        html`<tr><th scope="row">${entry.prefix} <small>${destinationOfPrefix(entry.prefix).name}</small></th><td class="num">${count(entry.attempts)}</td><td class="num">${count(entry.answered)}</td><td class="num">${entry.ner_attempts === 0 ? '–' : percent(1 - entry.failures / entry.ner_attempts)}</td><td class="num">${count(entry.failures)}</td><td class="num">${signed(entry.excess_failures)}${entry.is_significant ? html`<small class="bad">significant</small>` : null}</td></tr>`,
    ),
    { isCaptionShown: true },
  )}`
}

function signed(value: number): string {
  return value.toFixed(1).replace('-', '−')
}

const LEVELS: readonly (readonly [string, string])[] = [
  ['A', 'A, full'],
  ['B', 'B, partial'],
  ['C', 'C, gateway'],
  ['none', 'no token'],
  ['malformed', 'malformed'],
]

function attestations({ attestations: levels }: Scorecard): Html {
  const shares = LEVELS.map(([level, label]) => ({ kind: `a-${level}`, label, count: levels[level] ?? 0 }))
  const all = shares.reduce((sum, share) => sum + share.count, 0)
  return html`<section><div class="title"><h2>Attestation</h2> <p class="quiet">what the PASSporTs claim; signatures are not verified</p></div>
${shareBar(shares, { label: 'Attestation', width: 700 })}
<p class="legend">${shares.map((share) => html`<span><svg width="10" height="10" aria-hidden="true"><rect class="${share.kind}" width="10" height="10"/></svg>${share.label}: ${count(share.count)} (${percent(share.count / Math.max(1, all))})</span>`)}</p></section>`
}

function worstHours({ worst_hours: hours }: Scorecard): Html {
  if (hours.length === 0) {
    return html`<section><h2>Worst hours</h2><p class="quiet">No hour failed more than the mean of the week explains.</p></section>`
  }
  return html`<section><div class="title"><h2>Worst hours</h2> <p class="quiet">most failures beyond the carrier’s own mean of the week</p></div>${table(
    'Worst hours',
    html`<th scope="col">Hour from, UTC</th><th scope="col" class="num">Attempts in the NER</th><th scope="col" class="num">NER</th><th scope="col" class="num">Failed</th><th scope="col" class="num">Excess</th>`,
    hours.map(
      (hour) =>
        html`<tr><th scope="row">${day(hour.from)}</th><td class="num">${count(hour.attempts)}</td><td class="num">${percent(hour.ner)}</td><td class="num">${count(hour.failures)}</td><td class="num">${signed(hour.excess_failures)}${hour.is_significant ? html`<small class="bad">significant</small>` : null}</td></tr>`,
    ),
  )}</section>`
}

function budgets({ budgets: list }: Scorecard): Html | null {
  if (list.length === 0) return null
  return html`<section><div class="title"><h2>Error budgets</h2> <p class="quiet">at the end of the week, over the window of each objective</p></div>${table(
    'Error budgets',
    html`<th scope="col">Objective</th><th scope="col" class="num">Promised</th><th scope="col">Window</th><th scope="col" class="num">Bad of valid</th><th scope="col" class="num">Budget left</th>`,
    list.map(
      (budget) =>
        html`<tr><th scope="row">${budget.name}${budget.site === null ? null : ` at ${budget.site}`}</th><td class="num">${percent(budget.objective)}</td><td>${day(budget.window_from)} to ${day(budget.window_to)}</td><td class="num">${count(budget.bad)} of ${count(budget.valid)}</td><td class="num">${budgetLeft(budget)}</td></tr>`,
    ),
  )}</section>`
}

function budgetLeft({ left_ratio: left, cannot_be_shown }: Scorecard['budgets'][number]): Html {
  if (left === null) return html`<span class="none">no traffic</span>`
  const spent = left < -1 ? `spent ${(1 - left).toFixed(1)} times` : `overspent by ${percent(-left)}`
  const word = left >= 0 ? html`${percent(left)}` : html`<b class="bad">${spent}</b>`
  return html`${word}${cannot_be_shown ? html`<small>too few attempts to show it</small>` : null}`
}

function missed({ counts, tap, rows: all }: Scorecard): Html {
  const loss = all.find(({ id }) => id === 'capture_loss')
  // Of every cause the same calls are taken out as of the 487s.
  const excluded = Object.entries(counts.excluded).filter(([id]) => !id.startsWith('cancel_'))
  return html`<section><h2>What does not count, and what the tap missed</h2><ul class="plain">
<li>${plural(counts.open, 'attempt')} still open and ${count(counts.incomplete)} incomplete: in no ratio.${loss === undefined || loss.value === null ? null : html` Capture loss ${percent(loss.value)} of all attempts.`}</li>
${excluded.length === 0 ? null : html`<li>Excluded by definition: ${excluded.map(([id, number], index) => `${index === 0 ? '' : ', '}${all.find((row) => row.id === id)?.name ?? id} ${count(number)}`)}.</li>`}
${
  tap === null
    ? html`<li>What the tap as a whole missed is not told to a token of some carriers.</li>`
    : html`<li>All agents together: ${plural(tap.agents, 'agent')}, ${count(tap.sip_messages)} SIP messages, ${count(tap.refused)} frames refused, ${count(tap.unreadable)} unreadable, ${count(tap.truncated)} messages cut, Identity cut in ${count(tap.identity_cut)} of ${count(tap.identity_seen)}; ${plural(tap.hours_without_sip, 'hour')} without any SIP.</li>`
}
</ul></section>`
}
