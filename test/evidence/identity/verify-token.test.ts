import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FAILING_FINDINGS } from '../../../schemas/identity-checks.js'
import {
  CALL,
  CLAIMS,
  certificateWith,
  DIV_O,
  INFO,
  INVITED_S,
  KEY,
  KEY_8946,
  KEY_A2,
  pair,
  shaken,
  spkiOf,
  tokenOf,
  V1,
  V2,
  V3,
  verdictsOf,
  X5U,
} from './tokens.js'

const OF_8225 = {
  invitedAtUs: 1_443_208_345e6,
  from: 'Bob <sip:12155551212@example.com;user=phone>;tag=1928301774>',
  to: 'Alice <sip:alice@example.com>',
  requestUri: 'sip:alice@example.com',
  assertedIdentities: [],
}
const OF_8946 = {
  ...OF_8225,
  to: '<sip:12155551213@example.com>',
  requestUri: 'sip:12155551214@example.com',
}
const INFO_8225 = ';info=<https://cert.example.org/passport.cer>'
const INFO_8946 = ';info=<https://www.example.com/cert.cer>'

describe('published tokens', () => {
  test('V1: the token of RFC 8225 §7.1 is valid under the key of A.2, and verified', async () => {
    const [verdict] = await verdictsOf([`${V1}${INFO_8225}`], OF_8225, certificateWith(KEY_A2))
    expect(verdict).toMatchObject({
      signature: 'valid',
      signatureReason: '',
      verified: 'passed',
      origMatch: 'match',
      destMatch: 'match',
      iatDeltaMs: 0,
      findings: [],
    })
  })

  test('V1 in compact form: the claims are rebuilt from Date, From and To', async () => {
    const compact = `..${V1.split('.')[2]}${INFO_8225}`
    const call = { ...OF_8225, date: 'Fri, 25 Sep 2015 19:12:25 GMT' }
    const [verdict] = await verdictsOf([compact], call, certificateWith(KEY_A2))
    expect(verdict).toMatchObject({
      form: 'compact',
      signature: 'valid',
      orig: '12155551212',
      dest: ['sip:alice@example.com'],
      iatS: 1_443_208_345,
      verified: 'passed',
    })
    const [other] = await verdictsOf(
      [compact],
      { ...call, date: 'Fri, 25 Sep 2015 19:12:26 GMT' },
      certificateWith(KEY_A2),
    )
    expect(other).toMatchObject({
      signature: 'invalid',
      signatureReason: 'compact_mismatch',
      verified: 'failed',
    })
    const [dateless] = await verdictsOf([compact], OF_8225, certificateWith(KEY_A2))
    expect(dateless).toMatchObject({ signature: 'not_checked', signatureReason: 'compact_incomplete' })
    const [extended] = await verdictsOf([`${compact};ppt=shaken`], call, certificateWith(KEY_A2))
    expect(extended).toMatchObject({ signature: 'not_checked', signatureReason: 'compact_extended' })
  })

  test('the token of RFC 8225 Appendix A is valid under neither of its keys', async () => {
    const token =
      'eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9.' +
      'eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19.' +
      'VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEOWQ_iUqqk79UD81fHQ0E1b3_GluIkba7UWYRM47ZbNFdOJquE35cw'
    for (const key of [KEY_A2, KEY_8946]) {
      const [verdict] = await verdictsOf([`${token}${INFO_8225}`], OF_8225, certificateWith(key))
      expect(verdict).toMatchObject({ signature: 'invalid', signatureReason: 'signature_mismatch' })
    }
  })

  test('V2 and V3 are valid, and their chain is broken: div.tn has twelve digits', async () => {
    const verdicts = await verdictsOf(
      [`${V3}${INFO_8946};ppt="div"`, `${V2}${INFO_8946}`],
      OF_8946,
      certificateWith(KEY_8946),
    )
    expect(verdicts.map(({ signature }) => signature)).toEqual(['valid', 'valid'])
    expect(verdicts[0]).toMatchObject({ chain: 'broken', verified: 'failed' })
    expect(verdicts[0]!.findings).toEqual(['div_without_previous'])
    expect(verdicts[1]).toMatchObject({ chain: 'none', verified: 'passed' })
  })

  test('the div-o token of RFC 8946 §6 and the one nested in it are valid', async () => {
    const verdicts = await verdictsOf(
      [`${DIV_O}${INFO_8946};ppt="div-o"`],
      OF_8946,
      certificateWith(KEY_8946),
    )
    expect(verdicts.map(({ signature, passport }) => [signature, passport.depth])).toEqual([
      ['valid', 0],
      ['valid', 1],
    ])
    expect(verdicts[0]!.dest).toEqual(['12155551214'])
    expect(verdicts[0]!.findings).toContain('div_without_previous') // The same twelve digits.
  })
})

