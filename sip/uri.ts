/**
 * Addresses in SIP: name-addr, SIP and tel URIs, and what carriers put into their parameters.
 *
 *   name-addr  => [ display-name ] "<" URI ">" *( ";" parameter )     | addr-spec *( ";" parameter )
 *   sip URI    => "sip" [ "s" ] ":" [ user *( ";" parameter ) [ ":" password ] "@" ] host [ ":" port ]
 *                 *( ";" parameter ) [ "?" headers ]
 *   tel URI    => "tel:" number *( ";" parameter )
 *
 * Takes    a header value or URI as it stood on the wire (latin1, one char per byte).
 * Returns  its parts; what is missing is '' or 0. Parameter names are in lower case, the first of two equal ones
 *          counts, and a parameter without a value is ''. Parameters of a tel URI and of the user part of a SIP
 *          URI are the same thing (RFC 4694 §5, RFC 4904 §5) and stand in `userParameters` for both.
 *          The password, the URI's headers and everything behind them are left out.
 * Throws   nothing. Every function reads its text once, in linear time.
 * Source   RFC 3261 §19.1, §20.10 and §25.1; RFC 3966; RFC 4694 §4; RFC 4904 §5; metrics.md §10.
 */

export type Parameters = ReadonlyMap<string, string>

export interface NameAddr {
  /** Without quotes and escapes; '' when there is none. */
  displayName: string
  uri: string
  /** Parameters of the header, behind the URI. */
  parameters: Parameters
}

export interface Uri {
  /** In lower case: 'sip', 'sips', 'tel', …; '' when the text has no scheme. */
  scheme: string
  /** The user, or the number of a tel URI: %-escapes decoded, parameters and password cut off. */
  user: string
  /** In lower case, an IPv6 reference without its brackets. */
  host: string
  /** 0 when absent or not a port. */
  port: number
  userParameters: Parameters
  parameters: Parameters
}

const NO_PARAMETERS: Parameters = new Map()

export function readNameAddr(value: string): NameAddr {
  let at = skipBlank(value, 0)
  let displayName = ''
  if (value.charCodeAt(at) === 0x22) {
    const close = quotedEnd(value, at)
    if (close < value.length || value.charCodeAt(close - 1) === 0x22) {
      displayName = unquote(value.slice(at, close))
      at = skipBlank(value, close)
    }
  }
  const open = openingBracket(value, at)
  if (open < 0) {
    // RFC 3261 §20: without angle brackets the parameters belong to the header, not to the URI.
    const semicolon = value.indexOf(';', at)
    const end = semicolon < 0 ? value.length : semicolon
    return { displayName, uri: value.slice(at, end).trim(), parameters: readParameters(value, end) }
  }
  if (displayName === '') displayName = value.slice(at, open).trim()
  const close = value.indexOf('>', open)
  if (close < 0) return { displayName, uri: value.slice(open + 1).trim(), parameters: NO_PARAMETERS }
  return {
    displayName,
    uri: value.slice(open + 1, close).trim(),
    parameters: readParameters(value, close + 1),
  }
}

/** The '<' of a name-addr, or -1; a ';' before it says that there is none. */
function openingBracket(value: string, from: number): number {
  const open = value.indexOf('<', from)
  if (open < 0) return -1
  const colon = value.indexOf(':', from)
  const semicolon = value.indexOf(';', from)
  // "sip:a@b;x=<y>" has no name-addr; a display name may hold a ';' only by mistake, but never a scheme before it.
  return semicolon >= 0 && semicolon < open && colon >= 0 && colon < semicolon ? -1 : open
}

