/**
 * What an evaluation asks of the store, and what it gets: the seam between the rules and the SQL (`numbers-sql.ts`). Tests
 * put a simulated week behind it.
 */
import type { Level } from '../attestation/attestation.js'
import type { PairOfLegs } from '../attestation/between-legs.js'
import type { Sums } from '../kpi/sums.js'
import type { MisroutedCount } from '../numbers/misrouted.js'
import type { PrefixNer } from '../peers/verdict.js'
import type { WindowCount } from '../slo/burn.js'
import type { SloInstance } from '../slo/instances.js'
import type { Verdict } from '../tap/verdict.js'
import type { TrunkState } from '../trunks/state.js'

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
  /** Left out: both. */
  direction?: string | undefined
}

/** What the calls of one carrier claimed at one site, in one direction. */
export interface LevelCell {
  carrier: string
  site: string
  direction: string
  counts: Record<Level, number>
}

/** A certificate that signed tokens of the last day. */
export interface SigningCertificate {
  sha256: string
  /** From the wire: CN of the subject, SPC, and who it is counted as. */
  subject: string
  spc: string
  signerId: string
  notAfterS: number
  carriers: readonly string[]
  directions: readonly string[]
  sites: readonly string[]
  tokens: number
  /** The minute of its newest token. */
  lastSeenS: number
}

/** Inbound tokens of the last hour with a valid signature and an SPC, by carrier. */
export interface CarrierSigner {
  carrier: string
  spc: string
  tokens: number
  sites: readonly string[]
}

export interface SeenTrunkState {
  id: string
  carrier: string
  /** '' when unknown. */
  site: string
  address: string
  state: TrunkState
  why: string
  /** Outbound attempts of the last hour. */
  callsOut: number
}

export interface Signatures {
  certificates: readonly SigningCertificate[]
  signers: readonly CarrierSigner[]
}

export interface AlertNumbers {
  /** Sums of the rollup columns of these KPIs. */
  cells(window: Window, kpis: readonly string[]): Promise<Cell[]>
  /** All objectives, over the windows that end at `atS`. */
  slos(atS: number): Promise<SloBurn[]>
  taps(): Promise<TapAgent[]>
  /** Of the hour before the last ten minutes' mark; undefined: more numbers than can be compared. */
  misrouted(atS: number): Promise<readonly MisroutedCount[] | undefined>
  /** As docs/trunks.md judges them, whatever the taps see now; undefined: they cannot be read. */
  trunks(): Promise<SeenTrunkState[] | undefined>
  levels(window: Window): Promise<LevelCell[]>
  /** undefined: more attempts than can be compared. */
  betweenLegs(window: Window): Promise<PairOfLegs[] | undefined>
  /** As of the last ten minutes' mark; undefined: more tokens than can be read. */
  signatures(atS: number): Promise<Signatures | undefined>
  /** The NER of every carrier by prefix, '' for calls without one, at these sites; undefined: at all. */
  peers(window: Window, sites: readonly string[] | undefined): Promise<readonly PrefixNer[]>
  /** A few attempts for each ask, by its key: newest first. */
  samples(asks: readonly SampleAsk[]): Promise<ReadonlyMap<string, readonly string[]>>
}
