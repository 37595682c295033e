/**
 * The state of every objective at one moment: windows, burn, who has to be told, what is left. One statement over the
 * rollups (and one for their freshness) answers all instances together.
 *
 * Takes    readers that see what the principal sees, the configuration, the moment.
 * Returns  a state for each instance, in the order of `expandSlos`.
 * Throws   what the readers throw.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { Readers } from '../readers.js'
import { type Budget, budgetOf } from './budget.js'
import {
  type BurnPair,
  type BurnVerdict,
  badRatioLow,
  burnOf,
  burnPairs,
  burnVerdict,
  INSUFFICIENT_BELOW,
  type WindowCount,
  windowName,
} from './burn.js'
import { readSloCounts, type SloCount, windowFromS } from './counts.js'
import { expandSlos, type SloInstance } from './instances.js'
import { type TakenOut, takenOutOf, takenOutS } from './maintenance.js'

export { expandSlos, instancesSeenBy, type SloInstance } from './instances.js'

export interface SloWindow extends WindowCount {
  /** "5m", "30d". */
  name: string
  fromS: number
  toS: number
  /** null without valid attempts. */
  burn: number | null
  /** Lower Wilson bound of the bad share. */
  badRatioLow: number | null
  /** Fewer than 100 valid attempts. */
  isInsufficient: boolean
  /** Why `burn` is null. no_valid: attempts, but none that says anything; maintenance: all of them were taken out. */
  reason: 'no_traffic' | 'no_valid' | 'maintenance' | undefined
  /** By maintenance; not in `bad` and `valid`. */
  takenOut: SloCount['takenOut']
}

export interface SloState {
  instance: SloInstance
  /** End of all windows, a whole minute. */
  atS: number
  /** Ascending; the last is the whole window of the objective. */
  windows: SloWindow[]
  verdict: BurnVerdict
  budget: Budget
  /** Of the whole window. */
  maintenance: TakenOut[]
  /** Everything the instance is about is in maintenance in the last minute before `atS`. */
  isInMaintenance: boolean
  /** The whole window has fewer than 100 valid attempts. */
  isInsufficient: boolean
}

export interface SloStateOptions {
  /** Only these; left out: all of the configuration. */
  instances?: readonly SloInstance[]
}

export async function readSloStates(
  readers: Readers,
  config: TrunkscopeConfig,
  atS: number,
  options: SloStateOptions = {},
): Promise<SloState[]> {
  const instances = options.instances ?? expandSlos(config)
  const endS = Math.floor(atS / 60) * 60
  const moments = instances.flatMap(({ slo }) => windowsOf(slo).map((windowS) => windowFromS(endS, windowS)))
  const counts = await readSloCounts(readers, config, instances, [...moments, endS])
  return instances.map((instance, index) =>
    stateOf(instance, config, endS, (fromS) => counts.between(index, fromS, endS)),
  )
}

/** Seconds, ascending, each once; the last is the whole window. */
export function windowsOf({ window_days: days }: SloInstance['slo']): number[] {
  const lengths = burnPairs(days).flatMap(({ longS, shortS }) => [longS, shortS])
  return [...new Set([...lengths, days * 86_400])].sort((a, b) => a - b)
}

function stateOf(
  instance: SloInstance,
  config: TrunkscopeConfig,
  atS: number,
  countFrom: (fromS: number) => SloCount,
): SloState {
  const { objective, window_days: days } = instance.slo
  const windows = windowsOf(instance.slo).map((windowS) => {
    const fromS = windowFromS(atS, windowS)
    return windowOf(objective, windowS, fromS, atS, countFrom(fromS))
  })
  const pairs = burnPairs(days)
  const whole = windows.at(-1) as SloWindow
  const maintenance = takenOutOf(instance, config, whole.fromS, atS)
  return {
    instance,
    atS,
    windows,
    verdict: burnVerdict(objective, pairs, (windowS) => windowNamed(windows, windowS)),
    budget: budgetOf(objective, whole, presentWindows(windows, pairs), takenOutS(maintenance)),
    maintenance,
    isInMaintenance: maintenance.some(({ covers, toS }) => covers === 'all' && toS >= atS),
    isInsufficient: whole.isInsufficient,
  }
}

function windowNamed(windows: readonly SloWindow[], windowS: number): SloWindow {
  return windows.find((window) => window.windowS === windowS) as SloWindow
}

/** The long windows, the shortest first: how fast it burns now. */
function presentWindows(windows: readonly SloWindow[], pairs: readonly BurnPair[]): SloWindow[] {
  return windows.filter(({ windowS }) => pairs.some(({ longS }) => longS === windowS))
}

function windowOf(
  objective: number,
  windowS: number,
  fromS: number,
  toS: number,
  count: SloCount,
): SloWindow {
  const { bad, valid, attempts, takenOut } = count
  return {
    windowS,
    name: windowName(windowS),
    fromS,
    toS,
    bad,
    valid,
    burn: burnOf(count, objective),
    badRatioLow: badRatioLow(count),
    isInsufficient: valid < INSUFFICIENT_BELOW,
    reason:
      valid > 0 ? undefined : takenOut.valid > 0 ? 'maintenance' : attempts > 0 ? 'no_valid' : 'no_traffic',
    takenOut,
  }
}
