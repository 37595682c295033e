import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { numberPattern } from '../../../collector/forget/number-pattern.js'

const pattern = numberPattern('12025550143')

describe('a number in a text', () => {
  test.each([
    '12025550143',
    '+12025550143',
    '0012025550143',
    'sip:+12025550143@carrier.example;user=phone',
    'tel:+1-202-555-0143',
    '"+1 (202) 555-0143" <sip:x@y>',
    '%2B1%20202%20555%200143',
    'INVITE sip:+12025550143@a SIP/2.0\r\nTo: <sip:b>',
  ])('is found in %s', (text) => {
    expect(pattern.isIn(text)).toBe(true)
    expect(pattern.isIn(pattern.without(text, 'forgotten'))).toBe(false)
  })

  test.each(['112025550143', '120255501430', '2025550143', '+1202555014', '', '9912025550143'])(
    'is not found in %s, which is another one',
    (text) => {
      expect(pattern.isIn(text)).toBe(false)
      expect(pattern.without(text, 'forgotten')).toBe(text)
    },
  )

  test('two of them with one sign between are both replaced', () => {
    expect(pattern.without('+12025550143,12025550143', 'x')).toBe('+x,x')
  })

  test('fewer than seven digits are looked for in columns of numbers only', () => {
    expect(numberPattern('911')).toMatchObject({ source: undefined })
    expect(numberPattern('911').isIn('911')).toBe(false)
  })

  test('what is no number is refused', () => {
    expect(() => numberPattern("1'; DROP")).toThrow(RangeError)
  })

  test('after replacing none is left, whatever stands around it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('+', '00', '12025550143', '1 202 555 0143', '-', 'a', ' ', '7')),
        (parts) => {
          expect(pattern.isIn(pattern.without(parts.join(''), '!'))).toBe(false)
        },
      ),
    )
  })
})
