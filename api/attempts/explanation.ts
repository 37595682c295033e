/**
 * Why the record of an attempt says what it says: each verdict of the rules with its reason and the arrows that made it.
 *
 * Takes    the record, the arrows of its ladder, and the limits that the rules work with. Nothing is judged again here: the
 *          verdict is the stored one, and the sentence names the step of the rule that leads there. A record of before the
 *          limits were changed is explained by today's; recompute (docs/recompute.md) judges it again.
 * Returns  verdicts in the order in which a reader asks: how it ended, why it was cancelled, what it counts for, the PDD.
 * Source   metrics.md §2 (disposition, precedence), §3 (PDD), §4 (CANCEL).
 */
import { z } from 'zod'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { VerdictJson } from '../calls/verdict.js'
import type { AttemptJson } from './attempt-json.js'
import type { Arrow } from './ladder.js'

export const explanation = z.object({
  topic: z.enum(['disposition', 'cancel_class', 'service_level', 'post_dial_delay']),
  verdict: z.string(),
  because: z.string(),
  arrows: z.array(z.number()).describe('Numbers of the arrows that it rests on.'),
})

export type Explanation = z.output<typeof explanation>
type Rules = Pick<TrunkscopeConfig['thresholds'], 'pre_ring_patience_ms' | 'ring_timers_s'>

export function explanationOf(
  attempt: AttemptJson,
  arrows: readonly Arrow[],
  rules: Rules,
  verdict: VerdictJson | null = null,
): Explanation[] {
  const own = arrows.filter(({ attempt_id }) => attempt_id === attempt.attempt_id)
  return [
    byVerdict(dispositionReason(attempt, own), verdict),
    byVerdict(cancelReason(attempt, own, rules), verdict),
    serviceLevelReason(attempt, rules, verdict),
    delayReason(attempt, own),
  ].filter((reason) => reason !== undefined)
}

/** Where other attempts decided, their reason stands instead of that of this leg; its own arrows stay. */
function byVerdict(reason: Explanation | undefined, verdict: VerdictJson | null): Explanation | undefined {
  if (reason === undefined || verdict === null) return reason
  const { disposition, cancel_class } = verdict.fold
  const alone = reason.topic === 'cancel_class' ? cancel_class : disposition
  if (alone === reason.verdict) return reason
  return { ...reason, because: `${verdict.because}; this leg alone would be ${alone}` }
}

/** Arrows that an agent saw at this time. A 100 and a 180 may come in one microsecond: `fits` tells them apart. */
function arrowsAt(own: readonly Arrow[], atUs: number, fits: (arrow: Arrow) => boolean): number[] {
  if (atUs === 0) return []
  const found = own.find((arrow) => fits(arrow) && timesUs(arrow).some(({ us }) => us === atUs))
  return found === undefined ? [] : [found.number]
}

function timesUs(arrow: Arrow): { agent: string; us: number }[] {
  return [
    { agent: arrow.agent, us: arrow.captured_at_us },
    ...arrow.also_seen.map(({ agent, later_ms }) => ({
      agent,
      us: arrow.captured_at_us + Math.round(later_ms * 1_000),
    })),
  ]
}

const isInvite = ({ label }: Arrow) => label === 'INVITE'
const isCancel = ({ label }: Arrow) => label === 'CANCEL'
const isOfInvite = ({ cseq }: Arrow) => cseq.endsWith(' INVITE')
const isFinal = (arrow: Arrow) => isOfInvite(arrow) && ['success', 'redirect', 'failure'].includes(arrow.kind)
const isProvisional = (arrow: Arrow) => isOfInvite(arrow) && arrow.kind === 'provisional'

function dispositionReason(attempt: AttemptJson, own: readonly Arrow[]): Explanation {
  const of = (because: string, arrows = arrowsAt(own, attempt.final_at_us, isFinal)): Explanation => ({
    topic: 'disposition',
    verdict: attempt.state === 'closed' ? attempt.disposition : attempt.state,
    because,
    arrows,
  })
  if (attempt.state === 'open') return of('no end has been seen so far: the attempt is judged when it ends')
  if (attempt.state === 'incomplete') {
    return of('its INVITE was not seen, or its end is missing from the capture: it is in no ratio', [])
  }
  const code = attempt.final_code
  const final = `${code} ${attempt.final_phrase}`.trim()
  if (code >= 200 && code < 300) return of(`a 2xx is an answer, whatever else came: ${final}`)
  if (code >= 300 && code < 400) return of(`a 3xx sends the call elsewhere: ${final}`)
  if (code === 401 || code === 407) return of(`the last word was a challenge that nobody met: ${final}`)
  if (attempt.cancel_class !== '') {
    return of('the call was cancelled, and why (below) goes before the final response', [
      ...arrowsAt(own, attempt.cancelled_at_us, isCancel),
      ...arrowsAt(own, attempt.final_at_us, isFinal),
    ])
  }
  if (code === 0) return of('no final response came', [])
  if (attempt.disposition === 'BLOCKED') return of(`the network says that it blocked the call: ${final}`)
  if (attempt.disposition === 'IDENTITY') return of(`the Identity header was refused: ${final}`)
  if (![0, 16, 31, 127].includes(attempt.q850_cause)) {
    const location = attempt.q850_location === '' ? '' : ` at ${attempt.q850_location}`
    return of(
      `final response ${final} with Q.850 cause ${attempt.q850_cause}${location}: a cause that has a class goes before the status code`,
    )
  }
  const rang = [408, 480].includes(code) ? (attempt.rang ? ', and it had rung' : ', and it had not rung') : ''
  return of(`the status code decides: ${final}${rang}`)
}

