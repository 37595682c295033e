import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AttestationAnswer } from '../../../api/attestation/attestation.js'
import { readSigned, type SignedAnswer } from '../../../api/attestation/signed.js'
import type { App, SeenDeps } from '../../../api/deps.js'
import { Readers } from '../../../api/readers.js'
import { configSchema } from '../../../schemas/config.js'
import type { IdentityCheck } from '../../../schemas/identity-checks.js'
import { attempt, get, HOUR, NOON_S, NOON_US, TestStore } from '../support.js'
import { addChecks, CHECK } from './identity-rows.js'

const DAY_S = 86_400
const config = configSchema.parse({
  identity: { certificates: '/nowhere' },
  sites: [{ id: 'dal', sbc: ['192.0.2.11/32'], agents: [2001] }],
  carriers: [
    { id: 'alpha', name: 'Alpha Telecom', peers: ['198.51.100.10/32'], spcs: ['709J'] },
    { id: 'beta', name: 'Beta <b>Networks</b>', peers: ['198.51.100.20/32'], spcs: ['9999'] },
    { id: 'silent', peers: ['198.51.100.30/32'] },
  ],
})

let store: TestStore
let app: App
const rows: (Partial<IdentityCheck> & { minute?: number })[] = []

const CERTIFICATES = [-1, 2, 6, 13, 29, 400].map((days, index) => ({
  certificate_sha256: `${index}c`.repeat(32),
  certificate_subject: `SHAKEN ${days}`,
  certificate_not_after: NOON_S + 3_600 + days * DAY_S + 60,
}))

beforeAll(async () => {
  store = await TestStore.open()
  for (let at = 0; at < 120; at++) {
    const isInvalid = at % 5 === 0
    const isUnchecked = at % 7 === 0 && !isInvalid
    rows.push({
      minute: NOON_S + (at % 60) * 60,
      carrier: at % 3 === 0 ? 'beta' : 'alpha',
      direction: at % 4 === 0 ? 'outbound' : 'inbound',
      attest: (['A', 'A', 'B', 'C'] as const)[at % 4]!,
      signature: isInvalid ? 'invalid' : isUnchecked ? 'not_checked' : 'valid',
      signature_reason: isInvalid ? 'signature_mismatch' : isUnchecked ? 'truncated' : '',
      verified: isInvalid ? 'failed' : isUnchecked ? 'not_checked' : at % 2 === 0 ? 'failed' : 'passed',
      ...CERTIFICATES[at % CERTIFICATES.length],
    })
  }
  // None of these claims a level of a call of a carrier.
  rows.push(
    { ppt: 'div', attest: '' },
    { depth: 1 },
    { party: 'customer', carrier: '' },
    { form: 'none', attest: '', ppt: '' },
  )
  // A token that cannot be read.
  rows.push({
    form: 'malformed',
    ppt: '',
    attest: '',
    signature: 'not_checked',
    signature_reason: 'truncated',
    verified: 'not_checked',
    signer_id: '',
    spc: '',
    certificate_sha256: '',
  })
  await addChecks(store, rows)
  await store.add([attempt({ direction: 'inbound' })])
  app = await store.app({ config })
}, 60_000)
afterAll(async () => {
  await app.close()
  await store.close()
})

const claiming = () =>
  rows
    .map((row) => ({ ...CHECK, minute: NOON_S, ...row }))
    .filter(
      ({ depth, party, form, ppt }) => depth === 0 && party === 'carrier' && form !== 'none' && ppt !== 'div',
    )
const levelOf = ({ form, attest }: { form: string; attest: string }) =>
  form === 'full' && attest !== '' ? attest : 'malformed'

async function ask(query = HOUR): Promise<AttestationAnswer> {
  const { status, body } = await get<AttestationAnswer>(app, `/v1/attestation?${query}`)
  expect(status).toBe(200)
  return body
}

function expectCounts(found: SignedAnswer['levels'][number], own: readonly IdentityCheck[]): void {
  const times = (is: (one: IdentityCheck) => boolean) => own.filter(is).length
  expect(found.tokens).toBe(own.length)
  expect(found.truncated).toBe(times((one) => one.signature_reason === 'truncated'))
  for (const [name, number] of Object.entries(found.signed))
    expect([name, number]).toEqual([name, times((one) => one.signature === name)])
  for (const [name, number] of Object.entries(found.verified))
    expect([name, number]).toEqual([name, times((one) => one.verified === name)])
}

