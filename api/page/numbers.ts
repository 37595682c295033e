/**
 * The page at /numbers: calls that arrived on a carrier that does not own the number, the inventory behind that, and where calls
 * go by country. The numbers are those of /v1/numbers, /v1/numbers/misrouted and /v1/destinations.
 */
import type { SeenDeps } from '../deps.js'
import type { KpiValue } from '../kpi/answer.js'
import {
  type DestinationGroup,
  type DestinationsAnswer,
  destinationQueryOf,
  readDestinations,
} from '../numbers/destinations.js'
import { type InventoryState, inventoryStateOf } from '../numbers/inventory-state.js'
import type { MisroutedAnswer } from '../numbers/misrouted.js'
import { isoOf } from '../time-span.js'
import { rangeQuery } from './carrier.js'
import { bytes, count, day, intervalText, kpiDoubt, kpiText, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { type PageRange, page } from './layout.js'
import { moment } from './moment.js'
import { carrierHref, nameOf } from './overview.js'
import { table } from './table.js'

const COUNTRIES_SHOWN = 40
const MISROUTED_SHOWN = 100
const ERRORS_SHOWN = 50

export async function numbersPage(
  deps: SeenDeps,
  range: PageRange,
  misroutedOf: () => Promise<MisroutedAnswer>,
): Promise<Html> {
  const state = inventoryStateOf(deps)
  const [misrouted, destinations] = await Promise.all([
    state.is_configured ? misroutedOf() : undefined,
    readDestinations(deps, countriesQuery(deps, range)),
  ])
  return page(deps, {
    title: 'Numbers',
    path: '/numbers',
    range,
    content: [
      html`<div class="title"><h1>Numbers</h1> <p class="quiet">${range.words} · where calls go, and who brings those to our numbers</p></div>`,
      misrouted === undefined ? howToConfigure() : misroutedSection(deps, misrouted, range),
      state.is_configured && deps.principal.carriers === 'all' ? inventorySection(state) : null,
      destinationSection(destinations, range),
    ],
  })
}

function countriesQuery(deps: SeenDeps, range: PageRange) {
  return destinationQueryOf(
    {
      from: isoOf(range.fromUs),
      to: isoOf(range.toUs),
      group_by: 'country',
      direction: 'outbound,unknown',
    },
    deps,
    deps.nowUs(),
  )
}

function howToConfigure(): Html {
  return html`<section><h2>On the wrong carrier</h2>
<p>No number inventory is configured, so nobody knows which carrier our numbers were bought from. With one, calls that arrive on another carrier are listed here.</p>
<div class="steps"><div><h3>numbers.csv</h3><pre class="code" role="region" tabindex="0" aria-label="Example of a number inventory">number,country,type,carrier
+12025550143,US,geographic,first-carrier
+1202555[0200-0299],US,geographic,second-carrier</pre></div>
<div><h3>trunkscope.yaml</h3><pre class="code" role="region" tabindex="0" aria-label="Line of the configuration">numbers: numbers.csv</pre>
<p class="small quiet">Check it first: <code>trunkscope numbers check numbers.csv --config trunkscope.yaml</code>. SIGHUP makes a running process read it again.</p></div></div></section>`
}

function misroutedSection(deps: SeenDeps, answer: MisroutedAnswer, range: PageRange): Html {
  const { inbound, is_cut, misrouted, misrouted_numbers, not_in_inventory, numbers, owned } = answer
  const shown = numbers.slice(0, MISROUTED_SHOWN)
  const more = misrouted_numbers - shown.length
  const counted = html`${plural(inbound.attempts, 'inbound attempt')}: ${count(owned)} on the carrier that owns the number, ${count(misrouted)} on another, ${count(not_in_inventory)} to numbers that are not in the inventory`
  return html`<section><div class="title"><h2>On the wrong carrier</h2> <p class="quiet">${counted} · <a href="/v1/numbers/misrouted?${rangeQuery(range)}">JSON</a></p></div>
${
  shown.length === 0
    ? html`<p class="quiet">${inbound.attempts === 0 ? 'No call arrived from a carrier in this range.' : 'No call arrived on a carrier that does not own the number.'}</p>`
    : table(
        'Numbers whose calls arrived on a carrier that does not own them',
        html`<th scope="col">Number</th><th scope="col">Arrived on</th><th scope="col">Owned by</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Answered</th><th scope="col">First</th><th scope="col">Last</th><th scope="col">Newest</th>`,
        shown.map(
          (row) =>
            html`<tr><th scope="row"><span class="mono">${row.number}</span>${row.country === '' && row.type === '' ? null : html`<br><small>${[row.country, row.type].filter((text) => text !== '').join(', ')}</small>`}</th><td data-label="Arrived on"><a href="${carrierHref(row.carrier, range)}">${nameOf(deps, row.carrier)}</a></td><td data-label="Owned by">${row.owner === null ? 'another carrier' : html`<a href="${carrierHref(row.owner, range)}">${nameOf(deps, row.owner)}</a>`}</td><td class="num" data-label="Attempts">${count(row.attempts)}</td><td class="num" data-label="Answered">${count(row.answered)}</td><td data-label="First">${moment(row.first_at, day(row.first_at))}</td><td data-label="Last">${moment(row.last_at, day(row.last_at))}</td><td data-label="Newest"><a href="/attempts/${row.attempt_id}">attempt</a></td></tr>`,
        ),
        { look: 'cards' },
      )
}
${more > 0 ? html`<p class="quiet">${plural(more, 'more number')}${is_cut ? '; JSON has the first of them' : ' in the JSON'}.</p>` : null}</section>`
}

function inventorySection(state: InventoryState): Html {
  const { errors, file, loaded_at, notes, numbers, problem, ranges, rows, wrong_rows } = state
  const kinds = Object.entries(state.error_counts).sort(([, a], [, b]) => b - a)
  return html`<section><div class="title"><h2>Inventory</h2> <p class="quiet"><span class="mono">${file}</span> · read ${loaded_at === null ? '' : moment(loaded_at, day(loaded_at))} UTC · ${plural(rows, 'row')}, ${plural(numbers, 'number')} in ${plural(ranges, 'range')}, ${bytes(state.bytes)} · <a href="/v1/numbers">JSON</a></p></div>
${problem === '' ? null : html`<p class="bad">The file cannot be taken over, and that of before holds: ${problem}</p>`}
${notes.length === 0 ? null : html`<p class="quiet">${notes.join('; ')}</p>`}
${wrong_rows === 0 ? html`<p class="quiet">No row is wrong.</p>` : html`<p>${plural(wrong_rows, 'row')} left out: ${kinds.map(([kind, times], at) => html`${at === 0 ? '' : ', '}${count(times)} ${KINDS[kind] ?? kind}`)}.</p>`}
${
  errors.length === 0
    ? null
    : table(
        'Rows of the inventory that are wrong',
        html`<th scope="col" class="num">Line</th><th scope="col">Column</th><th scope="col">What is wrong, and what to write</th>`,
        errors
          .slice(0, ERRORS_SHOWN)
          .map(
            ({ line, column, problem: text }) =>
              html`<tr><th scope="row" class="num">${line}</th><td data-label="Column">${column}</td><td data-label="Problem">${text}</td></tr>`,
          ),
        { look: 'cards why' },
      )
}
${errors.length > ERRORS_SHOWN ? html`<p class="quiet">All of them: <code>trunkscope numbers check ${file} --config trunkscope.yaml</code></p>` : null}</section>`
}

const KINDS: Readonly<Record<string, string>> = {
  columns: 'with too few columns',
  bad_number: 'with no usable number',
  bad_block: 'with no usable block',
  bad_country: 'with no country',
  country_mismatch: 'whose country contradicts the number',
  bad_type: 'with no usable type',
  missing_carrier: 'without a carrier',
  unknown_carrier: 'of a carrier that is not configured',
  duplicate: 'that stand twice',
  contradiction: 'whose carriers contradict each other',
}

function destinationSection(answer: DestinationsAnswer, range: PageRange): Html {
  const { groups } = answer
  const shown = groups.slice(0, COUNTRIES_SHOWN)
  return html`<section><div class="title"><h2>Where calls go</h2> <p class="quiet">attempts that are not inbound, by country of the called number; 95\u202f% intervals · <a href="/v1/destinations?direction=outbound,unknown&amp;${rangeQuery(range)}">JSON</a> · <a href="/v1/destinations?direction=outbound,unknown&amp;group_by=carrier,prefix&amp;${rangeQuery(range)}">by carrier and prefix</a></p></div>
${
  shown.length === 0
    ? html`<p class="quiet">No attempts in this range.</p>`
    : table(
        'Attempts by country of the called number',
        html`<th scope="col">Country</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">ASR</th><th scope="col" class="num">NER</th><th scope="col" class="num">ACD</th><th scope="col" class="num">PDD median</th>`,
        shown.map((group) => destinationRow(group)),
        { look: 'cards' },
      )
}
${groups.length > shown.length || answer.left_over > 0 ? html`<p class="quiet">The rest is in the JSON.</p>` : null}</section>`
}

function destinationRow({
  attempts,
  calling_code,
  incomplete,
  kind,
  kpis,
  name,
  open,
}: DestinationGroup): Html {
  const left = [
    open > 0 ? `${count(open)} open` : '',
    incomplete > 0 ? `${count(incomplete)} incomplete` : '',
  ]
    .filter((text) => text !== '')
    .join(', ')
  return html`<tr><th scope="row">${name}${kind === 'country' ? html` <small>+${calling_code}</small>` : null}</th><td class="num" data-label="Attempts">${count(attempts)}${left === '' ? null : html`<br><small>${left}</small>`}</td>${kpiCell('ASR', kpis.asr)}${kpiCell('NER', kpis.ner)}${kpiCell('ACD', kpis.acd)}${kpiCell('PDD median', kpis.pdd_p50)}</tr>`
}

function kpiCell(label: string, value: KpiValue | undefined): Content {
  if (value === undefined) return null
  const isLow = value.unit === 'ratio' && value.low_confidence === true
  return html`<td class="num${isLow ? ' low' : ''}" data-label="${label}" title="${kpiDoubt(value)}">${value.value === null ? html`<span class="none">${kpiText(value)}</span>` : html`<span class="value">${kpiText(value)}</span>${value.unit === 'ratio' ? html`<br><small>${intervalText(value)}</small>` : null}`}<span class="hidden">${kpiDoubt(value)}</span></td>`
}
