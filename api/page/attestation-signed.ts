// tidy: tested by test/api/attestation/signed.test.ts
/**
 * The sections of /attestation on what stands behind the claims: what signatures say, who signed, what is lost between the
 * legs of a call, and which certificates end soon. Each says what to configure where it has nothing to show.
 */
import type { AttestationAnswer } from '../attestation/attestation.js'
import type { BetweenLegs, Fate } from '../attestation/between-legs.js'
import type { SeenDeps } from '../deps.js'
import { count, intervalText, kpiDoubt, percent } from './format.js'
import { type Content, type Html, html } from './html.js'
import type { PageRange } from './layout.js'
import { moment } from './moment.js'
import { carrierHref, nameOf } from './overview.js'
import { table } from './table.js'

/** Rows of a page; the JSON has the others. */
const ROWS_MAX = 50

export function signedSections(deps: SeenDeps, answer: AttestationAnswer, range: PageRange): Html[] {
  return [
    signatureSection(answer),
    signerSection(deps, answer, range),
    betweenSection(deps, answer),
    certificateSection(deps, answer),
  ]
}

const LEVEL_WORDS = { A: 'A, full', B: 'B, partial', C: 'C, gateway', malformed: 'malformed' } as const

const HOW_TO_CONFIGURE = html`<p>Signatures are not checked: no certificates are configured. To have them checked, put PEM files into a folder and write into <code>trunkscope.yaml</code>, then start Trunkscope again:</p>
<pre>identity:
  certificates: /etc/trunkscope/certificates   # index.csv with x5u,file beside the PEM files
  roots: /etc/trunkscope/stir-roots.pem        # whom certificates must lead to
carriers:
  - id: alpha
    spcs: [709J]                               # who may sign for it, by contract</pre>
<p class="quiet">It counts from then on: earlier minutes are not looked at again. All keys: docs/identity.md.</p>`

function signatureSection({ signed, directions }: AttestationAnswer): Html {
  const title = html`<div class="title"><h2>What the signatures say</h2> <p class="quiet">shaken tokens, not calls; checked some minutes behind the calls; verified: signature, certificate, freshness, originator and destination together</p></div>`
  if (signed.levels.length === 0) {
    const hadTokens = directions.some(({ levels }) => levels.A.count + levels.B.count + levels.C.count > 0)
    return html`<section>${title}${
      signed.is_configured
        ? html`<p class="quiet">${hadTokens ? 'No token of this range was checked yet, or checks were configured after it.' : 'No token was seen in this range.'}</p>`
        : HOW_TO_CONFIGURE
    }</section>`
  }
  return html`<section>${title}${signed.is_configured ? null : HOW_TO_CONFIGURE}
${table(
  'Signatures by direction and claimed level',
  html`<th scope="col">Direction</th><th scope="col">Claimed</th><th scope="col" class="num">Tokens</th><th scope="col" class="num">Valid</th><th scope="col" class="num">Invalid</th><th scope="col" class="num">Not checked</th><th scope="col" class="num">Verified</th><th scope="col" class="num">Failed</th>`,
  signed.levels.map(
    ({ by, tokens, truncated, signed: says, verified }) =>
      html`<tr><th scope="row">${by.direction}</th><td data-label="Claimed">${LEVEL_WORDS[by.level]}</td><td class="num" data-label="Tokens">${count(tokens)}</td>${shareCell('Valid', says.valid, tokens)}<td class="num${says.invalid > 0 ? ' worse' : ''}" data-label="Invalid">${share(says.invalid, tokens)}</td><td class="num" data-label="Not checked">${share(says.not_checked, tokens)}${truncated > 0 ? html`<br><small>${count(truncated)} cut on their way</small>` : null}</td>${shareCell('Verified', verified.passed, tokens)}${shareCell('Failed', verified.failed, tokens)}</tr>`,
  ),
  { look: 'cards' },
)}</section>`
}

function shareCell(label: string, part: number, whole: number): Html {
  return html`<td class="num" data-label="${label}">${share(part, whole)}</td>`
}

function share(part: number, whole: number): Content {
  return part === 0
    ? '0'
    : html`<span class="value">${count(part)}</span><br><small>${percent(part / whole)}</small>`
}

