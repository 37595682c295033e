/**
 * Telephone numbers are personal data: who may not see them gets their last two digits.
 *
 * Takes    what the store holds, as a person would read it. Of an attempt every text that came from the wire is masked, not
 *          the numbers alone: display names, Call-IDs and reasons hold them too. What we wrote ourselves (states, names of
 *          the configuration, addresses) stays, and is listed: a new column is masked until it is listed here.
 * Returns  the same shape. Texts of messages and samples are left out whole: numbers stand in them in more forms than can
 *          be told (tokens, bodies, parts of the wrong length).
 *
 * A number is seven digits or more, whatever stands between them (RFC 3966 §3, visual separators), and the user of a SIP or
 * tel URI, whatever it is. Four numbers with dots between them that make an IPv4 address are none.
 * Source   faults.md §4, 5.
 */
import { isIPv4 } from 'node:net'
import { ATTEMPT_COLUMNS } from '../schemas/call-attempts.js'
import { type AttemptJson, readable } from './attempts/attempt-json.js'
import type { MessageJson } from './attempts/messages.js'

const MASK = '…'
const DIGITS_SHOWN = 2
/** Fewer digits in all would tell too much with two of them: 112, 1188. */
const DIGITS_MIN = 7

/** A digit of any script, also percent-encoded, then more with at most three signs between. */
const DIGIT = '(?:\\p{Nd}|%3[0-9])'
const RUN = new RegExp(`${DIGIT}(?:(?:[\\s().+/_\\-]|%2[0-9A-Fa-f]){0,3}${DIGIT}){${DIGITS_MIN - 1},}`, 'gu')
const MASKED_NUMBER = new RegExp(`^\\+?(${MASK}\\p{Nd}{${DIGITS_SHOWN}})(?:;|$)`, 'u')
const URI = /\b(sips?|tels?|pres|im):([^\s<>",]*)/giu

/** What is a number, or a name in its place. */
export function maskedNumber(text: string): string {
  if (text === '') return ''
  const digits = text.replace(/\P{Nd}/gu, '')
  return digits.length < DIGITS_MIN ? MASK : `${MASK}${digits.slice(-DIGITS_SHOWN)}`
}

/** Numbers first: one that a URI would cut in two is seen whole. */
export function maskedText(text: string): string {
  return maskedDigits(text).replace(URI, (_, scheme: string, rest: string) => {
    const at = rest.lastIndexOf('@')
    if (at >= 0) return `${scheme}:${maskedUser(rest.slice(0, at))}${rest.slice(at)}`
    return `${scheme}:${scheme.toLowerCase().startsWith('sip') ? rest : maskedUser(rest)}`
  })
}

function maskedUser(user: string): string {
  return MASKED_NUMBER.exec(user)?.[1] ?? maskedNumber(user)
}

export function isMasked(text: string): boolean {
  return text.includes(MASK)
}

function maskedDigits(text: string): string {
  return text.replace(RUN, (run) => (isIPv4(run) ? run : maskedNumber(run)))
}

const NUMBERS: ReadonlySet<string> = new Set([
  'called_number',
  'dialled_number',
  'calling_number',
  'from_number',
])

/** Written by us, out of closed lists, the configuration, or addresses of packets. */
const OURS: ReadonlySet<string> = new Set([
  'attempt_id',
  'state',
  'party',
  'carrier',
  'customer',
  'site',
  'direction',
  'attribution_rule',
  'address_low',
  'address_high',
  'sbc_address',
  'far_address',
  'clock_agent',
  'disposition',
  'sli',
  'cancel_class',
  'bye_from',
  'attestation',
  'sdp_offer_hash',
  'sdp_answer_hash',
  'agents',
  'flags',
])

const FROM_THE_WIRE = ATTEMPT_COLUMNS.filter(
  ({ name, type }) =>
    (type === 'String' || type === 'Array(String)') && !OURS.has(name) && !NUMBERS.has(name),
).map(({ name }) => name)

export function maskedAttempt(attempt: AttemptJson): AttemptJson {
  const { facts: _, ...masked } = attempt
  for (const name of NUMBERS) masked[name] = maskedNumber(String(masked[name] ?? ''))
  for (const name of FROM_THE_WIRE) {
    if (name === 'identities' || name === 'facts') continue
    const value = masked[name]
    if (typeof value === 'string') masked[name] = maskedText(readable(value))
    else if (Array.isArray(value)) masked[name] = value.map((text) => maskedText(readable(String(text))))
  }
  const identities = attempt.identities.map((token) => ({
    ...token,
    form: maskedText(token.form),
    ppt: maskedText(token.ppt),
    attest: maskedText(token.attest),
    orig: maskedNumber(token.orig),
    dest: token.dest.map(maskedNumber),
    x5u: maskedText(token.x5u),
    orig_id: maskedText(token.orig_id),
    div: maskedNumber(token.div),
    problem: maskedText(token.problem),
  }))
  return { ...masked, identities } as AttemptJson
}

export function maskedMessage(message: MessageJson): MessageJson {
  return {
    ...message,
    method: maskedText(message.method),
    cseq_method: maskedText(message.cseq_method),
    start_line: message.status_code > 0 ? maskedText(message.start_line) : maskedText(message.method),
    raw: '',
  }
}
