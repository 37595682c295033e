/** A moment in a page: for programs that read times aloud or turn them into local ones it stands in full. */
import { type Html, html } from './html.js'

export function moment(iso: string, words: string): Html {
  return html`<time datetime="${iso}">${words}</time>`
}
