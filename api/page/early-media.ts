/**
 * The page at /early-media: what is suspected about early media and answers, by carrier and code, and the FAS scores of the
 * seven days up to the end of the range. The numbers are those of /v1/early-media and /v1/fas.
 */
import { anomalyRule } from '../../schemas/anomalies.js'
import type { SeenDeps } from '../deps.js'
import {
  type EarlyMediaAnswer,
  type EarlyMediaGroup,
  orTooMany,
  readEarlyMedia,
} from '../early-media/early-media.js'
import { FAS_DEFAULT_S, type FasAnswer, readFas } from '../early-media/fas.js'
import { isoOf } from '../time-span.js'
import { count, NONE, percent, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { type PageRange, page } from './layout.js'
import { carrierHref, nameOf } from './overview.js'
import { table } from './table.js'

const PREFIXES_SHOWN = 50

export async function earlyMediaPage(
  deps: SeenDeps,
  range: PageRange,
  carriers: readonly string[],
): Promise<Html> {
  const days = { fromUs: Math.max(0, range.toUs - FAS_DEFAULT_S * 1e6), toUs: range.toUs }
  const [suspicions, fas] = await Promise.all([
    readEarlyMedia(deps, {
      ...range,
      groupBy: ['carrier', 'code'],
      carriers,
      codes: [],
      directions: ['outbound'],
    }),
    orTooMany(readFas(deps, { ...days, carriers })),
  ])
  const asked = carriers.map((id) => nameOf(deps, id)).join(', ')
  return page(deps, {
    title: asked === '' ? 'Early media' : `Early media, ${asked}`,
    path: '/early-media',
    range,
    keep: carriers.map((id) => `&carrier=${encodeURIComponent(id)}`).join(''),
    content: [
      html`<div class="title"><h1>Early media and false answers</h1> <p class="quiet">${asked === '' ? null : html`${asked} · `}suspicions, outbound · ${suspicions.note}${asked === '' ? null : html` · <a href="/early-media${range.query}">all carriers</a>`}</p></div>`,
      fas === 'too_many_attempts'
        ? html`<section><h2>FAS score</h2><p class="note">The seven days hold more attempts than one answer can read; ask /v1/fas for a shorter range.</p></section>`
        : fasSection(deps, range, fas),
      suspicionSection(deps, range, suspicions),
      fas === 'too_many_attempts' ? null : ruleSection(suspicions, fas),
    ],
  })
}

function fasSection(deps: SeenDeps, range: PageRange, fas: FasAnswer): Html {
  const query = `from=${fas.from}&to=${fas.to}`
  const title = html`<div class="title"><h2>FAS score</h2> <p class="quiet">the seven days up to the end of the range; 0 to 100, flagged from ${fas.thresholds.flagged_score} · <a href="/v1/fas?${query}">JSON</a></p></div>`
  if (fas.carriers.length === 0) {
    return html`<section>${title}<p class="quiet">No outbound attempt was seen in these seven days.</p></section>`
  }
  return html`<section>${title}
${table(
  'FAS score by carrier',
  html`<th scope="col">Carrier</th><th scope="col" class="num">Score</th><th scope="col" class="num">Answers</th><th scope="col" class="num">In prefixes with a score</th><th scope="col" class="num">Prefixes</th>`,
  fas.carriers.map(
    (one) =>
      html`<tr><th scope="row"><a href="${carrierHref(one.carrier, range)}">${nameOf(deps, one.carrier)}</a></th><td class="num" data-label="Score">${one.score === null ? html`<span class="none">too few answers</span>` : scoreText(one.score, one.is_flagged)}</td><td class="num" data-label="Answers">${count(one.answers)}</td><td class="num" data-label="In prefixes with a score">${count(one.answers_scored)}</td><td class="num" data-label="Prefixes">${count(one.prefixes_scored)}${one.prefixes_flagged === 0 ? null : `, ${count(one.prefixes_flagged)} flagged`}</td></tr>`,
  ),
  { look: 'cards' },
)}
${prefixTable(deps, range, fas)}</section>`
}

const scoreText = (score: number, isFlagged: boolean) =>
  html`<b>${score.toFixed(0)}</b>${isFlagged ? html` <span class="badge bad">flagged</span>` : null}`

/** Those that score anything; the others are in the JSON. */
function prefixTable(deps: SeenDeps, range: PageRange, { groups, thresholds }: FasAnswer): Html {
  const scored = groups.filter(({ score }) => score > 0)
  if (scored.length === 0) {
    return html`<p class="quiet">${groups.length === 0 ? `No prefix has ${thresholds.answers_min} answers.` : `No rule holds on ${plural(groups.length, 'prefix', 'prefixes')} with enough answers.`}</p>`
  }
  return html`${table(
    'FAS score by carrier and prefix',
    html`<th scope="col">Prefix</th><th scope="col">Carrier</th><th scope="col" class="num">Score</th><th scope="col" class="num">Answers</th><th scope="col">What adds to it</th>`,
    scored
      .slice(0, PREFIXES_SHOWN)
      .map(
        (group) =>
          html`<tr><th scope="row">${group.prefix}</th><td data-label="Carrier"><a href="${carrierHref(group.carrier, range)}">${nameOf(deps, group.carrier)}</a></td><td class="num" data-label="Score">${scoreText(group.score, group.is_flagged)}</td><td class="num" data-label="Answers">${count(group.answers)}</td><td data-label="What adds to it"><ul class="plain">${group.parts.filter(({ status }) => status === 'holds').map(({ code, points, why }) => html`<li>${code}, ${points} points: ${why}</li>`)}</ul></td></tr>`,
      ),
    { look: 'cards why', isCaptionShown: true },
  )}${scored.length > PREFIXES_SHOWN ? html`<p class="quiet">${count(scored.length - PREFIXES_SHOWN)} more are in the JSON.</p>` : null}`
}

function suspicionSection(deps: SeenDeps, range: PageRange, answer: EarlyMediaAnswer): Html {
  const title = html`<div class="title"><h2>Suspicions</h2> <p class="quiet">${range.words}; shares of the attempts that each could have been about, with 95\u202f% intervals, and the four weeks before · <a href="/v1/early-media?from=${answer.from}&amp;to=${answer.to}">JSON</a></p></div>`
  const notes = [
    answer.not_looked_at === 0
      ? null
      : html`<p class="note">${count(answer.not_looked_at)} of ${plural(answer.attempts, 'attempt')} have not been looked at yet, and are in no share.</p>`,
    answer.before === null
      ? html`<p class="note">The four weeks before hold more attempts than one answer can read: nothing is compared.</p>`
      : null,
  ]
  if (answer.groups.length === 0) {
    return html`<section>${title}${notes}<p class="quiet">${answer.attempts === 0 ? 'No outbound attempt was seen in this range.' : 'None in this range.'}</p></section>`
  }
  return html`<section>${title}${notes}
${table(
  'Suspicions by carrier and code',
  html`<th scope="col">Carrier</th><th scope="col">Suspicion</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Share</th><th scope="col" class="num">Four weeks before</th><th scope="col">Change</th>`,
  answer.groups.map((group) => suspicionRow(deps, range, group)),
  { look: 'cards many' },
)}</section>`
}

const CHANGES: Readonly<Record<EarlyMediaGroup['change'], Content>> = {
  higher: html`<span class="bad"><span aria-hidden="true">▲ </span>higher</span>`,
  lower: html`<span class="good"><span aria-hidden="true">▼ </span>lower</span>`,
  not_significant: 'may be chance',
  no_test: html`<span class="none">too few before</span>`,
}

function suspicionRow(deps: SeenDeps, range: PageRange, group: EarlyMediaGroup): Html {
  const { carrier = '', code } = group.by
  const rule = anomalyRule(code as Parameters<typeof anomalyRule>[0])
  return html`<tr class="${group.change === 'higher' ? 'worse' : ''}"><th scope="row"><a href="${carrierHref(carrier, range)}">${nameOf(deps, carrier)}</a></th><td data-label="Suspicion">${rule.name}<br><small>${code}${rule.isBaselineOnly ? ', only its change says something' : ''}</small></td><td class="num" data-label="Attempts">${count(group.count)} of ${count(group.of)}</td><td class="num" data-label="Share">${shareText(group)}</td><td class="num" data-label="Four weeks before">${group.before === null ? NONE : shareText(group.before)}</td><td data-label="Change">${CHANGES[group.change]}</td></tr>`
}

function shareText({ share, interval }: Pick<EarlyMediaGroup, 'share' | 'interval'>): Html {
  if (share === null) return html`<span class="none">none</span>`
  return html`<span class="value">${percent(share)}</span>${interval === null ? null : html`<br><small>${percent(interval[0]!)} to ${percent(interval[1]!)}</small>`}`
}

function ruleSection({ rules }: EarlyMediaAnswer, { parts, thresholds, from, to }: FasAnswer): Html {
  return html`<section><h2>How to read it</h2><ul>
<li>SIP does not say that media flowed. A suspicion says where to listen: place a test call, or ask the carrier.</li>
<li>The score of a prefix adds the points of what holds: ${parts.map(({ code, points }, at) => html`${at === 0 ? null : ', '}${code} ${points}`)}. Below ${thresholds.answers_min} answers there is none. That of a carrier is the mean of its prefixes, weighted by answers (${isoOf(Date.parse(from) * 1_000).slice(0, 10)} to ${isoOf(Date.parse(to) * 1_000).slice(0, 10)}).</li>
<li>A carrier is flagged when flagged prefixes have ${percent(thresholds.flagged_share_ratio!)} of its answers or more. A low score clears nobody.</li>
</ul>
<details><summary>The rules</summary>
${table(
  'Rules with the thresholds of today',
  html`<th scope="col">Code</th><th scope="col">Condition</th>`,
  [...rules, ...parts.map(({ code, condition }) => ({ code: `${code}, in the score`, condition }))].map(
    ({ code, condition }) => html`<tr><th scope="row">${code}</th><td>${condition}</td></tr>`,
  ),
)}</details></section>`
}
