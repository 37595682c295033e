/**
 * Finds attempts: one by its id, those of a Call-ID, or the newest that fit a filter, page by page.
 *
 * A page ends with a cursor that names its last row and the range of the first page, not a count of rows: attempts that
 * arrive meanwhile move nothing, and "the last hour" stays the hour it was. The order is that of the minutes, then of the
 * INVITEs, then of the ids, newest first. An attempt stands on one page only, unless its INVITE turns out to be an
 * earlier one while somebody pages: then its place is another.
 *
 * How      Backwards through time in slices, each as long as what the one before held lets expect, until a page is full: what
 *          is common is found in the first slice. In a slice rows that fit are looked for as they were written, replaced ones among
 *          them, because indexes and short columns do there; what stands (FINAL) is then read for these keys only, once
 *          for all slices, and has to fit again.
 */
import { createHash } from 'node:crypto'
import { ANOMALY_CODES, type AnomalyCode } from '../../schemas/anomalies.js'
import { CANCEL_CLASSES, DISPOSITIONS } from '../../schemas/attempt.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import {
  JUDGED_COLUMNS,
  type JudgedColumn,
  judgedAttempts,
  mayBeJudged,
} from '../../schemas/judged-attempts.js'
import { isAtLeast, type Principal } from '../../schemas/tokens.js'
import { ApiError } from '../errors.js'
import { longestSpanS } from '../kpi/query.js'
import { maskedAttempt } from '../masking.js'
import { choicesOf, listOf, oneOf, type Parameter, wholeNumberOf } from '../parameters.js'
import type { Leg, Readers } from '../readers.js'
import { type Span, shown, spanOf } from '../time-span.js'
import { type AttemptJson, attemptJsonOf, attemptSelection } from './attempt-json.js'
import { type NumberFilter, numberConditions, numberFilterOf } from './number-filter.js'
import { type RoutingFilter, routingConditions, routingFilterOf } from './routing-filter.js'

export const LIMIT_MAX = 500
const LIMIT_DEFAULT = 50
export const STATES = ['open', 'closed', 'incomplete'] as const
export const PARTIES = ['carrier', 'unknown', 'customer', 'internal'] as const
export const LEVELS = ['A', 'B', 'C', 'none', 'malformed'] as const

/** Slices of time: the newest first, then longer ones, as few as it seems to take. */
const SLICE_S = 600
/** How much longer the next is: where the one before had nothing, and at most. */
const GROWTH_BLIND = 8
const GROWTH_MAX = 32
/** Calls are not spread evenly: so many times what would hold the rows that are missing. */
const SPARE = 1.5
/** Statements that one page may cost; a page that is not full by then is given as it is, with its cursor. */
const ROUNDS_MAX = 24

export interface AttemptParameters {
  call_id?: Parameter
  number?: Parameter
  calling?: Parameter
  called?: Parameter
  rn?: Parameter
  tgrp?: Parameter
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
  anomaly?: Parameter
  limit?: Parameter
  cursor?: Parameter
}

interface Place {
  minuteS: number
  invitedAtUs: number
  attemptId: string
}

interface Cursor extends Place {
  span: Span | undefined
}

export interface AttemptSearch {
  callId: string | undefined
  numbers?: readonly NumberFilter[]
  routing?: readonly RoutingFilter[]
  /** undefined: all that is stored. */
  span: Span | undefined
  /** Column of the table, and the values it may have. */
  texts: readonly [column: string, values: readonly string[]][]
  finalCodes: readonly number[]
  /** Suspicions, any of them (docs/early-media.md). */
  anomalies?: readonly AnomalyCode[]
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
  { config, principal }: { config: TrunkscopeConfig; principal: Principal },
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
  const search: AttemptSearch = {
    callId,
    numbers: numberFilterOf(written, principal),
    routing: routingFilterOf(written, principal),
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
    anomalies: choicesOf('anomaly', written.anomaly, ANOMALY_CODES),
    limit:
      wholeNumberOf('limit', written.limit, { min: 1, max: LIMIT_MAX, example: LIMIT_DEFAULT }) ??
      LIMIT_DEFAULT,
    cursor: undefined,
  }
  const cursor = cursorOf(oneOf('cursor', written.cursor), search)
  return cursor === undefined ? search : { ...search, span: cursor.span, cursor }
}

