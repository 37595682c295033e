/**
 * The objectives as a principal may see them, and what their state is read with. Who is limited to carriers sees those of
 * each of its carriers; whatever sums over several does not exist for it.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { SloConfig } from '../../schemas/slos.js'
import type { Principal } from '../../schemas/tokens.js'
import { type RouteDeps, seenBy } from '../deps.js'
import type { Readers } from '../readers.js'
import { expandSlos, instancesSeenBy, type SloInstance, slosOf } from './instances.js'

export interface SeenSlos {
  slos: readonly SloConfig[]
  instances: readonly SloInstance[]
  readers: Readers
  /** To count with. */
  config: TrunkscopeConfig
}

export function seenSlosOf(deps: RouteDeps, principal: Principal): SeenSlos {
  const seen = seenBy(deps, principal)
  const instances = instancesSeenBy(expandSlos(seen.config), principal)
  return {
    slos: slosOf(seen.config).filter(
      ({ id }) => principal.carriers === 'all' || instances.some(({ slo }) => slo.id === id),
    ),
    instances,
    readers: seen.readers,
    // Whether maintenance of some sites covers a carrier depends on all sites there are; their names stay here.
    config: { ...seen.config, sites: deps.config.sites },
  }
}
