// tidy: tested by test/pipeline/real-capture.test.ts
/**
 * Every metric of the process, raised here and nowhere else: snapshots of its stages become Prometheus text. Those of the
 * agents are made where they are judged, in the api.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { LiveStatus } from '../schemas/live-status.js'
import { PROCESS_METRICS, type ProcessMetricName } from '../schemas/own-metrics.js'
import type { CaptureCounters } from './capture/capture.js'
import type { CaptureRoleStatus } from './capture-role.js'
import type { StoreStatus } from './store-role.js'

/** Of the evidence passes (evidence/job.ts). */
export interface EvidenceSnapshot {
  isLeader: boolean
  rounds: number
  lastRoundSeconds: number
  lagSeconds: number
  minutesWaiting: number
  rows: ReadonlyMap<string, number>
  leftOut: ReadonlyMap<string, number>
  problem: string
}

/** What a role does not do has no series. */
export interface Snapshot {
  live: LiveStatus
  store?: StoreStatus
  capture?: CaptureCounters
  published?: CaptureRoleStatus
  evidence?: EvidenceSnapshot
}

interface Sample {
  value: number
  labels?: Record<string, string>
}

const only = (value: number | undefined): Sample[] => (value === undefined ? [] : [{ value }])

const READ: Record<ProcessMetricName, (snapshot: Snapshot) => Sample[]> = {
  acceptedFrames: ({ live, capture }) =>
    capture === undefined
      ? []
      : live.accepted.map(({ transport, frames }) => ({ value: frames, labels: { transport } })),
  acceptedBytes: ({ live, capture }) =>
    capture === undefined
      ? []
      : live.accepted.map(({ transport, bytes }) => ({ value: bytes, labels: { transport } })),
  dropped: ({ live }) =>
    live.refused.map(({ stage, reason, count }) => ({ value: count, labels: { stage, reason } })),
  skippedBytes: ({ capture }) => only(capture?.skippedBytes),
  kernelDrops: ({ capture }) => only(capture?.refused.kernel_drop),
  bufferAsked: ({ capture }) => only(capture?.receiveBufferAskedBytes),
  bufferGranted: ({ capture }) => only(capture?.receiveBufferGrantedBytes),
  connections: ({ capture }) => only(capture?.connectionsOpen),
  spoolBytes: ({ capture }) => only(capture?.spoolBytes),
  spoolWriteFailures: ({ capture }) => only(capture?.spoolWriteFailures),
  spoolLag: ({ live }) => [{ value: live.spoolLagBytes }],
  publishedFrames: ({ published }) => only(published?.framesPublished),
  publishedUntil: ({ published }) => only(published && published.publishedUntilUs / 1_000_000),
  storedMessages: ({ store }) => only(store?.messagesStored),
  writtenAttempts: ({ store }) => only(store?.attemptsWritten),
  attemptsInMemory: ({ store }) => only(store?.attemptsInMemory),
  basePartitions: ({ store }) => only(store?.basePartitions),
  flushSeconds: ({ store }) => only(store?.lastFlushSeconds),
  recomputeSeconds: ({ store }) => only(store?.lastRecomputeSeconds),
  staleMinutes: ({ store }) => only(store?.staleMinutes),
  asOf: ({ live }) => [{ value: live.asOfUs / 1_000_000 }],
  ready: ({ live }) => [{ value: live.ready ? 1 : 0 }],
  evidenceLeader: ({ evidence }) => only(evidence && (evidence.isLeader ? 1 : 0)),
  evidenceLag: ({ evidence }) => only(evidence?.lagSeconds),
  evidenceMinutes: ({ evidence }) => only(evidence?.minutesWaiting),
  evidenceSeconds: ({ evidence }) => only(evidence?.lastRoundSeconds),
  evidenceRounds: ({ evidence }) => only(evidence?.rounds),
  evidenceRows: ({ evidence }) =>
    [...(evidence?.rows ?? [])].map(([pass, rows]) => ({ value: rows, labels: { pass } })),
  evidenceLeftOut: ({ evidence }) =>
    [...(evidence?.leftOut ?? [])].map(([pass, minutes]) => ({ value: minutes, labels: { pass } })),
  evidenceProblem: ({ evidence }) => only(evidence && (evidence.problem === '' ? 0 : 1)),
}

/** @returns a function that gives the text of `/metrics` as of now */
export function ownMetrics(snapshot: () => Snapshot): () => Promise<string> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'trunkscope_' })
  for (const [name, { name: metricName, help, labels, type }] of Object.entries(PROCESS_METRICS)) {
    const read = READ[name as ProcessMetricName]
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
