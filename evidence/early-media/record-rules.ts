/**
 * Suspicions that the record of an attempt alone can give: times of its first 18x, SDP, 180, CANCEL and final response, all
 * on the clock of one agent.
 *
 * Takes    a closed attempt, and the thresholds.
 * Returns  the suspicion, or undefined. A delta that is negative, or has no two ends, makes none.
 * Throws   nothing.
 * Source   metrics.md §5. Limits: "more than", "after" and "less than" leave the limit itself out, "≥" and "≤" take it in.
 *          Where the condition leaves it open, the decision stands above its rule. CANCEL_RACE_200 (a caller who gave up) is
 *          left out of all that is about the answer, and inbound attempts of FAS: there our own side answers.
 */

import type { Anomaly, AnomalyCode, AnomalyMessage, EarlyMediaThresholds } from '../../schemas/anomalies.js'
import type { Attempt } from '../../schemas/attempt.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { countryOf } from '../../sip/e164.js'

export type AttemptTimes = Pick<
  Attempt,
  | 'direction'
  | 'invitedAtUs'
  | 'first18xAtUs'
  | 'first180AtUs'
  | 'firstSdp18xAtUs'
  | 'cancelledAtUs'
  | 'finalAtUs'
  | 'answeredAtUs'
  | 'byeAtUs'
  | 'pddMs'
  | 'durationMs'
  | 'finalCode'
  | 'cancelClass'
  | 'byeFrom'
  | 'rang'
  | 'calledNumber'
  | 'callingNumber'
  | 'fromNumber'
>

export type Thresholds = Pick<TrunkscopeConfig['thresholds'], 'early_media' | 'fas'>
type Found = Omit<Anomaly, 'code'> | undefined
type Rule = (attempt: AttemptTimes, thresholds: Thresholds) => Found

/** In the order of the definitions. */
export function recordAnomalies(attempt: AttemptTimes, thresholds: Thresholds): Anomaly[] {
  return Object.entries(RECORD_RULES).flatMap(([code, rule]) => {
    const found = rule(attempt, thresholds)
    return found === undefined ? [] : [{ code: code as AnomalyCode, ...found }]
  })
}

