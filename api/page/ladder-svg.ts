/**
 * A ladder as SVG: a column a party, an arrow a message, times at the left, other agents at the right.
 *
 * Takes    a ladder (api/attempts/ladder.ts); of a long one the first ARROWS_MAX arrows, and a line that says so.
 * Returns  markup that stands alone: colours are attributes, on paper white, because no style may stand in it
 *          (Content-Security-Policy); within a page the classes of the style sheet win, and follow dark and light.
 *          Texts are escaped by the template. Its alternative is the list of messages, and `desc` in short.
 */
import type { CallLadder } from '../attempts/call-ladder.js'
import type { Arrow } from '../attempts/ladder.js'
import { plural } from './format.js'
import { Html, html } from './html.js'

export const ARROWS_MAX = 400

const LEFT = 84
/** Beside the first and the last party. */
const MARGIN = 70
const HEAD = 58
const ROW = 38
const MEDIA_ROW = 15
/** Of the type that texts are set in. */
const CHAR = 6.9

const COLOUR: Record<Arrow['kind'], string> = {
  request: '#1c62d1',
  provisional: '#5a6878',
  success: '#1c7a4b',
  redirect: '#8a5a00',
  failure: '#bd2b2b',
  unreadable: '#bd2b2b',
}

export function ladderSvg(ladder: CallLadder): Html {
  const arrows = ladder.arrows.slice(0, ARROWS_MAX)
  const agents = new Set(arrows.flatMap(({ also_seen }) => also_seen.map(({ agent }) => agent)))
  const right = agents.size > 0 ? 250 : 40
  const column = columnWidth(ladder.parties.length)
  const x = (party: number) => LEFT + MARGIN + party * column
  const drawn = x(Math.max(0, ladder.parties.length - 1)) + MARGIN
  const width = drawn + right
  const tops: number[] = []
  let y = HEAD
  for (const arrow of arrows) {
    tops.push(y)
    y += ROW + Math.min(arrow.media.length, 2) * MEDIA_ROW
  }
  const left = ladder.arrows.length - arrows.length
  const height = y + (left > 0 ? 44 : 22)
  const drawing = html`<svg xmlns="http://www.w3.org/2000/svg" class="call-ladder" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${summary(ladder)}" font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="11.5">
<desc>${textOf(ladder)}</desc>
<rect class="ld-paper" width="${width}" height="${height}" fill="#ffffff"/>
${ladder.parties.map(
  ({ address, name }, index) =>
    html`<text class="ld-ink" x="${x(index)}" y="20" text-anchor="middle" fill="#17202b" font-weight="bold">${fitting(name === '' ? address : name, column - 16)}</text>
${name === '' ? null : html`<text class="ld-quiet" x="${x(index)}" y="36" text-anchor="middle" fill="#5a6878">${fitting(address, column - 16)}</text>`}
<line class="ld-life" x1="${x(index)}" x2="${x(index)}" y1="44" y2="${height - (left > 0 ? 30 : 8)}" stroke="#b3bcc7"/>`,
)}
${arrows.map((arrow, index) => arrowSvg(arrow, arrow.attempt_id === ladder.attempt_id, tops[index]!, { x, column, right: drawn }, arrows[index - 1]))}
${left > 0 ? html`<text class="ld-quiet" x="${LEFT}" y="${height - 14}" fill="#5a6878">and ${plural(left, 'message')} more: they stand in the list</text>` : null}
</svg>`
  // No characters of XML, as a reader of the drawing alone would say (XML 1.0 §2.2); control characters are pictures by now.
  return new Html(drawing.text.replace(/[\ufffe\uffff]/g, '\ufffd'))
}

/** Where there are few parties a line of media fits between two. */
function columnWidth(parties: number): number {
  if (parties <= 2) return 410
  return parties === 3 ? 320 : 230
}

