/**
 * The certificate that a PASSporT names: its key, who it is for, how long it is good, and whether it leads to a root.
 *
 *   id-pe-TNAuthList (1.3.6.1.5.5.7.1.26) => SEQUENCE OF CHOICE { [0] spc, [1] range { start, count }, [2] one }, EXPLICIT
 *   SPC "1234" => 30 08 A0 06 16 04 31 32 33 34
 *
 * Takes    PEM text, the certificate of the signer first and those that issued it behind it; certificates of the roots.
 * Returns  `readCertificates`: the signer's certificate with its chain, or a reason. `trustOf`: from when to when its chain
 *          to one of the roots is valid, or undefined. `signerIdOf`: SPC, else CN, else host of the x5u.
 * Throws   nothing: what strangers publish gives a reason. `readRoots` throws: that is the operator's own file.
 * Source   RFC 8226 §9 (TNAuthList), RFC 5280 §6 (paths, basic constraints, key usage); metrics.md §6 "Who signed".
 *
 * Not looked at: name constraints, certificate policies, revocation, JWT claim constraints (RFC 8226 §8), and whether the
 * TNAuthList of the issuer covers that of the signer.
 */
import { type KeyObject, X509Certificate } from 'node:crypto'
import { AsnArray, AsnConvert, AsnProp, AsnPropTypes, AsnType, AsnTypeTypes } from '@peculiar/asn1-schema'
import {
  BasicConstraints,
  Certificate,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  KeyUsage,
  KeyUsageFlags,
} from '@peculiar/asn1-x509'

export const PEM_MAX_BYTES = 65_536
/** Of one PEM text. */
export const CERTIFICATES_MAX = 8
/** Certificates from the signer's to the root, both counted. */
export const PATH_MAX = 6
const TN_ENTRIES_MAX = 1_000
const NAME_MAX_CHARS = 256

const TN_AUTH_LIST = '1.3.6.1.5.5.7.1.26'

class TelephoneNumberRange {
  start = ''
  count = 0
}
class TnEntry {
  spc?: string
  range?: TelephoneNumberRange
  one?: string
}
class TnAuthList extends AsnArray<TnEntry> {}
// What the library's decorators do, said without them.
AsnType({ type: AsnTypeTypes.Sequence })(TelephoneNumberRange)
AsnProp({ type: AsnPropTypes.IA5String })(TelephoneNumberRange.prototype, 'start')
AsnProp({ type: AsnPropTypes.Integer })(TelephoneNumberRange.prototype, 'count')
AsnType({ type: AsnTypeTypes.Choice })(TnEntry)
AsnProp({ type: AsnPropTypes.IA5String, context: 0 })(TnEntry.prototype, 'spc')
AsnProp({ type: TelephoneNumberRange, context: 1 })(TnEntry.prototype, 'range')
AsnProp({ type: AsnPropTypes.IA5String, context: 2 })(TnEntry.prototype, 'one')
AsnType({ type: AsnTypeTypes.Sequence, itemType: TnEntry })(TnAuthList)

export interface TelephoneNumberAuthority {
  /** Service provider codes. */
  spcs: string[]
  ranges: { start: string; count: number }[]
  numbers: string[]
}

export interface SigningCertificate {
  /** SubjectPublicKeyInfo, DER as base64; '' when the key is not one of P-256. */
  key: string
  /** 64 hex digits. */
  sha256: string
  commonName: string
  authority: TelephoneNumberAuthority
  notBeforeMs: number
  notAfterMs: number
  /** Its key usage allows signatures, or it has none. */
  maySign: boolean
  certificate: X509Certificate
  /** Those that stood behind it. */
  others: readonly X509Certificate[]
}

export type CertificateReason = 'certificate_unreadable'

export function readCertificates(pem: Buffer | string): SigningCertificate | { reason: CertificateReason } {
  const texts = pemBlocks(pem)
  if (texts === undefined) return UNREADABLE
  try {
    const [certificate, ...others] = texts.map((text) => new X509Certificate(text))
    return certificate === undefined ? UNREADABLE : signingCertificate(certificate, others)
  } catch {
    return UNREADABLE // Base64 that is no certificate: the reason says all there is.
  }
}

const UNREADABLE = { reason: 'certificate_unreadable' } as const

/** Blocks of certificates, at most CERTIFICATES_MAX; undefined when there are none, too many, or too many bytes. */
function pemBlocks(pem: Buffer | string): string[] | undefined {
  if (pem.length > PEM_MAX_BYTES) return undefined
  const text = pem.toString()
  const blocks: string[] = []
  for (let at = text.indexOf(BEGIN); at >= 0; ) {
    const end = text.indexOf(END, at)
    if (end < 0 || blocks.length === CERTIFICATES_MAX) return undefined
    blocks.push(text.slice(at, end + END.length))
    at = text.indexOf(BEGIN, end)
  }
  return blocks.length === 0 ? undefined : blocks
}

const BEGIN = '-----BEGIN CERTIFICATE-----'
const END = '-----END CERTIFICATE-----'