describe('a token of our own', () => {
  test('is verified: the three levels stay apart', async () => {
    const [verdict] = await verdictsOf([shaken()])
    expect(verdict).toMatchObject({
      form: 'full',
      signature: 'valid',
      verified: 'passed',
      signerId: '709J',
      iatDeltaMs: 4_000,
      findings: [],
    })
    expect(verdict!.passport.token.attest).toBe('A')
  })

  test('without roots nothing is verified, and the signature is valid all the same', async () => {
    const found = { ...certificateWith(KEY), trust: 'no_roots' as const } as ReturnType<
      typeof certificateWith
    >
    const [verdict] = await verdictsOf([shaken()], {}, found)
    expect(verdict).toMatchObject({
      signature: 'valid',
      verified: 'not_checked',
      findings: ['roots_not_configured'],
    })
  })

  test('without its certificate it is not checked', async () => {
    const [verdict] = await verdictsOf([shaken()], {}, { reason: 'no_certificate' })
    expect(verdict).toMatchObject({
      signature: 'not_checked',
      signatureReason: 'no_certificate',
      verified: 'not_checked',
      signerId: 'cert.example.org',
    })
  })

  test('60 s is fresh, 61 s is stale, and the future is told apart', async () => {
    const at = async (ageS: number) => (await verdictsOf([shaken({ iat: INVITED_S - ageS })]))[0]!
    expect(await at(60)).toMatchObject({ findings: [], iatDeltaMs: 60_000, verified: 'passed' })
    expect(await at(61)).toMatchObject({ findings: ['iat_stale'], iatDeltaMs: 61_000, verified: 'failed' })
    expect(await at(-61)).toMatchObject({ findings: ['iat_in_future'], iatDeltaMs: -61_000 })
    expect(await at(INVITED_S)).toMatchObject({ findings: ['iat_missing'], iatDeltaMs: null })
  })

  test('one changed bit anywhere in what is signed makes it invalid', async () => {
    const token = shaken()
    const dots = [token.indexOf('.'), token.indexOf('.', token.indexOf('.') + 1)] as const
    for (const at of [dots[0] + 10, dots[1] + 4, dots[1] + 60]) {
      const other = token[at] === 'A' ? 'B' : 'A'
      const [verdict] = await verdictsOf([token.slice(0, at) + other + token.slice(at + 1)])
      expect(verdict!.signature).toBe('invalid')
      expect(verdict!.verified).toBe('failed')
    }
  })

  test.each([
    ['alg none', { alg: 'none' }, 'algorithm_not_es256'],
    ['HS256', { alg: 'HS256' }, 'algorithm_not_es256'],
    ['es256 in small letters', { alg: 'es256' }, 'algorithm_not_es256'],
    ['no alg', { alg: undefined }, 'algorithm_not_es256'],
    ['another typ', { typ: 'JWT' }, 'type_not_passport'],
    ['crit', { crit: ['b64'], b64: false }, 'critical_header'],
  ])('%s is invalid, whatever its signature', async (_, header, reason) => {
    expect((await verdictsOf([shaken({}, header)]))[0]).toMatchObject({
      signature: 'invalid',
      signatureReason: reason,
    })
  })

  test('an unsecured token, a signature as DER, one too short or too long are invalid', async () => {
    const [header, claims] = shaken().split('.') as [string, string, string]
    const der = sign('sha256', Buffer.from(`${header}.${claims}`), pair.privateKey).toString('base64url')
    const raw = shaken().split(';')[0]!
    for (const [value, reason] of [
      [`${header}.${claims}.${INFO}`, 'not_a_token'],
      [`${header}.${claims}.${der}${INFO}`, 'signature_not_raw'],
      [`${raw.slice(0, -2)}${INFO}`, 'signature_not_raw'],
      [`${raw}AAAA${INFO}`, 'signature_not_raw'],
    ] as const) {
      expect((await verdictsOf([value]))[0]).toMatchObject({ signature: 'invalid', signatureReason: reason })
    }
  })

  test('a key of another curve checks nothing', async () => {
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const value = `${tokenOf({}, CLAIMS, createPrivateKey(p384.privateKey.export({ type: 'pkcs8', format: 'pem' })))}${INFO}`
    expect(spkiOf(p384.publicKey)).not.toBe('')
    expect((await verdictsOf([value]))[0]).toMatchObject({ signatureReason: 'signature_not_raw' })
    const [verdict] = await verdictsOf([shaken()], {}, certificateWith(''))
    expect(verdict).toMatchObject({ signature: 'not_checked', signatureReason: 'key_not_p256' })
  })

  test('a kind that nobody here checks is ignored; rph and rcd are checked and kept raw', async () => {
    const [other] = await verdictsOf([shaken({}, { ppt: 'xyz' })])
    expect(other).toMatchObject({ signature: 'not_checked', signatureReason: 'ppt_unsupported' })
    const { attest: _, origid: __, ...base } = CLAIMS
    const rph = tokenOf({ ppt: 'rph' }, { ...base, rph: { auth: ['ets.0'] } })
    const [rphVerdict] = await verdictsOf([`${rph};info=<${X5U}>;ppt=rph`])
    expect(rphVerdict).toMatchObject({ signature: 'valid', verified: 'passed' })
    expect(rphVerdict!.passport.rawClaims).toContain('"rph":{"auth":["ets.0"]}')
    const rcd = tokenOf({ ppt: 'rcd' }, { ...base, rcd: { nam: 'Example' } })
    expect((await verdictsOf([`${rcd};info=<${X5U}>;ppt=rcd`]))[0]!.passport.rawClaims).toContain(
      '"nam":"Example"',
    )
    expect(
      (await verdictsOf([`${tokenOf({ ppt: 'rph' }, base)};info=<${X5U}>;ppt=rph`]))[0]!.findings,
    ).toContain('claim_missing')
  })

  test('the originator is that of the signalling', async () => {
    const with_ = async (call: object, claims: object = {}) => {
      const [verdict] = await verdictsOf([shaken(claims)], call)
      return [verdict!.origMatch, ...verdict!.findings]
    }
    expect(await with_({ assertedIdentities: ['<tel:+1-415-555-1000>'] })).toEqual(['match'])
    expect(await with_({ assertedIdentities: ['<sip:+14155551001@a.example>'] })).toEqual([
      'match',
      'orig_is_from_only',
    ])
    expect(await with_({ assertedIdentities: [], from: '<sip:4155551000@a.example>' })).toEqual([
      'match',
      'orig_without_country_code',
    ])
    expect(await with_({ assertedIdentities: [], from: '<sip:+14155551009@a.example>' })).toEqual([
      'mismatch',
      'orig_mismatch',
    ])
    expect(await with_({ assertedIdentities: [], from: '"A" <sip:anonymous@anonymous.invalid>' })).toEqual([
      'unknown',
    ])
    expect(await with_({}, { orig: {} })).toEqual(['unknown', 'orig_missing'])
    expect(
      await with_(
        { assertedIdentities: [], from: '<SIP:Bob@Example.COM:5070;x=1>' },
        { orig: { uri: 'sip:bob@example.com' } },
      ),
    ).toEqual(['match'])
  })

  test('the destination is that of To or of the Request-URI', async () => {
    const elsewhere = '<sip:+13125550199@a.example>'
    const [byTo] = await verdictsOf([shaken()], { requestUri: 'sip:+13125550199@a.example' })
    const [byUri] = await verdictsOf([shaken()], { to: elsewhere })
    const [neither] = await verdictsOf([shaken()], {
      to: elsewhere,
      requestUri: 'sip:+13125550199@a.example',
    })
    expect([byTo!.destMatch, byUri!.destMatch, neither!.destMatch]).toEqual(['match', 'match', 'mismatch'])
    expect(neither).toMatchObject({ verified: 'failed', findings: ['dest_mismatch'] })
  })

  test('info must be the x5u, parameters must be those of the token', async () => {
    const token = shaken().split(';')[0]!
    const findings = async (parameters: string) => (await verdictsOf([token + parameters]))[0]!.findings
    expect(await findings(`;info=<${X5U}?>;ppt=shaken`)).toEqual(['info_is_not_x5u'])
    expect(await findings(';ppt=shaken')).toEqual(['info_missing'])
    expect(await findings(`;info=<${X5U}>;ppt=rph`)).toEqual(
      ['claim_missing', 'ppt_is_not_of_token'].slice(1),
    )
    expect(await findings(`;info=<${X5U}>;alg=RS256;ppt="shaken"`)).toEqual(['algorithm_is_not_of_token'])
  })

  test('claims out of order are valid over the bytes received, and said', async () => {
    const { dest, ...rest } = CLAIMS
    const [verdict] = await verdictsOf([`${tokenOf({}, JSON.stringify({ ...rest, dest }))}${INFO}`])
    expect(verdict).toMatchObject({ signature: 'valid', findings: ['not_canonical'], verified: 'passed' })
  })
})

