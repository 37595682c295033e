/**
 * What an evaluation asks of the store, and what it gets: the seam between the rules and the SQL (`numbers-sql.ts`). Tests
 * put a simulated week behind it.
 */
import type { Sums } from '../kpi/sums.js'
import type { WindowCount } from '../slo/burn.js'
import type { SloInstance } from '../slo/instances.js'
import type { Verdict } from '../tap/verdict.js'

/** Seconds since 1970 on minute marks; `toS` is not part of it. */
export interface Window {
  fromS: number
  toS: number
}

/** What one carrier did at one site within a window: everything else is a sum of these. */
export interface Cell {
  carrier: string
  /** 'unknown' where nothing told the site. */
  site: string
  sums: Sums
}

/** An instance of an objective with the counts of the windows that end now; maintenance is taken out. */
export interface SloBurn {
  instance: SloInstance
  countOf(windowS: number): WindowCount
}

export interface TapAgent {
  agent: string
  /** '' when no site names it. */
  site: string
  verdict: Verdict
  why: string
}

export interface SampleAsk {
  key: string
  kpi: string
  /** Which attempts speak for the alert: those above the line, those below it only, or delays on one side of a limit. */
  part: 'numerator' | 'denominator' | { aboveMs: number } | { belowMs: number }
  carrier: string | undefined
  site: string | undefined
  carriers: readonly string[] | undefined
  sites: readonly string[] | undefined
  window: Window
}

export interface AlertNumbers {
  /** Sums of the rollup columns of these KPIs. */
  cells(window: Window, kpis: readonly string[]): Promise<Cell[]>
  /** All objectives, over the windows that end at `atS`. */
  slos(atS: number): Promise<SloBurn[]>
  taps(): Promise<TapAgent[]>
  /** A few attempts for each ask, by its key: newest first. */
  samples(asks: readonly SampleAsk[]): Promise<ReadonlyMap<string, readonly string[]>>
}
