/** What an expression is worth at each point of the grid, while it is worked out and as the answer. */
import { type Labels, labelsKey } from './labels.js'
import { PromError } from './prom-error.js'

export interface ScalarValue {
  type: 'scalar'
  values: number[]
}

export interface VectorSeries {
  labels: Labels
  /** One for each point of the grid; undefined: no sample there (not the same as NaN). */
  values: readonly (number | undefined)[]
}

export interface VectorValue {
  type: 'vector'
  /** No two with the same labels, and none without a sample. */
  series: VectorSeries[]
}

export interface Row {
  readonly labels: Labels
  readonly values: (number | undefined)[]
  samples: number
}

/** A vector that grows sample by sample: samples of equal labels come together in one series, two at one point are refused. */
export class GrowingVector {
  readonly #points: number
  readonly #rows = new Map<string, Row>()

  constructor(points: number) {
    this.#points = points
  }

  row(labels: Labels): Row {
    const key = labelsKey(labels)
    let row = this.#rows.get(key)
    if (row === undefined) {
      row = { labels, values: new Array(this.#points).fill(undefined), samples: 0 }
      this.#rows.set(key, row)
    }
    return row
  }

  put(row: Row, point: number, value: number): void {
    if (row.values[point] !== undefined) throw sameLabels(row.labels)
    row.values[point] = value
    row.samples += 1
  }

  finish(): VectorValue {
    const rows = [...this.#rows.values()].filter(({ samples }) => samples > 0)
    return { type: 'vector', series: rows.map(({ labels, values }) => ({ labels, values })) }
  }
}

/** Of functions that look at whole series: there equal labels are refused even where no two samples meet. */
export function wholeSeries(series: readonly VectorSeries[]): VectorValue {
  const kept = series.filter(({ values }) => values.some((value) => value !== undefined))
  const keys = new Set<string>()
  for (const { labels } of kept) {
    const key = labelsKey(labels)
    if (keys.has(key)) throw sameLabels(labels)
    keys.add(key)
  }
  return { type: 'vector', series: kept }
}

function sameLabels(labels: Labels): PromError {
  return new PromError(
    'execution',
    `vector cannot contain metrics with the same labelset: ${labelsKey(labels)}`,
  )
}
