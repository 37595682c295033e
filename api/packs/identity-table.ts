/**
 * identity.csv: every token of the listed attempts, a row each, with its three words kept apart: what it claims, what its
 * signature says, and the verdict of all steps together (docs/identity.md).
 *
 * Takes    attempts in the order of attempts.csv, each with its tokens.
 * Returns  CSV in pieces, and what was counted: ROWS_MAX rows and BYTES_MAX bytes at most; the rest is counted and told.
 *
 * Texts of tokens are a stranger's: each is cut, and csvOf keeps a spreadsheet from running it.
 */
import {
  INVALID_REASONS,
  NOT_CHECKED_REASONS,
  SIGNATURES,
  type Signature,
  VERDICTS,
  type Verdict,
} from '../../schemas/identity-checks.js'
import type { AttemptJson } from '../attempts/attempt-json.js'
import type { SeenDeps } from '../deps.js'
import type { IdentityCheckJson } from '../identity/attempt-identity.js'
import { contractOf } from '../identity/signers.js'
import { type Cell, csvOf } from '../scorecards/csv.js'
import { isoOf } from '../time-span.js'
import type { AttemptEvidence } from './attempt-evidence.js'

export const ROWS_MAX = 50_000
export const BYTES_MAX = 32 * 2 ** 20
const TEXT_MAX_CHARS = 256
const DESTINATIONS_MAX = 4

const COLUMNS = [
  'attempt_id',
  'invited_at',
  'direction',
  'position',
  'depth',
  'form',
  'truncated',
  'ppt',
  'claimed_level',
  'claimed_orig',
  'claimed_dest',
  'claimed_div',
  'origid',
  'iat',
  'iat_delta_ms',
  'iat_is_fresh',
  'signed',
  'signed_reason',
  'signed_because',
  'verified',
  'findings',
  'orig_match',
  'dest_match',
  'chain',
  'signer_id',
  'signer_spc',
  'signer_contract',
  'certificate_subject',
  'certificate_sha256',
  'certificate_not_after',
  'x5u',
  'verstat_before_us',
  'attestation_info',
  'stir_reasons',
] as const

export interface IdentityCounts {
  /** Rows of the table; those of attempts without a token among them. */
  rows: number
  /** Beyond what the table may hold. */
  left: number
  /** Attempts with more tokens than are read of one. */
  cut: number
  tokens: number
  signed: Record<Signature, number>
  verified: Record<Verdict, number>
  /** Why signatures are invalid or were not checked, and what else was found. */
  reasons: Record<string, number>
  findings: Record<string, number>
}

type Listed = Pick<AttemptJson, 'attempt_id' | 'invited_at_us' | 'minute' | 'direction'>

export class IdentityTable {
  readonly parts: string[] = [csvOf([COLUMNS])]
  readonly counts: IdentityCounts = {
    rows: 0,
    left: 0,
    cut: 0,
    tokens: 0,
    signed: zeros(SIGNATURES),
    verified: zeros(VERDICTS),
    reasons: {},
    findings: {},
  }
  readonly #of: { carrier: string; config: SeenDeps['config'] }
  readonly #max: { rows: number; bytes: number }
  #bytes = 0

  constructor(
    of: { carrier: string; config: SeenDeps['config'] },
    max: { rows: number; bytes: number } = { rows: ROWS_MAX, bytes: BYTES_MAX },
  ) {
    this.#of = of
    this.#max = max
  }

  add(some: readonly { attempt: Listed; evidence: AttemptEvidence }[]): void {
    const rows: string[] = []
    for (const { attempt, evidence } of some) {
      if (evidence.isCut) this.counts.cut++
      for (const check of evidence.tokens) {
        this.#count(check)
        const text = csvOf([this.#cells(attempt, check)])
        if (
          this.counts.left > 0 ||
          this.counts.rows >= this.#max.rows ||
          this.#bytes + text.length > this.#max.bytes
        ) {
          this.counts.left++
          continue
        }
        this.counts.rows++
        this.#bytes += text.length
        rows.push(text)
      }
    }
    if (rows.length > 0) this.parts.push(rows.join(''))
  }

  #count({ form, signed, verified }: IdentityCheckJson): void {
    const { counts } = this
    if (form === 'none') return
    counts.tokens++
    counts.signed[signed.signature]++
    counts.verified[verified.verdict]++
    if (signed.reason !== '') counts.reasons[signed.reason] = (counts.reasons[signed.reason] ?? 0) + 1
    for (const finding of verified.findings) counts.findings[finding] = (counts.findings[finding] ?? 0) + 1
  }

  #cells(attempt: Listed, check: IdentityCheckJson): Cell[] {
    const { claimed, signed, verified } = check
    const { carrier, config } = this.#of
    const { attempt_id, direction, invited_at_us } = attempt
    const isToken = check.form !== 'none'
    const contract = isToken ? contractOf({ carrier, direction, spc: signed.spc }, config) : ''
    const cells: Record<(typeof COLUMNS)[number], Cell> = {
      attempt_id,
      invited_at: invited_at_us > 0 ? isoOf(invited_at_us) : attempt.minute,
      direction,
      position: check.position,
      depth: check.depth,
      form: check.form,
      truncated: signed.reason === 'truncated',
      ppt: claimed.ppt,
      claimed_level: claimed.attest,
      claimed_orig: cut(claimed.orig),
      claimed_dest: listed(claimed.dest, DESTINATIONS_MAX),
      claimed_div: cut(claimed.div),
      origid: cut(claimed.orig_id),
      iat: claimed.iat_s > 0 ? isoOf(claimed.iat_s * 1e6) : null,
      iat_delta_ms: verified.iat_delta_ms,
      iat_is_fresh: isFresh(verified),
      signed: isToken ? signed.signature : null,
      signed_reason: signed.reason,
      signed_because: REASONS[signed.reason] ?? null,
      verified: isToken ? verified.verdict : null,
      findings: verified.findings.join(' '),
      orig_match: verified.orig_match,
      dest_match: verified.dest_match,
      chain: verified.chain,
      signer_id: cut(signed.signer_id),
      signer_spc: cut(signed.spc),
      signer_contract: contract,
      certificate_subject: cut(signed.certificate_subject),
      certificate_sha256: signed.certificate_sha256,
      certificate_not_after: signed.certificate_not_after,
      x5u: cut(signed.x5u),
      verstat_before_us: cut(check.verstat),
      attestation_info: cut(check.attestation_info),
      stir_reasons: listed(check.stir_reasons, DESTINATIONS_MAX),
    }
    return COLUMNS.map((column) => cells[column])
  }
}

const REASONS: Readonly<Record<string, string>> = { ...INVALID_REASONS, ...NOT_CHECKED_REASONS }
const STALE = ['iat_missing', 'iat_stale', 'iat_in_future']

/** null: nothing is known of its time. */
function isFresh({ findings, iat_delta_ms }: IdentityCheckJson['verified']): boolean | null {
  if (findings.some((finding) => STALE.includes(finding))) return false
  return iat_delta_ms === null ? null : true
}

function cut(text: string): string {
  return text.length > TEXT_MAX_CHARS ? `${text.slice(0, TEXT_MAX_CHARS)}…` : text
}

function listed(texts: readonly string[], max: number): string {
  const more = texts.length > max ? [`and ${texts.length - max} more`] : []
  return [...texts.slice(0, max).map(cut), ...more].join(' | ')
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
}
