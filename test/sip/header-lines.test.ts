import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hasHeadersEnd, headerValues } from '../../sip/header-lines.js'

const MESSAGE = [
  'INVITE sip:a@b SIP/2.0',
  'Date : Fri, 25 Sep 2015 19:12:25 GMT',
  'X: 1',
  'date: second',
  ' goes on',
  'Attestation-Info: A',
  '',
  'Date: in the body',
].join('\r\n')

describe('headers by name', () => {
  test('values in order, lines that go on joined, the body left alone', () => {
    expect(headerValues(MESSAGE, 'Date')).toEqual(['Fri, 25 Sep 2015 19:12:25 GMT', 'second goes on'])
    expect(headerValues(MESSAGE, 'attestation-info')).toEqual(['A'])
    expect(headerValues(MESSAGE, 'Origination-Id')).toEqual([])
    expect(headerValues(MESSAGE.replaceAll('\r\n', '\n'), 'date')).toHaveLength(2)
  })

  test('a message without an end of its headers was cut', () => {
    expect(hasHeadersEnd(MESSAGE)).toBe(true)
    expect(hasHeadersEnd('INVITE sip:a@b SIP/2.0\r\nX: 1\r\n')).toBe(false)
    expect(hasHeadersEnd('INVITE sip:a@b SIP/2.0\r\nX: 1\r\n\r\n')).toBe(true)
  })

  test('any text gives an answer (fuzz)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, name) =>
        Array.isArray(headerValues(text, name)),
      ),
    )
  })
})