/** @param only columns to read, of who needs some: rows that lie apart cost by the column */
export async function searchAttempts(
  readers: Readers,
  search: AttemptSearch,
  only?: ReadonlySet<string>,
): Promise<AttemptPage> {
  const wanted = search.limit + 1
  const found: AttemptJson[] = []
  let slice = newestOf(search)
  let isOver = false
  let before: Place | undefined = search.cursor
  let rounds = 0
  while (!isOver && found.length < wanted && rounds < ROUNDS_MAX) {
    // As many places as rows are missing, from as many slices as that takes: whole rows are then read once.
    const places: Place[] = []
    const from = before
    for (; !isOver && found.length + places.length < wanted && rounds < ROUNDS_MAX; rounds++) {
      const missing = wanted - found.length - places.length
      const more = await placesOf(readers, search, slice, before, missing)
      places.push(...more)
      before = places.at(-1) ?? before
      if (more.length === missing) continue
      const older = olderThan(slice, search, more.length, missing - more.length)
      isOver = older === undefined
      slice = older
    }
    if (places.length > 0) found.push(...(await standingOf(readers, search, from, places, only)))
    if (isOver && found.length < wanted) return { attempts: found, nextCursor: null }
  }
  if (found.length >= wanted) {
    const attempts = found.slice(0, search.limit)
    return { attempts, nextCursor: cursorText(search, placeOf(attempts.at(-1)!)) }
  }
  return { attempts: found, nextCursor: before === undefined ? null : cursorText(search, before) }
}

/** Whole minutes; `fromS` is part of it, `toS` is not. undefined: all time. */
type Slice = { fromS: number; toS: number } | undefined

function rangeOf({ span, cursor }: AttemptSearch): Slice {
  if (span === undefined) return undefined
  const toS = Math.ceil(span.toUs / 6e7) * 60
  return {
    fromS: Math.floor(span.fromUs / 6e7) * 60,
    toS: cursor === undefined ? toS : Math.min(toS, cursor.minuteS + 60),
  }
}

function newestOf(search: AttemptSearch): Slice {
  const range = rangeOf(search)
  return range && { fromS: Math.max(range.fromS, range.toS - SLICE_S), toS: range.toS }
}

/** The slice before one that had `found` rows when `missing` more are wanted; undefined when nothing of the range is left. */
function olderThan(slice: Slice, search: AttemptSearch, found: number, missing: number): Slice {
  const range = rangeOf(search)
  if (range === undefined || slice === undefined || slice.fromS <= range.fromS) return undefined
  const growth = found === 0 ? GROWTH_BLIND : Math.min(Math.max((SPARE * missing) / found, 1), GROWTH_MAX)
  const lengthS = Math.ceil(((slice.toS - slice.fromS) * growth) / 60) * 60
  return { fromS: Math.max(range.fromS, slice.fromS - lengthS), toS: slice.fromS }
}

/**
 * Columns that hold numbers or Call-IDs stand in the condition only; a place holds none. Reading in order would not end
 * early (LIMIT BY comes first), and costs up to four times the CPU where little fits.
 */
async function placesOf(
  readers: Readers,
  search: AttemptSearch,
  slice: Slice,
  before: Place | undefined,
  wanted: number,
): Promise<Place[]> {
  const { conditions, parameters } = conditionsOf(search, slice, before, true)
  const same = (place: Place) => place
  return readers.selectMasked<{ minute_s: number; at_us: string; id: string }, Place>(
    `SELECT toUInt32(minute) AS minute_s, invited_at_us AS at_us, lower(hex(attempt_id)) AS id
     FROM call_attempts WHERE ${conditions.join(' AND ')} ${ORDER}
     LIMIT 1 BY minute, attempt_id LIMIT {places:UInt32} SETTINGS optimize_read_in_order = 0`,
    { ...parameters, places: wanted },
    (row) => ({ minuteS: row.minute_s, invitedAtUs: Number(row.at_us), attemptId: row.id }),
    same,
  )
}

/**
 * Of these places and all between them, the rows that stand and fit. Keys alone stand in PREWHERE: they are the same in every
 * version of a row, so that FINAL may come after them, and few rows are read whole.
 */
