/**
 * What a recompute found: which KPIs of which carriers moved, and what became of the attempts. As JSON, and as text.
 *
 * A KPI has moved when its value or any count behind it is another. The numbers are
 * those of `/v1/kpis?exact=true` for the span, quantiles from the histogram.
 */
import { type KpiValue, kpiValueOf } from '../../api/kpi/answer.js'
import { addSums, countOf, emptySums, type Sums, sumsOfRow } from '../../api/kpi/sums.js'
import type { RecomputeResult } from '../../collector/recompute-role.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { ROLLUP_COLUMNS } from '../../schemas/kpi-rollup.js'

export interface MovedKpi {
  kpi: string
  before: KpiValue
  after: KpiValue
  /** After minus before, in the unit of the KPI; null where one of them has no value. */
  difference: number | null
}

export interface MovedCarrier {
  carrier: string
  attempts: { before: number; after: number }
  open: { before: number; after: number }
  incomplete: { before: number; after: number }
  kpis: MovedKpi[]
}

export interface RecomputeReport {
  /** The span asked for, and what of it raw messages reach. */
  asked_from: string
  asked_to: string
  from: string
  to: string
  notes: string[]
  swapped: boolean
  resumed: boolean
  attempts: {
    unchanged: number
    changed: number
    added: number
    removed: number
    moved_to_another_minute: number
    kept_raw_expired: number
    kept_too_many_messages: number
    left_to_the_store: number
  }
  messages: { folded: number; call_id_read_differently: number }
  /** Those of which anything moved. */
  carriers: MovedCarrier[]
}

export function recomputeReportOf(result: RecomputeResult): RecomputeReport {
  const { counts } = result
  return {
    asked_from: isoOf(result.askedFromS),
    asked_to: isoOf(result.askedToS),
    from: isoOf(result.fromS),
    to: isoOf(result.toS),
    notes: result.notes,
    swapped: result.isSwapped,
    resumed: result.isResumed,
    attempts: {
      unchanged: counts.unchanged,
      changed: counts.changed,
      added: counts.added,
      removed: counts.removed,
      moved_to_another_minute: counts.moved,
      kept_raw_expired: counts.keptRawExpired,
      kept_too_many_messages: counts.keptTooLong,
      left_to_the_store: result.overtaken,
    },
    messages: { folded: counts.messages, call_id_read_differently: counts.unplaced },
    carriers: movedCarriers(result.sums),
  }
}

interface Sides {
  before: Sums
  after: Sums
}

function movedCarriers(rows: RecomputeResult['sums']): MovedCarrier[] {
  const carriers = new Map<string, Sides>()
  for (const row of rows) {
    const name = String(row.carrier)
    const sides = carriers.get(name) ?? { before: emptySums(), after: emptySums() }
    carriers.set(name, sides)
    addSums(sides[row.side === 'before' ? 'before' : 'after'], sumsOfRow(row, ROLLUP_COLUMNS))
  }
  return [...carriers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([carrier, sides]) => movedCarrier(carrier, sides))
    .filter(
      (moved) => moved.kpis.length > 0 || COUNTS.some((name) => moved[name].before !== moved[name].after),
    )
}

const COUNTS = ['attempts', 'open', 'incomplete'] as const

function movedCarrier(carrier: string, { before, after }: Sides): MovedCarrier {
  const both = (name: string) => ({ before: countOf(before, name), after: countOf(after, name) })
  const kpis = KPI_CATALOG.map((kpi): MovedKpi => {
    const [old, fresh] = [kpiValueOf(kpi, before), kpiValueOf(kpi, after)]
    const difference = old.value === null || fresh.value === null ? null : fresh.value - old.value
    return { kpi: kpi.id, before: old, after: fresh, difference }
  }).filter(hasMoved)
  return { carrier, attempts: both('attempts'), open: both('open'), incomplete: both('incomplete'), kpis }
}

function hasMoved({ before, after, difference }: MovedKpi): boolean {
  if ((before.value === null) !== (after.value === null)) return true
  if (before.unit === 'ratio' && after.unit === 'ratio') {
    return (
      before.numerator !== after.numerator ||
      before.denominator !== after.denominator ||
      before.excluded !== after.excluded
    )
  }
  if (before.unit === 's' && after.unit === 's' && before.count !== after.count) return true
  // Sums of milliseconds with a fraction depend on the order in which they were added, in the last digit.
  return Math.abs(difference ?? 0) > 1e-9 * Math.abs(before.value ?? 0)
}

export function recomputeText(report: RecomputeReport): string {
  const { attempts, messages, carriers } = report
  const lines = [`${report.from} to ${report.to}`, ...report.notes]
  const outcomes: [count: number, what: string][] = [
    [attempts.unchanged, 'as they were'],
    [attempts.changed, 'changed'],
    [attempts.added, 'added'],
    [attempts.removed, 'removed: the current rules do not give them'],
    [attempts.moved_to_another_minute, 'of them moved to another minute'],
    [attempts.kept_raw_expired, 'kept: raw expired'],
    [attempts.kept_too_many_messages, 'kept: more messages under one Call-ID than a call has'],
    [attempts.left_to_the_store, 'left: a store process has written them meanwhile'],
  ]
  const told = outcomes
    .filter(([count], at) => count > 0 || at < 2)
    .map(([count, what]) => `${count} ${what}`)
  lines.push(`attempts: ${told.join(', ')}; ${messages.folded} messages folded`)
  if (messages.call_id_read_differently > 0)
    lines.push(
      `${messages.call_id_read_differently} messages left out: they now have another Call-ID than when they were stored`,
    )
  if (carriers.length === 0) lines.push('No KPI of any carrier moves.')
  for (const moved of carriers) {
    const counts = COUNTS.filter((name) => moved[name].before !== moved[name].after)
    const head = counts.map((name) => `${name} ${moved[name].before} → ${moved[name].after}`)
    lines.push(`${moved.carrier || 'unknown'}${head.length === 0 ? '' : `: ${head.join(', ')}`}`)
    const cells = moved.kpis.map((one) => [
      one.kpi,
      textOf(one.before),
      '→',
      textOf(one.after),
      differenceText(one),
    ])
    const widths = [0, 1, 2, 3].map((at) => Math.max(0, ...cells.map((row) => row[at]?.length ?? 0)))
    for (const row of cells)
      lines.push(`  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd())
  }
  return `${lines.join('\n')}\n`
}

function textOf(value: KpiValue): string {
  const n = value.unit === 'ratio' ? `${value.numerator}/${value.denominator}` : `n=${value.count}`
  if (value.value === null) return `– (${n})`
  return value.unit === 'ratio'
    ? `${(value.value * 100).toFixed(2)} % (${n})`
    : `${value.value.toFixed(3)} s (${n})`
}

function differenceText({ before, difference }: MovedKpi): string {
  if (difference === null) return ''
  const sign = difference < 0 ? '−' : '+'
  const size = Math.abs(difference)
  return before.unit === 'ratio' ? `${sign}${(size * 100).toFixed(2)} points` : `${sign}${size.toFixed(3)} s`
}

const isoOf = (timeS: number) => new Date(timeS * 1_000).toISOString().replace('.000Z', 'Z')
