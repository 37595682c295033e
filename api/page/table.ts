/**
 * A table that everybody can use: with a caption, and in a box that scrolls by itself, by keyboard too, so that the page
 * never scrolls sideways. Told by role what it is, because on a phone "cards" are no longer drawn as a table.
 *
 * Takes    the caption as plain text, rows of our own markup with `scope` on every th.
 */
import { type Content, Html, html } from './html.js'

interface Kind {
  /** Shown above the table; otherwise only read out. */
  isCaptionShown?: true
  /** Of the style sheet: cards, many, plain, fixed, why. */
  look?: string
}

const ROLES: Record<string, string> = { thead: 'rowgroup', tbody: 'rowgroup', tr: 'row', td: 'cell' }

export function table(caption: string, head: Content, rows: Content, kind: Kind = {}): Html {
  const { look = '', isCaptionShown } = kind
  const body = html`<thead><tr>${head}</tr></thead><tbody>${rows}</tbody>`
  const told = /\bcards\b/.test(look) ? withRoles(body) : body
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${caption}"><table class="${look}"${told === body ? null : html` role="table"`}>
<caption class="${isCaptionShown ? 'shown' : 'hidden'}">${caption}</caption>
${told}</table></div>`
}

/** Texts are escaped by now: a "<" is ours. */
function withRoles({ text }: Html): Html {
  return new Html(
    text
      .replace(/<(thead|tbody|tr|td)(?=[\s>])/g, (tag, name: string) => `${tag} role="${ROLES[name]}"`)
      .replaceAll('<th scope="col"', '<th scope="col" role="columnheader"')
      .replaceAll('<th scope="row"', '<th scope="row" role="rowheader"'),
  )
}
