/**
 * What an evidence pass is: a question that needs more than one attempt, asked again wherever attempts have changed.
 *
 * To add one: write its rule as a pure function over attempts in a file of its own, with its test; wrap it in a file
 * `<name>-pass.ts` that gives an `EvidencePass`; put that in the list of `passes.ts`, after those whose rows it reads.
 *
 * What a pass must keep
 *   order-free   its rows are a function of the attempts that stand, within `reachS` of each other, and of nothing else: not
 *                of the order of arrival, not of the windows that it was called with, not of its own earlier rows
 *   whole        it writes the difference between what the window's attempts give now and what stands for them: new rows,
 *                changed ones, and ends of those that hold no more (`context.write` in verdict-rows.ts does that for verdicts)
 *   bounded      sorted lists and look-ups, never all pairs: ten thousand attempts to one number in a second are normal
 *   fenced       versions come from `context.version()`; a process whose lease is gone writes rows that lose
 *
 * The job (job.ts) calls `run` with minutes that changed, in stretches no longer than it can take at once. Attempts of which
 * the answer may be another now lie within `reachS` of these minutes on both sides; so the pass reads that far, and as
 * far again for their evidence.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { TrunkscopeConfig } from '../schemas/config.js'

export interface Window {
  /** The first changed minute, and the end of the last one: seconds since 1970 UTC. */
  fromS: number
  toS: number
  /** Those that changed, ascending. */
  minutesS: readonly number[]
}

export interface Context {
  client: ClickHouseClient
  config: TrunkscopeConfig
  /** Above all that were given before, and above those of every process that had the lease before. */
  version(): bigint
  /** Says which minutes are about to be written, so that a successor marks them when this process dies in between. */
  announce(minutes: readonly StaleMinute[]): Promise<void>
  /** Asked after the last row was written; no: another process has the lease, and the rows must be ended. */
  isHeld(): Promise<boolean>
  log(level: 'info' | 'warn' | 'error', sentence: string): void
}

export interface StaleMinute {
  busPartition: number
  minuteS: number
}

export interface PassResult {
  /** Rows written, ends among them. */
  rows: number
  /** Minutes whose rows changed: later passes of the list look at them again. */
  changedMinutesS: readonly number[]
}

export interface EvidencePass {
  /** In metrics and logs, and in the rows: [a-z_]. */
  id: string
  /** How far apart attempts may lie that have to do with each other. */
  reachS: number
  /** A changed minute waits this long for the next change, so that one that fills is not read at every flush. */
  settleS: number
  /** At least this long between two runs. */
  everyS: number
  run(window: Window, context: Context): Promise<PassResult>
}

/** Stretches of minutes with less than twice the reach between them: their windows would overlap. */
export function stretchesOf(minutesS: readonly number[], reachS: number): Window[] {
  const windows: { fromS: number; toS: number; minutesS: number[] }[] = []
  for (const minuteS of [...new Set(minutesS)].sort((a, b) => a - b)) {
    const last = windows.at(-1)
    if (last === undefined || minuteS - last.toS > 2 * reachS) {
      windows.push({ fromS: minuteS, toS: minuteS + 60, minutesS: [minuteS] })
    } else {
      last.toS = minuteS + 60
      last.minutesS.push(minuteS)
    }
  }
  return windows
}