const CONTRACT_WORDS = {
  contracted: 'yes',
  other: 'no',
  unknown: 'no certificate',
  not_asked: '–',
} as const

function signerSection(deps: SeenDeps, { signed }: AttestationAnswer, range: PageRange): Html {
  if (signed.signers.length === 0) return html``
  const shown = signed.signers.slice(0, ROWS_MAX)
  const isCut = signed.signers_cut || shown.length < signed.signers.length
  return html`<section><div class="title"><h2>Who signed</h2> <p class="quiet">signer: SPC of the certificate, else its CN, else the host of the x5u; in contract: inbound, against <code>spcs</code> of the carrier</p></div>
${table(
  'Signers by carrier, direction and claimed level',
  html`<th scope="col">Carrier</th><th scope="col">Direction</th><th scope="col">Signer</th><th scope="col">In contract</th><th scope="col">Claimed</th><th scope="col" class="num">Tokens</th><th scope="col" class="num">Valid</th><th scope="col" class="num">Invalid</th><th scope="col" class="num">Verified</th>`,
  shown.map(
    ({ by, contract, tokens, signed: says, verified }) =>
      html`<tr><th scope="row"><a href="${carrierHref(by.carrier, range)}">${nameOf(deps, by.carrier)}</a></th><td data-label="Direction">${by.direction}</td><td data-label="Signer">${by.signer_id === '' ? html`<span class="none">none named</span>` : by.signer_id}</td><td class="${contract === 'other' ? 'worse' : ''}" data-label="In contract">${CONTRACT_WORDS[contract]}</td><td data-label="Claimed">${LEVEL_WORDS[by.level]}</td><td class="num" data-label="Tokens">${count(tokens)}</td>${shareCell('Valid', says.valid, tokens)}${shareCell('Invalid', says.invalid, tokens)}${shareCell('Verified', verified.passed, tokens)}</tr>`,
  ),
  { look: 'cards many' },
)}${isCut ? html`<p class="quiet">Those with the most tokens; the JSON has more.</p>` : null}</section>`
}

const FATE_WORDS: Record<Fate, string> = {
  kept: 'Kept',
  re_signed: 'Signed anew',
  weaker: 'Weaker',
  cut: 'Cut',
  damaged: 'Damaged',
  lost: 'Lost',
}
const SHOWN_FATES = ['kept', 're_signed', 'weaker', 'cut', 'damaged', 'lost'] as const
const BAD: ReadonlySet<Fate> = new Set<Fate>(['weaker', 'damaged', 'lost'])

const WHY_NOT = {
  not_kept: 'Attempts of this range are not kept any more.',
  too_many_attempts:
    'There are more attempts in this range than one answer can compare; choose a shorter one.',
}

function betweenSection(deps: SeenDeps, answer: AttestationAnswer): Html {
  const title = html`<div class="title"><h2>Between the legs</h2> <p class="quiet">calls that arrived with A, B or C, by what their outbound leg carries; legs are linked a minute behind the calls</p></div>`
  if (answer.between_legs === null) {
    return html`<section>${title}<p class="quiet">${WHY_NOT[answer.between_legs_reason ?? 'not_kept']}</p></section>`
  }
  const pairs = answer.between_legs.filter(({ arrived_signed: arrived }) => arrived > 0)
  if (pairs.length === 0) {
    return html`<section>${title}<p class="quiet">${
      answer.between_legs.length === 0
        ? 'No call of this range is known by an inbound and an outbound leg. Legs are linked by Session-ID, by the header calls.correlation_header, by Call-ID, or by numbers and time (docs/evidence.md): both legs must be mirrored.'
        : 'No call of this range arrived with A, B or C.'
    }</p></section>`
  }
  return html`<section>${title}
${table(
  'What became of signatures between inbound and outbound legs',
  html`<th scope="col">From</th><th scope="col">To</th><th scope="col" class="num">Arrived signed</th>${SHOWN_FATES.map((fate) => html`<th scope="col" class="num">${FATE_WORDS[fate]}</th>`)}<th scope="col" class="num">Share lost</th>`,
  pairs.slice(0, ROWS_MAX).map((pair) => pairRow(deps, pair)),
  { look: 'cards many' },
)}
<p class="quiet">Lost: left without a token in an INVITE that is whole, so somebody on our side took it off. Cut: the INVITE or its token was cut on the way to us (an MTU, a snap length); of the call itself nothing is known, and the share leaves it out.${pairs.length > ROWS_MAX ? ' Those with the most losses; the JSON has more.' : ''}</p></section>`
}

