/**
 * Certificates that signed calls, and how long each is still good: which carrier's calls will be unsigned when nobody renews
 * it.
 *
 * Takes    a checked range, which carriers, sites and directions, and how many days ahead to look.
 * Returns  the answer of `/v1/identity/certificates`: those that signed tokens of the range, the first to end first. Days are
 *          counted from now, not from the end of the range.
 * Source   metrics.md §6 "Who signed"; RFC 5280 §4.1.2.5. [decision] About to end: within 30 days, unless asked otherwise.
 */
import { z } from 'zod'
import type { SeenDeps } from '../deps.js'
import { maskedText } from '../masking.js'
import { isoOf, type Span } from '../time-span.js'
import { OF_RANGE, rangeParametersOf, type Where } from './signers.js'

const CERTIFICATES_MAX = 1_000
export const SOON_DAYS = 30
const DAY_S = 86_400

const STATES = ['expired', 'expires_soon', 'good'] as const

export const certificatesAnswer = z
  .object({
    from: z.string(),
    to: z.string().describe('Not part of the range.'),
    within_days: z.number(),
    certificates: z.array(
      z.object({
        certificate_sha256: z.string(),
        subject: z.string().describe('CN of the subject.'),
        spc: z.string(),
        x5u: z.array(z.string()).describe('Where tokens say that it is; at most ten.'),
        carriers: z.array(z.string()).describe('Whose calls it signed.'),
        not_after: z.string(),
        days_left: z.number().describe('Whole days from now; negative: it has ended.'),
        state: z.enum(STATES).describe('expires_soon: within within_days.'),
        tokens: z.number(),
        last_seen: z.string().describe('The minute of the newest token.'),
      }),
    ),
    certificates_cut: z.boolean().describe(`There are more than ${CERTIFICATES_MAX}.`),
  })
  .meta({ title: 'Certificates of signers' })

export type CertificatesAnswer = z.output<typeof certificatesAnswer>
type Certificate = CertificatesAnswer['certificates'][number]

interface Row {
  certificate_sha256: string
  subject: string
  code: string
  urls: string[]
  carriers: string[]
  not_after_s: string
  tokens: string
  last_s: number
}

export async function readCertificates(
  { readers, nowUs }: SeenDeps,
  span: Span,
  where: Where,
  withinDays: number,
): Promise<CertificatesAnswer> {
  const nowS = nowUs() / 1e6
  const certificates = await readers.selectMasked<Row, Certificate>(
    `SELECT certificate_sha256, any(certificate_subject) AS subject, any(spc) AS code,
       arraySort(groupUniqArray(10)(x5u)) AS urls, arraySort(groupUniqArray(100)(carrier)) AS carriers,
       max(certificate_not_after) AS not_after_s, count() AS tokens, toUInt32(max(minute)) AS last_s
     FROM identity_checks FINAL WHERE ${OF_RANGE} AND certificate_sha256 != ''
     GROUP BY certificate_sha256 ORDER BY not_after_s, certificate_sha256 LIMIT {limit:UInt32}`,
    { ...rangeParametersOf(span, where), limit: CERTIFICATES_MAX + 1 },
    (row) => certificateOf(row, nowS, withinDays),
    (read) => ({ ...read, subject: maskedText(read.subject), x5u: read.x5u.map(maskedText) }),
  )
  return {
    from: isoOf(span.fromUs),
    to: isoOf(span.toUs),
    within_days: withinDays,
    certificates: certificates.slice(0, CERTIFICATES_MAX),
    certificates_cut: certificates.length > CERTIFICATES_MAX,
  }
}

function certificateOf(row: Row, nowS: number, withinDays: number): Certificate {
  const notAfterS = Number(row.not_after_s)
  const daysLeft = Math.floor((notAfterS - nowS) / DAY_S)
  return {
    certificate_sha256: row.certificate_sha256,
    subject: row.subject,
    spc: row.code,
    x5u: row.urls,
    carriers: row.carriers,
    not_after: new Date(notAfterS * 1_000).toISOString(),
    days_left: daysLeft,
    state: notAfterS < nowS ? 'expired' : daysLeft < withinDays ? 'expires_soon' : 'good',
    tokens: Number(row.tokens),
    last_seen: isoOf(row.last_s * 1e6),
  }
}
