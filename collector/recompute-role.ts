/**
 * Recompute: attempts and rollups of a past span, built again from the raw messages under the current rules.
 *
 *   1. what stands is copied, in the order of `sip_messages`
 *   2. bucket by bucket the calls are folded and compared with it; what differs goes to `call_attempts_new`, and the
 *      bucket is recorded: a killed job goes on at the next one
 *   3. the sums of each carrier before and after are written down; until here nothing else has changed
 *   4. swap: the new rows go above the old ones; where attempts went to other minutes the store processes, whose index knows
 *      the old ones, lose their claims and join again; then the minutes that became stale are marked
 *   5. the store processes recompute marked minutes; where none can run (`isAlone`) that is done here
 *
 * In scope is an attempt whose minute lies in the span, by the old row or by the new one. Calls may begin before it and
 * end after it: all of their messages are folded. Where raw messages are gone the attempt stays as it is and is counted.
 *
 * Throws TRUNKSCOPE_RECOMPUTE_NO_RAW where no raw message reaches into the span, TRUNKSCOPE_RECOMPUTE_RUNNING beside
 * another recompute.
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ClickHouseClient } from '@clickhouse/client'
import { ATTEMPT_COLUMNS, type Column } from '../schemas/call-attempts.js'
import type { TrunkscopeConfig } from '../schemas/config.js'
import { foldOf } from './fold-wiring.js'
import {
  type CallChanges,
  changesOf,
  type EndedRow,
  type Judge,
  type NewRow,
} from './recompute/call-changes.js'
import { CallFold } from './recompute/call-fold.js'
import { movedSums } from './recompute/moved-sums.js'
import {
  addCounts,
  type JobIdentity,
  type JobProgress,
  noCounts,
  type RecomputeCounts,
  RecomputeJob,
} from './recompute/recompute-job.js'
import {
  asOfByPartition,
  type CallRange,
  claimsByPartition,
  collectAttempts,
  countMessages,
  countWithoutMessages,
  messagesOf,
  nextRange,
  PORTIONS,
  type Portions,
  placesOf,
  rawReach,
  type Span,
  storedAttemptsOf,
} from './recompute/stored-calls.js'
import { observedOf } from './recompute/stored-message.js'
import { countOvertaken, markMinutes, nextRollupVersion, swapPart, swapParts } from './recompute/swap.js'
import { claimPartition } from './store/claims.js'
import { ClickHouseWriter, shapeOf } from './store/clickhouse-writer.js'
import { readMarks, settleMarks } from './store/marks.js'
import { recomputeMinutes } from './store/minutes.js'
import { RowBinaryWriter } from './store/rowbinary.js'

export interface RecomputeOptions {
  writer: ClickHouseClient
  insertFolder: string | undefined
  config: TrunkscopeConfig
  /** Names the rules that fold, so that a job is not finished under others than it began. */
  rules: string
  /** Whole minutes. */
  fromS: number
  toS: number
  /** The clock on the wall. */
  nowS: number
  /** A name that no other process has. */
  owner: string
  /** Base partition of a call of which nothing is stored. */
  busPartitionOf: (callId: string) => number
  /** Nothing else can write to this store meanwhile: no store process, no other recompute. */
  isAlone: boolean
  onProgress?: (progress: RecomputeProgress) => void
  /** Smaller ones cost time, never a number. */
  portions?: Portions
}

export interface RecomputeProgress {
  step: 'fold' | 'swap'
  done: number
  of: number
}

export interface RecomputeResult {
  askedFromS: number
  askedToS: number
  fromS: number
  toS: number
  notes: string[]
  counts: RecomputeCounts
  /** Rows of rollup sums: `side` before or after, `carrier`, `sum_<column>`. */
  sums: Record<string, unknown>[]
  isSwapped: boolean
  /** Attempts that a store process has written since they were compared: left as they are. */
  overtaken: number
  /** Whether an interrupted run was taken up. */
  isResumed: boolean
}

