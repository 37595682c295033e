/**
 * The pass behind invalid-numbers.ts. It looks two days wide, so it runs every few minutes for all minutes that changed since,
 * and reads who was called invalid, then who reached these numbers.
 */
import { E164 } from '../schemas/call-numbers.js'
import { invalidNumberVerdicts, REACHED_GRAIN_S, type Reached } from './invalid-numbers.js'
import { BETWEEN, readLegs } from './leg.js'
import type { Context, EvidencePass, PassResult, Window } from './pass.js'
import { writeVerdicts } from './verdict-rows.js'

const PASS = 'invalid_numbers'

const ROUTED = `state = 'closed' AND party = 'carrier' AND direction = 'outbound' AND invited_at_us > 0`
const REACHED = `disposition IN ('ANSWERED', 'BUSY', 'NO_ANSWER')`

const TARGETS = `call_attempts FINAL WHERE ${BETWEEN} AND ${ROUTED} AND disposition = 'INVALID_NUMBER'`
const REACHED_ROWS = `SELECT number, carrier, bucket, argMin((lower(hex(attempt_id)), invited_at_us, disposition), (invited_at_us, attempt_id)),
    argMax((lower(hex(attempt_id)), invited_at_us, disposition), (invited_at_us, attempt_id))
  FROM (SELECT ${E164} AS number, carrier, intDiv(invited_at_us, ${REACHED_GRAIN_S}000000) AS bucket, attempt_id, invited_at_us, disposition
    FROM call_attempts FINAL WHERE ${BETWEEN} AND ${ROUTED} AND ${REACHED}
      AND number IN (SELECT ${E164} FROM call_attempts FINAL
        WHERE minute >= toDateTime({targets_from:UInt32}, 'UTC') AND minute < toDateTime({targets_to:UInt32}, 'UTC')
          AND ${ROUTED} AND disposition = 'INVALID_NUMBER'))
  GROUP BY number, carrier, bucket`

type Extreme = [attemptId: string, invitedAtUs: string, disposition: string]

export const invalidNumbersPass: EvidencePass = {
  id: PASS,
  reachS: 86_400,
  settleS: 60,
  everyS: 300,
  async run(window: Window, context: Context): Promise<PassResult> {
    const { client, config } = context
    const reachS = config.thresholds.reclass_hours * 3_600 + 60
    const targets = { fromS: Math.max(0, window.fromS - reachS), toS: window.toS + reachS }
    const legs = await readLegs(client, TARGETS, { from: targets.fromS, to: targets.toS })
    const reached =
      legs.length === 0
        ? []
        : await readReached(context, {
            from: Math.max(0, targets.fromS - reachS),
            to: targets.toS + reachS,
            targets_from: targets.fromS,
            targets_to: targets.toS,
          })
    const verdicts = invalidNumberVerdicts(legs, reached, config.thresholds.reclass_hours)
    return writeVerdicts(PASS, verdicts, targets, context)
  },
}

async function readReached({ client }: Context, parameters: Record<string, unknown>): Promise<Reached[]> {
  const result = await client.query({
    query: REACHED_ROWS,
    query_params: parameters,
    format: 'JSONCompactEachRow',
  })
  const reached: Reached[] = []
  for (const [e164, carrier, , first, last] of await result.json<
    [string, string, string, Extreme, Extreme]
  >()) {
    for (const [attemptId, invitedAtUs, disposition] of [first, last]) {
      reached.push({ e164, carrier, attemptId, invitedAtUs: Number(invitedAtUs), disposition })
    }
  }
  return reached
}