/** Milliseconds from one moment to another; undefined: one of them was not seen, or the clock went back. */
function betweenMs(fromUs: number, toUs: number): number | undefined {
  return fromUs === 0 || toUs === 0 || toUs < fromUs ? undefined : (toUs - fromUs) / 1_000
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 1_000 ? 3 : 1)} s`
}

const message = (what: string, atUs: number): AnomalyMessage => ({ what, atUs })
const media = (attempt: AttemptTimes) => message('18x with SDP', attempt.firstSdp18xAtUs)
const ring = (attempt: AttemptTimes) => message('180', attempt.first180AtUs)
const first18x = (attempt: AttemptTimes) => message('18x', attempt.first18xAtUs)
const invite = (attempt: AttemptTimes) => message('INVITE', attempt.invitedAtUs)
const cancel = (attempt: AttemptTimes) => message('CANCEL', attempt.cancelledAtUs)
const final = (attempt: AttemptTimes) => message(String(attempt.finalCode), attempt.finalAtUs)
const bye = (attempt: AttemptTimes) => message('BYE', attempt.byeAtUs)

const isAnswered = ({ answeredAtUs, cancelClass }: AttemptTimes) =>
  answeredAtUs > 0 && cancelClass !== 'CANCEL_RACE_200'

const announceFail: Rule = (attempt, { early_media }) => {
  const waitMs = betweenMs(attempt.firstSdp18xAtUs, attempt.finalAtUs)
  const { finalCode } = attempt
  if (waitMs === undefined || finalCode < 300 || finalCode === 487) return undefined
  if (waitMs < early_media.announce_fail_ms) return undefined
  return {
    severity: 'warn',
    sentence: `Media was offered ${seconds(waitMs)} before the ${finalCode}: an announcement, perhaps.`,
    messages: [media(attempt), final(attempt)],
  }
}

/** The wait counts from the 18x with SDP: so long there was something to hear. */
const announceCancel: Rule = (attempt, { early_media }) => {
  const heardMs = betweenMs(attempt.firstSdp18xAtUs, attempt.cancelledAtUs)
  if (heardMs === undefined || attempt.first180AtUs > 0 || attempt.answeredAtUs > 0) return undefined
  if (heardMs < early_media.announce_cancel_ms) return undefined
  return {
    severity: 'warn',
    sentence: `Media was offered for ${seconds(heardMs)} and nothing rang (no 180) before the caller gave up.`,
    messages: [media(attempt), cancel(attempt)],
  }
}

const answeredWithout180: Rule = (attempt) => {
  if (attempt.firstSdp18xAtUs === 0 || attempt.answeredAtUs === 0 || attempt.first180AtUs > 0)
    return undefined
  return {
    severity: 'info',
    sentence: 'Media was offered before the answer, and no 180 was seen.',
    messages: [media(attempt), final(attempt)],
  }
}

const longMedia: Rule = (attempt, { early_media }) => {
  const ends = [cancel(attempt), final(attempt)].filter(({ atUs }) => atUs > 0)
  const [end] = ends.sort((a, b) => a.atUs - b.atUs)
  const lastedMs = betweenMs(attempt.firstSdp18xAtUs, end?.atUs ?? 0)
  if (end === undefined || lastedMs === undefined || lastedMs <= early_media.long_info_ms) return undefined
  const isVeryLong = lastedMs > early_media.long_warn_ms
  return {
    severity: isVeryLong ? 'warn' : 'info',
    sentence: `Early media for ${seconds(lastedMs)}, up to the ${end.what}.`,
    messages: [media(attempt), end],
  }
}

/** "183" of the definition is any 18x but 180: with or without SDP the caller waits for ringing. */
const lateAlerting: Rule = (attempt, { early_media }) => {
  const laterMs = betweenMs(attempt.first18xAtUs, attempt.first180AtUs)
  if (laterMs === undefined || laterMs <= early_media.late_180_ms) return undefined
  return {
    severity: 'warn',
    sentence: `The first 180 came ${seconds(laterMs)} after another 18x.`,
    messages: [first18x(attempt), ring(attempt)],
  }
}

const mediaAfterRinging: Rule = (attempt) => {
  const laterMs = betweenMs(attempt.first180AtUs, attempt.firstSdp18xAtUs)
  if (laterMs === undefined || laterMs === 0) return undefined
  return {
    severity: 'info',
    sentence: `Media was first offered ${seconds(laterMs)} after a 180 without SDP.`,
    messages: [ring(attempt), media(attempt)],
  }
}

const late18x: Rule = (attempt, { early_media }) => {
  const { limitMs, why } = pddLimit(attempt, early_media)
  if (attempt.pddMs === null || attempt.pddMs <= limitMs) return undefined
  const heard =
    attempt.rang && attempt.first18xAtUs > 0 ? first18x(attempt) : message('200', attempt.answeredAtUs)
  return {
    severity: 'warn',
    sentence: `The caller heard nothing for ${seconds(attempt.pddMs)}; the limit is ${seconds(limitMs)} (${why}).`,
    messages: [invite(attempt), heard],
  }
}

/**
 * The limit of the longest prefix that fits the called number, else that of an international call, which is one between
 * numbers of two countries. A number of no country tells nothing: then the call is held to the lower limit.
 */
function pddLimit(attempt: AttemptTimes, thresholds: EarlyMediaThresholds): { limitMs: number; why: string } {
  const { calledNumber, callingNumber, fromNumber } = attempt
  const route = thresholds.late_18x_routes
    .filter(({ prefix }) => calledNumber.startsWith(prefix))
    .sort((a, b) => b.prefix.length - a.prefix.length)[0]
  if (route !== undefined) return { limitMs: route.late_18x_ms, why: 'of its route' }
  const to = countryOf(calledNumber)
  const from = countryOf(callingNumber) || countryOf(fromNumber)
  return from !== '' && to !== '' && from !== to
    ? { limitMs: thresholds.late_18x_international_ms, why: `from ${from} to ${to}` }
    : { limitMs: thresholds.late_18x_ms, why: 'not known to be international' }
}

const ringZero: Rule = (attempt, { early_media }) => {
  const rangMs = betweenMs(attempt.first18xAtUs, attempt.answeredAtUs)
  if (rangMs === undefined || rangMs > early_media.ring_zero_ms || !isAnswered(attempt)) return undefined
  if (early_media.answers_at_once.some((prefix) => attempt.calledNumber.startsWith(prefix))) return undefined
  return {
    severity: 'info',
    sentence: `Answered ${seconds(rangMs)} after the first 18x.`,
    messages: [first18x(attempt), final(attempt)],
  }
}

const noProgress: Rule = (attempt, { fas }) => {
  const { pddMs, rang, direction } = attempt
  if (rang || direction === 'inbound' || !isAnswered(attempt)) return undefined
  if (pddMs === null || pddMs >= fas.no_progress_ms) return undefined
  return {
    severity: 'info',
    sentence: `Answered ${seconds(pddMs)} after the INVITE, without any 18x.`,
    messages: [invite(attempt), final(attempt)],
  }
}

const earlyAnswer: Rule = (attempt, { fas }) => {
  const { durationMs, byeFrom, direction } = attempt
  const answerMs = betweenMs(attempt.invitedAtUs, attempt.answeredAtUs)
  if (answerMs === undefined || direction === 'inbound' || !isAnswered(attempt)) return undefined
  if (answerMs >= fas.early_answer_ms || byeFrom !== 'caller') return undefined
  if (durationMs === null || durationMs >= fas.early_answer_call_ms) return undefined
  return {
    severity: 'warn',
    sentence: `Answered ${seconds(answerMs)} after the INVITE; the caller hung up ${seconds(durationMs)} later.`,
    messages: [invite(attempt), final(attempt), bye(attempt)],
  }
}

export const RECORD_RULES: { [Code in AnomalyCode]?: Rule } = {
  EM_ANNOUNCE_FAIL: announceFail,
  EM_ANNOUNCE_CANCEL: announceCancel,
  EM_183_NO_180: answeredWithout180,
  EM_LONG: longMedia,
  EM_180_AFTER_183: lateAlerting,
  EM_183_AFTER_180: mediaAfterRinging,
  LATE_18X: late18x,
  RING_ZERO: ringZero,
  FAS_NO_PROGRESS: noProgress,
  FAS_EARLY_ANSWER: earlyAnswer,
}
