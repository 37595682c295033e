/**
 * Where a telephone number stands in a text, however it is written there.
 *
 * A number is found whole: digits before or after it would make it another one. Between its digits may stand what people
 * and URIs put there (RFC 3966 §5.1.1, percent-encoded too), at most two signs. The same pattern is read by JavaScript
 * and by ClickHouse (RE2). Fewer digits than TEXT_DIGITS_MIN stand in every other text by chance: such a number is looked
 * for in the columns of numbers only.
 */
export const TEXT_DIGITS_MIN = 7

const BETWEEN = '(?:[-. ()/]|%2[0-9A-Fa-f]){0,2}'

export interface NumberPattern {
  /** Of RE2 and of JavaScript; undefined: too short to be told from other digits. */
  source: string | undefined
  isIn(text: string): boolean
  /** The text with the number replaced. */
  without(text: string, replacement: string): string
}

/** @param digits without + and 00 */
export function numberPattern(digits: string): NumberPattern {
  if (!/^[0-9*#]+$/.test(digits)) throw new RangeError('a number is digits, * and #')
  if (digits.length < TEXT_DIGITS_MIN)
    return { source: undefined, isIn: () => false, without: (text) => text }
  const body = [...digits].map((digit) => digit.replace(/[*]/, '\\*')).join(BETWEEN)
  const source = `(?:^|[^0-9])(?:00)?${body}(?:[^0-9]|$)`
  const found = new RegExp(source)
  // Look-around, so that two of them with one sign between are both found.
  const all = new RegExp(`(?<![0-9])(?:00)?${body}(?![0-9])`, 'g')
  return {
    source,
    isIn: (text) => found.test(text),
    without: (text, replacement) => text.replace(all, replacement),
  }
}
