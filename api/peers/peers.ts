/**
 * Carriers side by side on the same destinations: what `/v1/peers` answers, and the counts that an alert about a carrier asks for.
 *
 * Counted are closed attempts of carriers' legs that are not inbound, by carrier and prefix of the called number
 * (docs/numbers.md), as they are judged. Who is held to carriers compares these only.
 *
 * Takes    a prefix, a country, or neither (then every prefix), and the carrier that is asked about, or none.
 * Returns  each carrier's numbers there and elsewhere, with the verdict on it (verdict.ts); for one carrier also each prefix.
 * Throws   what the readers throw.
 */
import { z } from 'zod'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { LOW_CONFIDENCE_BELOW } from '../../schemas/kpi-catalog.js'
import { callingCodeOf, destinationOfPrefix } from '../../sip/e164.js'
import type { SeenDeps } from '../deps.js'
import { rounded, wilsonInterval } from '../kpi/interval.js'
import { kpiQueryOf, longestSpanS } from '../kpi/query.js'
import { checkKnown } from '../kpi/series.js'
import { checkKept, countryParameter, PREFIX_ATTEMPTS_MIN, prefixParameter } from '../numbers/destinations.js'
import { oneOf, type Parameter } from '../parameters.js'
import type { Readers } from '../readers.js'
import { isoOf, type Span, spanOf } from '../time-span.js'
import {
  COMPARED_ATTEMPTS_MIN,
  type Ner,
  PEERS_VERDICTS,
  type PeersJudgement,
  type PrefixNer,
  peersVerdict,
} from './verdict.js'

/** Carriers and prefixes of one statement; with more, those with the fewest attempts are left out. */
const ROWS_MAX = 100_000
export const PREFIXES_LISTED_MAX = 50

const share = z.object({
  numerator: z.number(),
  denominator: z.number(),
  value: z.number().nullable(),
  interval: z.array(z.number()).nullable().describe('Wilson score interval at 95 %; null for 0 of 0.'),
  low_confidence: z.literal(true).optional().describe(`The denominator is below ${LOW_CONFIDENCE_BELOW}.`),
})

const rate = z.object({
  ner: z.number().nullable(),
  interval: z.array(z.number()).nullable(),
  attempts: z.number(),
})

export const judgement = z.object({
  verdict: z
    .enum(PEERS_VERDICTS)
    .describe(
      'carrier: below the others on the same prefixes. destination: all carriers are below their own other prefixes. both_fine: ' +
        `neither is shown. not_enough: fewer than ${COMPARED_ATTEMPTS_MIN} comparable attempts of the carrier or of the others.`,
    ),
  sentence: z.string(),
  own: rate.describe('NER on the prefixes that others carried too.'),
  others: rate
    .extend({ carriers: z.array(z.string()) })
    .describe('The others, mix-adjusted: attempts is what this weighting is worth.'),
  shared_prefixes: z.number(),
  is_worse: z.boolean(),
  below_own: z.array(
    z.object({
      carrier: z.string(),
      here: rate,
      elsewhere: rate,
      is_below: z.boolean().nullable().describe('null: too few attempts here or elsewhere.'),
    }),
  ),
})

const entry = z.object({
  carrier: z.string(),
  prefixes: z.number().describe('With attempts of this carrier.'),
  attempts: z.number().describe('Closed ones.'),
  answered: share.describe('Answered, of all closed attempts.'),
  ner: share,
  elsewhere: share.describe('NER on its other prefixes.'),
  judgement: judgement.omit({ below_own: true }),
})

const prefixEntry = z.object({
  prefix: z.string(),
  country: z.string(),
  country_name: z.string(),
  ner: share.describe('Of the carrier asked about.'),
  others: share.describe('Of the others together.'),
  carriers: z.number().describe('With attempts there.'),
  verdict: z.enum(PEERS_VERDICTS),
})

export const peersAnswer = z
  .object({
    from: z.string(),
    to: z.string(),
    prefix: z.string(),
    country: z.string(),
    carrier: z.string().describe('Asked about; "" for none.'),
    judgement: judgement.nullable().describe('Of the carrier asked about; null without one.'),
    carriers: z.array(entry),
    prefixes: z
      .array(prefixEntry)
      .describe(
        `With carrier: prefixes that it shares with others, at least ${PREFIX_ATTEMPTS_MIN} attempts of each in the NER; the ${PREFIXES_LISTED_MAX} with the most.`,
      ),
    is_cut: z.boolean().describe('There were more carriers and prefixes than one statement answers.'),
  })
  .meta({ title: 'Peers' })

export type PeersAnswer = z.output<typeof peersAnswer>

