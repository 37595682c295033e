/** The page of one carrier: its numbers with their definitions, over time, by site and direction, and its latest calls. */

import type { Kpi } from '../../schemas/kpi/kpi.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { searchAttempts } from '../attempts/search.js'
import { readUnknownPeers } from '../carriers/unknown-peers.js'
import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { kpiValueOf } from '../kpi/answer.js'
import { ALL_KPIS, kpisNamed, stepStartsOf } from '../kpi/query.js'
import { type KpiGroup, readKpiGroups } from '../kpi/series.js'
import { addSums, anyAttempts, countOf, emptySums, mapOf, type Sums } from '../kpi/sums.js'
import { isoOf, shown } from '../time-span.js'
import { attemptTable, COLUMNS } from './attempts.js'
import { shareBar, timeChart } from './chart.js'
import { count, duration, intervalText, kpiDoubt, kpiText, percent } from './format.js'
import { type Html, html } from './html.js'
import { type PageRange, page, stepFor } from './layout.js'
import { nameOf, pointWords } from './overview.js'
import { packLink } from './pack-link.js'
import { peersLink, peersSection } from './peers.js'
import { attestationShares, legendOf, responseShares } from './shares.js'
import { table } from './table.js'
import { unknownPeersSection } from './tap.js'
import { changesForTheWorse, WATCHED_IDS, type WatchedKpi } from './worse.js'

const LATEST = 20
/** Points of a chart: five minutes each up to a day. */
const POINTS_MAX = 288

/** @param withPeers the same destinations on other carriers: all attempts of the range are read for it */
export async function carrierPage(
  deps: SeenDeps,
  id: string,
  range: PageRange,
  withPeers: boolean,
): Promise<Html> {
  const seconds = (range.toUs - range.fromUs) / 1e6
  const stepS = seconds <= 1_800 ? 60 : Math.max(300, stepFor(range, POINTS_MAX))
  const [{ groups, steps, times }, latest, peers, sameDestinations] = await Promise.all([
    readNumbers(deps, id, range, stepS),
    searchAttempts(
      deps.readers,
      {
        callId: undefined,
        span: range,
        texts: [
          ['party', ['carrier', 'unknown']],
          ['carrier', [id]],
        ],
        finalCodes: [],
        limit: LATEST,
        cursor: undefined,
      },
      COLUMNS,
    ),
    id === 'unknown' ? readUnknownPeers(deps.readers, range) : [],
    withPeers ? peersSection(deps, id, range) : peersLink(id, range),
  ])
  const total = groups.reduce((sums, group) => addSums(sums, group.total), emptySums())
  const name = nameOf(deps, id)
  return page(deps, {
    title: name,
    path: `/carriers/${encodeURIComponent(id)}`,
    range,
    content: [
      html`<div class="title"><h1>${name}</h1> <p class="quiet">${id === name || id === 'unknown' ? '' : `${id} · `}${peersText(deps, id)}${id === 'unknown' ? null : html` · <a href="/v1/carriers/${encodeURIComponent(id)}/scorecard?format=html">scorecard of last week</a>`}${packLink(deps, id, range)} · <a href="/cancels${range.query === '' ? '?' : `${range.query}&`}carrier=${encodeURIComponent(id)}">487s by cause</a> · <a href="/attestation${range.query === '' ? '?' : `${range.query}&`}carrier=${encodeURIComponent(id)}">STIR/SHAKEN</a></p></div>`,
      kpiSection(total, steps, range),
      anyAttempts(total) === 0 ? null : charts(steps, times, stepS, range),
      splitSection(groups, range),
      sameDestinations,
      endingsSection(id, total, range),
      unknownPeersSection(peers, range),
      html`<section><div class="title"><h2>Latest attempts</h2> <p class="quiet">${range.words}; <a href="/attempts?carrier=${encodeURIComponent(id)}&amp;${rangeQuery(range)}">all of them</a></p></div>${attemptTable(latest.attempts, { withCarrier: false })}</section>`,
    ],
  })
}

/**
 * The range by site and direction, with every number; and the steps of all together, most of what is read, with what the
 * charts and the changes need.
 */
async function readNumbers(deps: SeenDeps, id: string, range: PageRange, stepS: number) {
  const asked = {
    fromUs: range.fromUs,
    toUs: range.toUs,
    where: { carrier: [id], site: [], direction: [] },
    exact: false,
  }
  const series = { ...asked, stepS, byClock: true as const }
  const [groups, [whole]] = await Promise.all([
    readKpiGroups(deps.readers, deps.config, {
      ...asked,
      groupBy: ['site', 'direction'],
      stepS: null,
      kpis: ALL_KPIS,
    }),
    readKpiGroups(deps.readers, deps.config, {
      ...series,
      groupBy: [],
      kpis: kpisNamed(WATCHED_IDS),
      without: ['cancels'],
    }),
  ]).catch((error: unknown) => {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_UNKNOWN_CARRIER') {
      throw new ApiError(
        'TRUNKSCOPE_API_NO_SUCH_CARRIER',
        `${shown(id)} is neither configured nor stored; / lists the carriers`,
      )
    }
    throw error
  })
  return { groups, steps: whole?.steps ?? [], times: stepStartsOf(series).map(isoOf) }
}

