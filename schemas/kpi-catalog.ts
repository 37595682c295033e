/** The list of numbers. API, page, panels and documents read names, units, floors and versions here and nowhere else. */
import { abandonRate } from './kpi/abandon-rate.js'
import { acd } from './kpi/acd.js'
import { asr } from './kpi/asr.js'
import {
  attestationARate,
  attestationBRate,
  attestationCRate,
  attestationNoneRate,
} from './kpi/attestation.js'
import { availability } from './kpi/availability.js'
import { isa } from './kpi/isa.js'
import type { Kpi, MeanKpi, QuantileKpi, RatioKpi } from './kpi/kpi.js'
import { ner } from './kpi/ner.js'
import { noResponseRate } from './kpi/no-response-rate.js'
import { pddP50, pddP95, pddP99 } from './kpi/pdd.js'
import { preRing487Rate } from './kpi/pre-ring-487-rate.js'
import { progress } from './kpi/progress.js'
import { rate5xx } from './kpi/rate-5xx.js'
import { rate487 } from './kpi/rate-487.js'
import { seer } from './kpi/seer.js'
import { shortCallRate } from './kpi/short-call-rate.js'

export const KPI_CATALOG: readonly Kpi[] = [
  asr,
  seer,
  ner,
  isa,
  rate487,
  preRing487Rate,
  abandonRate,
  pddP50,
  pddP95,
  pddP99,
  acd,
  shortCallRate,
  rate5xx,
  noResponseRate,
  attestationARate,
  attestationBRate,
  attestationCRate,
  attestationNoneRate,
  availability,
  progress,
]

export const RATIO_KPIS = KPI_CATALOG.filter((kpi): kpi is RatioKpi => kpi.kind === 'ratio')
export const MEAN_KPIS = KPI_CATALOG.filter((kpi): kpi is MeanKpi => kpi.kind === 'mean')
export const QUANTILE_KPIS = KPI_CATALOG.filter((kpi): kpi is QuantileKpi => kpi.kind === 'quantile')

/** A ratio below this many attempts is marked as of low confidence. */
export const LOW_CONFIDENCE_BELOW = 100

const byName = new Map(
  KPI_CATALOG.flatMap((kpi) => [[kpi.id, kpi] as const, ...(kpi.alias ? [[kpi.alias, kpi] as const] : [])]),
)

/** The KPI of that id or alias. */
export function kpiOf(name: string): Kpi | undefined {
  return byName.get(name)
}

export const KPI_NAMES: readonly string[] = [...byName.keys()]
