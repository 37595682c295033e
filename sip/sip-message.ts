/**
 * Reads the fields of one SIP message that Trunkscope needs, from whatever an agent mirrored.
 *
 *   SIP-message  => start-line *( header CRLF ) CRLF [ body ]
 *   start-line   => Method SP Request-URI SP "SIP/2.0"  |  "SIP/2.0" SP 3DIGIT SP Reason-Phrase
 *   header       => name *WSP ":" value, folded over lines that begin with white space
 *
 * Takes    the bytes of one message (`sipPayloadOf` of hep3.ts).
 * Returns  a SipMessage, always: what is legible is filled in, and `parseError` names the first thing that keeps
 *          the fold from using it. Texts are slices of one string that holds the whole message: whoever keeps one
 *          for long copies it with `detached`.
 * Throws   nothing.
 * Source   RFC 3261 §7, §20 and §25.1; the compact forms of the IANA registry; metrics.md §13.6; faults.md §2.4.
 *
 * An observer is lenient where an element that must answer may not be: CR LF, LF alone and mixtures end a line;
 * white space may stand before the message, around the parts of the start line and before a colon; lines without
 * a colon are skipped. It is strict where the fold would count something else than what was sent: version, status
 * code, CSeq, and the headers that may stand once. Of several Content-Length, Contact or Content-Type the first counts.
 *
 * Time is linear: every line is found once and looked at once, no regular expression runs over the wire's text,
 * and beyond HEADER_LINES_MAX lines or LINE_MAX_CHARS in a line the reader does not look.
 */
import { isUtf8 } from 'node:buffer'
import type { SipReason } from '../schemas/reasons.js'
import type { SipMessage } from '../schemas/sip-message.js'
import { emptyMessage, holdsSdp, missingPart } from './sip-fields.js'
import { candidateAt, FIELD, readListHeader } from './sip-headers.js'
import { hostName } from './uri.js'

export const HEADER_LINES_MAX = 256
/** A header with its folded lines, or the start line. */
export const LINE_MAX_CHARS = 16_384

/** RFC 3261 §8.1.1.5: the sequence number is less than 2^31. */
const CSEQ_MAX = 2 ** 31 - 1
const METHOD_MAX_CHARS = 128

const LF = 0x0a
const CR = 0x0d
const SP = 0x20
const HT = 0x09
const COLON = 0x3a
const COMMA = 0x2c
const SEMICOLON = 0x3b
const EQUALS = 0x3d
const SLASH = 0x2f
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_ANGLE = 0x3c
const OPEN_SQUARE = 0x5b

/** Classes of bytes, a bit each: one look-up where a comparison with every member would be many. */
const FOLD = 1 // White space inside a line.
const BLANK = 2 // What may stand around a value.
const ENDS_PARAMETER = 4 // Behind a parameter's value, or the host of a Via.
const TOKEN = 16 // RFC 3261 §25.1.
const CLASS = new Uint8Array(256)
for (const code of [SP, HT]) CLASS[code] |= FOLD
for (const code of [SP, HT, CR, LF, 0]) CLASS[code] |= BLANK
for (const code of [SEMICOLON, COMMA, SP, HT, CR, LF]) CLASS[code] |= ENDS_PARAMETER
for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~") {
  CLASS[letter.charCodeAt(0)] |= TOKEN
}

/** What `matches` compares with, in lower case. */
const WORD = {
  sip: Buffer.from('sip/'),
  version2: Buffer.from('sip/2.0'),
  sdp: Buffer.from('application/sdp'),
  branch: Buffer.from('branch'),
  received: Buffer.from('received'),
  tag: Buffer.from('tag'),
}

