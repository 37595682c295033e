/** The list of attempts: those of a Call-ID, or the newest that fit a filter. */
import { CANCEL_CLASSES, DISPOSITIONS } from '../../schemas/attempt.js'
import { isAtLeast } from '../../schemas/tokens.js'
import { readableText } from '../../sip/sip-message.js'
import type { AttemptJson } from '../attempts/attempt-json.js'
import {
  type AttemptParameters,
  type AttemptSearch,
  attemptSearchOf,
  LEVELS,
  PARTIES,
  STATES,
  searchAttempts,
} from '../attempts/search.js'
import type { Audited } from '../audit/trail.js'
import type { SeenDeps } from '../deps.js'
import type { Parameter } from '../parameters.js'
import { isoOf, type Span } from '../time-span.js'
import { clock, day, duration, NONE } from './format.js'
import { type Html, html } from './html.js'
import { page } from './layout.js'
import { moment } from './moment.js'
import { nameOf } from './overview.js'
import { packLink } from './pack-link.js'
import { table } from './table.js'

const DAY_US = 86_400e6
/** What the table shows, and what pages are told apart by. */
export const COLUMNS: ReadonlySet<string> = new Set([
  ...['attempt_id', 'minute', 'invited_at_us', 'party', 'carrier', 'customer', 'far_address', 'direction'],
  ...['site', 'calling_number', 'from_number', 'called_number', 'dialled_number', 'state', 'sli'],
  ...['disposition', 'final_code', 'final_phrase', 'cancel_class', 'pdd_ms', 'duration_ms', 'attestation'],
])

export async function attemptsPage(
  deps: SeenDeps,
  written: AttemptParameters,
  audited: Audited = {},
): Promise<Html> {
  // Fields of the form that were left empty are no filter.
  const filled = Object.fromEntries(
    Object.entries(written).filter(([, value]) => value !== ''),
  ) as AttemptParameters
  const search = attemptSearchOf(filled, deps, deps.nowUs())
  const { attempts, nextCursor } = await searchAttempts(deps.readers, search, COLUMNS)
  audited.rows = attempts.length
  const { cursor: _, ...first } = filled
  const isLater = filled.cursor !== undefined
  return page(deps, {
    title: 'Attempts',
    path: '/attempts',
    content: html`<h1>Attempts</h1>
<section><h2>Find</h2>${findForm(deps, first)}</section>
<section><div class="title"><h2>${search.callId === undefined ? 'Newest first' : 'Legs of the call'}</h2> <p class="quiet">${search.callId === undefined ? `${spanWords(search.span)}${isLater ? ', an older page' : ''}` : html`<span class="mono">${search.callId}</span>`} · <a href="/v1/attempts?${queryOf(filled)}">as JSON</a>${packLink(deps, oneCarrierOf(search), search.span)}</p></div>
${attempts.length === 0 ? emptyState(deps, search, first, isLater) : attemptTable(attempts, { withCarrier: true, deps })}
${pager(filled, first, isLater, nextCursor)}</section>`,
  })
}

function pager(
  filled: AttemptParameters,
  first: AttemptParameters,
  isLater: boolean,
  nextCursor: string | null,
): Html | null {
  if (!isLater && nextCursor === null) return null
  return html`<nav class="pager" aria-label="Older and newer attempts">${isLater ? html`<a href="/attempts?${queryOf(first)}">Newest attempts</a>` : null}
${nextCursor === null ? html`<span class="quiet">these are the oldest of the range</span>` : html`<a rel="next" href="/attempts?${queryOf({ ...filled, cursor: nextCursor })}">Older attempts</a>`}</nav>`
}

/** What to try instead, as links where a link can do it. */
function emptyState(
  deps: SeenDeps,
  { callId, span, texts, finalCodes, numbers = [], routing = [] }: AttemptSearch,
  first: AttemptParameters,
  isLater: boolean,
): Html {
  if (isLater) return html`<p class="quiet">No older attempt fits.</p>`
  if (callId !== undefined) {
    return html`<p>No attempt with this Call-ID${span === undefined ? '' : ' in this range'}. <span class="quiet">It is compared letter by letter${isAtLeast(deps.principal.role, 'investigator') ? '' : '; one that is shown masked (…) cannot be searched for: follow the attempt'}. Attempts are kept for ${deps.config.retention.attempts_months} months.</span></p>`
  }
  const toUs = span?.toUs ?? deps.nowUs()
  const isShort = span !== undefined && span.toUs - span.fromUs < DAY_US
  const wider = queryOf({ ...first, from: isoOf(toUs - DAY_US), to: isoOf(toUs) })
  const { from, to } = first
  const others =
    texts.filter(([column, values]) => column !== 'party' && values.length > 0).length +
    finalCodes.length +
    numbers.length +
    routing.length
  return html`<p>Nothing fits in this range. ${isShort ? html`<a href="/attempts?${wider}">Look in the 24 hours before its end</a>` : null}${others > 0 ? html`${isShort ? ', or ' : null}<a href="/attempts?${queryOf({ ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) })}">without filters</a>` : null}${isShort || others > 0 ? '.' : ''}</p>`
}

