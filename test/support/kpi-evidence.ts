/**
 * The evidence passes in a play of call flows: run over the store as their job does, and once more by their rules alone, over
 * all attempts at once.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { observe } from '../../collector/enrich/observe.js'
import { nextRollupVersion } from '../../collector/recompute/swap.js'
import { readMarks, settleMarks } from '../../collector/store/marks.js'
import { recomputeMinutes } from '../../collector/store/minutes.js'
import { callLegs } from '../../evidence/call-legs.js'
import { cancelVerdicts } from '../../evidence/cancels.js'
import { invalidNumberVerdicts, type Reached } from '../../evidence/invalid-numbers.js'
import { EvidenceJob } from '../../evidence/job.js'
import type { Leg } from '../../evidence/leg.js'
import type { Attempt } from '../../schemas/attempt.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { type CallLeg, CONFIDENCE_MIN, type Verdict } from '../../schemas/verdicts.js'

/** Rounds until nothing changes any more; between them the owner of the minutes recomputes what was marked. */
export async function judgeStored(client: ClickHouseClient, config: TrunkscopeConfig): Promise<void> {
  let nowMs = 0
  const job = new EvidenceJob({
    client,
    config: () => config,
    log: (level, sentence) => {
      if (level === 'error') throw new Error(sentence)
    },
    // Nothing waits for its time.
    nowMs: () => {
      nowMs += 3_600_000
      return nowMs
    },
    leaseMs: 0,
  })
  for (let isIdle = false; !isIdle; ) {
    const before = [...job.status.rows.values()].reduce((sum, rows) => sum + rows, 0)
    await job.round()
    isIdle = (await recomputeMarked(client)) === 0
    const after = [...job.status.rows.values()].reduce((sum, rows) => sum + rows, 0)
    isIdle &&= after === before && job.status.minutesWaiting === 0
  }
  await job.stop()
}

export async function recomputeMarked(client: ClickHouseClient): Promise<number> {
  const marks = await readMarks(client, [0])
  if (marks.length === 0) return 0
  const version = await nextRollupVersion(client)
  await recomputeMinutes(
    client,
    [0],
    marks.map(({ minuteS }) => minuteS),
    version,
  )
  await settleMarks(client, marks)
  return marks.length
}

/** By attempt; those that are of no call with another leg are left out. */
export type LegsOf = ReadonlyMap<string, CallLeg>

const legsAmong = (attempts: ReadonlyMap<string, Attempt>) =>
  [...attempts.values()].filter(({ state }) => state !== 'fragment').map(legOf)

/** Which attempts are legs of one call, whatever lies between them. */
export function linkedByRules(
  attempts: ReadonlyMap<string, Attempt>,
  frames: readonly ReceivedFrame[],
  config: TrunkscopeConfig,
): LegsOf {
  const names = namesOf(frames, config)
  const found = callLegs(
    legsAmong(attempts),
    ({ callId, addressLow, addressHigh }) => names.get(`${callId} ${addressLow} ${addressHigh}`),
    config.thresholds.route_advance_ms,
  )
  return new Map(found.map((leg) => [leg.attemptId, leg]))
}

/** How the legs that are stored differ from these, a sentence a difference. */
export async function legProblems(client: ClickHouseClient, expected: LegsOf): Promise<string[]> {
  const result = await client.query({
    query: `SELECT lower(hex(attempt_id)) AS id, lower(hex(call_key)) AS key, rule, round(confidence, 2) AS sure FROM call_legs FINAL`,
    format: 'JSONEachRow',
  })
  const rows = await result.json<{ id: string; key: string; rule: string; sure: number }>()
  const stored = new Map(rows.map(({ id, key, rule, sure }) => [id, `${key} ${rule} ${sure.toFixed(2)}`]))
  return [...new Set([...expected.keys(), ...stored.keys()])].flatMap((id) => {
    const leg = expected.get(id)
    const wanted = leg === undefined ? 'none' : `${leg.callKey} ${leg.rule} ${leg.confidence.toFixed(2)}`
    const got = stored.get(id) ?? 'none'
    return wanted === got ? [] : [`the call of ${id} is stored as ${got}, by the rules ${wanted}`]
  })
}