export function readSip(bytes: Buffer): SipMessage {
  const text = bytes.toString('latin1')
  const size = text.length
  const message = emptyMessage()
  let at = 0
  while (at < size && (CLASS[bytes[at]!]! & BLANK) !== 0) at++
  let newline = text.indexOf('\n', at)
  readStartLine(bytes, text, at, newline < 0 ? size : newline, message)
  at = newline < 0 ? size : newline + 1

  let lines = 0
  const headersAt = at
  let complete = false // The empty line was found.
  while (at < size) {
    newline = text.indexOf('\n', at)
    let end = newline < 0 ? size : newline
    const first = bytes[at]!
    if (first === LF || (first === CR && end - at === 1)) {
      at = newline < 0 ? size : newline + 1
      complete = true
      break
    }
    if (++lines > HEADER_LINES_MAX) {
      note(message, 'too_many_headers')
      const body = bodyAfter(text, at)
      complete = body >= 0
      at = complete ? body : size
      break
    }
    let folded = false
    while (
      newline >= 0 &&
      newline + 1 < size &&
      (CLASS[bytes[newline + 1]!]! & FOLD) !== 0 &&
      lines <= HEADER_LINES_MAX
    ) {
      folded = true
      lines++
      newline = text.indexOf('\n', newline + 1)
      end = newline < 0 ? size : newline
    }
    if (end - at > LINE_MAX_CHARS) {
      note(message, 'line_too_long')
    } else if (folded) {
      const line = unfolded(text, at, end)
      readHeader(Buffer.from(line, 'latin1'), line, 0, line.length, message)
    } else {
      readHeader(bytes, text, at, end, message)
    }
    at = newline < 0 ? size : newline + 1
  }

  const anyHeader = message.callId !== '' || hasColon(text, headersAt, at)
  const available = size - at
  const announced = message.contentLength
  message.bodyOffset = at
  message.bodyLength = announced >= 0 && announced < available ? announced : available
  // Without its empty line a message is cut, unless it says that nothing would follow.
  message.truncated = announced > available || (!complete && anyHeader && announced !== 0)
  message.hasSdp = message.bodyLength > 0 && (message.hasSdp || holdsSdp(text, message))
  if (message.parseError === '') message.parseError = missingPart(message, anyHeader)
  return message
}

function hasColon(text: string, from: number, to: number): boolean {
  const colon = text.indexOf(':', from)
  return colon >= 0 && colon < to
}

/** The first reason stays: it is the outermost one. */
function note(message: SipMessage, reason: SipReason): void {
  if (message.parseError === '') message.parseError = reason
}

function readStartLine(
  bytes: Buffer,
  text: string,
  start: number,
  lineEnd: number,
  message: SipMessage,
): void {
  if (lineEnd - start > LINE_MAX_CHARS) {
    note(message, 'line_too_long')
    return
  }
  let end = lineEnd
  while (end > start && (CLASS[bytes[end - 1]!]! & BLANK) !== 0) end--
  const firstEnd = wordEnd(bytes, start, end)
  if (isVersionLike(bytes, start, firstEnd)) {
    if (!isVersion2(bytes, start, firstEnd)) note(message, 'bad_version')
    const codeAt = skipFold(bytes, firstEnd, end)
    const codeEnd = wordEnd(bytes, codeAt, end)
    const code = codeEnd - codeAt === 3 ? digits(bytes, codeAt, codeEnd, 699) : -1
    if (code < 100) note(message, 'bad_status_code')
    else message.statusCode = code
    message.reasonPhrase = text.slice(skipFold(bytes, codeEnd, end), end)
    return
  }
  // The Request-URI is what stands between the first and the last word, even with white space in it.
  let versionAt = end
  while (versionAt > firstEnd && (CLASS[bytes[versionAt - 1]!]! & FOLD) === 0) versionAt--
  const uriAt = skipFold(bytes, firstEnd, end)
  let uriEnd = versionAt
  while (uriEnd > uriAt && (CLASS[bytes[uriEnd - 1]!]! & FOLD) !== 0) uriEnd--
  if (!isMethod(bytes, start, firstEnd) || uriEnd <= uriAt || !isVersionLike(bytes, versionAt, end)) {
    note(message, 'not_a_start_line')
    return
  }
  if (!isVersion2(bytes, versionAt, end)) note(message, 'bad_version')
  message.method = text.slice(start, firstEnd)
  message.requestUri = text.slice(uriAt, uriEnd)
}

