/**
 * From an objective of the configuration to what it is kept for: one instance for everything together, for each carrier,
 * each site, or each carrier at each site.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { DEFAULT_SLOS, type SloConfig } from '../../schemas/slos.js'
import type { Principal } from '../../schemas/tokens.js'

export interface SloInstance {
  slo: SloConfig
  /** What it is about; empty: everything together. */
  labels: { carrier?: string; site?: string }
}

type Named = Pick<TrunkscopeConfig, 'slos' | 'carriers' | 'sites'>

export function slosOf(config: Pick<TrunkscopeConfig, 'slos'>): readonly SloConfig[] {
  return config.slos ?? DEFAULT_SLOS
}

export function expandSlos(config: Named): SloInstance[] {
  return slosOf(config).flatMap((slo): SloInstance[] => {
    const carriers = config.carriers.map(({ id }) => id).filter((id) => slo.carriers?.includes(id) ?? true)
    const sites = config.sites.map(({ id }) => id).filter((id) => slo.sites?.includes(id) ?? true)
    switch (slo.each) {
      case 'carrier':
        return carriers.map((carrier) => ({ slo, labels: { carrier } }))
      case 'site':
        return sites.map((site) => ({ slo, labels: { site } }))
      case 'carrier_site':
        return carriers.flatMap((carrier) => sites.map((site) => ({ slo, labels: { carrier, site } })))
      default:
        return [{ slo, labels: {} }]
    }
  })
}

/** What a principal may see: numbers over several carriers are not for one that is limited to some. */
export function instancesSeenBy(instances: readonly SloInstance[], principal: Principal): SloInstance[] {
  const { carriers } = principal
  if (carriers === 'all') return [...instances]
  return instances.filter(({ labels }) => labels.carrier !== undefined && carriers.includes(labels.carrier))
}

/** Whether the instance counts attempts of that carrier at that site. */
export function isAbout({ slo, labels }: SloInstance, carrier: string, site: string): boolean {
  return (
    (labels.carrier === undefined ? (slo.carriers?.includes(carrier) ?? true) : labels.carrier === carrier) &&
    (labels.site === undefined ? (slo.sites?.includes(site) ?? true) : labels.site === site)
  )
}

/** "carrier-availability alpha dal": for a sentence. */
export function instanceText({ slo, labels }: SloInstance): string {
  return [slo.name ?? slo.id, labels.carrier, labels.site].filter((part) => part !== undefined).join(' ')
}