/** The attempts with what the rules say of all of them together. */
export function judgedByRules(
  attempts: ReadonlyMap<string, Attempt>,
  linked: LegsOf,
  config: TrunkscopeConfig,
): Map<string, Attempt> {
  const legs = legsAmong(attempts)
  const calls = new Map([...linked].filter(([, { confidence }]) => confidence >= CONFIDENCE_MIN))
  const reached = legs
    .filter(
      ({ party, direction, disposition, e164 }) =>
        party === 'carrier' &&
        direction === 'outbound' &&
        ['ANSWERED', 'BUSY', 'NO_ANSWER'].includes(disposition) &&
        e164 !== '',
    )
    .map(
      ({ e164, carrier, attemptId, invitedAtUs, disposition }): Reached => ({
        e164,
        carrier,
        attemptId,
        invitedAtUs,
        disposition,
      }),
    )
  const verdicts: Verdict[] = [
    ...cancelVerdicts(
      legs.filter(({ direction }) => direction !== 'unknown'),
      ({ attemptId }) => calls.get(attemptId),
      config.thresholds,
    ),
    ...invalidNumberVerdicts(legs, reached, config.thresholds.reclass_hours),
  ]
  const judged = new Map(attempts)
  for (const { attemptId, judgement } of verdicts) {
    judged.set(attemptId, { ...attempts.get(attemptId)!, ...judgement })
  }
  return judged
}

/** How the judged rows of the store differ from these, a sentence a difference. */
export async function judgedRows(
  client: ClickHouseClient,
  judged: ReadonlyMap<string, Attempt>,
): Promise<string[]> {
  const result = await client.query({
    query: `SELECT lower(hex(attempt_id)) AS id, disposition, sli, ner_numerator, ner_denominator, cancel_class
            FROM ${judgedAttempts({ minutes: 'true' })} WHERE state != 'fragment'`,
    format: 'JSONEachRow',
  })
  const rows = await result.json<Record<string, unknown>>()
  return rows.flatMap(({ id, ...row }) => {
    const attempt = judged.get(String(id))
    const { disposition, sli, nerNumerator, nerDenominator, cancelClass } = attempt ?? ({} as Attempt)
    const wanted = [disposition, sli, nerNumerator, nerDenominator, cancelClass].join(' ')
    const stored = Object.values(row).join(' ')
    return wanted === stored ? [] : [`${attempt?.callId} is judged ${stored}, by the rules ${wanted}`]
  })
}

const number = (texts: readonly string[], pattern: RegExp) => texts.find((text) => pattern.test(text)) ?? ''

export function legOf(attempt: Attempt): Leg {
  const { callingNumber, fromNumber, calledNumber, dialledNumber } = attempt
  return {
    ...attempt,
    busPartition: 0,
    caller: number([callingNumber, fromNumber], /^\+?[0-9]{7,}$/).replace('+', ''),
    callee: number([dialledNumber, calledNumber], /^\+?[0-9]{3,}$/).replace('+', ''),
    e164: number([calledNumber, dialledNumber], /^\+[1-9][0-9]{6,14}$/),
  }
}

/** Of the INVITEs among the frames, by Call-ID and addresses. */
function namesOf(frames: readonly ReceivedFrame[], config: TrunkscopeConfig) {
  const names = new Map<string, { sessionIds: string[]; header: string }>()
  for (const frame of frames) {
    const seen = observe(frame)
    if ('reason' in seen) continue
    const { message, sourceAddress, destinationAddress } = seen.observed
    const text = Buffer.from(frame.bytes).toString('latin1')
    if (!/INVITE sip:/.test(text)) continue
    const [low, high] = [sourceAddress, destinationAddress].sort()
    const own = /\nSession-ID: *([0-9a-f]{32})(?:;remote=([0-9a-f]{32}))?/i.exec(text)
    const header = config.calls.correlation_header
    const value =
      header === undefined ? undefined : new RegExp(`\\n${header}: *(.*?)\\r`, 'i').exec(text)?.[1]
    const key = `${message.callId} ${low} ${high}`
    const before = names.get(key) ?? { sessionIds: [], header: '' }
    const ids = (own?.slice(1) ?? []).filter((id) => id !== undefined && !/^0*$/.test(id))
    names.set(key, {
      sessionIds: [...new Set([...before.sessionIds, ...ids.map((id) => id.toLowerCase())])],
      header: value ?? before.header,
    })
  }
  return names
}