/** RFC 3261 §25.1: Method = token. */
function isMethod(bytes: Buffer, start: number, end: number): boolean {
  if (end <= start || end - start > METHOD_MAX_CHARS) return false
  for (let at = start; at < end; at++) if ((CLASS[bytes[at]!]! & TOKEN) === 0) return false
  return true
}

/** "SIP/…"; the version is case-insensitive (RFC 3261 §7.1). */
function isVersionLike(bytes: Buffer, start: number, end: number): boolean {
  return end - start >= 4 && matches(bytes, start, WORD.sip)
}

function isVersion2(bytes: Buffer, start: number, end: number): boolean {
  return end - start === 7 && matches(bytes, start, WORD.version2)
}

/** Takes over the header on a line, if it is one we read. */
function readHeader(bytes: Buffer, text: string, start: number, end: number, message: SipMessage): void {
  let at = start
  while (at < end && (CLASS[bytes[at]!]! & FOLD) !== 0) at++ // The first header, indented: nothing to be folded into.
  const name = candidateAt(bytes, at)
  if (name === undefined || !matches(bytes, at + 1, name.rest)) return
  let colon = at + name.size
  if (bytes[colon] !== COLON) colon = skipFold(bytes, colon, end)
  if (colon >= end || bytes[colon] !== COLON) return
  let from = colon + 1
  if (bytes[from] === SP) from++ // As good as always there is one space, and then the value.
  if ((CLASS[bytes[from]!]! & FOLD) !== 0) from = skipFold(bytes, from, end)
  if (from > end) from = end
  let to = end
  while (to > from && (CLASS[bytes[to - 1]!]! & BLANK) !== 0) to--
  const field = name.field
  switch (field) {
    case FIELD.via:
      if (message.viaHost === '' && message.branch === '') readTopVia(bytes, text, from, to, message)
      break
    case FIELD.from:
      if (message.from === '') {
        message.from = text.slice(from, to)
        message.fromTag = tagOf(bytes, text, from, to)
      } else if (message.from !== text.slice(from, to)) note(message, 'repeated_header')
      break
    case FIELD.to:
      if (message.to === '') {
        message.to = text.slice(from, to)
        message.toTag = tagOf(bytes, text, from, to)
      } else if (message.to !== text.slice(from, to)) note(message, 'repeated_header')
      break
    case FIELD.callId:
      if (message.callId === '') message.callId = text.slice(from, to)
      else if (message.callId !== text.slice(from, to)) note(message, 'repeated_header')
      break
    case FIELD.cseq:
      readCseq(bytes, text, from, to, message)
      break
    case FIELD.contact:
      if (message.contact === '') message.contact = text.slice(from, to)
      break
    case FIELD.contentType:
      if (message.contentType === '') {
        message.contentType = text.slice(from, to)
        message.hasSdp = to - from === WORD.sdp.length && matches(bytes, from, WORD.sdp) // What it nearly always is.
      }
      break
    case FIELD.contentLength:
      if (message.contentLength < 0) message.contentLength = digits(bytes, from, to, CSEQ_MAX, true)
      break
    default:
      if (to > from) readListHeader(field, text.slice(from, to), message)
  }
}

/** `CSeq: 4711 INVITE`; of two that differ the first counts. */
function readCseq(bytes: Buffer, text: string, from: number, to: number, message: SipMessage): void {
  const numberEnd = wordEnd(bytes, from, to)
  const cseqNumber = digits(bytes, from, numberEnd, CSEQ_MAX)
  const cseqMethod = text.slice(skipFold(bytes, numberEnd, to), to)
  if (message.cseqMethod === '' && message.cseqNumber < 0) {
    message.cseqNumber = cseqNumber
    message.cseqMethod = cseqMethod
  } else if (message.cseqNumber !== cseqNumber || message.cseqMethod !== cseqMethod) {
    note(message, 'repeated_header')
  }
}

