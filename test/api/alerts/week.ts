// tidy: tested by test/api/alerts/time-travel.test.ts
/**
 * A simulated network, minute by minute, behind the seam that the SQL stands behind otherwise. Counts are kept as running
 * sums, so that any window costs two look-ups.
 */
import type { AlertNumbers, Cell, SampleAsk, SloBurn, TapAgent, Window } from '../../../api/alerts/numbers.js'
import { emptySums } from '../../../api/kpi/sums.js'
import { windowFromS } from '../../../api/slo/counts.js'
import { expandSlos, isAbout } from '../../../api/slo/instances.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'

export interface Minute {
  bad: number
  valid: number
  incomplete: number
}

export interface Lane {
  carrier: string
  site: string
  minuteAt: (minuteS: number) => Minute
}

/** What the rules on attestation and trunks ask, and what is asked for alerts that begin. */
export type SimulatedEvidence = Partial<
  Pick<AlertNumbers, 'levels' | 'betweenLegs' | 'signatures' | 'trunks' | 'misrouted' | 'peers'>
>

export class SimulatedWeek implements AlertNumbers {
  readonly #config: TrunkscopeConfig
  readonly #fromS: number
  readonly #lanes: {
    carrier: string
    site: string
    bad: number[]
    valid: number[]
    incomplete: number[]
    out: Minute[]
  }[]
  readonly #tapsAt: () => TapAgent[]
  readonly #evidence: SimulatedEvidence

  constructor(
    config: TrunkscopeConfig,
    span: Window,
    lanes: readonly Lane[],
    tapsAt: () => TapAgent[],
    evidence: SimulatedEvidence = {},
  ) {
    this.#config = config
    this.#evidence = evidence
    this.#fromS = span.fromS
    this.#tapsAt = tapsAt
    this.#lanes = lanes.map(({ carrier, site, minuteAt }) => {
      const [bad, valid, incomplete, out] = [[0], [0], [0], [{ bad: 0, valid: 0, incomplete: 0 }]]
      for (let minuteS = span.fromS; minuteS < span.toS; minuteS += 60) {
        const minute = minuteAt(minuteS)
        bad.push(bad.at(-1)! + minute.bad)
        valid.push(valid.at(-1)! + minute.valid)
        incomplete.push(incomplete.at(-1)! + minute.incomplete)
        const isOut = config.maintenance.some(
          ({ from, to, carriers, sites }) =>
            Date.parse(from) / 1_000 <= minuteS &&
            minuteS < Date.parse(to) / 1_000 &&
            (carriers?.includes(carrier) ?? true) &&
            (sites?.includes(site) ?? true),
        )
        const before = out.at(-1)!
        out.push({
          bad: before.bad + (isOut ? minute.bad : 0),
          valid: before.valid + (isOut ? minute.valid : 0),
          incomplete: 0,
        })
      }
      return { carrier, site, bad, valid, incomplete, out }
    })
  }

  #index(atS: number): number {
    return Math.max(0, (atS - this.#fromS) / 60)
  }

  async cells({ fromS, toS }: Window): Promise<Cell[]> {
    const [from, to] = [this.#index(fromS), this.#index(toS)]
    return this.#lanes.flatMap(({ carrier, site, bad, valid, incomplete }): Cell[] => {
      const sums = emptySums()
      const counts = {
        bad: bad[to]! - bad[from]!,
        valid: valid[to]! - valid[from]!,
        incomplete: incomplete[to]! - incomplete[from]!,
      }
      if (counts.valid + counts.incomplete === 0) return []
      sums.counts.attempts = counts.valid
      sums.counts.incomplete = counts.incomplete
      for (const kpi of ['availability', 'ner']) {
        sums.counts[`${kpi}_numerator`] = counts.valid - counts.bad
        sums.counts[`${kpi}_denominator`] = counts.valid
      }
      return [{ carrier, site, sums }]
    })
  }

  async slos(atS: number): Promise<SloBurn[]> {
    return expandSlos(this.#config).map((instance) => {
      const own = this.#lanes.filter(({ carrier, site }) => isAbout(instance, carrier, site))
      return {
        instance,
        countOf: (windowS) => {
          const [from, to] = [this.#index(windowFromS(atS, windowS)), this.#index(atS)]
          const sum = (of: (lane: (typeof own)[number], at: number) => number) =>
            own.reduce((total, lane) => total + of(lane, to) - of(lane, from), 0)
          return {
            windowS,
            bad: sum(({ bad, out }, at) => bad[at]! - out[at]!.bad),
            valid: sum(({ valid, out }, at) => valid[at]! - out[at]!.valid),
          }
        },
      }
    })
  }

  async taps(): Promise<TapAgent[]> {
    return this.#tapsAt()
  }

  async misrouted(atS: number) {
    return this.#evidence.misrouted === undefined ? [] : this.#evidence.misrouted(atS)
  }

  async trunks() {
    return this.#evidence.trunks === undefined ? [] : this.#evidence.trunks()
  }

  async levels(window: Window) {
    return (await this.#evidence.levels?.(window)) ?? []
  }

  async betweenLegs(window: Window) {
    return this.#evidence.betweenLegs === undefined ? [] : this.#evidence.betweenLegs(window)
  }

  async signatures(atS: number) {
    return this.#evidence.signatures === undefined
      ? { certificates: [], signers: [] }
      : this.#evidence.signatures(atS)
  }

  async peers(window: Window, sites: readonly string[] | undefined) {
    return (await this.#evidence.peers?.(window, sites)) ?? []
  }

  async samples(asks: readonly SampleAsk[]): Promise<ReadonlyMap<string, readonly string[]>> {
    return new Map(asks.map(({ key }) => [key, ['00000000000000000000000000000001']]))
  }
}
