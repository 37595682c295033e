// tidy: tested by test/api/alerts/rules/attempts.test.ts
/** Evaluates a simulated network minute by minute, and returns what was told. */
import type { AlertStore } from '../../../api/alerts/alert-store.js'
import { evaluateOnce } from '../../../api/alerts/alerting.js'
import type { TapAgent } from '../../../api/alerts/numbers.js'
import type { AlertRow } from '../../../api/alerts/state.js'
import type { AlertNotice } from '../../../schemas/alert-hook.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import { type Lane, type SimulatedEvidence, SimulatedWeek } from './week.js'

export interface Play {
  config: TrunkscopeConfig
  lanes: readonly Lane[]
  /** Of the numbers; the evaluation begins at `fromS`. */
  numbersFromS: number
  fromS: number
  toS: number
  tapsAt?: (untilS: number) => TapAgent[]
  /** How far the collector is behind the clock. */
  behindAtS?: (untilS: number) => number
  sinceUs?: number
  evidence?: SimulatedEvidence
}

export interface Played {
  /** "10:05 firing SloBurnFast alpha" */
  told: string[]
  notices: AlertNotice[]
  rows: AlertRow[]
}

/** Every minute, 12 s after its end. */
export async function played(play: Play): Promise<Played> {
  const rows = new Map<string, AlertRow>()
  const store: AlertStore = {
    read: async () => [...rows.values()],
    write: async (changed) => {
      for (const row of changed) rows.set(row.key, row)
    },
  }
  const notices: AlertNotice[] = []
  const outbox = { put: async (given: readonly AlertNotice[]) => void notices.push(...given) }
  let untilS = play.fromS
  const numbers = new SimulatedWeek(
    play.config,
    { fromS: play.numbersFromS, toS: play.toS },
    play.lanes,
    () => play.tapsAt?.(untilS) ?? [],
    play.evidence,
  )
  for (; untilS < play.toS; untilS += 60) {
    const nowUs = untilS * 1e6 + 12e6
    const asOfUs = nowUs - (play.behindAtS?.(untilS) ?? 1) * 1e6
    const sinceUs = play.sinceUs ?? 0
    await evaluateOnce({ config: play.config, numbers, store, outbox }, { nowUs, asOfUs, sinceUs })
  }
  return { told: notices.map(clockOf), notices, rows: [...rows.values()] }
}

function clockOf({ status, labels, startsAtUs, endsAtUs }: AlertNotice): string {
  const time = new Date((status === 'firing' ? startsAtUs : endsAtUs!) / 1_000).toISOString().slice(11, 16)
  return [time, status, labels.alertname, labels.carrier, labels.site, labels.agent].filter(Boolean).join(' ')
}
