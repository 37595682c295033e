/** The list of attempts: those of a Call-ID, or the newest that fit a filter. */
import { DISPOSITIONS } from '../../schemas/attempt.js'
import { readableText } from '../../sip/sip-message.js'
import type { AttemptJson } from '../attempts/attempt-json.js'
import { type AttemptParameters, attemptSearchOf, searchAttempts } from '../attempts/search.js'
import type { SeenDeps } from '../deps.js'
import type { Parameter } from '../parameters.js'
import { isoOf, type Span } from '../time-span.js'
import { clock, day, duration, NONE } from './format.js'
import { type Html, html } from './html.js'
import { page } from './layout.js'
import { nameOf } from './overview.js'

export async function attemptsPage(deps: SeenDeps, written: AttemptParameters): Promise<Html> {
  // Fields of the form that were left empty are no filter.
  const filled = Object.fromEntries(Object.entries(written).filter(([, value]) => value !== ''))
  const search = attemptSearchOf(filled, deps.config, deps.nowUs())
  const { attempts, nextCursor } = await searchAttempts(deps.readers, search)
  return page(deps, {
    title: 'Attempts',
    path: '/attempts',
    content: html`<h1>Attempts</h1>
<section>${findForm(deps, filled)}</section>
<section><h2>${search.callId === undefined ? html`Newest first <span class="quiet">${spanWords(search.span)}</span>` : html`Legs of the call <span class="mono">${search.callId}</span>`}</h2>
${attempts.length === 0 ? html`<p class="quiet">Nothing fits${search.callId === undefined ? ' in this range' : ': a Call-ID is compared letter by letter'}.</p>` : attemptTable(attempts, { withCarrier: true, deps })}
${nextCursor === null ? null : html`<p class="pager"><a href="/attempts?${queryOf({ ...filled, cursor: nextCursor })}">Older attempts</a></p>`}</section>`,
  })
}

function spanWords(span: Span | undefined): string {
  return span === undefined ? '' : `${day(isoOf(span.fromUs))} to ${day(isoOf(span.toUs))} UTC`
}

function queryOf(parameters: AttemptParameters): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters) as [string, Parameter][]) {
    for (const text of Array.isArray(value) ? value : value === undefined ? [] : [value])
      query.append(name, text)
  }
  return query.toString()
}

function findForm({ config, principal }: SeenDeps, written: AttemptParameters): Html {
  const text = (value: Parameter) => (Array.isArray(value) ? value.join(',') : (value ?? ''))
  const select = (name: string, label: string, values: readonly string[], chosen: Parameter) =>
    html`<label>${label}<select name="${name}"><option value="">any</option>${values.map((value) => html`<option value="${value}"${value === text(chosen) ? html` selected` : null}>${value}</option>`)}</select></label>`
  const hidden = (name: 'from' | 'to' | 'cancel_class') =>
    written[name] === undefined
      ? null
      : html`<input type="hidden" name="${name}" value="${text(written[name])}">`
  return html`<form class="find" action="/attempts" method="get">
<label class="grow">Call-ID<input name="call_id" value="${text(written.call_id)}" autocomplete="off" spellcheck="false"></label>
${select('carrier', 'Carrier', [...config.carriers.map(({ id }) => id), ...(principal.carriers === 'all' ? ['unknown'] : [])], written.carrier)}
${select('disposition', 'Disposition', DISPOSITIONS, written.disposition)}
${select('state', 'State', ['open', 'closed', 'incomplete'], written.state)}
<label>Final code<input name="final_code" size="5" inputmode="numeric" value="${text(written.final_code)}"></label>
${hidden('from')}${hidden('to')}${hidden('cancel_class')}
<button type="submit">Find</button></form>`
}

export function attemptTable(
  attempts: readonly AttemptJson[],
  options: { withCarrier: boolean; deps?: SeenDeps },
): Html {
  if (attempts.length === 0) return html`<p class="quiet">None.</p>`
  return html`<div class="scroll"><table><caption class="hidden">Attempts, newest first</caption>
<thead><tr><th scope="col">Began (UTC)</th>${options.withCarrier ? html`<th scope="col">Carrier</th>` : null}<th scope="col">Leg</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Ended</th><th scope="col" class="num">PDD</th><th scope="col" class="num">Duration</th><th scope="col">Att.</th></tr></thead>
<tbody>${attempts.map(
    (
      attempt,
    ) => html`<tr><th scope="row"><a href="/attempts/${attempt.attempt_id}">${beganText(attempt)}</a></th>
${options.withCarrier ? html`<td>${ownerOf(attempt, options.deps)}</td>` : null}
<td>${attempt.direction === 'unknown' ? '' : attempt.direction}${attempt.site === '' ? '' : html` <small>${attempt.site}</small>`}</td>
<td class="mono">${attempt.calling_number || attempt.from_number || NONE}</td><td class="mono">${attempt.called_number || attempt.dialled_number || NONE}</td>
<td>${outcome(attempt)}</td><td class="num">${attempt.pdd_ms === null ? NONE : duration(attempt.pdd_ms / 1_000)}</td><td class="num">${attempt.duration_ms === null ? NONE : duration(attempt.duration_ms / 1_000)}</td><td>${attempt.attestation}</td></tr>`,
  )}</tbody></table></div>`
}

function beganText(attempt: AttemptJson): Html {
  const began = attempt.invited_at
  return typeof began === 'string'
    ? html`<span class="nowrap">${began.slice(0, 10)} ${clock(began)}</span>`
    : html`<span class="nowrap">${day(attempt.minute)}</span>`
}

export function ownerOf(attempt: AttemptJson, deps: SeenDeps | undefined): string {
  switch (attempt.party) {
    case 'carrier':
      return deps === undefined ? attempt.carrier : nameOf(deps, attempt.carrier)
    case 'customer':
      return `customer ${attempt.customer}`
    case 'internal':
      return 'internal leg'
    default:
      return `unknown ${attempt.far_address}`
  }
}

export function outcome(attempt: AttemptJson): Html {
  if (attempt.state !== 'closed') return html`<span class="badge plain">${attempt.state}</span>`
  const tone = attempt.sli === 'bad' ? 'bad' : attempt.disposition === 'ANSWERED' ? 'good' : ''
  return html`<span class="${tone}">${attempt.disposition}</span> <small>${attempt.final_code === 0 ? 'no final' : `${attempt.final_code} ${readableText(attempt.final_phrase)}`}${attempt.cancel_class === '' || attempt.cancel_class === attempt.disposition ? '' : ` · ${attempt.cancel_class}`}</small>`
}
