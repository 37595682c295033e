/**
 * Finds attempts: one by its id, those of a Call-ID, or the newest that fit a filter, page by page.
 *
 * A page ends with a cursor that names its last row, not a count of rows: attempts that arrive meanwhile move nothing.
 * The order is that of the minutes, then of the INVITEs, then of the ids, newest first.
 */
import { CANCEL_CLASSES, DISPOSITIONS } from '../../schemas/attempt.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { isAtLeast } from '../../schemas/tokens.js'
import { ApiError } from '../errors.js'
import { longestSpanS } from '../kpi/query.js'
import { maskedAttempt } from '../masking.js'
import { choicesOf, listOf, oneOf, type Parameter, wholeNumberOf } from '../parameters.js'
import type { Leg, Readers } from '../readers.js'
import { type Span, shown, spanOf } from '../time-span.js'
import { type AttemptJson, attemptJsonOf, attemptSelection } from './attempt-json.js'

export const LIMIT_MAX = 500
const LIMIT_DEFAULT = 50
const STATES = ['open', 'closed', 'incomplete'] as const
const PARTIES = ['carrier', 'unknown', 'customer', 'internal'] as const
const LEVELS = ['A', 'B', 'C', 'none', 'malformed'] as const

export interface AttemptParameters {
  call_id?: Parameter
  from?: Parameter
  to?: Parameter
  carrier?: Parameter
  site?: Parameter
  direction?: Parameter
  party?: Parameter
  state?: Parameter
  disposition?: Parameter
  cancel_class?: Parameter
  attestation?: Parameter
  final_code?: Parameter
  limit?: Parameter
  cursor?: Parameter
}

interface Cursor {
  minuteS: number
  invitedAtUs: number
  attemptId: string
}

export interface AttemptSearch {
  callId: string | undefined
  span: Span | undefined
  /** Column of the table, and the values it may have. */
  texts: readonly [column: string, values: readonly string[]][]
  finalCodes: readonly number[]
  limit: number
  cursor: Cursor | undefined
}

export interface AttemptPage {
  attempts: AttemptJson[]
  /** null on the last page. */
  nextCursor: string | null
}

export function attemptSearchOf(
  written: AttemptParameters,
  config: TrunkscopeConfig,
  nowUs: number,
): AttemptSearch {
  const callId = oneOf('call_id', written.call_id)
  if (callId === '') {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_VALUE',
      'call_id is empty; write the Call-ID of the call, percent-encoded',
      {
        parameter: 'call_id',
      },
    )
  }
  const from = oneOf('from', written.from)
  const to = oneOf('to', written.to)
  const party = choicesOf('party', written.party, PARTIES)
  return {
    callId,
    // A Call-ID is looked for in all that is stored.
    span:
      callId !== undefined && from === undefined && to === undefined
        ? undefined
        : spanOf({ from, to }, { nowUs, longestS: longestSpanS(config) }),
    texts: [
      // A customer's leg is nobody's carrier: it comes when it is asked for, or with its Call-ID.
      [
        'party',
        party.length === 0 && callId === undefined && written.carrier === undefined
          ? ['carrier', 'unknown']
          : party,
      ],
      ['carrier', listOf(written.carrier)],
      // A site that nothing tells is stored as ''.
      ['site', listOf(written.site).map((site) => (site === 'unknown' ? '' : site))],
      ['direction', choicesOf('direction', written.direction, ['inbound', 'outbound', 'unknown'])],
      ['state', choicesOf('state', written.state, STATES)],
      ['disposition', choicesOf('disposition', written.disposition, DISPOSITIONS)],
      ['cancel_class', choicesOf('cancel_class', written.cancel_class, CANCEL_CLASSES)],
      ['attestation', choicesOf('attestation', written.attestation, LEVELS)],
    ],
    finalCodes: listOf(written.final_code).map(
      (code) =>
        wholeNumberOf('final_code', code, {
          min: 0,
          max: 699,
          example: 487,
        }) as number,
    ),
    limit:
      wholeNumberOf('limit', written.limit, { min: 1, max: LIMIT_MAX, example: LIMIT_DEFAULT }) ??
      LIMIT_DEFAULT,
    cursor: cursorOf(oneOf('cursor', written.cursor)),
  }
}

