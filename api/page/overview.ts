/** The page at /: every carrier on one screen, what got worse, how calls end, and how the tap is doing. */

import { kpiOf } from '../../schemas/kpi-catalog.js'
import { readUnknownPeers, type UnknownPeer } from '../carriers/unknown-peers.js'
import type { SeenDeps } from '../deps.js'
import { type KpiValue, kpiValueOf } from '../kpi/answer.js'
import { firstStepUs, kpisNamed, stepStartsOf } from '../kpi/query.js'
import { type KpiGroup, readKpiGroups } from '../kpi/series.js'
import { addSums, anyAttempts, countOf, emptySums, type Sums } from '../kpi/sums.js'
import { type AgentJson, readAgents } from '../tap/agents.js'
import { courseWords, shareBar, sparkbars, sparkline } from './chart.js'
import { emptyState } from './empty.js'
import { count, duration, intervalText, kpiDoubt, kpiText, NONE, percent, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { type PageRange, page, stepFor, stepWords } from './layout.js'
import { refusedTable } from './refused.js'
import { attestationShares, legendOf, responseShares } from './shares.js'
import { table } from './table.js'
import { agentTable, tapStrip, unknownPeersSection } from './tap.js'
import {
  attemptsBeforeSilence,
  type Change,
  changesForTheWorse,
  recentSteps,
  WATCHED_IDS,
  type WatchedKpi,
} from './worse.js'

interface Overview {
  range: PageRange
  stepS: number
  groups: KpiGroup[]
  /** undefined: the tap is of all carriers together, and who asks may see some. */
  agents: AgentJson[] | undefined
  peers: UnknownPeer[]
}

const POINTS_MAX = 24

export async function overviewPage(deps: SeenDeps, range: PageRange): Promise<Html> {
  const stepS = stepFor(range, POINTS_MAX)
  const [groups, agents] = await Promise.all([
    readGroups(deps, range, stepS),
    deps.principal.carriers === 'all' ? readAgents(deps, range) : undefined,
  ])
  const unknown = groups.find(({ by }) => by.carrier === 'unknown')
  const hasUnknown = unknown !== undefined && anyAttempts(unknown.total) > 0
  const peers = hasUnknown ? await readUnknownPeers(deps.readers, range) : []
  return page(deps, {
    title: 'Carriers',
    path: '/',
    range,
    content: contentOf(deps, { range, stepS, groups, agents, peers }),
  })
}

/**
 * The sums of the range with all that the page shows; the steps, most of what is read, with what their lines and changes need.
 */
async function readGroups(deps: SeenDeps, range: PageRange, stepS: number): Promise<KpiGroup[]> {
  const asked = {
    fromUs: range.fromUs,
    toUs: range.toUs,
    groupBy: ['carrier'] as const,
    where: { carrier: [], site: [], direction: [] },
    exact: false,
  }
  const [totals, series] = await Promise.all([
    readKpiGroups(deps.readers, deps.config, {
      ...asked,
      stepS: null,
      kpis: kpisNamed([...COLUMNS.map(({ id }) => id), 'attestation_a_rate', 'acd']),
      without: ['dispositions', 'cancels'],
    }),
    readKpiGroups(deps.readers, deps.config, {
      ...asked,
      stepS,
      byClock: true,
      kpis: kpisNamed(WATCHED_IDS),
      without: ['responses', 'dispositions', 'cancels', 'attestations'],
    }),
  ])
  const stepsOf = new Map(series.map(({ by, steps }) => [by.carrier, steps]))
  // Of two statements the later may know a carrier more.
  return totals.map((group) => ({ ...group, steps: stepsOf.get(group.by.carrier) ?? [] }))
}

function contentOf(deps: SeenDeps, overview: Overview): Content {
  const { groups, agents, peers, range } = overview
  const total = groups.reduce((sums, group) => addSums(sums, group.total), emptySums())
  const isEmpty = anyAttempts(total) === 0
  const changes = new Map(
    groups.map(({ by, steps }) => [by.carrier ?? '', changesForTheWorse(steps ?? [])] as const),
  )
  return [
    html`<h1 class="hidden">Carriers, ${range.words}</h1>`,
    isEmpty ? emptyState(deps, range) : null,
    isEmpty ? null : totalsStrip(deps, total, range),
    isEmpty ? null : worseSection(deps, overview, changes),
    isEmpty && deps.config.carriers.length === 0 ? null : carrierSection(deps, overview, changes),
    html`<div class="columns">${[
      isEmpty ? null : responseSection(deps, overview),
      agents === undefined ? null : html`<div>${agentTable(agents, range)}${refusedTable(deps)}</div>`,
    ]}</div>`,
    unknownPeersSection(peers, range),
  ]
}

const numberOf = (id: string, sums: Sums): KpiValue => kpiValueOf(kpiOf(id)!, sums)

function totalsStrip(deps: SeenDeps, total: Sums, range: PageRange): Html {
  const entry = (label: string, id: string) => {
    const value = numberOf(id, total)
    const interval = intervalText(value)
    return html`<div><dt>${label}</dt><dd title="${kpiDoubt(value)}">${value.value === null ? html`<span class="none">${kpiText(value)}</span>` : kpiText(value)}<small>${interval === '' ? (value.unit === 's' ? plural(value.count, 'call') : '') : html`${interval}\u202f%`}</small></dd></div>`
  }
  return html`<section aria-label="All carriers, ${range.words}"><dl class="totals">
<div><dt>Attempts</dt><dd>${count(countOf(total, 'attempts'))}<small>closed</small></dd></div>
<div><dt>Open</dt><dd>${count(countOf(total, 'open'))}<small>no outcome yet</small></dd></div>
<div><dt>Incomplete</dt><dd>${count(countOf(total, 'incomplete'))}<small>capture loss</small></dd></div>
${entry('ASR', 'asr')}${entry('NER', 'ner')}${entry('487', 'rate_487')}${entry('Pre-ring 487', 'pre_ring_487_rate')}${entry('PDD median', 'pdd_p50')}${entry('PDD p95', 'pdd_p95')}${entry('Attested A', 'attestation_a_rate')}${entry('ACD', 'acd')}
</dl>${deps.principal.carriers === 'all' ? tapStrip(deps) : null}</section>`
}

function worseSection(
  deps: SeenDeps,
  { groups, stepS, range }: Overview,
  changes: Map<string, Map<WatchedKpi, Change>>,
): Html | null {
  const starts = stepStartsOf({ ...range, stepS, byClock: true })
  const recentUs = starts.at(-recentSteps(starts.length)) ?? range.toUs
  const recentS = (range.toUs - recentUs) / 1e6
  const earlierS = (recentUs - range.fromUs) / 1e6
  const lines = groups.flatMap(({ by, steps }) => {
    const silence = attemptsBeforeSilence(steps ?? [], recentS / earlierS)
    const worse = [...(changes.get(by.carrier ?? '')?.values() ?? [])]
    if (worse.length === 0 && silence === undefined) return []
    const silent =
      silence === undefined
        ? null
        : html`<span class="change"><b>no attempt in ${lengthWords(recentS)}</b> <small>${count(silence)} in the ${lengthWords(earlierS)} before</small></span>`
    return [
      html`<li><a href="${carrierHref(by.carrier ?? '', range)}"><b>${nameOf(deps, by.carrier)}</b></a> ${silent}${worse.map(
        ({ kpi, recent, before }) =>
          html`<span class="change" title="now ${kpiDoubt(recent)}; before ${kpiDoubt(before)}">${SHORT[kpi.id] ?? kpi.name} <b>${kpiText(recent)}</b> <small>from ${kpiText(before)}</small><span class="hidden">; now ${kpiDoubt(recent)}; before ${kpiDoubt(before)}.</span></span> `,
      )}</li>`,
    ]
  })
  return html`<section><div class="title"><h2>${lines.length === 0 ? html`<span class="good">Nothing got significantly worse</span>` : html`<span class="bad">Got worse</span>`}</h2> <p class="quiet">each carrier’s last ${lengthWords(recentS)} against its own ${lengthWords(earlierS)} before; shown where the 95\u202f% intervals do not overlap; open attempts are taken to end well</p></div>${lines.length === 0 ? null : html`<ul class="notes">${lines}</ul>`}</section>`
}

/** How long the points of a line are: hours and more go by the clock, and the range may cut two of them. */
export function pointWords(range: PageRange, stepS: number): string {
  const isCut = firstStepUs({ ...range, stepS, byClock: true }) !== range.fromUs
  return isCut ? `${stepWords(stepS)} by the clock (the first and the last shorter)` : stepWords(stepS)
}

/** "6 h", or "5 h 34 min": hours by the clock have no whole ones at the ends of a range. */
function lengthWords(seconds: number): string {
  const minutesS = seconds > 3_600 ? seconds % 3_600 : 0
  if (minutesS === 0) return stepWords(seconds)
  return `${Math.floor(seconds / 3_600)} h ${stepWords(minutesS)}`
}

/** For the list of changes; the catalog has the full names. */
const SHORT: Record<string, string> = {
  asr: 'ASR',
  ner: 'NER',
  rate_487: '487',
  pre_ring_487_rate: 'pre-ring 487',
  rate_5xx: '5xx',
  no_response_rate: 'no response',
  attestation_a_rate: 'attested A',
  attestation_none_rate: 'unsigned',
}

const COLUMNS: readonly { id: WatchedKpi; label: string; title: string }[] = [
  { id: 'asr', label: 'ASR', title: 'Answer-seizure ratio' },
  { id: 'ner', label: 'NER', title: 'Network effectiveness ratio' },
  { id: 'rate_487', label: '487', title: 'Attempts that ended with 487' },
  { id: 'pre_ring_487_rate', label: 'Pre-ring 487', title: 'Given up before anything rang' },
  { id: 'pdd_p50', label: 'PDD median', title: 'Post-dial delay, median' },
  { id: 'pdd_p95', label: 'PDD p95', title: 'Post-dial delay, 95th percentile' },
]

function carrierSection(
  deps: SeenDeps,
  overview: Overview,
  changes: Map<string, Map<WatchedKpi, Change>>,
): Html {
  const { groups, stepS, range } = overview
  return html`<section><div class="title"><h2>Carriers</h2> <p class="quiet">${range.words}, points of ${pointWords(range, stepS)}</p></div>
<p class="quiet small">Small figures are 95\u202f% Wilson intervals in percent; “?” marks fewer than 100 attempts. Shaded: significantly worse than before. A line begins at 0 and ends at its own highest value.</p>
${table(
  `Carriers, ${range.words}`,
  html`<th scope="col">Carrier</th><th scope="col" class="num">Attempts</th>${COLUMNS.map(({ label, title }) => html`<th scope="col" class="num" title="${title}">${label}</th>`)}<th scope="col">Attestation</th><th scope="col" class="num">Open</th><th scope="col" class="num">Incomplete</th>`,
  groups.map((group) => carrierRow(deps, group, changes.get(group.by.carrier ?? '') ?? new Map(), range)),
  { look: 'cards' },
)}${legendOf(attestationShares(emptySums()))}</section>`
}

function carrierRow(
  deps: SeenDeps,
  { by, total, steps = [] }: KpiGroup,
  changes: Map<WatchedKpi, Change>,
  range: PageRange,
): Html {
  const id = by.carrier ?? ''
  const name = nameOf(deps, id)
  const attempts = countOf(total, 'attempts')
  return html`<tr><th scope="row" class="carrier"><a href="${carrierHref(id, range)}">${name}</a><small class="quiet">${id === name || id === 'unknown' ? '' : id}</small></th>
<td class="num" data-label="Attempts"><div class="cell"><span class="value">${anyAttempts(total) === 0 ? html`<span class="none">no traffic</span>` : count(attempts)}</span>${sparkbars(
    steps.map((step) => countOf(step, 'attempts')),
    steps.map((step) => countOf(step, 'open')),
    { label: `Attempts of ${name} over time${courseWords(steps.map(anyAttempts), count)}` },
  )}</div></td>
${COLUMNS.map((column) => kpiCell(column, total, steps, changes.get(column.id), name))}
<td class="wide-att" data-label="Attestation">${anyAttempts(total) === 0 ? null : attestationCell(total)}</td>
<td class="num" data-label="Open">${count(countOf(total, 'open'))}</td>
<td class="num" data-label="Incomplete">${lossText(total)}</td></tr>`
}

function kpiCell(
  { id, label }: (typeof COLUMNS)[number],
  total: Sums,
  steps: readonly Sums[],
  change: Change | undefined,
  name: string,
): Html {
  const value = numberOf(id, total)
  const doubt = kpiDoubt(value)
  const compared =
    change === undefined
      ? ''
      : `; significantly worse lately: ${kpiText(change.recent)}, before ${kpiText(change.before)}`
  const isLow = value.unit === 'ratio' && value.low_confidence === true
  const points = steps.map((step) => pointOf(id, step))
  return html`<td class="num${change === undefined ? '' : ' worse'}${isLow ? ' low' : ''}" data-label="${label}" title="${doubt}${compared}"><div class="cell">${
    value.value === null
      ? html`<span class="none">${kpiText(value)}</span>`
      : html`<span><small>${intervalText(value)}</small> <span class="value">${change === undefined ? null : html`<span aria-hidden="true">▲ </span>`}${kpiText(value)}</span></span>`
  }<span class="hidden">${doubt}${compared}</span>${sparkline(points, { label: `${label} of ${name} over time${courseWords(points, value.unit === 'ratio' ? percent : duration)}`, floor: 0 })}</div></td>`
}

/** A sparkline shows few calls too: its floor is one measurement, the value beside it keeps its own. */
function pointOf(id: WatchedKpi, sums: Sums): number | null {
  const kpi = kpiOf(id)!
  return kpiValueOf({ ...kpi, floor: 1 }, sums).value
}

function attestationCell(total: Sums): Html {
  const shares = attestationShares(total)
  const all = shares.reduce((sum, share) => sum + share.count, 0)
  const words = shares
    .filter(({ label, count }) => label !== 'malformed' || count / all >= 0.005)
    .map(({ label, count }) => `${label}\u00a0${all === 0 ? NONE : wholePercent(count / all)}`)
  return html`<div>${shareBar(shares, { label: 'Attestation', width: 132 })}<small>${words.join('  ')}\u202f%</small></div>`
}

/** A few in many are not 0, and all but a few are not 100. */
function wholePercent(ratio: number): string {
  if (ratio > 0 && ratio < 0.005) return '<1'
  return ratio < 1 && ratio >= 0.995 ? '>99' : String(Math.round(ratio * 100))
}

function lossText(total: Sums): Content {
  const lost = countOf(total, 'incomplete')
  if (lost === 0) return '0'
  const share = lost / anyAttempts(total)
  const text = html`${count(lost)} <small>${(share * 100).toFixed(1)}\u202f%</small>`
  return share > 0.01
    ? html`<span class="warn" title="the capture lost a part of these attempts">${text}</span>`
    : text
}

function responseSection(deps: SeenDeps, { groups, range }: Overview): Html {
  const busy = groups.filter(({ total }) => countOf(total, 'attempts') > 0)
  return html`<section><div class="title"><h2>How calls end</h2> <p class="quiet">final responses of closed attempts, ${range.words}</p></div>
${table(
  'Final responses by carrier',
  html`<th scope="col">Carrier</th><th scope="col">Mix</th><th scope="col" class="num">Answered</th><th scope="col" class="num">487</th><th scope="col" class="num">5xx</th><th scope="col" class="num">No final</th>`,
  busy.map(({ by, total }) => {
    const shares = responseShares(total)
    const of = (kind: string) => shares.find((share) => share.kind === kind)?.count ?? 0
    return html`<tr><th scope="row"><a href="${carrierHref(by.carrier ?? '', range)}">${nameOf(deps, by.carrier)}</a></th><td class="wide" data-label="Mix">${shareBar(shares, { label: 'Final responses', width: 260 })}</td><td class="num" data-label="Answered">${count(of('k-ok'))}</td><td class="num" data-label="487">${count(of('k-487'))}</td><td class="num" data-label="5xx">${count(of('k-5xx'))}</td><td class="num" data-label="No final">${count(of('k-none'))}</td></tr>`
  }),
  { look: 'cards fixed' },
)}${legendOf(responseShares(emptySums()))}</section>`
}

export function nameOf({ config }: SeenDeps, id: string | undefined): string {
  if (id === 'unknown') return 'Unknown'
  return config.carriers.find((carrier) => carrier.id === id)?.name ?? id ?? ''
}

export function carrierHref(id: string, range: PageRange): string {
  return `/carriers/${encodeURIComponent(id)}${range.query}`
}
