/**
 * How far a number may be off, from the number of observations alone.
 *
 * Takes    counts.
 * Returns  the Wilson score interval of a ratio at 95 %, clamped to 0..1; null for 0 of 0. And the ranks between which
 *          the true quantile lies at 95 %: free of any assumption about how delays are distributed.
 * Throws   nothing.
 * Source   metrics.md §9. Ranks: normal approximation of the binomial, as for any order statistic.
 */
const Z = 1.96

export function wilsonInterval(numerator: number, denominator: number): [low: number, high: number] | null {
  if (denominator <= 0) return null
  const p = numerator / denominator
  const z2n = (Z * Z) / denominator
  const middle = p + z2n / 2
  const half = Z * Math.sqrt((p * (1 - p)) / denominator + z2n / (4 * denominator))
  // At 0 of n and n of n the formula gives 0 and 1 but for rounding.
  const low = numerator === 0 ? 0 : Math.max(0, (middle - half) / (1 + z2n))
  const high = numerator === denominator ? 1 : Math.min(1, (middle + half) / (1 + z2n))
  return [low, high]
}

/**
 * Upper end of the two-sided 95 % interval of a Poisson mean of which `count` was seen, within 1 % of the exact one: Byar's
 * approximation (Breslow and Day, Statistical Methods in Cancer Research II, 1987, p. 69).
 */
export function poissonHigh(count: number): number {
  const next = count + 1
  return next * (1 - 1 / (9 * next) + Z / (3 * Math.sqrt(next))) ** 3
}

/** 1-based ranks of the order statistics around the quantile `p` of `count` observations. */
export function quantileRanks(p: number, count: number): [low: number, high: number] {
  const spread = Z * Math.sqrt(count * p * (1 - p))
  return [
    Math.min(count, Math.max(1, Math.floor(p * count - spread))),
    Math.min(count, Math.max(1, Math.ceil(p * count + spread) + 1)),
  ]
}

/** Six digits: what an interval is worth. */
export function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6
}
