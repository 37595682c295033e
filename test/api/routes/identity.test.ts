import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../api/deps.js'
import { type IdentityCheckJson, readIdentityChecks } from '../../../api/identity/attempt-identity.js'
import type { CertificatesAnswer } from '../../../api/identity/certificates.js'
import type { SignersAnswer } from '../../../api/identity/signers.js'
import { Readers } from '../../../api/readers.js'
import { configSchema } from '../../../schemas/config.js'
import { LOOPBACK } from '../../../schemas/tokens.js'
import { addChecks } from '../attestation/identity-rows.js'
import { CONFIG, get, HOUR, NOON_S, TestStore } from '../support.js'

let store: TestStore
let app: App
const config = {
  ...CONFIG,
  carriers: configSchema.parse({
    carriers: [
      { id: 'alpha', peers: ['198.51.100.10/32'], spcs: ['709j'] },
      { id: 'beta', peers: ['198.51.100.20/32'], spcs: ['9999'] },
      { id: 'silent', peers: ['198.51.100.30/32'] },
    ],
  }).carriers,
}

/** A number stands where a certificate is fetched. */
const CHECKED = {
  x5u: 'https://cert.example.org/14155551000.pem',
  certificate_not_after: NOON_S + 86_400 * 20,
}

beforeAll(async () => {
  store = await TestStore.open()
  app = await store.app({ config })
  const rows: Parameters<typeof addChecks>[1] = [
    {},
    { attest: 'B', signature: 'invalid', signature_reason: 'signature_mismatch', verified: 'failed' },
    { verified: 'failed', findings: ['iat_stale', 'dest_mismatch'], direction: 'outbound' },
    { carrier: 'beta', certificate_not_after: NOON_S, certificate_sha256: 'cd'.repeat(32) },
    {
      carrier: 'beta',
      spc: '',
      signer_id: 'cert.example.org',
      certificate_sha256: '',
      signature: 'not_checked',
      signature_reason: 'no_certificate',
      verified: 'not_checked',
    },
    { carrier: 'silent', depth: 1, position: 1 },
    { form: 'none', signer_id: '', verstat: 'TN-Validation-Passed-A', token_hex: '0'.repeat(32) },
  ]
  await addChecks(
    store,
    rows.map((row) => ({ ...CHECKED, ...row })),
  )
})
afterAll(() => store.close())

describe('signers', () => {
  test('by carrier and direction: claimed, signed and verified apart, and the signer against the contract', async () => {
    const { status, body } = await get<SignersAnswer>(app, `/v1/identity/signers?${HOUR}`)
    expect(status).toBe(200)
    expect(body.signers_cut).toBe(false)
    expect(body.signers[0]).toEqual({
      carrier: 'alpha',
      direction: 'inbound',
      signer_id: '709J',
      spc: '709J',
      contract: 'contracted',
      tokens: 2,
      claimed: { A: 1, B: 1, C: 0 },
      signed: { valid: 1, invalid: 1, not_checked: 0 },
      verified: { passed: 1, failed: 1, not_checked: 0 },
      reasons: { signature_mismatch: 1 },
      findings: {},
    })
    expect(
      body.signers.slice(1).map(({ carrier, direction, contract }) => [carrier, direction, contract]),
    ).toEqual([
      ['alpha', 'outbound', 'not_asked'],
      ['beta', 'inbound', 'other'],
      ['beta', 'inbound', 'unknown'],
    ])
    expect(body.signers[1]!.findings).toEqual({ iat_stale: 1, dest_mismatch: 1 })
  })

  test('of one carrier, and of none that is unknown', async () => {
    const { body } = await get<SignersAnswer>(app, `/v1/identity/signers?${HOUR}&carrier=beta`)
    expect(new Set(body.signers.map(({ carrier }) => carrier))).toEqual(new Set(['beta']))
    expect((await get(app, `/v1/identity/signers?${HOUR}&carrier=alpa`)).status).toBe(400)
  })

  test('who may see one carrier sees its tokens alone', async () => {
    const principal = { id: 'alpha-only', role: 'viewer' as const, carriers: ['alpha'] }
    const readers = new Readers(store.engine.readers, principal)
    const seen = await readers.selectMasked<{ carrier: string }, string>(
      'SELECT carrier, x5u FROM identity_checks FINAL',
      {},
      ({ carrier }) => carrier,
      (carrier) => carrier,
    )
    expect(new Set(seen)).toEqual(new Set(['alpha']))
  })
})

describe('certificates', () => {
  test('the first to end first, with whose calls they signed', async () => {
    const { body } = await get<CertificatesAnswer>(app, `/v1/identity/certificates?${HOUR}`)
    expect(body.certificates).toMatchObject([
      { certificate_sha256: 'cd'.repeat(32), state: 'expired', days_left: -1, carriers: ['beta'], tokens: 1 },
      {
        certificate_sha256: 'ab'.repeat(32),
        state: 'expires_soon',
        days_left: 19,
        carriers: ['alpha', 'silent'],
        spc: '709J',
      },
    ])
    const few = await get<CertificatesAnswer>(app, `/v1/identity/certificates?${HOUR}&within_days=5`)
    expect(few.body.certificates.map(({ state }) => state)).toEqual(['expired', 'good'])
    expect((await get(app, `/v1/identity/certificates?${HOUR}&within_days=0`)).status).toBe(400)
  })
})

describe('the identity of an attempt', () => {
  test('is whole for an investigator, and masked for a viewer', async () => {
    const [id] = await addChecks(store, [
      {
        ...CHECKED,
        raw_claims: '{"rcd":{"nam":"415-555-1000"}}',
        stir_reasons: ['STIR;cause=436;text="tel:+14155551000"'],
      },
    ])
    const asked = (role: 'viewer' | 'investigator'): Promise<IdentityCheckJson[]> =>
      readIdentityChecks(new Readers(store.engine.readers, { ...LOOPBACK, role }), id!, NOON_S)
    const [whole] = await asked('investigator')
    expect(whole).toMatchObject({
      claimed: { attest: 'A', orig: '14155551000', dest: ['13125550123'] },
      signed: { signature: 'valid', signer_id: '709J', certificate_not_after: '2026-12-10T12:00:00.000Z' },
      verified: { verdict: 'passed', iat_delta_ms: 4_000 },
    })
    const [masked] = await asked('viewer')
    expect(JSON.stringify(masked)).not.toMatch(/5551000|5550123/)
    expect(masked!.signed).toMatchObject({
      signature: 'valid',
      signer_id: '709J',
      certificate_subject: 'SHAKEN 709J',
    })
    expect(await readIdentityChecks(new Readers(store.engine.readers), 'f'.repeat(32), NOON_S)).toEqual([])
  })
})
