/**
 * Is it the carrier, or the destination? A carrier on some prefixes, against the other carriers on the same prefixes, and each of
 * them against its own other prefixes.
 *
 * Takes    counts of the NER by carrier and prefix for what is asked about, and each carrier's counts elsewhere.
 * Returns  a verdict of a closed list, a sentence with its numbers, and the numbers.
 * Throws   nothing.
 * Source   metrics.md §9 (mix-adjusted over shared prefixes; a difference is one where two 95 % intervals do not overlap). The
 *          floors and the order of the verdicts are decisions of ours.
 *
 *   not_enough   fewer than 30 comparable attempts of the carrier, or of the others together
 *   destination  every carrier with enough attempts here and elsewhere, this one and at least one other among them, lies
 *                significantly below its own other prefixes
 *   carrier      this one lies significantly below the others on the same prefixes, and not all of them are bad there
 *   both_fine    neither is shown: no proof that all is well, but no sign of the opposite
 *
 * Mix-adjusted: the others as they would have gone with this carrier's share of each prefix, sum of w·p; the interval is Wilson's
 * with the attempts that this weighting is worth, n = 1 / sum of w²/n of each prefix (their own number when there is one prefix).
 */
import { wilsonInterval } from '../kpi/interval.js'

export const PEERS_VERDICTS = ['carrier', 'destination', 'both_fine', 'not_enough'] as const
export type PeersVerdict = (typeof PEERS_VERDICTS)[number]

/** Fewest attempts in the NER of a carrier, of its peers, and of itself elsewhere. */
export const COMPARED_ATTEMPTS_MIN = 30
/** Fewest of all others together on one prefix, as in scorecards. */
export const PREFIX_OTHERS_MIN = 10

export interface Ner {
  numerator: number
  denominator: number
}

export interface PrefixNer extends Ner {
  carrier: string
  prefix: string
}

export interface Rate {
  ner: number | null
  interval: [number, number] | null
  /** Of the others: what the weighting is worth, so no whole number. */
  attempts: number
}

export interface PeersJudgement {
  verdict: PeersVerdict
  sentence: string
  /** On the prefixes that others carried too. */
  own: Rate
  /** The others, with this carrier's share of each prefix. */
  others: Rate & { carriers: string[] }
  shared_prefixes: number
  /** Significantly below the others, whatever the verdict. */
  is_worse: boolean
  /** By carrier: here against its own other prefixes; null where one of the two has too few attempts. */
  below_own: { carrier: string; here: Rate; elsewhere: Rate; is_below: boolean | null }[]
}

export function peersVerdict(
  carrier: string,
  here: readonly PrefixNer[],
  elsewhere: ReadonlyMap<string, Ner>,
): PeersJudgement {
  const { own, others, prefixes } = compared(carrier, here)
  const belowOwn = [...byCarrier(here)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, sum]) => againstItself(name, sum, elsewhere))
  const judged = belowOwn.filter(({ is_below }) => is_below !== null)
  const allBelow =
    judged.length >= 2 &&
    judged.every(({ is_below }) => is_below) &&
    judged.some((entry) => entry.carrier === carrier)
  const isEnough =
    own.attempts >= COMPARED_ATTEMPTS_MIN &&
    others.attempts >= COMPARED_ATTEMPTS_MIN &&
    others.carriers.length > 0
  const isWorse =
    isEnough && own.interval !== null && others.interval !== null && own.interval[1] < others.interval[0]
  const verdict = !isEnough ? 'not_enough' : allBelow ? 'destination' : isWorse ? 'carrier' : 'both_fine'
  const judgement = {
    verdict,
    own,
    others,
    shared_prefixes: prefixes,
    is_worse: isWorse,
    below_own: belowOwn,
  } as const
  return { ...judgement, sentence: sentenceOf(carrier, judgement) }
}

