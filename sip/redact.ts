/**
 * Blanks what must not be stored: credentials, media keys, and the text of messages people write to one another.
 *
 *   Authorization, Proxy-Authorization    the whole value, folded lines included
 *   a=crypto                              from `inline:` on; the suite stays legible
 *   a=key-mgmt, k=, a=ice-pwd             the whole value
 *   MESSAGE                               the whole body, of the request and of its responses
 *
 * Takes    the bytes of a message and what `readSip` read from them.
 * Returns  the same Buffer when there is nothing to blank, else a copy in which '*' stands for every blanked byte.
 *          Length, line ends and all other bytes stay, so every offset stays true.
 * Throws   nothing.
 * Source   faults.md §4 point 5; RFC 4568 (crypto), RFC 4567 (key-mgmt), RFC 8839 (ice-pwd), RFC 8866 §5.12 (k=).
 *
 * Every line of the message is looked at, in headers and body alike and whatever the reader made of it: a second
 * request behind the first, a message/sipfrag body, or a message that does not parse may carry a key as well. Where
 * the start line cannot be read the body is blanked unless it is SDP: it may be the text of a MESSAGE.
 */
import type { SipMessage } from '../schemas/sip-message.js'

const LF = 0x0a
const CR = 0x0d
const SP = 0x20
const HT = 0x09
const STAR = 0x2a

/** Names at the beginning of a line, in lower case; what follows the name decides where the secret begins. */
const AUTHORIZATION = Buffer.from('authorization')
const PROXY_AUTHORIZATION = Buffer.from('proxy-authorization')
const CRYPTO = Buffer.from('a=crypto:')
const KEY_MANAGEMENT = Buffer.from('a=key-mgmt:')
const ICE_PASSWORD = Buffer.from('a=ice-pwd:')
const KEY = Buffer.from('k=')
const INLINE = Buffer.from('inline:')

export function redactSip(bytes: Buffer, message: SipMessage): Buffer {
  let output = bytes
  const size = bytes.length
  let at = 0
  while (at < size) {
    while (bytes[at] === SP || bytes[at] === HT) at++ // The reader trims a line that begins so, too.
    const first = at < size ? bytes[at]! | 0x20 : 0
    const from = first === 0x61 || first === 0x70 || first === 0x6b ? secretAt(bytes, at) : -1
    if (from >= 0) {
      const to = first === 0x6b || bytes[at + 1] === 0x3d ? lineEnd(bytes, from) : headerEnd(bytes, from)
      if (output === bytes) output = Buffer.from(bytes)
      blank(output, from, to)
      at = to
    }
    const newline = bytes.indexOf(LF, at)
    at = newline < 0 ? size : newline + 1
  }
  if (hidesText(message) && message.bodyOffset < size) {
    if (output === bytes) output = Buffer.from(bytes)
    blank(output, message.bodyOffset, size)
  }
  return output
}

function hidesText(message: SipMessage): boolean {
  const { method, cseqMethod, statusCode } = message
  if (isMessage(method) || isMessage(cseqMethod)) return true
  return method === '' && statusCode === 0 && !message.hasSdp
}

/** In any case of letters: whoever misspells the method still sends text. */
function isMessage(method: string): boolean {
  return method === 'MESSAGE' || (method.length === 7 && method.toUpperCase() === 'MESSAGE')
}

/** Where the secret of the line that begins at `at` begins; -1 for an ordinary line. */
function secretAt(bytes: Buffer, at: number): number {
  switch (bytes[at]! | 0x20) {
    case 0x70:
      return headerValueAt(bytes, at, PROXY_AUTHORIZATION)
    case 0x6b:
      return begins(bytes, at, KEY) ? at + KEY.length : -1
    default:
      if (bytes[at + 1] !== 0x3d) return headerValueAt(bytes, at, AUTHORIZATION)
      if (begins(bytes, at, KEY_MANAGEMENT)) return at + KEY_MANAGEMENT.length
      if (begins(bytes, at, ICE_PASSWORD)) return at + ICE_PASSWORD.length
      return begins(bytes, at, CRYPTO) ? cryptoKeyAt(bytes, at + CRYPTO.length) : -1
  }
}

function headerValueAt(bytes: Buffer, at: number, name: Buffer): number {
  if (!begins(bytes, at, name)) return -1
  let colon = at + name.length
  while (bytes[colon] === SP || bytes[colon] === HT) colon++
  return bytes[colon] === 0x3a ? colon + 1 : -1
}

/** `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4`: behind `inline:`, or the whole value without one. */
function cryptoKeyAt(bytes: Buffer, from: number): number {
  const end = lineEnd(bytes, from)
  for (let at = from; at + INLINE.length <= end; at++)
    if (begins(bytes, at, INLINE)) return at + INLINE.length
  return from
}

function begins(bytes: Buffer, at: number, word: Buffer): boolean {
  for (let index = 0; index < word.length; index++) {
    const byte = bytes[at + index]
    const expected = word[index]!
    if (byte !== expected && (byte === undefined || byte < 0x41 || byte > 0x5a || byte + 0x20 !== expected))
      return false
  }
  return true
}

function lineEnd(bytes: Buffer, from: number): number {
  let end = from
  while (end < bytes.length && bytes[end] !== LF) end++
  return end
}

/** The end of a header value: the last of its lines. */
function headerEnd(bytes: Buffer, from: number): number {
  let end = lineEnd(bytes, from)
  for (;;) {
    let next = end
    while (bytes[next] === CR) next++
    if (bytes[next] === LF) next++
    if (next === end || (bytes[next] !== SP && bytes[next] !== HT)) return end
    end = lineEnd(bytes, next)
  }
}

/** Line ends stay, and so does the white space at the beginning of a line: it says that the line is folded. */
function blank(bytes: Buffer, from: number, to: number): void {
  let atLineStart = true
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    const isEnd = byte === LF || byte === CR
    if (isEnd || (atLineStart && (byte === SP || byte === HT))) {
      if (isEnd) atLineStart = true
      continue
    }
    atLineStart = false
    bytes[at] = STAR
  }
}
