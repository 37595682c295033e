/** The pages at /alerts: what fires, what waits and why, what was resolved; and one alert with its history. */
import { type AlertJson, readAlerts, type TransitionJson } from '../alerts/read-alerts.js'
import type { SeenDeps } from '../deps.js'
import type { PeersVerdict } from '../peers/verdict.js'
import { isoOf } from '../time-span.js'
import { count, day, NONE } from './format.js'
import { type Content, type Html, html } from './html.js'
import { page } from './layout.js'
import { moment } from './moment.js'

const RESOLVED_SHOWN = 50
/** As much as the alert was compared over. */
const COMPARED_SPAN_MAX_S = 21_600

const PEERS_WORDS: Readonly<Record<string, string>> = {
  carrier: 'it is the carrier',
  destination: 'it is the destination',
  both_fine: 'no difference to other carriers is shown',
  not_enough: 'too few calls to compare',
} satisfies Record<PeersVerdict, string>

export async function alertsPage(deps: SeenDeps): Promise<Html> {
  const [live, resolved] = await Promise.all([
    readAlerts(deps.readers, ['firing', 'pending']),
    readAlerts(deps.readers, ['resolved'], RESOLVED_SHOWN),
  ])
  const firing = live
    .filter(({ state }) => state === 'firing')
    .sort((a, b) => Number(b.severity === 'page') - Number(a.severity === 'page'))
  const pending = live.filter(({ state }) => state === 'pending')
  return page(deps, {
    title: 'Alerts',
    path: '/alerts',
    content: [
      html`<div class="title"><h1>Alerts</h1> <p class="quiet">${count(firing.length)} firing, ${count(pending.length)} pending, ${count(live.filter(({ held }) => held !== '').length)} held</p></div>`,
      notEvaluated(deps),
      firing.length === 0
        ? html`<section><h2>Firing</h2><p class="quiet">Nothing fires.</p></section>`
        : alertSection('Firing', firing, 'since', ({ starts_at }) => starts_at),
      pending.length === 0 ? null : alertSection('Pending', pending, 'since', ({ since }) => since),
      resolved.length === 0
        ? html`<section><h2>Resolved</h2><p class="quiet">No alert was resolved yet.</p></section>`
        : alertSection('Resolved lately', resolved, 'ended', ({ ends_at }) => ends_at),
    ],
  })
}

/** Silence is good news only when somebody looks. */
function notEvaluated({ config, live }: SeenDeps): Html | null {
  if (!config.alerts.enabled) {
    return html`<section><p class="bad">No rule is evaluated: alerts.enabled is false in the configuration.</p></section>`
  }
  if (config.clickhouse !== undefined && config.clickhouse.alerts === undefined) {
    return html`<section><p class="warn">This process evaluates no rule: clickhouse.alerts names no user that may write alerts. What stands here comes from another process, or is old.</p></section>`
  }
  return live().ready
    ? null
    : html`<section><p class="bad">Nothing is evaluated now: ${live().problem === '' ? 'it starts' : live().problem}</p></section>`
}

/** A list, not a table: sentences need the width, most of all on a phone. */
function alertSection(
  title: string,
  alerts: readonly AlertJson[],
  time: string,
  timeOf: (alert: AlertJson) => string | null,
): Html {
  return html`<section><h2>${title}</h2>
<ul class="alerts">${alerts.map((alert) => {
    const at = timeOf(alert)
    return html`<li><div class="head">${badge(alert)} <a href="/alerts/${alert.key}"><b>${alert.labels.alertname ?? alert.rule}</b></a> <span>${aboutOf(alert)}</span> <span class="quiet when">${at === null ? NONE : html`${time} ${moment(at, day(at))}`}</span></div>
<div>${alert.annotations.summary ?? ''}</div>${causeOf(alert)}${heldOf(alert)}</li>`
  })}</ul></section>`
}

function badge({ severity, state, held }: AlertJson): Html {
  const look =
    held !== '' || state === 'resolved' ? 'plain' : severity === 'page' && state === 'firing' ? 'bad' : ''
  return html`<span class="badge ${look}">${held !== '' ? 'held' : severity}</span>`
}

