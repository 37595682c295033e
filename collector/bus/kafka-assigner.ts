/**
 * Which member of the consumer group reads which partitions: whole base partitions, spread evenly, moved as little as can be.
 *
 * A base partition moves with all its partitions, because the open calls of it stand in one process. What a member read
 * before it keeps, as far as its even share goes: reading open calls back from the store is what a rebalance costs. Members
 * say what they hold when they join (`userData`: base partitions as uint16, big-endian).
 *
 * `shareOut` is pure and gives the same for the same members in any order.
 */
import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'

/** Members of a group agree on an assigner by its name: whoever counts on something else in it needs another one. */
export const ASSIGNER_NAME = 'trunkscope-base-partitions'
const VERSION = 1

export interface Member {
  memberId: string
  /** Base partitions it read until now. */
  held: readonly number[]
}

/** Base partitions by member; every member is named, and their shares differ by one at most. */
export function shareOut(members: readonly Member[], basePartitions: number): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const least = Math.floor(basePartitions / sorted.length)
  let larger = basePartitions % sorted.length // So many members have one more.
  const shares = new Map<string, number[]>()
  const free = new Set(Array.from({ length: basePartitions }, (_, base) => base))
  // Those that hold most come first: the larger shares go to them.
  const byHeld = [...sorted].sort((a, b) => b.held.length - a.held.length)
  for (const { memberId, held } of byHeld) {
    const kept = [...new Set(held)].filter((base) => free.has(base)).sort((a, b) => a - b)
    let share = least
    if (kept.length > least && larger > 0) {
      share++
      larger--
    }
    kept.length = Math.min(kept.length, share)
    for (const base of kept) free.delete(base)
    shares.set(memberId, kept)
  }
  const rest = [...free]
  for (const { memberId } of sorted) {
    const bases = shares.get(memberId)!
    while (bases.length < least) bases.push(rest.shift()!)
  }
  for (const { memberId } of sorted) {
    const bases = shares.get(memberId)!
    if (rest.length > 0 && bases.length === least) bases.push(rest.shift()!)
    bases.sort((a, b) => a - b)
  }
  return shares
}

export function basePartitionAssigner(
  basePartitions: number,
  held: () => readonly number[],
): PartitionAssigner {
  return ({ cluster }) => ({
    name: ASSIGNER_NAME,
    version: VERSION,
    protocol: ({ topics }) => ({
      name: ASSIGNER_NAME,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: VERSION,
        topics,
        userData: encodeHeld(held()),
      }),
    }),
    assign: async ({ members, topics }) => {
      const shares = shareOut(
        members.map(({ memberId, memberMetadata }) => ({
          memberId,
          held: decodeHeld(AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData),
        })),
        basePartitions,
      )
      return [...shares].map(([memberId, bases]) => {
        const own = new Set(bases)
        const assignment: Record<string, number[]> = {}
        for (const topic of topics) {
          assignment[topic] = cluster
            .findTopicPartitionMetadata(topic)
            .map(({ partitionId }) => partitionId)
            .filter((partition) => own.has(partition % basePartitions))
        }
        const memberAssignment = { version: VERSION, assignment, userData: Buffer.alloc(0) }
        return { memberId, memberAssignment: AssignerProtocol.MemberAssignment.encode(memberAssignment) }
      })
    },
  })
}

function encodeHeld(held: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * held.length)
  held.forEach((base, index) => {
    bytes.writeUInt16BE(base, 2 * index)
  })
  return bytes
}

/** Whatever stands there: a wrong claim costs a move, not a number. */
export function decodeHeld(userData: Buffer | null | undefined): number[] {
  const held: number[] = []
  for (let at = 0; at + 1 < (userData?.length ?? 0); at += 2) held.push(userData!.readUInt16BE(at))
  return held
}
