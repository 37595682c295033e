/**
 * One row of the number inventory: number, country, type, carrier.
 *
 *   number   +14155550100, visual separators allowed, or a block: +1415555[0100-0199], digits of equal length in the brackets
 *   country  ISO 3166-1 alpha-2, or empty: then that of the number      type  any word, or empty
 *   carrier  an id of `carriers` in the configuration
 *
 * Takes    the four texts, as the CSV has them.
 * Returns  a range of numbers, or what is wrong: the kind, the column, the sentence with what to write instead.
 * Throws   nothing; a text is read in linear time.
 */
import { callingCodeOf, countryName, type Destination, destinationOf, isCountry } from '../../sip/e164.js'
import { nearest } from './nearest.js'

export const ROW_ERROR_KINDS = [
  'columns',
  'bad_number',
  'bad_block',
  'bad_country',
  'country_mismatch',
  'bad_type',
  'missing_carrier',
  'unknown_carrier',
  'duplicate',
  'contradiction',
] as const
export type RowErrorKind = (typeof ROW_ERROR_KINDS)[number]

export const INVENTORY_COLUMNS = ['number', 'country', 'type', 'carrier'] as const
export type InventoryColumn = (typeof INVENTORY_COLUMNS)[number]

export interface RowError {
  line: number
  kind: RowErrorKind
  column: InventoryColumn | ''
  /** What is wrong, and what to write instead. */
  problem: string
}

export interface InventoryRow {
  from: number
  to: number
  country: string
  type: string
  carrier: string
}

type Bad = Omit<RowError, 'line'>
const TYPE_CHARS_MAX = 32
const ID_CHARS_MAX = 63

/** @param carriers ids of the configuration; undefined: there is none, and carriers are not compared */
export function readInventoryRow(
  { number, country, type, carrier }: Readonly<Record<InventoryColumn, string>>,
  carriers: ReadonlySet<string> | undefined,
): InventoryRow | Bad {
  const range = readRange(number)
  if ('kind' in range) return range
  const place = readCountry(country, range.first)
  if (typeof place !== 'string') return place
  if (type.length > TYPE_CHARS_MAX || /[^\x20-\x7e\u00a0-\u024f]/.test(type)) {
    return bad(
      'bad_type',
      'type',
      `${shown(type)} is no type; write a word of at most ${TYPE_CHARS_MAX} characters, for example geographic, or nothing`,
    )
  }
  if (carrier === '') {
    return bad(
      'missing_carrier',
      'carrier',
      'the carrier is missing; write the id of the carrier that the number was bought from',
    )
  }
  if (carriers !== undefined && !carriers.has(carrier)) return unknownCarrier(carrier, carriers)
  return { from: range.from, to: range.to, country: place, type, carrier }
}

function readRange(text: string): { from: number; to: number; first: string } | Bad {
  const bracket = text.indexOf('[')
  if (bracket >= 0) return readBlock(text, bracket)
  const number = readNumber(text)
  return typeof number === 'string'
    ? { from: Number(number.slice(1)), to: Number(number.slice(1)), first: number }
    : number
}

/** '+' and digits, or what is wrong. */
function readNumber(text: string): string | Bad {
  const of = (problem: string) => bad('bad_number', 'number', problem)
  if (text === '')
    return of('the number is missing; write it with + and country code, for example +14155550100')
  if (text.length > 64) return of(`${shown(text)} is no number; write + and at most 15 digits`)
  if (/^\d([.,]\d+)?E\+?\d+$/i.test(text)) {
    return of(
      `${shown(text)} is a number that a spreadsheet has rounded; give the column the format “text” there, and write the number again`,
    )
  }
  const plain = text.replace(/[-.() \u00a0]/g, '')
  if (/^\d+$/.test(plain)) {
    // 00 and 011 are how numbers abroad are dialled in most places, and in North America.
    const meant = [plain, plain.replace(/^00/, ''), plain.replace(/^011/, '')].find((digits) =>
      isPossible(`+${digits}`),
    )
    return of(
      `${shown(text)} has no +; write ${meant === undefined ? 'it with + and country code, for example +14155550100' : `+${meant}, if that is the number with its country code`}`,
    )
  }
  if (!/^\+\d+$/.test(plain))
    return of(`${shown(text)} is no number; write + and digits, for example +14155550100`)
  if (!isPossible(plain)) {
    return of(
      `${shown(text)} is not a possible number: it has the wrong length or no country code; check its digits`,
    )
  }
  return plain
}

