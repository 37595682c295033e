/**
 * Search by telephone number: whole, or by its last digits.
 *
 * Takes    what somebody typed: separators and a leading 00 or + are no part of a number. "*0100" means: ends in 0100.
 * Returns  a filter for each of number (either side), calling and called; conditions for the columns that hold them.
 * Throws   TRUNKSCOPE_API_ROLE_TOO_LOW for who sees numbers masked: a search that finds something tells the number.
 *          TRUNKSCOPE_API_BAD_VALUE for what is no number, or too few digits to be one.
 */
import { isAtLeast, type Principal } from '../../schemas/tokens.js'
import { ApiError } from '../errors.js'
import { oneOf, type Parameter } from '../parameters.js'

export const NUMBER_SIDES = ['number', 'calling', 'called'] as const
type Side = (typeof NUMBER_SIDES)[number]

/** Fewer last digits fit to nearly every page of every range. */
export const SUFFIX_MIN = 4
/** Characters from the right that indexes hold, the longest first (schemas/clickhouse/015, 021). */
const INDEXED = [7, 5] as const
/** Digits of each number in number_tails (schemas/clickhouse/021_search_columns.sql). */
const TAIL = 4
const NUMBER_MAX = 64

const COLUMNS: Record<Side, readonly string[]> = {
  number: ['called_number', 'dialled_number', 'calling_number', 'from_number'],
  calling: ['calling_number', 'from_number'],
  called: ['called_number', 'dialled_number'],
}
export interface NumberFilter {
  side: Side
  isSuffix: boolean
  /** Digits as typed, without separators; of a whole number each form it may be stored in. */
  numbers: readonly string[]
}

export function numberFilterOf(
  written: Partial<Record<Side, Parameter>>,
  principal: Principal,
): NumberFilter[] {
  return NUMBER_SIDES.flatMap((side) => {
    const text = oneOf(side, written[side])
    if (text === undefined) return []
    if (!isAtLeast(principal.role, 'investigator')) {
      throw new ApiError(
        'TRUNKSCOPE_API_ROLE_TOO_LOW',
        `searching by number needs the role investigator: this token sees numbers masked; leave out ${side}`,
        { parameter: side },
      )
    }
    return [filterOf(side, text)]
  })
}

/** What somebody typed as a number: digits without separators and +; undefined: it is none, or has too few of them. */
export function readNumber(text: string): { isSuffix: boolean; digits: string } | undefined {
  const isSuffix = /^\s*[*\u2026]/.test(text)
  const digits = text.replace(/^\s*(?:[*\u2026]|tel:|sips?:)/i, '').replace(/[\s()./-]/g, '')
  // A + that was not escaped arrives as a space, and is gone by now.
  const bare = digits.replace(/^\+/, '')
  if (!/^[0-9*#]+$/.test(bare) || bare.length > NUMBER_MAX || (isSuffix && bare.length < SUFFIX_MIN))
    return undefined
  return { isSuffix, digits: bare }
}

/** Each form in which a whole number may be stored. */
export function storedFormsOf(digits: string): string[] {
  const international = /^00[1-9]/.test(digits) ? [`+${digits.slice(2)}`] : []
  return [digits, `+${digits}`, ...international]
}

function filterOf(side: Side, text: string): NumberFilter {
  const number = readNumber(text)
  if (number === undefined) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_VALUE',
      `${side} is no number to look for; write all of it, for example ${side}=%2B12025550143, or * and at least ` +
        `${SUFFIX_MIN} of its last digits, for example ${side}=*0100`,
      { parameter: side },
    )
  }
  const { isSuffix, digits } = number
  return { side, isSuffix, numbers: isSuffix ? [digits] : storedFormsOf(digits) }
}

/**
 * @param isCoarse  for a first look: the last four digits alone may decide, of which "+123" and "0123" are the same. Whoever
 *                  looks so has to ask again without.
 */
export function numberConditions(
  filters: readonly NumberFilter[],
  isCoarse: boolean,
): { conditions: string[]; parameters: Record<string, unknown> } {
  const conditions: string[] = []
  const parameters: Record<string, unknown> = {}
  for (const { side, isSuffix, numbers } of filters) {
    const digits = numbers[0]!.slice(-TAIL)
    const hasTail = isCoarse && /^[0-9]{4}$/.test(digits)
    if (hasTail) {
      const tails = COLUMNS[side].map((column) => `${tailOf(column)} = {${side}_tail:UInt16}`)
      conditions.push(`(${tails.join(' OR ')})`)
      parameters[`${side}_tail`] = Number(digits)
      if (isSuffix && numbers[0]!.length === TAIL) continue
    }
    const of = (column: string) =>
      isSuffix ? `endsWith(${column}, {${side}:String})` : `${column} IN {${side}:Array(String)}`
    conditions.push(`(${COLUMNS[side].map(of).join(' OR ')})`)
    parameters[side] = isSuffix ? numbers[0] : numbers
    const length = isSuffix ? INDEXED.find((indexed) => indexed <= numbers[0]!.length) : INDEXED[0]
    if (!isCoarse || length === undefined) continue
    // What the index can tell; the condition above decides.
    const ends = COLUMNS.number.map((column) => `right(${column}, ${length})`)
    conditions.push(`hasAny([${ends.join(', ')}], {${side}_ends:Array(String)})`)
    parameters[`${side}_ends`] = [...new Set(numbers.map((number) => number.slice(-length)))]
  }
  return { conditions, parameters }
}

function tailOf(column: string): string {
  return `bitAnd(bitShiftRight(number_tails, ${16 * COLUMNS.number.indexOf(column)}), 65535)`
}
