/**
 * Runs the evidence passes: one process at a time (lease.ts), over the minutes that changed (changed-minutes.ts), beside the
 * way of the packets and never on it.
 *
 * A round: take what changed; let each pass that is due judge it, a bounded number of minutes, the newest first; say in the
 * lease how far all of them are. After a round the job rests nine times as long as it worked, so that it takes a tenth of
 * one connection's time at most; what it cannot keep up with waits, and `lagS` says so.
 *
 * A store that fails stops nothing: the job says why, rests longer each time, and takes the lease anew. A pass that fails by
 * itself, or asks for more than LIMITS allow, leaves these minutes out, and the others go on. LIMITS also bound how long
 * whoever shares the connection waits: raw messages, in the embedded mode.
 */
import { randomUUID } from 'node:crypto'
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import type { TrunkscopeConfig } from '../schemas/config.js'
import { type ChangedMinute, ChangedMinutes, firstChangeS } from './changed-minutes.js'
import { LEASE_MS, Lease, type Progress } from './lease.js'
import {
  type Context,
  type EvidencePass,
  type PassResult,
  type StaleMinute,
  stretchesOf,
  type Window,
} from './pass.js'
import { PASSES } from './passes.js'
import { markStale } from './verdict-rows.js'

export interface EvidenceOptions {
  /** A connection on which nobody waits for an answer. */
  client: ClickHouseClient
  /** Asked at each round: it may be reloaded. */
  config: () => TrunkscopeConfig
  log: (level: 'info' | 'warn' | 'error', sentence: string) => void
  passes?: readonly EvidencePass[]
  /** Milliseconds of a clock that only grows. For tests. */
  nowMs?: () => number
  leaseMs?: number
}

export interface EvidenceStatus {
  /** Whether this process has the lease. */
  isLeader: boolean
  rounds: number
  lastRoundSeconds: number
  /** Oldest change that a pass has still to look at, by the clock of the store. */
  lagSeconds: number
  minutesWaiting: number
  /** Rows written, by pass. */
  rows: ReadonlyMap<string, number>
  /** Minutes left out, by pass. */
  leftOut: ReadonlyMap<string, number>
  /** '' while all is well. */
  problem: string
}

const TICK_MS = 5_000
/** A third of the lease. */
const BEAT_MS = LEASE_MS / 3
const REST = 9
const REST_MAX_MS = 60_000
const BACK_OFF_MAX_MS = 60_000
/** Minutes a pass judges in one round. */
const MINUTES_A_ROUND = 30

/** Of each statement of a pass. */
const LIMITS: ClickHouseSettings = { max_execution_time: 5, max_memory_usage: '1000000000' }
/**
 * TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED; rows of ours that are refused as what they are (CANNOT_PARSE_ESCAPE_SEQUENCE,
 * _QUOTED_STRING, _INPUT_ASSERTION_FAILED, INCORRECT_DATA); an answer longer than a string may be.
 */
const OF_PASS: ReadonlySet<unknown> = new Set([
  '159',
  '160',
  '241',
  '25',
  '26',
  '27',
  '117',
  'ERR_STRING_TOO_LONG',
])

/** A pass, and what it has still to look at: by minute, when the change was and from when on it is due. */
interface Work {
  pass: EvidencePass
  waiting: Map<number, { changedAtS: number; dueMs: number }>
  nextMs: number
}

export class EvidenceJob {
  readonly #options: EvidenceOptions
  readonly #owner = randomUUID()
  readonly #rows = new Map<string, number>()
  readonly #leftOut = new Map<string, number>()
  readonly #limited: ClickHouseClient
  #lease: Lease | undefined
  #writing: readonly StaleMinute[] = []
  #changed = new ChangedMinutes(0)
  #work: Work[] = []
  #timer: NodeJS.Timeout | undefined
  #beats: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isStopping = false
  #failures = 0
  #status = { rounds: 0, lastRoundSeconds: 0, lagSeconds: 0, problem: '' }

  constructor(options: EvidenceOptions) {
    this.#options = options
    this.#limited = limited(options.client)
  }

