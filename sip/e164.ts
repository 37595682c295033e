/**
 * Which country a telephone number belongs to, and what else it may be: a short code, an emergency number, a service code,
 * a number of no country, a number that nobody can have.
 *
 * Takes    a number as `collector/enrich/numbers.ts` leaves it ('+' and digits where it is global, digits, * and # where it
 *          is local, any other text where it is a name), or the prefix of one: the part that stands in the column
 *          `destination` of an attempt, at most seven digits and never the last four.
 * Returns  a kind and, where there is one, the country (ISO 3166-1) with its English name. No '+' is ever invented: a local
 *          number has no country. Answers are remembered, a bounded number of them.
 * Throws   nothing; any text is read in linear time.
 * Source   metrics.md §10; ITU-T E.164 §6 (15 digits, country codes). Whether a number is possible goes by its length alone,
 *          because metadata lags behind new ranges.
 *
 * +1 is shared by about 25 countries and resolved by the area code (NPA) alone; toll-free, premium and personal area codes
 * belong to all of them and to none. In another shared code (+7, +44, …) an unassigned range counts for the code's main
 * country. 800, 808, 870, 878, 881, 882, 883, 888 and 979 are nobody's.
 */
import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/min'

export const DESTINATION_KINDS = [
  'country',
  'area',
  'non_geographic',
  'not_possible',
  'not_global',
  'short_code',
  'service_code',
  'name',
  'none',
] as const
export type DestinationKind = (typeof DESTINATION_KINDS)[number]

export interface Destination {
  kind: DestinationKind
  /** ISO 3166-1 alpha-2; '' where it is no country's. */
  country: string
  /** Digits; '' where there is none. */
  callingCode: string
  /** In English: "Germany", "toll-free (+1)", "without a number". */
  name: string
}

const REMEMBERED_MAX = 65_536
const DIGITS_MAX = 15
/** Of a prefix; a longer one is a number. */
const PREFIX_DIGITS = 7
const DIGITS_LEFT_OUT = 4

const NON_GEOGRAPHIC: Readonly<Record<string, string>> = {
  '800': 'international freephone (+800)',
  '808': 'international shared cost (+808)',
  '870': 'satellite, Inmarsat (+870)',
  '878': 'universal personal numbers (+878)',
  '881': 'satellite, mobile (+881)',
  '882': 'international networks (+882)',
  '883': 'international networks (+883)',
  '888': 'disaster relief (+888)',
  '979': 'international premium rate (+979)',
}

/** Area codes of +1 that no country of it has for itself. */
const SHARED_AREAS: readonly (readonly [areas: RegExp, name: string])[] = [
  [/^8(?:00|22|33|44|55|66|77|88)/, 'toll-free (+1)'],
  [/^900/, 'premium rate (+1)'],
  [/^(?:5(?:00|2[1-9]|33|44|66|77|88)|700)/, 'personal numbers (+1)'],
]

/** Whose an unassigned range of a shared code is taken to be. */
const MAIN_COUNTRY: Readonly<Record<string, CountryCode>> = {
  '7': 'RU',
  '39': 'IT',
  '44': 'GB',
  '47': 'NO',
  '61': 'AU',
  '212': 'MA',
  '262': 'RE',
  '290': 'SH',
  '358': 'FI',
  '590': 'GP',
  '599': 'CW',
}

const COUNTRIES_OF = new Map<string, CountryCode[]>()
for (const country of getCountries()) {
  const code = getCountryCallingCode(country)
  COUNTRIES_OF.set(code, [...(COUNTRIES_OF.get(code) ?? []), country])
}

const REGION_NAMES = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'code' })

/** "Germany" for DE; the code itself where it has no name. */
export function countryName(country: string): string {
  return /^[A-Z]{2}$/.test(country) ? (REGION_NAMES.of(country) ?? country) : country
}

/** Whether a text is the code of a country that has numbers. */
export function isCountry(text: string): boolean {
  return KNOWN_COUNTRIES.has(text)
}
const KNOWN_COUNTRIES: ReadonlySet<string> = new Set(getCountries())

/** Calling code of a country, '' where it has none. */
export function callingCodeOf(country: string): string {
  return isCountry(country) ? getCountryCallingCode(country as CountryCode) : ''
}

const numbers = new Map<string, Destination>()
const prefixes = new Map<string, Destination>()

export function destinationOf(number: string): Destination {
  return remembered(numbers, number, (text) => unlessGlobal(text) ?? ofGlobal(text.slice(1)))
}

export function destinationOfPrefix(prefix: string): Destination {
  return remembered(prefixes, prefix, (text) => {
    if (text === '') return NO_PREFIX
    // Of a number of seven digits and more, whatever is left of it.
    if (/^\d+$/.test(text)) return NOT_GLOBAL
    return unlessGlobal(text) ?? ofGlobalPrefix(text.slice(1))
  })
}

/** The country of a number, '' where it has none. */
export function countryOf(number: string): string {
  return destinationOf(number).country
}

