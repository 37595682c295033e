/**
 * How far the clocks of the agents that saw a call are apart.
 *
 * Takes    when which agent saw what; `sameAs` is the same for the same bytes between the same ports.
 * Returns  the agents, the one that saw most first: its clock is the measure. Of each other the skew in milliseconds
 *          (positive: its clock is ahead), or null where no message compares it, not even by way of a third agent.
 * Throws   nothing. The order of the sightings does not matter.
 *
 * How      Of two agents at the two ends of a leg one sees a message later by skew plus transit, in the other direction by
 *          skew minus transit: the middle of the two medians is the skew. Where messages went one way only, transit
 *          stays in it.
 */
import { z } from 'zod'

export const agentClock = z.object({
  agent: z.string(),
  messages: z.number(),
  skew_ms: z.number().nullable().describe('Ahead of the first agent; null: nothing compares them.'),
  pairs: z.number().describe('Messages that both saw.'),
})

export type AgentClock = z.output<typeof agentClock>

export interface ClockSighting {
  agent: string
  atUs: number
  sameAs: string
  /** One of the two directions between two addresses. */
  isForth: boolean
}

interface Pairs {
  forthUs: number[]
  backUs: number[]
}

export function clocksOf(sightings: readonly ClockSighting[]): AgentClock[] {
  const seen = groupedBy(sightings, ({ agent }) => agent)
  const agents = [...seen.keys()].sort(
    (a, b) => seen.get(b)!.length - seen.get(a)!.length || (a < b ? -1 : 1),
  )
  const between = pairsOf(sightings)
  const skewUs = new Map<string, number>()
  const counted = new Map<string, number>()
  const reached = agents.slice(0, 1)
  for (const agent of reached) skewUs.set(agent, 0)
  for (let at = 0; at < reached.length; at++) {
    for (const other of agents) {
      if (skewUs.has(other)) continue
      const pairs = between(reached[at]!, other)
      if (pairs === undefined) continue
      skewUs.set(other, skewUs.get(reached[at]!)! + skewOf(pairs))
      counted.set(other, pairs.forthUs.length + pairs.backUs.length)
      reached.push(other)
    }
  }
  return agents.map((agent) => ({
    agent,
    messages: seen.get(agent)!.length,
    skew_ms: skewUs.has(agent) ? Math.round(skewUs.get(agent)!) / 1_000 : null,
    pairs: counted.get(agent) ?? 0,
  }))
}

/** The k-th sighting of an agent beside the k-th of another, where both have as many: else one missed some. */
function pairsOf(sightings: readonly ClockSighting[]) {
  const groups = [...groupedBy(sightings, ({ sameAs }) => sameAs).values()].map((group) =>
    groupedBy(
      group.toSorted((a, b) => a.atUs - b.atUs),
      ({ agent }) => agent,
    ),
  )
  return (one: string, other: string): Pairs | undefined => {
    const pairs: Pairs = { forthUs: [], backUs: [] }
    for (const group of groups) {
      const [ours, theirs] = [group.get(one), group.get(other)]
      if (ours === undefined || theirs === undefined || ours.length !== theirs.length) continue
      for (const [index, { atUs, isForth }] of ours.entries()) {
        pairs[isForth ? 'forthUs' : 'backUs'].push(theirs[index]!.atUs - atUs)
      }
    }
    return pairs.forthUs.length + pairs.backUs.length === 0 ? undefined : pairs
  }
}

function skewOf({ forthUs, backUs }: Pairs): number {
  if (forthUs.length === 0) return medianOf(backUs)
  if (backUs.length === 0) return medianOf(forthUs)
  return (medianOf(forthUs) + medianOf(backUs)) / 2
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function groupedBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