function compared(carrier: string, here: readonly PrefixNer[]) {
  const own = new Map<string, Ner>()
  const rest = new Map<string, Ner & { carriers: Set<string> }>()
  for (const { carrier: of, prefix, numerator, denominator } of here) {
    if (denominator <= 0) continue
    if (of === carrier) {
      const known = own.get(prefix) ?? { numerator: 0, denominator: 0 }
      own.set(prefix, {
        numerator: known.numerator + numerator,
        denominator: known.denominator + denominator,
      })
      continue
    }
    const known = rest.get(prefix) ?? { numerator: 0, denominator: 0, carriers: new Set() }
    known.numerator += numerator
    known.denominator += denominator
    known.carriers.add(of)
    rest.set(prefix, known)
  }
  const shared = [...own.keys()].filter((prefix) => (rest.get(prefix)?.denominator ?? 0) >= PREFIX_OTHERS_MIN)
  const sum = { numerator: 0, denominator: 0 }
  for (const prefix of shared) {
    sum.numerator += own.get(prefix)!.numerator
    sum.denominator += own.get(prefix)!.denominator
  }
  let expected = 0
  let inverse = 0
  const carriers = new Set<string>()
  for (const prefix of shared) {
    const weight = own.get(prefix)!.denominator / sum.denominator
    const others = rest.get(prefix)!
    expected += weight * (others.numerator / others.denominator)
    inverse += weight ** 2 / others.denominator
    for (const name of others.carriers) carriers.add(name)
  }
  // 1 / (1 / 30) may miss 30 by a rounding.
  const worth = inverse === 0 ? 0 : Math.round(1e6 / inverse) / 1e6
  return {
    own: rateOf(sum),
    others: {
      // A sum of shares that are all 1 is 1 but for rounding.
      ...rateOf({ numerator: Math.min(worth, expected * worth), denominator: worth }),
      carriers: [...carriers].sort(),
    },
    prefixes: shared.length,
  }
}

function againstItself(
  carrier: string,
  here: Ner,
  elsewhere: ReadonlyMap<string, Ner>,
): PeersJudgement['below_own'][number] {
  const [mine, other] = [rateOf(here), rateOf(elsewhere.get(carrier) ?? { numerator: 0, denominator: 0 })]
  const isEnough = mine.attempts >= COMPARED_ATTEMPTS_MIN && other.attempts >= COMPARED_ATTEMPTS_MIN
  return {
    carrier,
    here: mine,
    elsewhere: other,
    is_below: isEnough ? mine.interval![1] < other.interval![0] : null,
  }
}

function byCarrier(here: readonly PrefixNer[]): Map<string, Ner> {
  const sums = new Map<string, Ner>()
  for (const { carrier, numerator, denominator } of here) {
    const known = sums.get(carrier)
    if (known === undefined) sums.set(carrier, { numerator, denominator })
    else {
      known.numerator += numerator
      known.denominator += denominator
    }
  }
  return sums
}

function rateOf({ numerator, denominator }: Ner): Rate {
  return {
    ner: denominator > 0 ? numerator / denominator : null,
    interval: wilsonInterval(numerator, denominator),
    attempts: denominator,
  }
}

function sentenceOf(carrier: string, judgement: Omit<PeersJudgement, 'sentence'>): string {
  const { verdict, own, others, shared_prefixes, is_worse, below_own } = judgement
  const on = shared_prefixes === 1 ? 'the same prefix' : `the same ${shared_prefixes} prefixes`
  const numbers = `${carrier} ${rateText(own)}, the others on ${on} ${rateText(others)}`
  switch (verdict) {
    case 'not_enough':
      return `too few calls to compare: ${Math.round(own.attempts)} of ${carrier} and ${Math.round(others.attempts)} of others on the same prefixes, ${COMPARED_ATTEMPTS_MIN} of each are needed`
    case 'carrier':
      return `it is ${carrier}: ${numbers}`
    case 'destination': {
      const judged = below_own.filter(({ is_below }) => is_below === true)
      return `it is the destination: ${judged.map((entry) => `${entry.carrier} ${rateText(entry.here)}, elsewhere ${rateText(entry.elsewhere)}`).join('; ')}${is_worse ? `; ${carrier} is below the others there as well` : ''}`
    }
    case 'both_fine':
      return `no difference is shown: ${numbers}`
  }
}

function rateText({ ner, interval, attempts }: Rate): string {
  if (ner === null || interval === null) return 'no attempts'
  const percent = (ratio: number) => `${(100 * ratio).toFixed(1)}`
  return `${percent(ner)} % NER (${percent(interval[0])} to ${percent(interval[1])}, ${Math.round(attempts)} attempts)`
}
