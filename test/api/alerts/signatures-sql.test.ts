/** What the rules on attestation read of a real store. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Window } from '../../../api/alerts/numbers.js'
import { StoreNumbers } from '../../../api/alerts/numbers-sql.js'
import { readSignatures } from '../../../api/alerts/signatures-sql.js'
import { Readers } from '../../../api/readers.js'
import { addChecks } from '../attestation/identity-rows.js'
import { attempt, CONFIG, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'

const DAY_S = 86_400
let store: TestStore
let numbers: StoreNumbers

beforeAll(async () => {
  store = await TestStore.open()
  const readers = new Readers(store.engine.readers)
  const deps = { readers, config: CONFIG, live: () => liveStatus(), nowUs: () => NOON_US + 3_600e6 }
  numbers = new StoreNumbers(deps)
  const ending = { certificate_sha256: 'cd'.repeat(32), certificate_not_after: NOON_S + 5 * DAY_S }
  await addChecks(store, [
    { ...ending, carrier: 'beta', direction: 'outbound', minute: NOON_S - 3_600 * 20 },
    { ...ending, carrier: 'alpha', site: '' },
    // Too old, ended since, nobody's, without a certificate.
    { certificate_sha256: 'ee'.repeat(32), minute: NOON_S - DAY_S - 60 },
    { certificate_sha256: '11'.repeat(32), party: 'customer', carrier: '' },
    { certificate_sha256: '', spc: '' },
    // Signers of the last hour: a broken signature names nobody.
    { spc: '812K', signer_id: '812K' },
    { spc: '812K', signer_id: '812K', signature: 'invalid', signature_reason: 'signature_mismatch' },
    { spc: '812K', signer_id: '812K', minute: NOON_S - 7_200 },
  ])
  await store.add([
    attempt({ direction: 'inbound', attestation: 'B' }),
    attempt({ direction: 'inbound', attestation: 'none' }),
    attempt({ direction: 'inbound', attestation: 'none', state: 'open' }),
    attempt({ carrier: 'beta', site: '', attestation: 'malformed' }),
  ])
}, 60_000)
afterAll(() => store.close())

describe('signatures of the store, for alerts', () => {
  it('names certificates of the last day, the first to end first, and signers of inbound calls of the last hour', async () => {
    const { certificates, signers } = await readSignatures(new Readers(store.engine.readers), NOON_S + 600)
    expect(certificates.map(({ sha256 }) => sha256.slice(0, 2))).toEqual(['cd', 'ab'])
    expect(certificates[0]).toMatchObject({
      spc: '709J',
      signerId: '709J',
      notAfterS: NOON_S + 5 * DAY_S,
      carriers: ['alpha', 'beta'],
      directions: ['inbound', 'outbound'],
      sites: ['dal', 'unknown'],
      tokens: 2,
      lastSeenS: NOON_S,
    })
    expect(signers).toEqual([
      { carrier: 'alpha', spc: '709J', tokens: 1, sites: ['unknown'] },
      { carrier: 'alpha', spc: '812K', tokens: 1, sites: ['dal'] },
    ])
  })

  it('are read at marks of ten minutes: the same moment has the same answer', async () => {
    const first = await numbers.signatures(NOON_S + 660)
    expect(await numbers.signatures(NOON_S + 1_140)).toBe(first)
    expect(await numbers.signatures(NOON_S + 1_200)).not.toBe(first)
  })

  it('and levels come by carrier, site and direction, of closed attempts', async () => {
    const window: Window = { fromS: NOON_S, toS: NOON_S + 3_600 }
    expect(await numbers.levels(window)).toEqual([
      {
        carrier: 'alpha',
        site: 'dal',
        direction: 'inbound',
        counts: { A: 0, B: 1, C: 0, none: 1, malformed: 0 },
      },
      {
        carrier: 'beta',
        site: 'unknown',
        direction: 'outbound',
        counts: { A: 0, B: 0, C: 0, none: 0, malformed: 1 },
      },
    ])
    expect(await numbers.betweenLegs(window)).toEqual([])
  })

  it('samples keep to a direction', async () => {
    const window: Window = { fromS: NOON_S, toS: NOON_S + 3_600 }
    const ask = (direction: string) => ({
      key: direction,
      kpi: 'attestation_none_rate',
      part: 'numerator' as const,
      carrier: 'alpha',
      direction,
      site: undefined,
      carriers: undefined,
      sites: undefined,
      window,
    })
    const samples = await numbers.samples([ask('inbound'), ask('outbound')])
    expect([...samples.keys()]).toEqual(['inbound'])
  })
})