function signingCertificate(
  certificate: X509Certificate,
  others: X509Certificate[],
): SigningCertificate | { reason: CertificateReason } {
  const parsed = AsnConvert.parse(certificate.raw, Certificate)
  const extension = (id: string) =>
    parsed.tbsCertificate.extensions?.find(({ extnID }) => extnID === id)?.extnValue.buffer
  const list = extension(TN_AUTH_LIST)
  const usage = extension(id_ce_keyUsage)
  const notBeforeMs = Date.parse(certificate.validFrom)
  const notAfterMs = Date.parse(certificate.validTo)
  if (Number.isNaN(notBeforeMs) || Number.isNaN(notAfterMs)) return UNREADABLE
  return {
    key: p256KeyOf(certificate.publicKey),
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    commonName: commonNameOf(certificate.subject),
    authority: list === undefined ? { spcs: [], ranges: [], numbers: [] } : authorityOf(list),
    notBeforeMs,
    notAfterMs,
    maySign:
      usage === undefined ||
      (AsnConvert.parse(usage, KeyUsage).toNumber() & KeyUsageFlags.digitalSignature) !== 0,
    certificate,
    others,
  }
}

function p256KeyOf(key: KeyObject): string {
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
  return isP256 ? key.export({ type: 'spki', format: 'der' }).toString('base64') : ''
}

/** Of an extension that is no TNAuthList nothing is known. */
export function authorityOf(der: ArrayBuffer | Buffer): TelephoneNumberAuthority {
  const authority: TelephoneNumberAuthority = { spcs: [], ranges: [], numbers: [] }
  let entries: TnAuthList
  try {
    entries = AsnConvert.parse(der, TnAuthList)
  } catch {
    return authority
  }
  for (const { spc, range, one } of entries.slice(0, TN_ENTRIES_MAX)) {
    if (spc !== undefined) authority.spcs.push(spc.slice(0, NAME_MAX_CHARS))
    else if (one !== undefined) authority.numbers.push(one.slice(0, NAME_MAX_CHARS))
    else if (range !== undefined && Number.isSafeInteger(range.count)) {
      authority.ranges.push({ start: range.start.slice(0, NAME_MAX_CHARS), count: range.count })
    }
  }
  return authority
}

/** Node writes a subject as lines, "C=US\nO=…\nCN=…", and what is special in a value with a backslash. */
function commonNameOf(subject: string | undefined): string {
  const line = (subject ?? '').split('\n').findLast((text) => text.startsWith('CN='))
  return line === undefined ? '' : line.slice(3, 3 + NAME_MAX_CHARS).replace(/\\(.)/g, '$1')
}

/** [decision] metrics.md §6: SPC, else the subject's CN, else the host of the x5u. */
export function signerIdOf(certificate: SigningCertificate | undefined, x5u: string): string {
  const [spc] = certificate?.authority.spcs ?? []
  if (spc !== undefined && spc !== '') return spc
  if (certificate !== undefined && certificate.commonName !== '') return certificate.commonName
  return URL.canParse(x5u) ? new URL(x5u).host.slice(0, NAME_MAX_CHARS) : ''
}

/** While all certificates of a path are valid. */
export interface Trust {
  fromMs: number
  toMs: number
}

/** A certificate that is itself one of the roots is trusted as such. */
export function trustOf(leaf: SigningCertificate, roots: readonly X509Certificate[]): Trust | undefined {
  let trust: Trust = { fromMs: leaf.notBeforeMs, toMs: leaf.notAfterMs }
  let current = leaf.certificate
  const unused = [...leaf.others]
  for (let length = 1; length <= PATH_MAX; length++) {
    if (roots.some((root) => root.raw.equals(current.raw))) return trust
    // CAs that stand between this issuer and the signer: its path length constraint counts them.
    const below = length - 1
    const root = roots.find((candidate) => isIssuedBy(current, candidate, below))
    if (root !== undefined) return length < PATH_MAX ? narrowed(trust, root) : undefined
    const index = unused.findIndex((candidate) => isIssuedBy(current, candidate, below))
    if (index < 0) return undefined
    current = unused.splice(index, 1)[0]!
    trust = narrowed(trust, current)
  }
  return undefined
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate, casBelow: number): boolean {
  try {
    if (!issuer.ca || !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false
    const extension = AsnConvert.parse(issuer.raw, Certificate).tbsCertificate.extensions?.find(
      ({ extnID }) => extnID === id_ce_basicConstraints,
    )
    if (extension === undefined) return false
    const { pathLenConstraint } = AsnConvert.parse(extension.extnValue.buffer, BasicConstraints)
    return pathLenConstraint === undefined || casBelow <= pathLenConstraint
  } catch {
    return false // A key or an extension that cannot be read issues nothing.
  }
}

function narrowed({ fromMs, toMs }: Trust, { validFrom, validTo }: X509Certificate): Trust {
  return { fromMs: Math.max(fromMs, Date.parse(validFrom)), toMs: Math.min(toMs, Date.parse(validTo)) }
}

const ROOTS_MAX = 512

/** The operator's file of roots. Throws a sentence that says what is wrong with it. */
export function readRoots(pem: string): X509Certificate[] {
  const blocks = pem.split(BEGIN).slice(1)
  if (blocks.length === 0)
    throw new Error('holds no certificate; write PEM blocks, -----BEGIN CERTIFICATE-----')
  if (blocks.length > ROOTS_MAX)
    throw new Error(`holds more than ${ROOTS_MAX} certificates; name fewer roots`)
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(`${BEGIN}${block}`)
    } catch (cause) {
      throw new Error(`holds as number ${index + 1} something that is no certificate`, { cause })
    }
  })
}