function pairRow(
  deps: SeenDeps,
  { from, to, arrived_signed: arrived, fates, lost_rate: lost, samples }: BetweenLegs,
): Html {
  const cell = (fate: Fate) =>
    html`<td class="num${BAD.has(fate) && fates[fate] > 0 ? ' worse' : ''}" data-label="${FATE_WORDS[fate]}">${count(fates[fate])}${
      fates[fate] === 0 || fate === 'kept'
        ? null
        : html`<br><small>${samples[fate].map(({ outbound }, index) => html`${index === 0 ? null : ' '}<a href="/attempts/${outbound}" aria-label="${FATE_WORDS[fate]}, call ${index + 1}">call ${index + 1}</a>`)}</small>`
    }</td>`
  return html`<tr><th scope="row">${partyName(deps, from)}</th><td data-label="To">${partyName(deps, to)}</td><td class="num" data-label="Arrived signed">${count(arrived)}</td>${SHOWN_FATES.map(cell)}<td class="num${lost.low_confidence ? ' low' : ''}" data-label="Share lost" title="${kpiDoubt(lost)}">${lost.value === null ? html`<span class="none">none</span>` : html`<span class="value">${percent(lost.value)}</span><br><small>${intervalText(lost)}</small>`}<span class="hidden">${kpiDoubt(lost)}</span></td></tr>`
}

function partyName(deps: SeenDeps, { party, name }: BetweenLegs['from']): string {
  if (party === 'carrier') return nameOf(deps, name)
  return name === '' ? party : `${party} ${name}`
}

/** From the least: the first that is not exceeded is shown. */
const SOON = [3, 7, 14, 30] as const

function certificateSection(deps: SeenDeps, { certificates: read }: AttestationAnswer): Html {
  if (read.certificates.length === 0) return html``
  const shown = read.certificates.slice(0, ROWS_MAX)
  const ending = read.certificates.filter(({ state }) => state !== 'good').length
  return html`<section><div class="title"><h2>Certificates</h2> <p class="quiet">${ending === 0 ? `none of those that signed here ends within ${read.within_days} days` : `${count(ending)} ended or end within ${read.within_days} days`}; days from now</p></div>
${table(
  'Certificates that signed calls of this range, the first to end first',
  html`<th scope="col">Subject</th><th scope="col">SPC</th><th scope="col">Signs for</th><th scope="col" class="num">Tokens</th><th scope="col">Ends</th><th scope="col" class="num">Days left</th>`,
  shown.map(
    (one) =>
      html`<tr><th scope="row">${one.subject === '' ? html`<span class="none">no CN</span>` : one.subject}<br><small>SHA-256 ${one.certificate_sha256.slice(0, 16)}</small></th><td data-label="SPC">${one.spc === '' ? '–' : one.spc}</td><td data-label="Signs for">${one.carriers.map((id) => nameOf(deps, id)).join(', ')}</td><td class="num" data-label="Tokens">${count(one.tokens)}</td><td data-label="Ends">${moment(one.not_after, one.not_after.slice(0, 10))}</td><td class="num${one.days_left < 14 ? ' worse' : ''}" data-label="Days left">${endWords(one)}</td></tr>`,
  ),
  { look: 'cards' },
)}${shown.length < read.certificates.length || read.certificates_cut ? html`<p class="quiet">The first to end; the JSON has more.</p>` : null}</section>`
}

function endWords({
  state,
  days_left: left,
}: AttestationAnswer['certificates']['certificates'][number]): Content {
  if (state === 'expired') return html`<span class="value">expired</span>`
  const within = SOON.find((days) => left < days)
  return html`<span class="value">${count(left)}</span>${within === undefined ? null : html`<br><small>within ${within} days</small>`}`
}
