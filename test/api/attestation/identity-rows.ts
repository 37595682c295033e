// tidy: tested by test/api/attestation/signed.test.ts
/** Rows of `identity_checks` as the pass writes them, for tests of what reads them. */
import type { IdentityCheck } from '../../../schemas/identity-checks.js'
import { NOON_S, type TestStore } from '../support.js'

export const CHECK: IdentityCheck = {
  depth: 0,
  party: 'carrier',
  carrier: 'alpha',
  site: 'dal',
  direction: 'inbound',
  form: 'full',
  ppt: 'shaken',
  attest: 'A',
  orig: '14155551000',
  dest: ['13125550123'],
  diverted: '',
  origid: '11111111-2222-4333-8444-555555555555',
  iat: NOON_S,
  iat_delta_ms: 4_000,
  x5u: 'https://cert.example.org/shaken.pem',
  signer_id: '709J',
  spc: '709J',
  certificate_sha256: 'ab'.repeat(32),
  certificate_subject: 'SHAKEN 709J',
  certificate_not_after: NOON_S + 86_400 * 400,
  signature: 'valid',
  signature_reason: '',
  verified: 'passed',
  findings: [],
  orig_match: 'match',
  dest_match: 'match',
  chain: 'none',
  raw_claims: '',
  verstat: '',
  attestation_info: '',
  origination_id: '',
  stir_reasons: [],
}

let rows = 0

/** @returns their attempts, as hex */
export async function addChecks(
  store: TestStore,
  checks: readonly (Partial<IdentityCheck> & { minute?: number; position?: number; token_hex?: string })[],
): Promise<string[]> {
  const values = checks.map((check) => {
    rows++
    const hex = rows.toString(16).padStart(32, 'e')
    return {
      minute: NOON_S,
      attempt_hex: hex,
      token_hex: hex,
      position: 0,
      version: 1,
      is_deleted: 0,
      checked_at: NOON_S,
      ...CHECK,
      ...check,
    }
  })
  const columns = Object.keys(values[0]!) as [string, ...string[]]
  await store.engine.writer.insert({ table: 'identity_checks', columns, values, format: 'JSONEachRow' })
  return values.map(({ attempt_hex }) => attempt_hex)
}
