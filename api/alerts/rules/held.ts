/**
 * What keeps alerts from being believed: taps that see nothing or lose too much, and maintenance.
 *
 * Takes    the agents with their verdicts, the sites whose capture loses too much, the maintenance windows.
 * Returns  a reason for everything, and for a site; '' : nothing is held. What is in maintenance is not judged at all.
 *
 * A site is blind when none of its agents that ought to talk does. One of two that falls silent is an alert of its own, and
 * the calls that the other still sees are judged: an agent that moved to another address is two for eight days.
 */
import type { MaintenanceConfig } from '../../../schemas/slos.js'
import type { TapAgent, Window } from '../numbers.js'

export interface Held {
  /** Of everything: the collector itself is behind. */
  all: string
  site: (site: string | undefined) => string
}

const SEES_NOTHING: ReadonlySet<string> = new Set(['blind', 'no_sip'])
const NOT_EXPECTED: ReadonlySet<string> = new Set(['quiet'])

export function heldBy(
  agents: readonly TapAgent[],
  losing: ReadonlyMap<string, string>,
  behind: string,
): Held {
  const reasons = new Map(losing)
  const expected = agents.filter(({ site, verdict }) => site !== '' && !NOT_EXPECTED.has(verdict))
  for (const site of new Set(expected.map((agent) => agent.site))) {
    const there = expected.filter((agent) => agent.site === site)
    if (!there.every(({ verdict }) => SEES_NOTHING.has(verdict))) continue
    reasons.set(site, `the tap of ${site} is blind: ${there[0]!.agent}: ${there[0]!.why}`)
  }
  return { all: behind, site: (site) => (site === undefined ? '' : (reasons.get(site) ?? '')) }
}

/** Whether a part of the window was maintenance there. For rules on KPIs: objectives take it out of their counts. */
export function inMaintenance(
  all: readonly MaintenanceConfig[],
  { carrier, site }: { carrier: string; site: string },
  window: Window,
): boolean {
  return all.some(
    ({ from, to, carriers, sites }) =>
      Date.parse(from) / 1_000 < window.toS &&
      Date.parse(to) / 1_000 > window.fromS &&
      (carriers?.includes(carrier) ?? true) &&
      (sites?.includes(site) ?? true),
  )
}
