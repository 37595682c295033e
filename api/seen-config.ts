/**
 * The configuration as a principal may see it: who is held to carriers learns the names of no others, of no customer, and of
 * those sites only that its carriers' peers name. Answers, suggestions and lists are made from this one.
 */
import type { TrunkscopeConfig } from '../schemas/config.js'
import type { SloConfig } from '../schemas/slos.js'
import type { Principal } from '../schemas/tokens.js'

export function configSeenBy(config: TrunkscopeConfig, { carriers: ids }: Principal): TrunkscopeConfig {
  if (ids === 'all') return config
  const carriers = config.carriers.filter(({ id }) => ids.includes(id))
  const sites = new Set(
    carriers.flatMap(({ peers }) =>
      peers.flatMap((peer) => (typeof peer === 'string' ? [] : (peer.site ?? []))),
    ),
  )
  return {
    ...config,
    carriers,
    sites: config.sites.filter(({ id }) => sites.has(id)),
    customers: [],
    tokens: [],
    scorecards: { schedules: [] },
    maintenance: config.maintenance.flatMap((entry) => {
      if (entry.carriers === undefined) return [entry]
      const own = entry.carriers.filter((id) => ids.includes(id))
      if (own.length === 0) return []
      // A reason that was written for several carriers may name any of them.
      return [
        { ...entry, carriers: own, ...(own.length < entry.carriers.length ? { reason: 'maintenance' } : {}) },
      ]
    }),
    ...(config.slos === undefined ? {} : { slos: config.slos.flatMap((slo) => sloOf(slo, ids)) }),
  }
}

/** An objective of each carrier is theirs; one of a site or of everything together is not. */
function sloOf(slo: SloConfig, ids: readonly string[]): SloConfig[] {
  if (slo.each !== 'carrier' && slo.each !== 'carrier_site') return []
  const own = (slo.carriers ?? ids).filter((id) => ids.includes(id))
  return own.length === 0 ? [] : [{ ...slo, carriers: own }]
}
