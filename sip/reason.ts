/**
 * One value of a Reason header: why a request or response was sent.
 *
 *   Reason-value => protocol *( ";" ( "cause=" 1*DIGIT | "text=" quoted-string | "location=" token | token ) )
 *
 * Takes    one value of the header, as `SipMessage.reasons` holds them (the comma list is already split).
 * Returns  protocol in its registered spelling where it is registered ('SIP', 'Q.850', 'STIR', 'Preemption'),
 *          cause -1 when absent or no number below 10,000, text without its quotes, location in upper case
 *          (RFC 8606: 'U', 'LPN', 'LN', 'TN', 'RLN', 'RPN', 'INTL', 'BI'). Unquoted texts, stray white space, parameters twice
 *          (the first counts) and `location` beside other protocols than Q.850 (603+, metrics.md §11) are accepted.
 * Throws   nothing.
 * Source   RFC 3326 §2, RFC 6432, RFC 8606 §4; metrics.md §6.
 */
import { readParameters } from './uri.js'

export interface ReasonValue {
  protocol: string
  cause: number
  text: string
  location: string
}

const REGISTERED = new Map([
  ['sip', 'SIP'],
  ['q.850', 'Q.850'],
  ['preemption', 'Preemption'],
  ['stir', 'STIR'],
])

export function readReason(value: string): ReasonValue {
  const semicolon = value.indexOf(';')
  const written = (semicolon < 0 ? value : value.slice(0, semicolon)).trim()
  const protocol = REGISTERED.get(written.toLowerCase()) ?? written
  if (semicolon < 0) return { protocol, cause: -1, text: '', location: '' }
  const parameters = readParameters(value, semicolon)
  return {
    protocol,
    cause: causeNumber(parameters.get('cause') ?? ''),
    text: parameters.get('text') ?? '',
    location: (parameters.get('location') ?? '').toUpperCase(),
  }
}

function causeNumber(text: string): number {
  return /^\d{1,4}$/.test(text) ? Number(text) : -1
}