function cancelReason(attempt: AttemptJson, own: readonly Arrow[], rules: Rules): Explanation | undefined {
  if (attempt.cancel_class === '') return undefined
  const waited =
    attempt.invited_at_us > 0 && attempt.cancelled_at_us > 0
      ? ` after ${seconds((attempt.cancelled_at_us - attempt.invited_at_us) / 1_000)}`
      : ''
  const rang = attempt.ring_before_cancel_ms
  const reason = attempt.cancel_reason === '' ? '' : ` (${attempt.cancel_reason})`
  const sentence: Record<string, string> = {
    ELSEWHERE: `CANCEL says that the call was completed elsewhere${reason}: cause 200, RFC 3326`,
    ROUTE_ADVANCE: `CANCEL says that the SBC gave up this route${reason}`,
    RING_TIMER: `cancelled after ringing for ${rang === null ? 'as long as a timer' : seconds(rang)}, one of our timers (${rules.ring_timers_s.join(', ')} s)`,
    CALLER_ABANDON_RING: `the caller hung up while it rang${rang === null ? '' : `, after ${seconds(rang)} of ringing`}`,
    PRE_RING_CANCEL: `cancelled${waited} without any 18x; the patience of a caller is ${seconds(rules.pre_ring_patience_ms)}`,
    '487_NO_CANCEL': 'a 487 came, and no CANCEL of ours before it',
    CANCEL_RACE_200: 'CANCEL crossed the 200: the call was answered all the same',
  }
  return {
    topic: 'cancel_class',
    verdict: attempt.cancel_class,
    because: sentence[attempt.cancel_class] ?? '',
    arrows: [
      ...arrowsAt(own, attempt.first_18x_at_us, isProvisional),
      ...arrowsAt(own, attempt.cancelled_at_us, isCancel),
      ...arrowsAt(own, attempt.final_at_us, isFinal),
    ],
  }
}

function serviceLevelReason(
  attempt: AttemptJson,
  rules: Rules,
  verdict: VerdictJson | null,
): Explanation | undefined {
  if (attempt.sli === '') return undefined
  const patience = `one who cancels within ${seconds(rules.pre_ring_patience_ms)} has misdialled, one who waited longer was failed by the carrier`
  const because: Record<string, string> = {
    good: `${attempt.disposition} is a call that the carrier handled`,
    bad: `${attempt.disposition} is a failure of the network`,
    excluded: `${attempt.disposition} says nothing about the carrier`,
  }
  return {
    topic: 'service_level',
    verdict: attempt.sli,
    because:
      attempt.disposition === 'PRE_RING_CANCEL' && verdict?.rule === 'route_advanced'
        ? 'our side gave up on this carrier before anything rang, and called another one'
        : attempt.disposition === 'PRE_RING_CANCEL'
          ? `cancelled before ringing: ${patience}`
          : (because[attempt.sli] ?? ''),
    arrows: [],
  }
}

function delayReason(attempt: AttemptJson, own: readonly Arrow[]): Explanation {
  const of = (verdict: string, because: string, arrows: number[] = []): Explanation => ({
    topic: 'post_dial_delay',
    verdict,
    because,
    arrows,
  })
  if (attempt.pdd_ms === null) {
    if (attempt.flags.includes('clock_stepped')) return of('none', "an agent's clock was set back meanwhile")
    return of(
      'none',
      attempt.invited ? 'the caller heard nothing: neither 18x nor 2xx came' : 'the INVITE was not seen',
    )
  }
  const pair = delayPair(own, attempt.pdd_ms)
  const verdict = seconds(attempt.pdd_ms)
  if (pair === undefined) {
    return of(
      verdict,
      'from the first INVITE to the first 18x or 2xx; these messages are not stored any more',
    )
  }
  const [invite, heard] = pair
  const agent = invite.agent === heard.agent ? '' : ', on the clock of one agent that saw both'
  return of(
    verdict,
    `from the first INVITE to ${heard.label}, the first that a caller can hear${agent}; 100 and 199 do not count`,
    [invite.number, heard.number],
  )
}

/** The INVITE and the response that lie as far apart as was measured, on the clock of one agent. */
function delayPair(own: readonly Arrow[], delayMs: number): [Arrow, Arrow] | undefined {
  const heard = own.filter(
    (arrow) =>
      isOfInvite(arrow) &&
      (arrow.kind === 'success' || (arrow.kind === 'provisional' && !/^(100|199)\b/.test(arrow.label))),
  )
  for (const invite of own.filter(isInvite)) {
    for (const { agent, us } of timesUs(invite)) {
      const found = heard.find((arrow) =>
        timesUs(arrow).some(
          (time) => time.agent === agent && Math.abs((time.us - us) / 1_000 - delayMs) < 0.002,
        ),
      )
      if (found !== undefined) return [invite, found]
    }
  }
  return undefined
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`
}