describe('a certificate', () => {
  const withCertificate = async (changes: object, trust: object | string = { fromMs: 0, toMs: 8e15 }) => {
    const found = certificateWith(KEY) as Extract<
      ReturnType<typeof certificateWith>,
      { certificate: unknown }
    >
    const [verdict] = await verdictsOf(
      [shaken()],
      {},
      {
        certificate: { ...found.certificate, ...changes },
        trust: trust as never,
      },
    )
    return [verdict!.verified, ...verdict!.findings]
  }
  test('counts at the time of the call', async () => {
    const at = INVITED_S * 1_000
    expect(await withCertificate({ notAfterMs: at })).toEqual(['passed'])
    expect(await withCertificate({ notAfterMs: at - 1 })).toEqual(['failed', 'certificate_expired'])
    expect(await withCertificate({ notBeforeMs: at + 1 })).toEqual(['failed', 'certificate_not_yet_valid'])
    expect(await withCertificate({}, { fromMs: 0, toMs: at - 1 })).toEqual([
      'failed',
      'certificate_untrusted',
    ])
    expect(await withCertificate({}, 'untrusted')).toEqual(['failed', 'certificate_untrusted'])
    expect(await withCertificate({ maySign: false })).toEqual(['failed', 'certificate_not_for_signing'])
  })
})

