/**
 * The carrier that goes bad: a pure function of the moment, so that any part of the past can be drawn on its own.
 *
 * Takes    a moment, and when and where the trouble began.
 * Returns  how bad it is: 0 before, 1 in full; and what that does to calls.
 * Throws   nothing.
 */
export interface Trouble {
  carrierId: string
  /** Site ids; undefined for all sites. */
  siteIds?: readonly string[]
  beginsAtUs: number
  /** Time from the first sign to the full trouble. */
  rampUs: number
}

const MINUTE_US = 60_000_000

/** Begins 40 minutes before `nowUs`, is complete 15 minutes before it, and stays. */
export function troubleBefore(nowUs: number): Trouble {
  return { carrierId: 'dunmarrow', beginsAtUs: nowUs - 40 * MINUTE_US, rampUs: 25 * MINUTE_US }
}

export function severity(
  trouble: Trouble | undefined,
  carrierId: string,
  siteId: string,
  atUs: number,
): number {
  if (trouble === undefined || trouble.carrierId !== carrierId) return 0
  if (trouble.siteIds !== undefined && !trouble.siteIds.includes(siteId)) return 0
  return Math.min(1, Math.max(0, (atUs - trouble.beginsAtUs) / trouble.rampUs))
}

/** What the full trouble does; scaled by the severity. */
export const TROUBLE_IN_FULL = {
  /** Outbound attempts that end before anything rings: given up by the caller, by us, or by the carrier itself. */
  outOfPatienceShare: 0.24,
  routeAdvancedShare: 0.04,
  terminatedByCarrierShare: 0.06,
  /** The post-dial delay grows by this factor. */
  pddFactor: 3.5,
  /** Inbound calls whose Identity header is lost on the way. */
  attestationLostShare: 0.9,
} as const