const NEW_COLUMNS: readonly Column<NewRow>[] = [
  ...ATTEMPT_COLUMNS,
  { name: 'replaces_end_minute', type: 'DateTime', of: (row) => row.replacesEndMinuteS },
]
/** The other columns keep their defaults: nobody reads them. */
const ENDED_COLUMNS: readonly Column<EndedRow>[] = [
  { name: 'minute', type: 'DateTime', of: (row) => row.minuteS },
  { name: 'attempt_id', type: 'FixedString(16)', of: (row) => row.attemptId },
  { name: 'version', type: 'UInt64', of: (row) => row.version },
  { name: 'is_deleted', type: 'UInt8', of: () => 1 },
  { name: 'bus_partition', type: 'UInt16', of: (row) => row.busPartition },
  { name: 'stored_at', type: 'DateTime', of: (row) => row.storedAtS },
  { name: 'replaces_end_minute', type: 'DateTime', of: (row) => row.replacesEndMinuteS },
]
const NEW = shapeOf('call_attempts_new', NEW_COLUMNS)
const ENDED = shapeOf('call_attempts_new', ENDED_COLUMNS)

export class Recompute {
  readonly #options: RecomputeOptions
  readonly #job: RecomputeJob
  readonly #judge: Judge
  readonly #writer: ClickHouseWriter
  readonly #counts: RecomputeCounts = noCounts()
  readonly #isResumed: boolean
  readonly #portions: Portions

