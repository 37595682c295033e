/** The way to a dispute pack from a page: of one carrier, over the range that is shown, for who may have it. */
import { isAtLeast } from '../../schemas/tokens.js'
import type { SeenDeps } from '../deps.js'
import { LONGEST_DAYS } from '../packs/request.js'
import { isoOf, MINUTE_US, type Span } from '../time-span.js'
import { type Html, html } from './html.js'

/** null: nobody in particular, no whole minute that is over, a range too long, or a role that sees no messages. */
export function packLink(
  { principal, nowUs }: SeenDeps,
  carrier: string,
  span: Span | undefined,
): Html | null {
  if (span === undefined || carrier === 'unknown' || !isAtLeast(principal.role, 'investigator')) return null
  const fromUs = Math.ceil(span.fromUs / MINUTE_US) * MINUTE_US
  // A pack is about a window that is over.
  const toUs = Math.floor(Math.min(span.toUs, nowUs()) / MINUTE_US) * MINUTE_US
  if (toUs <= fromUs || toUs - fromUs > LONGEST_DAYS * 86_400e6) return null
  const query = `from=${isoOf(fromUs)}&to=${isoOf(toUs)}&class=bad`
  return html` · <a href="/v1/carriers/${encodeURIComponent(carrier)}/dispute-pack?${query}" download>dispute pack of this range</a>`
}
