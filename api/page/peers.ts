/**
 * The section of a carrier's page that sets it beside the others on the same destinations: is it the carrier or the destination?
 * The numbers are those of /v1/peers.
 */
import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { wilsonInterval } from '../kpi/interval.js'
import { type PeersAnswer, peersQueryOf, readPeers } from '../peers/peers.js'
import { COMPARED_ATTEMPTS_MIN, type PeersVerdict } from '../peers/verdict.js'
import { isoOf } from '../time-span.js'
import { count, percent } from './format.js'
import { type Html, html } from './html.js'
import type { PageRange } from './layout.js'
import { table } from './table.js'

const PREFIXES_SHOWN = 20
/** The page comes every few seconds. */
const RANGE_MAX_US = 86_400e6

const WORDS: Record<PeersVerdict, string> = {
  carrier: 'it is this carrier',
  destination: 'it is the destination',
  both_fine: 'no difference is shown',
  not_enough: 'too few calls',
}

/** @param id of a configured or stored carrier; the unknown one has no peers */
export async function peersSection(deps: SeenDeps, id: string, range: PageRange): Promise<Html | null> {
  if (id === 'unknown') return null
  if (range.toUs - range.fromUs > RANGE_MAX_US) {
    return section(
      range,
      id,
      html`<p class="quiet">Read from the attempts themselves: on this page up to 24 hours, longer ranges as JSON.</p>`,
    )
  }
  const answer = await peersOf(deps, id, range)
  if (answer === undefined) {
    return section(
      range,
      id,
      html`<p class="quiet">There are more attempts in this range than one answer can read, or they are not kept any more; choose a shorter range.</p>`,
    )
  }
  const { judgement, prefixes } = answer
  if (prefixes.length === 0 || judgement === null) {
    return section(
      range,
      id,
      html`<p class="quiet">No prefix has ten attempts on this carrier and ten on others${deps.principal.carriers === 'all' ? '' : ' that you may see'}.</p>`,
    )
  }
  const shown = prefixes.slice(0, PREFIXES_SHOWN)
  return section(
    range,
    id,
    html`<p${judgement.verdict === 'carrier' ? html` class="bad"` : null}>${sentence(judgement.sentence)}</p>
${table(
  'The same destinations on this carrier and on others',
  html`<th scope="col">Prefix</th><th scope="col">Country</th><th scope="col" class="num">NER here</th><th scope="col" class="num">NER of the others</th><th scope="col" class="num">Carriers</th><th scope="col">Is it the carrier?</th>`,
  shown.map(
    (row) =>
      html`<tr><th scope="row"><span class="mono">${row.prefix}</span></th><td data-label="Country">${row.country_name}</td>${shareCell('NER here', row.ner, row.verdict === 'carrier')}${shareCell('NER of the others', row.others, false)}<td class="num" data-label="Carriers">${row.carriers}</td><td data-label="Is it the carrier?">${WORDS[row.verdict]}</td></tr>`,
  ),
  { look: 'cards' },
)}
<p class="quiet small">A verdict needs ${COMPARED_ATTEMPTS_MIN} attempts on each side, and two 95\u202f% intervals that do not overlap. Of twenty prefixes about one differs by chance.</p>`,
  )
}

/** In its place on a page that comes every few seconds. */
export function peersLink(id: string, range: PageRange): Html | null {
  if (id === 'unknown') return null
  const query = `${range.query === '' ? '?' : `${range.query}&`}peers=true`
  return section(
    range,
    id,
    html`<p><a href="/carriers/${encodeURIComponent(id)}${query}">Compare</a> <span class="quiet">reads the attempts themselves, of all carriers.</span></p>`,
  )
}

function section(range: PageRange, id: string, content: Html): Html {
  const query = `carrier=${encodeURIComponent(id)}&from=${isoOf(range.fromUs)}&to=${isoOf(range.toUs)}`
  return html`<section><div class="title"><h2>The same destinations on other carriers</h2> <p class="quiet">attempts in the NER that are not inbound; the others with this carrier’s share of each prefix · <a href="/v1/peers?${query}">JSON</a></p></div>
${content}</section>`
}

/** undefined: attempts are not kept so long, or too many for one statement. The page stands without them. */
async function peersOf(deps: SeenDeps, carrier: string, range: PageRange): Promise<PeersAnswer | undefined> {
  try {
    return await readPeers(
      deps,
      peersQueryOf({ carrier, from: isoOf(range.fromUs), to: isoOf(range.toUs) }, deps, deps.nowUs()),
    )
  } catch (error) {
    const isOfRange =
      error instanceof ApiError &&
      ['TRUNKSCOPE_API_QUERY_LIMIT', 'TRUNKSCOPE_API_BAD_RANGE', 'TRUNKSCOPE_API_UNKNOWN_CARRIER'].includes(
        error.code,
      )
    if (isOfRange) return undefined
    throw error
  }
}

type Share = PeersAnswer['prefixes'][number]['ner']

function shareCell(label: string, { denominator, numerator, value }: Share, isWorse: boolean): Html {
  const interval = wilsonInterval(numerator, denominator)
  return html`<td class="num${isWorse ? ' worse' : ''}" data-label="${label}">${
    value === null || interval === null
      ? html`<span class="none">none</span>`
      : html`<span class="value">${percent(value)}</span><br><small>${percent(interval[0])} to ${percent(interval[1])} of ${count(denominator)}</small>`
  }</td>`
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
