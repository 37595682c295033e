import { generateKeyPairSync, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PassportWriter } from '../../../bin/demo/passports.js'
import { attestationOf, readIdentity } from '../../../sip/passport.js'

const claims = {
  attestation: 'B' as const,
  signer: 'aldermoor.example',
  caller: '+12025550123',
  callee: '+442079460999',
  issuedAtS: 1_795_000_000,
}

describe('demo PASSporTs', () => {
  it('carry the claims in full form, keys in order and without white space', () => {
    const header = new PassportWriter({ seed: 1 }).identity(claims)
    const [token, ...parameters] = header.split(';')
    const [head, payload, signature] = token!.split('.').map((part) => Buffer.from(part, 'base64url'))
    expect(head!.toString()).toBe(
      '{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://certificates.aldermoor.example/shaken.pem"}',
    )
    expect(payload!.toString()).toMatch(
      /^\{"attest":"B","dest":\{"tn":\["442079460999"\]\},"iat":1795000000,"orig":\{"tn":"12025550123"\},"origid":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"\}$/,
    )
    expect(signature).toHaveLength(64)
    expect(parameters).toEqual([
      'info=<https://certificates.aldermoor.example/shaken.pem>',
      'alg=ES256',
      'ppt="shaken"',
    ])
    expect(readIdentity(header)).toMatchObject({
      form: 'full',
      attest: 'B',
      orig: '12025550123',
      problem: '',
    })
  })

  it('verify under the key of their signer; those of one without a key verify under none', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const writer = new PassportWriter({ seed: 1, keys: new Map([[claims.signer, privateKey]]) })
    const isSigned = (signer: string) => {
      const [head, payload, signature] = writer
        .identity({ ...claims, signer })
        .split(';')[0]!
        .split('.')
      const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const }
      return verify('sha256', Buffer.from(`${head}.${payload}`), key, Buffer.from(signature!, 'base64url'))
    }
    expect([isSigned(claims.signer), isSigned('fenholt.example')]).toEqual([true, false])
  })

  it('are the same with keys and without, but for the signature', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const [signed, random] = [new Map([[claims.signer, privateKey]]), undefined].map((keys) => {
      const writer = new PassportWriter({ seed: 1, keys })
      return ['B', 'malformed', 'A'].map((attestation) =>
        writer.identity({ ...claims, attestation: attestation as 'A' }).replace(/\.[^.;]{86};/, '.;'),
      )
    })
    expect(signed).toEqual(random)
  })

  it('are the same for the same seed, and without attestation there is no header', () => {
    const one = new PassportWriter({ seed: 5 })
    const other = new PassportWriter({ seed: 5 })
    expect(one.identity(claims)).toBe(other.identity(claims))
    expect(one.identity({ ...claims, attestation: 'none' })).toBe('')
  })

  it('go wrong in three ways when malformed, and no reader takes a level from them', () => {
    const writer = new PassportWriter({ seed: 2 })
    const problems = new Set<string>()
    for (let index = 0; index < 60; index++) {
      const token = readIdentity(writer.identity({ ...claims, attestation: 'malformed' }))
      expect(attestationOf([token])).toBe('malformed')
      problems.add(token.problem)
    }
    expect([...problems].sort()).toEqual(['bad_attest', 'bad_json', 'not_a_token'])
  })
})
