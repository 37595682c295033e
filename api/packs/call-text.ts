/**
 * A sample call as text: the record and why it says what it says, the ladder, and every message.
 *
 * Nothing from the wire can pass for a line of ours: it stands on one line, or indented; controls are pictures and marks that
 * turn the direction of text are named (page/html.ts).
 */

import type { AttemptJson } from '../attempts/attempt-json.js'
import type { CallLadder } from '../attempts/call-ladder.js'
import type { LadderMessage } from '../attempts/ladder.js'
import type { IdentityCheckJson } from '../identity/attempt-identity.js'
import { visible } from '../page/html.js'
import { secondsText, signed } from '../page/ladder-svg.js'
import { isoOf } from '../time-span.js'
import type { AttemptEvidence } from './attempt-evidence.js'
import { cancelBlameOf } from './cancel-blame.js'
import { MESSAGES_MAX } from './sample-calls.js'

const PROTOCOLS: Readonly<Record<number, string>> = { 6: 'TCP', 17: 'UDP', 22: 'TLS', 132: 'SCTP' }
const INDENT = '    '

export function* callText(
  attempt: AttemptJson,
  ladder: CallLadder,
  messages: readonly LadderMessage[],
  evidence: AttemptEvidence,
): Generator<string> {
  yield `${record(attempt)}\n\n`
  yield evidenceText(evidence)
  if (messages.length === 0) {
    yield 'No message of this attempt is stored any more: raw messages are kept for a shorter time than attempts.\n'
    return
  }
  yield `What the rules made of it\n${ladder.explanation.map(({ topic, verdict, because, arrows }) => `  ${topic.replaceAll('_', ' ')}: ${oneLine(verdict)}. ${oneLine(because)}${arrows.length === 0 ? '' : ` (messages ${arrows.join(', ')})`}\n`).join('')}\n`
  yield `Ladder (seconds after the first message)\n${ladder.arrows.map((arrow) => `  ${arrowLine(arrow, ladder)}\n`).join('')}`
  if (ladder.is_cut)
    yield `  There are more messages than the ${MESSAGES_MAX} of one call that a pack holds.\n`
  yield '\nMessages, as they are stored (credentials and keys are blanked)\n'
  for (const arrow of ladder.arrows) {
    const { message } = messages[arrow.message]!
    const from = endOf(message.source.address, message.source.port)
    const to = endOf(message.destination.address, message.destination.port)
    const protocol = PROTOCOLS[message.ip_protocol] ?? `protocol ${message.ip_protocol}`
    yield `\n${arrow.number}. ${arrow.captured_at} ${from} -> ${to} ${protocol}, seen by ${oneLine(message.agent)}\n`
    const lines = message.raw.split(/\r\n|\r|\n/)
    while (lines.at(-1) === '') lines.pop()
    yield lines.map((line) => (line === '' ? '\n' : `${INDENT}${visible(line)}\n`)).join('')
  }
}

function record(attempt: AttemptJson): string {
  const at = attempt.invited_at_us > 0 ? isoOf(attempt.invited_at_us) : attempt.minute
  const final =
    attempt.final_code === 0
      ? 'No final response'
      : `Final ${attempt.final_code} ${oneLine(attempt.final_phrase)}`.trim()
  const cause = attempt.q850_cause > 0 ? `, Q.850 cause ${attempt.q850_cause}` : ''
  const delay =
    attempt.pdd_ms === null ? 'no post-dial delay' : `post-dial delay ${secondsText(attempt.pdd_ms)}`
  return [
    `Attempt ${attempt.attempt_id}`,
    `INVITE at ${at} UTC, ${attempt.direction}, site ${attempt.site || 'unknown'}, SBC ${attempt.sbc_address || 'not told'}, carrier side ${endOf(attempt.far_address, attempt.far_port)}`,
    `From ${oneLine(attempt.calling_number || attempt.from_number || 'not told')} to ${oneLine(attempt.called_number || attempt.dialled_number || 'not told')}`,
    `Call-ID ${oneLine(attempt.call_id)}`,
    `${final}${cause}; ${attempt.disposition}${attempt.cancel_class === '' ? '' : `, ${attempt.cancel_class} (fault: ${cancelBlameOf(attempt)})`}; ${attempt.rang ? 'it rang (18x)' : 'nothing rang (no 18x)'}; ${delay}`,
  ].join('\n')
}

/** Three words a token: what it claims, what its signature says, what all steps together say. */
function evidenceText({ verdict, suspicions, suspicionsBy, tokens, isCut }: AttemptEvidence): string {
  const lines = [
    verdict === null
      ? ''
      : `Other legs decided: ${verdict.because}; this leg alone would be ${[verdict.fold.disposition, verdict.fold.cancel_class].filter(Boolean).join(', ')}`,
    suspicionsBy === 'not_looked_at'
      ? 'Suspicions: nobody has looked yet'
      : `Suspicions, from signalling only: ${suspicions.length === 0 ? 'none' : suspicions.join(', ')}${suspicionsBy === 'record' ? '; its messages were gone when it was looked at' : ''}`,
    tokens.length === 0 ? 'Identity: nothing was found, or nobody looked' : 'Identity',
    ...tokens.map((check) => `  ${tokenLine(check)}`),
    isCut ? '  There are more tokens than a pack reads of one attempt.' : '',
  ]
  return `${lines.filter((line) => line !== '').join('\n')}\n\n`
}

function tokenLine({ position, depth, form, claimed, signed, verified, verstat }: IdentityCheckJson): string {
  if (form === 'none') return oneLine(`no token; verstat ${verstat || 'none'}`)
  const deltaMs = verified.iat_delta_ms
  const age =
    deltaMs === null ? '' : `, made ${Math.abs(deltaMs)} ms ${deltaMs < 0 ? 'after' : 'before'} the INVITE`
  const signer = signed.signer_id === '' ? '' : ` by ${signed.signer_id}`
  return oneLine(
    `${position}${depth > 0 ? `, nested ${depth} deep` : ''}: claimed ${claimed.ppt || 'no ppt'} ${claimed.attest || 'no level'}${age}; ` +
      `signed ${signed.signature.replace('_', ' ')}${signer}${signed.reason === '' ? '' : ` (${signed.reason})`}; ` +
      `verified ${verified.verdict.replace('_', ' ')}${verified.findings.length === 0 ? '' : ` (${verified.findings.join(', ')})`}`,
  )
}

function arrowLine(arrow: CallLadder['arrows'][number], { parties }: CallLadder): string {
  const who = (at: number) => oneLine(parties[at]!.name || parties[at]!.address)
  const again = arrow.again_of === null ? '' : `, again, of ${arrow.again_of}`
  const media = arrow.media.length === 0 ? '' : `, ${arrow.media.map(oneLine).join('; ')}`
  const others = arrow.also_seen.map(
    ({ agent, later_ms }) => `, also seen by ${oneLine(agent)} ${signed(later_ms)}`,
  )
  return `${String(arrow.number).padStart(3)}. ${(arrow.offset_ms / 1_000).toFixed(6).padStart(12)}  ${who(arrow.from)} -> ${who(arrow.to)}  ${oneLine(arrow.label)}${again}${media}${others.join('')}`
}

function endOf(address: string, port: number): string {
  if (address === '') return 'not told'
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}

function oneLine(text: string): string {
  return visible(text).replace(/[\n\t]/g, ' ')
}
