/**
 * The text of a SIP message in colours by part: start line, names of headers, the headers that matter, body.
 *
 * Takes    the message as it arrived. A line is a header as long as no empty line came; a folded line belongs to the one
 *          before. Nothing is read here that could fail: what is no header is shown as it is.
 * Returns  markup in which every character of the message stands, escaped by the template.
 */
import { type Html, html } from './html.js'

/** What decides about an attempt, in full and compact form (RFC 3261 §7.3.3). */
const MATTERS = new Set([
  'from',
  'f',
  'to',
  't',
  'call-id',
  'i',
  'cseq',
  'contact',
  'm',
  'reason',
  'identity',
  'y',
  'p-asserted-identity',
  'p-early-media',
  'retry-after',
  'warning',
  'require',
  'supported',
  'k',
  'diversion',
  'history-info',
  'privacy',
])

/** Lines beyond this are shown without colours. */
const LINES_MAX = 600

export function messageText(raw: string): Html {
  const lines = raw.split(/(?<=\n)/)
  let isBody = false
  let isFirst = true
  let matters = false
  const parts = lines.slice(0, LINES_MAX).map((line) => {
    if (isBody) return bodyLine(line)
    if (/^\r?\n?$/.test(line)) {
      isBody = !isFirst
      return html`${line}`
    }
    if (isFirst) {
      isFirst = false
      return html`<span class="m-start">${line}</span>`
    }
    const colon = /^[ \t]/.test(line) ? -1 : line.indexOf(':')
    if (colon < 0) return matters ? html`<b>${line}</b>` : html`${line}`
    const name = line.slice(0, colon)
    matters = MATTERS.has(name.trim().toLowerCase())
    const value = line.slice(colon)
    return html`<span class="m-name">${name}</span>${matters ? html`<b>${value}</b>` : value}`
  })
  return html`${parts}${lines.slice(LINES_MAX).join('')}`
}

/** Of SDP the lines that say where media goes (RFC 8866 §5). */
function bodyLine(line: string): Html {
  return /^[mc]=/.test(line)
    ? html`<span class="m-body"><b>${line}</b></span>`
    : html`<span class="m-body">${line}</span>`
}
