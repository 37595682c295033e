/**
 * The page at /attestation: what calls claim about their caller (STIR/SHAKEN), by direction, over time and by carrier, how
 * calls of each level end, and what stands behind the claims (attestation-signed.ts). The numbers are those of /v1/attestation.
 */
import {
  type AttestationAnswer,
  type AttestationGroup,
  type AttestationParameters,
  LEVELS,
  type Level,
  type Outcome,
  readAttestation,
} from '../attestation/attestation.js'
import type { SeenDeps } from '../deps.js'
import type { RatioValue } from '../kpi/answer.js'
import { signedSections } from './attestation-signed.js'
import { shareBar, timeChart } from './chart.js'
import { count, day, intervalText, kpiDoubt, kpiText, percent } from './format.js'
import { type Content, type Html, html } from './html.js'
import { type PageRange, page, stepFor, stepWords } from './layout.js'
import { moment } from './moment.js'
import { carrierHref, nameOf } from './overview.js'
import { legendOf } from './shares.js'
import { table } from './table.js'

const POINTS_MAX = 48

const WORDS: Record<Level, string> = {
  A: 'A, full',
  B: 'B, partial',
  C: 'C, gateway',
  none: 'no token',
  malformed: 'malformed',
}

export async function attestationPage(
  deps: SeenDeps,
  range: PageRange,
  where: AttestationParameters,
): Promise<Html> {
  const stepS = stepFor(range, POINTS_MAX)
  const answer = await readAttestation(deps, range, stepS, where)
  const asked = [...where.carrier.map((id) => nameOf(deps, id)), ...where.site, ...where.direction]
  return page(deps, {
    title: asked.length === 0 ? 'STIR/SHAKEN' : `STIR/SHAKEN, ${asked.join(', ')}`,
    path: '/attestation',
    range,
    keep: keptOf(where),
    content: [
      html`<div class="title"><h1>STIR/SHAKEN</h1> <p class="quiet">${asked.length === 0 ? null : html`${asked.join(', ')} · `}${range.words} · levels are what tokens claim: decoded, not verified; what was checked of them stands below · <a href="/v1/attestation?${queryOf(range, where)}">JSON</a>${asked.length === 0 ? null : html` · <a href="/attestation${range.query}">all carriers</a>`}</p></div>`,
      answer.directions.length === 0
        ? html`<section><h2>No calls</h2><p class="quiet">No attempt was seen in this range.</p></section>`
        : [
            directionSection(answer),
            charts(answer, range, stepS),
            carrierSection(deps, answer, range),
            outcomeSection(answer, range, where),
            ...signedSections(deps, answer, range),
          ],
      howToRead(),
    ],
  })
}

function parametersOf(where: AttestationParameters): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, values] of Object.entries(where)) {
    for (const value of values as readonly string[]) query.append(name, value)
  }
  return query
}

function keptOf(where: AttestationParameters): string {
  const query = parametersOf(where).toString()
  return query === '' ? '' : `&${query}`
}

function queryOf(range: PageRange, where: AttestationParameters): string {
  const query = parametersOf(where)
  query.set('from', isoText(range.fromUs))
  query.set('to', isoText(range.toUs))
  return query.toString()
}

/** Whole minutes. */
function isoText(us: number): string {
  return `${new Date(us / 1_000).toISOString().slice(0, 19)}Z`
}

const sharesOf = (group: AttestationGroup) =>
  LEVELS.map((level) => ({ kind: `a-${level}`, label: WORDS[level], count: group.levels[level].count }))

const HEAD = LEVELS.map((level) => html`<th scope="col" class="num">${WORDS[level]}</th>`)

function directionSection(answer: AttestationAnswer): Html {
  const { before } = answer
  const hadCalls = answer.directions.some(({ levels }) => (levels.A.before?.denominator ?? 0) > 0)
  return html`<section><div class="title"><h2>What is claimed</h2> <p class="quiet">shares of closed attempts with an INVITE, with 95\u202f% intervals; ${
    before === null
      ? 'the week before is not kept any more'
      : hadCalls
        ? html`below them the same time a week before, from ${moment(before.from, day(before.from))} UTC, where there were calls`
        : html`no call was seen in the same time a week before, from ${moment(before.from, day(before.from))} UTC`
  }</p></div>
${table(
  'Claimed attestation by direction',
  html`<th scope="col">Direction</th><th scope="col" class="num">Attempts</th><th scope="col">Mix</th>${HEAD}`,
  answer.directions.map(
    (group) =>
      html`<tr><th scope="row">${group.by.direction}</th>${attemptsCell(group)}<td class="wide" data-label="Mix">${shareBar(sharesOf(group), { label: `Attestation, ${group.by.direction}`, width: 220 })}</td>${LEVELS.map((level) => levelCell(group, level))}</tr>`,
  ),
  { look: 'cards' },
)}
${legendOf(LEVELS.map((level) => ({ kind: `a-${level}`, label: WORDS[level], count: 0 })))}</section>`
}

