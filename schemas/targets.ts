/**
 * Contracted targets: what a carrier promised, by KPI, as `carriers[].targets` writes it.
 *
 * A ratio stands under the id of its KPI (`ner: 0.95`), a delay or duration under the id and its unit (`pdd_p95_s: 6`).
 * Whether a target is a floor or a ceiling follows from the KPI: nobody promises a PDD of at least six seconds.
 */
import type { Kpi } from './kpi/kpi.js'
import { KPI_CATALOG } from './kpi-catalog.js'

/** More of these is better; of every other KPI less is. */
const HIGHER_IS_BETTER: ReadonlySet<string> = new Set([
  'asr',
  'seer',
  'ner',
  'acd',
  'availability',
  'progress',
  'attestation_a_rate',
])

export type Better = 'higher' | 'lower'

export function betterOf(kpiId: string): Better {
  return HIGHER_IS_BETTER.has(kpiId) ? 'higher' : 'lower'
}

/** "ner", "pdd_p95_s". */
export function targetNameOf(kpi: Kpi): string {
  return kpi.unit === 's' ? `${kpi.id}_s` : kpi.id
}

export const TARGET_KPIS: ReadonlyMap<string, Kpi> = new Map(
  KPI_CATALOG.map((kpi) => [targetNameOf(kpi), kpi]),
)
