/**
 * How the demo's carriers behave: what becomes of calls, how long things take, who is vouched for.
 *
 * An outcome is what happens to one attempt on the carrier's leg. Its class (`disposition`, `cancelClass`) is
 * written down here by hand from metrics.md §2 and §4, not computed by our fold, so that a test can compare the two.
 */

import { WeightedChoice } from './seeded-random.js'
import type { CancelClass, Direction, Disposition } from './truth.js'

/** A final response of the far side, or '' where the caller's CANCEL or silence ends the attempt. */
interface Ending {
  disposition: Disposition
  cancelClass?: CancelClass
  /** How often it rings first. */
  rings: number
  code?: number
  phrase?: string
  /** Reason header of the final response. */
  reason?: string
  /** Reason header of the CANCEL. */
  cancelReason?: string
}

export const ENDINGS = {
  answered: { disposition: 'ANSWERED', rings: 1, code: 200, phrase: 'OK' },
  answered_race: {
    disposition: 'ANSWERED',
    cancelClass: 'CANCEL_RACE_200',
    rings: 1,
    code: 200,
    phrase: 'OK',
    cancelReason: 'Q.850;cause=16',
  },
  busy: {
    disposition: 'BUSY',
    rings: 0.15,
    code: 486,
    phrase: 'Busy Here',
    reason: 'Q.850;cause=17;text="User busy"',
  },
  busy_everywhere: { disposition: 'BUSY', rings: 0, code: 600, phrase: 'Busy Everywhere' },
  no_answer: {
    disposition: 'NO_ANSWER',
    rings: 1,
    code: 480,
    phrase: 'Temporarily Unavailable',
    reason: 'Q.850;cause=19;text="No answer from user"',
  },
  no_answer_408: { disposition: 'NO_ANSWER', rings: 1, code: 408, phrase: 'Request Timeout' },
  ring_timer: {
    disposition: 'NO_ANSWER',
    cancelClass: 'RING_TIMER',
    rings: 1,
    code: 487,
    phrase: 'Request Terminated',
    cancelReason: 'Q.850;cause=19;text="No answer"',
  },
  abandoned: {
    disposition: 'NO_ANSWER',
    cancelClass: 'CALLER_ABANDON_RING',
    rings: 1,
    code: 487,
    phrase: 'Request Terminated',
    cancelReason: 'Q.850;cause=16;text="Normal call clearing"',
  },
  elsewhere: {
    disposition: 'ELSEWHERE',
    cancelClass: 'ELSEWHERE',
    rings: 1,
    code: 487,
    phrase: 'Request Terminated',
    cancelReason: 'SIP;cause=200;text="Call completed elsewhere"',
  },
  misdialled: {
    disposition: 'PRE_RING_CANCEL',
    cancelClass: 'PRE_RING_CANCEL',
    rings: 0,
    code: 487,
    phrase: 'Request Terminated',
  },
  out_of_patience: {
    disposition: 'PRE_RING_CANCEL',
    cancelClass: 'PRE_RING_CANCEL',
    rings: 0,
    code: 487,
    phrase: 'Request Terminated',
  },
  route_advanced: {
    disposition: 'PRE_RING_CANCEL',
    cancelClass: 'ROUTE_ADVANCE',
    rings: 0,
    code: 487,
    phrase: 'Request Terminated',
    cancelReason: 'SIP;cause=408;text="PDD timer"',
  },
  terminated_by_carrier: {
    disposition: 'UNKNOWN',
    cancelClass: '487_NO_CANCEL',
    rings: 0,
    code: 487,
    phrase: 'Request Terminated',
  },
  not_found: {
    disposition: 'INVALID_NUMBER',
    rings: 0,
    code: 404,
    phrase: 'Not Found',
    reason: 'Q.850;cause=1;text="Unallocated (unassigned) number"',
  },
  gone: { disposition: 'INVALID_NUMBER', rings: 0, code: 410, phrase: 'Gone', reason: 'Q.850;cause=22' },
  incomplete_address: {
    disposition: 'INVALID_NUMBER',
    rings: 0,
    code: 484,
    phrase: 'Address Incomplete',
    reason: 'Q.850;cause=28',
  },
  unavailable: { disposition: 'NO_ANSWER', rings: 0, code: 480, phrase: 'Temporarily Unavailable' },
  declined: {
    disposition: 'REJECTED',
    rings: 0.5,
    code: 603,
    phrase: 'Decline',
    reason: 'Q.850;cause=21;text="Call Rejected";location=U',
  },
  blocked: {
    disposition: 'BLOCKED',
    rings: 0,
    code: 603,
    phrase: 'Network Blocked',
    reason: 'Q.850;cause=21;text="v=analytics1;url=https://redress.example/block";location=RLN',
  },
  forbidden: { disposition: 'POLICY', rings: 0, code: 403, phrase: 'Forbidden' },
  congested: {
    disposition: 'CONGESTION',
    rings: 0,
    code: 503,
    phrase: 'Service Unavailable',
    reason: 'Q.850;cause=34;text="No circuit available"',
  },
  server_error: {
    disposition: 'NETWORK',
    rings: 0,
    code: 500,
    phrase: 'Server Internal Error',
    reason: 'Q.850;cause=41;text="Temporary failure"',
  },
  bad_gateway: {
    disposition: 'NETWORK',
    rings: 0,
    code: 502,
    phrase: 'Bad Gateway',
    reason: 'Q.850;cause=27',
  },
  redirected: { disposition: 'REDIRECT', rings: 0, code: 302, phrase: 'Moved Temporarily' },
  no_response: { disposition: 'TIMEOUT', rings: 0 },
} as const satisfies Record<string, Ending>

