import { describe, expect, it } from 'vitest'
import { choicesOf, flagOf, listOf, oneOf, wholeNumberOf } from '../../api/parameters.js'

describe('parameters', () => {
  it('a list may be repeated, written with commas, or both', () => {
    expect(listOf(['a,b', 'b', ' c '])).toEqual(['a', 'b', 'c'])
    expect(listOf('')).toEqual([])
    expect(listOf(undefined)).toEqual([])
  })

  it('one that may stand once is refused when it stands twice', () => {
    expect(oneOf('from', 'x')).toBe('x')
    expect(() => oneOf('from', ['x', 'y'])).toThrow(/write it once/)
  })

  it('a choice out of a list names the list', () => {
    expect(choicesOf('direction', 'inbound', ['inbound', 'outbound'])).toEqual(['inbound'])
    expect(() => choicesOf('direction', 'inbond', ['inbound', 'outbound'])).toThrow(/did you mean inbound/)
  })

  it('a flag is true, false or absent', () => {
    expect([
      flagOf('exact', 'true'),
      flagOf('exact', '1'),
      flagOf('exact', 'false'),
      flagOf('exact', undefined),
    ]).toEqual([true, true, false, false])
    expect(() => flagOf('exact', 'maybe')).toThrow(/exact=true/)
  })

  it.each(['1.5', '1e3', '', '-1', '0x10', '999999999999999999', 'NaN'])(
    '%s is no whole number from 1 to 500',
    (text) => {
      expect(() => wholeNumberOf('limit', text, { min: 1, max: 500, example: 50 })).toThrow(
        /for example limit=50/,
      )
    },
  )
})