function isPossible(number: string): boolean {
  return ['country', 'area', 'non_geographic'].includes(placeOf(number).kind)
}

const PLACES_MAX = 65_536
const places = new Map<string, Destination>()

/** By the first seven digits and the length, which decide it for all but a few: a file holds long rows of neighbours. */
function placeOf(number: string): Destination {
  const key = `${number.slice(0, 8)} ${number.length}`
  let place = places.get(key)
  if (place === undefined) {
    place = destinationOf(number)
    if (places.size >= PLACES_MAX) places.clear()
    places.set(key, place)
  }
  return place
}

/** block => "+" digits "[" digits "-" digits "]", as many digits on both sides of the "-" */
function readBlock(text: string, bracket: number): { from: number; to: number; first: string } | Bad {
  const of = (problem: string) => bad('bad_block', 'number', problem)
  const match = /^\[(\d{1,9})-(\d{1,9})\]$/.exec(text.slice(bracket))
  if (text.length > 64 || match === null) {
    return of(`${shown(text)} is no block; write for example +1415555[0100-0199]`)
  }
  const [, first, last] = match as unknown as [string, string, string]
  if (first.length !== last.length) {
    return of(
      `${shown(text)}: ${first} and ${last} differ in length; write as many digits on both sides of the -`,
    )
  }
  if (first > last) return of(`${shown(text)}: ${first} is above ${last}; write [${last}-${first}]`)
  const head = text.slice(0, bracket)
  const from = readNumber(head + first)
  if (typeof from !== 'string') return from
  const to = readNumber(head + last)
  if (typeof to !== 'string') return to
  return { from: Number(from.slice(1)), to: Number(to.slice(1)), first: from }
}

function readCountry(text: string, number: string): string | Bad {
  const found = placeOf(number)
  if (text === '') return found.country
  const country = text.toUpperCase()
  if (!isCountry(country)) {
    const code = country === 'UK' ? 'GB' : found.country
    return bad(
      'bad_country',
      'country',
      `${shown(text)} is no country; write two letters${code === '' ? ', for example US' : `: ${code} is ${countryName(code)}`}, or nothing`,
    )
  }
  // Countries that share a code share ranges: only the code can contradict.
  if (found.kind !== 'non_geographic' && callingCodeOf(country) !== found.callingCode) {
    return bad(
      'country_mismatch',
      'country',
      `${country} has +${callingCodeOf(country)}, and the number begins with +${found.callingCode}${found.country === '' ? '' : ` (${found.country})`}; one of the two is wrong`,
    )
  }
  return country
}

function unknownCarrier(carrier: string, carriers: ReadonlySet<string>): Bad {
  const known = [...carriers]
  const meant = carrier.length > ID_CHARS_MAX ? undefined : nearest(carrier, known)
  const fix =
    meant !== undefined
      ? `did you mean ${meant}?`
      : known.length === 0
        ? 'add it under carriers of the configuration'
        : `write one of ${known.slice(0, 8).join(', ')}${known.length > 8 ? ' …' : ''}, or add it under carriers`
  return bad('unknown_carrier', 'carrier', `no carrier has the id ${shown(carrier)}; ${fix}`)
}

function bad(kind: RowErrorKind, column: InventoryColumn, problem: string): Bad {
  return { kind, column, problem }
}

/** What stands in a cell, short and printable. */
export function shown(text: string): string {
  const printable = text.replace(/[^\x20-\x7e\u00a0-\u024f]/g, '?')
  return `"${printable.length > 40 ? `${printable.slice(0, 40)}…` : printable}"`
}
