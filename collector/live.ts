// tidy: tested by test/pipeline/real-capture.test.ts
/** Puts together what the stages know of themselves: the snapshot that page, API and metrics show. */
import type { LiveStatus } from '../schemas/live-status.js'
import type { CaptureReason, Reason, Stage } from '../schemas/reasons.js'
import type { CaptureCounters } from './capture/capture.js'
import type { StoreStatus } from './store-role.js'

export interface Parts {
  startedAtUs: number
  /** undefined: this process captures nothing. */
  capture?: CaptureCounters
  /** undefined: this process stores nothing. */
  store?: StoreStatus
  listening: LiveStatus['listening']
  /** Accepted and not stored yet, as far as this process knows. */
  spoolLagBytes: number
  lastFrame?: LiveStatus['lastFrame']
  /** Where neither capture nor store say it: the highest received-at. */
  asOfUs?: number
  /** '' while nothing else is wrong. */
  problem: string
}

export function liveStatus(parts: Parts): LiveStatus {
  const { capture, store } = parts
  const problem = parts.problem || store?.problem || spoolProblem(capture)
  return {
    asOfUs: store?.asOfUs ?? parts.asOfUs ?? 0,
    startedAtUs: parts.startedAtUs,
    ready: problem === '',
    problem,
    listening: parts.listening,
    bufferAskedBytes: capture?.receiveBufferAskedBytes ?? 0,
    bufferGrantedBytes: capture?.receiveBufferGrantedBytes ?? 0,
    accepted: (['udp', 'tcp', 'tls', 'file'] as const).map((transport) => ({
      transport,
      frames: capture?.acceptedFrames[transport] ?? 0,
      bytes: capture?.acceptedBytes[transport] ?? 0,
    })),
    refused: [...refusedByCapture(capture), ...refusedByStore(store)],
    kernelDrops: capture?.refused.kernel_drop ?? 0,
    spoolBytes: capture?.spoolBytes ?? 0,
    spoolLagBytes: parts.spoolLagBytes,
    openAttempts: store?.attemptsInMemory ?? 0,
    flushSecondsLast: store?.lastFlushSeconds ?? 0,
    storedMessages: store?.messagesStored ?? 0,
    lastFrame: parts.lastFrame,
  }
}

function spoolProblem(capture: CaptureCounters | undefined): string {
  if (capture?.spoolState === 'full') return 'the spool is full: frames are refused until there is room'
  if (capture?.spoolState === 'failing')
    return 'the disk refuses the spool: frames are refused until it works again'
  return ''
}

function refusedByCapture(capture: CaptureCounters | undefined): LiveStatus['refused'] {
  return Object.entries(capture?.refused ?? {})
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => ({ stage: 'capture' as const, reason: reason as CaptureReason, count }))
}

function refusedByStore(store: StoreStatus | undefined): LiveStatus['refused'] {
  return [...(store?.refused ?? [])].map(([name, count]) => {
    const [stage, reason] = name.split('/') as [Stage, Reason]
    return { stage, reason, count }
  })
}
