/**
 * The FAS score: how much the answers of a carrier on one prefix look like false answer supervision. A suspicion out of
 * signalling alone, never a verdict: it says where to place test calls.
 *
 * Takes    counts of closed outbound attempts by carrier and prefix, and the thresholds.
 * Returns  by carrier and prefix, from `answers_min` answers on: the sum of the points of the parts that hold, 0 to 100, and each
 *          part with its numbers. By carrier: the mean of its prefixes' scores, weighted by their answers, and whether it is
 *          flagged: prefixes that score `flagged_score` or more have `flagged_share_ratio` of all its answers or more.
 *          A part without enough to compare adds nothing and says so: a low score clears nobody.
 * Throws   nothing.
 * Source   metrics.md §5 for the rules; points, floors, weights and the flag are decisions of ours (docs/early-media.md).
 */
import { FAS_CODES, FAS_PARTS, type FasCode, type FasThresholds } from '../../schemas/anomalies.js'
import { wilsonInterval } from '../kpi/interval.js'

export interface PrefixAnswers {
  carrier: string
  /** '' for numbers without one: in the totals of the carrier, and never scored. */
  prefix: string
  /** ASR: below the line, and above. */
  attempts: number
  answered: number
  /** Answered, CANCEL_RACE_200 left out: what all that follows counts. */
  answers: number
  /** Of these with a time to answer, its mean and standard deviation (of a sample). */
  timed: number
  timeMeanMs: number
  timeDeviationMs: number
  /** With a duration, and their sum. */
  lasted: number
  durationSumMs: number
  /** Whose BYE was seen, and how many of these the callee sent. */
  byes: number
  calleeByes: number
  noProgress: number
  earlyAnswer: number
}

export interface ScoredPart {
  code: FasCode
  status: 'holds' | 'does_not_hold' | 'not_measured'
  /** What it adds to the score. */
  points: number
  /** Its numbers in words; made when they are read, because most are not. */
  why: () => string
}

export interface ScoredPrefix {
  carrier: string
  prefix: string
  attempts: number
  answers: number
  score: number
  isFlagged: boolean
  parts: ScoredPart[]
}

export interface ScoredCarrier {
  carrier: string
  answers: number
  /** Of prefixes with a score. */
  answersScored: number
  prefixesScored: number
  prefixesFlagged: number
  /** null: no prefix has enough answers. */
  score: number | null
  isFlagged: boolean
}

export interface FasScores {
  prefixes: ScoredPrefix[]
  carriers: ScoredCarrier[]
}

export function fasScores(counts: readonly PrefixAnswers[], thresholds: FasThresholds): FasScores {
  const onPrefix = totals(counts, ({ prefix }) => prefix)
  const ofCarrier = totals(
    counts.filter(({ prefix }) => prefix !== ''),
    ({ carrier }) => carrier,
  )
  const prefixes = counts
    .filter(({ prefix, answers }) => prefix !== '' && answers >= thresholds.answers_min)
    .map((own): ScoredPrefix => {
      const peers = without(onPrefix.get(own.prefix)!, own)
      const others = without(ofCarrier.get(own.carrier)!, own)
      const parts = FAS_CODES.map((code) => partOf(code, RULES[code](own, { peers, others }, thresholds)))
      const score = parts.reduce((sum, { points }) => sum + points, 0)
      const { carrier, prefix, attempts, answers } = own
      return {
        carrier,
        prefix,
        attempts,
        answers,
        score,
        isFlagged: score >= thresholds.flagged_score,
        parts,
      }
    })
    .sort((a, b) => b.score - a.score || b.answers - a.answers || (keyOf(a) < keyOf(b) ? -1 : 1))
  return { prefixes, carriers: carriersOf(counts, prefixes, thresholds) }
}

const keyOf = ({ carrier, prefix }: { carrier: string; prefix: string }) => `${carrier} ${prefix}`

function carriersOf(
  counts: readonly PrefixAnswers[],
  prefixes: readonly ScoredPrefix[],
  thresholds: FasThresholds,
): ScoredCarrier[] {
  const ofCarrier = totals(counts, ({ carrier }) => carrier)
  const scored = new Map<string, ScoredPrefix[]>()
  for (const one of prefixes) {
    const own = scored.get(one.carrier)
    if (own === undefined) scored.set(one.carrier, [one])
    else own.push(one)
  }
  return [...ofCarrier.keys()].sort().map((carrier) => {
    const { answers } = ofCarrier.get(carrier)!
    const own = scored.get(carrier) ?? []
    const flagged = own.filter(({ isFlagged }) => isFlagged)
    const answersScored = sumOf(own, (one) => one.answers)
    const answersFlagged = sumOf(flagged, (one) => one.answers)
    return {
      carrier,
      answers,
      answersScored,
      prefixesScored: own.length,
      prefixesFlagged: flagged.length,
      score: answersScored === 0 ? null : sumOf(own, (one) => one.score * one.answers) / answersScored,
      isFlagged: flagged.length > 0 && answersFlagged >= thresholds.flagged_share_ratio * answers,
    }
  })
}

