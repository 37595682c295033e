/**
 * The four numbers of an attempt, out of the URIs of its INVITE.
 *
 *   called    Request-URI: where the call is routed          dialled   To: what the caller asked for
 *   calling   P-Asserted-Identity, else From                 from      From, what the caller says of himself
 *
 * Takes    header values as they stood on the wire. Of two asserted identities the tel one is preferred (RFC 3325 §9.1
 *          allows one sip and one tel).
 * Returns  '+' and digits where the text is a global number, its visual separators stripped; digits, * and # where it is
 *          a local number, a short code or an emergency number (no '+' is ever invented); any other user as it stands;
 *          '' for an anonymous party and for a URI without a user. At most 64 characters each.
 * Throws   nothing.
 * Source   metrics.md §10; RFC 3966 §5.1.1 (visual separators "-" "." "(" ")"); RFC 3323 §4.1.1.3 (anonymous.invalid).
 */
import type { CallNumbers } from '../../schemas/leg-attributes.js'
import { readNameAddr, readUri } from '../../sip/uri.js'

const NUMBER_LENGTH_MAX = 64

export function numbersOf(invite: {
  requestUri: string
  to: string
  from: string
  assertedIdentities: readonly string[]
}): CallNumbers {
  const fromNumber = numberOfUri(readNameAddr(invite.from).uri)
  return {
    calledNumber: numberOfUri(invite.requestUri),
    dialledNumber: numberOfUri(readNameAddr(invite.to).uri),
    callingNumber: assertedNumber(invite.assertedIdentities) || fromNumber,
    fromNumber,
  }
}

function assertedNumber(assertedIdentities: readonly string[]): string {
  let first = ''
  for (const value of assertedIdentities) {
    const uri = readNameAddr(value).uri
    const number = numberOfUri(uri)
    if (number === '') continue
    if (/^\s*tel:/i.test(uri)) return number
    if (first === '') first = number
  }
  return first
}

/**
 * A sip or tel URI whose user is '+' and digits and nothing else, as nearly all are: seen at once. '' for any other, which
 * takes the long way to the same number.
 */
function plainNumber(uri: string): string {
  const from = uri.startsWith('sip:') || uri.startsWith('tel:') ? 4 : uri.startsWith('sips:') ? 5 : 0
  if (from === 0) return ''
  let at = uri.charCodeAt(from) === 0x2b ? from + 1 : from
  while (uri.charCodeAt(at) >= 0x30 && uri.charCodeAt(at) <= 0x39) at++
  if (at - from < 2 || at - from > NUMBER_LENGTH_MAX) return ''
  if (uri.charCodeAt(at) !== 0x40) return at === uri.length && uri.startsWith('tel:') ? uri.slice(from) : ''
  return uri.endsWith('.invalid') || uri.includes('.invalid', at) ? '' : uri.slice(from, at)
}

function numberOfUri(text: string): string {
  const plain = plainNumber(text)
  if (plain !== '') return plain
  const { user, host } = readUri(text)
  // Names below .invalid are nobody's (RFC 2606 §2): anonymous.invalid, and unknown.invalid from mobile networks.
  if (user.toLowerCase() === 'anonymous' || host.endsWith('.invalid')) return ''
  const digits = user.replace(/[-.() ]/g, '')
  const number = /^\+?[0-9*#]+$/.test(digits) ? digits : user
  return number.slice(0, NUMBER_LENGTH_MAX)
}
