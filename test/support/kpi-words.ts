/**
 * Splits a line of a .kpi file into words, and reads the small values they hold.
 *
 *   word => characters without white space; a value may be quoted: key="text with spaces" or key='text'
 *           inside double quotes \" and \\ stand for themselves; # at the start of a word begins a comment
 *
 * Throws   KpiSyntaxError, with file, line and what to write instead.
 */
export interface Word {
  text: string
  /** Before the '=', '' for a word without one. */
  key: string
  /** After the '=', quotes taken off; the whole word where there is no key. */
  value: string
}

export class KpiSyntaxError extends Error {
  constructor(
    readonly place: string,
    sentence: string,
  ) {
    super(`${place}: ${sentence}`)
  }
}

const QUOTED = `"(?:[^"\\\\]|\\\\.)*"|'[^']*'`
const WORD = new RegExp(`\\s*(?:(#.*)|((?:[^\\s"'#]|${QUOTED})(?:[^\\s"']|${QUOTED})*))`, 'y')

export function wordsOf(line: string, place: string): Word[] {
  const words: Word[] = []
  let at = 0
  while (at < line.length && line.slice(at).trim() !== '') {
    WORD.lastIndex = at
    const match = WORD.exec(line)
    if (match === null) {
      throw new KpiSyntaxError(place, `cannot read '${line.slice(at).trim()}': is a quote left open?`)
    }
    at = WORD.lastIndex
    if (match[1] !== undefined) break
    words.push(wordOf(match[2] as string))
  }
  return words
}

function wordOf(text: string): Word {
  const equals = text.indexOf('=')
  if (equals <= 0 || /["']/.test(text.slice(0, equals))) return { text, key: '', value: unquoted(text) }
  return { text, key: text.slice(0, equals), value: unquoted(text.slice(equals + 1)) }
}

function unquoted(text: string): string {
  if (text.length >= 2 && text.startsWith('"') && text.endsWith('"')) {
    return text.slice(1, -1).replace(/\\(.)/g, '$1')
  }
  return text.length >= 2 && text.startsWith("'") && text.endsWith("'") ? text.slice(1, -1) : text
}

/** '1.2s', '200ms', '5m', '-3s' → microseconds; undefined when it is no time. */
export function timeUs(text: string): number | undefined {
  const match = /^([+-]?\d+(?:\.\d+)?)(ms|s|m)$/.exec(text)
  if (match === null) return undefined
  const unitUs = { ms: 1_000, s: 1_000_000, m: 60_000_000 }[match[2] as 'ms' | 's' | 'm']
  return Math.round(Number(match[1]) * unitUs)
}