export function readUri(uri: string): Uri {
  const text = stripBrackets(uri.trim())
  const colon = schemeEnd(text)
  const scheme = colon < 0 ? '' : text.slice(0, colon).toLowerCase()
  const rest = colon < 0 ? text : text.slice(colon + 1)
  if (scheme === 'tel') {
    const semicolon = rest.indexOf(';')
    const user = percentDecoded(semicolon < 0 ? rest : rest.slice(0, semicolon))
    return {
      scheme,
      user,
      host: '',
      port: 0,
      userParameters: semicolon < 0 ? NO_PARAMETERS : readUriParameters(rest, semicolon),
      parameters: NO_PARAMETERS,
    }
  }
  if (scheme !== 'sip' && scheme !== 'sips' && scheme !== '') {
    return { scheme, user: rest, host: '', port: 0, userParameters: NO_PARAMETERS, parameters: NO_PARAMETERS }
  }

  const at = userEnd(rest)
  let user = ''
  let userParameters = NO_PARAMETERS
  if (at >= 0) {
    const userInfo = rest.slice(0, at)
    const semicolon = userInfo.indexOf(';')
    const passwordAt = userInfo.indexOf(':')
    let end = semicolon < 0 ? userInfo.length : semicolon
    if (passwordAt >= 0 && passwordAt < end) end = passwordAt
    user = percentDecoded(userInfo.slice(0, end))
    if (semicolon >= 0) {
      const password = userInfo.indexOf(':', semicolon)
      userParameters = readUriParameters(password < 0 ? userInfo : userInfo.slice(0, password), semicolon)
    }
  }

  const hostAt = at + 1
  let hostEnd = hostAt
  if (rest.charCodeAt(hostAt) === 0x5b) {
    const close = rest.indexOf(']', hostAt)
    hostEnd = close < 0 ? rest.length : close + 1
  }
  while (hostEnd < rest.length) {
    const code = rest.charCodeAt(hostEnd)
    if (code === 0x3a || code === 0x3b || code === 0x3f) break
    hostEnd++
  }
  let port = 0
  let next = hostEnd
  if (rest.charCodeAt(hostEnd) === 0x3a) {
    next++
    while (next < rest.length && rest.charCodeAt(next) !== 0x3b && rest.charCodeAt(next) !== 0x3f) next++
    port = portNumber(rest.slice(hostEnd + 1, next))
  }
  const question = rest.indexOf('?', next)
  return {
    scheme,
    user,
    host: hostName(rest.slice(hostAt, hostEnd)),
    port,
    userParameters,
    parameters:
      rest.charCodeAt(next) === 0x3b
        ? readUriParameters(question < 0 ? rest : rest.slice(0, question), next)
        : NO_PARAMETERS,
  }
}

/** The trunk group of a URI, or undefined: both of its parameters or none of them count (RFC 4904 §5). */
export function trunkGroupOf(uri: Uri): { group: string; context: string } | undefined {
  const group = uri.userParameters.get('tgrp') ?? ''
  const context = uri.userParameters.get('trunk-context') ?? ''
  return group === '' || context === '' ? undefined : { group, context }
}

/** What two trunk groups are the same by: parameters of numbers compare without case and separators (RFC 3966 §4). */
export function trunkGroupKey({ group, context }: { group: string; context: string }): string {
  const place = context.startsWith('+') ? context.replace(/[-.()]/g, '') : context.toLowerCase()
  return `${group.toLowerCase()} ${place}`
}

/**
 * Number portability (RFC 4694 §4): whether the number was looked up, the routing number and the carrier code.
 * Visual separators are dropped; hex digits are upper case; a local value keeps its context beside it.
 */
export function portabilityOf(uri: Uri): {
  npdi: boolean
  rn: string
  rnContext: string
  cic: string
  cicContext: string
} {
  const parameters = uri.userParameters
  return {
    npdi: parameters.has('npdi'),
    rn: phoneDigits(parameters.get('rn') ?? ''),
    rnContext: parameters.get('rn-context') ?? '',
    cic: phoneDigits(parameters.get('cic') ?? ''),
    cicContext: parameters.get('cic-context') ?? '',
  }
}

function phoneDigits(text: string): string {
  return text.replace(/[-.() ]/g, '').toUpperCase()
}

/** Reads `;name=value;flag` of a header from `start` to the end of the text; values may stand in quotes or <>. */
export function readParameters(text: string, start: number): Parameters {
  return parametersFrom(text, start, false)
}

/** The same of a URI, where %-escapes have a meaning. */
function readUriParameters(text: string, start: number): Parameters {
  return parametersFrom(text, start, true)
}

function parametersFrom(text: string, start: number, escaped: boolean): Parameters {
  let parameters: Map<string, string> | undefined
  let lastClose = -2 // Offset of the last '>', looked up once, so that many '<' without one stay linear.
  let at = text.indexOf(';', start)
  while (at >= 0 && at < text.length) {
    const nameAt = skipBlank(text, at + 1)
    let end = nameAt
    while (end < text.length) {
      const code = text.charCodeAt(end)
      if (code === 0x3d || code === 0x3b) break
      end++
    }
    const name = text.slice(nameAt, end).trim().toLowerCase()
    let value = ''
    if (text.charCodeAt(end) === 0x3d) {
      const valueAt = skipBlank(text, end + 1)
      if (lastClose === -2 && text.charCodeAt(valueAt) === 0x3c) lastClose = text.lastIndexOf('>')
      end = valueEnd(text, valueAt, lastClose)
      value = unquote(text.slice(valueAt, end).trim())
    }
    if (name !== '') {
      if (parameters === undefined) parameters = new Map()
      const key = escaped ? percentDecoded(name) : name
      if (!parameters.has(key)) parameters.set(key, escaped ? percentDecoded(value) : value)
    }
    at = end
  }
  return parameters ?? NO_PARAMETERS
}

