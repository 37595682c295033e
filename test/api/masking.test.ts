import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isMasked, maskedAttempt, maskedMessage, maskedNumber, maskedText } from '../../api/masking.js'
import { ATTEMPT_COLUMNS } from '../../schemas/call-attempts.js'

const digits = fc.stringMatching(/^[1-9][0-9]{6,14}$/)
const separator = fc.constantFrom('', '', '', '-', '.', ' ', ') ', '/', '%20', ' (')
const context = fc.constantFrom(
  '',
  ' ',
  'tel:',
  'sip:',
  '"',
  '<sip:',
  '+',
  'a',
  ';tag=',
  '%2B',
  'x@y ',
  '\r\n',
)

/** A number as people and devices write it. */
const written = fc
  .tuple(digits, fc.array(separator, { minLength: 15, maxLength: 15 }), fc.boolean())
  .map(([number, separators, isEncoded]) => ({
    number,
    text: [...number].map((digit, at) => `${isEncoded ? `%3${digit}` : digit}${separators[at]}`).join(''),
  }))

/** All digits of a text, percent-encoding undone. */
const plain = (text: string) =>
  decodeURIComponent(text.replace(/%(?![0-9A-Fa-f]{2})/g, '')).replace(/\P{Nd}/gu, '')

describe('masking', () => {
  it('no way of writing a number gets through, wherever it stands (property)', () => {
    fc.assert(
      fc.property(written, context, context, ({ number, text }, before, after) => {
        const masked = maskedText(`${before}${text}${after}`)
        expect(plain(masked).length).toBeLessThan(number.length)
        expect(plain(masked)).not.toContain(number)
        expect(plain(masked).length).toBeLessThanOrEqual(4)
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['+12155550101', '+…01'],
    ['sip:+12155550101@198.51.100.10:5060;user=phone', 'sip:…01@198.51.100.10:5060;user=phone'],
    ['<SIPS:alice:secret@example.com>', '<SIPS:…@example.com>'],
    ['tel:112', 'tel:…'],
    ['"A. Caller" <tel:+1-215-555-0101;phone-context=x>', '"A. Caller" <tel:…01>'],
    ['Q.850;cause=16;text="Normal"', 'Q.850;cause=16;text="Normal"'],
    ['7f1e@192.0.2.11', '7f1e@192.0.2.11'],
    ['２１５５５５０１０１', '…０１'],
    ['', ''],
  ])('%s becomes %s', (text, masked) => {
    expect(maskedText(text)).toBe(masked)
  })

  it('a number keeps two digits, a short one and a name none', () => {
    expect(['+12155550101', '911', 'alice', ''].map(maskedNumber)).toEqual(['…01', '…', '…', ''])
    expect([isMasked('…01'), isMasked('01')]).toEqual([true, false])
  })

  it('takes linear time, whatever it is given', () => {
    for (const text of [
      '1'.repeat(200_000),
      '12 '.repeat(100_000),
      'sip:'.repeat(50_000),
      '%3'.repeat(100_000),
      '1(((('.repeat(50_000),
    ]) {
      expect(maskedText(text).length).toBeLessThanOrEqual(text.length)
    }
  })

  it('a column that is not known to be ours is masked', () => {
    const texts = ATTEMPT_COLUMNS.filter(({ type }) => type === 'String' || type === 'Array(String)')
    const number = '2155550101'
    const row = Object.fromEntries(
      texts.map(({ name, type }) => [name, type === 'String' ? number : [number]]),
    )
    const masked = maskedAttempt({ ...row, identities: [], facts: { number } } as never)
    const shown = Object.entries(masked).flatMap(([name, value]) =>
      JSON.stringify(value).includes(number) ? [name] : [],
    )
    expect(shown.sort()).toEqual(
      [
        'address_high',
        'address_low',
        'agents',
        'attribution_rule',
        'bye_from',
        'cancel_class',
        'carrier',
        'clock_agent',
        'customer',
        'direction',
        'disposition',
        'far_address',
        'flags',
        'attestation',
        'party',
        'sbc_address',
        'sdp_answer_hash',
        'sdp_offer_hash',
        'site',
        'sli',
        'state',
      ].sort(),
    )
  })

  it('a message keeps what it is, and loses its text', () => {
    const message = {
      method: 'INVITE',
      status_code: 0,
      cseq_method: 'INVITE',
      start_line: 'INVITE sip:2155550101@x SIP/2.0',
      raw: 'all',
    }
    expect(maskedMessage(message as never)).toMatchObject({ method: 'INVITE', start_line: 'INVITE', raw: '' })
    const answer = { ...message, method: '', status_code: 302, start_line: 'SIP/2.0 302 to tel:2155550101' }
    expect(maskedMessage(answer as never)).toMatchObject({ start_line: 'SIP/2.0 302 to tel:…01', raw: '' })
  })
})
