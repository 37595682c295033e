/**
 * The page at /cancels: attempts that were given up, by why and by whose fault it is, how long callers waited, and whether they
 * tried again. The numbers are those of /v1/cancels.
 */
import type { CancelClass } from '../../schemas/attempt.js'
import { CANCEL_CLASS_RULES } from '../../schemas/cancel-classes.js'
import { destinationOfPrefix } from '../../sip/e164.js'
import {
  type CancelDimension,
  type CancelQuery,
  type CancelsAnswer,
  readCancels,
} from '../cancels/cancels.js'
import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { isoOf } from '../time-span.js'
import { count, duration, NONE, percent, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { type PageRange, page } from './layout.js'
import { carrierHref, nameOf } from './overview.js'
import { table } from './table.js'

const GROUPS_SHOWN = 50
/** Each look reads the attempts themselves, twice: a longer range is read when somebody asks for it. */
const REFRESHED_US = 3_600e6

type Group = CancelsAnswer['groups'][number]
type Share = Group['tried_again']
type Delay = Group['time_to_cancel']

export async function cancelsPage(deps: SeenDeps, range: PageRange, query: CancelQuery): Promise<Html> {
  const answer = await answerOf(deps, query)
  const filters = filtersOf(query)
  const asked = askedWords(deps, query)
  const json = queryText([...filters, ['from', isoOf(query.fromUs)], ['to', isoOf(query.toUs)]])
  return page(deps, {
    title: asked === '' ? '487s by cause' : `487s by cause, ${asked}`,
    path: '/cancels',
    range,
    keep: filters.length === 0 ? '' : `&${queryText(filters)}`,
    isReadOnce: range.toUs - range.fromUs > REFRESHED_US,
    content: [
      html`<div class="title"><h1>487s by cause</h1> <p class="quiet">${asked === '' ? null : html`${asked} · `}${range.words} · attempts that ended with a CANCEL or a 487 · <a href="/v1/cancels?${json}">JSON</a>${filters.length === 0 ? null : html` · <a href="/cancels${range.query}">without filters</a>`}</p></div>`,
      html`<section><h2>Which</h2>${filterForm(deps, range, query)}</section>`,
      answer === 'too_many_attempts'
        ? html`<section><h2>Why they were given up</h2><p class="note">The range holds more attempts than one answer can read; choose a shorter one.</p></section>`
        : sections(deps, range, query, answer),
      answer === 'too_many_attempts' ? null : howToRead(answer),
    ],
  })
}

async function answerOf(deps: SeenDeps, query: CancelQuery): Promise<CancelsAnswer | 'too_many_attempts'> {
  try {
    return await readCancels(deps, query)
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_QUERY_LIMIT') return 'too_many_attempts'
    throw error
  }
}

type Pairs = [name: string, value: string][]

/** Values of a filter as they are written; a site that nothing tells is stored as ''. */
function askedOf({ where }: CancelQuery, name: string): string {
  const [, values = []] = where.find(([column]) => column === name) ?? []
  return values.map((value) => value || 'unknown').join(',')
}

/** What the question asks beside its range; the default grouping is not said. */
function filtersOf(query: CancelQuery): Pairs {
  const grouping = query.groupBy.join(',')
  const filters: Pairs = query.where.map(([name]) => [name, askedOf(query, name)])
  filters.push(['prefix', query.prefix])
  return [
    ...filters.filter(([, value]) => value !== ''),
    ...(grouping === 'carrier' ? [] : ([['group_by', grouping]] as Pairs)),
  ]
}

function queryText(pairs: Pairs): string {
  return new URLSearchParams(pairs).toString()
}

function askedWords(deps: SeenDeps, query: CancelQuery): string {
  return filtersOf(query)
    .filter(([name]) => name !== 'group_by')
    .map(([name, value]) =>
      name === 'carrier'
        ? value
            .split(',')
            .map((id) => nameOf(deps, id))
            .join(', ')
        : value,
    )
    .join(', ')
}

const GROUPINGS: readonly (readonly [value: string, label: string])[] = [
  ['carrier', 'carrier'],
  ['carrier,site', 'carrier and site'],
  ['carrier,direction', 'carrier and direction'],
  ['carrier,destination', 'carrier and destination'],
  ['site', 'site'],
  ['destination', 'destination'],
  ['', 'all together'],
]

/** It works by GET: what is asked has an address. */
function filterForm({ config, principal }: SeenDeps, range: PageRange, query: CancelQuery): Html {
  const select = (name: string, label: string, values: readonly string[]) => {
    const chosen = askedOf(query, name)
    // A link may bring several values, or one that is not in the list: they stay.
    const all = chosen === '' || values.includes(chosen) ? values : [chosen, ...values]
    return html`<label>${label}<select name="${name}"><option value="">any</option>${all.map((value) => html`<option value="${value}"${value === chosen ? html` selected` : null}>${value.replaceAll(',', ', ')}</option>`)}</select></label>`
  }
  const unknown = principal.carriers === 'all' ? ['unknown'] : []
  const grouping = query.groupBy.join(',')
  const groupings = GROUPINGS.some(([value]) => value === grouping)
    ? GROUPINGS
    : [[grouping, grouping.replaceAll(',', ', ')] as const, ...GROUPINGS]
  const hidden = [...new URLSearchParams(range.query === '' ? 'last=1h' : range.query)]
  return html`<form class="find" action="/cancels" method="get" aria-label="Which attempts">
${hidden.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
${select('carrier', 'Carrier', [...config.carriers.map(({ id }) => id), ...unknown])}
${select('site', 'Site', [...config.sites.map(({ id }) => id), ...unknown])}
${select('direction', 'Direction', ['inbound', 'outbound', 'unknown'])}
<label>Destination begins with<input name="prefix" value="${query.prefix}" size="9" placeholder="+4969" autocomplete="off" spellcheck="false"></label>
<label>By<select name="group_by">${groupings.map(([value, label]) => html`<option value="${value}"${value === grouping ? html` selected` : null}>${label}</option>`)}</select></label>
<button type="submit">Show</button></form>`
}

function sections(deps: SeenDeps, range: PageRange, query: CancelQuery, answer: CancelsAnswer): Content {
  const { groups } = answer
  if (groups.length === 0) {
    return html`<section><h2>No calls</h2><p class="quiet">No attempt that has ended was seen in this range${filtersOf(query).length === 0 ? '' : ' with these filters'}.</p></section>`
  }
  const shown = groups.slice(0, GROUPS_SHOWN)
  const more = groups.length - shown.length
  const rest =
    more > 0 || answer.is_cut
      ? html`<p class="quiet">${more > 0 ? `${plural(more, 'more group')} in the JSON` : 'There are more groups'}${answer.is_cut ? ', which holds those with the most attempts' : ''}.</p>`
      : null
  return [classSection(deps, range, query, shown), waitSection(deps, range, query, shown, rest)]
}

const HEADS: Record<CancelDimension, string> = {
  carrier: 'Carrier',
  site: 'Site',
  direction: 'Direction',
  destination: 'Destination',
}

/** One th for the first of them, so that a row has one name; `all together` without any. */
function groupHead({ groupBy }: CancelQuery): Html {
  if (groupBy.length === 0) return html`<th scope="col">Of</th>`
  return html`${groupBy.map((name) => html`<th scope="col">${HEADS[name]}</th>`)}`
}

function groupCells(deps: SeenDeps, range: PageRange, { groupBy }: CancelQuery, { by }: Group): Html {
  if (groupBy.length === 0) return html`<th scope="row">all together</th>`
  return html`${groupBy.map((name, at) => {
    const text = groupText(deps, range, name, by[name] ?? '')
    return at === 0 ? html`<th scope="row">${text}</th>` : html`<td data-label="${HEADS[name]}">${text}</td>`
  })}`
}

function groupText(deps: SeenDeps, range: PageRange, name: CancelDimension, value: string): Content {
  if (name === 'carrier') return html`<a href="${carrierHref(value, range)}">${nameOf(deps, value)}</a>`
  if (name !== 'destination' || value === 'unknown') return value
  return html`<span class="mono">${value}</span> <small>${destinationOfPrefix(value).name}</small>`
}

/** Those of a group in the list of attempts; a destination is no filter there, so its calls are among the others. */
function attemptsHref(query: CancelQuery, { by }: Group, classes: readonly CancelClass[]): string {
  const own = ['carrier', 'site', 'direction'].map((name): [string, string] => [
    name,
    by[name] ?? askedOf(query, name),
  ])
  return `/attempts?${queryText([
    ...own.filter(([, value]) => value !== ''),
    ['cancel_class', classes.join(',')],
    ['state', 'closed'],
    ['from', isoOf(query.fromUs)],
    ['to', isoOf(query.toUs)],
  ])}`
}

function classSection(deps: SeenDeps, range: PageRange, query: CancelQuery, groups: readonly Group[]): Html {
  const isOfPlaces = query.prefix !== '' || query.groupBy.includes('destination')
  const rows = groups.flatMap((group) => group.classes.map((one) => ({ group, one })))
  return html`<section><div class="title"><h2>Why they were given up</h2> <p class="quiet">shares of attempts that have ended, answered elsewhere taken out, with 95\u202f% intervals${isOfPlaces ? '; the lists of attempts are of every destination' : ''}</p></div>
${
  rows.length === 0
    ? html`<p class="quiet">None was given up.</p>`
    : table(
        'Attempts that were given up, by cause',
        html`${groupHead(query)}<th scope="col">Cause</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Share</th><th scope="col" class="num">Bad for the carrier</th><th scope="col">Whose fault</th>`,
        rows.map(({ group, one }) => {
          const rule = CANCEL_CLASS_RULES[one.cancel_class]
          return html`<tr>${groupCells(deps, range, query, group)}<td data-label="Cause">${rule.name}<br><small>${one.cancel_class}</small></td><td class="num" data-label="Attempts"><a href="${attemptsHref(query, group, [one.cancel_class])}">${count(one.count)} of ${count(one.of)}</a></td><td class="num" data-label="Share">${shareText(one)}</td><td class="num${one.bad > 0 ? ' bad' : ''}" data-label="Bad for the carrier">${count(one.bad)}</td><td data-label="Whose fault">${faultText(deps, one.cancel_class)}</td></tr>`
        }),
        { look: 'cards many' },
      )
}</section>`
}

function faultText({ config }: SeenDeps, name: CancelClass): string {
  const patience = duration(config.thresholds.pre_ring_patience_ms / 1_000)
  return CANCEL_CLASS_RULES[name].faultText.replace('thresholds.pre_ring_patience_ms', patience)
}

function waitSection(
  deps: SeenDeps,
  range: PageRange,
  query: CancelQuery,
  groups: readonly Group[],
  rest: Html | null,
): Html {
  return html`<section><div class="title"><h2>How long callers waited</h2> <p class="quiet">median and 95th percentile; a median needs 20 measurements, a 95th percentile 100</p></div>
${table(
  'Time to CANCEL, ringing before it, and calls tried again',
  html`${groupHead(query)}<th scope="col" class="num">Given up</th><th scope="col" class="num">487s before it rang</th><th scope="col" class="num">Time to CANCEL</th><th scope="col" class="num">Rang for</th><th scope="col" class="num">Short rings</th><th scope="col" class="num">Tried again</th>`,
  groups.map(
    (group) =>
      html`<tr>${groupCells(deps, range, query, group)}<td class="num" data-label="Given up">${givenUpText(query, group)}</td><td class="num" data-label="487s before it rang">${countedText(group.pre_ring_487_share)}</td><td class="num" data-label="Time to CANCEL">${delayText(group.time_to_cancel)}</td><td class="num" data-label="Rang for">${delayText(group.ring_before_cancel)}</td><td class="num" data-label="Short rings">${countedText(group.ring_before_cancel.short)}</td><td class="num" data-label="Tried again">${countedText(group.tried_again)}</td></tr>`,
  ),
  { look: 'cards many' },
)}${rest}</section>`
}

function givenUpText(query: CancelQuery, group: Group): Content {
  const text = `${count(group.given_up)} of ${count(group.attempts)}`
  if (group.given_up === 0) return text
  const all = group.classes.map(({ cancel_class }) => cancel_class)
  return html`<a href="${attemptsHref(query, group, all)}">${text}</a>`
}

function delayText({ count: measured, p50_s: p50, p95_s: p95 }: Delay): Html {
  if (measured === 0) return html`${NONE}`
  if (p50 === null)
    return html`<span class="none">too few</span><br><small>${count(measured)} measured</small>`
  return html`<span class="value">${duration(p50)}</span> · ${p95 === null ? html`<span class="none">too few</span>` : duration(p95)}<br><small>${count(measured)} measured</small>`
}

function countedText(share: Share): Html {
  if (share.of === 0) return html`${NONE}`
  return html`${shareText(share)}<br><small>${count(share.count)} of ${count(share.of)}</small>`
}

function shareText({ share, interval }: Pick<Share, 'share' | 'interval'>): Html {
  if (share === null) return html`<span class="none">none</span>`
  return html`<span class="value">${percent(share)}</span>${interval === null ? null : html`<br><small>${percent(interval[0]!)} to ${percent(interval[1]!)}</small>`}`
}

function howToRead({ thresholds }: CancelsAnswer): Html {
  const seconds = (ms: number) => duration(ms / 1_000)
  return html`<section><h2>How to read it</h2><ul>
<li>Given up before it rang, ${seconds(thresholds.pre_ring_patience_ms)} or more after the INVITE: a carrier that does not ring. Sooner than that a number was misdialled, and it counts against nobody. Of inbound calls the side that is called is ours, and so is what stands as the carrier’s fault, although its SLI counts both directions.</li>
<li>Another route before anything rang is our SBC losing patience with the carrier: the same numbers went to another one within ${seconds(thresholds.route_advance_ms)}, so it is tried again by nature. Answered elsewhere is another leg of the call that was answered within ${seconds(thresholds.sibling_answer_ms)}.</li>
<li>A short ring is below ${seconds(thresholds.short_ring_ms)}. Tried again is the same caller and callee within ${count(thresholds.retry_s)} seconds, on any carrier. Many of both are callers who hear something wrong: false ringing, one-way audio, a voice that is not the callee’s.</li>
</ul>
<details><summary>The causes</summary>
${table(
  'Causes and what makes them',
  html`<th scope="col">Cause</th><th scope="col">What was seen</th><th scope="col">Source</th>`,
  Object.entries(CANCEL_CLASS_RULES).map(
    ([name, rule]) =>
      html`<tr><th scope="row">${rule.name}<br><small>${name}</small></th><td data-label="What was seen">${rule.evidence}</td><td data-label="Source">${rule.source}</td></tr>`,
  ),
  { look: 'cards why' },
)}</details></section>`
}