export type Outcome = keyof typeof ENDINGS
export const endingOf = (outcome: Outcome): Ending => ENDINGS[outcome]

type Mix = Partial<Record<Outcome, number>>

/** Weights out of 1,000. Carriers say where they differ. */
const OUTBOUND: Mix = {
  answered: 600,
  answered_race: 2,
  busy: 66,
  busy_everywhere: 4,
  no_answer: 48,
  no_answer_408: 8,
  ring_timer: 46,
  abandoned: 90,
  elsewhere: 5,
  misdialled: 18,
  out_of_patience: 6,
  route_advanced: 2,
  terminated_by_carrier: 2,
  not_found: 32,
  gone: 3,
  incomplete_address: 6,
  unavailable: 14,
  declined: 12,
  blocked: 4,
  forbidden: 6,
  congested: 12,
  server_error: 4,
  bad_gateway: 3,
  redirected: 4,
  no_response: 3,
}

/** Towards the customers: a contact centre answers quickly, or its callers give up in the queue. */
const INBOUND: Mix = {
  answered: 800,
  answered_race: 2,
  busy: 30,
  no_answer: 20,
  ring_timer: 10,
  abandoned: 80,
  elsewhere: 12,
  misdialled: 14,
  not_found: 14,
  unavailable: 4,
  declined: 5,
  server_error: 2,
  congested: 3,
  incomplete_address: 2,
  no_response: 1,
}

/** What the caller gets to hear while it rings. */
export type Progress = 'ring' | 'early' | 'early_then_ring' | 'ring_then_early' | 'silent'

export type AttestationMix = Record<'A' | 'B' | 'C' | 'none' | 'malformed', number>

interface Profile {
  /** Share of all calls, and how many of the carrier's own are inbound. */
  weight: number
  inboundShare: number
  roundTripMs: number
  /** Median and spread (sigma of the logarithm) of the post-dial delay. */
  pddOutboundS: number
  pddInboundS: number
  pddSigma: number
  durationS: number
  durationSigma: number
  /** Share of outbound INVITEs that are challenged with 407. */
  challenged: number
  /** Share of UDP attempts whose first INVITE, or whose final response, is sent again. */
  inviteRepeated: number
  finalRepeated: number
  outbound: Mix
  inbound: Mix
  progress: Record<Progress, number>
  signedOutbound: AttestationMix
  signedInbound: AttestationMix
}

