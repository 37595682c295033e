/** The demo's certificates as the identity pass reads them: whom they trust, whose code they hold, and when they end. */
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contractOf } from '../../../api/identity/signers.js'
import { CallPlanner } from '../../../bin/demo/call-planner.js'
import { callMessages } from '../../../bin/demo/calls.js'
import { type DemoCertificates, demoCertificates } from '../../../bin/demo/certificates.js'
import { DEMO_CARRIERS } from '../../../bin/demo/network.js'
import { certificateUrlOf, DEMO_CONTRACTS, DEMO_SIGNERS, readSigningKeys } from '../../../bin/demo/signers.js'
import { readRoots, trustOf } from '../../../evidence/identity/certificate.js'
import { CertificatesFolder } from '../../../evidence/identity/certificates-folder.js'
import { type TokenChecks, type TokenVerdict, verifyTokens } from '../../../evidence/identity/verify-token.js'
import { readSip } from '../../../sip/sip-message.js'
import { verifyHere } from '../../evidence/identity/tokens.js'

const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000
const folder = mkdtempSync(join(tmpdir(), 'trunkscope-signers-'))
let made: DemoCertificates
beforeAll(() => {
  made = demoCertificates(join(folder, 'signers'), NOW_MS)
})
afterAll(() => rmSync(folder, { recursive: true }))

/** As the pass has them, but on this thread. */
function checks(): TokenChecks {
  const certificates = new CertificatesFolder(made.certificates)
  const roots = readRoots(readFileSync(made.roots, 'utf8'))
  return {
    certificateOf(x5u) {
      const found = certificates.find(x5u)
      if ('reason' in found) return found
      return { ...found, trust: trustOf(found.certificate, roots) ?? 'untrusted' }
    },
    verify: verifyHere,
  }
}

interface Checked {
  carrier: string
  direction: string
  verdict: TokenVerdict
}

/** Calls of one minute, and what becomes of their tokens. */
async function checkedCalls(atMs: number): Promise<Checked[]> {
  const own = checks()
  const planner = new CallPlanner({ seed: 3, keys: readSigningKeys(made.keys), customerLegs: false })
  const checked: Checked[] = []
  for (let call = 0; call < 120; call++) {
    const planned = planner.plan(atMs * 1_000 + call * 500_000)
    const [invite] = callMessages(planned)
    const sip = readSip(Buffer.from(invite!.text, 'latin1'))
    const signalling = { ...sip, invitedAtUs: invite!.atUs, date: '', isCut: false }
    const { carrier, direction } = planned.expected
    for (const verdict of await verifyTokens(sip.identities, signalling, own))
      checked.push({ carrier, direction, verdict })
  }
  return checked
}

describe('demo certificates', () => {
  it('verify the tokens of the calls: all steps pass where the certificate is good', async () => {
    const inbound = (await checkedCalls(NOW_MS)).filter(
      ({ direction, verdict }) => direction === 'inbound' && verdict.passport.token.attest !== '',
    )
    const of = (carrier: string) => inbound.filter((one) => one.carrier === carrier)
    expect(of('aldermoor').length).toBeGreaterThan(5)
    for (const { verdict } of of('aldermoor'))
      expect([verdict.signature, verdict.verified, verdict.signerId]).toEqual(['valid', 'passed', '101A'])
  })

  it('tell two stories: one that ended while its calls went on, and a signer that the contract does not name', async () => {
    const of = async (carrier: string, minutes: number) =>
      (await checkedCalls(NOW_MS + minutes * 60_000)).find(
        (one) =>
          one.carrier === carrier && one.direction === 'inbound' && one.verdict.passport.token.attest !== '',
      )!.verdict
    expect(await of('brightmesa', -30)).toMatchObject({ signature: 'valid', verified: 'passed' })
    expect(await of('brightmesa', 0)).toMatchObject({
      signature: 'valid',
      verified: 'failed',
      findings: ['certificate_expired'],
    })
    const contracts = DEMO_CARRIERS.map(({ id }) => {
      const { spc } = DEMO_SIGNERS.find(({ host }) => host === `${id}.example`)!
      return contractOf(
        { carrier: id, direction: 'inbound', spc },
        { carriers: [{ id, spcs: DEMO_CONTRACTS[id] }] as never },
      )
    })
    expect(DEMO_CARRIERS.filter((_, at) => contracts[at] !== 'contracted').map(({ id }) => id)).toEqual([
      'calderwick',
    ])
  })

  it('hold the code of their signer, and lead to the one root', () => {
    const certificates = new CertificatesFolder(made.certificates)
    for (const { host, spc, endsAfterS } of DEMO_SIGNERS) {
      const found = certificates.find(certificateUrlOf(host))
      if ('reason' in found) throw new Error(`${host}: ${found.reason}`)
      expect(found.certificate).toMatchObject({
        commonName: `SHAKEN ${spc}`,
        authority: { spcs: [spc], ranges: [], numbers: [] },
        maySign: true,
        notAfterMs: NOW_MS + endsAfterS * 1_000,
      })
      expect(new X509Certificate(readFileSync(join(made.certificates, `${host}.pem`))).ca).toBe(false)
    }
  })

  it('stay when the demo is started again; keys are for their owner alone', () => {
    const before = readdirSync(made.keys).map((name) => readFileSync(join(made.keys, name), 'utf8'))
    demoCertificates(join(folder, 'signers'), NOW_MS + 86_400_000)
    expect(readdirSync(made.keys).map((name) => readFileSync(join(made.keys, name), 'utf8'))).toEqual(before)
    for (const name of readdirSync(made.keys)) expect(statSync(join(made.keys, name)).mode & 0o077).toBe(0)
    expect(readdirSync(folder)).toEqual(['signers'])
  })
})
