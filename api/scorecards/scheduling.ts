/**
 * Looks again and again whether a schedule is due, and says in metrics how it goes.
 *
 *   const scheduling = startScheduling({ client, owner, deps, outbox, log })
 *   await scheduling.stop()      // a run that goes on is waited for
 */
import { Counter, Gauge, Registry } from 'prom-client'
import { SCORECARD_METRICS } from '../../schemas/own-metrics.js'
import type { ScorecardSchedule } from '../../schemas/scorecard-schedule.js'
import { nextFiring } from './schedule.js'
import { type ScheduledOptions, ScheduledScorecards, type ScheduledStatus } from './scheduled-run.js'

/** A firing is made so late at most. */
const LOOK_MS = 20_000

export interface SchedulingOptions extends ScheduledOptions {
  /** Nothing is made before: the past is still being filled in. */
  after?: Promise<unknown> | undefined
}

export interface Scheduling {
  /** What is due now is made and told when this resolves. */
  runDue(): Promise<void>
  runNow: ScheduledScorecards['runNow']
  /** Prometheus text. */
  metrics(): Promise<string>
  stop(): Promise<void>
}

export function startScheduling({ after, ...options }: SchedulingOptions): Scheduling {
  const scorecards = new ScheduledScorecards(options)
  const { deps } = options
  let isStopping = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const runDue = () => {
    running = deps.live().ready ? scorecards.runDue() : Promise.resolve()
    return running
  }
  const goOn = () => {
    if (isStopping) return
    timer = setTimeout(() => void runDue().then(goOn), LOOK_MS)
    timer.unref()
  }
  if (after === undefined) goOn()
  else void after.then(goOn)
  return {
    runDue,
    runNow: (schedule) => scorecards.runNow(schedule),
    metrics: () =>
      scheduleMetrics(scorecards.status, deps.config.scorecards.schedules, Math.floor(deps.nowUs() / 1_000)),
    stop: async () => {
      isStopping = true
      clearTimeout(timer)
      scorecards.stop()
      await running
    },
  }
}

export function scheduleMetrics(
  { runs, documents, omitted, lastDoneAtMs }: ScheduledStatus,
  schedules: readonly ScorecardSchedule[],
  nowMs: number,
): Promise<string> {
  const registry = new Registry()
  const optionsOf = (name: keyof typeof SCORECARD_METRICS) => {
    const { name: metricName, help, labels } = SCORECARD_METRICS[name]
    return { name: metricName, help, labelNames: [...labels], registers: [registry] }
  }
  const ran = new Counter(optionsOf('runs'))
  ran.inc({ result: 'done' }, runs.done)
  ran.inc({ result: 'failed' }, runs.failed)
  const made = new Counter(optionsOf('documents'))
  for (const [format, count] of documents) made.inc({ format }, count)
  const without = new Counter(optionsOf('omitted'))
  for (const [format, count] of omitted) without.inc({ format }, count)
  new Gauge(optionsOf('doneAt')).set((lastDoneAtMs ?? 0) / 1_000)
  const next = new Gauge(optionsOf('nextAt'))
  for (const schedule of schedules) {
    const atMs = nextFiring(schedule, nowMs)
    if (atMs !== undefined) next.set({ schedule: schedule.id }, atMs / 1_000)
  }
  return registry.metrics()
}
