/**
 * Evaluates the rules again and again, and sees to it that what was decided is told.
 *
 *   const alerting = startAlerting({ client, readers, config, outbox, live, log })
 *   await alerting.stop()      // an evaluation that runs is waited for
 *
 * A decision is stored with its notice owed, then the notice goes to the outbox, then it is no longer owed. Killed in
 * between, the next evaluation first gives the outbox what is owed: the outbox knows a notice by key and transition, so
 * nothing is lost and nothing is told twice. While the store does not answer nothing is evaluated, and the status says so.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { AlertNotice } from '../../schemas/alert-hook.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { LiveStatus } from '../../schemas/live-status.js'
import type { LoadedInventory } from '../numbers/inventory.js'
import type { Readers } from '../readers.js'
import { type AlertStore, ClickHouseAlertStore } from './alert-store.js'
import { type Evaluation, evaluate, type Moment } from './evaluate.js'
import type { AlertNumbers } from './numbers.js'
import { StoreNumbers } from './numbers-sql.js'
import { type AlertRow, noticeOf } from './state.js'

export interface AlertingOptions {
  /** May write the alert tables. */
  client: ClickHouseClient
  readers: Readers
  /** Read anew at each evaluation: a reload changes it in place. */
  config: TrunkscopeConfig
  outbox: NoticeTaker
  live: () => LiveStatus
  /** The number inventory, where there is one. */
  numbers?: (() => LoadedInventory | undefined) | undefined
  log: (level: 'info' | 'warn' | 'error', sentence: string) => void
  nowMs?: () => number
  /** Nothing is judged before: the past is still being filled in. */
  after?: Promise<unknown> | undefined
}

export interface NoticeTaker {
  put(notices: readonly AlertNotice[]): Promise<void>
}

export interface AlertingStatus {
  evaluations: number
  failures: number
  /** '' while all is well. */
  problem: string
  /** Of the last evaluation that succeeded; 0: none yet. */
  evaluatedAtMs: number
  lastSeconds: number
  firing: number
  pending: number
  held: number
  /** Conditions left out because too many hold. */
  cut: number
}

export interface Alerting {
  readonly status: AlertingStatus
  /** One evaluation now; what it decided is with the outbox when this resolves. */
  evaluateNow(): Promise<void>
  stop(): Promise<void>
}

export function startAlerting(options: AlertingOptions): Alerting {
  const nowMs = options.nowMs ?? Date.now
  const { config, live, log } = options
  const status: AlertingStatus = {
    evaluations: 0,
    failures: 0,
    problem: '',
    evaluatedAtMs: 0,
    lastSeconds: 0,
    firing: 0,
    pending: 0,
    held: 0,
    cut: 0,
  }
  const store = new ClickHouseAlertStore(options.client)
  const nowUs = () => nowMs() * 1_000
  const numbers = new StoreNumbers({
    readers: options.readers,
    config,
    live,
    nowUs,
    numbers: options.numbers,
  })
  let isStopping = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  const turn = async () => {
    if (!config.alerts.enabled || !live().ready) return
    const startedMs = performance.now()
    try {
      const { rows, evaluation } = await evaluateOnce(
        { config, numbers, store, outbox: options.outbox },
        {
          nowUs: nowUs(),
          asOfUs: live().asOfUs,
          sinceUs: live().startedAtUs,
        },
      )
      note(status, rows, evaluation)
      status.evaluations++
      status.evaluatedAtMs = nowMs()
      status.lastSeconds = (performance.now() - startedMs) / 1_000
      if (status.problem !== '') log('info', 'alerts are evaluated again')
      status.problem = ''
      if (evaluation.peersProblem !== '') {
        log('warn', `alerts go out without a comparison with other carriers: ${evaluation.peersProblem}`)
      }
      for (const { rule, status: what, annotations } of evaluation.notices) {
        log(what === 'firing' ? 'warn' : 'info', `alert ${rule} ${what}: ${annotations.summary}`)
      }
    } catch (error) {
      const sentence = `alerts are not evaluated: ${(error as Error).message.split('\n')[0]}`
      if (status.problem === '') log('error', sentence)
      status.problem = sentence
      status.failures++
    }
  }
  const evaluateNow = () => {
    running = running.then(turn)
    return running
  }
  const goOn = () => {
    if (isStopping) return
    timer = setTimeout(() => void evaluateNow().then(goOn), config.alerts.evaluation_interval_s * 1_000)
    timer.unref()
  }
  if (options.after === undefined) goOn()
  else void options.after.then(goOn)
  return {
    status,
    evaluateNow,
    stop: async () => {
      isStopping = true
      clearTimeout(timer)
      await running
    },
  }
}

export interface EvaluatorParts {
  config: TrunkscopeConfig
  numbers: AlertNumbers
  store: AlertStore
  outbox: NoticeTaker
}

/** What a crash may cut at any point: the next one makes up for it. */
export async function evaluateOnce(
  { config, numbers, store, outbox }: EvaluatorParts,
  moment: Moment,
): Promise<{ rows: AlertRow[]; evaluation: Evaluation }> {
  const before = await store.read()
  const settled = await settle(before, { store, outbox }, moment.nowUs)
  const known = before.map((row) => settled.get(row.key) ?? row)
  const evaluation = await evaluate({ config, numbers }, known, moment)
  await store.write(evaluation.changed, moment.nowUs)
  const told = await settle(evaluation.changed, { store, outbox }, moment.nowUs)
  const after = new Map([...known, ...evaluation.changed].map((row) => [row.key, told.get(row.key) ?? row]))
  return { rows: [...after.values()], evaluation }
}

/** Gives what is owed to the outbox; returns those rows as they are stored now. */
async function settle(
  rows: readonly AlertRow[],
  { store, outbox }: Pick<EvaluatorParts, 'store' | 'outbox'>,
  atUs: number,
): Promise<Map<string, AlertRow>> {
  const owed = rows.filter(({ told }) => !told)
  if (owed.length === 0) return new Map()
  await outbox.put(owed.map(noticeOf))
  const settled = owed.map((row) => ({ ...row, told: true, version: row.version + 1 }))
  await store.write(settled, atUs)
  return new Map(settled.map((row) => [row.key, row]))
}

function note(status: AlertingStatus, rows: readonly AlertRow[], { cut }: Evaluation): void {
  const alive = rows.filter(({ state }) => state === 'firing' || state === 'pending')
  status.firing = alive.filter(({ state }) => state === 'firing').length
  status.pending = alive.length - status.firing
  status.held = alive.filter(({ held }) => held !== '').length
  status.cut = cut
}