  get status(): EvidenceStatus {
    const minutesWaiting = this.#work.reduce((sum, { waiting }) => sum + waiting.size, 0)
    return {
      ...this.#status,
      isLeader: this.#lease !== undefined,
      minutesWaiting,
      rows: this.#rows,
      leftOut: this.#leftOut,
    }
  }

  start(): void {
    this.#schedule(TICK_MS)
  }

  /** Waits for the round in flight, and lets go of the lease. */
  async stop(): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#timer)
    await this.#running
    clearInterval(this.#beats)
    await this.#lease?.release(this.#progress()).catch(() => {})
    this.#lease = undefined
  }

  /** One round, now. Throws what the store throws. */
  async round(): Promise<void> {
    const startedMs = performance.now()
    if (this.#lease === undefined && !(await this.#take())) return
    this.#note(await this.#changed.take(this.#options.client))
    for (const work of this.#work) {
      if (!(await this.#judge(work))) break
    }
    await this.#sayProgress()
    this.#status.rounds++
    this.#status.lastRoundSeconds = (performance.now() - startedMs) / 1_000
  }

  async #take(): Promise<boolean> {
    const { client, passes = PASSES, leaseMs = LEASE_MS } = this.#options
    const lease = await Lease.take(client, this.#owner, leaseMs)
    if (lease === undefined) return false
    const { judgedUntilS, writing } = lease.before
    // What was being written may stand where the rollups do not know of it.
    await markStale(client, writing)
    this.#changed = new ChangedMinutes(judgedUntilS > 0 ? judgedUntilS : await firstChangeS(client))
    this.#work = passes.map((pass) => ({ pass, waiting: new Map(), nextMs: 0 }))
    this.#lease = lease
    // A long statement, and the rest after it, may both last longer than a process may be silent.
    clearInterval(this.#beats)
    this.#beats = setInterval(() => void this.#sayProgress().catch(() => {}), BEAT_MS).unref()
    this.#options.log('info', `evidence: this process runs the passes from now on (epoch ${lease.epoch})`)
    return true
  }

  #note(changed: readonly ChangedMinute[]): void {
    for (const { minuteS, changedAtS } of changed) {
      for (const work of this.#work) this.#add(work, minuteS, changedAtS)
    }
  }

  /** A minute that waits already becomes due when it was to be: one that changes all the time is not put off for ever. */
  #add(work: Work, minuteS: number, changedAtS: number): void {
    const before = work.waiting.get(minuteS)
    work.waiting.set(minuteS, {
      changedAtS: Math.min(changedAtS, before?.changedAtS ?? changedAtS),
      dueMs: before?.dueMs ?? this.#nowMs() + work.pass.settleS * 1_000,
    })
  }

  /** @returns whether to go on: the lease is still ours, and nobody has asked us to stop */
  async #judge(work: Work): Promise<boolean> {
    const { pass, waiting } = work
    const nowMs = this.#nowMs()
    if (nowMs < work.nextMs) return true
    const due = [...waiting]
      .filter(([, { dueMs }]) => dueMs <= nowMs)
      .map(([minuteS]) => minuteS)
      .sort((a, b) => b - a)
      .slice(0, MINUTES_A_ROUND)
    if (due.length === 0) return true
    work.nextMs = nowMs + pass.everyS * 1_000
    for (const window of stretchesOf(due, pass.reachS)) {
      if (this.#isStopping) return false
      const { rows, changedMinutesS } = await this.#run(pass, window)
      this.#rows.set(pass.id, (this.#rows.get(pass.id) ?? 0) + rows)
      const changedAtS = Math.min(...window.minutesS.map((minuteS) => waiting.get(minuteS)?.changedAtS ?? 0))
      for (const minuteS of window.minutesS) waiting.delete(minuteS)
      for (const later of this.#work.slice(this.#work.indexOf(work) + 1)) {
        for (const minuteS of changedMinutesS) this.#add(later, minuteS, changedAtS)
      }
      this.#writing = []
      await this.#lease?.beat(this.#progress())
      if (!(await this.#isHeld())) return false
    }
    return true
  }

  async #run(pass: EvidencePass, window: Window): Promise<PassResult> {
    try {
      return await pass.run(window, this.#context())
    } catch (error) {
      if (!isOfPass(error)) throw error
      const { minutesS } = window
      this.#leftOut.set(pass.id, (this.#leftOut.get(pass.id) ?? 0) + minutesS.length)
      this.#options.log(
        'error',
        `evidence: the pass ${pass.id} leaves out ${minutesS.length} minutes up to ${new Date(window.toS * 1_000).toISOString()}: ` +
          `${(error as Error).message.split('\n')[0]}`,
      )
      // Some of its rows may stand: their minutes are recomputed.
      await markStale(this.#options.client, this.#writing)
      return { rows: 0, changedMinutesS: [] }
    }
  }

  #context(): Context {
    const { config, log } = this.#options
    const lease = this.#lease!
    return {
      client: this.#limited,
      config: config(),
      log,
      version: () => lease.version(),
      announce: (writing) => {
        this.#writing = writing
        return lease.beat(this.#progress())
      },
      isHeld: () => lease.isHeld(),
    }
  }

  /** How far every pass is: before the oldest change that one of them has not looked at. */
  #progress(): Progress {
    const waiting = this.#work.flatMap((work) =>
      [...work.waiting.values()].map(({ changedAtS }) => changedAtS),
    )
    const oldest = waiting.reduce((least, atS) => Math.min(least, atS), Number.POSITIVE_INFINITY)
    const judgedUntilS = Math.max(0, Math.min(this.#changed.untilS, oldest - 1))
    this.#status.lagSeconds = this.#changed.untilS - judgedUntilS
    return { judgedUntilS, writing: [...this.#writing] }
  }

  async #sayProgress(): Promise<void> {
    await this.#lease?.beat(this.#progress())
  }

  async #isHeld(): Promise<boolean> {
    if (await this.#lease?.isHeld()) return true
    if (this.#lease !== undefined)
      this.#options.log('warn', 'evidence: another process has taken over the passes')
    this.#forget()
    return false
  }

  #forget(): void {
    clearInterval(this.#beats)
    this.#lease = undefined
    this.#work = []
    this.#writing = []
  }

  #nowMs(): number {
    return (this.#options.nowMs ?? performance.now.bind(performance))()
  }

  #schedule(afterMs: number): void {
    if (this.#isStopping) return
    this.#timer = setTimeout(() => {
      this.#running = this.#tick().finally(() => {
        this.#running = undefined
      })
    }, afterMs)
    this.#timer.unref()
  }

  async #tick(): Promise<void> {
    try {
      await this.round()
      this.#failures = 0
      this.#status.problem = ''
      const restMs = Math.min(REST_MAX_MS, this.#status.lastRoundSeconds * 1_000 * REST)
      this.#schedule(Math.max(TICK_MS, restMs))
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error)
      if (sentence !== this.#status.problem) this.#options.log('error', `evidence: ${sentence}`)
      this.#status.problem = sentence
      // What was under way is found again: the progress in the lease has not moved past it.
      this.#forget()
      this.#failures++
      this.#schedule(Math.min(BACK_OFF_MAX_MS, TICK_MS * 2 ** this.#failures))
    }
  }
}

/** Every statement through it is bounded. */
function limited(client: ClickHouseClient): ClickHouseClient {
  const withLimits = <Asked extends { clickhouse_settings?: ClickHouseSettings }>(asked: Asked): Asked => ({
    ...asked,
    clickhouse_settings: { ...LIMITS, ...asked.clickhouse_settings },
  })
  return new Proxy(client, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== 'query' && name !== 'command') return value.bind(target)
      return (asked: Parameters<ClickHouseClient['command']>[0]) => value.call(target, withLimits(asked))
    },
  })
}

/** What would happen again with the same minutes, whatever the store does: a limit, or a mistake of ours. */
function isOfPass(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return (
    OF_PASS.has(code) || (code === undefined && (error instanceof TypeError || error instanceof RangeError))
  )
}
