/**
 * Maintenance: announced times whose attempts count against nobody. Whole minutes: one that is begun is taken out.
 *
 * Takes    `maintenance` of the configuration.
 * Returns  seconds since 1970 UTC; `toS` is not part of it.
 * Throws   nothing.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { MaintenanceConfig } from '../../schemas/slos.js'
import type { SloInstance } from './instances.js'

export interface Maintenance {
  fromS: number
  toS: number
  reason: string
  carriers: readonly string[] | undefined
  sites: readonly string[] | undefined
}

/** What of an instance was taken out. */
export interface TakenOut extends Pick<Maintenance, 'fromS' | 'toS' | 'reason'> {
  /** `all`: everything the instance is about; `part`: some of its carriers or sites. */
  covers: 'all' | 'part'
}

export function maintenanceOf(written: readonly MaintenanceConfig[]): Maintenance[] {
  return written
    .map(({ from, to, reason, carriers, sites }) => ({
      fromS: Math.floor(Date.parse(from) / 60_000) * 60,
      toS: Math.ceil(Date.parse(to) / 60_000) * 60,
      reason,
      carriers,
      sites,
    }))
    .filter(({ fromS, toS }) => fromS < toS)
}

/** Whether an attempt of that carrier, site and minute is taken out. */
export function isTakenOut(one: Maintenance, carrier: string, site: string): boolean {
  return (one.carriers?.includes(carrier) ?? true) && (one.sites?.includes(site) ?? true)
}

/** The parts of `fromS`..`toS` in which something of the instance was taken out, in the order of the configuration. */
export function takenOutOf(
  instance: SloInstance,
  config: Pick<TrunkscopeConfig, 'carriers' | 'sites' | 'maintenance'>,
  fromS: number,
  toS: number,
): TakenOut[] {
  return maintenanceOf(config.maintenance)
    .filter((one) => one.fromS < toS && one.toS > fromS)
    .flatMap((one): TakenOut[] => {
      const { slo, labels } = instance
      const carriers = reach(labels.carrier, slo.carriers, config.carriers, one.carriers)
      const sites = reach(labels.site, slo.sites, config.sites, one.sites)
      if (carriers === 'none' || sites === 'none') return []
      return [
        {
          fromS: Math.max(fromS, one.fromS),
          toS: Math.min(toS, one.toS),
          reason: one.reason,
          covers: carriers === 'all' && sites === 'all' ? 'all' : 'part',
        },
      ]
    })
}

function reach(
  label: string | undefined,
  kept: readonly string[] | undefined,
  configured: readonly { id: string }[],
  named: readonly string[] | undefined,
): 'all' | 'part' | 'none' {
  if (named === undefined) return 'all'
  const about = label === undefined ? (kept ?? configured.map(({ id }) => id)) : [label]
  if (about.length === 0) return 'part' // Nothing is configured, and attempts may have any name.
  const hit = about.filter((id) => named.includes(id)).length
  if (hit === 0) return 'none'
  return hit === about.length ? 'all' : 'part'
}

/** Seconds in which everything was taken out; times that overlap count once. */
export function takenOutS(parts: readonly TakenOut[]): number {
  let seconds = 0
  let reachedS = Number.NEGATIVE_INFINITY
  const whole = parts.filter(({ covers }) => covers === 'all').sort((a, b) => a.fromS - b.fromS)
  for (const { fromS, toS } of whole) {
    seconds += Math.max(0, toS - Math.max(fromS, reachedS))
    reachedS = Math.max(reachedS, toS)
  }
  return seconds
}
