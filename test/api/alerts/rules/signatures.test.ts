/** Certificates that end, and signers that no contract names: days in steps of ten minutes. */
import { describe, expect, it } from 'vitest'
import type { CarrierSigner, SigningCertificate } from '../../../../api/alerts/numbers.js'
import { endingCertificates, foreignSigners } from '../../../../api/alerts/rules/signatures.js'
import { configSchema } from '../../../../schemas/config.js'
import { played } from '../played.js'

const DAY_S = 86_400
const MONDAY_S = Date.parse('2026-11-16T00:00:00Z') / 1_000

const config = (alerts: object = {}) =>
  configSchema.parse({
    carriers: [
      {
        id: 'alpha',
        peers: ['198.51.100.1/32'],
        spcs: ['709J'],
        contacts: { escalation: 'the desk of alpha' },
      },
      { id: 'beta', peers: ['198.51.100.2/32'] },
    ],
    alerts: { burn: false, carrier_silent: false, ...alerts },
  })

const CERTIFICATE: SigningCertificate = {
  sha256: 'ab12'.repeat(16),
  subject: 'SHAKEN 709J',
  spc: '709J',
  signerId: '709J',
  notAfterS: MONDAY_S + 3 * DAY_S + 43_200,
  carriers: ['alpha'],
  directions: ['inbound'],
  sites: ['dal'],
  tokens: 1_234,
  lastSeenS: MONDAY_S,
}

const NOT_HELD = { all: '', site: () => '' }
const ending = (certificates: readonly SigningCertificate[], untilS = MONDAY_S, alerts: object = {}) =>
  endingCertificates(certificates, { config: config(alerts), untilS, held: NOT_HELD })

describe('CertificateExpiring', () => {
  it('is a ticket at 14 days and a page at 3, limits included, and goes on when it has expired', () => {
    const severities = (days: number) =>
      ending([{ ...CERTIFICATE, notAfterS: MONDAY_S + days * DAY_S }]).map(({ severity }) => severity)
    expect(severities(14.01)).toEqual([])
    expect(severities(14)).toEqual(['ticket'])
    expect(severities(3.01)).toEqual(['ticket'])
    expect(severities(3)).toEqual(['ticket', 'page'])
    expect(severities(-2)).toEqual(['ticket', 'page'])
    const own = { certificate_expiring: { ticket_days: 30, page_days: 0 } }
    expect(ending([{ ...CERTIFICATE, notAfterS: MONDAY_S + 20 * DAY_S }], MONDAY_S, own)).toHaveLength(1)
  })

  it('says whose calls it signs, when it ends, and whom to ask', () => {
    const [{ annotations, labels, details }] = ending([CERTIFICATE]) as [ReturnType<typeof ending>[0]]
    expect(labels).toEqual({
      alertname: 'CertificateExpiring',
      severity: 'ticket',
      certificate: 'ab12ab12ab12ab12',
      spc: '709J',
    })
    expect(annotations.summary).toBe(
      'the certificate "SHAKEN 709J" ends in 3 days, on 2026-11-19 12:00 UTC: it signed 1234 tokens of alpha in 24 h (inbound)',
    )
    expect(annotations.escalation).toBe('the desk of alpha')
    expect(annotations.runbook_url).toBe('dashboards/runbooks/CertificateExpiring.md#first-look')
    expect(details).toMatchObject({ days_left: 3, certificate_sha256: CERTIFICATE.sha256 })
    const [ours] = ending([
      { ...CERTIFICATE, directions: ['outbound'], carriers: ['alpha', 'beta'], notAfterS: MONDAY_S - DAY_S },
    ])
    expect(ours!.annotations.summary).toContain(
      'has expired, 1 day ago, on 2026-11-15 00:00 UTC, and signs on',
    )
    expect(ours!.annotations.likely_cause).toContain('calls that we hand over only')
    expect(ours!.annotations.escalation).toBeUndefined()
  })

  it('labels hold nothing from the wire but hexadecimal digits and codes of letters and digits', () => {
    const hostile = {
      ...CERTIFICATE,
      spc: '70 "9J',
      subject: `\u001b[31mcall +1 415 555 1000${'x'.repeat(300)}`,
    }
    const [{ annotations, labels }] = ending([hostile]) as [ReturnType<typeof ending>[0]]
    expect(labels).toEqual({
      alertname: 'CertificateExpiring',
      severity: 'ticket',
      certificate: 'ab12ab12ab12ab12',
    })
    expect(annotations.summary).not.toMatch(/\u001b|555 1000|x{80}/)
  })

  it('ends when a later one of the same signer has signed alone for an hour, and not before', () => {
    const later = (more: Partial<SigningCertificate>) => ({
      ...CERTIFICATE,
      sha256: 'cd'.repeat(32),
      notAfterS: MONDAY_S + 400 * DAY_S,
      ...more,
    })
    expect(ending([CERTIFICATE, later({ lastSeenS: MONDAY_S + 3_600 })])).toEqual([])
    expect(ending([CERTIFICATE, later({ lastSeenS: MONDAY_S + 3_540 })])).toHaveLength(1)
    expect(ending([CERTIFICATE, later({ lastSeenS: MONDAY_S + 7_200, signerId: '812K' })])).toHaveLength(1)
  })

  it('of many at once those that end first are alerted on', () => {
    const many = Array.from({ length: 80 }, (_, at) => ({
      ...CERTIFICATE,
      sha256: at.toString(16).padStart(64, '0'),
      notAfterS: MONDAY_S + 4 * DAY_S + (80 - at) * 60,
    }))
    const found = ending(many)
    expect(found).toHaveLength(50)
    expect(found[0]!.details.certificate_sha256).toBe(many.at(-1)!.sha256)
  })

  it('over days: the ticket comes first and the page later; both end when nobody signs with it any more', async () => {
    const notAfterS = MONDAY_S + 3 * DAY_S + 7_200
    const { told } = await played({
      config: config(),
      lanes: [],
      numbersFromS: MONDAY_S,
      fromS: MONDAY_S,
      toS: MONDAY_S + 6 * 3_600,
      evidence: {
        signatures: async (atS) => ({
          certificates: atS < MONDAY_S + 4 * 3_600 ? [{ ...CERTIFICATE, notAfterS }] : [],
          signers: [],
        }),
      },
    })
    expect(told).toEqual([
      '00:00 firing CertificateExpiring',
      '02:00 firing CertificateExpiring',
      '04:14 resolved CertificateExpiring',
      '04:14 resolved CertificateExpiring',
    ])
  })

  it('is held, not over, while tokens cannot be read', async () => {
    const { told, rows } = await played({
      config: config(),
      lanes: [],
      numbersFromS: MONDAY_S,
      fromS: MONDAY_S,
      toS: MONDAY_S + 7_200,
      evidence: {
        signatures: async (atS) =>
          atS < MONDAY_S + 600 ? { certificates: [CERTIFICATE], signers: [] } : undefined,
      },
    })
    expect(told).toEqual(['00:00 firing CertificateExpiring'])
    expect(rows[0]!.held).toBe('tokens cannot be read now: too many, or no right to read them')
  })
})

