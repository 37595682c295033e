/**
 * What is suspected of one attempt: the row that the evidence pass wrote, with the words of its rules.
 *
 * Takes    the id of an attempt that was found, and its minute.
 * Returns  the suspicions in the order of the definitions. `looked_at` is false until the pass has looked at its minute.
 */
import { z } from 'zod'
import {
  ANOMALY_CODES,
  ANOMALY_RULES,
  type Anomaly,
  anomalyRule,
  conditionText,
  SEVERITIES,
} from '../../schemas/anomalies.js'
import type { SeenDeps } from '../deps.js'
import { isoUsOf } from '../time-span.js'

export const suspicions = z
  .object({
    looked_at: z.boolean(),
    has_messages: z
      .boolean()
      .describe('false: its messages were gone when the pass looked; rules over messages say nothing.'),
    list: z.array(
      z.object({
        code: z.enum(ANOMALY_CODES),
        name: z.string(),
        severity: z.enum(SEVERITIES),
        sentence: z.string().describe('What was seen.'),
        condition: z.string().describe('The rule, with the thresholds of today.'),
        is_baseline_only: z
          .boolean()
          .describe('By itself it says nothing: only a rate above the usual does.'),
        messages: z.array(
          z.object({
            what: z.string().describe('Method or status code.'),
            at: z.string(),
            at_us: z.number().describe('On the clock of clock_agent.'),
          }),
        ),
      }),
    ),
  })
  .meta({ title: 'Suspicions' })

export type Suspicions = z.output<typeof suspicions>

/** @param minuteS `minute` of the attempt, seconds since 1970 */
export async function readSuspicions(
  deps: SeenDeps,
  attemptId: string,
  minuteS: number,
): Promise<Suspicions> {
  const [rows, looks] = await Promise.all([
    deps.readers.select<{ basis: string; evidence: string }>(
      `SELECT basis, evidence FROM attempt_anomalies FINAL
       WHERE minute = toDateTime({minute:UInt32}, 'UTC') AND attempt_id = toFixedString(unhex({id:String}), 16)`,
      { minute: minuteS, id: attemptId },
    ),
    deps.readers.select(
      `SELECT 1 AS one FROM anomaly_minutes WHERE minute = toDateTime({minute:UInt32}, 'UTC') LIMIT 1`,
      { minute: minuteS },
    ),
  ])
  const { early_media, fas } = deps.config.thresholds
  return {
    looked_at: looks.length > 0,
    has_messages: rows[0]?.basis !== 'record',
    list: anomaliesOf(rows[0]?.evidence).map(({ code, severity, sentence, messages }) => {
      const { name, condition, isBaselineOnly } = anomalyRule(code)
      return {
        code,
        name,
        severity,
        sentence,
        condition: conditionText({ condition }, { ...early_media, ...fas }),
        is_baseline_only: isBaselineOnly === true,
        messages: messages.map(({ what, atUs }) => ({ what, at: isoUsOf(atUs), at_us: atUs })),
      }
    }),
  }
}

/** A later version may have written codes that this one does not know. */
function anomaliesOf(evidence: string | undefined): Anomaly[] {
  if (evidence === undefined) return []
  return (JSON.parse(evidence) as Anomaly[]).filter(({ code }) => Object.hasOwn(ANOMALY_RULES, code))
}