export interface PeersParameters {
  from?: Parameter
  to?: Parameter
  prefix?: Parameter
  country?: Parameter
  carrier?: Parameter
}

export interface PeersQuery extends Span {
  prefix: string
  country: string
  carrier: string
}

export function peersQueryOf(written: PeersParameters, { config }: SeenDeps, nowUs: number): PeersQuery {
  const span = spanOf(
    { from: oneOf('from', written.from), to: oneOf('to', written.to) },
    { nowUs, longestS: longestSpanS(config), wholeMinutes: { otherwise: '' } },
  )
  checkKept(span.fromUs, config, nowUs)
  return {
    ...span,
    prefix: prefixParameter(written.prefix),
    country: countryParameter(written.country),
    carrier: oneOf('carrier', written.carrier) ?? '',
  }
}

interface PeerCounts extends PrefixNer {
  closed: number
  answered: number
}

export async function readPeers(deps: SeenDeps, query: PeersQuery): Promise<PeersAnswer> {
  const { readers, config } = deps
  if (query.carrier !== '') await checkKnown(readers, carrierQuery(query, deps), config)
  const { here, elsewhere, isCut } = await readCounts(readers, query)
  const names = [...new Set(here.map(({ carrier }) => carrier))].sort()
  return {
    from: isoOf(query.fromUs),
    to: isoOf(query.toUs),
    prefix: query.prefix,
    country: query.country,
    carrier: query.carrier,
    judgement: query.carrier === '' ? null : told(peersVerdict(query.carrier, here, elsewhere)),
    carriers: names.map((name) => entryOf(name, here, elsewhere)),
    prefixes: query.carrier === '' ? [] : prefixesOf(query.carrier, here, elsewhere),
    is_cut: isCut,
  }
}

/** Of all carriers, '' for calls without a prefix: what an alert about one of them is judged by (alerted.ts). */
export async function readPrefixCounts(
  readers: Readers,
  span: Span,
  sites?: readonly string[],
): Promise<PrefixNer[]> {
  return readPlaces(readers, span, [], sites)
}

/** `checkKnown` says what was mistyped. */
function carrierQuery({ carrier, ...span }: PeersQuery, { config, nowUs }: SeenDeps) {
  return kpiQueryOf(
    { from: isoOf(span.fromUs), to: isoOf(span.toUs), carrier, exact: 'true' },
    config,
    nowUs(),
  )
}

async function readCounts(
  readers: Readers,
  { prefix, country, ...span }: PeersQuery,
): Promise<{ here: PeerCounts[]; elsewhere: Map<string, Ner>; isCut: boolean }> {
  const starts = [prefix, country === '' ? '' : `+${callingCodeOf(country)}`].filter((text) => text !== '')
  const rows = await readPlaces(readers, span, starts)
  const here: PeerCounts[] = []
  const elsewhere = new Map<string, Ner>()
  for (const counts of rows.slice(0, ROWS_MAX)) {
    const isHere =
      counts.prefix !== '' && (country === '' || destinationOfPrefix(counts.prefix).country === country)
    if (isHere) {
      here.push(counts)
      continue
    }
    const known = elsewhere.get(counts.carrier) ?? { numerator: 0, denominator: 0 }
    elsewhere.set(counts.carrier, {
      numerator: known.numerator + counts.numerator,
      denominator: known.denominator + counts.denominator,
    })
  }
  return { here, elsewhere, isCut: rows.length > ROWS_MAX }
}

/**
 * One row more than `ROWS_MAX` where there are more.
 *
 * @param starts a prefix is named when it starts with each of them; all others count under ''
 */
