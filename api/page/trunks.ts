/**
 * The page at /trunks: whether each trunk can be reached and how its day went, failovers that were seen, and what of the
 * contracted capacity was used in the last week. The numbers are those of /v1/trunks and /v1/capacity.
 */
import type { SeenDeps } from '../deps.js'
import { type CapacityPeak, readPeaks, type ScopePeaks } from '../trunks/peaks.js'
import type { TrunkFilter } from '../trunks/read-minutes.js'
import { TRUNK_STATES, type TrunkState } from '../trunks/state.js'
import { type FailoverJson, type JudgedTrunk, type JudgedTrunks, judgeTrunks } from '../trunks/trunks.js'
import { timeChart } from './chart.js'
import { clock, count, day, NONE, percent, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { page } from './layout.js'
import { moment } from './moment.js'
import { nameOf } from './overview.js'
import { table } from './table.js'

const WEEK_S = 7 * 86_400
const CHARTS_MAX = 4

const SHOWN: Record<TrunkState, { look: string; fill: string; meaning: string }> = {
  up: { look: 'good', fill: 'k-ok', meaning: 'the far side answers' },
  degraded: { look: '', fill: 'k-busy', meaning: 'a part of what is sent there gets no answer or a refusal' },
  down: { look: 'bad', fill: 'k-5xx', meaning: 'nothing is answered any more' },
  unknown: {
    look: 'plain',
    fill: 'k-other',
    meaning: 'nothing was seen that could tell, or our tap is blind',
  },
}
const WORST: readonly TrunkState[] = ['down', 'degraded', 'unknown', 'up']

export async function trunksPage(
  deps: SeenDeps,
  blind: (site: string) => string,
  filter: TrunkFilter,
): Promise<Html> {
  const found = await judgeTrunks(deps, blind, filter)
  const week = await readPeaks(
    deps.readers,
    deps.config,
    { fromS: Math.max(0, found.untilS - WEEK_S), toS: found.untilS },
    { ...filter, scope: ['carrier', 'carrier_site', 'site'] },
  )
  const asked = [...filter.carrier.map((id) => nameOf(deps, id)), ...filter.site]
  const query = queryOf(filter)
  return page(deps, {
    title: asked.length === 0 ? 'Trunks' : `Trunks, ${asked.join(', ')}`,
    path: '/trunks',
    content: [
      html`<div class="title"><h1>Trunks</h1> <p class="quiet">${asked.length === 0 ? null : html`${asked.join(', ')} · `}the last 24 hours, and the week for capacity · <a href="/v1/trunks${query}">JSON</a> · <a href="/v1/capacity${query}">capacity as JSON</a>${asked.length === 0 ? null : html` · <a href="/trunks">all trunks</a>`}</p></div>`,
      trunkSection(deps, found),
      failoverSection(found.failovers),
      capacitySection(deps, week.groups, week.more),
      charts(deps, week.groups, found.untilS),
      howToRead(deps),
    ],
  })
}

function queryOf({ carrier, site }: TrunkFilter): string {
  const query = new URLSearchParams([
    ...carrier.map((id): [string, string] => ['carrier', id]),
    ...site.map((id): [string, string] => ['site', id]),
  ]).toString()
  return query === '' ? '' : `?${query}`
}

function trunkSection(deps: SeenDeps, found: JudgedTrunks): Html {
  const { trunks, more } = found
  if (trunks.length === 0) {
    return html`<section><h2>Reachability</h2><p class="quiet">No trunk was seen in the last 24 hours: no OPTIONS and no call between an SBC and a peer of a configured carrier. Whose peers are nobody's stands at <a href="/">unknown peers</a>.</p></section>`
  }
  const sorted = [...trunks].sort((a, b) => WORST.indexOf(a.json.state) - WORST.indexOf(b.json.state))
  const counts = WORST.map((state) => ({
    state,
    many: trunks.filter(({ json }) => json.state === state).length,
  })).filter(({ many }) => many > 0)
  return html`<section><div class="title"><h2>Reachability</h2> <p class="quiet">${counts.map(({ state, many }) => `${count(many)} ${state}`).join(', ')} now</p></div>
${table(
  'Trunks and their state',
  html`<th scope="col">Trunk</th><th scope="col">Site</th><th scope="col">State now</th><th scope="col">Last 24 hours</th><th scope="col" class="num">Flaps</th><th scope="col" class="num">OPTIONS, last hour</th><th scope="col" class="num">Calls, last hour</th><th scope="col" class="num">Sign of life</th><th scope="col" class="num">Peak, 24 h</th>`,
  sorted.map((trunk) => trunkRow(deps, trunk, found)),
  { look: 'many' },
)}
${more > 0 ? html`<p class="quiet small">and ${plural(more, 'trunk')} with fewer calls</p>` : null}</section>`
}

function trunkRow(deps: SeenDeps, trunk: JudgedTrunk, found: JudgedTrunks): Html {
  const { json } = trunk
  const { last_hour: hour } = json
  const { look, meaning } = SHOWN[json.state]
  const asked = hour.options_answered + hour.options_refused + hour.options_unanswered
  const since =
    json.since === null ? null : html`<br><small>since ${moment(json.since, momentWords(json.since))}</small>`
  return html`<tr><th scope="row"><a href="/carriers/${encodeURIComponent(json.carrier)}?last=24h">${nameOf(deps, json.carrier)}</a><br><small class="mono">${json.address}</small></th><td>${json.site === '' ? NONE : json.site}</td><td><span class="badge ${look}" title="${meaning}">${json.state}</span>${since}<div class="quiet small">${json.why}</div></td><td>${strip(trunk, found)}</td><td class="num${json.flaps_24h > 0 ? ' warn' : ''}">${json.flaps_24h}${json.flaps_1h > 0 ? html`<br><small>${json.flaps_1h} in the last hour</small>` : null}</td><td class="num">${asked === 0 ? NONE : html`${count(hour.options_answered)} of ${count(asked)}`}${hour.options_in > 0 ? html`<br><small>${count(hour.options_in)} of theirs</small>` : null}${lastOptions(json.last_options)}</td><td class="num">${count(hour.calls_out)} out, ${count(hour.calls_in)} in${wrongCalls(hour)}</td><td class="num">${json.last_sign_of_life === null ? NONE : moment(json.last_sign_of_life, momentWords(json.last_sign_of_life))}</td><td class="num">${peakCell(json.peak_24h)}</td></tr>`
}

function momentWords(iso: string): string {
  return `${day(iso)}`
}

function lastOptions(last: JudgedTrunk['json']['last_options']): Content {
  if (last === null) return null
  return html`<br><small>last ${clock(last.at)}: ${last.status === null ? 'no answer' : last.status}</small>`
}

function wrongCalls({
  calls_503: refused,
  calls_unanswered: lost,
}: JudgedTrunk['json']['last_hour']): Content {
  const words = [
    ...(refused > 0 ? [`${count(refused)} refused with 503`] : []),
    ...(lost > 0 ? [`${count(lost)} without an answer`] : []),
  ]
  return words.length === 0 ? null : html`<br><small class="warn">${words.join(', ')}</small>`
}

function peakCell(peak: CapacityPeak | null): Content {
  if (peak === null) return NONE
  return html`${count(peak.concurrent_calls.peak)} calls<br><small>${count(peak.calls_per_second.peak)}\u202f/s</small>`
}

const STRIP_WIDTH = 220

/** The day as a strip, and in words for who does not see it. */
function strip({ json, changes }: JudgedTrunk, { fromS, untilS }: JudgedTrunks): Html {
  const starts = [
    { atS: fromS, state: changes[0]?.from ?? json.seen_state },
    ...changes.map(({ atS, to }) => ({ atS, state: to })),
  ]
  const lengthS = Math.max(60, untilS - fromS)
  const parts = starts.map(({ atS, state }, index) => {
    const toS = starts[index + 1]?.atS ?? untilS
    return { state, atS, toS, share: (toS - atS) / lengthS }
  })
  const words = TRUNK_STATES.flatMap((state) => {
    const share = parts.reduce((sum, part) => sum + (part.state === state ? part.share : 0), 0)
    return share === 0 ? [] : [`${state} ${percent(share)}`]
  })
  return html`<svg class="shares" viewBox="0 0 ${STRIP_WIDTH} 14" width="${STRIP_WIDTH}" height="14" preserveAspectRatio="none" role="img" aria-label="${json.address}, last 24 hours: ${words.join(', ')}; ${plural(changes.length, 'change')}">${parts.map(
    ({ state, atS, share }) =>
      html`<rect class="${SHOWN[state].fill}" x="${(((atS - fromS) / lengthS) * STRIP_WIDTH).toFixed(2)}" y="0" width="${Math.max(0.5, share * STRIP_WIDTH).toFixed(2)}" height="14"><title>${state} from ${clock(isoText(atS))}</title></rect>`,
  )}</svg>`
}

const isoText = (atS: number) => new Date(atS * 1_000).toISOString().replace('.000Z', 'Z')

function failoverSection(failovers: readonly FailoverJson[]): Html | null {
  if (failovers.length === 0) return null
  return html`<section><div class="title"><h2>Failover seen</h2> <p class="quiet">when a trunk went down: where the calls of its carrier went</p></div>
<ul class="notes">${failovers.map((one) => html`<li class="${one.verdict === 'not_seen' ? '' : 'tapnote'}">${moment(one.at, momentWords(one.at))} <span class="mono">${one.trunk}</span>: ${one.text}</li>`)}</ul></section>`
}

function capacitySection(deps: SeenDeps, groups: readonly ScopePeaks[], more: number): Html {
  if (groups.length === 0) {
    return html`<section><h2>Capacity, last 7 days</h2><p class="quiet">No call was counted in the last 7 days.</p></section>`
  }
  return html`<section><div class="title"><h2>Capacity, last 7 days</h2> <p class="quiet">peaks of concurrent calls (set-up included) and of INVITEs in one second</p></div>
${table(
  'Peaks against contracted limits',
  html`<th scope="col">Of</th><th scope="col" class="num">Concurrent calls</th><th scope="col" class="num">Limit</th><th scope="col" class="num">Headroom</th><th scope="col" class="num">Talking</th><th scope="col" class="num">Calls per second</th><th scope="col" class="num">Limit</th><th scope="col" class="num">Headroom</th><th scope="col" class="num">Refused with 503</th><th scope="col">Busiest hours</th>`,
  groups.map((group) => capacityRow(deps, group)),
  { look: 'many' },
)}
${more > 0 ? html`<p class="quiet small">and ${count(more)} more with lower peaks</p>` : null}</section>`
}

function capacityRow(deps: SeenDeps, group: ScopePeaks): Html {
  const { peak } = group
  const busiest = [...group.hours].sort((a, b) => b.calls - a.calls || a.hourS - b.hourS).slice(0, 3)
  return html`<tr><th scope="row">${groupName(deps, group)}</th>${limitCells(peak.concurrent_calls)}<td class="num">${count(peak.talking_peak)}</td>${limitCells(peak.calls_per_second)}<td class="num${peak.congestion_near_limit > 0 ? ' warn' : ''}">${count(peak.congestion)}${peak.congestion_near_limit > 0 ? html`<br><small>${count(peak.congestion_near_limit)} near the limit</small>` : null}</td><td class="wraps">${busiest.map(({ hourS, calls }, index) => html`${index > 0 ? '; ' : null}${moment(isoText(hourS), day(isoText(hourS)))} <small>${count(calls)}</small>`)}</td></tr>`
}

function groupName(deps: SeenDeps, { scope, by }: ScopePeaks): Content {
  if (scope === 'site') return `all carriers, ${by.site === '' ? 'site unknown' : by.site}`
  const name = html`<a href="/carriers/${encodeURIComponent(by.carrier)}?last=24h">${nameOf(deps, by.carrier)}</a>`
  return scope === 'carrier'
    ? name
    : html`${name} <small>at ${by.site === '' ? 'an unknown site' : by.site}</small>`
}

/** Above nine tenths there is little left for a busier day. */
const LITTLE_LEFT = 0.9

function limitCells({ peak, at, limit, headroom, used_ratio: used }: CapacityPeak['concurrent_calls']): Html {
  const look = used === null || used < LITTLE_LEFT ? '' : used > 1 ? ' bad' : ' warn'
  return html`<td class="num">${count(peak)}${at === null ? null : html`<br><small>${moment(at, day(at))}</small>`}</td><td class="num">${limit === null ? NONE : count(limit)}</td><td class="num${look}">${headroom === null || used === null ? NONE : html`${headroom < 0 ? `−${count(-headroom)}` : count(headroom)}<br><small>${percent(used)} used</small>`}</td>`
}

/** Of groups with a limit, the week by hour with the line of the limit: both kinds of peak, so that they stand side by side. */
function charts(deps: SeenDeps, groups: readonly ScopePeaks[], untilS: number): Html | null {
  const limited = groups
    .filter(({ peak }) => peak.concurrent_calls.limit !== null || peak.calls_per_second.limit !== null)
    .slice(0, CHARTS_MAX)
  if (limited.length === 0) return null
  const last = untilS - (untilS % 3_600)
  const hours = Array.from(
    { length: WEEK_S / 3_600 },
    (_, index) => last - (WEEK_S / 3_600 - 1 - index) * 3_600,
  )
  return html`<div class="columns charts">${limited.map((group) => {
    const name = `${nameOf(deps, group.by.carrier)}${group.by.site === '' ? '' : ` at ${group.by.site}`}`
    const ofHour = new Map(group.hours.map((hour) => [hour.hourS, hour]))
    return [
      peakChart(
        `${name}: concurrent calls`,
        hours,
        (hourS) => ofHour.get(hourS)?.calls ?? 0,
        group.peak.concurrent_calls.limit,
      ),
      peakChart(
        `${name}: calls per second`,
        hours,
        (hourS) => ofHour.get(hourS)?.perSecond ?? 0,
        group.peak.calls_per_second.limit,
      ),
    ]
  })}</div>`
}

function peakChart(
  title: string,
  hours: readonly number[],
  peakOf: (hourS: number) => number,
  limit: number | null,
): Html {
  return html`<section>${timeChart({
    title,
    description:
      limit === null
        ? 'the peak of each hour; no limit is contracted'
        : `the peak of each hour, and the contracted limit of ${count(limit)}`,
    times: hours.map((hourS) => `${isoText(hourS).slice(5, 10)} ${clock(isoText(hourS)).slice(0, 5)}`),
    bars: [{ kind: 'bar', label: 'peak of the hour', counts: hours.map(peakOf) }],
    ...(limit === null ? {} : { lines: [{ kind: 's-2', label: 'limit', points: hours.map(() => limit) }] }),
    unit: (value) => count(Math.round(value)),
    topAtLeast: limit ?? 1,
  })}</section>`
}

function howToRead({ config }: SeenDeps): Html {
  const { thresholds } = config
  return html`<section><h2>What the states mean</h2><div class="facts"><dl>${WORST.map((state) => html`<dt>${state}</dt><dd>${SHOWN[state].meaning}</dd>`)}</dl></div>
<p class="quiet small">down: ${thresholds.trunk_down_exchanges} exchanges in a row without an answer. degraded: ${percent(thresholds.trunk_degraded_ratio)} of the last ${thresholds.trunk_window_minutes} minutes. unknown: nothing seen for ${thresholds.trunk_unknown_minutes} minutes. A flap is a change between up, degraded and down.</p></section>`
}