/** The ';' behind a parameter's value, quotes and angle brackets respected. */
function valueEnd(text: string, from: number, lastClose: number): number {
  const first = text.charCodeAt(from)
  let at = from
  if (first === 0x22) {
    const close = quotedEnd(text, from)
    // A quote that is never closed is an ordinary character.
    if (text.charCodeAt(close - 1) === 0x22 && close - 1 > from) at = close
  } else if (first === 0x3c && lastClose > from) {
    at = text.indexOf('>', from)
  }
  const semicolon = text.indexOf(';', at)
  return semicolon < 0 ? text.length : semicolon
}

/** Splits a comma list outside quotes and angle brackets, and adds its trimmed, non-empty values to `into`. */
export function splitValues(text: string, into: string[]): void {
  if (text.indexOf(',') < 0) {
    if (text !== '') into.push(text)
    return
  }
  let from = 0
  let at = 0
  while (at <= text.length) {
    const code = at === text.length ? 0x2c : text.charCodeAt(at)
    if (code === 0x22) {
      at = quotedEnd(text, at)
      continue
    }
    if (code === 0x3c) {
      const close = text.indexOf('>', at)
      at = close < 0 ? text.length : close
      continue
    }
    if (code === 0x2c) {
      const value = text.slice(from, at).trim()
      if (value !== '') into.push(value)
      from = at + 1
    }
    at++
  }
}

/** Offset behind the closing quote of the string that opens at `from`; the end of the text when it never closes. */
export function quotedEnd(text: string, from: number): number {
  let at = from + 1
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === 0x5c) at++
    else if (code === 0x22) return at + 1
    at++
  }
  return text.length
}

/** Takes the quotes and backslashes off a quoted string; any other text stays as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text.charCodeAt(0) !== 0x22 || text.charCodeAt(text.length - 1) !== 0x22) return text
  if (text.indexOf('\\') < 0) return text.slice(1, -1)
  let plain = ''
  for (let at = 1; at < text.length - 1; at++) {
    if (text.charCodeAt(at) === 0x5c && at < text.length - 2) at++
    plain += text[at]
  }
  return plain
}

/** %XX to the byte it stands for; anything else stays. */
export function percentDecoded(text: string): string {
  let percent = text.indexOf('%')
  if (percent < 0) return text
  let decoded = ''
  let from = 0
  while (percent >= 0) {
    const high = hexDigit(text.charCodeAt(percent + 1))
    const low = hexDigit(text.charCodeAt(percent + 2))
    if (high >= 0 && low >= 0) {
      decoded += text.slice(from, percent) + String.fromCharCode(16 * high + low)
      from = percent + 3
      percent = text.indexOf('%', from)
    } else {
      percent = text.indexOf('%', percent + 1)
    }
  }
  return decoded + text.slice(from)
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function stripBrackets(text: string): string {
  return text.startsWith('<') && text.endsWith('>') ? text.slice(1, -1).trim() : text
}

/** The ':' behind the scheme, or -1 when the text does not begin with one ("user@host:5060", "10.0.0.1:5060"). */
function schemeEnd(text: string): number {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x3a) return at === 0 || isPort(text, at + 1) ? -1 : at
    const lower = code | 0x20
    const isLetter = lower >= 0x61 && lower <= 0x7a
    const isLater = (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e
    if (!isLetter && !(isLater && at > 0)) return -1
  }
  return -1
}

/** "localhost:5060" has no scheme; "sip:5060" has one, and so has "tel:911". */
function isPort(text: string, from: number): boolean {
  const lower = text.slice(0, Math.min(from, 6)).toLowerCase()
  if (lower === 'sip:' || lower === 'sips:' || lower === 'tel:') return false
  let at = from
  while (at < text.length && text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39) at++
  return at > from && (at === text.length || text.charCodeAt(at) === 0x3b)
}

/** The '@' between user and host: the last one before the host's own parameters and headers; -1 when none. */
function userEnd(rest: string): number {
  let at = rest.indexOf('@')
  if (at < 0) return -1
  for (let next = at + 1; next < rest.length; next++) {
    const code = rest.charCodeAt(next)
    if (code === 0x3b || code === 0x3f) break
    if (code === 0x40) at = next // "sip:user@realm@host": somebody's address book put the realm into the user.
  }
  return at
}

export function hostName(text: string): string {
  const host = text.trim().toLowerCase()
  return host.startsWith('[') ? host.slice(1, host.endsWith(']') ? -1 : undefined) : host
}

/** 1..65535, or 0. */
export function portNumber(text: string): number {
  const digits = text.trim()
  if (digits.length === 0 || digits.length > 5) return 0
  let port = 0
  for (let at = 0; at < digits.length; at++) {
    const digit = digits.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return 0
    port = 10 * port + digit
  }
  return port <= 65_535 ? port : 0
}

function skipBlank(text: string, from: number): number {
  let at = from
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x09 && code !== 0x0d && code !== 0x0a) break
    at++
  }
  return at
}
