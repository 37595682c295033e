/** report.html of a pack: what a carrier manager puts on the table. No scripts; prints on A4; links stay within the folder. */
import { wilsonInterval } from '../kpi/interval.js'
import { count, day, percent } from '../page/format.js'
import { type Html, html } from '../page/html.js'
import { intervalText, scorecardDocument, valueCell, valueText } from '../page/scorecard-parts.js'
import type { PackContents, WindowRow } from './contents.js'
import { type Count, type Section, totalOf } from './counts.js'

export interface ReportCall {
  /** Of its files, without the ending. */
  file: string
  at: string
  outcome: string
  has_messages: boolean
}

export function reportPage(pack: PackContents, calls: readonly ReportCall[]): Html {
  const { carrier } = pack
  return scorecardDocument(`${carrier.name}, dispute pack`, [
    head(pack),
    targets(pack),
    credit(pack),
    pack.state.attempts === 0 ? null : [breakdown(pack), numbers(pack), identity(pack), evidence(pack)],
    samples(pack, calls),
    html`<section><h2>What does not count, and how to check</h2><p>${count(pack.state.open)} attempts open and ${count(pack.state.incomplete)} incomplete: in no ratio. What the tap missed stands in tap.csv, definitions and versions in formulas.txt, checksums in SHA256SUMS; README.txt says how they are checked.</p></section>`,
  ])
}

function head({ carrier, from, to, asOf, classes, counts, state }: PackContents): Html {
  const { attempts, failures } = totalOf(counts)
  const interval = wilsonInterval(failures, attempts)
  return html`<header><h1>${carrier.name}</h1><p class="quiet">${carrier.id === carrier.name ? null : `${carrier.id} · `}dispute pack, ${day(from)} to ${day(to)} UTC, as of ${asOf}</p>
${
  state.attempts === 0
    ? html`<p class="note"><b>No traffic.</b> No attempt was seen in the window: nothing is known, neither good nor bad.</p>`
    : html`<p><b>${count(failures)} of ${count(attempts)}</b> attempts failed${interval === null ? null : html`: ${percent(failures / attempts)}, 95\u202f% interval ${percent(interval[0])} to ${percent(interval[1])}${attempts < 100 ? ', low confidence' : ''}`}.</p>`
}
<ul class="plain">${classes.map(({ id, words }) => html`<li><b>${id}</b>: attempts ${words}</li>`)}</ul></header>`
}

function targets({ targets: list }: PackContents): Html {
  if (list.length === 0) {
    return html`<section><h2>Contracted targets</h2><p class="quiet">No target is configured for this carrier.</p></section>`
  }
  return html`<section><h2>Contracted targets</h2><div class="scroll"><table><caption>Promised against delivered in this window</caption>
<thead><tr><th scope="col">Target</th><th scope="col" class="num">Promised</th><th scope="col" class="num">Delivered</th><th scope="col">Verdict</th></tr></thead>
<tbody>${list.map((target) => html`<tr><th scope="row">${target.name}</th><td class="num">${target.bound === 'at_least' ? 'at least ' : 'at most '}${valueText({ unit: target.unit, value: target.promised })}</td><td class="num">${target.delivered === null ? 'not measured' : valueText({ unit: target.unit, value: target.delivered })}</td><td>${target.status === 'not_measured' ? 'too little to say' : html`<b class="${target.status === 'met' ? 'good' : 'bad'}">${target.status}</b> <span class="quiet">${target.is_certain ? 'for certain' : 'may be chance'}</span>`}</td></tr>`)}</tbody></table></div></section>`
}

const REACHED = {
  certain: 'reached for certain',
  point_estimate: 'reached, may be chance',
  no: 'not reached',
  not_measured: 'not measured',
} as const

