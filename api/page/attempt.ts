/** The page of one attempt: what the rule made of it, and every message in order. */
import { isAtLeast } from '../../schemas/tokens.js'
import { readableText } from '../../sip/sip-message.js'
import type { AttemptJson } from '../attempts/attempt-json.js'
import { type MessageJson, messagesOf } from '../attempts/messages.js'
import { findAttempt } from '../attempts/search.js'
import type { SeenDeps } from '../deps.js'
import { isMasked } from '../masking.js'
import { isoUsOf } from '../time-span.js'
import { outcome, ownerOf } from './attempts.js'
import { count, duration, NONE, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { page } from './layout.js'

export async function attemptPage(deps: SeenDeps, id: string): Promise<Html> {
  const { attempt, key } = await findAttempt(deps.readers, id)
  const { messages, isCut } = await messagesOf(deps.readers, key)
  const callId = readableText(attempt.call_id)
  return page(deps, {
    title: `Attempt ${callId}`,
    path: `/attempts/${attempt.attempt_id}`,
    content: html`<h1>${outcome(attempt)} <span class="quiet">${ownerOf(attempt, deps)} · ${attempt.direction} · ${callId}</span></h1>
<section><h2>Record <span class="quiet"><a href="/v1/attempts/${attempt.attempt_id}">as JSON</a>${isMasked(attempt.call_id) ? null : html` · <a href="/attempts?call_id=${encodeURIComponent(attempt.call_id)}">all legs of this call</a>`}${attempt.party === 'carrier' || attempt.party === 'unknown' ? html` · <a href="/carriers/${encodeURIComponent(attempt.carrier)}">carrier</a>` : null}</span></h2>
<div class="facts">${factGroups(attempt)}</div></section>
<section><h2>Messages <span class="quiet">${plural(messages.length, 'message')} of this leg, times from the first${isAtLeast(deps.principal.role, 'investigator') ? '; open one for its text' : '; their texts are for investigators'}${isCut ? '; there are more than are shown' : ''}${agentsOf(messages) > 1 ? '; several agents saw it, and their clocks are not reconciled' : ''}</span></h2>
${messages.length === 0 ? html`<p class="quiet">None is stored any more: raw messages are kept for ${deps.config.retention.raw_days} days.</p>` : ladder(messages, attempt)}</section>`,
  })
}

function agentsOf(messages: readonly MessageJson[]): number {
  return new Set(messages.map(({ agent }) => agent)).size
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
      ['INVITE', attempt.invited_at_us === 0 ? null : isoUsOf(attempt.invited_at_us)],
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

/** A message that stands twice, letter by letter, is a retransmission, or a copy of another agent. */
function ladder(messages: readonly MessageJson[], attempt: AttemptJson): Html {
  return html`<ol class="ladder">${messages.map((message, index) => {
    const startLine = html`<span class="mono ${toneOf(message.status_code)}">${message.start_line}</span>`
    const isOut = message.source.address === attempt.sbc_address
    const previous = messages[index - 1]
    const gapMs = previous === undefined ? 0 : message.offset_ms - previous.offset_ms
    const ends = html`<span class="mono">${message.source.address}:${message.source.port}</span> to <span class="mono">${message.destination.address}:${message.destination.port}</span>`
    const isRepeat =
      message.raw !== '' &&
      messages.findIndex(
        (other) => other.raw === message.raw && other.source.address === message.source.address,
      ) < index
    return html`<li><span class="at" title="${message.captured_at}">${offsetText(message.offset_ms)}<small>${gapMs > 0 ? `+${offsetText(gapMs)}` : ''}</small></span>
<span class="way${isOut ? '' : ' back'}" title="${isOut ? 'from our SBC' : 'to our SBC'}"><span>SBC </span>${isOut ? '→' : '←'}<span class="hidden">${isOut ? ' sent' : ' received'}</span></span>
<div>${message.raw === '' ? startLine : html`<details><summary class="mono ${toneOf(message.status_code)}">${message.start_line}</summary><pre>${message.raw}</pre></details>`}
<div class="ends">${ends} · CSeq ${message.cseq_number} ${message.cseq_method} · ${message.agent}${isRepeat ? html` <span class="badge plain">again</span>` : null}${message.parse_error === '' ? null : html` <span class="badge bad">${message.parse_error}</span>`}${message.truncated ? html` <span class="badge">cut</span>` : null}${message.frame_flags.map((flag) => html` <span class="badge plain">${flag}</span>`)}</div></div></li>`
  })}</ol>`
}

function toneOf(status: number): string {
  if (status >= 200 && status < 300) return 'k2'
  return status >= 400 ? 'k4' : ''
}

function offsetText(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`
}
