import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IDENTITY_MAX_CHARS } from '../../sip/passport.js'
import {
  OPT_DEPTH_MAX,
  partyForms,
  readPassport,
  rebuiltClaims,
  withNested,
} from '../../sip/passport-claims.js'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const SIGNATURE = 'x'.repeat(86)
const HEADER = { alg: 'ES256', ppt: 'shaken', typ: 'passport', x5u: 'https://c.example/s' }
const CLAIMS = {
  attest: 'A',
  dest: { tn: ['13125550123'] },
  iat: 1_795_217_976,
  orig: { tn: '14155551000' },
  origid: 'x',
}
const tokenOf = (claims: object, header: object = HEADER) => `${part(header)}.${part(claims)}.${SIGNATURE}`
const INFO = ';info=<https://c.example/s>;alg=ES256;ppt="shaken"'

describe('a PASSporT with everything in it', () => {
  test('what is signed are the bytes as they came, white space of folding taken out', () => {
    const token = tokenOf(CLAIMS)
    const passport = readPassport(`${token.slice(0, 50)} \r\n ${token.slice(50)}${INFO}`)
    expect(passport).toMatchObject({
      problem: '',
      digest: token,
      signed: token.slice(0, token.lastIndexOf('.')),
      header: { alg: 'ES256', typ: 'passport', hasCrit: false },
      info: 'https://c.example/s',
      alg: 'ES256',
      ppt: 'shaken',
      isCanonical: true,
      rawClaims: '',
    })
    expect(passport.signature).toHaveLength(64)
  })

  test('RFC 8225 §9: other orders and white space are not canonical', () => {
    expect(readPassport(tokenOf({ ...CLAIMS, attest: undefined, zeta: 1, alpha: 2 })).isCanonical).toBe(false)
    const spaced = Buffer.from(JSON.stringify(CLAIMS, null, 1)).toString('base64url')
    expect(readPassport(`${part(HEADER)}.${spaced}.${SIGNATURE}`).isCanonical).toBe(false)
  })

  test('claims of kinds that are not read are kept as they came, up to 4,096 characters', () => {
    const rph = readPassport(tokenOf({ ...CLAIMS, rph: { auth: ['ets.0'] } }, { ...HEADER, ppt: 'rph' }))
    expect(JSON.parse(rph.rawClaims)).toHaveProperty('rph.auth', ['ets.0'])
    const rcd = readPassport(tokenOf({ rcd: { nam: 'n'.repeat(6_000) } }, { ...HEADER, ppt: 'rcd' }))
    expect(rcd.rawClaims).toHaveLength(4_096)
  })

  test('a div-o token holds another, and so on, as deep as is read', () => {
    let token = tokenOf(CLAIMS)
    for (let depth = 0; depth < OPT_DEPTH_MAX + 2; depth++) {
      token = tokenOf({ ...CLAIMS, div: { tn: '1' }, opt: token }, { ...HEADER, ppt: 'div-o' })
    }
    const nested = withNested(readPassport(token))
    expect(nested.map(({ depth }) => depth)).toEqual([0, 1, 2, 3, 4])
    expect(nested.map(({ isOptTooDeep }) => isOptTooDeep)).toEqual([false, false, false, false, true])
    expect(withNested(readPassport(tokenOf({ opt: 'x' }, { ...HEADER, ppt: 'div-o' })))).toHaveLength(2)
    expect(withNested(readPassport(tokenOf({ opt: 7 }, { ...HEADER, ppt: 'div-o' })))).toHaveLength(1)
  })

  test('parties of the signalling in the forms of RFC 8224 §8', () => {
    const forms = (text: string) => {
      const { tn, uri, isGlobal } = partyForms(text)
      return [tn, uri, isGlobal]
    }
    expect(forms('"A" <sip:+1-215.555(0100)@Host.Example:5070;user=phone>;tag=1')).toEqual([
      '12155550100',
      'sip:+1-215.555(0100)@host.example',
      true,
    ])
    expect(forms('<tel:+12155550100;verstat=x>')).toEqual(['12155550100', '', true])
    expect(forms('sip:Alice@Example.com')).toEqual(['', 'sip:alice@example.com', false])
    expect(forms('<sip:*99@a.example>')[0]).toBe('*99')
    expect(forms('<sip:anonymous@anonymous.invalid>')).toEqual(['', '', false])
    expect(forms('')).toEqual(['', '', false])
  })

  test('a compact token may have been signed over this', () => {
    const call = {
      from: '<sip:+14155551000@a>',
      to: '<sip:bob@b.example>',
      assertedIdentities: ['<tel:+14155551001>'],
      date: 'Fri, 25 Sep 2015 19:12:25 GMT',
    }
    const rebuilt = rebuiltClaims('https://c.example/s', call)
    expect(rebuilt).toHaveLength(4)
    const [header, claims] = rebuilt[0]!.signed
      .split('.')
      .map((text) => Buffer.from(text, 'base64url').toString())
    expect(header).toBe('{"alg":"ES256","typ":"passport","x5u":"https://c.example/s"}')
    expect(claims).toBe('{"dest":{"uri":["sip:bob@b.example"]},"iat":1443208345,"orig":{"tn":"14155551000"}}')
    expect(rebuiltClaims('x', { ...call, date: '' })).toEqual([])
    expect(rebuiltClaims('x', { ...call, date: '2015-09-25' })).toEqual([])
    expect(rebuiltClaims('x', { ...call, to: '' })).toEqual([])
  })

  test('bytes of any kind give a token or a problem, in bounded time (fuzz)', () => {
    const whole = `${tokenOf(CLAIMS)}${INFO}`
    const mangled = fc
      .tuple(fc.nat(whole.length), fc.nat(50), fc.string({ unit: 'binary', maxLength: 40 }))
      .map(([at, cut, text]) => whole.slice(0, at) + text + whole.slice(at + cut))
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), mangled),
        fc.boolean(),
        (text, isCut) => {
          const passport = readPassport(text, isCut)
          expect(
            passport.problem !== '' ||
              passport.token.form !== 'malformed' ||
              passport.token.problem === 'bad_attest',
          ).toBe(true)
          partyForms(text)
        },
      ),
      { numRuns: 500 },
    )
    expect(readPassport('A'.repeat(IDENTITY_MAX_CHARS + 1)).problem).toBe('too_long')
    expect(readPassport(' '.repeat(200_000)).problem).toBe('too_long')
  })
})
