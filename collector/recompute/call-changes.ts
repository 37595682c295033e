/**
 * What a call's attempts are by its messages, against the rows that stand: which rows must come, which must end.
 *
 * A row is touched only if something in it changes. Nothing is made worse than it is: where messages that a
 * stored attempt was made of are gone, the whole call stays as it is and is counted.
 */
import type { AttemptRow, Column, ColumnType } from '../../schemas/call-attempts.js'
import type { Fold } from '../store/open-attempts.js'
import type { CallFold } from './call-fold.js'
import { noCounts, type RecomputeCounts } from './recompute-job.js'
import { COMPARED_COLUMNS, type Span, type StoredAttempt } from './stored-calls.js'

/** A row for `call_attempts_new`. */
export interface NewRow extends AttemptRow {
  /** end_minute of the row that stands at this place; 0: none does, or it has no end. */
  replacesEndMinuteS: number
}

/** The end of a row. */
export interface EndedRow {
  minuteS: number
  attemptId: string
  version: number
  busPartition: number
  storedAtS: number
  replacesEndMinuteS: number
}

export interface CallChanges {
  rows: NewRow[]
  ended: EndedRow[]
  /** Attempts without a row among those that were collected: one may stand far away. */
  unknown: NewRow[]
  counts: RecomputeCounts
}

export interface Judge {
  fold: Fold
  span: Span
  asOfUs: (busPartition: number) => number
  busPartitionOf: (callId: string) => number
  /** Of every row the job writes. */
  storedAtS: number
}

export function changesOf(call: CallFold, stored: readonly StoredAttempt[], judge: Judge): CallChanges {
  const { fold, span, storedAtS } = judge
  const counts = noCounts()
  const changes: CallChanges = { rows: [], ended: [], unknown: [], counts }
  const isInSpan = (minuteS: number) => minuteS >= span.fromS && minuteS < span.toS
  const isCounted = (row: StoredAttempt) => row.state !== 'fragment' && isInSpan(row.minuteS)
  counts.messages = call.messages
  counts.unplaced = call.unplaced

  if (call.isTooLong) {
    counts.keptTooLong = stored.filter(isCounted).length
    return changes
  }
  if (!stored.every((row) => call.hasAllOf(fold.factsFromText(row.facts)))) {
    counts.keptRawExpired = stored.filter(isCounted).length
    return changes
  }

  const placesOf = new Map<string, StoredAttempt[]>()
  for (const row of stored) placesOf.set(row.id, [...(placesOf.get(row.id) ?? []), row])
  const end = (row: StoredAttempt, version: number) =>
    changes.ended.push({
      minuteS: row.minuteS,
      attemptId: row.id,
      version,
      busPartition: row.busPartition,
      storedAtS,
      replacesEndMinuteS: row.endMinuteS,
    })

  for (const { id, facts } of call.attempts()) {
    const places = placesOf.get(id) ?? []
    placesOf.delete(id)
    const busPartition = (places[0] ?? stored[0])?.busPartition ?? judge.busPartitionOf(facts.key.callId)
    const attempt = fold.attemptOf(id, facts, judge.asOfUs(busPartition))
    if (![attempt, ...places].some(({ minuteS }) => isInSpan(minuteS))) continue
    const here = places.find(({ minuteS }) => minuteS === attempt.minuteS)
    const row: NewRow = {
      attempt,
      version: Math.max(0, ...places.map(({ version }) => version)) + 1,
      isDeleted: false,
      busPartition,
      storedAtS,
      factsText: fold.factsText(facts),
      replacesEndMinuteS: here?.endMinuteS ?? 0,
    }
    if (places.length === 0) {
      // Tags of a BYE that fit no INVITE: the store keeps them for an INVITE that may yet come, nobody counts them.
      if (attempt.state !== 'fragment') changes.unknown.push(row)
      continue
    }
    if (places.length === 1 && here !== undefined && isSame(here, row, fold)) {
      if (attempt.state !== 'fragment') counts.unchanged++
      continue
    }
    changes.rows.push(row)
    for (const place of places) if (place !== here) end(place, row.version)
    if (attempt.state !== 'fragment') counts.changed++
    if (here === undefined) counts.moved++
  }

  for (const places of placesOf.values()) {
    if (!places.some(isCounted)) continue
    counts.removed++
    const version = Math.max(...places.map((place) => place.version)) + 1
    for (const place of places) end(place, version)
  }
  return changes
}

/** Whether the row says what stands already. */
function isSame(stored: StoredAttempt, row: AttemptRow, fold: Fold): boolean {
  return COMPARED_COLUMNS.every((column) => isEqual(column, stored.values[column.name], row, fold))
}

function isEqual(column: Column<AttemptRow>, stored: unknown, row: AttemptRow, fold: Fold): boolean {
  const fresh = column.of(row)
  // The same facts may stand in the text of an earlier version.
  if (column.name === 'facts')
    return stored === fresh || fold.factsText(fold.factsFromText(String(stored))) === fresh
  if (Array.isArray(fresh)) return JSON.stringify(stored) === JSON.stringify(fresh)
  if (WHOLE_NUMBERS.has(column.type)) return Number(stored) === fresh
  return stored === fresh
}

/** 64-bit ones come as texts. */
const WHOLE_NUMBERS: ReadonlySet<ColumnType> = new Set([
  'UInt8',
  'UInt16',
  'UInt32',
  'UInt64',
  'Int64',
  'DateTime',
])