async function standingOf(
  readers: Readers,
  search: AttemptSearch,
  before: Place | undefined,
  places: readonly Place[],
  only: ReadonlySet<string> | undefined,
): Promise<AttemptJson[]> {
  const { conditions, parameters } = conditionsOf(search, rangeOf(search), before, false)
  return readers.selectMasked(
    `SELECT ${attemptSelection(false, only)} FROM ${STANDING}
     WHERE (minute, invited_at_us, attempt_id) >= ${placeSql('last')} AND ${conditions.join(' AND ')} ${ORDER}`,
    {
      ...parameters,
      ...placeParameters('last', places.at(-1)!),
      minutes: [...new Set(places.map(({ minuteS }) => minuteS))],
      place_minutes: places.map(({ minuteS }) => minuteS),
      ids: places.map(({ attemptId }) => attemptId),
    },
    attemptJsonOf,
    maskedAttempt,
  )
}

const IN_MINUTES = "minute IN (SELECT toDateTime(arrayJoin({minutes:Array(UInt32)}), 'UTC'))"
const STANDING = judgedAttempts({
  minutes: IN_MINUTES,
  // Pairs: the ids of one minute would be looked for in all the others.
  prewhere: `(minute, attempt_id) IN (SELECT toDateTime(place.1, 'UTC'), toFixedString(unhex(place.2), 16)
    FROM (SELECT arrayJoin(arrayZip({place_minutes:Array(UInt32)}, {ids:Array(String)})) AS place))`,
})
const ORDER = 'ORDER BY minute DESC, invited_at_us DESC, attempt_id DESC'
const MOMENT_US = 'if(invited_at_us > 0, invited_at_us, toUInt64(toUInt32(minute)) * 1000000)'

const WITHIN = "minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')"
const isJudged = (column: string): column is JudgedColumn =>
  (JUDGED_COLUMNS as readonly string[]).includes(column)

function conditionsOf(search: AttemptSearch, slice: Slice, before: Place | undefined, isCoarse: boolean) {
  const conditions = ["state != 'fragment'"]
  const parameters: Record<string, unknown> = {}
  if (search.callId !== undefined) {
    conditions.push('call_id IN {call_ids:Array(String)}')
    // Bytes that are not ASCII are kept one char a byte.
    parameters.call_ids = [search.callId, Buffer.from(search.callId, 'utf8').toString('latin1')]
  }
  if (slice !== undefined && search.span !== undefined) {
    conditions.push(WITHIN)
    parameters.from_s = slice.fromS
    parameters.to_s = slice.toS
    // Within a slice the minute says it all, without reading the time of each row.
    if (search.span.fromUs > slice.fromS * 1e6) {
      conditions.push(`${MOMENT_US} >= {from_us:UInt64}`)
      parameters.from_us = search.span.fromUs
    }
    if (search.span.toUs < slice.toS * 1e6) {
      conditions.push(`${MOMENT_US} < {to_us:UInt64}`)
      parameters.to_us = search.span.toUs
    }
  }
  for (const [column, values] of search.texts) {
    if (values.length === 0) continue
    conditions.push(
      isCoarse && isJudged(column)
        ? mayBeJudged(column, `{${column}:Array(String)}`, slice === undefined ? '1' : WITHIN)
        : `${column} IN {${column}:Array(String)}`,
    )
    parameters[column] = values
  }
  if (search.finalCodes.length > 0) {
    conditions.push('final_code IN {final_codes:Array(UInt16)}')
    parameters.final_codes = search.finalCodes
  }
  if (search.anomalies !== undefined && search.anomalies.length > 0) {
    const minutes = slice === undefined || search.span === undefined ? '1' : WITHIN
    conditions.push(
      `(minute, attempt_id) IN (SELECT minute, attempt_id FROM attempt_anomalies FINAL
         WHERE ${minutes} AND arrayExists(code -> has({anomalies:Array(String)}, code), codes))`,
    )
    parameters.anomalies = search.anomalies
  }
  for (const more of [
    numberConditions(search.numbers ?? [], isCoarse),
    routingConditions(search.routing ?? [], isCoarse),
  ]) {
    conditions.push(...more.conditions)
    Object.assign(parameters, more.parameters)
  }
  if (before !== undefined) {
    conditions.push(
      `(minute, invited_at_us, attempt_id) < ${placeSql('before')}`,
      "minute <= toDateTime({before_s:UInt32}, 'UTC')",
    )
    Object.assign(parameters, placeParameters('before', before))
  }
  return { conditions, parameters }
}

const placeSql = (name: string) =>
  `(toDateTime({${name}_s:UInt32}, 'UTC'), {${name}_us:UInt64}, toFixedString(unhex({${name}_id:String}), 16))`

function placeParameters(name: string, place: Place): Record<string, unknown> {
  return {
    [`${name}_s`]: place.minuteS,
    [`${name}_us`]: place.invitedAtUs,
    [`${name}_id`]: place.attemptId,
  }
}