async function readPlaces(
  readers: Readers,
  { fromUs, toUs }: Span,
  starts: readonly string[],
  sites?: readonly string[],
): Promise<PeerCounts[]> {
  const inside = [
    "destination != ''",
    ...starts.map((_, at) => `startsWith(destination, {starts_${at}:String})`),
  ]
  const ofSites = sites === undefined ? '' : ' AND site IN {sites:Array(String)}'
  return readers.selectMasked<Record<string, string>, PeerCounts>(
    `SELECT carrier, if(${inside.join(' AND ')}, destination, '') AS place, count() AS closed,
      countIf(disposition = 'ANSWERED') AS answered,
      countIf(ner_denominator = 1) AS den, countIf(ner_denominator = 1 AND ner_numerator = 1) AS num
    FROM ${judgedAttempts({
      minutes: `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')`,
      where: `party = 'carrier' AND state = 'closed' AND direction != 'inbound'${ofSites}`,
    })}
    GROUP BY carrier, place ORDER BY closed DESC, carrier, place LIMIT ${ROWS_MAX + 1}`,
    {
      ...Object.fromEntries(starts.map((text, at) => [`starts_${at}`, text])),
      ...(sites === undefined ? {} : { sites: sites.map((site) => (site === 'unknown' ? '' : site)) }),
      from_s: Math.floor(fromUs / 1e6),
      to_s: Math.ceil(toUs / 1e6),
    },
    (row) => ({
      carrier: row.carrier!,
      prefix: row.place!,
      closed: Number(row.closed),
      answered: Number(row.answered),
      numerator: Number(row.num),
      denominator: Number(row.den),
    }),
    (counts) => counts, // A prefix is no number: at least four digits are gone.
  )
}

function entryOf(
  carrier: string,
  here: readonly PeerCounts[],
  elsewhere: ReadonlyMap<string, Ner>,
): z.output<typeof entry> {
  const own = here.filter((counts) => counts.carrier === carrier)
  const sum = (of: (counts: PeerCounts) => number) => own.reduce((total, counts) => total + of(counts), 0)
  const closed = sum((counts) => counts.closed)
  const other = elsewhere.get(carrier) ?? { numerator: 0, denominator: 0 }
  const { below_own: _, ...judged } = told(peersVerdict(carrier, here, elsewhere))
  return {
    carrier,
    prefixes: new Set(own.map(({ prefix }) => prefix)).size,
    attempts: closed,
    answered: shareOf(
      sum((counts) => counts.answered),
      closed,
    ),
    ner: shareOf(
      sum((counts) => counts.numerator),
      sum((counts) => counts.denominator),
    ),
    elsewhere: shareOf(other.numerator, other.denominator),
    judgement: judged,
  }
}

function prefixesOf(
  carrier: string,
  here: readonly PeerCounts[],
  elsewhere: ReadonlyMap<string, Ner>,
): z.output<typeof prefixEntry>[] {
  const byPrefix = new Map<string, PeerCounts[]>()
  // What is elsewhere for one prefix is every other prefix, those beside it too.
  const everywhere = new Map([...elsewhere].map(([name, counts]) => [name, { ...counts }]))
  for (const counts of here) {
    byPrefix.set(counts.prefix, [...(byPrefix.get(counts.prefix) ?? []), counts])
    const known = everywhere.get(counts.carrier) ?? { numerator: 0, denominator: 0 }
    everywhere.set(counts.carrier, {
      numerator: known.numerator + counts.numerator,
      denominator: known.denominator + counts.denominator,
    })
  }
  return [...byPrefix]
    .flatMap(([prefix, all]) => {
      const own = all.find((counts) => counts.carrier === carrier)
      const others = all.filter((counts) => counts.carrier !== carrier && counts.denominator > 0)
      const othersDen = others.reduce((sum, { denominator }) => sum + denominator, 0)
      if (own === undefined || own.denominator < PREFIX_ATTEMPTS_MIN || othersDen < PREFIX_ATTEMPTS_MIN)
        return []
      const without = new Map(
        all.map((counts) => {
          const whole = everywhere.get(counts.carrier)!
          return [
            counts.carrier,
            {
              numerator: whole.numerator - counts.numerator,
              denominator: whole.denominator - counts.denominator,
            },
          ]
        }),
      )
      const { country, name } = destinationOfPrefix(prefix)
      return [
        {
          prefix,
          country,
          country_name: name,
          ner: shareOf(own.numerator, own.denominator),
          others: shareOf(
            others.reduce((sum, { numerator }) => sum + numerator, 0),
            othersDen,
          ),
          carriers: others.length + 1,
          verdict: peersVerdict(carrier, all, without).verdict,
        },
      ]
    })
    .sort((a, b) => b.ner.denominator - a.ner.denominator || (a.prefix < b.prefix ? -1 : 1))
    .slice(0, PREFIXES_LISTED_MAX)
}

function shareOf(numerator: number, denominator: number): z.output<typeof share> {
  return {
    numerator,
    denominator,
    value: denominator > 0 ? numerator / denominator : null,
    interval: wilsonInterval(numerator, denominator)?.map(rounded) ?? null,
    ...(denominator > 0 && denominator < LOW_CONFIDENCE_BELOW ? { low_confidence: true as const } : {}),
  }
}

/** With six digits of what is uncertain anyway. */
function told(judged: PeersJudgement): z.output<typeof judgement> {
  const of = <Rate extends { interval: [number, number] | null; ner: number | null; attempts: number }>(
    rate: Rate,
  ) => ({ ...rate, interval: rate.interval?.map(rounded) ?? null })
  return {
    ...judged,
    own: of(judged.own),
    others: of(judged.others),
    below_own: judged.below_own.map((entry) => ({
      ...entry,
      here: of(entry.here),
      elsewhere: of(entry.elsewhere),
    })),
  }
}