function credit({ credit: due }: PackContents): Html {
  if (!due.is_configured) {
    return html`<section><h2>Service credit</h2><p class="quiet">No credit is configured for this carrier, so none is computed.</p></section>`
  }
  const money = due.amount
  return html`<section><h2>Service credit</h2><p><b>${due.certain_percent}\u202f% for certain</b>, ${due.point_estimate_percent}\u202f% by the measured value, of the charge of the period.${money === null ? null : html` That is ${money.certain} ${money.currency} and ${money.point_estimate} ${money.currency}.`} <span class="quiet">${due.amount_note}</span></p>
<p class="quiet">The period is the window, ${due.period.is_calendar_month ? 'a calendar month' : 'which is no calendar month'} (UTC). For certain: the whole interval lies beyond the tier.</p>
<div class="scroll"><table><caption>Tiers</caption><thead><tr><th scope="col">Number</th><th scope="col" class="num">Delivered</th><th scope="col">Tier</th><th scope="col" class="num">Credit</th><th scope="col">Verdict</th></tr></thead>
<tbody>${due.targets.flatMap((target) => target.tiers.map((tier) => html`<tr><th scope="row">${target.name}</th><td class="num">${target.delivered === null ? 'not measured' : valueText({ unit: target.unit, value: target.delivered })}</td><td>${tier.bound} ${valueText({ unit: target.unit, value: tier.value })}</td><td class="num">${tier.percent}\u202f%</td><td>${REACHED[tier.reached]}</td></tr>`))}</tbody></table></div></section>`
}

const BREAKDOWNS: readonly (readonly [Section, string])[] = [
  ['class', 'By class'],
  ['day', 'By day'],
  ['site', 'By site'],
  ['direction', 'By direction'],
  ['final_code', 'By final response'],
  ['q850_cause', 'By Q.850 cause'],
  ['cancel_class', 'By cancel class'],
  ['prefix', 'By prefix'],
]
const ROWS_SHOWN = 12

function breakdown({ counts }: PackContents): Html {
  return html`<section><h2>Where they failed <span class="quiet">all of it, and by hour, in counts.csv</span></h2><div class="two">${BREAKDOWNS.map(([section, caption]) => table(caption, section, counts))}</div></section>`
}

function table(caption: string, section: Section, counts: readonly Count[]): Html | null {
  const of = counts.filter((entry) => entry.section === section && entry.failures > 0)
  const most = [...of].sort((a, b) => b.failures - a.failures).slice(0, ROWS_SHOWN)
  // Days read in their order; everything else by how much of it there is.
  const rows = section === 'day' ? of.filter((entry) => most.includes(entry)) : most
  if (rows.length === 0) return null
  const left = of.length - rows.length
  return html`<div class="scroll"><table><caption>${caption}${left > 0 ? `: the ${rows.length} with the most failures, ${left} more` : ''}</caption>
<thead><tr><th scope="col">${section.replaceAll('_', ' ')}</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Failed</th><th scope="col" class="num">Share</th></tr></thead>
<tbody>${rows.map(({ key, attempts, failures }) => html`<tr><th scope="row">${key}</th><td class="num">${count(attempts)}</td><td class="num">${count(failures)}</td><td class="num">${percent(failures / attempts)}</td></tr>`)}</tbody></table></div>`
}

function numbers({ rows }: PackContents): Html {
  return html`<section class="long"><h2>The numbers of the window</h2><div class="scroll"><table>
<thead><tr><th scope="col">Number</th><th scope="col" class="num">Value</th><th scope="col" class="num">95\u202f% interval</th><th scope="col" class="num">Counts</th></tr></thead>
<tbody>${rows.map((row) => html`<tr><th scope="row">${row.name}</th>${valueCell(row)}<td class="num quiet">${intervalText(row)}</td><td class="num quiet">${countsText(row)}</td></tr>`)}</tbody></table></div></section>`
}

