/**
 * One evaluation: what holds at this moment, and what becomes of the alerts.
 *
 * Takes    the configuration, the numbers, the alerts as stored, the clock, and how far the collector has come.
 * Returns  the alerts to store and the notices to give.
 * Throws   what the numbers throw; then nothing is changed.
 *
 * The numbers are of whole minutes that the collector has surely seen to their end, so the same moment gives the same answer
 * whenever it is evaluated.
 */
import type { AlertNotice } from '../../schemas/alert-hook.js'
import type { AlertRuleConfig } from '../../schemas/alert-rules.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { attestationTimings, judgeAttestation } from './attestation-conditions.js'
import type { AlertNumbers, Cell, SampleAsk, Window } from './numbers.js'
import { readPeersOf, toldPeers, withPeers } from './peers.js'
import { ATTEMPTS, attemptsConditions, CARRIER_SILENT } from './rules/attempts.js'
import {
  BURN_ALERTS,
  BURN_TIMING,
  burnCondition,
  type FiringBurn,
  firingBurns,
  heldBehindFast,
  type Slower,
  samplesOfBurn,
  slowerOf,
  windowsOf,
} from './rules/burn.js'
import { type Held, heldBy } from './rules/held.js'
import { kpiConditions, kpiTiming, kpiWindows, samplesOfKpi } from './rules/kpi.js'
import { misroutedNumbers, NUMBER_ON_WRONG_CARRIER, NUMBER_TIMING, NUMBERS_UNREAD } from './rules/numbers.js'
import {
  CAPTURE_LOSS_WINDOW_S,
  captureLoss,
  collectorBehind,
  TAP_TIMINGS,
  tapConditions,
} from './rules/tap.js'
import { downTrunks, TRUNK_DOWN, TRUNK_TIMING, TRUNKS_UNREAD } from './rules/trunks.js'
import { type AlertRow, alertKey, type Condition, type Step, stepAlerts, type Timing } from './state.js'

/** Alerts that are alive at a time: more are a storm that nobody reads. Those that fire stay, then pages come first. */
export const ALERTS_MAX = 500
/** Attempts are stored in batches: a minute is judged so long after its end. */
const SETTLED_US = 10e6
/** Alerts that begin together and get samples. */
const SAMPLED_MAX = 20

export interface EvaluationDeps {
  config: TrunkscopeConfig
  numbers: AlertNumbers
}

export interface Moment {
  nowUs: number
  /** The highest received-at the collector vouches for; 0: nothing yet. */
  asOfUs: number
  /** Since when calls are surely seen; left out: always. */
  sinceUs?: number
}

export interface Evaluation {
  changed: AlertRow[]
  notices: AlertNotice[]
  /** Conditions that hold. */
  holding: number
  /** Of them left out, above `ALERTS_MAX`. */
  cut: number
  /** Why what began to fire could not be set beside other carriers; '' : nothing is missing. */
  peersProblem: string
}

export async function evaluate(
  deps: EvaluationDeps,
  rows: readonly AlertRow[],
  moment: Moment,
): Promise<Evaluation> {
  const { config } = deps
  const atUs = Math.floor(moment.nowUs / 1e6) * 1e6
  const behind = collectorBehind(config, moment.asOfUs === 0 ? undefined : moment.nowUs - moment.asOfUs)
  const found: Found =
    behind.held === ''
      ? await judge(deps, untilOf(moment), moment.sinceUs ?? 0)
      : {
          conditions: behind.conditions,
          held: heldBy([], new Map(), behind.held),
          undecidedOf: () => '',
          slower: [],
          askOf: () => undefined,
        }
  const { kept, cut } = bounded(found.conditions, rows)
  const step: Step = { atUs, timings: timingsOf(config), heldOf: (alert) => heldOf(alert, found) }
  const known = new Map(rows.map((row) => [row.key, row]))
  const unpaged = heldBehindFast(kept, found.slower, rows, step)
  const asTold = unpaged.map((condition) => {
    const told = known.get(alertKey(condition.rule, condition.labels))
    return told?.state === 'firing'
      ? withPeers(withSamples(condition, told.annotations.sample_attempts), toldPeers(told))
      : condition
  })
  // Samples and peers are read for what begins to fire, so the step is made once to see what does.
  const beginning = stepAlerts(rows, asTold, step).notices.filter(({ status }) => status === 'firing')
  const asks = beginning.flatMap(({ key }) => found.askOf(key) ?? []).slice(0, SAMPLED_MAX)
  const samples = await deps.numbers.samples(asks)
  const peers = await readPeersOf(deps.numbers, asks)
  const conditions = asTold.map((condition) => {
    const key = alertKey(condition.rule, condition.labels)
    const ids = samples.get(key)
    const sampled = ids === undefined ? condition : withSamples(condition, ids.join(' '))
    return withPeers(sampled, peers.verdicts.get(key))
  })
  return {
    ...stepAlerts(rows, conditions, step),
    holding: found.conditions.length,
    cut,
    peersProblem: peers.problem,
  }
}

