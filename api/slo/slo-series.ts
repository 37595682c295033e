/**
 * Burn and budget over time: for the page of an objective, and as gauges for `/prom`.
 *
 * Takes    moments in seconds since 1970 UTC, ascending; each is taken down to its whole minute.
 * Returns  a value for each; undefined where nothing is known.
 * Throws   ApiError when there are too many points, and what the readers throw.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { Readers } from '../readers.js'
import { burnOf, windowName } from './burn.js'
import { readSloCounts, windowFromS } from './counts.js'
import type { SloInstance } from './instances.js'
import { windowsOf } from './slo-state.js'

export interface SloSeries {
  instance: SloInstance
  /** By the name of the window ("1h"), ascending; the last is the whole window of the objective. */
  windows: { name: string; windowS: number; burns: (number | undefined)[] }[]
}

export async function readSloSeries(
  readers: Readers,
  config: TrunkscopeConfig,
  instances: readonly SloInstance[],
  timesS: readonly number[],
  /** Names of windows to keep; left out: all. */
  names?: readonly string[],
): Promise<SloSeries[]> {
  const endsS = timesS.map((timeS) => Math.floor(timeS / 60) * 60)
  const lanes = instances.map((instance) => ({
    instance,
    windows: windowsOf(instance.slo)
      .map((windowS) => ({ windowS, name: windowName(windowS) }))
      .filter(({ name }) => names?.includes(name) ?? true),
  }))
  const lengths = new Set(lanes.flatMap(({ windows }) => windows.map(({ windowS }) => windowS)))
  const moments = [...lengths].flatMap((windowS) =>
    endsS.flatMap((endS) => [windowFromS(endS, windowS), endS]),
  )
  const counts = await readSloCounts(readers, config, instances, moments)
  return lanes.map(({ instance, windows }, index) => ({
    instance,
    windows: windows.map(({ name, windowS }) => ({
      name,
      windowS,
      burns: endsS.map(
        (endS) =>
          burnOf(counts.between(index, windowFromS(endS, windowS), endS), instance.slo.objective) ??
          undefined,
      ),
    })),
  }))
}

export const SLO_GAUGES = ['trunkscope_slo_burn_ratio', 'trunkscope_slo_budget_remaining_ratio'] as const
export type SloGaugeName = (typeof SLO_GAUGES)[number]

export interface SloGauge {
  name: SloGaugeName
  labels: Readonly<Record<string, string>>
  /** One for each time. */
  values: readonly (number | undefined)[]
}

/**
 * `trunkscope_slo_burn_ratio{slo,window,carrier?,site?}`: 1 spends the budget in exactly the objective's window.
 * `trunkscope_slo_budget_remaining_ratio{slo,carrier?,site?}`: 1 untouched, 0 spent, below 0 overspent.
 *
 * @param instances those that may be seen and are wanted
 * @param names of windows, for the burn; left out: all
 */
export async function readSloGauges(
  readers: Readers,
  config: TrunkscopeConfig,
  name: SloGaugeName,
  timesS: readonly number[],
  instances: readonly SloInstance[],
  names?: readonly string[],
): Promise<SloGauge[]> {
  if (name === 'trunkscope_slo_burn_ratio') {
    const series = await readSloSeries(readers, config, instances, timesS, names)
    return series.flatMap(({ instance: { slo, labels }, windows }) =>
      windows.map((window) => ({
        name,
        labels: { slo: slo.id, ...labels, window: window.name },
        values: window.burns,
      })),
    )
  }
  const wholes = [...new Set(instances.map(({ slo }) => windowName(wholeWindowS(slo))))]
  const series = await readSloSeries(readers, config, instances, timesS, wholes)
  return series.map(({ instance: { slo, labels }, windows }) => ({
    name,
    labels: { slo: slo.id, ...labels },
    values:
      windows
        .find(({ windowS }) => windowS === wholeWindowS(slo))
        ?.burns.map((burn) => (burn === undefined ? undefined : 1 - burn)) ?? [],
  }))
}

function wholeWindowS(slo: SloInstance['slo']): number {
  return slo.window_days * 86_400
}
