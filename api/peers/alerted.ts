/**
 * One carrier over all that it calls, for an alert about it: is it the carrier, or a destination that most of its failures go to?
 *
 * Asked about everything there is no elsewhere, so `peersVerdict` alone never says "destination" there. Here the failures say
 * where to look:
 *
 *   1  the carrier is below the others on the same prefixes, and fails at least twice as often as they do with its mix: carrier
 *   2  else the prefixes with the most failures above its mean, at most three that hold half of all its failures, and then the
 *      country that holds half, are judged against all other calls: destination, where that is the verdict on one of the two
 *   3  else what is shown on all shared prefixes
 *
 * The second step stands before the third because among many calls a small difference that is always there is significant, too.
 *
 * Takes    counts of the NER by carrier and prefix of one time; prefix '' for calls without one.
 * Returns  a verdict of the closed list of `verdict.ts`, and a sentence short enough for a message.
 * Throws   nothing.
 * Source   metrics.md §9 as in verdict.ts; the half, the three and the twice are decisions of ours.
 */
import { destinationOfPrefix } from '../../sip/e164.js'
import { type Ner, type PeersJudgement, type PeersVerdict, type PrefixNer, peersVerdict } from './verdict.js'

/** More than so many are no place, but everywhere. */
const PREFIXES_MAX = 3

export interface AlertedVerdict {
  verdict: PeersVerdict
  sentence: string
}

export function alertedVerdict(carrier: string, counts: readonly PrefixNer[]): AlertedVerdict {
  const shared = counts.filter(({ prefix }) => prefix !== '')
  const whole = peersVerdict(carrier, shared, new Map())
  if (whole.verdict !== 'carrier' || !isMostlyOwn(whole)) {
    for (const { name, has } of placesOf(carrier, counts)) {
      const here = shared.filter(({ prefix }) => has(prefix))
      const judged = peersVerdict(carrier, here, sumsOf(counts.filter(({ prefix }) => !has(prefix))))
      if (judged.verdict !== 'destination') continue
      const rest = peersVerdict(
        carrier,
        shared.filter(({ prefix }) => !has(prefix)),
        new Map(),
      )
      return { verdict: 'destination', sentence: destinationSentence(carrier, name, judged, rest) }
    }
  }
  return { verdict: whole.verdict, sentence: wholeSentence(carrier, whole) }
}

function isMostlyOwn({ own, others }: PeersJudgement): boolean {
  return 1 - (own.ner ?? 1) >= 2 * (1 - (others.ner ?? 1))
}

interface Place {
  name: string
  has: (prefix: string) => boolean
}

/** Where half of the failures are, the narrower place first. */
function placesOf(carrier: string, counts: readonly PrefixNer[]): Place[] {
  const own = counts.filter((count) => count.carrier === carrier)
  const { failures, attempts } = tallyBy(own, () => 'all').get('all') ?? { failures: 0, attempts: 0 }
  if (failures === 0) return []
  const half = failures / 2
  const mean = failures / attempts
  return [...fewPrefixes(own, half, mean), ...oneCountry(own, half, mean)]
}

function fewPrefixes(own: readonly PrefixNer[], half: number, mean: number): Place[] {
  const names: string[] = []
  let held = 0
  const byPrefix = tallyBy(own, ({ prefix }) => prefix)
  for (const [prefix, { failures }] of worstOf(byPrefix, mean).slice(0, PREFIXES_MAX)) {
    names.push(prefix)
    held += failures
    if (held >= half) return [{ name: names.join(', '), has: (other) => names.includes(other) }]
  }
  return []
}

function oneCountry(own: readonly PrefixNer[], half: number, mean: number): Place[] {
  const countryOf = (prefix: string) => destinationOfPrefix(prefix).country
  const byCountry = tallyBy(own, ({ prefix }) => countryOf(prefix))
  const [worst] = worstOf(byCountry, mean)
  if (worst === undefined || worst[1].failures < half) return []
  const country = worst[0]
  const { prefix } = own.find((count) => countryOf(count.prefix) === country)!
  return [{ name: destinationOfPrefix(prefix).name, has: (other) => countryOf(other) === country }]
}

interface Tally {
  failures: number
  attempts: number
}

function tallyBy(counts: readonly PrefixNer[], nameOf: (counts: PrefixNer) => string): Map<string, Tally> {
  const tallies = new Map<string, Tally>()
  for (const one of counts) {
    const known = tallies.get(nameOf(one)) ?? { failures: 0, attempts: 0 }
    tallies.set(nameOf(one), {
      failures: known.failures + one.denominator - one.numerator,
      attempts: known.attempts + one.denominator,
    })
  }
  return tallies
}

/**
 * Of what has a name, by the failures that are above the carrier's mean: where most calls go there are failures on a good day,
 * too. The same order whatever that of the counts.
 */
function worstOf(tallies: ReadonlyMap<string, Tally>, mean: number): [string, Tally][] {
  const above = ({ failures, attempts }: Tally) => failures - mean * attempts
  return [...tallies]
    .filter(([name, tally]) => name !== '' && above(tally) > 0)
    .sort(([a, ofA], [b, ofB]) => above(ofB) - above(ofA) || (a < b ? -1 : 1))
}

function sumsOf(counts: readonly PrefixNer[]): Map<string, Ner> {
  const sums = new Map<string, Ner>()
  for (const { carrier, numerator, denominator } of counts) {
    const known = sums.get(carrier) ?? { numerator: 0, denominator: 0 }
    sums.set(carrier, {
      numerator: known.numerator + numerator,
      denominator: known.denominator + denominator,
    })
  }
  return sums
}

function wholeSentence(carrier: string, whole: PeersJudgement): string {
  if (whole.verdict === 'not_enough') {
    return 'too few calls to the same destinations to compare with other carriers'
  }
  const end = whole.verdict === 'carrier' ? `it is ${carrier}` : 'no difference is shown'
  return `to the same destinations ${numbersOf(carrier, whole)}: ${end}`
}

function destinationSentence(
  carrier: string,
  place: string,
  judged: PeersJudgement,
  rest: PeersJudgement,
): string {
  const worse = judged.is_worse ? `, and ${carrier} is worse there` : ''
  const besides =
    rest.verdict === 'carrier'
      ? `; to other destinations ${numbersOf(carrier, rest)}: that is ${carrier}`
      : ''
  return `to ${place} ${numbersOf(carrier, judged)}, all more elsewhere: it is the destination${worse}${besides}`
}

/** Of the others with this carrier's mix. */
function numbersOf(carrier: string, { own, others }: PeersJudgement): string {
  const percent = (ner: number | null) => (ner === null ? 'none' : `${(100 * ner).toFixed(1)} %`)
  return `${carrier} has ${percent(own.ner)} NER, the other carriers ${percent(others.ner)}`
}
