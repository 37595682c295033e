/**
 * The pass behind cancels.ts: reads what was given up near the changed minutes, and the legs that may tell why: those of the
 * same call (`call_legs`), and those with the same numbers.
 */
import { CALLEE, CALLER } from '../schemas/call-numbers.js'
import { type CallLinkRule, CONFIDENCE_MIN } from '../schemas/verdicts.js'
import { type CallOf, cancelVerdicts, GIVE_UP_REACH_S, isGivenUp } from './cancels.js'
import { BETWEEN, type Leg, readLegs } from './leg.js'
import type { Context, EvidencePass, PassResult, Window } from './pass.js'
import { writeVerdicts } from './verdict-rows.js'

const PASS = 'cancels'

const LEG = `${BETWEEN} AND state != 'fragment' AND direction != 'unknown'`
/** What isGivenUp asks, as far as it narrows the reading. */
const GIVEN_UP = `state = 'closed' AND cancel_class NOT IN ('', 'CANCEL_RACE_200', 'ELSEWHERE') AND direction != 'unknown'
  AND minute >= toDateTime({targets_from:UInt32}, 'UTC') AND minute < toDateTime({targets_to:UInt32}, 'UTC')`
const CALLS = `SELECT call_key FROM call_legs FINAL WHERE ${BETWEEN} AND attempt_id IN (
  SELECT attempt_id FROM call_attempts FINAL WHERE ${GIVEN_UP})`
const RELATED = `call_attempts FINAL WHERE ${LEG} AND (
  (${CALLER}, ${CALLEE}) IN (SELECT ${CALLER} AS a, ${CALLEE} AS b FROM call_attempts FINAL WHERE ${GIVEN_UP} AND a != '' AND b != '')
  OR attempt_id IN (SELECT attempt_id FROM call_legs FINAL WHERE ${BETWEEN} AND call_key IN (${CALLS}))
  OR (${GIVEN_UP}))`

export const cancelsPass: EvidencePass = {
  id: PASS,
  reachS: GIVE_UP_REACH_S + 60,
  settleS: 0,
  everyS: 5,
  async run(window: Window, context: Context): Promise<PassResult> {
    const { client, config } = context
    const { reachS } = cancelsPass
    const targets = { fromS: Math.max(0, window.fromS - reachS), toS: window.toS + reachS }
    const parameters = {
      from: Math.max(0, targets.fromS - reachS),
      to: targets.toS + reachS,
      targets_from: targets.fromS,
      targets_to: targets.toS,
    }
    const legs = await readLegs(client, RELATED, parameters)
    const isTarget = (leg: Leg) => isGivenUp(leg) && leg.minuteS >= targets.fromS && leg.minuteS < targets.toS
    const verdicts = legs.some(isTarget)
      ? cancelVerdicts(legs, await readCalls(context, parameters), config.thresholds)
      : []
    const inWindow = verdicts.filter(({ minuteS }) => minuteS >= targets.fromS && minuteS < targets.toS)
    return writeVerdicts(PASS, inWindow, targets, context)
  },
}

async function readCalls({ client }: Context, parameters: Record<string, unknown>): Promise<CallOf> {
  const result = await client.query({
    query: `SELECT lower(hex(attempt_id)), lower(hex(call_key)), rule FROM call_legs FINAL
            WHERE ${BETWEEN} AND confidence >= {confidence:Float32} AND call_key IN (${CALLS})`,
    query_params: { ...parameters, confidence: CONFIDENCE_MIN },
    format: 'JSONCompactEachRow',
  })
  const calls = new Map<string, { callKey: string; rule: CallLinkRule }>()
  for (const [id, callKey, rule] of await result.json<[string, string, CallLinkRule]>()) {
    calls.set(id, { callKey, rule })
  }
  return ({ attemptId }) => calls.get(attemptId)
}
