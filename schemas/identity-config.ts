/**
 * `identity` of trunkscope.yaml: where the certificates of Identity tokens are, whom they must lead to, and whether what a
 * token names may be fetched. Left out, tokens are read and nothing is checked. docs/identity.md.
 */
import { z } from 'zod'

/** A name of the Internet, or `*.` and one for all names below it: never an address. */
const host = z
  .string()
  .max(253)
  .regex(/^(?:\*\.)?(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*$/, {
    message:
      'is no host; write a name, for example certificates.example.org, or *.example.org for all below it',
  })

export const identitySchema = z
  .strictObject({
    /** A folder of PEM files: index.csv (x5u,file), or files named by the SHA-256 of the x5u. */
    certificates: z.string().min(1).optional(),
    /** A PEM file of root certificates. Left out: no token is ever verified, whatever its signature. */
    roots: z.string().min(1).optional(),
    fetch: z
      .strictObject({
        /** Ask the web for what an x5u names. The x5u is whatever the caller wrote. */
        enabled: z.boolean().default(false),
        /** Nobody else is asked. */
        hosts: z.array(host).max(1_000).default([]),
      })
      .prefault({}),
  })
  .prefault({})

export type IdentityConfig = z.output<typeof identitySchema>

/** Whether there is a certificate to check anything with. */
export function checksIdentities({ certificates, fetch }: IdentityConfig): boolean {
  return certificates !== undefined || fetch.enabled
}

/** A service provider code, as carriers have them in their contracts and certificates (RFC 8226 §9). */
export const spc = z.string().regex(/^[A-Za-z0-9]{1,32}$/, {
  message: 'is no service provider code; write letters and digits, for example 709J',
})