/** The one carrier that is looked at. */
function oneCarrierOf({ texts }: AttemptSearch): string {
  const [, carriers = []] = texts.find(([column]) => column === 'carrier') ?? []
  return carriers.length === 1 ? carriers[0]! : 'unknown'
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

/** These stand under "more" and open it when one of them is used. */
const MORE = [
  'calling',
  'called',
  'rn',
  'tgrp',
  'site',
  'direction',
  'party',
  'state',
  'cancel_class',
  'attestation',
  'from',
  'to',
] as const

/** It works by GET: what is found has an address. */
function findForm({ config, principal }: SeenDeps, written: AttemptParameters): Html {
  const textOf = (value: Parameter) => (Array.isArray(value) ? value.join(',') : (value ?? ''))
  const field = (name: keyof AttemptParameters, label: string, more: Html | null = null) =>
    html`<label>${label}<input name="${name}" value="${textOf(written[name])}" autocomplete="off" spellcheck="false"${more}></label>`
  const select = (name: keyof AttemptParameters, label: string, values: readonly string[]) => {
    const chosen = textOf(written[name])
    // A link may bring several values, or one that is not in the list: they stay.
    const all = chosen === '' || values.includes(chosen) ? values : [chosen, ...values]
    return html`<label>${label}<select name="${name}"><option value="">any</option>${all.map((value) => html`<option value="${value}"${value === chosen ? html` selected` : null}>${value.replaceAll(',', ', ')}</option>`)}</select></label>`
  }
  const seesNumbers = isAtLeast(principal.role, 'investigator')
  const isOfAll = principal.carriers === 'all'
  const unknown = isOfAll ? ['unknown'] : []
  const isOpen = MORE.some((name) => textOf(written[name]) !== '')
  const limit = textOf(written.limit)
  return html`<form class="find" action="/attempts" method="get" role="search" aria-label="Attempts">
<label class="grow">Call-ID<input name="call_id" value="${textOf(written.call_id)}" autocomplete="off" spellcheck="false"></label>
${seesNumbers ? field('number', 'Number, or * and its last digits', html` placeholder="*0100"`) : null}
${select('carrier', 'Carrier', [...config.carriers.map(({ id }) => id), ...unknown])}
${select('disposition', 'Disposition', DISPOSITIONS)}
${field('final_code', 'Final code', html` size="7" placeholder="487,503"`)}
<button type="submit">Find</button>
<details${isOpen ? html` open` : null}><summary>More filters</summary><div class="find">
${seesNumbers ? [field('calling', 'Calling number'), field('called', 'Called number'), field('rn', 'Routing number'), field('tgrp', 'Trunk group')] : html`<p class="quiet small">Searching by number or routing needs the role investigator.</p>`}
${select('site', 'Site', [...config.sites.map(({ id }) => id), ...unknown])}
${select('direction', 'Direction', ['inbound', 'outbound', 'unknown'])}
${isOfAll ? select('party', 'Whose leg', PARTIES) : null}
${select('state', 'State', STATES)}
${select('cancel_class', 'Why cancelled', CANCEL_CLASSES)}
${select('attestation', 'Attestation', LEVELS)}
${field('from', 'From (UTC)', html` size="21" placeholder="2026-11-20T12:00:00Z"`)}
${field('to', 'To (UTC)', html` size="21" placeholder="2026-11-20T13:00:00Z"`)}
</div></details>${limit === '' ? null : html`<input type="hidden" name="limit" value="${limit}">`}</form>`
}

export function attemptTable(
  attempts: readonly AttemptJson[],
  options: { withCarrier: boolean; deps?: SeenDeps },
): Html {
  if (attempts.length === 0) return html`<p class="quiet">None.</p>`
  return html`${table(
    'Attempts, newest first',
    html`<th scope="col">Began (UTC)</th>${options.withCarrier ? html`<th scope="col">Carrier</th>` : null}<th scope="col">Leg</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Ended</th><th scope="col" class="num">PDD</th><th scope="col" class="num">Duration</th><th scope="col"><abbr title="Attestation">Att.</abbr></th>`,
    attempts.map(
      (
        attempt,
      ) => html`<tr><th scope="row"><a href="/attempts/${attempt.attempt_id}">${beganText(attempt)}</a></th>
${options.withCarrier ? html`<td data-label="Carrier">${ownerOf(attempt, options.deps)}</td>` : null}
<td data-label="Leg">${attempt.direction === 'unknown' ? '' : attempt.direction}${attempt.site === '' ? '' : html` <small>${attempt.site}</small>`}</td>
<td class="mono" data-label="From">${attempt.calling_number || attempt.from_number || NONE}</td><td class="mono" data-label="To">${attempt.called_number || attempt.dialled_number || NONE}</td>
<td class="wide-att" data-label="Ended">${outcome(attempt)}</td><td class="num" data-label="PDD">${attempt.pdd_ms === null ? NONE : duration(attempt.pdd_ms / 1_000)}</td><td class="num" data-label="Duration">${attempt.duration_ms === null ? NONE : duration(attempt.duration_ms / 1_000)}</td><td data-label="Attestation">${attempt.attestation}</td></tr>`,
    ),
    { look: 'cards attempts' },
  )}`
}

function beganText(attempt: AttemptJson): Html {
  const began = attempt.invited_at
  const [iso, words] =
    typeof began === 'string'
      ? [began, `${day(began).slice(0, 10)} ${clock(began)}`]
      : [attempt.minute, day(attempt.minute)]
  return html`<span class="nowrap">${moment(iso, words)}</span>`
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
