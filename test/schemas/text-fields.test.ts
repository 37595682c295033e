import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TextReader, TextWriter } from '../../schemas/text-fields.js'

describe('the fields of a stored text', () => {
  test('numbers come back, from the smallest safe one to the largest', () => {
    const numbers = fc.oneof(
      fc.maxSafeInteger(),
      fc.integer({ min: -12, max: 12 }),
      fc.constantFrom(999_999_999, 1_000_000_000, 4_294_967_296, -1_000_000_000),
    )
    fc.assert(
      fc.property(fc.array(numbers), (values) => {
        const to = new TextWriter('x')
        for (const value of values) to.number(value)
        const from = new TextReader(to.end(), 'x')
        expect(values.map(() => from.number())).toEqual(values)
        from.end()
      }),
    )
  })

  test('times are told against the first', () => {
    const to = new TextWriter('')
    for (const atUs of [1_795_000_000_000_000, 1_795_000_000_000_250, 1_794_999_999_999_999]) to.time(atUs)
    expect(to.end()).toBe('ggailabfpdaaa,pk,-b,')
  })

  test('a text of any size comes back: the room grows, and is not kept', () => {
    const large = 'é'.repeat(300_000)
    const to = new TextWriter('')
    to.text(large)
    to.text(`${large}€`)
    to.name('end')
    const from = new TextReader(to.end(), '')
    expect(from.text()).toBe(large)
    expect(from.text()).toBe(`${large}€`)
    expect(from.name()).toBe('end')
    from.end()
  })

  test('a char that takes more than a byte is told in hex', () => {
    const to = new TextWriter('')
    to.text('a€')
    expect(to.end()).toBe('c"a\\cakm,')
  })

  test.each([
    '',
    'f',
    'f:abc,',
    'd:abc',
    'd:abcd,',
    '-',
    'd"aaab',
    'd"\\aa',
    'pppppppppp"aa',
    ':',
    ',a',
    '3:abc,',
  ])('what is not whole is an error: %j', (damaged) => {
    const from = new TextReader(damaged, '')
    expect(() => {
      from.text()
      from.end()
    }).toThrow(SyntaxError)
  })

  test('a name that points to none is an error', () => {
    expect(() => new TextReader('=a,', '').name()).toThrow('stored facts are damaged at char 3')
  })
})
