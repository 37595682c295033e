/** The page at /slos: what is promised, how fast the budgets go, what is left, and what the numbers cannot show. */
import { PROGRESS_LIMIT_MS } from '../../schemas/kpi/progress.js'
import type { SloConfig } from '../../schemas/slos.js'
import type { SeenDeps } from '../deps.js'
import { budgetWords } from '../slo/budget-words.js'
import { burnText, type PairVerdict, percentText, windowName } from '../slo/burn.js'
import type { SeenSlos } from '../slo/seen-slos.js'
import { readSloSeries, type SloSeries } from '../slo/slo-series.js'
import { readSloStates, type SloState, type SloWindow } from '../slo/slo-state.js'
import { isoOf } from '../time-span.js'
import { sparkline } from './chart.js'
import { count, day, duration, NONE, percent, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { type PageRange, page, stepFor } from './layout.js'
import { moment } from './moment.js'
import { table } from './table.js'

const POINTS_MAX = 24

export async function slosPage(deps: SeenDeps, seen: SeenSlos, range: PageRange): Promise<Html> {
  const { readers, config, instances } = seen
  const stepS = stepFor(range, POINTS_MAX)
  const points = Math.ceil((range.toUs - range.fromUs) / 1e6 / stepS)
  const atS = Math.floor(Math.min(range.toUs, deps.nowUs()) / 60e6) * 60
  const timesS = Array.from({ length: points }, (_, at) => atS - (points - 1 - at) * stepS)
  const [states, series] = await Promise.all([
    readSloStates(readers, config, atS, { instances }),
    readSloSeries(readers, config, instances, timesS, ['1h']),
  ])
  const slos = seen.slos.filter(({ id }) => instances.some(({ slo }) => slo.id === id))
  return page(deps, {
    title: 'Objectives',
    path: '/slos',
    range,
    content: [
      html`<div class="title"><h1>Objectives</h1> <p class="quiet">at ${moment(isoOf(atS * 1e6), day(isoOf(atS * 1e6)))} UTC</p></div>`,
      slos.length === 0 ? noObjective() : slos.map((slo) => sloSection(slo, states, series, range)),
      slos.length === 0 ? null : howToRead(),
    ],
  })
}

function noObjective(): Html {
  return html`<section><h2>None</h2><p class="quiet">No objective is about anything you may see. Objectives stand under <code>slos</code> in trunkscope.yaml; without that block every carrier has one of 99.5\u202f% availability.</p></section>`
}

const EACH: Record<SloConfig['each'], string> = {
  platform: 'everything together',
  carrier: 'each carrier',
  site: 'each site',
  carrier_site: 'each carrier at each site',
}

const GOOD: Record<SloConfig['indicator'], string> = {
  availability: 'of valid attempts are good',
  pdd: `of effective attempts are heard from within ${duration(PROGRESS_LIMIT_MS / 1_000)}`,
}

function sloSection(
  slo: SloConfig,
  states: readonly SloState[],
  series: readonly SloSeries[],
  range: PageRange,
): Html {
  const own = states.flatMap((state, index) =>
    state.instance.slo.id === slo.id ? [{ state, burns: series[index]?.windows[0]?.burns ?? [] }] : [],
  )
  const rows = own.filter(({ state }) => state.windows.at(-1)?.reason !== 'no_traffic')
  const silent = own.filter(({ state }) => state.windows.at(-1)?.reason === 'no_traffic')
  return html`<section><div class="title"><h2>${slo.name ?? slo.id}</h2> <p class="quiet">${percentText(slo.objective)} ${GOOD[slo.indicator]} in ${plural(slo.window_days, 'day')}, ${EACH[slo.each]} · <a href="/v1/slos/${slo.id}/burn">JSON</a></p></div>
${rows.length === 0 ? null : sloTable(slo, rows, range)}
${silent.length === 0 ? null : html`<p class="quiet">No traffic in the whole window, so nothing is known: ${silent.map(({ state }) => whoOf(state)).join(', ')}.</p>`}</section>`
}

function sloTable(
  slo: SloConfig,
  rows: readonly { state: SloState; burns: readonly (number | undefined)[] }[],
  range: PageRange,
): Html {
  const windows = rows[0]?.state.windows ?? []
  return html`${table(
    `Burn and budget of ${slo.name ?? slo.id}`,
    html`<th scope="col">About</th><th scope="col">Now</th><th scope="col">Budget left</th>${windows.map(({ name }) => html`<th scope="col" class="num">${name}</th>`)}<th scope="col">Burn of 1h, ${range.words}</th>`,
    rows.map(({ state, burns }) => sloRow(state, burns, range)),
    { look: 'cards slo' },
  )}`
}

function sloRow(state: SloState, burns: readonly (number | undefined)[], range: PageRange): Html {
  const words = budgetWords(state)
  const points = burns.map((burn) => burn ?? null)
  return html`<tr><th scope="row">${whoLink(state, range)}</th><td class="wide" data-label="Now">${verdictBadge(state)}</td><td class="wide budget" data-label="Budget left">${budgetBar(state)}${words.map((sentence) => html`<div class="quiet small">${sentence}</div>`)}</td>${state.windows.map((window) => burnCell(state, window))}<td class="wide" data-label="Burn of 1h">${sparkline(points, { floor: 0, max: 1, label: `Burn of 1h: ${burnsText(points)}` })}</td></tr>`
}

function burnsText(points: readonly (number | null)[]): string {
  const values = points.filter((point) => point !== null)
  return values.length === 0 ? 'no data' : `highest ${burnText(Math.max(...values))}`
}

function whoOf({ instance: { labels } }: SloState): string {
  return [labels.carrier, labels.site].filter((part) => part !== undefined).join(' at ') || 'platform'
}

function whoLink(state: SloState, range: PageRange): Content {
  const { carrier } = state.instance.labels
  return carrier === undefined
    ? whoOf(state)
    : html`<a href="/carriers/${encodeURIComponent(carrier)}${range.query}">${whoOf(state)}</a>`
}

/** The gravest first: what fires, then maintenance, then what the budget says. */
function verdictBadge({ verdict, isInMaintenance, budget, isInsufficient }: SloState): Html {
  const badge = (look: string, word: string, why: Content) =>
    html`<span class="badge ${look}">${word}</span><details class="small"><summary>rules</summary>${why}</details>`
  const { fired } = verdict
  const held = verdict.pairs.map((pair) => html`<div>${pairText(pair)}</div>`)
  if (fired !== undefined)
    return html`${badge(fired.pair.severity === 'page' ? 'bad' : '', fired.pair.severity, held)}<div class="quiet small">${fired.why}</div>`
  if (isInMaintenance) return badge('plain', 'maintenance', 'taken out of every window and of the budget')
  if ((budget.leftRatio ?? 0) < 0) return badge('bad', 'overspent', held)
  if (isInsufficient) return badge('plain', 'insufficient data', held)
  if (budget.cannotBeShown) return badge('plain', 'cannot be shown', held)
  return badge('good', 'kept', held)
}

function pairText({ pair, why }: PairVerdict): string {
  return `${pair.severity} ${windowName(pair.longS)}/${windowName(pair.shortS)}: ${why}`
}

const BAR_WIDTH = 160

/** Full: untouched. Overspent it has another colour, and a third one where so few attempts show nothing. */
function budgetBar({ budget, windows }: SloState): Content {
  const { leftRatio } = budget
  if (leftRatio === null) return html`<span class="none">${NONE}</span>`
  const whole = windows.at(-1)
  const size = Math.round(Math.min(1, Math.abs(leftRatio)) * BAR_WIDTH * 10) / 10
  const words = leftWords(leftRatio)
  return html`<svg class="shares" viewBox="0 0 ${BAR_WIDTH} 12" width="${BAR_WIDTH}" height="12" role="img" aria-label="Budget: ${words}, ${count(whole?.bad ?? 0)} bad of ${count(whole?.valid ?? 0)}"><rect class="bar-open" x="0" y="0" width="${BAR_WIDTH}" height="12"/><rect class="${leftRatio < 0 ? 'k-5xx' : budget.cannotBeShown ? 'bar' : 'k-ok'}" x="0" y="0" width="${size}" height="12"/></svg><b class="${leftRatio < 0 ? 'bad' : ''}">${words}</b>`
}

function leftWords(leftRatio: number): string {
  if (leftRatio >= 0) return `${percent(leftRatio)} left`
  return leftRatio < -1 ? `spent ${burnText(1 - leftRatio)} times` : `overspent by ${percent(-leftRatio)}`
}

function burnCell({ verdict }: SloState, window: SloWindow): Html {
  const doubt = `${count(window.bad)} bad of ${plural(window.valid, 'valid attempt')}${window.takenOut.valid > 0 ? `; maintenance took out ${count(window.takenOut.valid)}` : ''}`
  if (window.burn === null)
    return html`<td class="num none" data-label="${window.name}">${WORDS[window.reason ?? 'no_traffic']}<span class="hidden">; ${doubt}</span></td>`
  const { fired } = verdict
  const isFiring = fired?.pair.longS === window.windowS || fired?.pair.shortS === window.windowS
  return html`<td class="num${isFiring ? ' worse' : ''}" data-label="${window.name}" title="${doubt}"><span class="value">${burnText(window.burn)}</span><br><small>${window.isInsufficient ? html`insufficient<br>data` : `${count(window.bad)} of ${count(window.valid)}`}</small></td>`
}

const WORDS = { no_traffic: 'no traffic', no_valid: 'not defined', maintenance: 'maintenance' }

function howToRead(): Html {
  return html`<section><h2>How to read it</h2><p class="quiet">Burn 1 spends the budget in exactly the window of the objective. Somebody is told when a long and its short window burn together (open “rules” under the word), never for fewer than 5 bad attempts (a ticket: 3), and a page only when the interval of the bad share shows that the objective is missed. Only legs of configured carriers count; wrong numbers, redirects and our own faults count for nobody.</p></section>`
}
