/** The page of one attempt: what the rules made of it and why, the ladder of its call, and every message in order. */
import { isAtLeast } from '../../schemas/tokens.js'
import { readableText } from '../../sip/sip-message.js'
import type { AttemptJson } from '../attempts/attempt-json.js'
import { type CallLadder, findCall } from '../attempts/call-ladder.js'
import type { MessageJson } from '../attempts/messages.js'
import type { Audited } from '../audit/trail.js'
import type { SeenDeps } from '../deps.js'
import { readSuspicions } from '../early-media/suspicions.js'
import { isMasked } from '../masking.js'
import { isoUsOf } from '../time-span.js'
import { outcome, ownerOf } from './attempts.js'
import { callLegsSection } from './call-legs.js'
import { count, duration, NONE, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { ladderSvg, secondsText, signed } from './ladder-svg.js'
import { page } from './layout.js'
import { messageText } from './message-text.js'
import { moment } from './moment.js'
import { suspicionsSection } from './suspicions.js'
import { table } from './table.js'

export async function attemptPage(deps: SeenDeps, id: string, audited: Audited = {}): Promise<Html> {
  const { attempt, call, ladder, messages } = await findCall(deps, id)
  Object.assign(audited, { rows: messages.length, carrier: attempt.carrier })
  const suspicions = await readSuspicions(deps, attempt.attempt_id, Date.parse(attempt.minute) / 1_000)
  const callId = readableText(attempt.call_id)
  const address = `/v1/attempts/${attempt.attempt_id}`
  return page(deps, {
    title: `Attempt ${callId}`,
    path: `/attempts/${attempt.attempt_id}`,
    content: html`<div class="title"><h1>${outcome(attempt)}</h1> <p class="quiet">${ownerOf(attempt, deps)} · ${attempt.direction} · ${callId}</p></div>
<section><h2>What the rules said, and why</h2>${explanationTable(ladder)}</section>
${callLegsSection(call, attempt.attempt_id)}
${suspicionsSection(suspicions, ladder.arrows, attempt.attempt_id)}
<section><div class="title"><h2>Ladder</h2> <p class="quiet">${plural(ladder.legs.length, 'leg')} with this Call-ID · <a href="${address}/ladder.svg">SVG</a> · <a href="${address}/ladder">JSON</a>${isAtLeast(deps.principal.role, 'investigator') ? html` · <a href="${address}/pcap">pcap</a> · <a href="${address}/messages.txt">text</a>` : null}</p></div>
${messages.length === 0 ? noMessages(deps) : drawing(ladder)}${legsOf(attempt, ladder)}</section>
<section><div class="title"><h2>Record</h2> <p class="quiet"><a href="${address}">as JSON</a>${isMasked(attempt.call_id) ? null : html` · <a href="/attempts?call_id=${encodeURIComponent(attempt.call_id)}">all legs of this call</a>`}${attempt.party === 'carrier' || attempt.party === 'unknown' ? html` · <a href="/carriers/${encodeURIComponent(attempt.carrier)}">carrier</a>` : null}</p></div>
<div class="facts">${factGroups(attempt)}</div></section>
<section><div class="title"><h2 id="messages">Messages</h2> <p class="quiet">${plural(ladder.arrows.length, 'message')}, times from the first${isAtLeast(deps.principal.role, 'investigator') ? '; open one for its text' : '; their texts are for investigators'}${ladder.is_cut ? '; there are more than are shown' : ''}</p></div>
${messages.length === 0 ? noMessages(deps) : messageList(ladder, messages)}</section>`,
  })
}

function noMessages(deps: SeenDeps): Html {
  return html`<p class="quiet">No message is stored any more: raw messages are kept for ${deps.config.retention.raw_days} days.</p>`
}

const TOPICS: Record<CallLadder['explanation'][number]['topic'], string> = {
  disposition: 'Disposition',
  cancel_class: 'Why cancelled',
  service_level: 'Service level',
  post_dial_delay: 'Post-dial delay',
}

function explanationTable({ explanation }: CallLadder): Html {
  return table(
    'Verdicts of the rules, and their reasons',
    html`<th scope="col">About</th><th scope="col">Verdict</th><th scope="col">Why</th>`,
    explanation.map(
      ({ topic, verdict, because, arrows }) =>
        html`<tr><th scope="row">${TOPICS[topic]}</th><td><b>${verdict}</b></td><td>${because}${arrows.length === 0 ? null : html` <span class="nowrap">(${arrows.map((number, index) => html`${index === 0 ? 'message ' : ', '}<a href="#m${number}">${number}</a>`)})</span>`}</td></tr>`,
    ),
    { look: 'cards why' },
  )
}

function drawing(ladder: CallLadder): Html {
  const [first, ...others] = ladder.clocks
  const skews = others.map(({ agent, skew_ms, pairs }) =>
    skew_ms === null
      ? html`<li><span class="mono">${agent}</span>: no message compares its clock, so its place in the order is uncertain</li>`
      : html`<li><span class="mono">${agent}</span>: ${signed(skew_ms)} against it, by ${plural(pairs, 'message')} that both saw; taken out of the order</li>`,
  )
  return html`<div class="scroll ladder-box" tabindex="0" role="region" aria-label="Ladder, can be scrolled">${ladderSvg(ladder)}</div>
<p class="quiet small">Dashed: sent again. Bold: this leg. In words: <a href="#messages">the list of messages</a>.${first === undefined || others.length === 0 ? null : html` Times are those of <span class="mono">${first.agent}</span>.`}</p>
${skews.length === 0 ? null : html`<ul class="quiet small">${skews}</ul>`}`
}

/** The other attempts that share the Call-ID. */
function legsOf(attempt: AttemptJson, { legs }: CallLadder): Html | null {
  const others = legs.filter(({ attempt_id }) => attempt_id !== attempt.attempt_id)
  if (others.length === 0) return null
  return html`<p class="small">Other legs: ${others.map((leg, index) => html`${index === 0 ? null : ' · '}<a href="/attempts/${leg.attempt_id}">${leg.name} ${leg.direction} ${leg.site}</a>`)}</p>`
}

type Fact = readonly [label: string, value: Content]

function factGroups(attempt: AttemptJson): Html[] {
  const ms = (value: number | null) => (value === null ? null : duration(value / 1_000))
  const sinceInvite = (us: number) =>
    us === 0 || attempt.invited_at_us === 0 ? null : `+ ${duration((us - attempt.invited_at_us) / 1e6)}`
  return [
    group('Outcome', [
      ['State', attempt.state],
      ['Disposition', attempt.disposition],
      ['Final', attempt.final_code === 0 ? null : `${attempt.final_code} ${attempt.final_phrase}`],
      ['CANCEL', joined([attempt.cancel_class, attempt.cancel_reason])],
      ['Q.850', attempt.q850_cause === 0 ? null : `cause ${attempt.q850_cause} ${attempt.q850_location}`],
      ['Reason', joined(attempt.reasons)],
      ['Service level', attempt.sli],
      ['NER', attempt.state === 'closed' ? `${attempt.ner_numerator} of ${attempt.ner_denominator}` : null],
      [
        'Flags',
        attempt.flags.length === 0
          ? null
          : attempt.flags.map((flag) => html`<span class="badge">${flag}</span> `),
      ],
      ['Ended by', attempt.bye_from],
    ]),
    group('Measures', [
      ['Post-dial delay', ms(attempt.pdd_ms)],
      ['First response', ms(attempt.first_response_ms)],
      ['Ringing after', ms(attempt.ring_delay_ms)],
      ['Early media after', ms(attempt.media_delay_ms)],
      ['Failed after', ms(attempt.fail_delay_ms)],
      ['Authentication took', ms(attempt.auth_ms)],
      ['Rang before CANCEL', ms(attempt.ring_before_cancel_ms)],
      ['Duration', ms(attempt.duration_ms)],
      ['Tries', count(attempt.tries)],
      ['INVITE retransmissions', count(attempt.invite_retransmissions)],
      ['Early dialogs', count(attempt.early_dialogs)],
    ]),
    group('Times', [
      ['INVITE', attempt.invited_at_us === 0 ? null : momentUs(attempt.invited_at_us)],
      ['100', sinceInvite(attempt.first_100_at_us)],
      ['First 18x', sinceInvite(attempt.first_18x_at_us)],
      ['CANCEL', sinceInvite(attempt.cancelled_at_us)],
      ['Final', sinceInvite(attempt.final_at_us)],
      ['ACK', sinceInvite(attempt.acked_at_us)],
      ['BYE', sinceInvite(attempt.bye_at_us)],
      ['Clock of', html`<span class="mono">${attempt.clock_agent}</span>`],
    ]),
    group('Leg', [
      ['Owner', ownerOf(attempt, undefined)],
      ['Site', attempt.site],
      ['Direction', attempt.direction],
      ['SBC', html`<span class="mono">${attempt.sbc_address}</span>`],
      ['Far side', html`<span class="mono">${attempt.far_address} port ${attempt.far_port}</span>`],
      ['Attribution', attempt.attribution_rule],
      ['Calling', attempt.calling_number || attempt.from_number],
      ['Called', attempt.called_number],
      ['Dialled', attempt.dialled_number === attempt.called_number ? null : attempt.dialled_number],
      ['Request-URI', html`<span class="mono">${attempt.request_uri}</span>`],
      ['User agent', attempt.user_agent],
      ['Seen by', attempt.agents.join(', ')],
    ]),
    group('Attestation', [
      ['Claims', attempt.attestation],
      ...attempt.identities.map(
        (token): Fact => [
          token.ppt === '' ? 'PASSporT' : token.ppt,
          token.form === 'malformed'
            ? `malformed: ${token.problem}`
            : joined([
                token.attest === '' ? '' : `attest ${token.attest}`,
                token.orig === '' ? '' : `orig ${token.orig}`,
                token.dest.length === 0 ? '' : `dest ${token.dest.join(', ')}`,
                token.iat_s === 0 || attempt.invited_at_us === 0
                  ? ''
                  : `signed ${duration(Math.abs(attempt.invited_at_us / 1e6 - token.iat_s))} ${token.iat_s * 1e6 <= attempt.invited_at_us ? 'before' : 'after'} the INVITE`,
                token.x5u,
              ]),
        ],
      ),
      ['Verified', attempt.identities.length === 0 ? null : 'not checked'],
      ['Of all calls', html`<a href="/attestation">STIR/SHAKEN</a>`],
    ]),
  ]
}

function joined(texts: readonly string[]): string | null {
  const filled = texts.filter((text) => text !== '')
  return filled.length === 0 ? null : filled.join(' · ')
}

function group(title: string, facts: readonly Fact[]): Html {
  const known = facts.filter(([, value]) => value !== null && value !== '')
  return html`<div><h3>${title}</h3><dl>${known.length === 0 ? html`<dt>${NONE}</dt><dd></dd>` : known.map(([label, value]) => html`<dt>${label}</dt><dd>${value}</dd>`)}</dl></div>`
}

function momentUs(us: number): Html {
  const iso = isoUsOf(us)
  return moment(iso, `${iso.slice(0, 10)} ${iso.slice(11, -1)} UTC`)
}

/** The ladder in words, each message with its text for who may read it. */
function messageList(ladder: CallLadder, messages: readonly MessageJson[]): Html {
  const who = (party: number) => ladder.parties[party]!.name || ladder.parties[party]!.address
  return html`<ol class="ladder">${ladder.arrows.map((arrow, index) => {
    const message = messages[arrow.message]!
    const gapMs = arrow.offset_ms - (ladder.arrows[index - 1]?.offset_ms ?? arrow.offset_ms)
    const start = `mono ${toneOf(message.status_code)}`
    const again =
      arrow.again_of === null
        ? null
        : html` <span class="badge plain">again, of <a href="#m${arrow.again_of}">${arrow.again_of}</a></span>`
    return html`<li id="m${arrow.number}"><span class="at">${moment(message.captured_at, secondsText(arrow.offset_ms))}<small>${gapMs > 0 ? `+${secondsText(gapMs)}` : ''}</small></span>
<span class="way${arrow.from <= arrow.to ? '' : ' back'}"><span class="mono">${arrow.number}</span> <span aria-hidden="true">${arrow.from === arrow.to ? '↻' : arrow.from < arrow.to ? '→' : '←'}</span></span>
<div>${message.raw === '' ? html`<span class="${start}">${message.start_line}</span>` : html`<details><summary class="${start}">${message.start_line}</summary><pre>${messageText(message.raw)}</pre></details>`}
<div class="ends">${who(arrow.from)} to ${who(arrow.to)}: <span class="mono">${message.source.address}:${message.source.port}</span> to <span class="mono">${message.destination.address}:${message.destination.port}</span> · CSeq ${arrow.cseq} · ${message.agent}${arrow.also_seen.map(({ agent, later_ms }) => html`, also ${agent} ${signed(later_ms)}`)}${again}${arrow.attempt_id === ladder.attempt_id ? null : html` <span class="badge plain">other leg</span>`}${message.parse_error === '' ? null : html` <span class="badge bad">${message.parse_error}</span>`}${message.truncated ? html` <span class="badge">cut</span>` : null}${message.frame_flags.map((flag) => html` <span class="badge plain">${flag}</span>`)}</div>
${arrow.media.length === 0 ? null : html`<div class="ends">${arrow.is_early_media ? 'early media: ' : 'media: '}${arrow.media.join('; ')}</div>`}</div></li>`
  })}</ol>`
}

function toneOf(status: number): string {
  if (status >= 200 && status < 300) return 'k2'
  return status >= 400 ? 'k4' : ''
}
