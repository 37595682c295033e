/**
 * What was promised against what was delivered.
 *
 * Takes    the targets of a carrier and the sums of the week.
 * Returns  an entry a target, in the order of the catalog. `is_certain` says whether the whole 95 % interval lies on that side
 *          of the target: a target missed by chance and one missed for certain are two conversations.
 * Throws   nothing; names that are no KPI are refused with the configuration.
 */
import { betterOf, TARGET_KPIS } from '../../schemas/targets.js'
import type { Sums } from '../kpi/sums.js'
import { type Measured, rowOf, type Unit } from './rows.js'

export interface TargetResult {
  /** As in the configuration: "ner", "pdd_p95_s". */
  target: string
  kpi: string
  name: string
  unit: Unit
  bound: 'at_least' | 'at_most'
  promised: number
  delivered: number | null
  status: 'met' | 'missed' | 'not_measured'
  is_certain: boolean
  low_confidence: boolean
}

export function targetResults(
  targets: Readonly<Record<string, number>> | undefined,
  sums: Sums,
): TargetResult[] {
  return [...TARGET_KPIS].flatMap(([target, kpi]) => {
    const promised = targets?.[target]
    if (promised === undefined) return []
    const row = rowOf(kpi.id)
    const measured = row.of(sums)
    const bound = betterOf(kpi.id) === 'higher' ? ('at_least' as const) : ('at_most' as const)
    return [
      {
        target,
        kpi: kpi.id,
        name: row.name,
        unit: kpi.unit,
        bound,
        promised,
        delivered: measured.value,
        ...verdictOf(measured, bound, promised),
        low_confidence: measured.lowConfidence,
      },
    ]
  })
}

function verdictOf(
  { value, interval }: Measured,
  bound: TargetResult['bound'],
  promised: number,
): Pick<TargetResult, 'status' | 'is_certain'> {
  if (value === null) return { status: 'not_measured', is_certain: false }
  const holds = (delivered: number) => (bound === 'at_least' ? delivered >= promised : delivered <= promised)
  const isMet = holds(value)
  const isCertain = interval?.every((edge) => holds(edge) === isMet) === true
  return { status: isMet ? 'met' : 'missed', is_certain: isCertain }
}
