/**
 * Post-dial delay (PDD): how long the caller hears nothing after dialling.
 *
 * The clock starts at the first INVITE of the attempt. It stops at the first response the caller can hear or see: an 18x
 * (101..189) or the 2xx, whichever came first. 100 Trying speaks to the next hop and 199 to nobody, so neither stops it; a
 * retransmitted or challenged INVITE does not restart it, a 3xx does.
 *
 * Takes    the times of each agent that saw the attempt; a delta never mixes two clocks. An agent that saw the 18x is
 *          preferred to one that saw only the 2xx.
 * Returns  milliseconds, never negative, or the reason why there is no number.
 * Source   metrics.md §3, after RFC 6076 §4.3.1 (SRD). An attempt that fails before any 18x has no PDD; its wait is
 *          `failDelay`, a series of its own (§4.3.2).
 */
import type { AgentTimes } from './tries.js'
import { deltaMs } from './tries.js'

export type Delay = { delayMs: number } | { reason: 'no_ends' | 'clock_stepped' }

export function postDialDelay(times: readonly AgentTimes[], isAnswered: boolean): Delay {
  const answered = (agent: AgentTimes) => (isAnswered ? agent.final : undefined)
  const heard = (agent: AgentTimes) =>
    agent.first18x === undefined
      ? undefined
      : Math.min(agent.first18x, answered(agent) ?? Number.POSITIVE_INFINITY)
  const toRinging = deltaMs(times, invited, heard)
  return 'reason' in toRinging && toRinging.reason === 'no_ends'
    ? deltaMs(times, invited, answered)
    : toRinging
}

/** Wait of an attempt that failed before any 18x: failed SRD, RFC 6076 §4.3.2, challenges excluded. */
export function failDelay(times: readonly AgentTimes[], finalCode: number): Delay {
  const isFailure = finalCode >= 400 && ![401, 402, 407].includes(finalCode)
  if (!isFailure || times.some((agent) => agent.first18x !== undefined)) return { reason: 'no_ends' }
  return deltaMs(times, invited, (agent) => agent.final)
}

export const invited = (agent: AgentTimes) => agent.invited