/** Each part leads to its page. */
function aboutOf({ labels }: AlertJson): Content {
  const { carrier, site, agent, slo } = labels
  const parts: Content[] = [
    carrier === undefined
      ? undefined
      : html`<a href="/carriers/${encodeURIComponent(carrier)}">${carrier}</a>`,
    site,
    agent === undefined ? undefined : html`<a href="/tap">${agent}</a>`,
    slo === undefined ? undefined : html`<a href="/slos">${slo}</a>`,
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? 'everything' : parts.map((part, index) => [index === 0 ? null : ' · ', part])
}

function causeOf({ annotations }: AlertJson): Html | null {
  return annotations.likely_cause === undefined
    ? null
    : html`<div class="quiet small">${annotations.likely_cause}</div>`
}

function heldOf({ held }: AlertJson): Html | null {
  return held === '' ? null : html`<div class="warn small">held: ${held}</div>`
}

export function alertPage(deps: SeenDeps, alert: AlertJson, transitions: readonly TransitionJson[]): Html {
  const { annotations } = alert
  const rows: [string, Content][] = [
    ['State', html`${badge(alert)} ${stateText(alert)}`],
    ['About', aboutOf(alert)],
    ['What', html`${annotations.summary ?? ''}${heldOf(alert)}`],
    ['Likely cause', annotations.likely_cause ?? NONE],
    ...peersRow(alert),
    ['Whom to call', annotations.escalation ?? NONE],
    ['Attempts', samplesOf(annotations.sample_attempts)],
    ['Runbook', runbookOf(annotations.runbook_url)],
    ['Key', html`<span class="mono">${alert.key}</span>`],
  ]
  const name = alert.labels.alertname ?? alert.rule
  return page(deps, {
    title: name,
    path: `/alerts/${alert.key}`,
    content: [
      html`<div class="title"><h1>${name}</h1> <p class="quiet"><a href="/alerts">all alerts</a></p></div>`,
      html`<section>${facts(rows)}</section>`,
      html`<section><h2>Numbers</h2>${facts(
        Object.entries(alert.details).map(([what, value]) => [
          what,
          html`<span class="mono">${value === null ? NONE : String(value)}</span>`,
        ]),
      )}</section>`,
      transitions.length === 0
        ? html`<section><h2>History</h2><p class="quiet">Nobody was told of it yet.</p></section>`
        : html`<section><h2>History</h2><ul class="alerts">${transitions.map(({ transition, at, status, annotations: told }) => html`<li><div class="head"><b>${status}</b> <span class="quiet when">${at === null ? NONE : moment(at, day(at))} · ${transition}</span></div><div>${told.summary ?? ''}</div></li>`)}</ul></section>`,
    ],
  })
}

function facts(rows: readonly (readonly [string, Content])[]): Html {
  return html`<div class="facts"><dl>${rows.map(([what, value]) => html`<dt>${what}</dt><dd>${value}</dd>`)}</dl></div>`
}

function stateText({ state, since, starts_at, ends_at }: AlertJson): Content {
  const at = state === 'pending' ? since : state === 'firing' ? starts_at : ends_at
  return at === null ? state : html`${state} since ${moment(at, day(at))} UTC`
}

/** With the way to the table of prefixes, of the time before it began. */
function peersRow({ annotations, details, labels, starts_at }: AlertJson): [string, Content][] {
  const { peers } = annotations
  const { carrier } = labels
  if (peers === undefined || carrier === undefined || starts_at === null) return []
  const toUs = Math.floor(Date.parse(starts_at) / 60_000) * 60e6
  const fromUs = toUs - Math.min(Number(details.window_s ?? 3_600), COMPARED_SPAN_MAX_S) * 1e6
  const query = `from=${isoOf(fromUs)}&to=${isoOf(toUs)}&peers=true`
  const link = html`<a href="/carriers/${encodeURIComponent(carrier)}?${query}">by prefix</a>`
  return [['Carrier or destination', html`${PEERS_WORDS[peers] ?? peers} · ${link}`]]
}

function samplesOf(ids: string | undefined): Content {
  if (ids === undefined || ids === '') return NONE
  return ids.split(' ').map((id) => html`<a class="mono" href="/attempts/${id}">${id.slice(0, 12)}</a> `)
}

function runbookOf(url: string | undefined): Content {
  if (url === undefined) return NONE
  return /^https?:\/\//.test(url) ? html`<a href="${url}">${url}</a>` : html`<span class="mono">${url}</span>`
}
