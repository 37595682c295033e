import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { numbersOf } from '../../../collector/enrich/numbers.js'

const INVITE = {
  requestUri: 'sip:+12155550101@198.51.100.10:5060;user=phone',
  to: '<sip:+12155550102@carrier.example>',
  from: '"Alice" <sip:+13035550103@sbc.example>;tag=a1',
  assertedIdentities: [] as string[],
}
const called = (requestUri: string) => numbersOf({ ...INVITE, requestUri }).calledNumber
const calling = (...assertedIdentities: string[]) =>
  numbersOf({ ...INVITE, assertedIdentities }).callingNumber

describe('numbers', () => {
  test('called is the Request-URI, dialled the To, from the From, and calling the From without an asserted identity', () => {
    expect(numbersOf(INVITE)).toEqual({
      calledNumber: '+12155550101',
      dialledNumber: '+12155550102',
      callingNumber: '+13035550103',
      fromNumber: '+13035550103',
    })
  })

  test('the asserted identity stands before the From, and the tel one of two before the sip one', () => {
    expect(calling('<sip:+13035550200@isp.example>')).toBe('+13035550200')
    expect(calling('<sip:+13035550200@isp.example>', '<tel:+13035550201>')).toBe('+13035550201')
    expect(calling('"Cullen" <tel:+1-303-555-0201>', '<sip:+13035550200@isp.example>')).toBe('+13035550201')
  })

  test('an asserted identity without a number leaves the From', () => {
    expect(calling('<sip:isp.example>')).toBe('+13035550103')
    expect(calling('')).toBe('+13035550103')
  })

  test('an asserted number counts when the From is anonymous, and the From stays empty', () => {
    const numbers = numbersOf({
      ...INVITE,
      from: '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
      assertedIdentities: ['<tel:+13035550201>'],
    })
    expect(numbers).toMatchObject({ callingNumber: '+13035550201', fromNumber: '' })
  })

  test('anonymous parties have no number', () => {
    expect(called('sip:anonymous@10.0.0.1')).toBe('')
    expect(called('sip:Anonymous@anonymous.invalid')).toBe('')
    expect(called('sip:unavailable@unknown.invalid')).toBe('')
  })

  test('visual separators are stripped from numbers', () => {
    expect(called('tel:+1-(630)-555.0100')).toBe('+16305550100')
    expect(called('sip:+1-630-555-0100@gw.example')).toBe('+16305550100')
  })

  test('vector N: parameters of the user part are not part of the number', () => {
    const uri = 'sip:+16305550100;tgrp=TG-1;trunk-context=+1-630@isp.example.net;user=phone'
    expect(called(uri)).toBe('+16305550100')
    expect(called('sip:+12155551212;npdi;rn=+12155550000@gw;user=phone')).toBe('+12155551212')
  })

  test('short codes, emergency and star codes are kept as digits, and no plus is invented', () => {
    expect(called('sip:911@psap.example')).toBe('911')
    expect(called('tel:7042;phone-context=example.com')).toBe('7042')
    expect(called('sip:*67@gw.example')).toBe('*67')
    expect(called('sip:%2A67%23@gw.example')).toBe('*67#')
    expect(called('sip:0016305550100@gw.example')).toBe('0016305550100')
    expect(called('sip:16305550100@gw.example')).toBe('16305550100')
  })

  test('an escaped plus is a plus', () => {
    expect(called('sip:%2B16305550100@gw.example')).toBe('+16305550100')
  })

  test('a user that is no number stays as it stands', () => {
    expect(called('sip:alice.smith-jones@example.com')).toBe('alice.smith-jones')
    expect(called('sip:gw.example')).toBe('')
    expect(called('')).toBe('')
  })

  test('any text gives four texts of at most 64 characters', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.string(),
        fc.array(fc.string()),
        (requestUri, to, from, asserted) => {
          const numbers = numbersOf({ requestUri, to, from, assertedIdentities: asserted })
          for (const number of Object.values(numbers)) expect(number.length).toBeLessThanOrEqual(64)
        },
      ),
    )
  })
})
