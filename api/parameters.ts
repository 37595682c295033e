/**
 * Reads query parameters: one text, a list, a number. zod has checked the names; what is wrong with a value is said here,
 * with what to write instead.
 */
import { ApiError, didYouMean, nearestNames } from './errors.js'
import { shown } from './time-span.js'

export type Parameter = string | string[] | undefined

/** The one text of a parameter that may stand once. */
export function oneOf(parameter: string, value: Parameter): string | undefined {
  if (!Array.isArray(value)) return value
  throw new ApiError(
    'TRUNKSCOPE_API_REPEATED_PARAMETER',
    `${parameter} stands ${value.length} times; write it once`,
    {
      parameter,
    },
  )
}

/** A parameter that may be repeated or hold a comma list, without duplicates and empty entries. */
export function listOf(value: Parameter): string[] {
  const texts = value === undefined ? [] : Array.isArray(value) ? value : [value]
  return [...new Set(texts.flatMap((text) => text.split(',')).map((text) => text.trim()))].filter(
    (text) => text !== '',
  )
}

/** Values out of a closed list. */
export function choicesOf<Choice extends string>(
  parameter: string,
  value: Parameter,
  choices: readonly Choice[],
): Choice[] {
  return listOf(value).map((text) => {
    const choice = choices.find((known) => known === text)
    if (choice !== undefined) return choice
    const suggestions = nearestNames(text, choices)
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_VALUE',
      `${parameter}=${shown(text)} is not known; write one or more of ${choices.join(', ')}${didYouMean(suggestions)}`,
      { parameter, suggestions },
    )
  })
}

export function flagOf(parameter: string, value: Parameter): boolean {
  const text = oneOf(parameter, value)
  if (text === undefined || text === 'false' || text === '0') return false
  if (text === 'true' || text === '1') return true
  throw new ApiError(
    'TRUNKSCOPE_API_BAD_VALUE',
    `${parameter}=${shown(text)}; write ${parameter}=true or leave it out`,
    {
      parameter,
    },
  )
}

export function wholeNumberOf(
  parameter: string,
  value: Parameter,
  bounds: { min: number; max: number; example: number },
): number | undefined {
  const text = oneOf(parameter, value)
  if (text === undefined) return undefined
  const number = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (number >= bounds.min && number <= bounds.max) return number
  throw new ApiError(
    'TRUNKSCOPE_API_BAD_NUMBER',
    `${parameter}=${shown(text)}; write a whole number from ${bounds.min} to ${bounds.max}, for example ${parameter}=${bounds.example}`,
    { parameter },
  )
}