/** The tag parameter of From or To: behind the '>' of a name-addr, or behind the first ';' without one. */
function tagOf(bytes: Buffer, text: string, from: number, to: number): string {
  let at = from
  if (bytes[at] === QUOTE) {
    const close = quotedEnd(bytes, at, to)
    if (close < to) at = close // An unbalanced quote is an ordinary character.
  }
  let open = at
  while (open < to) {
    const code = bytes[open]
    if (code === OPEN_ANGLE || code === SEMICOLON) break
    open++
  }
  if (open < to && bytes[open] === OPEN_ANGLE) {
    const close = text.indexOf('>', open)
    if (close < 0 || close >= to) return ''
    open = close + 1
  }
  while (open < to) {
    while (open < to && bytes[open] !== SEMICOLON) {
      if (bytes[open] === QUOTE) open = quotedEnd(bytes, open, to)
      else open++
    }
    if (open >= to) return ''
    const nameAt = skipFold(bytes, open + 1, to)
    if (to - nameAt >= 4 && matches(bytes, nameAt, WORD.tag)) {
      const equals = skipFold(bytes, nameAt + 3, to)
      if (bytes[equals] === EQUALS && equals < to) {
        const valueAt = skipFold(bytes, equals + 1, to)
        return text.slice(valueAt, parameterEnd(bytes, valueAt, to))
      }
    }
    open++
  }
  return ''
}

/** `SIP/2.0/UDP host:port;branch=…;received=…` of the first value; white space may stand almost anywhere. */
function readTopVia(bytes: Buffer, text: string, from: number, to: number, message: SipMessage): void {
  let at = from + 8
  if (bytes[from + 3] !== SLASH || bytes[from + 7] !== SLASH) {
    at = from // Not "SIP/2.0/" but something with white space around its slashes, or another version.
    for (let slashes = 0; at < to && slashes < 2; at++) if (bytes[at] === SLASH) slashes++
  }
  at = skipFold(bytes, at, to)
  at = wordEnd(bytes, at, to) // The transport.
  at = skipFold(bytes, at, to)

  const hostAt = at
  if (bytes[at] === OPEN_SQUARE) {
    const close = text.indexOf(']', at)
    if (close >= 0 && close < to) at = close
  }
  let letters = 0 // Digits and dots have no bit 6: such a host needs no second look.
  while (at < to && bytes[at] !== COLON && (CLASS[bytes[at]!]! & ENDS_PARAMETER) === 0)
    letters |= bytes[at++]! & 0x40
  const host = text.slice(hostAt, at)
  message.viaHost = (letters & 0x40) === 0 ? host : hostName(host)
  at = skipFold(bytes, at, to)
  if (at < to && bytes[at] === COLON) {
    const portAt = skipFold(bytes, at + 1, to)
    at = parameterEnd(bytes, portAt, to)
    message.viaPort = Math.max(0, digits(bytes, portAt, at, 65_535))
  }

  while (at < to) {
    const code = bytes[at]
    if (code === COMMA) return // The next Via.
    if (code === QUOTE) {
      at = quotedEnd(bytes, at, to)
      continue
    }
    at++
    if (code === SEMICOLON) at = readViaParameter(bytes, text, at, to, message)
  }
}

/** Takes over `branch` or `received`; returns where to go on. */
function readViaParameter(
  bytes: Buffer,
  text: string,
  from: number,
  to: number,
  message: SipMessage,
): number {
  if (
    message.branch === '' &&
    to - from > 7 &&
    bytes[from + 6] === EQUALS &&
    matches(bytes, from, WORD.branch)
  ) {
    const end = parameterEnd(bytes, from + 7, to)
    message.branch = text.slice(from + 7, end)
    return end
  }
  const nameAt = skipFold(bytes, from, to)
  let nameEnd = nameAt
  while (nameEnd < to && bytes[nameEnd] !== EQUALS && (CLASS[bytes[nameEnd]!]! & ENDS_PARAMETER) === 0)
    nameEnd++
  const equals = skipFold(bytes, nameEnd, to)
  if (equals >= to || bytes[equals] !== EQUALS) return nameEnd
  const valueAt = skipFold(bytes, equals + 1, to)
  if (bytes[valueAt] === QUOTE) return valueAt
  const valueEnd = parameterEnd(bytes, valueAt, to)
  if (nameEnd - nameAt === 6 && matches(bytes, nameAt, WORD.branch)) {
    if (message.branch === '') message.branch = text.slice(valueAt, valueEnd)
  } else if (nameEnd - nameAt === 8 && matches(bytes, nameAt, WORD.received)) {
    message.viaReceived = hostName(text.slice(valueAt, valueEnd))
  }
  return valueEnd
}

