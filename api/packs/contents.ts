/** What a pack says before its calls: everything that was read of its window, in one shape for all its documents. */

import type { EarlyMediaThresholds, FasThresholds } from '../../schemas/anomalies.js'
import type { ScorecardRow } from '../scorecards/scorecard.js'
import type { TargetResult } from '../scorecards/targets.js'
import type { AttemptsState } from './attempts-state.js'
import type { FailureClass } from './classes.js'
import type { Count } from './counts.js'
import type { Credit } from './credit.js'
import type { EvidenceCounts } from './failed-attempts.js'
import type { IdentityCounts } from './identity-table.js'
import type { WindowTokens } from './identity-window.js'
import type { PackRequest } from './request.js'
import type { TapAgent } from './tap-window.js'

/** A row of the scorecard over the window: without a week before and a trend. */
export type WindowRow = Omit<ScorecardRow, 'previous' | 'difference' | 'change' | 'trend'>

export interface PackContents {
  request: PackRequest
  asOf: string
  from: string
  to: string
  carrier: { id: string; name: string; is_configured: boolean }
  classes: readonly FailureClass[]
  state: AttemptsState
  counts: readonly Count[]
  rows: readonly WindowRow[]
  targets: readonly TargetResult[]
  credit: Credit
  /** null for who may see some carriers. */
  tap: readonly TapAgent[] | null
  /** Rows of attempts.csv. */
  listed: number
  /** Of the listed attempts: what passes say of them, and of their tokens. */
  evidence: EvidenceCounts
  identity: IdentityCounts
  /** Of all attempts of the window. */
  tokens: WindowTokens
  thresholds: EarlyMediaThresholds & FasThresholds
  calls: { given: number; without_messages: number; cut: number }
  version: string
  configurationSha256: string
  /** The address that makes the same pack again. */
  repeat: string
}
