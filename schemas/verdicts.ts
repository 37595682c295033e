/**
 * What an evidence pass says of an attempt (`attempt_verdicts`), and which attempts are legs of one call (`call_legs`).
 * evidence/ writes them, the api reads them; docs/evidence.md has the rules.
 */
import type { CancelClass, Disposition, Sli } from './attempt.js'

/**
 * sibling_answered   another leg of the same call was answered when this one was given up: completed elsewhere
 * route_advanced     the same numbers were called over another carrier right after this one was given up
 * reached_elsewhere  the number that this carrier called invalid was reached over another one
 */
export const VERDICT_RULES = ['sibling_answered', 'route_advanced', 'reached_elsewhere'] as const
export type VerdictRule = (typeof VERDICT_RULES)[number]

export interface Judgement {
  disposition: Disposition
  sli: Sli
  nerNumerator: number
  nerDenominator: number
  cancelClass: CancelClass | ''
}

/** Why: the attempt that it rests on, and how far apart. */
export interface VerdictEvidence {
  attemptId: string
  carrier: string
  party: string
  /** What of the other attempt: answered, INVITE, or how it ended. */
  event: 'answer' | 'invite' | 'reached'
  disposition: string
  /** From the end of this attempt's try (CANCEL, else final response; for `reached` from its INVITE) to that event. */
  laterMs: number
  /** How the other attempt is known to belong here. */
  link: CallLinkRule | 'numbers' | 'number'
}

export interface Verdict {
  minuteS: number
  attemptId: string
  busPartition: number
  party: string
  carrier: string
  /** The judgement of the fold that it revises. */
  of: { disposition: string; cancelClass: string; rang: boolean }
  judgement: Judgement
  rule: VerdictRule
  evidence: VerdictEvidence
}

/** How legs of one call are known, the best first. */
export const CALL_LINK_RULES = ['session_id', 'header', 'call_id', 'numbers_time'] as const
export type CallLinkRule = (typeof CALL_LINK_RULES)[number]

/** A rule that is less sure is shown, and no verdict rests on it. */
export const CONFIDENCE_MIN = 0.8

export interface CallLeg {
  minuteS: number
  attemptId: string
  party: string
  carrier: string
  /** 32 hex digits. */
  callKey: string
  rule: CallLinkRule
  confidence: number
}