describe('SignerNotInContract', () => {
  const signer = (carrier: string, spc: string, tokens: number): CarrierSigner => ({
    carrier,
    spc,
    tokens,
    sites: ['dal'],
  })
  const foreign = (signers: readonly CarrierSigner[]) =>
    foreignSigners(signers, { config: config(), untilS: MONDAY_S, held: NOT_HELD })

  it('is a ticket of a carrier whose contract names others, with the codes that signed', () => {
    const found = foreign([
      signer('alpha', '709j', 90),
      signer('alpha', '812K', 7),
      signer('alpha', '9XX', 3),
    ])
    expect(found).toMatchObject([
      {
        severity: 'ticket',
        labels: { alertname: 'SignerNotInContract', severity: 'ticket', carrier: 'alpha' },
        details: { numerator: 10, denominator: 100 },
      },
    ])
    expect(found[0]!.annotations.summary).toBe(
      'alpha: 10 of 100 inbound tokens with a valid signature in 60 min were signed by 812K (7) and 9XX (3); its contract names 709J',
    )
    expect(found[0]!.annotations.escalation).toBe('the desk of alpha')
  })

  it('asks nothing of a carrier without codes, nor of two tokens, and shows no code that is none', () => {
    expect(foreign([signer('beta', '812K', 500)])).toEqual([])
    expect(foreign([signer('alpha', '812K', 2)])).toEqual([])
    const [{ annotations }] = foreign([signer('alpha', 'x"; drop', 5)]) as [ReturnType<typeof foreign>[0]]
    expect(annotations.summary).toContain('signed by a code that is none (5)')
  })

  it('begins at once, and ends an hour after the last', async () => {
    const { told } = await played({
      config: config(),
      lanes: [],
      numbersFromS: MONDAY_S,
      fromS: MONDAY_S,
      toS: MONDAY_S + 3 * 3_600,
      evidence: {
        signatures: async (atS) => ({
          certificates: [],
          signers: atS < MONDAY_S + 3_600 ? [signer('alpha', '812K', 9)] : [],
        }),
      },
    })
    expect(told).toEqual([
      '00:00 firing SignerNotInContract alpha',
      '01:59 resolved SignerNotInContract alpha',
    ])
  })

  it('is off where it is switched off', async () => {
    const { told } = await played({
      config: config({ signer_not_in_contract: false, certificate_expiring: { enabled: false } }),
      lanes: [],
      numbersFromS: MONDAY_S,
      fromS: MONDAY_S,
      toS: MONDAY_S + 600,
      evidence: {
        signatures: async () => ({ certificates: [CERTIFICATE], signers: [signer('alpha', '812K', 9)] }),
      },
    })
    expect(told).toEqual([])
  })
})