export function rangeQuery(range: PageRange): string {
  return `from=${isoOf(range.fromUs)}&to=${isoOf(range.toUs)}`
}

function peersText({ config }: SeenDeps, id: string): string {
  if (id === 'unknown') return 'attempts whose far side is nobody in the configuration'
  const peers = config.carriers.find((carrier) => carrier.id === id)?.peers
  if (peers === undefined) return 'no longer configured'
  const texts = peers.map((peer) =>
    typeof peer === 'string' ? peer : `${peer.cidr}${peer.port === undefined ? '' : ` port ${peer.port}`}`,
  )
  return texts.length > 6 ? `${texts.slice(0, 6).join(', ')} and ${texts.length - 6} more` : texts.join(', ')
}

function kpiSection(total: Sums, steps: readonly Sums[], range: PageRange): Html {
  const changes = changesForTheWorse(steps)
  return html`<section><div class="title"><h2>Numbers</h2> <p class="quiet">${count(countOf(total, 'attempts'))} closed attempts ${range.words}, ${count(countOf(total, 'open'))} open, ${count(countOf(total, 'incomplete'))} incomplete</p></div>
<dl class="kpis">${KPI_CATALOG.map((kpi) => kpiEntry(kpi, total, changes.get(kpi.id as WatchedKpi)))}</dl></section>`
}

function kpiEntry(
  kpi: Kpi,
  total: Sums,
  change: { recent: Parameters<typeof kpiText>[0]; before: Parameters<typeof kpiText>[0] } | undefined,
): Html {
  const value = kpiValueOf(kpi, total)
  const isLow = value.unit === 'ratio' && value.low_confidence === true
  return html`<div class="kpi${change === undefined ? '' : ' worse'}${isLow ? ' low' : ''}"><dt>${kpi.name}</dt>
<dd>${value.value === null ? html`<span class="value none">${kpiText(value)}</span>` : html`<span class="value">${kpiText(value)}</span>`}
<small>${kpiDoubt(value)}</small>
${change === undefined ? null : html`<small class="bad">lately ${kpiText(change.recent)}, before ${kpiText(change.before)}</small>`}
<details><summary>${kpi.id}</summary>${kpi.description} ${kpi.source}. Formula version ${kpi.version}; ${kpi.kind === 'ratio' ? 'from 1 attempt' : `from ${kpi.floor}`}${kpi.minute === 'end' ? ', counted in the minute the call ends' : ''}.</details></dd></div>`
}

function charts(steps: readonly Sums[], times: readonly string[], stepS: number, range: PageRange): Html {
  const isLong = range.toUs - range.fromUs > 86_400e6
  const labels = times.map((time) => (isLong ? time.slice(5, 16).replace('T', ' ') : time.slice(11, 16)))
  const every = pointWords(range, stepS)
  const line = (id: string, kind: string, label: string) => {
    const kpi = KPI_CATALOG.find((known) => known.id === id)!
    const values = steps.map((sums) => kpiValueOf({ ...kpi, floor: 1 }, sums))
    return {
      kind,
      label,
      points: values.map(({ value }) => value),
      ...(kpi.kind === 'ratio'
        ? {
            band: values.map((value) =>
              value.unit === 'ratio' && value.value !== null ? (value.interval as [number, number]) : null,
            ),
          }
        : {}),
    }
  }
  const bars = (kind: string, label: string, of: (sums: Sums) => number) => ({
    kind,
    label,
    counts: steps.map(of),
  })
  return html`<div class="columns charts">${[
    timeChart({
      title: 'Attempts',
      description: `each ${every}, by how they ended`,
      times: labels,
      bars: [
        bars('k-ok', 'answered', (sums) => mapOf(sums, 'dispositions').ANSWERED ?? 0),
        bars(
          'k-other',
          'ended otherwise',
          (sums) => countOf(sums, 'attempts') - (mapOf(sums, 'dispositions').ANSWERED ?? 0),
        ),
        bars('bar-open', 'open', (sums) => countOf(sums, 'open')),
        bars('k-5xx', 'incomplete', (sums) => countOf(sums, 'incomplete')),
      ],
      unit: (value) => count(value),
      topAtLeast: 4,
    }),
    timeChart({
      title: 'ASR and NER',
      description: `each ${every}, with 95 % intervals`,
      times: labels,
      lines: [line('asr', 's-1', 'ASR'), line('ner', 's-3', 'NER')],
      unit: percent0,
      topAtLeast: 1,
      topAtMost: 1,
    }),
    timeChart({
      title: '487',
      description: `each ${every}, with 95 % intervals`,
      times: labels,
      lines: [line('rate_487', 's-1', 'all 487s'), line('pre_ring_487_rate', 's-2', 'before anything rang')],
      unit: percent0,
      topAtLeast: 0.1,
      topAtMost: 1,
    }),
    timeChart({
      title: 'Post-dial delay',
      description: `each ${every}; points of few calls are rough`,
      times: labels,
      lines: [line('pdd_p50', 's-1', 'median'), line('pdd_p95', 's-2', 'p95')],
      unit: (value) => (value === 0 ? '0' : duration(value)),
      topAtLeast: 1,
    }),
    timeChart({
      title: 'Attestation',
      description: `each ${every}, attempts by what their PASSporT claims; not verified`,
      times: labels,
      bars: attestationShares(emptySums()).map(({ kind, label }) =>
        bars(kind, label, (sums) => mapOf(sums, 'attestations')[label] ?? 0),
      ),
      unit: (value) => count(value),
      topAtLeast: 4,
    }),
    timeChart({
      title: 'Final responses',
      description: `each ${every}`,
      times: labels,
      bars: responseShares(emptySums()).map(({ kind, label }, index) =>
        bars(kind, label, (sums) => responseShares(sums)[index]!.count),
      ),
      unit: (value) => count(value),
      topAtLeast: 4,
    }),
  ]}</div>`
}

