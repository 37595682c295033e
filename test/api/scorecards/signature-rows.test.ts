import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Scorecard } from '../../../api/scorecards/scorecard.js'
import { SIGNATURE_ROWS } from '../../../api/scorecards/signature-rows.js'
import { configSchema } from '../../../schemas/config.js'
import { addChecks } from '../attestation/identity-rows.js'
import { attempt, CONFIG, get, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'

const WEEK_S = 7 * 86_400
const config = configSchema.parse({
  sites: [{ id: 'dal', sbc: ['192.0.2.11/32'], agents: [2001] }],
  carriers: [
    { id: 'alpha', peers: ['198.51.100.10/32'], spcs: ['709J'] },
    { id: 'beta', peers: ['198.51.100.20/32'] },
  ],
})
const outside = { spc: '812K', signer_id: '812K' }
const unchecked = {
  spc: '',
  certificate_sha256: '',
  signature: 'not_checked',
  signature_reason: 'no_certificate',
  verified: 'not_checked',
} as const
const forged = { signature: 'invalid', signature_reason: 'signature_mismatch', verified: 'failed' } as const

let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
  const before = { minute: NOON_S - WEEK_S }
  await addChecks(store, [
    ...Array.from({ length: 6 }, () => ({})),
    outside,
    outside,
    { ...outside, ...forged },
    unchecked,
    // Of the week before.
    ...Array.from({ length: 3 }, () => before),
    { ...before, ...forged },
    // What we hand over, nested tokens, and what no token is.
    { direction: 'outbound', ...forged },
    { depth: 1, ...forged },
    { form: 'none' },
    { carrier: 'beta' },
  ])
  await store.add([
    attempt({ direction: 'inbound', invitedAtUs: NOON_US }),
    attempt({ carrier: 'beta', invitedAtUs: NOON_US }),
    attempt({ carrier: 'silent', invitedAtUs: NOON_US }),
  ])
}, 60_000)
afterAll(() => store.close())

async function cardOf(carrier: string, of = config): Promise<Scorecard> {
  const atS = NOON_S + WEEK_S
  const app = await store.app({
    config: of,
    nowMs: () => atS * 1_000,
    live: () => liveStatus({ asOfUs: atS * 1e6 }),
  })
  const { status, body } = await get<Scorecard>(app, `/v1/carriers/${carrier}/scorecard?week=2026-W47`)
  await app.close()
  expect(status).toBe(200)
  return body
}
const rowOf = (card: Scorecard, id: string) => card.rows.find((row) => row.id === id)

describe('signatures on a scorecard', () => {
  it('stand as rows of inbound tokens, with the week before, their formulas, and nothing left unmeasured', async () => {
    const card = await cardOf('alpha')
    expect(rowOf(card, 'identity_tokens')).toMatchObject({ value: 10, previous: { value: 4 } })
    expect(rowOf(card, 'signature_valid_rate')).toMatchObject({
      numerator: 8,
      denominator: 10,
      previous: { numerator: 3, denominator: 4 },
      change: 'not_significant',
    })
    expect(rowOf(card, 'verification_failed_rate')).toMatchObject({ numerator: 1, denominator: 9 })
    expect(rowOf(card, 'signer_outside_rate')).toMatchObject({
      numerator: 2,
      denominator: 8,
      previous: { numerator: 0, denominator: 3 },
    })
    const formulas = card.formulas.map(({ id }) => id)
    expect(formulas).toEqual(expect.arrayContaining(SIGNATURE_ROWS.map(({ id }) => id)))
    expect(card.not_measured.map(({ id }) => id)).not.toContain('attestation_verified')
  })

  it('have no row on the contract where it names no codes', async () => {
    const card = await cardOf('beta')
    expect(rowOf(card, 'identity_tokens')?.value).toBe(1)
    expect(rowOf(card, 'signer_outside_rate')).toBeUndefined()
  })

  it('are not there, and said to be not measured, where no token was looked at', async () => {
    const card = await cardOf('silent', CONFIG)
    expect(rowOf(card, 'identity_tokens')).toBeUndefined()
    expect(card.not_measured.map(({ id }) => id)).toContain('attestation_verified')
  })
})
