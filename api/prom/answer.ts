/** The value of an expression in the shapes of Prometheus's answers: numbers are texts, times seconds to the millisecond. */
import type { PromValue } from './evaluate.js'
import type { Grid } from './series.js'
import { gridPoints } from './windows.js'

export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return Object.is(value, -0) ? '-0' : String(value)
}

const toMs = (atS: number) => Math.round(atS * 1_000) / 1_000

/** @param limit  most series */
export function vectorOf(value: PromValue, atS: number, limit: number) {
  const timeS = toMs(atS)
  if (value.type === 'scalar') {
    return { resultType: 'scalar', result: [timeS, numberText(value.values[0]!)] }
  }
  const result = value.series.flatMap(({ labels, values: [first] }) =>
    first === undefined ? [] : [{ metric: labels, value: [timeS, numberText(first)] }],
  )
  return { resultType: 'vector', result: result.slice(0, limit) }
}

/** A scalar is a series without labels. @param fractionS  of a second, that the grid left out */
export function matrixOf(value: PromValue, grid: Grid, fractionS: number, limit: number) {
  const timesS = gridPoints(grid).map((atS) => toMs(atS + fractionS))
  const series = value.type === 'scalar' ? [{ labels: {}, values: value.values }] : value.series
  const result = series.slice(0, limit).flatMap(({ labels, values }) => {
    const points = timesS.flatMap((timeS, at): [number, string][] => {
      const sample = values[at]
      return sample === undefined ? [] : [[timeS, numberText(sample)]]
    })
    return points.length === 0 ? [] : [{ metric: labels, values: points }]
  })
  return { resultType: 'matrix', result }
}