function percent0(ratio: number): string {
  return `${Number((ratio * 100).toFixed(1))} %`
}

const SPLIT = [
  ['asr', 'ASR'],
  ['ner', 'NER'],
  ['rate_487', '487'],
  ['pre_ring_487_rate', 'Pre-ring'],
  ['pdd_p50', 'PDD median'],
] as const

function splitSection(groups: readonly KpiGroup[], range: PageRange): Html {
  const kpis = SPLIT.map(([id, label]) => ({ kpi: KPI_CATALOG.find((kpi) => kpi.id === id)!, label }))
  return html`<section><div class="title"><h2>By site and direction</h2> <p class="quiet">${range.words}</p></div>
${
  groups.length === 0
    ? html`<p class="quiet">No attempts in this range.</p>`
    : html`${table(
        'Numbers by site and direction',
        html`<th scope="col">Site</th><th scope="col">Direction</th><th scope="col" class="num">Attempts</th>${kpis.map(({ label }) => html`<th scope="col" class="num">${label}</th>`)}`,
        groups.map(
          ({ by, total }) =>
            html`<tr><th scope="row">${by.site}</th><td>${by.direction}</td><td class="num">${count(countOf(total, 'attempts'))}</td>${kpis.map(
              ({ kpi }) => {
                const value = kpiValueOf(kpi, total)
                return html`<td class="num" title="${kpiDoubt(value)}">${value.value === null ? html`<span class="none">${kpiText(value)}</span>` : html`${kpiText(value)}<br><small>${intervalText(value)}</small>`}</td>`
              },
            )}</tr>`,
        ),
      )}`
}</section>`
}

function endingsSection(id: string, total: Sums, range: PageRange): Html {
  const attempts = countOf(total, 'attempts')
  const link = (column: string, value: string, text: string) =>
    html`<a href="/attempts?carrier=${encodeURIComponent(id)}&amp;${column}=${encodeURIComponent(value)}&amp;${rangeQuery(range)}">${text}</a>`
  const counted = (caption: string, column: string, counts: Record<string, number>) => {
    const entries = Object.entries(counts).sort(([, a], [, b]) => b - a)
    if (entries.length === 0) return null
    return table(
      `Attempts by: ${caption}`,
      html`<th scope="col">${caption}</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Share</th>`,
      entries.map(
        ([name, times]) =>
          html`<tr><th scope="row">${link(column, name, name)}</th><td class="num">${count(times)}</td><td class="num">${percent(times / Math.max(1, attempts))}</td></tr>`,
      ),
      { look: 'plain' },
    )
  }
  if (attempts === 0) {
    return html`<section><h2>How calls end</h2><p class="quiet">No closed attempts in this range.</p></section>`
  }
  return html`<section><div class="title"><h2>How calls end</h2> <p class="quiet">${count(attempts)} closed attempts ${range.words}</p></div>
<p>${shareBar(responseShares(total), { label: 'Final responses', width: 600 })}</p>${legendOf(responseShares(total).filter(({ count }) => count > 0))}
<div class="steps three">${[counted('Disposition', 'disposition', mapOf(total, 'dispositions')), counted('Final response', 'final_code', mapOf(total, 'responses')), counted('Cancelled', 'cancel_class', mapOf(total, 'cancels'))]}</div></section>`
}
