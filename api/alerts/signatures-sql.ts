/**
 * Certificates that signed calls of the last day, and signers of inbound calls of the last hour.
 *
 * A certificate is one that was seen: rows that were replaced since say so as well as those that stand, so of the day nothing
 * is merged. Signers are counted, so theirs are.
 *
 * Throws   what the readers throw.
 */
import type { Readers } from '../readers.js'
import type { Signatures } from './numbers.js'

const CERTIFICATES_S = 86_400
const SIGNERS_S = 3_600
/** Of certificates those that end first, of signers those with the most tokens. */
const ROWS_MAX = 1_000

interface CertificateRow {
  certificate_sha256: string
  subject: string
  code: string
  signer: string
  not_after_s: string
  carriers: string[]
  directions: string[]
  sites: string[]
  tokens: string
  last_s: number
}

interface SignerRow {
  carrier: string
  spc: string
  tokens: string
  sites: string[]
}

const BETWEEN = `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`
/** A site that nothing tells is stored as ''. */
const SITES = `arraySort(groupUniqArray(100)(if(site = '', 'unknown', site))) AS sites`

export async function readSignatures(readers: Readers, atS: number): Promise<Signatures> {
  const certificates = await readers.select<CertificateRow>(
    `SELECT certificate_sha256, any(certificate_subject) AS subject, any(spc) AS code, any(signer_id) AS signer,
       max(certificate_not_after) AS not_after_s, arraySort(groupUniqArray(100)(carrier)) AS carriers,
       arraySort(groupUniqArray(direction)) AS directions, ${SITES},
       uniq(attempt_id, token_hash, position) AS tokens, toUInt32(max(minute)) AS last_s
     FROM identity_checks WHERE ${BETWEEN} AND certificate_sha256 != '' AND is_deleted = 0 AND party IN ('carrier', 'unknown')
     GROUP BY certificate_sha256 ORDER BY not_after_s, certificate_sha256 LIMIT {limit:UInt32}`,
    { from_s: Math.max(0, atS - CERTIFICATES_S), to_s: atS, limit: ROWS_MAX },
  )
  const signers = await readers.select<SignerRow>(
    `SELECT carrier, spc, count() AS tokens, ${SITES}
     FROM identity_checks FINAL
     WHERE ${BETWEEN} AND direction = 'inbound' AND party = 'carrier' AND depth = 0 AND signature = 'valid' AND spc != ''
     GROUP BY carrier, spc ORDER BY tokens DESC, carrier, spc LIMIT {limit:UInt32}`,
    { from_s: Math.max(0, atS - SIGNERS_S), to_s: atS, limit: ROWS_MAX },
  )
  return {
    certificates: certificates.map((row) => ({
      sha256: row.certificate_sha256,
      subject: row.subject,
      spc: row.code,
      signerId: row.signer,
      notAfterS: Number(row.not_after_s),
      carriers: row.carriers,
      directions: row.directions,
      sites: row.sites,
      tokens: Number(row.tokens),
      lastSeenS: Number(row.last_s),
    })),
    signers: signers.map(({ carrier, spc, tokens, sites }) => ({
      carrier,
      spc,
      tokens: Number(tokens),
      sites,
    })),
  }
}
