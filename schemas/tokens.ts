/**
 * `tokens` of trunkscope.yaml: who may ask the API, as what, for which carriers, until when.
 *
 * A token itself is never written down: the configuration holds its SHA-256. `trunkscope token` makes both. What each role
 * and a list of carriers mean: docs/access.md.
 */
import { z } from 'zod'

/** Ascending: an investigator may do what a viewer may. */
export const ROLES = ['viewer', 'investigator', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** Whether somebody of this role may do what the other asks for. */
export function isAtLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least)
}

export const tokenSchema = z.strictObject({
  /** Stands in logs and in the audit trail. */
  id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
    message: 'is no id; write lower-case letters, digits, - and _, at most 63, for example grafana',
  }),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, {
    message: 'is no SHA-256; write the 64 hex digits that trunkscope token prints',
  }),
  role: z.enum(ROLES),
  /** Ids of carriers; left out: all of them, and what belongs to none. */
  carriers: z.array(z.string()).min(1).optional(),
  /** The last moment it is good for, RFC 3339; left out: until it is removed. */
  expires: z.iso
    .datetime({
      offset: true,
      error: 'is no moment; write it as RFC 3339 has it, for example 2027-01-01T00:00:00Z',
    })
    .optional(),
})
export type Token = z.output<typeof tokenSchema>

/** Who asks. Without tokens (loopback) it is the host itself: an admin who sees everything. */
export interface Principal {
  id: string
  role: Role
  carriers: readonly string[] | 'all'
}

export const LOOPBACK: Principal = { id: 'loopback', role: 'admin', carriers: 'all' }
