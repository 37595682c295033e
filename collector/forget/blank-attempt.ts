/**
 * An attempt without the persons in it: what counts stays (times, codes, carriers, verdicts), so that no KPI changes; what
 * names a caller or callee goes.
 *
 * Gone are, whoever's they are: the four numbers, the URIs, the claims of the Identity tokens that name a party. Of other
 * texts from the wire (tags, phrases, reasons, User-Agent, Call-ID) only those change that hold the number itself: verdicts
 * rest on some of them. A text that changes becomes the same other text wherever it stands in the attempt, so that a BYE still
 * is the caller's or the callee's.
 *
 * Takes    a row as the client reads it (`StoredRow`), its facts read by the fold.
 * Returns  a new row: the next version, and one flag more. Nothing is changed in place.
 */
import type { AttemptFacts, InviteFacts } from '../../schemas/attempt-facts.js'
import { ATTEMPT_COLUMNS, type Column } from '../../schemas/call-attempts.js'
import type { IdentityToken } from '../../schemas/passport.js'
import type { NumberPattern } from './number-pattern.js'

/** Stands in `flags` of a row. */
export const FORGOTTEN = 'forgotten'

/** By column; 64-bit numbers as texts, times in seconds, ids as hex. */
export type StoredRow = Record<string, unknown>

export interface FactsTexts {
  read(text: string): AttemptFacts
  write(facts: AttemptFacts): string
}

export function blankAttempt(row: StoredRow, pattern: NumberPattern, facts: FactsTexts): StoredRow {
  const clean = cleaner(pattern)
  const texts = (column: string) => (row[column] as string[]).map(clean)
  const flags = row.flags as string[]
  return {
    ...row,
    version: Number(row.version) + 1,
    called_number: '',
    dialled_number: '',
    calling_number: '',
    from_number: '',
    request_uri: '',
    identities: JSON.stringify((JSON.parse(String(row.identities)) as IdentityToken[]).map(blankToken)),
    call_id: clean(String(row.call_id)),
    from_tag: clean(String(row.from_tag)),
    to_tags: texts('to_tags'),
    final_phrase: clean(String(row.final_phrase)),
    reasons: texts('reasons'),
    cancel_reason: clean(String(row.cancel_reason)),
    user_agent: clean(String(row.user_agent)),
    flags: flags.includes(FORGOTTEN) ? flags : [...flags, FORGOTTEN],
    facts: facts.write(blankFacts(facts.read(String(row.facts)), clean)),
  }
}

/** The same text becomes the same other one, and two become two. */
function cleaner(pattern: NumberPattern): (text: string) => string {
  const known = new Map<string, string>()
  return (text) => {
    if (!pattern.isIn(text)) return text
    const made =
      known.get(text) ?? pattern.without(text, `${FORGOTTEN}${known.size === 0 ? '' : known.size + 1}`)
    known.set(text, made)
    return made
  }
}

function blankFacts(facts: AttemptFacts, clean: (text: string) => string): AttemptFacts {
  return {
    ...facts,
    key: { ...facts.key, callId: clean(facts.key.callId), fromTag: clean(facts.key.fromTag) },
    tries: facts.tries.map((attempt) => ({
      ...attempt,
      branch: clean(attempt.branch),
      ...(attempt.invite === undefined ? {} : { invite: blankInvite(attempt.invite, clean) }),
      finals: attempt.finals.map((final) => ({
        ...final,
        phrase: clean(final.phrase),
        toTag: clean(final.toTag),
        reasons: final.reasons.map(clean),
      })),
      cancelReasons: attempt.cancelReasons.map(clean),
      earlyTags: attempt.earlyTags.map(clean),
    })),
    byes: facts.byes.map((bye) => ({
      ...bye,
      fromTag: clean(bye.fromTag),
      toTag: clean(bye.toTag),
      reasons: bye.reasons.map(clean),
    })),
  }
}

function blankInvite(invite: InviteFacts, clean: (text: string) => string): InviteFacts {
  return {
    ...invite,
    requestUri: '',
    from: '',
    to: '',
    contact: '',
    assertedIdentities: [],
    identities: invite.identities.map(blankToken),
    userAgent: clean(invite.userAgent),
  }
}

/** What the token is and claims as a level stays: the attestation is counted. */
function blankToken(token: IdentityToken): IdentityToken {
  return { ...token, orig: '', dest: [], origId: '', div: '' }
}

/** Writes rows as they were read. */
export const STORED_COLUMNS: readonly Column<StoredRow>[] = ATTEMPT_COLUMNS.map(({ name, type }) => ({
  name,
  type,
  of: (row) => (/^U?Int/.test(type) || type === 'DateTime' ? Number(row[name]) : row[name]),
}))

/** Reads them so. */
export const STORED_SELECTION = ATTEMPT_COLUMNS.map(({ name, type }) => {
  if (type === 'FixedString(16)') return `lower(hex(${name})) AS of_${name}`
  return type === 'DateTime' ? `toUInt32(${name}) AS of_${name}` : `${name} AS of_${name}`
}).join(', ')

export function storedRowOf(read: Record<string, unknown>): StoredRow {
  return Object.fromEntries(ATTEMPT_COLUMNS.map(({ name }) => [name, read[`of_${name}`]]))
}
