// tidy: tested by test/pipeline/real-capture.test.ts
/** Every metric of the process, raised here and nowhere else: snapshots of its stages become Prometheus text. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { LiveStatus } from '../schemas/live-status.js'
import { OWN_METRICS, type OwnMetricName } from '../schemas/own-metrics.js'
import type { CaptureCounters } from './capture/capture.js'
import type { StoreStatus } from './store-role.js'

export interface Snapshot {
  live: LiveStatus
  store: StoreStatus
  capture: CaptureCounters
}

interface Sample {
  value: number
  labels?: Record<string, string>
}

const READ: Record<OwnMetricName, (snapshot: Snapshot) => Sample[]> = {
  acceptedFrames: ({ live }) =>
    live.accepted.map(({ transport, frames }) => ({ value: frames, labels: { transport } })),
  acceptedBytes: ({ live }) =>
    live.accepted.map(({ transport, bytes }) => ({ value: bytes, labels: { transport } })),
  dropped: ({ live }) =>
    live.refused.map(({ stage, reason, count }) => ({ value: count, labels: { stage, reason } })),
  skippedBytes: ({ capture }) => [{ value: capture.skippedBytes }],
  kernelDrops: ({ live }) => [{ value: live.kernelDrops }],
  bufferAsked: ({ live }) => [{ value: live.bufferAskedBytes }],
  bufferGranted: ({ live }) => [{ value: live.bufferGrantedBytes }],
  connections: ({ capture }) => [{ value: capture.connectionsOpen }],
  spoolBytes: ({ live }) => [{ value: live.spoolBytes }],
  spoolLag: ({ live }) => [{ value: live.spoolLagBytes }],
  storedMessages: ({ store }) => [{ value: store.messagesStored }],
  writtenAttempts: ({ store }) => [{ value: store.attemptsWritten }],
  attemptsInMemory: ({ store }) => [{ value: store.attemptsInMemory }],
  flushSeconds: ({ store }) => [{ value: store.lastFlushSeconds }],
  recomputeSeconds: ({ store }) => [{ value: store.lastRecomputeSeconds }],
  staleMinutes: ({ store }) => [{ value: store.staleMinutes }],
  asOf: ({ live }) => [{ value: live.asOfUs / 1_000_000 }],
  ready: ({ live }) => [{ value: live.ready ? 1 : 0 }],
}

/** @returns a function that gives the text of `/metrics` as of now */
export function ownMetrics(snapshot: () => Snapshot): () => Promise<string> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'trunkscope_' })
  for (const [name, { name: metricName, help, labels, type }] of Object.entries(OWN_METRICS)) {
    const read = READ[name as OwnMetricName]
    const settings = { name: metricName, help, labelNames: [...labels], registers: [registry] }
    if (type === 'gauge') {
      new Gauge({
        ...settings,
        collect() {
          for (const { value, labels: of } of read(snapshot())) this.set(of ?? {}, value)
        },
      })
    } else {
      new Counter({
        ...settings,
        collect() {
          this.reset()
          for (const { value, labels: of } of read(snapshot())) this.inc(of ?? {}, value)
        },
      })
    }
  }
  return () => registry.metrics()
}
