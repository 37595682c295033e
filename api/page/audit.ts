/** The page at /audit: who looked at calls, and who took some away. */
import { AUDIT_ACTION_NAMES, AUDIT_ACTIONS, type AuditActionName } from '../../schemas/audit.js'
import { type AuditEntry, type AuditParameters, auditQuestionOf, readAudit } from '../audit/read-audit.js'
import type { SeenDeps } from '../deps.js'
import type { Parameter } from '../parameters.js'
import { isoOf } from '../time-span.js'
import { clock, count, day, NONE } from './format.js'
import { type Content, type Html, html } from './html.js'
import { page } from './layout.js'
import { moment } from './moment.js'
import { table } from './table.js'

export async function auditPage(
  deps: SeenDeps,
  written: AuditParameters,
): Promise<{ page: Html; rows: number }> {
  // Fields of the form that were left empty are no filter.
  const filled = Object.fromEntries(
    Object.entries(written).filter(([, value]) => value !== ''),
  ) as AuditParameters
  const question = auditQuestionOf(filled, deps)
  const { entries, nextCursor } = await readAudit(deps, question)
  const { cursor: _, ...first } = filled
  const isLater = filled.cursor !== undefined
  const { fromUs, toUs } = question.span
  const shown = page(deps, {
    title: 'Audit trail',
    path: '/audit',
    content: html`<div class="title"><h1>Audit trail</h1> <p class="quiet">who looked at calls, and who took some away</p></div>
<section><h2>Find</h2>${findForm(first)}</section>
<section><div class="title"><h2>Newest first</h2> <p class="quiet">${day(isoOf(fromUs))} to ${day(isoOf(toUs))} UTC${isLater ? ', an older page' : ''}; kept for ${count(deps.config.retention.audit_days)} days</p></div>
${entries.length === 0 ? html`<p class="quiet">Nothing fits in this range.</p>` : entryTable(entries)}
${pager(filled, first, isLater, nextCursor)}</section>`,
  })
  return { page: shown, rows: entries.length }
}

function entryTable(entries: readonly AuditEntry[]): Html {
  return html`${table(
    'Entries, newest first',
    html`<th scope="col">When (UTC)</th><th scope="col">Who</th><th scope="col">From</th><th scope="col">Did what</th><th scope="col">On what</th><th scope="col" class="num">Rows</th><th scope="col">Answer</th>`,
    entries.map(
      (
        entry,
      ) => html`<tr><th scope="row"><span class="nowrap">${moment(entry.at, `${entry.at.slice(0, 10)} ${clock(entry.at)}`)}</span></th>
<td data-label="Who">${entry.token} <small>${entry.role}${entry.carriers.length === 0 ? '' : ` of ${entry.carriers.join(', ')}`}</small></td>
<td class="mono" data-label="From">${entry.address || NONE}</td>
<td data-label="Did what">${AUDIT_ACTIONS[entry.action as AuditActionName]?.sentence ?? entry.action} <small>${entry.route}</small></td>
<td data-label="On what">${objectOf(entry)}</td>
<td class="num" data-label="Rows">${entry.rows === null ? NONE : count(entry.rows)}</td>
<td data-label="Answer">${entry.status >= 400 ? html`<span class="bad">${entry.status === 403 ? 'refused' : String(entry.status)}</span>` : 'given'}</td></tr>`,
    ),
    { look: 'cards' },
  )}`
}

function objectOf({ attempt_id, carrier, numbers, filters }: AuditEntry): Content {
  const parts: Content[] = []
  if (carrier !== '') parts.push(html`<div>carrier ${carrier}</div>`)
  if (attempt_id !== '')
    parts.push(html`<div><a class="mono" href="/attempts/${attempt_id}">${attempt_id.slice(0, 12)}</a></div>`)
  if (numbers.length > 0) parts.push(html`<div class="mono">number ${numbers.join(', ')}</div>`)
  const asked = Object.entries(filters).map(([name, value]) => `${name}=${value}`)
  if (asked.length > 0) parts.push(html`<div class="small quiet">${asked.join(' ')}</div>`)
  return parts.length === 0 ? NONE : parts
}

function pager(
  filled: AuditParameters,
  first: AuditParameters,
  isLater: boolean,
  nextCursor: string | null,
): Html | null {
  if (!isLater && nextCursor === null) return null
  return html`<nav class="pager" aria-label="Older and newer entries">${isLater ? html`<a href="/audit?${queryOf(first)}">Newest entries</a>` : null}
${nextCursor === null ? html`<span class="quiet">these are the oldest of the range</span>` : html`<a rel="next" href="/audit?${queryOf({ ...filled, cursor: nextCursor })}">Older entries</a>`}</nav>`
}

const textOf = (value: Parameter) => (Array.isArray(value) ? value.join(',') : (value ?? ''))

function queryOf(parameters: AuditParameters): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) query.append(name, textOf(value))
  return query.toString()
}

function findForm(written: AuditParameters): Html {
  const field = (name: keyof AuditParameters, label: string, more: Html | null = null) =>
    html`<label>${label}<input name="${name}" value="${textOf(written[name])}" autocomplete="off" spellcheck="false"${more}></label>`
  const chosen = textOf(written.action)
  return html`<form class="find" action="/audit" method="get" role="search" aria-label="Audit trail">
${field('number', 'Number that was searched for', html` placeholder="+12025550143"`)}
${field('token', 'Token')}
<label>Action<select name="action"><option value="">any</option>${AUDIT_ACTION_NAMES.map((name) => html`<option value="${name}"${name === chosen ? html` selected` : null}>${name}</option>`)}</select></label>
${field('attempt', 'Attempt')}
${field('carrier', 'Carrier')}
${field('from', 'From (UTC)', html` size="21" placeholder="2026-11-20T12:00:00Z"`)}
${field('to', 'To (UTC)', html` size="21" placeholder="2026-11-21T12:00:00Z"`)}
<button type="submit">Find</button></form>`
}
