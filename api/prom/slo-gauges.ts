/**
 * The gauges of objectives, `trunkscope_slo_…`: worked out by ../slo at each point of the grid, for those objectives and
 * windows that the matchers choose and the principal may see.
 */
import { windowName } from '../slo/burn.js'
import { expandSlos, instancesSeenBy } from '../slo/instances.js'
import { readSloGauges, type SloGaugeName } from '../slo/slo-series.js'
import { windowsOf as burnWindowsOf } from '../slo/slo-state.js'
import { METRIC_NAME } from './labels.js'
import { askRegexes, holds } from './matchers.js'
import { PromError } from './prom-error.js'
import type { Asking } from './rollup-source.js'
import type { SeriesAnswer, SeriesRequest } from './series.js'
import { gridPoints } from './windows.js'

export async function readSlo(asking: Asking, request: SeriesRequest): Promise<SeriesAnswer> {
  const { readers, config, servedUntilS } = asking
  const gauge = asking.metric.name as SloGaugeName
  if (request.over !== 'last') {
    throw new PromError(
      'execution',
      `unsupported: ${request.over}_over_time of ${gauge}, which has a window of its own, see docs/prom.md`,
    )
  }
  const seen = instancesSeenBy(expandSlos(config), readers.principal)
  const names = [
    ...new Set(seen.flatMap(({ slo }) => burnWindowsOf(slo).map((windowS) => windowName(windowS)))),
  ]
  const values = seen.flatMap(({ slo, labels }) => [slo.id, ...Object.values(labels)])
  const answers = await askRegexes(readers, asking.tests, [...new Set(['', ...values, ...names])])
  const fits = (label: string, value: string) =>
    asking.tests.every((test) => test.label !== label || holds(test, value, answers))
  const instances = seen.filter(
    ({ slo, labels }) =>
      fits('slo', slo.id) && fits('carrier', labels.carrier ?? '') && fits('site', labels.site ?? ''),
  )
  const windows = names.filter((name) => fits('window', name))
  if (instances.length === 0 || windows.length === 0) return { series: [], warnings: [] }
  const timesS = gridPoints(request.grid).map((atS) => Math.min(atS - request.offsetS, servedUntilS))
  const gauges = await readSloGauges(readers, config, gauge, timesS, instances, windows)
  const series = gauges
    .filter(({ values }) => values.some((value) => value !== undefined))
    .slice(0, asking.limit + 1)
    .map(({ name, labels, values }) => ({ labels: { [METRIC_NAME]: name, ...labels }, values }))
  return { series, warnings: [] }
}
