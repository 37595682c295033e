/**
 * `trunkscope_kpi_ratio`: the one ready ratio, a sample a minute where the denominator reaches the KPI's floor. It holds for
 * 5 minutes, then it ends.
 */
import { RATIO_KPIS } from '../../schemas/kpi-catalog.js'
import { keptFromS, keptOf } from '../../schemas/retention.js'
import { METRIC_NAME } from './labels.js'
import { Conditions, holds } from './matchers.js'
import type { Asking } from './rollup-source.js'
import { LEG_LABELS, ratioStatementOf, type SeriesRow } from './rollup-sql.js'
import type { SeriesAnswer, SeriesRequest } from './series.js'
import { floorTo, MINUTE_S, windowsOf } from './windows.js'

const HOLD_S = 300

export async function readRatios(asking: Asking, request: SeriesRequest): Promise<SeriesAnswer> {
  const { over } = request
  const windowed = {
    ...request,
    over: 'increase' as const,
    windowS: over === 'last' ? HOLD_S : request.windowS,
  }
  const windows = windowsOf(windowed, asking.servedUntilS)
  const keyTests = asking.tests.filter(({ label }) => label === 'kpi')
  // Only these columns are read.
  const kpis = RATIO_KPIS.filter(({ id }) => keyTests.every((test) => holds(test, id, asking.answers)))
  const firstS = floorTo(MINUTE_S, keptFromS(keptOf(asking.config.retention), asking.servedUntilS).minutes)
  const fromS = Math.max(firstS, windows.baseS)
  if (kpis.length === 0 || windows.toS <= fromS) return { series: [], warnings: windows.warnings }
  const { stepS } = request.grid
  const windowS = Math.max(MINUTE_S, windowed.windowS ?? MINUTE_S)
  const isSparse =
    stepS % MINUTE_S === 0 && windowS % MINUTE_S === 0 && stepS > windowS && windows.points.length > 1
  const [sql, parameters] = ratioStatementOf({
    tests: asking.tests.filter(({ label }) => label in LEG_LABELS),
    conditions: new Conditions('m'),
    parts: { minute: [{ fromS, toS: windows.toS }], hour: [], day: [] },
    limit: asking.limit + 1,
    kpis,
    fromS: Math.max(0, windows.baseS),
    ...(isSparse ? { stepS, windowS } : { stepS: 1, windowS: 1 }),
  })
  const rows = await asking.readers.select<SeriesRow>(sql, parameters)
  return {
    series: rows.map(({ labels, key, ends, sums }) => ({
      labels: {
        [METRIC_NAME]: asking.metric.name,
        ...Object.fromEntries(Object.keys(LEG_LABELS).map((label, at) => [label, labels[at]!])),
        kpi: key,
      },
      values: overSamples(windows.points, ends, sums!, over as 'last' | 'sum' | 'avg' | 'max'),
    })),
    warnings: windows.warnings,
  }
}

/** Each window is walked: those of gauges are short. */
function overSamples(
  points: readonly { fromS: number; toS: number }[],
  ends: readonly number[],
  values: readonly number[],
  over: 'last' | 'sum' | 'avg' | 'max',
): (number | undefined)[] {
  let [head, tail] = [0, 0]
  return points.map(({ fromS, toS }) => {
    while (head < ends.length && ends[head]! <= toS) head++
    while (tail < head && ends[tail]! <= fromS) tail++
    if (tail >= head) return undefined
    if (over === 'last') return values[head - 1]
    let [sum, max] = [0, Number.NEGATIVE_INFINITY]
    for (let at = tail; at < head; at++) {
      sum += values[at]!
      max = Math.max(max, values[at]!)
    }
    return over === 'max' ? max : over === 'sum' ? sum : sum / (head - tail)
  })
}
