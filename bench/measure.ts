/**
 * What the decoder benches share. They count CPU time (user and system, with the collector's and compiler's threads) and not
 * the clock on the wall, so that other work on the machine changes a figure little; a neighbour on the same core still does.
 */

/** CPU nanoseconds of one call, over `rounds` calls for each index below `count`. */
export function cpuNsPerCall(count: number, rounds: number, work: (index: number) => number): number {
  let sum = 0
  const started = process.cpuUsage()
  for (let round = 0; round < rounds; round++) for (let index = 0; index < count; index++) sum += work(index)
  const { user, system } = process.cpuUsage(started)
  if (sum === 0) throw new Error('the work gave nothing, so it may not have been done')
  return ((user + system) * 1_000) / (rounds * count)
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