function arrowSvg(
  arrow: Arrow,
  isOwn: boolean,
  top: number,
  { x, column, right }: { x: (party: number) => number; column: number; right: number },
  before: Arrow | undefined,
): Html {
  const [from, to] = [x(arrow.from), x(arrow.to)]
  const y = top + 22
  const colour = COLOUR[arrow.kind]
  const isLoop = arrow.from === arrow.to
  const tip = to > from ? to - 1 : to + 1
  const back = to > from ? -8 : 8
  const space = isLoop ? column - 20 : Math.abs(to - from) - 14
  const gapMs = before === undefined ? 0 : arrow.offset_ms - before.offset_ms
  const marks = `${arrow.again_of === null ? '' : ` (again, of ${arrow.again_of})`}${arrow.is_early_media ? ' early media' : ''}`
  const label = fitting(`${arrow.number} ${arrow.label}${marks}`, space)
  const middle = isLoop ? from + 8 : (from + to) / 2
  const anchor = isLoop ? 'start' : 'middle'
  const dash = arrow.again_of === null ? null : html` stroke-dasharray="4 3"`
  return html`<g class="ld-${arrow.kind}${isOwn ? '' : ' ld-other'}"><title>${arrowText(arrow)}</title>
<text class="ld-quiet" x="${LEFT - 14}" y="${y + 1}" text-anchor="end" fill="#5a6878">${secondsText(arrow.offset_ms)}</text>
${gapMs >= 1_000 ? html`<text class="ld-quiet" x="${LEFT - 14}" y="${y - 12}" text-anchor="end" fill="#5a6878" font-size="10">+${secondsText(gapMs)}</text>` : null}
<text class="ld-label" x="${middle}" y="${y - 5}" text-anchor="${anchor}" fill="${colour}"${isOwn ? html` font-weight="bold"` : null}>${label}</text>
${
  isLoop
    ? html`<path class="ld-line" d="M${from} ${y}h26v8h-18" fill="none" stroke="${colour}" stroke-width="1.6"${dash}/><path class="ld-tip" d="M${from} ${y + 8}l8 -4v8z" fill="${colour}"/>`
    : html`<line class="ld-line" x1="${from}" x2="${tip + back / 2}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="1.6"${dash}/><path class="ld-tip" d="M${tip} ${y}l${back} -4v8z" fill="${colour}"/>`
}
${arrow.media.slice(0, 2).map((media, line) => html`<text class="ld-quiet" x="${middle}" y="${y + 14 + line * MEDIA_ROW}" text-anchor="${anchor}" fill="#5a6878" font-size="10.5">${fitting(media, space + 14)}</text>`)}
${arrow.also_seen.length === 0 ? null : html`<text class="ld-quiet" x="${right + 4}" y="${y + 4}" fill="#5a6878" font-size="10.5">${fitting(arrow.also_seen.map(({ agent, later_ms }) => `${agent} ${signed(later_ms)}`).join(', '), 240)}</text>`}</g>
`
}

/** One line in place of the drawing; the whole of it stands in the list of messages. */
function summary({ parties, arrows }: CallLadder): string {
  const names = parties.map(({ address, name }) => name || address).join(', ')
  return `Ladder: ${plural(arrows.length, 'message')} between ${names}; the list of messages says the same`
}

/** The ladder as lines of text. */
function textOf(ladder: CallLadder): string {
  const who = (party: number) => ladder.parties[party]!.name || ladder.parties[party]!.address
  return ladder.arrows
    .slice(0, ARROWS_MAX)
    .map((arrow) => `${arrowText(arrow)}, ${who(arrow.from)} to ${who(arrow.to)}`)
    .join('\n')
}

function arrowText(arrow: Arrow): string {
  const again = arrow.again_of === null ? '' : `, again, of ${arrow.again_of}`
  const media =
    arrow.media.length === 0 ? '' : `, ${arrow.is_early_media ? 'early media ' : ''}${arrow.media.join('; ')}`
  const others = arrow.also_seen.map(({ agent, later_ms }) => `, also seen by ${agent} ${signed(later_ms)}`)
  return `${arrow.number}. ${secondsText(arrow.offset_ms)} ${arrow.label}${again}${media}, seen by ${arrow.agent} at ${arrow.captured_at}${others.join('')}`
}

export function secondsText(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`
}

/** "+0.8 ms": as the other agent's clock tells it. */
export function signed(ms: number): string {
  return `${ms < 0 ? '−' : '+'}${Math.abs(ms).toFixed(1)} ms`
}

/** Cut between characters, so that the text stays one. */
function fitting(text: string, width: number): string {
  const chars = [...text]
  const most = Math.max(4, Math.floor(width / CHAR))
  return chars.length <= most ? text : `${chars.slice(0, most - 1).join('')}…`
}
