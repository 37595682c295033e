import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HepFrame } from '../../schemas/hep-frame.js'
import type { IdentityToken } from '../../schemas/passport.js'
import { decodeHep3 } from '../../sip/hep3.js'
import { Hep3StreamReader } from '../../sip/hep3-stream.js'
import { attestationOf, IDENTITY_MAX_CHARS, readIdentity } from '../../sip/passport.js'
import { readSip } from '../../sip/sip-message.js'

// RFC 8225 §7.1 = RFC 8224 §4.1.1.
const V1 =
  'eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9.eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6IjE0NDMyMDgzNDUiLCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifX0.rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w'
// RFC 8946 §6, the inner token.
const V2 =
  'eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly93d3cuZXhhbXBsZS5jb20vY2VydC5jZXIifQ.eyJkZXN0Ijp7InRuIjpbIjEyMTU1NTUxMjEzIl19LCJpYXQiOjE0NDMyMDgzNDUsIm9yaWciOnsidG4iOiIxMjE1NTU1MTIxMiJ9fQ.1bEzkzcNbKvgz4QoMx0_DJ2T8qFMDC1sPqHPXl1WvbauzRJRvYlZqQ0qgGTlS8tJ_wXjVe07Z3wvDrdApHhhYw'
// RFC 8946 §3, a div token.
const V3 =
  'eyJhbGciOiJFUzI1NiIsInBwdCI6ImRpdiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly93d3cuZXhhbXBsZS5jb20vY2VydC5jZXIifQ.eyJkZXN0Ijp7InRuIjpbIjEyMTU1NTUxMjE0Il19LCJkaXYiOnsidG4iOiIxMjE1NTU1NTEyMTMifSwiaWF0IjoxNDQzMjA4MzQ1LCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifX0.xBHWipDEEJ8a6TsdX6xUXAnblsFiGUiAxwLiv0HLC9IICj6eG9jQd6WzeSSjHRBwxmChHhVIiMTSqIlk3yCNkg'

const SIGNATURE = 'x'.repeat(86)
const CLAIMS = {
  attest: 'A',
  dest: { tn: ['13125550123'] },
  iat: 1_795_217_976,
  orig: { tn: '14155551000' },
  origid: '11111111-2222-4333-8444-555555555555',
}
const INFO = ';info=<https://c.example/s>'

function token(header: object, claims: unknown, encoding: BufferEncoding = 'base64url'): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString(encoding)
  return `${part({ alg: 'ES256', typ: 'passport', x5u: 'https://c.example/s', ...header })}.${part(claims)}.${SIGNATURE}`
}

/** A shaken token with some claims changed. */
function shaken(claims: object = {}): IdentityToken {
  return readIdentity(`${token({ ppt: 'shaken' }, { ...CLAIMS, ...claims })}${INFO};ppt=shaken`)
}