function remembered(
  known: Map<string, Destination>,
  text: string,
  read: (text: string) => Destination,
): Destination {
  const found = known.get(text)
  if (found !== undefined) return found
  const destination = read(text)
  // A text longer than any number would be remembered whole.
  if (text.length > 2 * DIGITS_MAX) return destination
  if (known.size >= REMEMBERED_MAX) known.delete(known.keys().next().value as string)
  known.set(text, destination)
  return destination
}

const nowhere = (kind: DestinationKind, name: string, callingCode = ''): Destination =>
  Object.freeze({ kind, country: '', callingCode, name })

const NONE = nowhere('none', 'without a number')
const NO_PREFIX = nowhere('none', 'without a prefix')
const SERVICE_CODE = nowhere('service_code', 'service code (* or #)')
const SHORT_CODE = nowhere('short_code', 'short code or emergency number')
const NOT_GLOBAL = nowhere('not_global', 'not a global number (no +)')
const NAME = nowhere('name', 'a name, no number')
const NOT_POSSIBLE = nowhere('not_possible', 'not a possible number')

/** Digits of a number without '+' up to which it is a short code: the shortest subscriber numbers have more. */
const SHORT_DIGITS_MAX = 6

function unlessGlobal(text: string): Destination | undefined {
  if (text === '') return NONE
  // Longer than any number: neither the patterns nor the library read it.
  const head = text.length > 2 * DIGITS_MAX ? text.slice(0, 2 * DIGITS_MAX) : text
  if (/^\+\d+$/.test(head)) return text.length > DIGITS_MAX + 1 ? NOT_POSSIBLE : undefined
  if (/^\d+$/.test(head)) return text.length <= SHORT_DIGITS_MAX ? SHORT_CODE : NOT_GLOBAL
  return /^\+?[\d*#]+$/.test(head) ? SERVICE_CODE : NAME
}

function ofGlobal(digits: string): Destination {
  const code = NON_GEOGRAPHIC[digits.slice(0, 3)]
  if (code !== undefined) {
    return isPossible(digits) ? nowhere('non_geographic', code, digits.slice(0, 3)) : NOT_POSSIBLE
  }
  const number = parsePhoneNumberFromString(`+${digits}`, { extract: false })
  if (number?.isPossible() !== true) return NOT_POSSIBLE
  const callingCode = String(number.countryCallingCode)
  return callingCode === '1' ? ofArea(digits.slice(1, 4)) : inCountry(number.country, callingCode)
}

/**
 * A prefix is judged by the numbers that may begin with it: one shorter than seven digits tells how long its numbers are,
 * a longer one that they have eleven digits at least.
 */
function ofGlobalPrefix(digits: string): Destination {
  // A prefix is cut by us: what is longer is none.
  if (digits.length > PREFIX_DIGITS) return ofGlobal(digits)
  const code = NON_GEOGRAPHIC[digits.slice(0, 3)]
  const lengths =
    digits.length < PREFIX_DIGITS
      ? [digits.length + DIGITS_LEFT_OUT]
      : Array.from({ length: DIGITS_MAX + 1 - 11 }, (_, more) => 11 + more)
  let callingCode = ''
  for (const length of lengths) {
    for (const filler of FILLERS) {
      const whole = digits + filler.slice(0, length - digits.length)
      const number = parsePhoneNumberFromString(`+${whole}`, { extract: false })
      // Possible goes by the length: no other digits make it so.
      if (number?.isPossible() !== true) break
      callingCode = String(number.countryCallingCode)
      if (code !== undefined) return nowhere('non_geographic', code, callingCode)
      if (callingCode === '1') return ofArea(digits.slice(1, 4))
      if (number.country !== undefined) return inCountry(number.country, callingCode)
    }
  }
  return callingCode === '' ? NOT_POSSIBLE : inCountry(undefined, callingCode)
}

/** What may follow a prefix; where a shared code is told apart by more than the prefix, the first that is somebody's. */
const FILLERS = ['2345678901234', '5000000000000', '0000000000000', '9999999999999', '1111111111111']

function isPossible(digits: string): boolean {
  return parsePhoneNumberFromString(`+${digits}`, { extract: false })?.isPossible() === true
}

function ofArea(area: string): Destination {
  const shared = SHARED_AREAS.find(([areas]) => areas.test(area))
  if (shared !== undefined) return nowhere('area', shared[1], '1')
  // The exchange 234 is one that every area code may have.
  const country = parsePhoneNumberFromString(`+1${area}2345678`, { extract: false })?.country
  return country === undefined ? nowhere('area', `area code ${area} (+1)`, '1') : inCountry(country, '1')
}

function inCountry(found: CountryCode | undefined, callingCode: string): Destination {
  const all = COUNTRIES_OF.get(callingCode) ?? []
  const country = found ?? MAIN_COUNTRY[callingCode] ?? all[0]
  return country === undefined
    ? NOT_POSSIBLE
    : Object.freeze({ kind: 'country', country, callingCode, name: countryName(country) })
}
