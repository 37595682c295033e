/**
 * What is known of one attempt: facts that merge without regard to order (design.md §4).
 *
 * An attempt is `leg + Call-ID + From-tag`; a leg is the unordered pair of addresses, ports aside. Every field below
 * merges by `min`, `max`, `or`, or set union, so that merging is idempotent, commutative and associative: messages may
 * come in any order, twice, or again after a crash. Sets are capped against hostile input in an order-free way: the
 * entries with the k smallest keys stay, and `overflow` says that some went.
 *
 * Times are microseconds since 1970 UTC on the clock of one capture agent, kept per agent: a delta is never taken
 * between two clocks. `facts-text.ts` has the text of this shape that is stored with the attempt.
 */
import type { IdentityToken } from './passport.js'

export interface AttemptKey {
  /** The two addresses of the leg in text order; '' for an address the agent did not give. */
  addressLow: string
  addressHigh: string
  callId: string
  fromTag: string
}

export interface AttemptFacts {
  key: AttemptKey
  tries: TryFacts[]
  /** BYEs with either tag order, and their final responses. */
  byes: ByeFacts[]
  /** First ACK an agent. */
  acks: AgentTime[]
  /** Some set ran over its cap; the attempt is flagged `overflow`. */
  overflow: boolean
}

/** One INVITE transaction of the attempt: CSeq number and top Via branch. */
export interface TryFacts {
  cseq: number
  branch: string
  /** An INVITE with this CSeq and branch carried a To-tag: a re-INVITE, no try of the attempt. */
  reinvite: boolean
  /** The INVITE with the smallest (time, agent, hash); absent while none was seen. */
  invite?: InviteFacts
  /** Who sent and who received, as a response or CANCEL shows it, while no INVITE was seen: smallest (time, agent). */
  ends?: EndsFacts
  /** One entry an agent that saw the try. */
  views: TryView[]
  finals: FinalFacts[]
  /** Raw Reason values of the CANCELs. */
  cancelReasons: string[]
  /** To-tags of 101..189 responses: early dialogs. */
  earlyTags: string[]
}

/** One agent's times of a try. Absent times are not in the object. */
export interface TryView {
  agent: string
  /** Distinct capture times of the INVITE, ascending, the 16 earliest; copies within 50 ms included. */
  invites: number[]
  /** The latest copy of the INVITE. */
  lastInvite?: number
  first100?: number
  /** First 101..189. */
  first18x?: number
  first180?: number
  firstSdp18x?: number
  /** First response of any kind to the INVITE. */
  firstResponse?: number
  /** Latest provisional, 100 included. */
  lastProvisional?: number
  firstCancel?: number
}

export interface EndsFacts {
  atUs: number
  agent: string
  agentId: number
  sourceAddress: string
  sourcePort: number
  destinationAddress: string
  destinationPort: number
}

export interface InviteFacts extends EndsFacts {
  /** Hash of the message, the last word in a draw. */
  hash: string
  requestUri: string
  from: string
  to: string
  contact: string
  assertedIdentities: string[]
  identities: IdentityToken[]
  userAgent: string
  sdpHash: string
  /** HEP_FLAG bits of its frame. */
  frameFlags: number
  truncated: boolean
}

/** A final response (200..699) to the INVITE, by status code. */
export interface FinalFacts {
  code: number
  /** First time an agent. */
  times: AgentTime[]
  /** Of the response with the smallest (time, agent, hash). */
  atUs: number
  agent: string
  hash: string
  phrase: string
  toTag: string
  reasons: string[]
  sdpHash: string
}

export interface ByeFacts {
  fromTag: string
  toTag: string
  /** First BYE, and first final response to it, an agent. */
  times: AgentTime[]
  finalTimes: AgentTime[]
  reasons: string[]
}

export interface AgentTime {
  agent: string
  atUs: number
}