describe('passport', () => {
  test('V1: the token of RFC 8225 §7.1, with iat as a string, is read', () => {
    expect(readIdentity(`${V1};info=<https://cert.example.org/passport.cer>;alg=ES256`)).toEqual({
      form: 'full',
      ppt: '',
      attest: '',
      orig: '12155551212',
      dest: ['sip:alice@example.com'],
      iatS: 1_443_208_345,
      x5u: 'https://cert.example.org/passport.cer',
      origId: '',
      div: '',
      tokenHash: expect.stringMatching(/^[0-9a-f]{32}$/),
      problem: '',
    })
  })

  test('V2: the inner token of RFC 8946 §6 is read', () => {
    expect(readIdentity(`${V2};info=<https://www.example.com/cert.cer>`)).toMatchObject({
      form: 'full',
      orig: '12155551212',
      dest: ['12155551213'],
      iatS: 1_443_208_345,
      x5u: 'https://www.example.com/cert.cer',
    })
  })

  test('V3: the div token of RFC 8946 §3 is read, and its div.tn is not the dest of V2', () => {
    const v3 = readIdentity(`${V3};info=<https://www.example.com/cert.cer>;ppt="div"`)
    expect(v3).toMatchObject({
      form: 'full',
      ppt: 'div',
      attest: '',
      div: '121555551213',
      dest: ['12155551214'],
    })
    expect(readIdentity(V2).dest).not.toContain(v3.div)
  })

  test('a shaken token is read', () => {
    expect(shaken()).toMatchObject({
      form: 'full',
      ppt: 'shaken',
      attest: 'A',
      orig: '14155551000',
      dest: ['13125550123'],
      iatS: 1_795_217_976,
      x5u: 'https://c.example/s',
      origId: '11111111-2222-4333-8444-555555555555',
      problem: '',
    })
  })

  test('every Identity of the Kamailio capture is a full shaken token with a fresh iat', () => {
    const capture = readFileSync(new URL('../fixtures/hep/kamailio-siptrace.hep', import.meta.url))
    const counts: Record<string, number> = {}
    new Hep3StreamReader().push(capture, (bytes, start, end) => {
      const frame = decodeHep3(bytes, start, end) as HepFrame
      const message = readSip(frame.payload)
      if (message.method !== 'INVITE') return
      const read = message.identities.map(readIdentity)
      expect(read).toHaveLength(1)
      expect(read[0]).toMatchObject({ form: 'full', ppt: 'shaken', problem: '' })
      expect(Math.abs(read[0]!.iatS - frame.capturedAtUs / 1_000_000)).toBeLessThan(60)
      const attestation = attestationOf(read)
      counts[attestation] = (counts[attestation] ?? 0) + 1
    })
    // Each call is seen on two legs: the truth file counts one of them.
    expect(counts).toEqual({ A: 2 * 24, B: 2 * (9 + 15), C: 2 * 13 })
  })

  test('base64 with + / and = is read like base64url', () => {
    const text = token({ ppt: 'shaken' }, { ...CLAIMS, origid: '>>>???~~~' }, 'base64')
    expect(text).toMatch(/[+/=]/)
    expect(readIdentity(text + INFO)).toMatchObject({ form: 'full', attest: 'A', origId: '>>>???~~~' })
  })

  test('ppt is read quoted and unquoted, and a token without it takes that of the header', () => {
    const bare = token({}, CLAIMS)
    expect(readIdentity(`${bare}${INFO};ppt=shaken`).ppt).toBe('shaken')
    expect(readIdentity(`${bare}${INFO};ppt="SHAKEN"`).ppt).toBe('shaken')
    expect(readIdentity(`${bare}${INFO}`)).toMatchObject({ ppt: '', attest: 'A' })
    expect(readIdentity(`${token({ ppt: 'rph' }, CLAIMS)}${INFO};ppt=shaken`)).toMatchObject({
      ppt: 'rph',
      attest: '',
    })
  })

  test('folding leaves no mark: white space inside the token changes neither claims nor hash', () => {
    const text = token({ ppt: 'shaken' }, CLAIMS)
    const folded = `${text.slice(0, 40)} ${text.slice(40, 200)}\t${text.slice(200)} ; info=<https://c.example/s> ; ppt = shaken`
    expect(readIdentity(folded)).toEqual(readIdentity(text + INFO))
  })

  test('the compact form has no claims; its certificate is that of info', () => {
    expect(readIdentity(`..${SIGNATURE};info=<https://c.example/s>;ppt=shaken`)).toMatchObject({
      form: 'compact',
      ppt: 'shaken',
      attest: '',
      x5u: 'https://c.example/s',
      problem: '',
    })
  })

  test.each([
    [{ dest: { tn: '1312' } }, { dest: ['1312'] }],
    [
      { dest: { tn: ['+1 (312) 555-0123', 13125550124], uri: 'SIP:Bob@Example.com:5060;x=1' } },
      { dest: ['13125550123', '13125550124', 'sip:bob@example.com'] },
    ],
    [{ dest: null }, { dest: [] }],
    [{ dest: { tn: Array(500).fill('1') } }, { dest: Array(32).fill('1') }],
    [{ orig: { uri: 'sip:Alice@Example.com' } }, { orig: 'sip:alice@example.com' }],
    [{ orig: { tn: '+1-415*#' } }, { orig: '1415*#' }],
    [{ orig: 'x' }, { orig: '' }],
    [{ iat: '1795217976' }, { iatS: 1_795_217_976 }],
    [{ iat: 1_795_217_976.9 }, { iatS: 1_795_217_976 }],
    [{ iat: -1 }, { iatS: 0 }],
    [{ iat: 1e300 }, { iatS: 0 }],
    [{ iat: {} }, { iatS: 0 }],
    [{ origid: 7 }, { origId: '' }],
  ])('claims %j are tolerated', (claims, read) => {
    expect(shaken(claims)).toMatchObject({ form: 'full', ...read })
  })
})