function attemptsCell({ attempts, open, incomplete }: AttestationGroup): Html {
  const left = [
    open > 0 ? `${count(open)} open` : '',
    incomplete > 0 ? `${count(incomplete)} incomplete` : '',
  ]
    .filter((text) => text !== '')
    .join(', ')
  return html`<td class="num" data-label="Attempts">${count(attempts)}${left === '' ? null : html`<br><small>${left}</small>`}</td>`
}

const MARKS = { higher: '▲', lower: '▼' } as const

/** Which way is bad: fewer A, more calls without a token that can be read. */
const IS_BAD: Partial<Record<Level, 'higher' | 'lower'>> = { A: 'lower', none: 'higher', malformed: 'higher' }

function levelCell(group: AttestationGroup, level: Level): Html {
  const { share, before, change } = group.levels[level]
  const isMarked = change === 'higher' || change === 'lower'
  const isBad = isMarked && IS_BAD[level] === change
  const low = share.low_confidence ? ' low' : ''
  return html`<td class="num${isBad ? ' worse' : ''}${low}" data-label="${WORDS[level]}" title="${kpiDoubt(share)}">${
    share.value === null
      ? html`<span class="none">${kpiText(share)}</span>`
      : html`<span class="value">${isMarked ? html`<span aria-hidden="true">${MARKS[change]} </span>` : null}${percent(share.value)}</span><br><small>${intervalText(share)}\u202f%</small>`
  }${beforeText(before, change)}<span class="hidden">${kpiDoubt(share)}</span></td>`
}

function beforeText(before: RatioValue | null, change: AttestationGroup['levels'][Level]['change']): Content {
  if (before === null || before.value === null) return null
  const now = change === 'higher' || change === 'lower' ? `, now ${change}` : ''
  return html`<br><small>${percent(before.value)} then${now}</small>`
}

function charts(answer: AttestationAnswer, range: PageRange, stepS: number): Html {
  const isLong = range.toUs - range.fromUs > 86_400e6
  return html`<div class="columns charts">${answer.directions.map(({ by, series = [] }) =>
    timeChart({
      title: `Over time, ${by.direction}`,
      description: `attempts each ${stepWords(stepS)}, by what they claim`,
      times: series.map(({ t }) => (isLong ? t.slice(5, 16).replace('T', ' ') : t.slice(11, 16))),
      bars: LEVELS.map((level) => ({
        kind: `a-${level}`,
        label: WORDS[level],
        counts: series.map(({ counts }) => counts[level]),
      })),
      unit: (value) => count(value),
      topAtLeast: 4,
    }),
  )}</div>`
}

function carrierSection(deps: SeenDeps, answer: AttestationAnswer, range: PageRange): Html {
  const silent = deps.config.carriers.filter(({ id }) => !answer.groups.some(({ by }) => by.carrier === id))
  const query = range.query === '' ? '?' : `${range.query}&`
  return html`<section><div class="title"><h2>By carrier</h2> <p class="quiet">shaded: significantly fewer A, or more without a token, than a week before</p></div>
${table(
  'Claimed attestation by carrier and direction',
  html`<th scope="col">Carrier</th><th scope="col">Direction</th><th scope="col" class="num">Attempts</th><th scope="col">Mix</th>${HEAD}`,
  answer.groups.map((group) => {
    const id = group.by.carrier ?? ''
    return html`<tr><th scope="row"><a href="${carrierHref(id, range)}">${nameOf(deps, id)}</a></th><td data-label="Direction"><a href="/attestation${query}carrier=${encodeURIComponent(id)}">${group.by.direction}</a></td>${attemptsCell(group)}<td class="wide-att" data-label="Mix">${shareBar(sharesOf(group), { label: `Attestation of ${nameOf(deps, id)}, ${group.by.direction}`, width: 120 })}</td>${LEVELS.map((level) => levelCell(group, level))}</tr>`
  }),
  { look: 'cards many' },
)}
${silent.length === 0 || answer.groups.length === 0 ? null : html`<p class="quiet">No call in this range: ${silent.map(({ id }) => nameOf(deps, id)).join(', ')}.</p>`}</section>`
}

