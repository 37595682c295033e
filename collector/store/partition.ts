// tidy: tested by test/collector/store/store-role.test.ts
/**
 * What the store process holds of one base partition of the bus: the claim, the attempts in memory, the index of those that
 * are stored, which minutes are stale. A partition is opened when it is claimed: everything is read back after the claim.
 */
import type { Column } from '../../schemas/call-attempts.js'
import { type Checkpoint, readCheckpoint } from './checkpoint.js'
import { attemptVersion, type Claim, claimedVersion, claimPartition } from './claims.js'
import type { ClickHouseWriter } from './clickhouse-writer.js'
import {
  type Fold,
  type Measures,
  measuresOf,
  type OpenAttempt,
  OpenAttempts,
  type WrittenAttempt,
} from './open-attempts.js'
import { restoreIndex, restoreOpenAttempts } from './restore.js'
import type { RowBinaryWriter } from './rowbinary.js'
import { StoredIndex } from './stored-index.js'

export interface EncodedAttempt {
  entry: OpenAttempt
  attempt: WrittenAttempt
  version: number
  measures: Measures
}

/** A row that ends another row: of its minute, its id. */
export interface EndedRow {
  minuteS: number
  attemptId: string
  version: number
  busPartition: number
  storedAtS: number
}

/** The other columns keep their defaults: nobody reads them. */
export const ENDED_COLUMNS: readonly Column<EndedRow>[] = [
  { name: 'minute', type: 'DateTime', of: (row) => row.minuteS },
  { name: 'attempt_id', type: 'FixedString(16)', of: (row) => row.attemptId },
  { name: 'version', type: 'UInt64', of: (row) => row.version },
  { name: 'is_deleted', type: 'UInt8', of: () => 1 },
  { name: 'bus_partition', type: 'UInt16', of: (row) => row.busPartition },
  { name: 'stored_at', type: 'DateTime', of: (row) => row.storedAtS },
]

export class StorePartition {
  readonly claim: Claim
  readonly attempts: OpenAttempts
  readonly staleMinutesS: Set<number>
  /** Highest received-at, the only clock of the fold: microseconds since 1970 UTC. */
  asOfUs: number
  /** The as_of that the last checkpoint told. */
  toldUs = 0
  #fold: Fold
  #versions = 0

  private constructor(claim: Claim, fold: Fold, index: StoredIndex, asOfUs: number, staleMinutesS: number[]) {
    this.claim = claim
    this.attempts = new OpenAttempts(fold, index)
    this.asOfUs = asOfUs
    this.staleMinutesS = new Set(staleMinutesS)
    this.#fold = fold
  }

  /** Claims, then reads back what the last process left: its intent, the index of stored attempts, the open ones. */
  static async open(
    writer: ClickHouseWriter,
    fold: Fold,
    basePartition: number,
    owner: string,
    indexMax: number | undefined,
  ): Promise<StorePartition> {
    const { client } = writer
    const claim = await claimPartition(client, basePartition, owner)
    const { asOfUs, staleMinutesS } = await readCheckpoint(client, basePartition)
    const index = new StoredIndex(indexMax)
    const twice = await restoreIndex(client, basePartition, index)
    const partition = new StorePartition(claim, fold, index, asOfUs, staleMinutesS)
    await restoreOpenAttempts(client, basePartition, partition.attempts, fold, asOfUs)
    await partition.#restoreTwice(writer, twice)
    return partition
  }

  /** Attempts that stand under two minutes, because a process died between the new row and the end of the old one. */
  async #restoreTwice(writer: ClickHouseWriter, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const found = await writer.lookUp(ids.map((id) => ({ id, unreadMinuteS: 0 })))
    for (const [id, { facts, places }] of found) {
      const version = Math.max(...places.map((place) => place.version))
      const [place, ...others] = places
      if (place === undefined || others.length === 0) continue
      this.attempts.restoreTwice(
        id,
        this.#fold.factsFromText(facts),
        { ...place, version },
        others,
        this.asOfUs,
      )
    }
  }

  useFold(fold: Fold): void {
    this.#fold = fold
    this.attempts.useFold(fold)
  }

  /** What was read back of attempts that are stored and were not in memory. */
  merge(entry: OpenAttempt, row: { facts: string; places: OpenAttempt['alsoStored'] } | undefined): void {
    entry.unreadMinuteS = undefined
    const [place, ...others] = row?.places ?? []
    if (row === undefined || place === undefined) return
    this.#fold.mergeFacts(this.attempts.factsOf(entry), this.#fold.factsFromText(row.facts))
    entry.stored = { ...place, version: Math.max(...row.places.map((one) => one.version)) }
    entry.alsoStored = others
  }

  /** Derives the attempt and encodes its row; rows that it leaves under other minutes end. */
  encode(
    entry: OpenAttempt,
    asOfUs: number,
    storedAtS: number,
    rows: RowBinaryWriter,
    ended: RowBinaryWriter,
  ) {
    const facts = this.attempts.factsOf(entry)
    const attempt = this.#fold.attemptOf(entry.id, facts, asOfUs)
    const version = attemptVersion(this.claim, entry.stored?.version ?? 0)
    const factsText = this.#fold.factsText(facts)
    const busPartition = this.claim.basePartition
    rows.attempt({ attempt, version, isDeleted: false, busPartition, storedAtS, factsText })
    for (const place of [entry.stored, ...entry.alsoStored]) {
      if (place === undefined || place.minuteS === attempt.minuteS) continue
      ended.row(ENDED_COLUMNS, {
        minuteS: place.minuteS,
        attemptId: entry.id,
        version,
        busPartition,
        storedAtS,
      })
    }
    const measures = measuresOf(attempt)
    for (const minuteS of this.attempts.staleMinutes(entry, attempt, measures))
      this.staleMinutesS.add(minuteS)
    this.attempts.encoded(entry, attempt, factsText)
    const { minuteS, endMinuteS, state, answeredAtUs, invited } = attempt
    const written = { minuteS, endMinuteS, state, answeredAtUs, invited }
    return { entry, attempt: written, version, measures } satisfies EncodedAttempt
  }

  /** Rows that this flush placed where none of theirs stood before: they end when the claim turns out to be lost. */
  endedRows(encoded: readonly EncodedAttempt[], storedAtS: number): EndedRow[] {
    return encoded
      .filter(({ entry, attempt }) => entry.stored?.minuteS !== attempt.minuteS)
      .map(({ entry, attempt, version }) => ({
        minuteS: attempt.minuteS,
        attemptId: entry.id,
        version: version + 1,
        busPartition: this.claim.basePartition,
        storedAtS,
      }))
  }

  checkpoint(asOfUs: number): Checkpoint {
    this.toldUs = asOfUs
    const { claim, staleMinutesS } = this
    return {
      basePartition: claim.basePartition,
      version: this.nextVersion(),
      asOfUs,
      staleMinutesS: [...staleMinutesS],
    }
  }

  /** For what is written whole under this claim: checkpoints, rollups. */
  nextVersion(): bigint {
    return claimedVersion(this.claim, ++this.#versions)
  }
}
