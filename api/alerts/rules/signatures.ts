/**
 * CertificateExpiring and SignerNotInContract: whose calls will be unsigned when nobody acts, and who signs that should not.
 *
 * Takes    certificates that signed tokens of the last day, and the signers of inbound tokens of the last hour.
 * Returns  for each certificate a ticket from `ticket_days` before its end on, and a page besides from `page_days` on; for each
 *          carrier with `spcs` a ticket when others signed for it.
 * Throws   nothing.
 * Source   metrics.md §6 "Who signed"; RFC 5280 §4.1.2.5. [decision] A certificate that a later one of the same signer has
 *          followed for an hour is no longer waited for.
 *
 * Labels hold nothing from the wire but hexadecimal digits and SPCs of letters and digits: names of certificates stand in the
 * sentences, where nobody groups or routes by them.
 */
import { type AlertsConfig, EVENTS_FLOOR } from '../../../schemas/alert-rules.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import { contractOf } from '../../identity/signers.js'
import { maskedText } from '../../masking.js'
import type { CarrierSigner, SigningCertificate } from '../numbers.js'
import type { Condition, Timing } from '../state.js'
import { words } from './cause.js'
import type { Held } from './held.js'
import { sinksOf } from './sinks.js'
import { attestationLink, escalationOf, runbookUrl } from './words.js'

export const CERTIFICATE_EXPIRING = 'CertificateExpiring'
export const SIGNER_NOT_IN_CONTRACT = 'SignerNotInContract'
/** Read every ten minutes: a gap of one reading is none. */
export const SIGNATURE_TIMINGS: Readonly<Record<string, Timing>> = {
  [CERTIFICATE_EXPIRING]: { forUs: 0, keepFiringUs: 900e6 },
  [SIGNER_NOT_IN_CONTRACT]: { forUs: 0, keepFiringUs: 3_600e6 },
}

/** Names of certificates come from the wire: those that end first are alerted on. */
export const CERTIFICATES_ALERTED_MAX = 50
const FOLLOWED_S = 3_600
const DAY_S = 86_400
const SAFE_SPC = /^[A-Za-z0-9]{1,32}$/
const NAME_MAX_CHARS = 64

interface Surroundings {
  config: Pick<TrunkscopeConfig, 'carriers' | 'sinks'> & { alerts: AlertsConfig }
  untilS: number
  held: Held
}

export function endingCertificates(
  certificates: readonly SigningCertificate[],
  around: Surroundings,
): Condition[] {
  const { ticket_days: ticketDays, page_days: pageDays } = around.config.alerts.certificate_expiring
  const leftS = ({ notAfterS }: SigningCertificate) => notAfterS - around.untilS
  return certificates
    .filter((one) => leftS(one) <= Math.max(ticketDays, pageDays) * DAY_S && !isFollowed(one, certificates))
    .sort((a, b) => a.notAfterS - b.notAfterS || (a.sha256 < b.sha256 ? -1 : 1))
    .slice(0, CERTIFICATES_ALERTED_MAX)
    .flatMap((one) =>
      (
        [
          ['ticket', ticketDays],
          ['page', pageDays],
        ] as const
      )
        .filter(([, days]) => leftS(one) <= days * DAY_S)
        .map(([severity]) => ofCertificate(severity, one, around)),
    )
}

/** Renewed: what the same signer signs since, it signs with one that is good for longer. */
function isFollowed(one: SigningCertificate, all: readonly SigningCertificate[]): boolean {
  return all.some(
    (other) =>
      other.signerId === one.signerId &&
      other.notAfterS > one.notAfterS &&
      other.lastSeenS - one.lastSeenS >= FOLLOWED_S,
  )
}

