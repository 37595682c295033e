/** The legs of the call of an attempt, on its page. */
import type { CallJson } from '../calls/call.js'
import { type Html, html } from './html.js'
import { table } from './table.js'

const ROLES: Record<CallJson['legs'][number]['role'], string> = {
  a_leg: 'A-leg (came in)',
  b_leg: 'B-leg (sent on)',
  transit: 'between our SBCs',
  unknown: 'unknown',
}
const LINKS: Record<string, string> = {
  session_id: 'Session-ID',
  header: 'correlation header',
  call_id: 'Call-ID',
  numbers_time: 'numbers and time',
}

/** null: nothing is known of other legs, and no verdict rests on one. */
export function callLegsSection(call: CallJson, attemptId: string): Html | null {
  if (call.legs.length < 2 && call.verdict === null) return null
  return html`<section><h2 id="call">Call</h2>
${call.verdict === null ? null : html`<p>${call.verdict.because}. This leg alone would be ${call.verdict.fold.cancel_class || call.verdict.fold.disposition}.${call.verdict.other_attempt_id === null ? null : html` <a href="/attempts/${call.verdict.other_attempt_id}">The other attempt</a>`}</p>`}
${call.rescues.map(({ sentence, attempt_id }) => html`<p>${sentence}. <a href="/attempts/${attempt_id}">The answered leg</a></p>`)}
${table(
  'Legs of this call',
  html`<th scope="col">Leg</th><th scope="col">Party</th><th scope="col">Site</th><th scope="col">INVITE</th><th scope="col">Outcome</th><th scope="col">Known by</th>`,
  call.legs.map(
    (leg) =>
      html`<tr><th scope="row">${leg.attempt_id === attemptId ? html`<b>${ROLES[leg.role]}</b>` : html`<a href="/attempts/${leg.attempt_id}">${ROLES[leg.role]}</a>`}</th><td>${leg.carrier || leg.customer || leg.party}</td><td>${leg.site}</td><td class="nowrap">${leg.invited_at ?? ''}</td><td>${leg.disposition || leg.state}${leg.final_code > 0 ? ` (${leg.final_code})` : ''}</td><td>${leg.linked_by === null ? '' : LINKS[leg.linked_by]}${leg.confidence < 0.8 ? ', unsure' : ''}</td></tr>`,
  ),
)}</section>`
}
