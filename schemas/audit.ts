/**
 * The audit trail (table `audit_trail`): who looked at calls, and who took some away. docs/privacy.md.
 *
 * A route names its action in `config.audit`. An export is kept back until its row is written.
 */

export interface AuditAction {
  sentence: string
  /** Answered only after its row is written: without one there is no answer. */
  isExport: boolean
}

const look = (sentence: string): AuditAction => ({ sentence, isExport: false })
const taken = (sentence: string): AuditAction => ({ sentence, isExport: true })

export const AUDIT_ACTIONS = {
  search: look('searched for attempts'),
  attempt: look('opened an attempt: its record and its messages'),
  ladder: look('opened the ladder of a call'),
  samples: look('looked at samples of what was refused'),
  audit: look('read this trail'),
  pcap: taken('took the messages of a call away as pcap'),
  text: taken('took the messages of a call away as text'),
  scorecard: taken('took a scorecard'),
  document: taken('took a stored document'),
  pack: taken('took a dispute pack'),
  forget: taken('deleted what is stored about a number'),
} as const satisfies Record<string, AuditAction>

export type AuditActionName = keyof typeof AUDIT_ACTIONS

export const AUDIT_ACTION_NAMES = Object.keys(AUDIT_ACTIONS) as readonly AuditActionName[]

/** A row as it is written. */
export interface AuditRow {
  /** Milliseconds since 1970 UTC. */
  atMs: number
  /** 32 hex digits; of one row, however often it is written. */
  id: string
  /** Id of the token, never the token; 'loopback' where none was needed. */
  token: string
  role: string
  /** What the token was held to; empty: all carriers. */
  carriers: readonly string[]
  /** Of the socket. */
  address: string
  action: AuditActionName
  /** "GET /v1/attempts/:id", or a command. */
  route: string
  /** HTTP status of the answer. */
  status: number
  carrier: string
  attemptId: string
  /** What was asked, by parameter, masked; without numbers. */
  filters: Readonly<Record<string, string>>
  /** Masked. */
  numbers: readonly string[]
  /** Hex. */
  numberDigests: readonly string[]
  /** '' without digests. */
  keyId: string
  /** What was answered; undefined: not counted. */
  rows: number | undefined
}

/** For the client's insert as JSONEachRow. */
export function storedAuditRow(row: AuditRow): Record<string, unknown> {
  return {
    at: new Date(row.atMs).toISOString().slice(0, 23).replace('T', ' '),
    audit_id: row.id,
    token: row.token,
    role: row.role,
    carriers: row.carriers,
    address: row.address,
    action: row.action,
    route: row.route,
    status: row.status,
    carrier: row.carrier,
    attempt_id: row.attemptId,
    filters: JSON.stringify(row.filters),
    numbers: row.numbers,
    number_digests: row.numberDigests,
    key_id: row.keyId,
    rows: row.rows ?? -1,
  }
}