function withSamples(condition: Condition, samples: string | undefined): Condition {
  return { ...condition, annotations: { ...condition.annotations, sample_attempts: samples } }
}

/** End of the last minute that is whole and stored. */
export function untilOf({ nowUs, asOfUs }: Moment): number {
  return Math.floor((Math.min(nowUs, asOfUs) - SETTLED_US) / 60e6) * 60
}

interface Found {
  conditions: Condition[]
  held: Held
  /** Why one that fires cannot be called over; '' : it can. */
  undecidedOf: (alert: AlertRow) => string
  slower: readonly Slower[]
  askOf: (key: string) => SampleAsk | undefined
}

async function judge({ config, numbers }: EvaluationDeps, untilS: number, sinceUs: number): Promise<Found> {
  const { alerts } = config
  const windows = new Windows(numbers, kpisOf(config))
  const agents = alerts.blind_tap ? await numbers.taps() : []
  const loss = captureLoss(config, await windows.read({ fromS: untilS - CAPTURE_LOSS_WINDOW_S, toS: untilS }))
  const held = heldBy(agents, loss.losing, '')
  const asks = new Map<string, SampleAsk>()

  const burns = alerts.burn ? firingBurns(await numbers.slos(untilS)) : []
  await windows.readAll(burns.flatMap(windowsOf).map((windowS) => ({ fromS: untilS - windowS, toS: untilS })))
  const ofBurn = burns.map((firing: FiringBurn) => {
    const cellsOf = (windowS: number) => windows.cells({ fromS: untilS - windowS, toS: untilS })
    const condition = burnCondition(firing, { config, untilS, held, cellsOf })
    const key = alertKey(condition.rule, condition.labels)
    asks.set(key, samplesOfBurn(firing, untilS, key))
    return condition
  })

  const rules = rulesOf(config)
  await windows.readAll(rules.flatMap((rule) => kpiWindows(rule, untilS)))
  const undecided = new Map<string, string>()
  const around = { config, untilS, held, sinceUs, cellsOf: (window: Window) => windows.cells(window) }
  const ofKpis = rules.flatMap((rule) => {
    if (rule.kpi === ATTEMPTS) {
      const found = attemptsConditions(rule, around)
      for (const [key, why] of found.undecided) undecided.set(key, why)
      return found.conditions
    }
    const conditions = kpiConditions(rule, around)
    for (const condition of conditions) {
      const key = alertKey(condition.rule, condition.labels)
      const ask = samplesOfKpi(rule, condition, untilS, key)
      if (ask !== undefined) asks.set(key, ask)
    }
    return conditions
  })
  const seenTrunks = alerts.trunk_down.enabled ? await numbers.trunks() : []
  const trunks = downTrunks(seenTrunks ?? [], { config, untilS, held })
  const misrouted = alerts.number_on_wrong_carrier ? await numbers.misrouted(untilS) : []
  const attestation = await judgeAttestation({ config, numbers }, untilS, held)
  const unread = new Map<string, string>([
    ...(misrouted === undefined ? [[NUMBER_ON_WRONG_CARRIER, NUMBERS_UNREAD] as const] : []),
    ...(seenTrunks === undefined ? [[TRUNK_DOWN, TRUNKS_UNREAD] as const] : []),
  ])
  return {
    conditions: [
      ...tapConditions(config, agents),
      ...loss.conditions,
      ...ofBurn,
      ...ofKpis,
      ...trunks.conditions,
      ...misroutedNumbers(misrouted ?? [], { config, held }),
      ...attestation.conditions,
    ],
    held,
    undecidedOf: (alert) =>
      unread.get(alert.rule) ??
      undecided.get(alert.key) ??
      trunks.undecided.get(alert.key) ??
      attestation.undecidedOf(alert),
    slower: slowerOf(burns),
    askOf: (key) => asks.get(key) ?? attestation.asks.get(key),
  }
}

