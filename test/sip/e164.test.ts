import fc from 'fast-check'
import { getCountries, getExampleNumber } from 'libphonenumber-js/max'
import examples from 'libphonenumber-js/mobile/examples'
import { describe, expect, test } from 'vitest'
import {
  callingCodeOf,
  countryName,
  countryOf,
  destinationOf,
  destinationOfPrefix,
  isCountry,
} from '../../sip/e164.js'

/** As schemas/clickhouse/021_search_columns.sql makes it. */
const prefixOf = (number: string) => number.slice(0, 1 + Math.min(7, number.length - 1 - 4))

/** Territories whose mobile numbers lie in the ranges of another country: the numbers do not tell. */
const SHARED_RANGES: Record<string, string> = {
  AX: 'FI',
  BL: 'GP',
  CC: 'AU',
  CX: 'AU',
  EH: 'MA',
  IM: 'GB',
  MF: 'GP',
  SJ: 'NO',
  TA: '',
  VA: 'IT',
}

describe('the country of a number', () => {
  test.each(getCountries())(
    '%s: an example number, and its prefix without the last four digits',
    (country) => {
      const number = getExampleNumber(country, examples)!.number
      const expected = SHARED_RANGES[country] ?? country
      if (country === 'TA') {
        expect(destinationOf(number).callingCode).toBe('290')
        return
      }
      expect(countryOf(number)).toBe(expected)
      expect(destinationOfPrefix(prefixOf(number)).country).toBe(expected)
    },
  )

  test.each([
    ['212', 'US'],
    ['416', 'CA'],
    ['242', 'BS'],
    ['441', 'BM'],
    ['473', 'GD'],
    ['658', 'JM'],
    ['876', 'JM'],
    ['671', 'GU'],
    ['721', 'SX'],
    ['787', 'PR'],
    ['939', 'PR'],
    ['809', 'DO'],
    ['829', 'DO'],
    ['849', 'DO'],
    ['868', 'TT'],
  ])('+1 is resolved by the area code: %s is %s, whatever follows', (area, country) => {
    for (const rest of ['5550100', '0000000', '1999999', '2345678']) {
      expect(countryOf(`+1${area}${rest}`)).toBe(country)
      expect(destinationOfPrefix(`+1${area}${rest.slice(0, 3)}`).country).toBe(country)
    }
  })

  test.each([
    ['800', 'toll-free (+1)'],
    ['833', 'toll-free (+1)'],
    ['888', 'toll-free (+1)'],
    ['900', 'premium rate (+1)'],
    ['500', 'personal numbers (+1)'],
    ['700', 'personal numbers (+1)'],
    ['999', 'area code 999 (+1)'],
  ])('an area code of +1 that no country has for itself has no country: %s', (area, name) => {
    expect(destinationOf(`+1${area}5550100`)).toEqual({ kind: 'area', country: '', callingCode: '1', name })
    expect(destinationOfPrefix(`+1${area}555`)).toMatchObject({ kind: 'area', name })
  })

  test.each([
    '+80012345678',
    '+80812345678',
    '+870773123456',
    '+878101234567890',
    '+881612345678',
    '+88212345678',
    '+8835100123456',
    '+88812345678901',
    '+979123456789',
  ])('%s is nobody’s country', (number) => {
    const found = destinationOf(number)
    expect(['non_geographic', 'not_possible']).toContain(found.kind)
    expect(found.country).toBe('')
    expect(destinationOfPrefix(prefixOf(number)).country).toBe('')
  })

  test('of those the ones of a possible length say whose they are not', () => {
    expect(destinationOf('+88312345678901').name).toBe('international networks (+883)')
    expect(destinationOf('+979123456789').kind).toBe('non_geographic')
    expect(destinationOfPrefix('+9791234').kind).toBe('non_geographic')
  })

  test('an unassigned range of a shared code counts for the main country of the code', () => {
    expect(countryOf('+262639999999')).not.toBe('')
    expect(countryOf('+440000000000')).toBe('GB')
    expect(countryOf('+70000000000')).toBe('RU')
  })
})

describe('what is no global number', () => {
  test.each([
    ['', 'none'],
    ['911', 'short_code'],
    ['112', 'short_code'],
    ['116117', 'short_code'],
    ['*67', 'service_code'],
    ['#31#12155550100', 'service_code'],
    ['+1*', 'service_code'],
    ['*', 'service_code'],
    ['2155550100', 'not_global'],
    ['12155550100', 'not_global'],
    ['0116995550100', 'not_global'],
    ['alice', 'name'],
    ['+', 'name'],
    ['++1', 'name'],
    ['+1215555010٠', 'name'],
    ['+911', 'not_possible'],
    ['+112', 'not_possible'],
    ['+1999', 'not_possible'],
    ['+0123456789', 'not_possible'],
    ['+999123456789', 'not_possible'],
    ['+1215555010', 'not_possible'],
    ['+121555501001', 'not_possible'],
    ['+1234567890123456', 'not_possible'],
  ])('"%s" is %s, and has no country', (number, kind) => {
    expect(destinationOf(number)).toMatchObject({ kind, country: '' })
  })

  test('a prefix tells how long its numbers are when it is shorter than seven digits', () => {
    expect(destinationOfPrefix('')).toMatchObject({ kind: 'none' })
    // +1 215 plus four more digits: too short to be a number.
    expect(destinationOfPrefix('+1215')).toMatchObject({ kind: 'not_possible' })
    expect(destinationOfPrefix('+290')).toMatchObject({ kind: 'country', country: 'SH' })
    expect(destinationOfPrefix('1215555')).toMatchObject({ kind: 'not_global' })
    expect(destinationOfPrefix('215')).toMatchObject({ kind: 'not_global' })
    expect(destinationOfPrefix('+0000000')).toMatchObject({ kind: 'not_possible' })
  })

  test('any text has an answer, in the time of one look, and the same one twice', () => {
    const number = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.stringMatching(/^\+?[0-9*#]{0,24}$/),
      fc.string({ maxLength: 20 }).map((text) => `+${text}`),
    )
    fc.assert(
      fc.property(number, (text) => {
        for (const read of [destinationOf, destinationOfPrefix]) {
          const found = read(text)
          expect(read(text)).toEqual(found)
          expect(found.country === '' || isCountry(found.country)).toBe(true)
          expect(found.kind === 'country').toBe(found.country !== '')
          expect(found.name).not.toBe('')
        }
      }),
      { numRuns: 500 },
    )
    for (const text of ['+'.repeat(1e6), '1'.repeat(1e6), `+${'9'.repeat(1e6)}`, '*#'.repeat(5e5)]) {
      expect(destinationOf(text).country).toBe('')
      expect(destinationOfPrefix(text).country).toBe('')
    }
  })

  test('the prefix of a number of +1 has the country of the number', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[2-9]\d{2}[2-9]\d{6}$/), (national) => {
        const number = `+1${national}`
        expect(destinationOfPrefix(prefixOf(number))).toEqual(destinationOf(number))
      }),
      { numRuns: 300 },
    )
  })
})

test('countries have English names and calling codes', () => {
  expect(countryName('DE')).toBe('Germany')
  expect(countryName('Germany')).toBe('Germany')
  expect(callingCodeOf('DE')).toBe('49')
  expect(callingCodeOf('ZZ')).toBe('')
  expect([isCountry('US'), isCountry('us'), isCountry('XX')]).toEqual([true, false, false])
})