describe('signed, in /v1/attestation', () => {
  it('counts tokens by direction and level as an independent count does, claimed, signed and verified apart', async () => {
    const { signed } = await ask()
    expect(signed.is_configured).toBe(true)
    expect(signed.levels.map(({ by }) => `${by.direction} ${by.level}`)).toEqual([
      'inbound A',
      'inbound B',
      'inbound C',
      'inbound malformed',
      'outbound A',
    ])
    for (const found of signed.levels) {
      const { direction, level } = found.by
      expectCounts(
        found,
        claiming().filter((one) => one.direction === direction && levelOf(one) === level),
      )
    }
  })

  it('counts them by carrier, direction, signer and level, over time, and compares signers with contracts', async () => {
    const { signed } = await ask(`${HOUR}&step=600`)
    expect(signed.signers_cut).toBe(false)
    for (const found of signed.signers) {
      const own = claiming().filter(
        (one) =>
          one.carrier === found.by.carrier &&
          one.direction === found.by.direction &&
          one.signer_id === found.by.signer_id &&
          levelOf(one) === found.by.level,
      )
      expectCounts({ ...found, by: { direction: found.by.direction, level: found.by.level } }, own)
      expect(found.series).toHaveLength(6)
      for (const [step, { t, tokens, signed: says }] of found.series!.entries()) {
        const inStep = own.filter(({ minute }) => Math.floor((minute - NOON_S) / 600) === step)
        expect([t, tokens]).toEqual([
          new Date((NOON_S + step * 600) * 1_000).toISOString().replace('.000', ''),
          inStep.length,
        ])
        for (const [name, number] of Object.entries(says))
          expect(number).toBe(inStep.filter(({ signature }) => signature === name).length)
      }
    }
    const contracts = new Set(
      signed.signers.map(({ by, contract }) => `${by.carrier} ${by.direction} ${contract}`),
    )
    expect([...contracts].sort()).toEqual([
      'alpha inbound contracted',
      'alpha inbound unknown',
      'alpha outbound not_asked',
      'beta inbound other',
      'beta outbound not_asked',
    ])
    expect((await ask()).signed.signers[0]).not.toHaveProperty('series')
  })

  it('lists the certificates of the range, the first to end first', async () => {
    const { certificates } = await ask()
    expect(certificates.certificates.map(({ days_left: left, state }) => [left, state])).toEqual([
      [-1, 'expired'],
      [2, 'expires_soon'],
      [6, 'expires_soon'],
      [13, 'expires_soon'],
      [29, 'expires_soon'],
      [399, 'good'],
      [400, 'good'],
    ])
  })

  it('shows who may see one carrier its tokens alone, and a viewer no number in the name of a signer', async () => {
    await addChecks(store, [
      { carrier: 'silent', signer_id: '+1 415 555 1000', spc: '', certificate_sha256: '' },
    ])
    const deps = (role: 'viewer' | 'investigator', carriers: 'all' | string[]) =>
      ({
        config,
        readers: new Readers(store.engine.readers, { id: 'x', role, carriers } as never),
      }) as unknown as SeenDeps
    const span = { fromUs: NOON_US, toUs: NOON_US + 3_600e6 }
    const where = { carrier: [], site: [], direction: [] }
    const beta = await readSigned(deps('viewer', ['beta']), span, null, where)
    expect(new Set(beta.signers.map(({ by }) => by.carrier))).toEqual(new Set(['beta']))
    const names = async (role: 'viewer' | 'investigator') =>
      (await readSigned(deps(role, 'all'), span, null, where)).signers.map(({ by }) => by.signer_id).join(' ')
    expect(await names('viewer')).not.toContain('555 1000')
    expect(await names('investigator')).toContain('555 1000')
  })
})

describe('its sections on the page', () => {
  const pageOf = async (from = app, query = HOUR) =>
    (await from.inject({ url: `/attestation?${query}` })).body

  it('show signatures, signers and certificates, and mark what is bad', async () => {
    const page = await pageOf()
    for (const text of [
      'What the signatures say',
      'Who signed',
      'Certificates',
      'expired',
      'within 3 days',
      'within 14 days',
    ])
      expect(page).toContain(text)
    expect(page).toMatch(/class="worse" data-label="In contract">no/)
    expect(page).toContain('cut on their way')
    expect(page).toContain('5 ended or end within 30 days')
    expect(page).not.toContain('Beta <b>')
  })

  it('say what to write into the configuration where nothing is checked', async () => {
    const plain = await store.app({ config: configSchema.parse({ ...config, identity: {} }) })
    const page = await pageOf(plain)
    expect(page).toContain('Signatures are not checked: no certificates are configured.')
    expect(page).toContain('certificates: /etc/trunkscope/certificates')
    await plain.close()
    const quiet = await pageOf(app, 'from=2026-11-20T13:00:00Z&to=2026-11-20T13:10:00Z')
    expect(quiet).toContain('No attempt was seen in this range.')
  })
})