/** Every window once, however many rules look at it. */
class Windows {
  readonly #numbers: AlertNumbers
  readonly #kpis: readonly string[]
  readonly #read = new Map<string, Cell[]>()

  constructor(numbers: AlertNumbers, kpis: readonly string[]) {
    this.#numbers = numbers
    this.#kpis = kpis
  }

  async read(window: Window): Promise<readonly Cell[]> {
    const key = keyOf(window)
    const known = this.#read.get(key)
    if (known !== undefined) return known
    const cells = await this.#numbers.cells(window, this.#kpis)
    this.#read.set(key, cells)
    return cells
  }

  async readAll(windows: readonly Window[]): Promise<void> {
    for (const window of windows) await this.read(window)
  }

  cells(window: Window): readonly Cell[] {
    return this.#read.get(keyOf(window)) ?? []
  }
}

const keyOf = ({ fromS, toS }: Window) => `${fromS} ${toS}`

function kpisOf({ alerts }: TrunkscopeConfig): string[] {
  const ofBurn = alerts.burn ? ['availability', 'progress'] : []
  const ofRules = alerts.rules.map(({ kpi }) => kpi).filter((kpi) => kpi !== ATTEMPTS)
  return [...new Set([...ofBurn, ...ofRules])]
}

function rulesOf({ alerts }: Pick<TrunkscopeConfig, 'alerts'>): readonly AlertRuleConfig[] {
  return alerts.carrier_silent ? [CARRIER_SILENT, ...alerts.rules] : alerts.rules
}

/** Rules that are there: of the others what still fires is resolved. */
export function timingsOf({ alerts }: Pick<TrunkscopeConfig, 'alerts'>): Map<string, Timing> {
  const timings = new Map<string, Timing>()
  if (alerts.burn) for (const alert of BURN_ALERTS) timings.set(alert, BURN_TIMING)
  if (alerts.blind_tap) {
    for (const alert of ['TapBlind', 'TapLossy', 'CollectorBehind'] as const)
      timings.set(alert, TAP_TIMINGS[alert])
  }
  if (alerts.capture_loss.enabled) timings.set('CaptureLoss', TAP_TIMINGS.CaptureLoss)
  if (alerts.number_on_wrong_carrier) timings.set(NUMBER_ON_WRONG_CARRIER, NUMBER_TIMING)
  if (alerts.trunk_down.enabled) timings.set(TRUNK_DOWN, TRUNK_TIMING)
  for (const [rule, timing] of attestationTimings({ alerts })) timings.set(rule, timing)
  for (const rule of rulesOf({ alerts })) timings.set(rule.id, kpiTiming(rule))
  return timings
}

/** Why an alert whose condition is gone is not over: nobody saw the end. */
function heldOf(alert: AlertRow, { held, undecidedOf }: Found): string {
  if (alert.rule === 'CollectorBehind') return ''
  if (held.all !== '') return held.all
  if (alert.rule === 'TapBlind' || alert.rule === 'TapLossy') return ''
  const unseen = alert.sites.map((site) => held.site(site)).find((reason) => reason !== '')
  return unseen ?? undecidedOf(alert)
}

function bounded(
  conditions: readonly Condition[],
  rows: readonly AlertRow[],
): { kept: Condition[]; cut: number } {
  const alive = new Set(rows.filter(({ state }) => state === 'firing').map(({ key }) => key))
  const ranked = conditions
    .map((condition) => {
      const key = alertKey(condition.rule, condition.labels)
      return { condition, key, rank: (alive.has(key) ? 0 : 2) + (condition.severity === 'page' ? 0 : 1) }
    })
    .sort((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : 1))
  const kept = ranked.slice(0, ALERTS_MAX).map(({ condition }) => condition)
  return { kept, cut: conditions.length - kept.length }
}
