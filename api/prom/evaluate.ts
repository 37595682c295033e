/**
 * The value of an expression at each point of a grid.
 *
 * First every selector is read from the store (reads.ts); then all else is arithmetic in memory, in columns: a series
 * is its labels and one value for each point.
 *
 * Takes    an expression of `parsePromql` that is no range, and where its samples come from.
 * Throws   PromError `execution`: matching that is not one to one, two series of the same labels, too much to work
 *          out, and what the source refuses; `timeout` from the source.
 * Source   docs/promql.md; prometheus/promql/engine.go, functions.go 2.42
 */
import { aggregated, highest } from './aggregate.js'
import { binaryValue } from './binary.js'
import { histogramQuantile } from './histogram-quantile.js'
import { dropName, type Labels, METRIC_NAME } from './labels.js'
import { answeredWindowS, readAll, readKey } from './reads.js'
import { unsupported } from './refusals.js'
import type { Grid, Matcher, Series, SeriesSource } from './series.js'
import type { ClampExpr, Expr, WindowExpr } from './syntax-tree.js'
import { GrowingVector, type ScalarValue, type VectorValue, wholeSeries } from './value.js'
import { gridPoints } from './windows.js'

/** The answer of a query; `warnings` are sentences for the reader, without repeats. */
export type PromValue = (ScalarValue | VectorValue) & { warnings: string[] }

export async function evaluate(expr: Expr, grid: Grid, source: SeriesSource): Promise<PromValue> {
  if (expr.type === 'matrix') throw unsupported('range vector as the answer', expr.text, expr.at)
  const { series, warnings } = await readAll(expr, grid, source)
  return { ...new Evaluation(grid, series).valueOf(expr), warnings }
}

class Evaluation {
  readonly #points: number
  readonly #read: ReadonlyMap<string, Series[]>

  constructor(grid: Grid, read: ReadonlyMap<string, Series[]>) {
    this.#points = gridPoints(grid).length
    this.#read = read
  }

  valueOf(expr: Expr): ScalarValue | VectorValue {
    switch (expr.kind) {
      case 'number':
        return { type: 'scalar', values: new Array<number>(this.#points).fill(expr.value) }
      case 'selector':
        return wholeSeries(this.#read.get(readKey(expr))!)
      case 'window':
        return this.#window(expr)
      case 'negate':
        return negated(this.valueOf(expr.operand))
      case 'binary':
        return binaryValue(expr, this.valueOf(expr.left), this.valueOf(expr.right), this.#points)
      case 'aggregate': {
        const { op, grouping, parameter } = expr
        const vector = this.#vector(expr.vector)
        if (op === 'topk') return highest(this.#scalar(parameter!), grouping, vector, this.#points)
        return aggregated(op, grouping, vector, this.#points)
      }
      case 'clamp':
        return this.#clamp(expr)
      case 'histogram_quantile':
        return histogramQuantile(this.#scalar(expr.quantile), this.#vector(expr.buckets), this.#points)
      case 'absent':
        return this.#absent(expr.vector)
      case 'vector':
        return { type: 'vector', series: [{ labels: {}, values: this.#scalar(expr.scalar).values }] }
      case 'range':
      case 'string':
        // Only as a whole query or as an argument, and both are refused before.
        throw unsupported(expr.kind, expr.text, expr.at)
    }
  }

  #scalar(expr: Expr): ScalarValue {
    return this.valueOf(expr) as ScalarValue
  }

  #vector(expr: Expr): VectorValue {
    return this.valueOf(expr) as VectorValue
  }

  #window(expr: WindowExpr): VectorValue {
    const divisor = expr.perSecond ? answeredWindowS(expr.range.windowS) : 1
    const series = this.#read.get(readKey(expr))!
    return wholeSeries(
      series.map(({ labels, values }) => ({
        labels: dropName(labels),
        values: values.map((value) => (value === undefined ? undefined : value / divisor)),
      })),
    )
  }

  #clamp(expr: ClampExpr): VectorValue {
    const limits = this.#scalar(expr.limit).values
    const clamped = expr.side === 'min' ? higher : lower
    const growing = new GrowingVector(this.#points)
    for (const { labels, values } of this.#vector(expr.vector).series) {
      const row = growing.row(dropName(labels))
      for (let point = 0; point < this.#points; point += 1) {
        const value = values[point]
        if (value !== undefined) growing.put(row, point, clamped(limits[point]!, value))
      }
    }
    return growing.finish()
  }

  /** 1 where nothing is. */
  #absent(expr: Expr): VectorValue {
    const { series } = this.#vector(expr)
    const values: (1 | undefined)[] = []
    for (let point = 0; point < this.#points; point += 1) {
      values.push(series.some((one) => one.values[point] !== undefined) ? undefined : 1)
    }
    const labels = expr.kind === 'selector' ? equalLabels(expr.selector.matchers) : {}
    return wholeSeries([{ labels, values }])
  }
}

/** As Go has it: NaN wins, but not over the infinite. */
function higher(a: number, b: number): number {
  return a === Number.POSITIVE_INFINITY || b === Number.POSITIVE_INFINITY
    ? Number.POSITIVE_INFINITY
    : Math.max(a, b)
}

function lower(a: number, b: number): number {
  return a === Number.NEGATIVE_INFINITY || b === Number.NEGATIVE_INFINITY
    ? Number.NEGATIVE_INFINITY
    : Math.min(a, b)
}

function negated(value: ScalarValue | VectorValue): ScalarValue | VectorValue {
  if (value.type === 'scalar') return { type: 'scalar', values: value.values.map((one) => -one) }
  return wholeSeries(
    value.series.map(({ labels, values }) => ({
      labels: dropName(labels),
      values: values.map((one) => (one === undefined ? undefined : -one)),
    })),
  )
}

/** The labels that a missing series would surely have: those asked for with `=`, once. */
function equalLabels(matchers: readonly Matcher[]): Labels {
  const labels = new Map<string, string>()
  const seen = new Set<string>()
  for (const { label, op, value } of matchers) {
    if (op === '=' && !seen.has(label) && label !== METRIC_NAME && value !== '') labels.set(label, value)
    else labels.delete(label)
    if (op === '=') seen.add(label)
  }
  return Object.fromEntries(labels)
}
