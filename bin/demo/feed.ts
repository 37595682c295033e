/**
 * Feeds a collector with demo traffic: the past in one go, then the present as it comes.
 *
 * Takes    where to, a seed, calls a second, and how much of the past.
 * Returns  when the signal comes; reports on the way.
 * Throws   what `send.ts` throws.
 */
import { type Destination, type Sent, sendEach, sendTcp } from './send.js'
import type { SigningKeys } from './signers.js'
import { Traffic } from './traffic.js'
import { troubleBefore } from './trouble.js'

export interface FeedOptions {
  /** The back-fill goes here; over TCP, so that none is lost. */
  backfillTo: Destination
  liveTo: Destination
  seed: number | string
  /** Calls a second. */
  rate: number
  /** How much of the past is filled in; 0 for none. */
  backfillS: number
  /** Where the past ends; the wall clock unless a test says otherwise. */
  nowUs: number
  /** One carrier goes bad. */
  trouble: boolean
  /** Signs PASSporTs; left out: random bytes in place of signatures. */
  keys?: SigningKeys | undefined
  /** The agents' shared secret. */
  agentKey?: string | undefined
}

export interface FeedReport {
  phase: 'backfill' | 'live'
  /** Last report of its phase. */
  done: boolean
  framesSent: number
  /** In the back-fill: about how many frames it will be. 0 when live. */
  framesExpected: number
  framesPerSecond: number
  /** Of this phase. */
  seconds: number
  /** Datagrams that could not be sent. */
  errors: number
  /** Capture time of the last frame. */
  atUs: number
  /** Calls begun so far, and those that are up. */
  calls: number
  callsUnderWay: number
}

const LIVE_REPORT_EVERY_MS = 5_000

export async function feed(
  options: FeedOptions,
  report: (report: FeedReport) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { seed, rate, nowUs } = options
  const trouble = options.trouble ? troubleBefore(nowUs) : undefined
  const traffic = new Traffic({ seed, trouble, keys: options.keys, agentKey: options.agentKey })
  const tell = (phase: FeedReport['phase'], sent: Sent, done: boolean, framesExpected: number) =>
    report({
      phase,
      done,
      framesSent: sent.frames,
      framesExpected,
      framesPerSecond: Math.round(sent.framesPerSecond),
      seconds: Math.round(sent.seconds * 1_000) / 1_000,
      errors: sent.errors,
      atUs: sent.atUs,
      calls: traffic.calls,
      callsUnderWay: traffic.callsUnderWay,
    })

  if (options.backfillS > 0) {
    const fromUs = nowUs - options.backfillS * 1_000_000
    const sent = await sendTcp(traffic.backfill(fromUs, nowUs, rate), options.backfillTo, {
      signal,
      onProgress: (so) => tell('backfill', so, false, expectedFrames(so, fromUs, nowUs)),
    })
    tell('backfill', sent, true, sent.frames)
  }
  if (signal?.aborted) return
  const sent = await sendEach(traffic.live({ rate, fromUs: nowUs, signal }), options.liveTo, {
    signal,
    progressEveryMs: LIVE_REPORT_EVERY_MS,
    onProgress: (so) => tell('live', so, false, 0),
  })
  tell('live', sent, true, 0)
}

/** Frames come evenly over the span, so the time reached says how many there will be. */
function expectedFrames(sent: Sent, fromUs: number, toUs: number): number {
  const share = (sent.atUs - fromUs) / (toUs - fromUs)
  return share > 0 ? Math.max(sent.frames, Math.round(sent.frames / share / 100) * 100) : 0
}