const USUAL: Profile = {
  weight: 1,
  inboundShare: 0.4,
  roundTripMs: 18,
  pddOutboundS: 1.2,
  pddInboundS: 0.45,
  pddSigma: 0.45,
  durationS: 110,
  durationSigma: 1.1,
  challenged: 0,
  inviteRepeated: 0.01,
  finalRepeated: 0.02,
  outbound: OUTBOUND,
  inbound: INBOUND,
  progress: { ring: 55, early: 25, early_then_ring: 12, ring_then_early: 5, silent: 3 },
  signedOutbound: { A: 88, B: 8, C: 0, none: 4, malformed: 0 },
  signedInbound: { A: 62, B: 18, C: 12, none: 7, malformed: 1 },
}

const PROFILES: Record<string, Profile> = {
  aldermoor: {
    ...USUAL,
    weight: 24,
    pddOutboundS: 0.9,
    signedInbound: { A: 78, B: 12, C: 6, none: 3.6, malformed: 0.4 },
  },
  brightmesa: {
    ...USUAL,
    weight: 20,
    challenged: 0.9,
    roundTripMs: 32,
    outbound: { ...OUTBOUND, blocked: 14, congested: 18 },
    progress: { ring: 70, early: 15, early_then_ring: 8, ring_then_early: 4, silent: 3 },
  },
  calderwick: {
    ...USUAL,
    weight: 16,
    roundTripMs: 12,
    pddOutboundS: 1.6,
    durationS: 150,
    signedOutbound: { A: 6, B: 2, C: 0, none: 92, malformed: 0 },
    signedInbound: { A: 2, B: 4, C: 14, none: 80, malformed: 0 },
    outbound: { ...OUTBOUND, blocked: 0, redirected: 16 },
  },
  dunmarrow: {
    ...USUAL,
    weight: 20,
    roundTripMs: 24,
    pddOutboundS: 1.3,
    inboundShare: 0.3,
    signedInbound: { A: 74, B: 14, C: 6, none: 5, malformed: 1 },
  },
  eastlattice: {
    ...USUAL,
    weight: 10,
    roundTripMs: 85,
    pddOutboundS: 2.6,
    pddSigma: 0.55,
    durationS: 60,
    durationSigma: 1.5,
    outbound: { ...OUTBOUND, answered: 470, not_found: 60, congested: 42, unavailable: 40, no_response: 8 },
    progress: { ring: 20, early: 55, early_then_ring: 10, ring_then_early: 5, silent: 10 },
    signedOutbound: { A: 0, B: 0, C: 0, none: 100, malformed: 0 },
    signedInbound: { A: 0, B: 0, C: 22, none: 77, malformed: 1 },
  },
  fenholt: {
    ...USUAL,
    weight: 10,
    roundTripMs: 9,
    pddOutboundS: 1.9,
    signedOutbound: { A: 4, B: 0, C: 0, none: 96, malformed: 0 },
    signedInbound: { A: 0, B: 3, C: 9, none: 88, malformed: 0 },
  },
}

export function profileOf(carrierId: string): Profile {
  const profile = PROFILES[carrierId]
  if (!profile) throw new RangeError(`The demo has no carrier '${carrierId}'.`)
  return profile
}

const entries = <K extends string>(weights: Partial<Record<K, number>>) =>
  Object.entries(weights) as [K, number][]

/** The choices of one carrier, ready to draw from. */
export class Behaviour {
  readonly profile: Profile
  readonly progress: WeightedChoice<Progress>
  readonly outcomes: Record<Direction, WeightedChoice<Outcome>>
  readonly attestations: Record<Direction, WeightedChoice<keyof AttestationMix>>

  constructor(carrierId: string) {
    this.profile = profileOf(carrierId)
    this.progress = new WeightedChoice(entries(this.profile.progress))
    this.outcomes = {
      outbound: new WeightedChoice(entries(this.profile.outbound)),
      inbound: new WeightedChoice(entries(this.profile.inbound)),
    }
    this.attestations = {
      outbound: new WeightedChoice(entries(this.profile.signedOutbound)),
      inbound: new WeightedChoice(entries(this.profile.signedInbound)),
    }
  }
}
