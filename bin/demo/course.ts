/**
 * The course of one attempt: what happens when, in microseconds after its first INVITE.
 *
 * Takes    the outcome and the carrier's behaviour.
 * Returns  times in the order a real exchange has them: no CANCEL before a provisional (RFC 3261 §9.1), no final
 *          before the CANCEL it answers, nothing but the INVITE where nobody answers.
 * Throws   nothing.
 */
import { type Behaviour, endingOf, type Outcome } from './behaviour.js'
import type { SeededRandom } from './seeded-random.js'
import type { Direction } from './truth.js'

export interface Course {
  inviteCopiesAfterUs: number[]
  /** 0 without a challenge. */
  challengedAfterUs: number
  retriedAfterUs: number
  /** 0 when nobody says 100. */
  tryingAfterUs: number
  progress: { afterUs: number; code: 180 | 183; sdp: boolean }[]
  /** 0 without a CANCEL. */
  cancelAfterUs: number
  final: { afterUs: number; copiesAfterUs: number[] } | undefined
  bye: { afterUs: number; from: 'caller' | 'callee' } | undefined
  callerAnswersInUs: number
  calleeAnswersInUs: number
}

export interface CourseOptions {
  random: SeededRandom
  behaviour: Behaviour
  direction: Direction
  outcome: Outcome
  /** The post-dial delay is longer by this. */
  pddFactor: number
  /** The transport is unreliable: what is not answered is sent again. */
  repeats: boolean
}

const SECOND_US = 1_000_000
const T1_US = 500_000
/** Copies of an INVITE nobody answers: T1 doubled each time, until timer B at 32 s (RFC 3261 §17.1.1.2). */
const UNANSWERED_COPIES_US = [1, 3, 7, 15, 31, 63].map((times) => times * T1_US)
const PDD_MIN_US = 40_000
const PDD_MAX_US = 25 * SECOND_US
const RING_MAX_US = 110 * SECOND_US
const CALL_MAX_US = 7_200 * SECOND_US
/** The ring timers of metrics.md §4. A caller who gives up near one would be taken for it. */
const RING_TIMERS_US = [30, 60, 90, 120, 180].map((seconds) => seconds * SECOND_US)
const NEAR_TIMER_US = 800_000

/** What the endings below need to know of the beginning. */
interface Beginning {
  course: Course
  /** When the far side would first be heard. */
  heardAfterUs: number
}

export function drawCourse(options: CourseOptions): Course {
  const { random, behaviour, outcome } = options
  const beginning = begin(options)
  const { course, heardAfterUs } = beginning
  if (outcome === 'no_response') return course

  if (outcome === 'answered') answer(options, beginning)
  else if (random.chance(endingOf(outcome).rings)) ring(options, beginning, false)

  if (endingOf(outcome).cancelReason !== undefined || CANCELLED_SILENTLY.has(outcome)) {
    cancel(options, course)
  } else if (outcome !== 'answered') {
    const rang = course.progress.at(-1)?.afterUs
    course.final = { afterUs: failAfterUs(random, outcome, rang, heardAfterUs), copiesAfterUs: [] }
  }
  if (options.repeats && course.final && random.chance(behaviour.profile.finalRepeated)) {
    course.final.copiesAfterUs.push(course.final.afterUs + T1_US)
  }
  return course
}

function begin({ random, behaviour, direction, outcome, pddFactor, repeats }: CourseOptions): Beginning {
  const { profile } = behaviour
  const outbound = direction === 'outbound'
  const farAnswersInUs = whole(random.logNormal(profile.roundTripMs * 1_000, 0.2))
  const sbcAnswersInUs = whole(random.between(600, 1_800))
  const calleeAnswersInUs = outbound ? farAnswersInUs : sbcAnswersInUs
  const course: Course = {
    inviteCopiesAfterUs: [],
    challengedAfterUs: 0,
    retriedAfterUs: 0,
    tryingAfterUs: calleeAnswersInUs,
    progress: [],
    cancelAfterUs: 0,
    final: undefined,
    bye: undefined,
    callerAnswersInUs: outbound ? sbcAnswersInUs : farAnswersInUs,
    calleeAnswersInUs,
  }
  const isChallenged = outbound && random.chance(profile.challenged)
  const isRepeated = random.chance(profile.inviteRepeated)
  if (outcome === 'no_response') {
    course.tryingAfterUs = 0
    if (repeats) course.inviteCopiesAfterUs = UNANSWERED_COPIES_US
  } else if (isChallenged) {
    course.challengedAfterUs = calleeAnswersInUs
    course.retriedAfterUs = calleeAnswersInUs + 2 * course.callerAnswersInUs
    course.tryingAfterUs = course.retriedAfterUs + calleeAnswersInUs
  } else if (isRepeated && repeats) {
    // The first copy was lost, or was slow to be answered.
    course.inviteCopiesAfterUs = random.chance(0.8) ? [T1_US] : [T1_US, 3 * T1_US]
    course.tryingAfterUs = course.inviteCopiesAfterUs.at(-1)! + calleeAnswersInUs
  }
  const medianS = (outbound ? profile.pddOutboundS * pddFactor : profile.pddInboundS) * SECOND_US
  const pddUs = whole(random.logNormal(medianS, profile.pddSigma))
  const earliestUs = course.tryingAfterUs + PDD_MIN_US
  return { course, heardAfterUs: Math.max(earliestUs, Math.min(PDD_MAX_US, pddUs)) }
}

