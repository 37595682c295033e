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
/** Digits from the right that number_tail_index holds (schemas/clickhouse/015_call_search.sql). */
const TAIL = 7
const NUMBER_MAX = 64

const COLUMNS: Record<Side, readonly string[]> = {
  number: ['called_number', 'dialled_number', 'calling_number', 'from_number'],
  calling: ['calling_number', 'from_number'],
  called: ['called_number', 'dialled_number'],
}
const TAILS = `[${COLUMNS.number.map((column) => `right(${column}, ${TAIL})`).join(', ')}]`

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

function filterOf(side: Side, text: string): NumberFilter {
  const isSuffix = /^\s*[*\u2026]/.test(text)
  const digits = text.replace(/^\s*(?:[*\u2026]|tel:|sips?:)/i, '').replace(/[\s()./-]/g, '')
  // A + that was not escaped arrives as a space, and is gone by now.
  const bare = digits.replace(/^\+/, '')
  if (!/^[0-9*#]+$/.test(bare) || bare.length > NUMBER_MAX || (isSuffix && bare.length < SUFFIX_MIN)) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_VALUE',
      `${side} is no number to look for; write all of it, for example ${side}=%2B12025550143, or * and at least ` +
        `${SUFFIX_MIN} of its last digits, for example ${side}=*0100`,
      { parameter: side },
    )
  }
  if (isSuffix) return { side, isSuffix, numbers: [bare] }
  const international = /^00[1-9]/.test(bare) ? [`+${bare.slice(2)}`] : []
  return { side, isSuffix, numbers: [bare, `+${bare}`, ...international] }
}

export function numberConditions(filters: readonly NumberFilter[]): {
  conditions: string[]
  parameters: Record<string, unknown>
} {
  const conditions: string[] = []
  const parameters: Record<string, unknown> = {}
  for (const { side, isSuffix, numbers } of filters) {
    const of = (column: string) =>
      isSuffix ? `endsWith(${column}, {${side}:String})` : `${column} IN {${side}:Array(String)}`
    conditions.push(`(${COLUMNS[side].map(of).join(' OR ')})`)
    parameters[side] = isSuffix ? numbers[0] : numbers
    // What the index can tell; the condition above decides.
    if (isSuffix && numbers[0]!.length < TAIL) continue
    conditions.push(`hasAny(${TAILS}, {${side}_tails:Array(String)})`)
    parameters[`${side}_tails`] = [...new Set(numbers.map((number) => number.slice(-TAIL)))]
  }
  return { conditions, parameters }
}