function placeOf(attempt: AttemptJson): Place {
  return {
    minuteS: Date.parse(attempt.minute) / 1_000,
    invitedAtUs: attempt.invited_at_us,
    attemptId: attempt.attempt_id,
  }
}

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
    `SELECT ${attemptSelection(withFacts)} FROM ${judgedAttempts({ minutes: 'attempt_id = toFixedString(unhex({id:String}), 16)' })}
     WHERE state != 'fragment' LIMIT 1`,
    { id },
    foundOf,
    maskedFound,
  )
  if (found !== undefined) return found
  throw new ApiError(
    'TRUNKSCOPE_API_NO_SUCH_ATTEMPT',
    `no attempt ${id.toLowerCase()} is stored; it may have passed its retention, or its messages may still be in the spool`,
  )
}

/** A hostile peer may reuse one Call-ID for ever. */
export const LEGS_MAX = 24

/** Every attempt of a Call-ID that may be seen, the first first. */
export async function attemptsOfCall(
  readers: Readers,
  callId: string,
): Promise<{ found: FoundAttempt[]; isCut: boolean }> {
  const found = await readers.selectMasked<Record<string, unknown>, FoundAttempt>(
    `SELECT ${attemptSelection(false)} FROM ${judgedAttempts({
      minutes: 'minute IN (SELECT minute FROM call_attempts WHERE call_id = {call_id:String})',
      where: 'call_id = {call_id:String}',
    })}
     WHERE state != 'fragment'
     ORDER BY minute, invited_at_us, attempt_id LIMIT {legs:UInt32}`,
    { call_id: callId, legs: LEGS_MAX + 1 },
    foundOf,
    maskedFound,
  )
  return { found: found.slice(0, LEGS_MAX), isCut: found.length > LEGS_MAX }
}

/** The row of `attemptSelection`. */
export function foundOf(row: Record<string, unknown>): FoundAttempt {
  const attempt = attemptJsonOf(row)
  return {
    attempt,
    key: {
      callId: attempt.call_id,
      fromTag: attempt.from_tag,
      addresses: [attempt.address_low, attempt.address_high],
    },
  }
}

export function maskedFound({ attempt, key }: FoundAttempt): FoundAttempt {
  return { attempt: maskedAttempt(attempt), key }
}

/** version.span.place.filters: opaque to whoever gets it, and of no use with other filters. */
function cursorText(search: AttemptSearch, { minuteS, invitedAtUs, attemptId }: Place): string {
  const span = search.span === undefined ? '-' : `${search.span.fromUs}-${search.span.toUs}`
  return Buffer.from(`2.${span}.${minuteS}.${invitedAtUs}.${attemptId}.${filtersDigest(search)}`).toString(
    'base64url',
  )
}

/** The range and the size of a page may differ: the range is that of the first page. */
function filtersDigest({ callId, numbers, routing = [], ...search }: AttemptSearch): string {
  const { texts, finalCodes, anomalies } = search
  const before = [callId ?? null, numbers ?? [], texts, finalCodes, anomalies ?? []]
  const filters = JSON.stringify(routing.length === 0 ? before : [...before, routing])
  return createHash('sha256').update(filters).digest('hex').slice(0, 8)
}

function cursorOf(text: string | undefined, search: AttemptSearch): Cursor | undefined {
  if (text === undefined) return undefined
  const match = /^2\.(\d{0,16})-(\d{0,16})\.(\d{1,10})\.(\d{1,16})\.([0-9a-f]{32})\.([0-9a-f]{8})$/.exec(
    text.length > 256 ? '' : Buffer.from(text, 'base64url').toString('latin1'),
  )
  const isWhole = match !== null && (match[1] === '') === (match[2] === '') && Number(match[3]) < 2 ** 32
  if (!isWhole || match[6] !== filtersDigest(search)) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_CURSOR',
      isWhole
        ? 'cursor is one of a search for something else; leave it out for the first page of this search'
        : 'cursor is not one that this list gave; take next_cursor of the page before, or leave it out for the first page',
      { parameter: 'cursor' },
    )
  }
  const span = match[1] === '' ? undefined : { fromUs: Number(match[1]), toUs: Number(match[2]) }
  if ((span === undefined) !== (search.span === undefined)) return cursorOf('', search)
  return { span, minuteS: Number(match[3]), invitedAtUs: Number(match[4]), attemptId: match[5]! }
}
