/**
 * Operators between two values, point by point.
 *
 * Series of two vectors are a pair when the labels that count are equal (`on`, or all but `ignoring` and the name): one to
 * one, looked at anew at each point. Arithmetic and `bool` drop the name, filters keep it; x/0 is infinite, 0/0 is NaN.
 *
 * Throws   PromError `execution` where a pair is not one to one.
 * Source   prometheus/promql/engine.go 2.42: VectorAnd, VectorOr, VectorUnless, VectorBinop, VectorscalarBinop
 */
import { dropLabels, dropName, keepLabels, type Labels, labelsKey, METRIC_NAME } from './labels.js'
import { PromError } from './prom-error.js'
import type { ArithmeticOp, BinaryExpr, ComparisonOp, Matching, SetOp } from './syntax-tree.js'
import { GrowingVector, type Row, type ScalarValue, type VectorSeries, type VectorValue } from './value.js'

const ARITHMETIC: Readonly<Record<ArithmeticOp, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
}

const COMPARISON: Readonly<Record<ComparisonOp, (left: number, right: number) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
}

type Operation = Pick<BinaryExpr, 'op' | 'bool' | 'matching'>

export function binaryValue(
  operation: Operation,
  left: ScalarValue | VectorValue,
  right: ScalarValue | VectorValue,
  points: number,
): ScalarValue | VectorValue {
  const { op, matching } = operation
  if (left.type === 'vector' && right.type === 'vector') {
    if (op === 'and' || op === 'or' || op === 'unless') return setValue(op, matching, left, right, points)
    return pairValue(operation, left, right, points)
  }
  if (left.type === 'vector') return withScalar(operation, left, right as ScalarValue, false, points)
  if (right.type === 'vector') return withScalar(operation, right, left, true, points)
  const worthOf = worthOfPair(operation)
  const values = left.values.map((value, point) => worthOf(value, right.values[point]!, value)!)
  return { type: 'scalar', values }
}

/** Undefined: a filter that does not hold. `kept` is what one that holds gives back. */
type WorthOf = (left: number, right: number, kept: number) => number | undefined

function worthOfPair({ op, bool }: Operation): WorthOf {
  if (op in ARITHMETIC) return ARITHMETIC[op as ArithmeticOp]
  const holds = COMPARISON[op as ComparisonOp]
  if (bool) return (left, right) => (holds(left, right) ? 1 : 0)
  return (left, right, kept) => (holds(left, right) ? kept : undefined)
}

function dropsName({ op, bool }: Operation): boolean {
  return bool || op in ARITHMETIC
}

/** A filter gives the vector's values back, on whichever side it stands. */
function withScalar(
  operation: Operation,
  vector: VectorValue,
  scalar: ScalarValue,
  scalarIsLeft: boolean,
  points: number,
): VectorValue {
  const growing = new GrowingVector(points)
  const worthOf = worthOfPair(operation)
  for (const { labels, values } of vector.series) {
    const row = growing.row(dropsName(operation) ? dropName(labels) : labels)
    for (let point = 0; point < points; point += 1) {
      const value = values[point]
      if (value === undefined) continue
      const other = scalar.values[point]!
      const [left, right] = scalarIsLeft ? [other, value] : [value, other]
      const worth = worthOf(left, right, value)
      if (worth !== undefined) growing.put(row, point, worth)
    }
  }
  return growing.finish()
}

interface Group {
  labels: Labels
  left: VectorSeries[]
  right: VectorSeries[]
}

/** By the labels that count. */
function groupsOf(matching: Matching, left: VectorValue, right: VectorValue): Group[] {
  const names = new Set(matching.on ? matching.labels : [...matching.labels, METRIC_NAME])
  const groups = new Map<string, Group>()
  for (const side of ['left', 'right'] as const) {
    for (const series of (side === 'left' ? left : right).series) {
      const labels = matching.on ? keepLabels(series.labels, names) : dropLabels(series.labels, names)
      const key = labelsKey(labels)
      let group = groups.get(key)
      if (group === undefined) {
        group = { labels, left: [], right: [] }
        groups.set(key, group)
      }
      group[side].push(series)
    }
  }
  return [...groups.values()]
}

/** At which points one of them has a sample. */
function presence(series: readonly VectorSeries[], points: number): Uint8Array {
  const present = new Uint8Array(points)
  for (const { values } of series) {
    for (let point = 0; point < points; point += 1) if (values[point] !== undefined) present[point] = 1
  }
  return present
}

function setValue(
  op: SetOp,
  matching: Matching,
  left: VectorValue,
  right: VectorValue,
  points: number,
): VectorValue {
  const growing = new GrowingVector(points)
  const copy = (series: VectorSeries, other: Uint8Array | undefined, whereOther: boolean) => {
    const row = growing.row(series.labels)
    for (let point = 0; point < points; point += 1) {
      const value = series.values[point]
      if (value === undefined || (other !== undefined && (other[point] === 1) !== whereOther)) continue
      growing.put(row, point, value)
    }
  }
  for (const group of groupsOf(matching, left, right)) {
    const rightPresent = presence(group.right, points)
    for (const series of group.left) copy(series, op === 'or' ? undefined : rightPresent, op === 'and')
    if (op !== 'or') continue
    const leftPresent = presence(group.left, points)
    for (const series of group.right) copy(series, leftPresent, false)
  }
  return growing.finish()
}

function pairValue(operation: Operation, left: VectorValue, right: VectorValue, points: number): VectorValue {
  const growing = new GrowingVector(points)
  const worthOf = worthOfPair(operation)
  const anyLeft = presence(left.series, points)
  for (const group of groupsOf(operation.matching, left, right)) {
    const rows = group.left.map(({ labels }) => growing.row(pairLabels(operation, labels)))
    for (let point = 0; point < points; point += 1) {
      // Without a left side Prometheus looks at nothing, not even at whether the right one is unique.
      if (anyLeft[point] === 1) pairAt(worthOf, group, rows, point, growing)
    }
  }
  return growing.finish()
}

function pairAt(worthOf: WorthOf, group: Group, rows: Row[], point: number, growing: GrowingVector): void {
  let other: number | undefined
  for (const { values } of group.right) {
    if (values[point] === undefined) continue
    if (other !== undefined) {
      throw new PromError(
        'execution',
        `found duplicate series for the match group ${labelsKey(group.labels)} on the right hand-side of the operation; many-to-many matching not allowed: matching labels must be unique on one side`,
      )
    }
    other = values[point]
  }
  if (other === undefined) return
  let paired = false
  for (let index = 0; index < group.left.length; index += 1) {
    const value = group.left[index]!.values[point]
    if (value === undefined) continue
    const worth = worthOf(value, other, value)
    if (worth === undefined) continue
    if (paired) {
      throw new PromError(
        'execution',
        `multiple matches for labels ${labelsKey(group.labels)}: many-to-one matching must be explicit (group_left/group_right, not answered here)`,
      )
    }
    paired = true
    growing.put(rows[index]!, point, worth)
  }
}

function pairLabels(operation: Operation, left: Labels): Labels {
  const { on, labels } = operation.matching
  const named = dropsName(operation) ? dropName(left) : left
  return on ? keepLabels(named, new Set(labels)) : dropLabels(named, new Set(labels))
}