describe('passport problems', () => {
  const whole = token({ ppt: 'shaken' }, CLAIMS)

  test('an attest other than A, B or C is bad_attest', () => {
    for (const attest of ['a', 'D', '', 1, null, ['A'], undefined]) {
      expect(shaken({ attest })).toMatchObject({
        form: 'malformed',
        problem: 'bad_attest',
        attest: '',
        orig: '14155551000',
      })
    }
  })

  test('a header cut anywhere in its token is truncated; cut behind the signature it is whole', () => {
    const value = `${whole};info=<https://c.example/s>;ppt=shaken`
    for (let size = 3; size < value.length; size++) {
      const { form, problem } = readIdentity(value.slice(0, size))
      expect([form, problem], `${size} of ${value.length}`).toEqual(
        size < whole.length ? ['malformed', 'truncated'] : ['full', ''],
      )
    }
  })

  test('a signature that is cut leaves the claims legible', () => {
    expect(readIdentity(whole.slice(0, -1))).toMatchObject({
      problem: 'truncated',
      attest: 'A',
      ppt: 'shaken',
    })
  })

  test.each([
    ['', 'not_a_token'],
    ['abc', 'not_a_token'],
    ['a.b.c.d', 'not_a_token'],
    [`..${INFO}`, 'not_a_token'],
    [`.a.${SIGNATURE}${INFO}`, 'not_a_token'],
    [`a..${SIGNATURE}${INFO}`, 'not_a_token'],
    ['"r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2Wxhg="', 'not_a_token'], // RFC 4474
    [`ey!.b.${SIGNATURE}${INFO}`, 'not_a_token'],
    [`AAAA.AAAA.${SIGNATURE}${INFO}`, 'bad_json'],
    [`${token({}, [1])}${INFO}`, 'bad_json'],
    [`${token({}, 'text')}${INFO}`, 'bad_json'],
    [`${token({}, null)}${INFO}`, 'bad_json'],
    [`${token({ ppt: 'shaken' }, 'x'.repeat(IDENTITY_MAX_CHARS))}${INFO}`, 'too_long'],
  ])('%s gives %s', (value, problem) => {
    expect(readIdentity(value)).toMatchObject({ form: 'malformed', problem })
  })

  test('deeply nested JSON and names of object internals do no harm', () => {
    const part = (text: string) => Buffer.from(text).toString('base64url')
    const deep = `${part('{"ppt":"shaken"}')}.${part('['.repeat(6_000))}.${SIGNATURE}${INFO}`
    expect(readIdentity(deep)).toMatchObject({ problem: 'bad_json' })
    const internals = `${part('{"ppt":"shaken"}')}.${part('{"__proto__":{"attest":"A"},"constructor":1}')}.${SIGNATURE}${INFO}`
    expect(readIdentity(internals)).toMatchObject({ problem: 'bad_attest' })
  })

  test('any text gives a token or a problem', () => {
    const edits = fc.array(
      fc.tuple(fc.nat(whole.length), fc.constantFrom('.', ';', '"', '<', '>', '=', ' ', '\0', 'A', '')),
      { maxLength: 5 },
    )
    const property = fc.property(edits, fc.nat(whole.length + 40), (changes, size) => {
      let text = `${whole}${INFO};ppt="shaken"`
      for (const [at, letter] of changes) text = text.slice(0, at) + letter + text.slice(at + 1)
      const read = readIdentity(text.slice(0, size))
      expect(read.form === 'malformed').toBe(read.problem !== '')
      attestationOf([read])
    })
    fc.assert(property, { numRuns: 3_000 })
  })
})

describe('attestation', () => {
  const div = readIdentity(`${V3}${INFO}`)
  const baseline = readIdentity(`${V2}${INFO}`)
  const cut = readIdentity('eyJhbGciOiJFUzI1')

  test('the first shaken token decides', () => {
    expect(attestationOf([div, shaken({ attest: 'B' }), shaken()])).toBe('B')
    expect(attestationOf([baseline, shaken({ attest: 'C' })])).toBe('C')
  })

  test('a shaken token without a legible attest is malformed, whatever follows', () => {
    expect(attestationOf([shaken({ attest: 'X' }), shaken()])).toBe('malformed')
    expect(attestationOf([readIdentity(`..${SIGNATURE}${INFO};ppt=shaken`)])).toBe('malformed')
  })

  test('no token, or only tokens of other kinds, is none', () => {
    expect(attestationOf([])).toBe('none')
    expect(attestationOf([div, baseline])).toBe('none')
  })

  test('only malformed tokens are malformed, and so is one that could have been shaken', () => {
    expect(attestationOf([cut])).toBe('malformed')
    expect(attestationOf([readIdentity(`AAAA.AAAA.${SIGNATURE}${INFO};ppt=div`)])).toBe('malformed')
    expect(attestationOf([div, cut])).toBe('malformed')
    expect(attestationOf([readIdentity(`AAAA.AAAA.${SIGNATURE}${INFO};ppt=div`), div])).toBe('none')
  })

  test('a token without ppt that claims an attest counts as shaken', () => {
    expect(attestationOf([readIdentity(`${token({}, CLAIMS)}${INFO}`)])).toBe('A')
  })
})
