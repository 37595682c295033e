/**
 * All suspicions about one attempt.
 *
 * Takes    its record; its messages as far as they are stored, in any order (undefined: nobody looked for them); and the
 *          thresholds.
 * Returns  the suspicions in the order of the definitions, and whether messages could be asked: where the INVITE of the last try
 *          is not stored, only rules over the record speak.
 * Throws   nothing.
 */
import { ANOMALY_CODES, type Anomaly } from '../../schemas/anomalies.js'
import { type Captured, lastTryOf, type TriedAttempt } from './last-try.js'
import { messageAnomalies } from './message-rules.js'
import { type AttemptTimes, recordAnomalies, type Thresholds } from './record-rules.js'

export interface Suspicions {
  anomalies: Anomaly[]
  hasMessages: boolean
}

export function anomaliesOf(
  attempt: AttemptTimes & TriedAttempt,
  captured: readonly Captured[] | undefined,
  thresholds: Thresholds,
): Suspicions {
  const seen = captured === undefined ? undefined : lastTryOf(attempt, captured)
  return {
    anomalies: inOrder([
      ...recordAnomalies(attempt, thresholds),
      ...(seen === undefined ? [] : messageAnomalies(seen, thresholds)),
    ]),
    hasMessages: seen !== undefined,
  }
}

export function inOrder(anomalies: readonly Anomaly[]): Anomaly[] {
  return [...anomalies].sort((a, b) => ANOMALY_CODES.indexOf(a.code) - ANOMALY_CODES.indexOf(b.code))
}