/** What a page of results reads: keys first, then the rows of those keys only. */
export async function searchAttempts(readers: Readers, search: AttemptSearch): Promise<AttemptPage> {
  const conditions = ["state != 'fragment'"]
  const parameters: Record<string, unknown> = { limit: search.limit + 1 }
  if (search.callId !== undefined) {
    conditions.push('call_id IN {call_ids:Array(String)}')
    // Bytes that are not ASCII are kept one char a byte.
    parameters.call_ids = [search.callId, Buffer.from(search.callId, 'utf8').toString('latin1')]
  }
  if (search.span !== undefined) {
    conditions.push(
      "minute >= toDateTime({from_s:UInt32}, 'UTC')",
      "minute < toDateTime({to_s:UInt32}, 'UTC')",
    )
    parameters.from_s = Math.floor(search.span.fromUs / 6e7) * 60
    parameters.to_s = Math.ceil(search.span.toUs / 1e6)
    conditions.push(`${MOMENT_US} >= {from_us:UInt64}`, `${MOMENT_US} < {to_us:UInt64}`)
    parameters.from_us = search.span.fromUs
    parameters.to_us = search.span.toUs
  }
  for (const [column, values] of search.texts) {
    if (values.length === 0) continue
    conditions.push(`${column} IN {${column}:Array(String)}`)
    parameters[column] = values
  }
  if (search.finalCodes.length > 0) {
    conditions.push('final_code IN {final_codes:Array(UInt16)}')
    parameters.final_codes = search.finalCodes
  }
  if (search.cursor !== undefined) {
    conditions.push(
      '(minute, invited_at_us, attempt_id) < ' +
        "(toDateTime({cursor_s:UInt32}, 'UTC'), {cursor_us:UInt64}, toFixedString(unhex({cursor_id:String}), 16))",
      "minute <= toDateTime({cursor_s:UInt32}, 'UTC')",
    )
    parameters.cursor_s = search.cursor.minuteS
    parameters.cursor_us = search.cursor.invitedAtUs
    parameters.cursor_id = search.cursor.attemptId
  }
  const order = 'ORDER BY minute DESC, invited_at_us DESC, attempt_id DESC'
  const attempts = await readers.selectMasked(
    `SELECT ${attemptSelection(false)} FROM call_attempts FINAL WHERE (minute, attempt_id) IN (
       SELECT minute, attempt_id FROM call_attempts FINAL WHERE ${conditions.join(' AND ')} ${order} LIMIT {limit:UInt32}
     ) ${order}`,
    parameters,
    attemptJsonOf,
    maskedAttempt,
  )
  const more = attempts.length > search.limit
  if (more) attempts.length = search.limit
  return { attempts, nextCursor: more ? cursorText(attempts.at(-1)!) : null }
}

const MOMENT_US = 'if(invited_at_us > 0, invited_at_us, toUInt64(toUInt32(minute)) * 1000000)'

/** What finds the messages of an attempt. It is not masked: it is to look with, and leaves in no answer. */
export interface AttemptKey extends Leg {
  fromTag: string
}

export interface FoundAttempt {
  attempt: AttemptJson
  key: AttemptKey
}

export async function findAttempt(readers: Readers, id: string, withFacts = false): Promise<FoundAttempt> {
  if (!/^[0-9a-fA-F]{32}$/.test(id)) {
    throw new ApiError(
      'TRUNKSCOPE_API_NO_SUCH_ATTEMPT',
      `${shown(id)} is no attempt id: those are 32 hex digits; to look for a Call-ID write /v1/attempts?call_id=…`,
    )
  }
  if (withFacts && !isAtLeast(readers.principal.role, 'investigator')) {
    throw new ApiError(
      'TRUNKSCOPE_API_ROLE_TOO_LOW',
      'the merged facts hold numbers and need the role investigator; leave out facts=true',
      { parameter: 'facts' },
    )
  }
  const [found] = await readers.selectMasked<Record<string, unknown>, FoundAttempt>(
    `SELECT ${attemptSelection(withFacts)} FROM call_attempts FINAL
     WHERE attempt_id = toFixedString(unhex({id:String}), 16) AND state != 'fragment' LIMIT 1`,
    { id },
    (row) => {
      const attempt = attemptJsonOf(row)
      return {
        attempt,
        key: {
          callId: attempt.call_id,
          fromTag: attempt.from_tag,
          addresses: [attempt.address_low, attempt.address_high],
        },
      }
    },
    ({ attempt, key }) => ({ attempt: maskedAttempt(attempt), key }),
  )
  if (found !== undefined) return found
  throw new ApiError(
    'TRUNKSCOPE_API_NO_SUCH_ATTEMPT',
    `no attempt ${id.toLowerCase()} is stored; it may have passed its retention, or its messages may still be in the spool`,
  )
}

function cursorText(attempt: AttemptJson): string {
  const minuteS = Date.parse(attempt.minute) / 1_000
  return Buffer.from(`${minuteS}.${attempt.invited_at_us}.${attempt.attempt_id}`).toString('base64url')
}

function cursorOf(text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined
  const match = /^(\d{1,10})\.(\d{1,16})\.([0-9a-f]{32})$/.exec(
    Buffer.from(text, 'base64url').toString('latin1'),
  )
  if (match === null) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_CURSOR',
      'cursor is not one that this list gave; take next_cursor of the page before, or leave it out for the first page',
      { parameter: 'cursor' },
    )
  }
  return { minuteS: Number(match[1]), invitedAtUs: Number(match[2]), attemptId: match[3]! }
}