function parameterEnd(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && (CLASS[bytes[at]!]! & ENDS_PARAMETER) === 0) at++
  return at
}

/** Whether the bytes at an offset are a word of letters, '-', '/' and digits, whatever the case of the letters. */
function matches(bytes: Buffer, at: number, word: Uint8Array): boolean {
  // Setting the bit of lower case also turns some control characters into '-', '/' or a digit: nobody sends those.
  for (let index = 0; index < word.length; index++)
    if ((bytes[at + index]! | 0x20) !== word[index]) return false
  return true
}

/** Offset behind the closing quote of the string that opens at `from`; `to` when it never closes. */
function quotedEnd(bytes: Buffer, from: number, to: number): number {
  for (let at = from + 1; at < to; at++) {
    const byte = bytes[at]
    if (byte === BACKSLASH) at++
    else if (byte === QUOTE) return at + 1
  }
  return to
}

/**
 * The number that fills the range, -1 when it is none or is above `max`; with `clamp` a number above it is `max`.
 */
function digits(bytes: Buffer, from: number, to: number, max: number, clamp = false): number {
  if (to <= from) return -1
  let value = 0
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - 0x30
    if (digit < 0 || digit > 9) return -1
    value = 10 * value + digit
    if (value > max) {
      if (!clamp) return -1
      value = max
    }
  }
  return value
}

/** Joins the lines of a folded header with one space each (RFC 3261 §7.3.1). */
function unfolded(text: string, start: number, end: number): string {
  let line = ''
  let at = start
  while (at < end) {
    const newline = text.indexOf('\n', at)
    const next = newline < 0 || newline > end ? end : newline
    const piece = text.slice(at, next).trim()
    if (piece !== '') line = line === '' ? piece : `${line} ${piece}`
    at = next + 1
  }
  return line
}

/** Offset behind the empty line at or after `from`, -1 when there is none. */
function bodyAfter(text: string, from: number): number {
  const crlf = text.indexOf('\n\r\n', from)
  const lf = text.indexOf('\n\n', from)
  if (crlf < 0 && lf < 0) return -1
  return lf < 0 || (crlf >= 0 && crlf < lf) ? crlf + 3 : lf + 2
}

function wordEnd(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && (CLASS[bytes[at]!]! & FOLD) === 0) at++
  return at
}

function skipFold(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && (CLASS[bytes[at]!]! & FOLD) !== 0) at++
  return at
}

/** A copy of a field that does not keep the whole message in memory. */
export function detached(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/**
 * A field for a person to read: UTF-8 where the bytes are UTF-8, else latin1; text that was decoded already as it is. Control characters, and those that
 * turn the direction of a line, become U+FFFD; a tab becomes a space.
 */
export function readableText(latin1: string): string {
  let plain = true
  for (let at = 0; at < latin1.length && plain; at++) {
    const code = latin1.charCodeAt(at)
    plain = code >= 0x20 && code < 0x7f
  }
  if (plain) return latin1
  const bytes = Buffer.from(latin1, 'latin1')
  // What was decoded before has characters that are no bytes.
  const isBytes = !/[^\u0000-\u00ff]/.test(latin1)
  const text = isBytes && isUtf8(bytes) ? bytes.toString('utf8') : latin1
  return text.replace(/\t/g, ' ').replace(UNREADABLE, '\ufffd')
}

/** C0, DEL, C1, line separators, and the marks and overrides of writing direction. */
const UNREADABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