/** 18x in the carrier's style. `silent` is only for calls that are answered at once. */
function ring(
  { random, behaviour }: CourseOptions,
  { course, heardAfterUs }: Beginning,
  mayBeSilent: boolean,
) {
  const drawn = behaviour.progress.draw(random)
  const style = drawn === 'silent' && !mayBeSilent ? 'ring' : drawn
  const secondAfterUs = heardAfterUs + whole(random.between(0.15, 1.2) * SECOND_US)
  const ringing = { code: 180, sdp: false } as const
  const early = { code: 183, sdp: true } as const
  if (style === 'ring') course.progress = [{ afterUs: heardAfterUs, ...ringing }]
  if (style === 'early') course.progress = [{ afterUs: heardAfterUs, ...early }]
  if (style === 'early_then_ring') {
    course.progress = [
      { afterUs: heardAfterUs, ...early },
      { afterUs: secondAfterUs, ...ringing },
    ]
  }
  if (style === 'ring_then_early') {
    course.progress = [
      { afterUs: heardAfterUs, ...ringing },
      { afterUs: secondAfterUs, ...early },
    ]
  }
}

function answer(options: CourseOptions, beginning: Beginning) {
  const { random, behaviour, direction } = options
  const { course, heardAfterUs } = beginning
  ring(options, beginning, true)
  const lastRungUs = course.progress.at(-1)?.afterUs
  const pickUpS = Math.min(55, random.logNormal(direction === 'outbound' ? 7 : 3.5, 0.6))
  const answeredUs = lastRungUs === undefined ? heardAfterUs : lastRungUs + whole(pickUpS * SECOND_US)
  course.final = { afterUs: answeredUs, copiesAfterUs: [] }
  const { durationS, durationSigma } = behaviour.profile
  const durationUs = Math.max(300_000, whole(random.logNormal(durationS, durationSigma) * SECOND_US))
  course.bye = {
    afterUs: answeredUs + Math.min(CALL_MAX_US, durationUs),
    from: random.chance(0.55) ? 'caller' : 'callee',
  }
}

const CANCELLED_SILENTLY: ReadonlySet<Outcome> = new Set(['misdialled', 'out_of_patience'])

function cancel({ random, outcome }: CourseOptions, course: Course) {
  const afterUs = cancelAfterUs(random, outcome, course)
  course.cancelAfterUs = afterUs
  if (outcome === 'answered_race') {
    // The 200 was on its way when the CANCEL was sent; the caller hangs up at once.
    const answeredUs = afterUs + Math.max(200, whole(course.calleeAnswersInUs * random.between(0.1, 0.9)))
    course.final = { afterUs: answeredUs, copiesAfterUs: [] }
    course.bye = { afterUs: answeredUs + course.callerAnswersInUs + 4_000, from: 'caller' }
  } else {
    course.final = { afterUs: afterUs + course.calleeAnswersInUs + 1_500, copiesAfterUs: [] }
  }
}

function cancelAfterUs(random: SeededRandom, outcome: Outcome, course: Course): number {
  const { tryingAfterUs, progress } = course
  if (outcome === 'misdialled') {
    // Within four seconds of dialling: the caller's own doing.
    return Math.max(tryingAfterUs + 20_000, whole(random.between(0.6, 3.7) * SECOND_US))
  }
  if (outcome === 'out_of_patience') return whole(random.between(4.4, 15) * SECOND_US)
  if (outcome === 'route_advanced') return whole(random.between(7.9, 8.1) * SECOND_US)
  const firstUs = progress[0]!.afterUs
  const lastUs = progress.at(-1)!.afterUs
  if (outcome === 'ring_timer') {
    const timerUs = random.chance(0.7) ? 30 * SECOND_US : 60 * SECOND_US
    return firstUs + timerUs + whole(random.between(-0.1, 0.1) * SECOND_US)
  }
  let rungUs = lastUs - firstUs + whole(random.logNormal(8, 0.7) * SECOND_US)
  rungUs = Math.min(RING_MAX_US, Math.max(lastUs - firstUs + 400_000, rungUs))
  for (const timerUs of RING_TIMERS_US) {
    if (Math.abs(rungUs - timerUs) < NEAR_TIMER_US) rungUs = timerUs + 2 * NEAR_TIMER_US
  }
  return firstUs + rungUs
}

function failAfterUs(
  random: SeededRandom,
  outcome: Outcome,
  rangAfterUs: number | undefined,
  heardAfterUs: number,
): number {
  if (outcome === 'terminated_by_carrier') return whole(random.between(3, 12) * SECOND_US)
  if (rangAfterUs === undefined) return heardAfterUs
  if (outcome === 'no_answer' || outcome === 'no_answer_408') {
    return rangAfterUs + whole(random.between(18, 55) * SECOND_US)
  }
  return rangAfterUs + whole(random.between(1, 9) * SECOND_US)
}

const whole = Math.round
