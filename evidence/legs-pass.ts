/**
 * The pass behind call-legs.ts: links the attempts of the changed minutes and writes what changed into `call_legs`. It waits
 * until a minute is still for a while, because linking reads all of it; verdicts that need a link follow by the minutes
 * that it reports.
 *
 * Raw messages are kept for days, attempts for months: where none of a minute is stored any more, legs that were linked by what
 * an INVITE said stay as they are.
 */
import type { CallLeg } from '../schemas/verdicts.js'
import { CALL_REACH_S, callLegs } from './call-legs.js'
import { namesOfLeg, readCallNames } from './call-names.js'
import { BETWEEN, type Leg, readLegs } from './leg.js'
import type { Context, EvidencePass, PassResult, Window } from './pass.js'

const ROWS_A_STATEMENT = 5_000
/** About 200 MB while they are compared. What has more needs the comparison in the store. */
const ATTEMPTS_MAX = 400_000
const LEGS = `call_attempts FINAL WHERE ${BETWEEN} AND state != 'fragment'`

export const legsPass: EvidencePass = {
  id: 'legs',
  reachS: CALL_REACH_S,
  settleS: 20,
  everyS: 15,
  async run(window: Window, context: Context): Promise<PassResult> {
    const { client, config } = context
    const targets = { fromS: Math.max(0, window.fromS - CALL_REACH_S), toS: window.toS + CALL_REACH_S }
    const read = { fromS: Math.max(0, targets.fromS - CALL_REACH_S), toS: targets.toS + CALL_REACH_S }
    const legs = await readAll(context, read)
    if (legs === undefined) return { rows: 0, changedMinutesS: [] }
    const names = await readCallNames(client, read, config.calls)
    const standing = await standingLegs(context, targets)
    const isNamed = [...standing.values()].some(({ rule }) => rule === 'session_id' || rule === 'header')
    if (isNamed && !(await areMessagesKept(context, window))) return { rows: 0, changedMinutesS: [] }
    const changed: CallLeg[] = []
    for (const leg of callLegs(legs, (one) => namesOfLeg(names, one), config.thresholds.route_advance_ms)) {
      if (leg.minuteS < targets.fromS || leg.minuteS >= targets.toS) continue
      const key = keyOf(leg)
      if (textOf(standing.get(key)) !== textOf(leg)) changed.push(leg)
      standing.delete(key)
    }
    const ended = [...standing.values()]
    const version = context.version()
    await insert(context, changed, version, false)
    await insert(context, ended, version, true)
    // A row of a process that lost its lease may stand where its successor has none: it is ended, and linked when it changes.
    if (changed.length > 0 && !(await context.isHeld()))
      await insert(context, changed, context.version(), true)
    const minutes = [...changed, ...ended].map(({ minuteS }) => minuteS)
    return { rows: minutes.length, changedMinutesS: [...new Set(minutes)] }
  },
}

/** A minute at a time: the text of an answer is held once, beside what was read of it. */
async function readAll({ client, log }: Context, { fromS, toS }: { fromS: number; toS: number }) {
  const legs: Leg[] = []
  for (let atS = fromS; atS < toS; atS += 60) {
    legs.push(...(await readLegs(client, LEGS, { from: atS, to: Math.min(toS, atS + 60) })))
    if (legs.length <= ATTEMPTS_MAX) continue
    log('warn', `evidence: more than ${ATTEMPTS_MAX} attempts in ${toS - fromS} s: their legs are not linked`)
    return undefined
  }
  return legs
}

const keyOf = ({ minuteS, attemptId }: CallLeg) => `${minuteS} ${attemptId}`

function textOf(leg: CallLeg | undefined): string {
  return leg === undefined
    ? ''
    : [leg.callKey, leg.rule, leg.confidence.toFixed(2), leg.party, leg.carrier].join('\n')
}

async function areMessagesKept({ client }: Context, { fromS, toS }: Window): Promise<boolean> {
  const result = await client.query({
    query: `SELECT 1 AS one FROM sip_messages
            WHERE captured_at >= toDateTime64({from:UInt32}, 6, 'UTC') AND captured_at < toDateTime64({to:UInt32}, 6, 'UTC') LIMIT 1`,
    query_params: { from: fromS, to: toS },
    format: 'JSONEachRow',
  })
  return (await result.json()).length > 0
}

async function standingLegs(
  { client }: Context,
  { fromS, toS }: { fromS: number; toS: number },
): Promise<Map<string, CallLeg>> {
  const result = await client.query({
    query: `SELECT toUInt32(minute), lower(hex(attempt_id)), party, carrier, lower(hex(call_key)), rule, confidence
            FROM call_legs FINAL WHERE ${BETWEEN}`,
    query_params: { from: fromS, to: toS },
    format: 'JSONCompactEachRow',
  })
  const standing = new Map<string, CallLeg>()
  for (const row of await result.json<[number, string, string, string, string, CallLeg['rule'], number]>()) {
    const [minuteS, attemptId, party, carrier, callKey, rule, confidence] = row
    const leg = { minuteS, attemptId, party, carrier, callKey, rule, confidence }
    standing.set(keyOf(leg), leg)
  }
  return standing
}

async function insert(
  { client }: Context,
  legs: readonly CallLeg[],
  version: bigint,
  isEnd: boolean,
): Promise<void> {
  for (let at = 0; at < legs.length; at += ROWS_A_STATEMENT) {
    const some = legs.slice(at, at + ROWS_A_STATEMENT)
    await client.command({
      query: `INSERT INTO call_legs (minute, attempt_id, version, is_deleted, judged_at, party, carrier, call_key, rule, confidence)
        SELECT toDateTime(minute_s, 'UTC'), toFixedString(unhex(id), 16), {version:UInt64}, {is_deleted:UInt8}, now(), party, carrier,
          toFixedString(unhex(call_key), 16), rule, confidence
        FROM (SELECT 1) ARRAY JOIN {minutes:Array(UInt32)} AS minute_s, {ids:Array(String)} AS id, {parties:Array(String)} AS party,
          {carriers:Array(String)} AS carrier, {keys:Array(String)} AS call_key, {rules:Array(String)} AS rule,
          {confidences:Array(Float32)} AS confidence`,
      query_params: {
        version,
        is_deleted: isEnd ? 1 : 0,
        minutes: some.map(({ minuteS }) => minuteS),
        ids: some.map(({ attemptId }) => attemptId),
        parties: some.map(({ party }) => party),
        carriers: some.map(({ carrier }) => carrier),
        keys: some.map(({ callKey }) => callKey),
        rules: some.map(({ rule }) => rule),
        confidences: some.map(({ confidence }) => confidence),
      },
    })
  }
}