describe('a message that was cut', () => {
  test('at any byte of its last Identity header never makes that token invalid', async () => {
    const value = shaken()
    for (let length = 1; length < value.length; length++) {
      const [verdict] = await verdictsOf([value.slice(0, length)], { isCut: true })
      expect([length, verdict!.signature]).not.toEqual([length, 'invalid'])
      if (length < value.indexOf(';')) {
        expect(verdict).toMatchObject({
          signature: 'not_checked',
          signatureReason: 'truncated',
          verified: 'not_checked',
        })
      } else expect(verdict!.signature).toBe('valid')
    }
  })

  test('says nothing about the tokens before the last', async () => {
    const broken = shaken().replace('.', '.A')
    const verdicts = await verdictsOf([broken, shaken().slice(0, 100)], { isCut: true })
    expect(verdicts.map(({ signature }) => signature)).toEqual(['invalid', 'not_checked'])
  })
})

describe('diverted calls', () => {
  const base = (claims: object = {}) => shaken({ dest: { tn: ['13125550111'] }, ...claims })
  const div = (from: string, to: string, claims: object = {}, ppt = 'div') =>
    `${tokenOf({ ppt }, { dest: { tn: [to] }, div: { tn: from }, iat: CLAIMS.iat, orig: CLAIMS.orig, ...claims })};info=<${X5U}>;ppt=${ppt}`

  test('a whole chain in any order of headers is verified', async () => {
    const values = [base(), div('13125550111', '13125550112'), div('13125550112', '13125550123')]
    for (const order of [values, [...values].reverse(), [values[1]!, values[2]!, values[0]!]]) {
      const verdicts = await verdictsOf(order)
      expect(verdicts.map(({ chain, verified }) => [chain, verified])).toEqual(
        Array(3).fill(['whole', 'passed']),
      )
    }
    expect((await verdictsOf(values))[0]!.findings).toEqual(['dest_diverted'])
  })

  test('a changed originator, another target, a missing link and a ring break it', async () => {
    const findings = async (...values: string[]) =>
      (await verdictsOf(values)).map((verdict) => verdict.findings)
    expect(
      await findings(base(), div('13125550111', '13125550123', { orig: { tn: '14155551009' } })),
    ).toEqual([['dest_mismatch'], ['orig_mismatch', 'div_orig_changed']])
    expect((await findings(base(), div('13125550111', '13125550122')))[1]).toEqual([
      'div_last_is_not_target',
      'dest_mismatch',
    ])
    expect((await findings(base(), div('13125550112', '13125550123')))[1]).toEqual(['div_without_previous'])
    const ring = await verdictsOf([div('13125550111', '13125550123'), div('13125550123', '13125550111')])
    expect(ring.map(({ chain, verified }) => [chain, verified])).toEqual([
      ['broken', 'failed'],
      ['broken', 'failed'],
    ])
  })

  test('a div whose diverted token is invalid is not verified, nor is a diversion nobody signed for', async () => {
    const [header, claims, signature] = base().split('.') as [string, string, string]
    const invalid = `${header}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
    const verdicts = await verdictsOf([
      invalid,
      div('13125550111', '13125550112'),
      div('13125550112', '13125550123'),
    ])
    expect(verdicts.map(({ signature: said, verified }) => [said, verified])).toEqual([
      ['invalid', 'failed'],
      ['valid', 'failed'],
      ['valid', 'failed'],
    ])
    const unsigned = div('13125550111', '13125550123').replace(/\.[^.;]{86}/, `.${'A'.repeat(86)}`)
    expect((await verdictsOf([base(), unsigned]))[0]).toMatchObject({
      signature: 'valid',
      verified: 'failed',
    })
  })

  test('a div token may not hold opt; a div-o must; more than four in each other are not read', async () => {
    expect(
      (await verdictsOf([base(), div('13125550111', '13125550123', { opt: 'x' })]))[1]!.findings,
    ).toContain('div_with_opt')
    expect((await verdictsOf([div('13125550111', '13125550123', {}, 'div-o')]))[0]!.findings).toContain(
      'opt_missing',
    )
    const opt = base().split(';')[0]!
    const whole = await verdictsOf([div('13125550111', '13125550123', { opt }, 'div-o')])
    expect(whole.map(({ chain, verified }) => [chain, verified])).toEqual(Array(2).fill(['whole', 'passed']))
    let nested = opt
    for (let depth = 0; depth < 6; depth++)
      nested = div('13125550111', '13125550111', { opt: nested }, 'div-o').split(';')[0]!
    const deep = await verdictsOf([`${nested};info=<${X5U}>;ppt=div-o`])
    expect(deep).toHaveLength(5)
    expect(deep.at(-1)!.findings).toContain('opt_too_deep')
  })
})

describe('anything from the wire', () => {
  test('a huge token and nested JSON give a reason', async () => {
    const [huge] = await verdictsOf([`${'A'.repeat(200_000)}.${'B'.repeat(10)}.C${INFO}`])
    expect(huge).toMatchObject({ signature: 'not_checked', signatureReason: 'too_long' })
    const bomb = `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`
    const [verdict] = await verdictsOf([`${tokenOf({}, bomb)}${INFO}`])
    expect(verdict!.signature).toBe('valid')
    expect(verdict!.findings).toEqual(
      expect.arrayContaining(['not_canonical', 'orig_missing', 'dest_missing']),
    )
    expect(verdict!.verified).toBe('failed')
  })

  test('gives a verdict, never an exception (fuzz)', async () => {
    const valid = shaken()
    const mangled = fc
      .tuple(fc.nat(valid.length), fc.nat(40), fc.string({ unit: 'binary', maxLength: 30 }))
      .map(([at, cut, text]) => valid.slice(0, at) + text + valid.slice(at + cut))
    const json = fc.json().map((claims) => `${tokenOf({}, claims)}${INFO}`)
    const value = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), mangled, json)
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { maxLength: 5 }),
        fc.string({ maxLength: 60 }),
        fc.boolean(),
        async (values, text, isCut) => {
          const call = {
            from: text,
            to: text,
            requestUri: text,
            assertedIdentities: [text],
            date: text,
            isCut,
          }
          for (const verdict of await verdictsOf(values, call)) {
            if (verdict.verified !== 'passed') continue
            expect(verdict.signature).toBe('valid')
            expect(verdict.findings.some((finding) => FAILING_FINDINGS.has(finding))).toBe(false)
          }
        },
      ),
      { numRuns: 120 },
    )
  })

  test('a token that was changed in any way is not valid, unless what is signed is the same', async () => {
    const valid = shaken().split(';')[0]!
    await fc.assert(
      fc.asyncProperty(fc.nat(valid.length - 1), fc.constantFrom(...'ABCDabcd0189-_'), async (at, letter) => {
        const changed = valid.slice(0, at) + letter + valid.slice(at + 1)
        const same =
          changed.slice(0, changed.lastIndexOf('.')) === valid.slice(0, valid.lastIndexOf('.')) &&
          Buffer.from(changed.split('.')[2] ?? '', 'base64url').equals(
            Buffer.from(valid.split('.')[2]!, 'base64url'),
          )
        const [verdict] = await verdictsOf([`${changed}${INFO}`])
        expect(verdict!.signature === 'valid').toBe(same)
      }),
      { numRuns: 150 },
    )
  })

  test('what a call says of itself is of no use to who forges: CALL is the one that verifies', async () => {
    expect((await verdictsOf([shaken()], CALL))[0]!.verified).toBe('passed')
  })
})
