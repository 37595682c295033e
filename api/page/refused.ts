/** What was refused or could not be read: the reasons with their counts, and for investigators the first bytes of some. */
import type { LiveStatus } from '../../schemas/live-status.js'
import { isAtLeast } from '../../schemas/tokens.js'
import type { SeenDeps } from '../deps.js'
import { meaningOf, type RefusedJson } from '../tap/refused.js'
import { bytes, clock, count, day, plural } from './format.js'
import { type Html, html } from './html.js'
import { moment } from './moment.js'
import { table } from './table.js'

/** Keep-alives hold no message and are no fault: they are counted apart. */
export function refusedOf(live: LiveStatus): LiveStatus['refused'] {
  return live.refused
    .filter(({ reason, count }) => reason !== 'keepalive' && count > 0)
    .sort((a, b) => b.count - a.count)
}

/** Samples are bytes off the wire. */
export function seesSamples({ principal }: SeenDeps): boolean {
  return isAtLeast(principal.role, 'investigator')
}

export function refusedTable(deps: SeenDeps): Html {
  const refused = refusedOf(deps.live())
  if (refused.length === 0) {
    return html`<section><h2>Refused</h2><p class="quiet">Nothing was refused since the process started.</p></section>`
  }
  return html`<section><div class="title"><h2>Refused or unreadable</h2> <p class="quiet">frames since the start${seesSamples(deps) ? html`; <a href="/tap#samples">samples</a>` : '; samples are for investigators'}</p></div>
${table(
  'What was refused, by reason',
  html`<th scope="col">Reason</th><th scope="col">Meaning</th><th scope="col" class="num">Frames</th>`,
  refused.map(
    ({ stage, reason, count: times }) =>
      html`<tr><th scope="row"><span class="mono">${reason}</span></th><td class="quiet">${meaningOf(stage, reason)}</td><td class="num">${count(times)}</td></tr>`,
  ),
)}</section>`
}

export function samplesSection(reasons: readonly RefusedJson[]): Html | null {
  const kept = reasons.filter(({ samples }) => samples.length > 0)
  if (kept.length === 0) return null
  return html`<section><div class="title"><h2 id="samples">Samples of what was refused</h2> <p class="quiet">the first bytes, others than printable ones as dots; the agent key is blanked · <a href="/v1/refused">JSON with every byte</a></p></div>
<ul class="alerts">${kept.map(
    ({ reason, meaning, samples }) =>
      html`<li><div class="head"><b class="mono">${reason}</b> <span>${meaning}</span></div><details><summary>${plural(samples.length, 'sample')}</summary>${samples.map(
        (sample) =>
          html`<p class="small quiet">${moment(sample.received_at, `${day(sample.received_at).slice(0, 10)} ${clock(sample.received_at)}`)} UTC, ${bytes(sample.size_bytes)} over ${sample.transport} from <span class="mono">${sample.peer_address}</span></p><pre>${sample.sample_text}</pre>`,
      )}</details></li>`,
  )}</ul></section>`
}