function ofCertificate(
  severity: 'ticket' | 'page',
  one: SigningCertificate,
  { config, untilS, held }: Surroundings,
): Condition {
  const leftS = one.notAfterS - untilS
  const day = new Date(one.notAfterS * 1_000).toISOString().slice(0, 16).replace('T', ' ')
  const days = Math.floor(Math.abs(leftS) / DAY_S)
  const when =
    leftS < 0
      ? `has expired, ${dayWords(days)} ago, on ${day} UTC, and signs on`
      : `ends in ${dayWords(days)}, on ${day} UTC`
  const [carrier] = one.carriers
  const isOurs = one.directions.length === 1 && one.directions[0] === 'outbound'
  return {
    rule: CERTIFICATE_EXPIRING,
    severity,
    sinks: sinksOf(config, severity),
    labels: {
      alertname: CERTIFICATE_EXPIRING,
      severity,
      certificate: one.sha256.slice(0, 16),
      ...(SAFE_SPC.test(one.spc) ? { spc: one.spc } : {}),
    },
    annotations: {
      summary: `the certificate ${nameOf(one)} ${when}: it signed ${one.tokens} tokens of ${words([...one.carriers].sort())} in 24 h (${words([...one.directions].sort())})`,
      likely_cause: isOurs
        ? 'it signs calls that we hand over only: our own, or that of a customer'
        : 'it signs calls that are handed to us: it is for its owner to renew it',
      runbook_url: runbookUrl(config.alerts, CERTIFICATE_EXPIRING),
      escalation: isOurs || one.carriers.length !== 1 ? undefined : escalationOf(config, carrier),
      link: attestationLink(config.alerts, {}, { fromS: untilS - DAY_S, toS: untilS }),
    },
    details: {
      certificate_sha256: one.sha256,
      not_after: new Date(one.notAfterS * 1_000).toISOString(),
      days_left: Math.floor(leftS / DAY_S),
      tokens: one.tokens,
    },
    sites: [...one.sites].sort(),
    held: held.all,
  }
}

const dayWords = (days: number) => (days === 1 ? '1 day' : `${days} days`)

/** As a person knows it, without numbers of people and without what a terminal would obey. */
function nameOf({ subject, spc, sha256 }: SigningCertificate): string {
  const name = [...maskedText(subject).replace(/\p{C}/gu, '')].slice(0, NAME_MAX_CHARS).join('')
  const shown = name === '' ? sha256.slice(0, 16) : `"${name}"`
  return SAFE_SPC.test(spc) && !name.includes(spc) ? `${shown} (SPC ${spc})` : shown
}

export function foreignSigners(signers: readonly CarrierSigner[], around: Surroundings): Condition[] {
  const { config, untilS, held } = around
  const foreign = signers.filter(
    (signer) => contractOf({ ...signer, direction: 'inbound' }, config) === 'other',
  )
  return [...new Set(foreign.map(({ carrier }) => carrier))].sort().flatMap((carrier): Condition[] => {
    const own = foreign.filter((signer) => signer.carrier === carrier)
    const tokens = own.reduce((sum, signer) => sum + signer.tokens, 0)
    if (tokens < EVENTS_FLOOR.ticket) return []
    const all = signers
      .filter((signer) => signer.carrier === carrier)
      .reduce((sum, signer) => sum + signer.tokens, 0)
    const contracted = config.carriers.find(({ id }) => id === carrier)?.spcs ?? []
    const names = [...own]
      .sort((a, b) => b.tokens - a.tokens || (a.spc < b.spc ? -1 : 1))
      .map(({ spc, tokens: of }) => `${SAFE_SPC.test(spc) ? spc : 'a code that is none'} (${of})`)
    return [
      {
        rule: SIGNER_NOT_IN_CONTRACT,
        severity: 'ticket',
        sinks: sinksOf(config, 'ticket'),
        labels: { alertname: SIGNER_NOT_IN_CONTRACT, severity: 'ticket', carrier },
        annotations: {
          summary: `${carrier}: ${tokens} of ${all} inbound tokens with a valid signature in 60 min were signed by ${words(names)}; its contract names ${words(contracted)}`,
          likely_cause:
            'the carrier passes on calls that others signed, or has a new code that nobody told us; a few of many are calls in transit',
          runbook_url: runbookUrl(config.alerts, SIGNER_NOT_IN_CONTRACT),
          escalation: escalationOf(config, carrier),
          link: attestationLink(
            config.alerts,
            { carrier, direction: 'inbound' },
            { fromS: untilS - 3_600, toS: untilS },
          ),
        },
        details: { numerator: tokens, denominator: all, window_s: 3_600 },
        sites: [...new Set(own.flatMap(({ sites }) => sites))].sort(),
        held: held.all,
      },
    ]
  })
}