  private constructor(options: RecomputeOptions, job: RecomputeJob, isResumed: boolean) {
    const { asOfUs, startedAtS, fromS, toS } = job.progress
    const latestUs = Math.max(0, ...Object.values(asOfUs)) || startedAtS * 1e6
    this.#options = options
    this.#job = job
    this.#isResumed = isResumed
    this.#portions = options.portions ?? PORTIONS
    this.#writer = new ClickHouseWriter(options.writer, options.insertFolder)
    this.#judge = {
      fold: foldOf(options.config),
      span: { fromS, toS },
      asOfUs: (busPartition) => asOfUs[busPartition] ?? latestUs,
      busPartitionOf: options.busPartitionOf,
      // A day back: a row of the same version that a store process wrote meanwhile is younger, whatever its clock says.
      storedAtS: startedAtS - 86_400,
    }
  }

  /**
   * Takes up the job that was interrupted, or begins one. A swap that was interrupted is finished first, whatever is asked
   * now: it was agreed to.
   */
  static async open(options: RecomputeOptions): Promise<Recompute> {
    const { writer, owner } = options
    if (!options.isAlone) await refuseBesideAnother(writer)
    const identity = identityOf(options)
    const left = await RecomputeJob.unfinished(writer, owner)
    const isSame = left?.identity.jobId === identity.jobId
    if (left !== undefined && isSame && (left.state === 'swapping' || (await isStillTrue(left, options))))
      return new Recompute(options, left, true)
    if (left?.state === 'swapping') await new Recompute(options, left, true).swap()
    else await left?.end('dropped')

    const progress = await beginning(options)
    const job = await RecomputeJob.begin(writer, identity, progress, owner)
    await collectAttempts(writer, progress)
    await job.save('folding')
    return new Recompute(options, job, false)
  }

  /** Folds what is not folded yet and writes down the sums. */
  async fold(): Promise<RecomputeResult> {
    const job = this.#job
    const buckets = await job.buckets()
    for (const { counts } of buckets) addCounts(this.#counts, counts)
    if (job.state === 'folding') {
      let last = buckets.at(-1)
      while (last === undefined || !last.isLast) {
        const range = await nextRange(
          this.#options.writer,
          job.progress,
          last?.untilCallId ?? '',
          this.#portions.messagesABucket,
        )
        const counts = await this.#foldRange(range)
        last = { bucket: (last?.bucket ?? 0) + 1, ...range, counts }
        await job.saveBucket(last)
        addCounts(this.#counts, counts)
        this.#report('fold', this.#counts.messages, job.progress.messagesInSpan)
      }
      job.progress.sums = []
      for await (const rows of movedSums(this.#options.writer, this.#judge.span))
        job.progress.sums.push(...rows)
      await job.save('folded')
    }
    return this.result()
  }

  /** Puts the new rows in place. Safe to repeat, and to be cut off anywhere. */
  async swap(): Promise<RecomputeResult> {
    const { writer, isAlone } = this.#options
    const { progress } = this.#job
    if (this.#job.state !== 'swapping') {
      const { moved, added, removed } = this.#counts
      progress.placesChange = moved + added + removed > 0
      progress.overtaken = 0
      progress.swapParts = await swapParts(writer)
      progress.swapPartsDone = 0
      await this.#job.save('swapping')
    }
    const parts = progress.swapParts
    while (progress.swapPartsDone < parts) {
      progress.overtaken += await swapPart(writer, progress.swapPartsDone, parts)
      progress.swapPartsDone++
      await this.#job.save('swapping')
      this.#report('swap', progress.swapPartsDone, parts)
    }
    if (!isAlone && progress.placesChange) progress.overtaken = await this.#makeStoresReadAgain(parts)
    if (parts > 0) await markMinutes(writer)
    if (isAlone) await this.#recomputeMarked()
    await this.#job.end('done')
    return this.result()
  }

  /** Forgets the job: nothing outside its own tables was touched. */
  async drop(): Promise<void> {
    await this.#job.end('dropped')
  }

  result(): RecomputeResult {
    const { askedFromS, askedToS } = this.#job.identity
    const { fromS, toS, notes, sums, overtaken } = this.#job.progress
    const isSwapped = this.#job.state === 'done'
    const isResumed = this.#isResumed
    return {
      askedFromS,
      askedToS,
      fromS,
      toS,
      notes,
      counts: this.#counts,
      sums,
      isSwapped,
      overtaken,
      isResumed,
    }
  }

  /** Whether somebody agreed to the swap before it was cut off. */
  get isAgreed(): boolean {
    return this.#job.state === 'swapping'
  }

  #report(step: RecomputeProgress['step'], done: number, of: number): void {
    this.#options.onProgress?.({ step, done, of })
  }

  async #foldRange(range: CallRange): Promise<RecomputeCounts> {
    const { writer } = this.#options
    const { span, fold } = this.#judge
    const stored = await storedAttemptsOf(writer, span, range)
    const bucket = new BucketRows()
    let call: CallFold | undefined
    const finish = () => {
      if (call !== undefined) bucket.add(changesOf(call, stored.get(call.callId) ?? [], this.#judge))
    }
    for await (const rows of messagesOf(writer, span, range, this.#portions.messagesAPage)) {
      for (const row of rows) {
        if (call?.callId !== row.callId) {
          finish()
          call = new CallFold(row.callId, fold)
        }
        call.add(observedOf(row))
      }
    }
    finish()
    await this.#placeUnknown(bucket)
    bucket.counts.keptRawExpired += await countWithoutMessages(writer, span, range)
    const [rows, ended] = [bucket.rows.take(), bucket.ended.take()]
    await this.#writer.insert(NEW, rows)
    await this.#writer.insert(ENDED, ended)
    for (const chunks of [rows, ended]) RowBinaryWriter.release(chunks)
    return bucket.counts
  }

  /** Attempts that the span does not have: new ones, unless they stand elsewhere, where their messages were. */
  async #placeUnknown(bucket: BucketRows): Promise<void> {
    const places = await placesOf(
      this.#options.writer,
      bucket.unknown.map(({ attempt }) => attempt.attemptId),
    )
    for (const row of bucket.unknown) {
      const known = places.get(row.attempt.attemptId) ?? []
      if (known.some(({ isDeleted }) => !isDeleted)) continue
      const version = Math.max(0, ...known.map((place) => place.version)) + 1
      bucket.rows.row(NEW_COLUMNS, { ...row, version })
      bucket.counts.added++
    }
  }

  /**
   * Store processes remember which attempts are stored, and under which minute. One that is superseded joins its group again
   * and reads what stands after its new claim.
   *
   * @returns how many attempts were written by then: by a look at the places of before, they may lack what stood there
   */
  async #makeStoresReadAgain(parts: number): Promise<number> {
    const { writer, owner } = this.#options
    for (const basePartition of Object.keys(await claimsByPartition(writer)))
      await claimPartition(writer, Number(basePartition), owner)
    let overtaken = 0
    for (let part = 0; part < parts; part++) overtaken += await countOvertaken(writer, part, parts)
    return overtaken
  }

  async #recomputeMarked(): Promise<void> {
    const { writer } = this.#options
    const partitions = Object.keys(this.#job.progress.asOfUs).map(Number)
    const marks = await readMarks(writer, partitions.length === 0 ? [0] : partitions)
    const version = await nextRollupVersion(writer)
    for (const partition of new Set(marks.map(({ basePartition }) => basePartition))) {
      const minutes = marks.filter(({ basePartition }) => basePartition === partition)
      await recomputeMinutes(
        writer,
        [partition],
        minutes.map(({ minuteS }) => minuteS),
        version,
      )
    }
    await settleMarks(writer, marks)
  }
}

/** What the calls of a bucket give. */
class BucketRows {
  readonly rows = new RowBinaryWriter()
  readonly ended = new RowBinaryWriter()
  readonly unknown: NewRow[] = []
  readonly counts = noCounts()

  add(changes: CallChanges): void {
    for (const row of changes.rows) this.rows.row(NEW_COLUMNS, row)
    for (const row of changes.ended) this.ended.row(ENDED_COLUMNS, row)
    this.unknown.push(...changes.unknown)
    addCounts(this.counts, changes.counts)
  }
}

async function beginning(options: RecomputeOptions): Promise<JobProgress> {
  const { writer, nowS } = options
  const { span, notes } = await reachOf(options)
  return {
    startedAtS: nowS,
    ...span,
    notes,
    asOfUs: await asOfByPartition(writer),
    claims: await claimsByPartition(writer),
    messagesInSpan: await countMessages(writer, span),
    sums: [],
    placesChange: false,
    overtaken: 0,
    swapParts: 0,
    swapPartsDone: 0,
  }
}

/**
 * Whether what an interrupted job has compared is still what stands. In a folder it is while no store
 * process has begun there since. Beside store processes a day is little: what they write is seen at the swap.
 */
async function isStillTrue(job: RecomputeJob, { writer, isAlone, nowS }: RecomputeOptions): Promise<boolean> {
  if (!isAlone) return nowS - job.progress.startedAtS < 86_400
  return isDeepStrictEqual(await claimsByPartition(writer), job.progress.claims)
}

/** The part of the span that raw messages reach, and what is to be said about it. */
async function reachOf(options: RecomputeOptions): Promise<{ span: Span; notes: string[] }> {
  const { writer, fromS, toS, nowS, config } = options
  const days = `${config.retention.raw_days} days (retention.raw_days)`
  const reach = await rawReach(writer)
  const reachS = reach === undefined ? 0 : reach.oldestS - (reach.oldestS % 60)
  if (reach === undefined || toS <= reachS) {
    throw Object.assign(
      new Error(
        `There is nothing to recompute from: ${reach === undefined ? 'no raw message is stored' : `the oldest raw message is of ${isoOf(reach.oldestS)}`}. ` +
          `Raw messages are kept ${days} after they were stored; the numbers of before stay as they are.`,
      ),
      { code: 'TRUNKSCOPE_RECOMPUTE_NO_RAW', fix: 'Choose a later span with --from and --to' },
    )
  }
  const notes: string[] = []
  if (fromS < reachS)
    notes.push(
      `Raw messages reach back to ${isoOf(reachS)}, not to ${isoOf(fromS)}: they are kept ${days} after they were stored. What lies before stays as it is.`,
    )
  // Stored after it was captured, an hour of clock error aside: from here on every message is there.
  const wholeFromS = nowS - config.retention.raw_days * 86_400 + 3_600
  if (Math.max(fromS, reachS) < wholeFromS)
    notes.push(
      `Messages stored before ${isoOf(wholeFromS - 3_600)} may be gone: an attempt that had one of them stays as it is and is counted as kept.`,
    )
  // Nothing comes after the newest message: a span without an end costs no more.
  const span = {
    fromS: Math.max(fromS, reachS),
    toS: Math.min(toS, reach.newestS - (reach.newestS % 60) + 60),
  }
  if (span.fromS >= span.toS) span.toS = toS
  return { span, notes }
}

const isoOf = (timeS: number) => new Date(timeS * 1_000).toISOString().replace('.000Z', 'Z')

function identityOf({ fromS, toS, rules, config }: RecomputeOptions): JobIdentity {
  // What the fold looks at; secrets and bounds are none of it.
  const { sites, carriers, customers, thresholds } = config
  const configHash = hashOf(JSON.stringify({ sites, carriers, customers, thresholds }))
  const jobId = hashOf(`${fromS} ${toS} ${rules} ${configHash}`)
  return { jobId, askedFromS: fromS, askedToS: toS, rules, configHash }
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32)

async function refuseBesideAnother(client: ClickHouseClient): Promise<void> {
  const quietS = await RecomputeJob.othersQuietS(client)
  if (quietS === undefined) return
  throw Object.assign(
    new Error(`Another recompute is at work here: it was heard of ${Math.round(quietS)} s ago.`),
    {
      code: 'TRUNKSCOPE_RECOMPUTE_RUNNING',
      fix: 'Wait until it has finished; if it was killed, try again in two minutes, and it goes on where it was',
    },
  )
}