function identity({ tokens, identity: own }: PackContents): Html {
  const [heading, note] = [
    html`<h2>Signatures</h2>`,
    html`<p class="quiet">Claimed is what a token says of itself; signed is what its signature says; verified is every step of RFC 8224 §6.2 together. Not checked says nothing against it. Token by token: identity.csv, ${count(own.rows)} rows${own.left === 0 ? null : html`, and ${count(own.left)} more that did not fit`}.</p>`,
  ]
  if (tokens.directions.length === 0) {
    return html`<section>${heading}<p class="quiet">No token of this carrier was looked at in the window; ${count(tokens.carrying)} attempts carry one.</p></section>`
  }
  return html`<section class="long">${heading}${note}<div class="scroll"><table><caption>Tokens of ${count(tokens.lookedAt)} attempts of the window; ${count(tokens.carrying)} carry one by their own record</caption>
<thead><tr><th scope="col">Direction</th><th scope="col" class="num">Tokens</th><th scope="col">Claimed</th><th scope="col">Signed</th><th scope="col">Verified</th><th scope="col">Why not, and what else</th></tr></thead>
<tbody>${tokens.directions.map((one) => html`<tr><th scope="row">${one.direction}</th><td class="num">${count(one.tokens)}</td><td>${words({ A: one.claimed.A ?? 0, B: one.claimed.B ?? 0, C: one.claimed.C ?? 0 })}</td><td>${words(one.signed)}</td><td>${words(one.verified)}</td><td>${words({ ...one.reasons, ...one.findings }) || 'nothing'}</td></tr>`)}</tbody></table></div>
${
  tokens.rows.length === 0
    ? null
    : html`<div class="scroll"><table><caption>Numbers, inbound</caption>
<thead><tr><th scope="col">Number</th><th scope="col" class="num">Value</th><th scope="col" class="num">95\u202f% interval</th><th scope="col" class="num">Counts</th></tr></thead>
<tbody>${tokens.rows.map((row) => html`<tr><th scope="row">${row.name}</th>${valueCell(row)}<td class="num quiet">${intervalText(row)}</td><td class="num quiet">${countsText(row)}</td></tr>`)}</tbody></table></div>`
}</section>`
}

function evidence({ evidence: found, listed }: PackContents): Html {
  return html`<section><h2>Blame and suspicions <span class="quiet">of the ${count(listed)} attempts in attempts.csv</span></h2>
<ul class="plain"><li><b>Whose fault a CANCEL or 487 is</b>: ${words(found.blames) || 'none was given up'}</li>
<li><b>Other legs revised the verdict</b>: ${words(found.verdicts) || 'nowhere'}</li>
<li><b>Suspicions, from signalling only and never a verdict</b>: ${words(found.suspicions) || 'none'}${found.notLookedAt === 0 ? null : html`; ${count(found.notLookedAt)} attempts were not looked at`}</li></ul></section>`
}

function words(counts: Readonly<Record<string, number | undefined>>): string {
  return (
    Object.entries(counts)
      .filter(([, times]) => times !== undefined && times > 0)
      // Codes of suspicions stand as they are written elsewhere.
      .map(([name, times]) => `${/[A-Z]_/.test(name) ? name : name.replaceAll('_', ' ')} ${count(times!)}`)
      .join(', ')
  )
}

function countsText({ numerator, denominator, count: measured, excluded }: WindowRow): string {
  if (denominator === undefined) return measured === undefined ? '' : `${count(measured)} measured`
  const out = excluded === undefined || excluded === 0 ? '' : `, ${count(excluded)} excluded`
  return `${count(numerator ?? 0)} of ${count(denominator)}${out}`
}

const CALLS_SHOWN = 100

function samples({ calls: sample }: PackContents, calls: readonly ReportCall[]): Html {
  if (calls.length === 0) return html`<section><h2>Sample calls</h2><p class="quiet">None.</p></section>`
  const shown = calls.slice(0, CALLS_SHOWN)
  return html`<section><h2>Sample calls <span class="quiet">those with the smallest attempt ids: nobody chose them${calls.length > shown.length ? `; the first ${shown.length} of ${sample.given}, the others lie in calls/` : ''}</span></h2><div class="scroll"><table>
<thead><tr><th scope="col">INVITE, UTC</th><th scope="col">Outcome</th><th scope="col">Files</th></tr></thead>
<tbody>${shown.map(({ file, at, outcome, has_messages }) => html`<tr><th scope="row">${at}</th><td>${outcome}</td><td>${has_messages ? html`<a href="${file}.svg">ladder</a>, <a href="${file}.txt">messages</a>` : html`<a href="${file}.txt">record</a>, no messages kept`}</td></tr>`)}</tbody></table></div></section>`
}
