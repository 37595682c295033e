/**
 * Scorecards of schedules: what is due is made, stored, and told; again and again, in the process that evaluates alerts.
 *
 * What is due follows from what is stored, not from a timer: the last firing of a schedule that is not done. So after an
 * outage the latest firing is made up for, and those before it are said to have been missed. Two processes agree by a claim
 * (run-store.ts) on who makes it.
 *
 * A run is documents stored, notice with the outbox, firing done, in this order, carrier by carrier. Killed in between, whoever
 * goes on finds the documents that stand and tells of those: same id, same words; the outbox folds doubles.
 *
 * A carrier that fails holds up no other; the run is tried again until it is whole or the next firing takes its place.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { Notice } from '../../schemas/alert-hook.js'
import type { ScorecardSchedule } from '../../schemas/scorecard-schedule.js'
import type { RouteDeps } from '../deps.js'
import { type DocumentSubject, readSubject, writeDocuments } from './documents.js'
import { makeDocuments, type PrintPdf } from './make-documents.js'
import { scorecardNotice } from './notice.js'
import { type RunName, RunStore } from './run-store.js'
import { definitionOf, lastFiring } from './schedule.js'
import { type Week, weekAt, weekBefore } from './week.js'

/** Later than this a firing was missed and is made up for. */
const LATE_MS = 600_000
const RETRY_FIRST_MS = 60_000
const RETRY_LONGEST_MS = 1_800_000

export interface ScheduledOptions {
  /** May write `documents` and `document_runs`. */
  client: ClickHouseClient
  /** Who claims: the same after a restart only where there is but one process over the tables. */
  owner: string
  /** Its configuration is read anew each time: a reload changes it in place. */
  deps: RouteDeps
  outbox: { put(notices: readonly Notice[]): Promise<void> }
  log: (level: 'info' | 'warn' | 'error', sentence: string) => void
  print?: PrintPdf | undefined
}

export interface ScheduledStatus {
  runs: { done: number; failed: number }
  documents: Map<string, number>
  /** Formats that could not be made. */
  omitted: Map<string, number>
  /** Undefined: nothing was made yet. */
  lastDoneAtMs: number | undefined
}

export type Outcome = 'done' | 'failed' | 'not_ours'

export class ScheduledScorecards {
  readonly status: ScheduledStatus = {
    runs: { done: 0, failed: 0 },
    documents: new Map(),
    omitted: new Map(),
    lastDoneAtMs: undefined,
  }
  readonly #options: ScheduledOptions
  readonly #runs: RunStore
  /** By definition: since when it is followed. */
  readonly #since = new Map<string, number>()
  /** By schedule: the firing that is known to be done. */
  readonly #settled = new Map<string, number>()
  readonly #failures = new Map<string, { firedAtMs: number; count: number; nextTryAtMs: number }>()
  #turn: Promise<unknown> = Promise.resolve()
  #isStopping = false
  #isByHand = false

  constructor(options: ScheduledOptions) {
    this.#options = options
    this.#runs = new RunStore(options.client, options.owner)
  }

  /** Makes what is due; asks the store nothing while nothing is. Never rejects. */
  runDue(): Promise<void> {
    return this.#inTurn(() => this.#runDue())
  }

  /** A firing by hand, at this second: it is not tried again when it fails. Rejects with what the store throws. */
  async runNow(schedule: ScorecardSchedule): Promise<{ outcome: Outcome; firedAtMs: number }> {
    // One at a time, and no queue of them.
    if (this.#isByHand) return { outcome: 'not_ours', firedAtMs: 0 }
    this.#isByHand = true
    return this.#inTurn(async () => {
      const firedAtMs = Math.floor(this.#nowMs() / 1_000) * 1_000
      const outcome = await this.#makeAndTell(schedule, { schedule: schedule.id, firedAtMs }, true)
      if (outcome === 'failed') this.status.runs.failed++
      return { outcome, firedAtMs }
    }).finally(() => {
      this.#isByHand = false
    })
  }

  /** The scorecard that is being made is finished; the next process goes on with the rest. */
  stop(): void {
    this.#isStopping = true
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }

  async #runDue(): Promise<void> {
    const { deps, log } = this.#options
    for (const schedule of deps.config.scorecards.schedules) {
      try {
        await this.#runSchedule(schedule)
      } catch (error) {
        const nowMs = this.#nowMs()
        const wait = this.#failures.get(schedule.id)
        const sentence = `scorecards of schedule ${schedule.id} wait: ${firstLine(error)}`
        if (wait === undefined) log('error', sentence)
        this.#noteFailure(schedule.id, wait?.firedAtMs ?? 0, nowMs)
      }
    }
  }

  async #runSchedule(schedule: ScorecardSchedule): Promise<void> {
    const nowMs = this.#nowMs()
    const failure = this.#failures.get(schedule.id)
    const definition = definitionOf(schedule)
    const known = `${schedule.id} ${definition}`
    const sinceMs = this.#since.get(known) ?? (await this.#runs.since(schedule.id, definition, nowMs))
    this.#since.set(known, sinceMs)
    const due = lastFiring(schedule, Math.max(sinceMs, this.#settled.get(schedule.id) ?? 0), nowMs)
    if (due === undefined) return
    const { firedAtMs } = due
    if (failure !== undefined && failure.nextTryAtMs > nowMs && failure.firedAtMs >= firedAtMs) return
    const run = { schedule: schedule.id, firedAtMs }
    if (!(await this.#runs.isDone(run))) {
      const outcome = await this.#makeAndTell(schedule, run, failure?.firedAtMs !== firedAtMs)
      if (outcome === 'not_ours') return
      if (outcome === 'failed') {
        this.#noteFailure(schedule.id, firedAtMs, nowMs)
        return
      }
    }
    this.#settled.set(schedule.id, firedAtMs)
    this.#failures.delete(schedule.id)
  }

  #noteFailure(schedule: string, firedAtMs: number, nowMs: number): void {
    const before = this.#failures.get(schedule)
    const count = before?.firedAtMs === firedAtMs ? before.count + 1 : 1
    const waitMs = Math.min(RETRY_LONGEST_MS, RETRY_FIRST_MS * 2 ** Math.min(10, count - 1))
    this.#failures.set(schedule, { firedAtMs, count, nextTryAtMs: nowMs + waitMs })
    this.status.runs.failed++
  }

  /** @param isFirst it was not tried before by this process: what is wrong is said once */
  async #makeAndTell(schedule: ScorecardSchedule, run: RunName, isFirst: boolean): Promise<Outcome> {
    const { deps, log } = this.#options
    const { id } = schedule
    const { firedAtMs } = run
    if (!(await this.#runs.claim(run, this.#nowMs()))) return 'not_ours'
    const firing = `the firing of ${isoOfMs(firedAtMs)}`
    const note = await this.#noteOfMissed(schedule, firedAtMs, firing)
    if (note !== '' && isFirst) log('warn', `scorecards of schedule ${id}: ${note}`)
    const week = weekBefore(weekAt(Math.floor(firedAtMs / 1_000)))
    const carriers = schedule.carriers ?? deps.config.carriers.map((carrier) => carrier.id)
    const failed: string[] = []
    let documents = 0
    for (const carrier of [...new Set(carriers), ...(schedule.side_by_side ? [''] : [])]) {
      if (this.#isStopping || !(await this.#runs.claim(run, this.#nowMs()))) return 'not_ours'
      try {
        documents += await this.#one(schedule, { schedule: id, firedAtMs, carrier }, week)
      } catch (error) {
        failed.push(carrier === '' ? 'all side by side' : carrier)
        if (isFirst) {
          const whose = carrier === '' ? 'of all carriers' : `of ${carrier}`
          log(
            'error',
            `schedule ${id}: the scorecard ${whose} of ${week.id} is not made: ${firstLine(error)}`,
          )
        }
      }
    }
    if (failed.length > 0) {
      log('warn', `schedule ${id}: ${firing} is tried again for ${failed.slice(0, 10).join(', ')}`)
      return 'failed'
    }
    await this.#runs.done(run, this.#nowMs(), note)
    this.status.runs.done++
    this.status.lastDoneAtMs = this.#nowMs()
    log('info', `schedule ${id}: ${documents} documents of ${week.id} are made for ${firing}`)
    return 'done'
  }

  /** '': in time, and nothing was missed before. */
  async #noteOfMissed(schedule: ScorecardSchedule, firedAtMs: number, firing: string): Promise<string> {
    const sinceMs = this.#since.get(`${schedule.id} ${definitionOf(schedule)}`) ?? firedAtMs
    const afterMs = Math.max(sinceMs, await this.#runs.lastDone(schedule.id))
    const missed = lastFiring(schedule, Math.min(afterMs, firedAtMs - 1), firedAtMs)?.before ?? 0
    const late = this.#nowMs() - firedAtMs > LATE_MS ? `${firing} is made up for` : ''
    const lost =
      missed === 0 ? '' : `${missed} before it ${missed === 1 ? 'was' : 'were'} missed and are not made`
    return [late, lost].filter((part) => part !== '').join('; ')
  }

  /** @returns how many documents stand */
  async #one(schedule: ScorecardSchedule, subject: DocumentSubject, week: Week): Promise<number> {
    const { client, deps, outbox, print } = this.#options
    let standing = await readSubject(client, subject, week.id)
    let madeAtMs = this.#nowMs()
    if (standing === undefined) {
      const { documents, headline } = await makeDocuments(
        deps,
        { week, carrier: subject.carrier, formats: schedule.formats },
        print,
      )
      madeAtMs = this.#nowMs()
      const made = { week: week.id, madeAtMs, asOfUs: deps.live().asOfUs, headline }
      await writeDocuments(client, subject, made, documents)
      for (const { format } of documents) count(this.status.documents, format)
      for (const { format, why } of headline.omitted) {
        count(this.status.omitted, format)
        const whose = subject.carrier === '' ? 'of all carriers' : `of ${subject.carrier}`
        this.#options.log('warn', `schedule ${schedule.id}: no ${format} of the scorecard ${whose} (${why})`)
      }
      // Another process may have been first: what stands is told.
      standing = (await readSubject(client, subject, week.id)) ?? { documents: [], headline }
    }
    const [first] = standing.documents
    if (first !== undefined) madeAtMs = Date.parse(first.madeAt)
    const notice = scorecardNotice(schedule, subject, { ...standing, madeAtMs }, deps.config.alerts.page_url)
    if (notice.sinks.length > 0) await outbox.put([notice])
    return standing.documents.length
  }

  #nowMs(): number {
    return Math.floor(this.#options.deps.nowUs() / 1_000)
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

const firstLine = (error: unknown) => (error as Error).message.split('\n')[0] ?? ''
const isoOfMs = (timeMs: number) => new Date(timeMs).toISOString().replace(/\.\d+/, '')
