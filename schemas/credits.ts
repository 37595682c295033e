/**
 * Service credits: what a carrier owes back when it delivers less than it promised, as `carriers[].credits` writes it.
 *
 *   credits:
 *     - { target: ner, below: 0.95, percent: 5 }
 *     - { target: ner, below: 0.93, percent: 10 }
 *     - { target: pdd_p95_s, above: 8, percent: 3 }
 *
 * An entry is a tier: a number of the catalog under the name of its target (schemas/targets.ts), the value beyond which the
 * tier is reached, and the share of the period's charge in percent. Of the tiers of one target the highest that is reached
 * counts, and what several targets give is added up. Money is known only where `monthly_charge` says it.
 */
import { z } from 'zod'

export const creditSchema = z.strictObject({
  /** As under `targets`: "ner", "pdd_p95_s". */
  target: z.string().min(1),
  /** Reached by a value below it; for numbers of which more is better. */
  below: z.number().optional(),
  /** Reached by a value above it; for numbers of which less is better. */
  above: z.number().optional(),
  /** Of the charge of the period. */
  percent: z.number().min(0).max(100),
})
export type CreditTier = z.output<typeof creditSchema>

export const chargeSchema = z.strictObject({
  amount: z.number().positive(),
  currency: z.string().regex(/^[A-Z]{3}$/, {
    message: 'is no currency; write three capital letters (ISO 4217), for example EUR',
  }),
})
export type MonthlyCharge = z.output<typeof chargeSchema>
