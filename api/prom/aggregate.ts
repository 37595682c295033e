/**
 * `sum avg min max count topk`, over the samples of each group at each point.
 *
 * Nothing gives nothing: the sum of no samples is no sample, not 0. `min` and `max` pass over NaN while there is a number.
 * `topk` keeps its samples as they are, name included, is chosen anew at each point, and comes in falling order.
 *
 * Throws   PromError `execution` where the k of topk is NaN or beyond 64 bits.
 * Source   prometheus/promql/engine.go 2.42 (aggregation)
 */
import { dropLabels, keepLabels, type Labels, labelsKey, METRIC_NAME } from './labels.js'
import { PromError } from './prom-error.js'
import type { AggregateExpr, AggregateOp } from './syntax-tree.js'
import { GrowingVector, type Row, type ScalarValue, type VectorSeries, type VectorValue } from './value.js'

type Grouping = AggregateExpr['grouping']

interface Group {
  labels: Labels
  series: VectorSeries[]
}

export function aggregated(
  op: Exclude<AggregateOp, 'topk'>,
  grouping: Grouping,
  vector: VectorValue,
  points: number,
): VectorValue {
  const growing = new GrowingVector(points)
  for (const group of groupsOf(grouping, vector)) {
    const row = growing.row(group.labels)
    for (let point = 0; point < points; point += 1) {
      const worth = aggregatedAt(op, group.series, point)
      if (worth !== undefined) growing.put(row, point, worth)
    }
  }
  return growing.finish()
}

function aggregatedAt(op: AggregateOp, series: readonly VectorSeries[], point: number): number | undefined {
  let count = 0
  let sum = 0
  let extreme = Number.NaN
  for (const { values } of series) {
    const value = values[point]
    if (value === undefined) continue
    count += 1
    sum += value
    if (Number.isNaN(extreme) || (op === 'min' ? value < extreme : value > extreme)) extreme = value
  }
  if (count === 0) return undefined
  if (op === 'count') return count
  if (op === 'sum') return sum
  return op === 'avg' ? sum / count : extreme
}

export function highest(
  k: ScalarValue,
  grouping: Grouping,
  vector: VectorValue,
  points: number,
): VectorValue {
  const growing = new GrowingVector(points)
  const groups = groupsOf(grouping, vector)
  const rows = new Map<VectorSeries, Row>()
  const rowOf = (series: VectorSeries) => {
    const row = rows.get(series) ?? growing.row(series.labels)
    rows.set(series, row)
    return row
  }
  for (let point = 0; point < points; point += 1) {
    const wanted = wholeNumber(k.values[point]!)
    for (const { series } of groups) {
      for (const one of highestAt(wanted, series, point)) growing.put(rowOf(one), point, one.values[point]!)
    }
  }
  return growing.finish()
}

/** Below this many the best are held in order while the series go by; else all are sorted. */
const HELD_MAX = 100

function highestAt(wanted: number, series: readonly VectorSeries[], point: number): VectorSeries[] {
  const order = (a: VectorSeries, b: VectorSeries) => falling(a.values[point]!, b.values[point]!)
  const present = series.filter(({ values }) => values[point] !== undefined)
  if (wanted < 1) return []
  if (wanted > HELD_MAX) return present.sort(order).slice(0, wanted)
  const held: VectorSeries[] = []
  for (const one of present) {
    if (held.length === wanted && order(one, held.at(-1)!) >= 0) continue
    const place = held.findIndex((other) => order(one, other) < 0)
    held.splice(place === -1 ? held.length : place, 0, one)
    if (held.length > wanted) held.pop()
  }
  return held
}

function wholeNumber(k: number): number {
  if (!(Math.abs(k) < 2 ** 63)) throw new PromError('execution', `Scalar value ${k} overflows int64`)
  return Math.trunc(k)
}

/** NaN is the lowest. */
function falling(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a === b ? 0 : b > a ? 1 : -1
}

function groupsOf({ without, labels: names }: Grouping, vector: VectorValue): Group[] {
  const chosen = new Set(without ? [...names, METRIC_NAME] : names)
  const groups = new Map<string, Group>()
  for (const series of vector.series) {
    const labels = without ? dropLabels(series.labels, chosen) : keepLabels(series.labels, chosen)
    const key = labelsKey(labels)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { labels, series: [series] })
    else group.series.push(series)
  }
  return [...groups.values()]
}