const WHY_NOT = {
  not_kept: 'Attempts of this range are not kept any more.',
  too_many_attempts: 'There are more attempts in this range than one answer can read; choose a shorter one.',
}

function outcomeSection(answer: AttestationAnswer, range: PageRange, where: AttestationParameters): Html {
  const { outcomes, outcomes_reason: reason } = answer
  if (outcomes === null) {
    return html`<section><h2>How they end</h2><p class="quiet">${WHY_NOT[reason ?? 'not_kept']}</p></section>`
  }
  return html`<section><div class="title"><h2>How they end</h2> <p class="quiet">by what they claim, of attempts that began in the range; small: 95\u202f% intervals in percent; “?” marks fewer than 100</p></div>
${table(
  'Outcome by direction and claimed attestation',
  html`<th scope="col">Direction</th><th scope="col">Claimed</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Answered (ASR)</th><th scope="col" class="num">487</th><th scope="col" class="num">Blocked</th><th scope="col" class="num">Token refused</th><th scope="col" class="num">603</th><th scope="col" class="num">607</th><th scope="col" class="num">608</th><th scope="col" class="num">Short calls</th>`,
  outcomes.map((outcome) => outcomeRow(outcome, range, where)),
  { look: 'cards many' },
)}</section>`
}

function outcomeRow(outcome: Outcome, range: PageRange, where: AttestationParameters): Html {
  const { by, responses } = outcome
  const attempts = (more: Record<string, string>) => {
    const query = parametersOf({ ...where, direction: [] })
    for (const [name, value] of Object.entries({
      direction: by.direction,
      attestation: by.level,
      state: 'closed',
      from: isoText(range.fromUs),
      to: isoText(range.toUs),
      ...more,
    }))
      query.set(name, value)
    return `/attempts?${query}`
  }
  const code = (status: 603 | 607 | 608) =>
    html`<td class="num" data-label="${status}">${responses[status] === 0 ? '0' : html`<a href="${attempts({ final_code: String(status) })}">${count(responses[status])}</a>`}</td>`
  return html`<tr><th scope="row">${by.direction}</th><td data-label="Claimed">${WORDS[by.level]}</td><td class="num" data-label="Attempts"><a href="${attempts({})}">${count(outcome.attempts)}</a></td>${ratioCell('Answered', outcome.asr)}${ratioCell('487', outcome.rate_487)}${ratioCell('Blocked', outcome.blocked_rate)}${ratioCell('Token refused', outcome.identity_rate)}${code(603)}${code(607)}${code(608)}${ratioCell('Short calls', outcome.short_call_rate)}</tr>`
}

function ratioCell(label: string, value: RatioValue): Html {
  return html`<td class="num${value.low_confidence ? ' low' : ''}" data-label="${label}" title="${kpiDoubt(value)}">${
    value.value === null
      ? html`<span class="none">none</span>`
      : html`<span class="value">${kpiText(value)}</span><br><small>${intervalText(value)}</small>`
  }<span class="hidden">${kpiDoubt(value)}</span></td>`
}

function howToRead(): Html {
  return html`<section><h2>How to read it</h2><ul>
<li>A level is what the deciding PASSporT says (RFC 8588): A, the signer knows the caller and the number; B, the caller only; C, where the call came in. Anybody can write it: whether the signature holds, and who signed, is told apart from it.</li>
<li>Malformed: a token that cannot be read. It counts below the line, as calls without a token do.</li>
<li>Inbound calls show what carriers hand to us, outbound ones what we hand to them.</li>
<li>Blocked: 608, or a 603 that says the network blocked it; a plain 603 is the callee’s own. Token refused: 428, 436, 437, 438, or 403 Stale Date.</li>
<li>Levels differ in who calls whom, so that one is answered less often does not show that the level is why.</li>
</ul></section>`
}
