/**
 * Numbers, durations and strings as PromQL writes them.
 *
 * Takes    the literal's own text, and its place for the error.
 * Throws   PromError: `bad_data` where Prometheus would, `execution` for what only Prometheus 3 reads (a bare number as a
 *          duration, a duration as a number).
 * Source   prometheus/promql/parser: parse.go (parseNumber, parseDuration), util/strutil/quote.go
 */
import { badData, unsupported } from './refusals.js'

/** The grammar leaves some signs with their number. "010" is octal, as Go's ParseInt with base 0 has it. */
export function numberOf(text: string, at: number): number {
  if (text.startsWith('-') || text.startsWith('+')) {
    const unsigned = numberOf(text.slice(1).trimStart(), at)
    return text.startsWith('-') ? -unsigned : unsigned
  }
  const plain = text.replaceAll('_', '').toLowerCase()
  if (plain === 'inf') return Number.POSITIVE_INFINITY
  if (plain === 'nan') return Number.NaN
  if (/^0[0-7]+$/.test(plain)) return Number.parseInt(plain, 8)
  const value = Number(plain)
  if (Number.isNaN(value)) throw unsupported('duration as a number', text, at)
  if (!Number.isFinite(value)) throw badData(`number out of range: ${text}`, at)
  return value
}

const UNITS_MS = {
  y: 31_536_000_000,
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
}

/** What Go's time.Duration holds: about 292 years. */
const DURATION_MS_MAX = 2 ** 63 / 1e6

/** Seconds, 0 included; whole ones, because minutes are the finest that is stored. */
export function durationSOf(text: string, at: number): number {
  if (/^(?:inf|nan)$/i.test(text)) throw badData(`not a duration: ${text}`, at)
  if (/^0x/i.test(text) || !/[ywdhms]$/.test(text)) throw unsupported('duration without a unit', text, at)
  let durationMs = 0
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[ywdhms])/g)) {
    durationMs += Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS]
  }
  if (durationMs > DURATION_MS_MAX) throw badData(`duration out of range: ${text}`, at)
  if (durationMs % 1_000 !== 0) throw unsupported('duration with a fraction of a second', text, at)
  return durationMs / 1_000
}

const ESCAPED: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}
const CODE_POINT_MAX = 0x10ffff

/** Quoted by ' or " with Go's escapes, or by ` without any. */
export function stringOf(text: string, at: number): string {
  const quote = text[0]!
  // The grammar lets the closing quote be missing.
  if (text.length < 2 || !text.endsWith(quote)) throw badData('unterminated quoted string', at)
  const inner = text.slice(1, -1)
  if (quote === '`') return inner

  const bytes: Buffer[] = []
  let position = 0
  while (position < inner.length) {
    const end = inner.indexOf('\\', position)
    bytes.push(Buffer.from(inner.slice(position, end === -1 ? undefined : end)))
    if (end === -1) break
    const [read, decoded] = escapeAt(inner, end + 1, quote, at)
    bytes.push(decoded)
    position = end + 1 + read
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(bytes))
  } catch {
    throw badData('string is not UTF-8', at)
  }
}

/** How many characters the escape has behind its backslash, and what it stands for. */
function escapeAt(inner: string, from: number, quote: string, at: number): [read: number, decoded: Buffer] {
  const rest = inner.slice(from, from + 9)
  const plain = rest[0] === quote ? quote : ESCAPED[rest[0] ?? '']
  if (plain !== undefined) return [1, Buffer.from(plain)]

  const [byte] = /^(?:x[0-9a-f]{2}|[0-3][0-7]{2})/i.exec(rest) ?? []
  if (byte !== undefined) {
    const value = byte[0] === 'x' ? Number.parseInt(byte.slice(1), 16) : Number.parseInt(byte, 8)
    return [byte.length, Buffer.from([value])]
  }
  const [rune] = /^(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/.exec(rest) ?? []
  const codePoint = Number.parseInt(rune?.slice(1) ?? '', 16)
  const isSurrogate = codePoint >= 0xd800 && codePoint < 0xe000
  if (rune === undefined || codePoint > CODE_POINT_MAX || isSurrogate) {
    throw badData(`unknown escape sequence "\\${rest.slice(0, 1)}"`, at)
  }
  return [rune.length, Buffer.from(String.fromCodePoint(codePoint))]
}
