/**
 * `slos` and `maintenance` of trunkscope.yaml: what is promised, to whom, over how long, and when it does not count.
 *
 * Source   metrics.md §8.
 */
import { z } from 'zod'

const id = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
  message:
    'is no id; write lower-case letters, digits, - and _, at most 63, for example carrier-availability',
})

/** One objective for each carrier, each site, each carrier at each site, or for everything together. */
export const SLO_EACH = ['platform', 'carrier', 'site', 'carrier_site'] as const
export const INDICATORS = ['availability', 'pdd'] as const

export const sloSchema = z.strictObject({
  id,
  name: z.string().optional(),
  indicator: z.enum(INDICATORS).default('availability'),
  /** 0.995: of a thousand valid attempts 995 are good. */
  objective: z.number().refine((ratio) => ratio > 0 && ratio < 1, {
    message: 'is no share between 0 and 1; write 0.995 for 99.5 %',
  }),
  window_days: z.int().min(1).max(90).default(30),
  each: z.enum(SLO_EACH).default('platform'),
  /** Only these; left out: all. */
  carriers: z.array(z.string()).min(1).optional(),
  sites: z.array(z.string()).min(1).optional(),
})
export type SloConfig = z.output<typeof sloSchema>

const time = z.iso.datetime({
  offset: true,
  message: 'is no time; write RFC 3339 with an offset, for example 2026-11-20T02:00:00Z',
})

export const maintenanceSchema = z.strictObject({
  from: time,
  /** Not part of it. */
  to: time,
  reason: z.string().min(1),
  /** Only these; left out: all. */
  carriers: z.array(z.string()).min(1).optional(),
  sites: z.array(z.string()).min(1).optional(),
})
export type MaintenanceConfig = z.output<typeof maintenanceSchema>

/** Without `slos` in the configuration (metrics.md §8: 99.5 % for a carrier). */
export const DEFAULT_SLOS: readonly SloConfig[] = [
  {
    id: 'carrier-availability',
    indicator: 'availability',
    objective: 0.995,
    window_days: 30,
    each: 'carrier',
  },
]
