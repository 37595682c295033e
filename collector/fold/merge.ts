/**
 * The small merges that facts are made of. Each is idempotent, commutative and associative, so that any order, any
 * duplicates and any grouping of messages end in the same facts (design.md §4).
 */
import type { AgentTime } from '../../schemas/attempt-facts.js'

export function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  return a < b ? a : b
}

export function later(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  return a > b ? a : b
}

/** FNV-1a over the chars: which entries of a full set stay must not depend on their order of arrival. */
export function keyHash(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

function precedes(a: string, b: string): boolean {
  const difference = keyHash(a) - keyHash(b)
  return difference === 0 ? a < b : difference < 0
}

/** A set of facts: when two entries are one, how they become one, and how many there may be. */
export interface CappedSet<Entry> {
  same: (a: Entry, b: Entry) => boolean
  /** Says whether a set inside overflowed. */
  mergeInto: (target: Entry, source: Entry) => boolean
  /** Asked for only when the set is over its cap: hashing it decides who leaves. */
  keyOf: (entry: Entry) => string
  cap: number
}

/**
 * Puts an entry into a set that holds at most `cap`: merged into the one of the same key, or added, and when the set is
 * over its cap the entry with the greatest key hash leaves.
 *
 * @returns true when an entry left or was not let in, here or in a set inside: something overflowed.
 */
export function putCapped<Entry>(entries: Entry[], entry: Entry, set: CappedSet<Entry>): boolean {
  for (const present of entries) {
    if (set.same(present, entry)) return set.mergeInto(present, entry)
  }
  entries.push(entry)
  if (entries.length <= set.cap) return false
  let last = 0
  for (let at = 1; at < entries.length; at++) {
    if (precedes(set.keyOf(entries[last] as Entry), set.keyOf(entries[at] as Entry))) last = at
  }
  entries.splice(last, 1)
  return true
}

/** All of `source` into `target`. */
export function putAll<Entry>(target: Entry[], source: readonly Entry[], set: CappedSet<Entry>): boolean {
  let overflow = false
  for (const entry of source) overflow = putCapped(target, entry, set) || overflow
  return overflow
}

export const texts = (cap: number): CappedSet<string> => ({
  same: (a, b) => a === b,
  mergeInto: () => false,
  keyOf: (text) => text,
  cap,
})

/** Earliest time an agent. */
export const times = (cap: number): CappedSet<AgentTime> => ({
  same: (a, b) => a.agent === b.agent,
  mergeInto: (target, source) => {
    if (source.atUs < target.atUs) target.atUs = source.atUs
    return false
  },
  keyOf: (time) => time.agent,
  cap,
})

/** Distinct stamps in ascending order, the `cap` earliest of both. */
export function mergeStamps(target: number[], source: readonly number[], cap: number): void {
  for (const stamp of source) {
    let at = target.length
    while (at > 0 && (target[at - 1] as number) > stamp) at--
    if (at > 0 && target[at - 1] === stamp) continue
    target.splice(at, 0, stamp)
    if (target.length > cap) target.length = cap
  }
}