const sumOf = <One>(all: readonly One[], of: (one: One) => number) =>
  all.reduce((sum, one) => sum + of(one), 0)

const ADDED = [
  'attempts',
  'answered',
  'answers',
  'lasted',
  'durationSumMs',
  'noProgress',
  'earlyAnswer',
] as const
type Total = Pick<PrefixAnswers, (typeof ADDED)[number]>
const NOTHING = Object.fromEntries(ADDED.map((name) => [name, 0])) as unknown as Total

function totals(counts: readonly PrefixAnswers[], of: (one: PrefixAnswers) => string): Map<string, Total> {
  const found = new Map<string, Total>()
  for (const one of counts) {
    const key = of(one)
    const total = found.get(key) ?? { ...NOTHING }
    for (const name of ADDED) total[name] += one[name]
    found.set(key, total)
  }
  return found
}

function without(total: Total, own: PrefixAnswers): Total {
  const left = { ...total }
  for (const name of ADDED) left[name] -= own[name]
  return left
}

type Outcome = { holds: boolean | undefined; why: () => string }
interface Compared {
  /** The other carriers on the prefix, as far as they may be seen. */
  peers: Total
  /** The carrier's other prefixes. */
  others: Total
}
type Rule = (own: PrefixAnswers, compared: Compared, thresholds: FasThresholds) => Outcome

function partOf(code: FasCode, { holds, why }: Outcome): ScoredPart {
  const status = holds === undefined ? 'not_measured' : holds ? 'holds' : 'does_not_hold'
  return { code, status, points: holds === true ? FAS_PARTS[code].points : 0, why }
}

const percent = (ratio: number) => `${(ratio * 100).toFixed(1)} %`
const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`
const tooFew = (why: () => string): Outcome => ({ holds: undefined, why })

const vsPeers: Rule = (own, { peers }, { answers_min, peers_standard_errors, peers_acd_ratio }) => {
  if (peers.answered < answers_min || peers.lasted === 0) {
    return tooFew(
      () =>
        `The other carriers that may be seen here have ${peers.answered} answers on this prefix; ${answers_min} are needed.`,
    )
  }
  if (own.answered < answers_min || own.lasted === 0) return tooFew(() => 'Too few calls have a duration.')
  const [asr, theirs] = [own.answered / own.attempts, peers.answered / peers.attempts]
  const error = Math.sqrt((asr * (1 - asr)) / own.attempts + (theirs * (1 - theirs)) / peers.attempts)
  const [acd, theirAcd] = [own.durationSumMs / own.lasted, peers.durationSumMs / peers.lasted]
  return {
    holds: asr - theirs > peers_standard_errors * error && acd < peers_acd_ratio * theirAcd,
    why: () =>
      `ASR ${percent(asr)}, of the others ${percent(theirs)} (combined standard error ${percent(error)}); ACD ${seconds(acd)}, of the others ${seconds(theirAcd)}.`,
  }
}

const flatTimeToAnswer: Rule = (
  { timed, timeMeanMs, timeDeviationMs },
  _,
  { answers_min, flat_tta_ratio },
) => {
  if (timed < answers_min)
    return tooFew(() => `${timed} answers have a time to answer; ${answers_min} are needed.`)
  return {
    holds: timeDeviationMs < flat_tta_ratio * timeMeanMs,
    why: () => `Time to answer: mean ${seconds(timeMeanMs)}, standard deviation ${seconds(timeDeviationMs)}.`,
  }
}

const calleeNeverBye: Rule = ({ byes, calleeByes }, _, { answers_min, callee_bye_ratio }) => {
  if (byes < answers_min)
    return tooFew(() => `The BYE of ${byes} answered calls was seen; ${answers_min} are needed.`)
  return {
    holds: calleeByes / byes < callee_bye_ratio,
    why: () => `The callee ended ${calleeByes} of ${byes} calls (${percent(calleeByes / byes)}).`,
  }
}

/** A share that only IVRs explain is theirs everywhere: what counts is that this prefix has more than the others. */
const excess =
  (name: 'noProgress' | 'earlyAnswer'): Rule =>
  (own, { others }, { answers_min }) => {
    const share = () => `${own[name]} of ${own.answers} answers (${percent(own[name] / own.answers)})`
    if (others.answers < answers_min) {
      return tooFew(
        () =>
          `${share()}; the other prefixes have ${others.answers} answers, ${answers_min} are needed to compare.`,
      )
    }
    const here = wilsonInterval(own[name], own.answers)!
    const there = wilsonInterval(others[name], others.answers)!
    return {
      holds: here[0] > there[1],
      why: () =>
        `${share()}, on its other prefixes ${others[name]} of ${others.answers} (${percent(others[name] / others.answers)}).`,
    }
  }

const RULES: Readonly<Record<FasCode, Rule>> = {
  FAS_VS_PEERS: vsPeers,
  FAS_FLAT_TTA: flatTimeToAnswer,
  FAS_CALLEE_NEVER_BYE: calleeNeverBye,
  FAS_NO_PROGRESS: excess('noProgress'),
  FAS_EARLY_ANSWER: excess('earlyAnswer'),
}
