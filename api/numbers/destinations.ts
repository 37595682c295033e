/**
 * Where calls go: numbers of the catalog by country or prefix of the called number, by carrier.
 *
 * A prefix is what scorecards call one (docs/scorecards.md): the first seven digits of the routing number of a ported call, else
 * of the called number, and never the last four, so that every role may read it. Prefixes are counted by the store and given a
 * country here, by the prefix alone (sip/e164.ts): nothing of it is done while calls are stored. Prefixes with fewer than ten
 * attempts are not named, and stand together. What has no prefix is told by kind: short codes and emergency numbers, service
 * codes, names, no number.
 *
 * Takes    a checked question.
 * Returns  groups, those with the most attempts first. Read from attempts as they are judged, not from rollups.
 * Throws   what the readers throw.
 * Source   metrics.md §10; the lengths and the ten are decisions of ours.
 */
import { z } from 'zod'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { attemptMeasures } from '../../schemas/kpi-rollup.js'
import { keptFromS, keptOf } from '../../schemas/retention.js'
import {
  callingCodeOf,
  DESTINATION_KINDS,
  type Destination,
  type DestinationKind,
  destinationOf,
  destinationOfPrefix,
  isCountry,
} from '../../sip/e164.js'
import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { type KpiValue, kpiAnswer, kpiValuesOf } from '../kpi/answer.js'
import { DIMENSIONS, type Dimension, type KpiQuery, kpiQueryOf, longestSpanS } from '../kpi/query.js'
import { columnsFor, conditionsOf, parametersOf } from '../kpi/rollups.js'
import { checkKnown } from '../kpi/series.js'
import { addSums, anyAttempts, countOf, emptySums, type Sums, sumsOfRow } from '../kpi/sums.js'
import { choicesOf, oneOf, type Parameter } from '../parameters.js'
import { isoOf, shown, spanOf } from '../time-span.js'

export const DESTINATION_DIMENSIONS = [...DIMENSIONS, 'country', 'prefix'] as const
type DestinationDimension = (typeof DESTINATION_DIMENSIONS)[number]

/** As scorecards have it. */
export const PREFIX_ATTEMPTS_MIN = 10
export const PREFIX_DIGITS = 7
/** Rows of one statement: with more, those with the fewest attempts are told as a sum. */
const ROWS_MAX = 20_000
const GROUPS_MAX = 1_000
const DEFAULT_KPIS = ['asr', 'ner', 'acd', 'pdd_p50']

const group = z.object({
  by: z
    .record(z.string(), z.string())
    .describe('country is ISO 3166-1, "" where there is none; prefix is "" where it is not named.'),
  kind: z.enum(DESTINATION_KINDS),
  name: z.string().describe('Of the country, or what it is instead.'),
  calling_code: z.string(),
  attempts: z.number().describe('Closed ones.'),
  open: z.number(),
  incomplete: z.number(),
  kpis: kpiAnswer.shape.groups.element.shape.kpis,
})

export const destinationsAnswer = z
  .object({
    from: z.string(),
    to: z.string().describe('Not part of the range.'),
    groups: z.array(group),
    is_cut: z
      .boolean()
      .describe(`There are more than ${GROUPS_MAX} groups: those with the most attempts are here.`),
    left_over: z.number().describe('Attempts of prefixes that were too many to be told apart: in no group.'),
  })
  .meta({ title: 'Destinations' })

export type DestinationsAnswer = z.output<typeof destinationsAnswer>
export type DestinationGroup = DestinationsAnswer['groups'][number]

export interface DestinationParameters {
  from?: Parameter
  to?: Parameter
  group_by?: Parameter
  carrier?: Parameter
  site?: Parameter
  direction?: Parameter
  country?: Parameter
  prefix?: Parameter
  kpi?: Parameter
}

export interface DestinationQuery extends KpiQuery {
  by: 'country' | 'prefix' | undefined
  country: string
  prefix: string
}

export function destinationQueryOf(
  written: DestinationParameters,
  { config }: SeenDeps,
  nowUs: number,
): DestinationQuery {
  const { country, prefix, group_by, kpi, ...rest } = written
  const groupBy: readonly DestinationDimension[] =
    group_by === undefined ? ['country'] : choicesOf('group_by', group_by, DESTINATION_DIMENSIONS)
  const span = spanOf(
    { from: oneOf('from', rest.from), to: oneOf('to', rest.to) },
    { nowUs, longestS: longestSpanS(config), wholeMinutes: { otherwise: '' } },
  )
  checkKept(span.fromUs, config, nowUs)
  const query = kpiQueryOf(
    {
      ...rest,
      from: isoOf(span.fromUs),
      to: isoOf(span.toUs),
      exact: 'true',
      group_by: groupBy.filter((name): name is Dimension => (DIMENSIONS as readonly string[]).includes(name)),
      kpi: kpi ?? DEFAULT_KPIS,
    },
    config,
    nowUs,
  )
  return {
    ...query,
    by: groupBy.includes('prefix') ? 'prefix' : groupBy.includes('country') ? 'country' : undefined,
    country: countryParameter(country),
    prefix: prefixParameter(prefix),
  }
}

export function countryParameter(written: Parameter): string {
  const country = (oneOf('country', written) ?? '').toUpperCase()
  if (country === '' || isCountry(country)) return country
  throw new ApiError(
    'TRUNKSCOPE_API_BAD_VALUE',
    `country=${shown(country)} is no country; write two letters, for example country=DE`,
    { parameter: 'country' },
  )
}

export function prefixParameter(written: Parameter): string {
  // A plus sign that was not escaped arrives as a space.
  const prefix = (oneOf('prefix', written) ?? '').replace(/^ /, '+')
  if (prefix === '' || new RegExp(`^\\+?\\d{1,${PREFIX_DIGITS}}$`).test(prefix)) return prefix
  throw new ApiError(
    'TRUNKSCOPE_API_BAD_VALUE',
    `prefix=${shown(prefix)} is no prefix; write + and at most ${PREFIX_DIGITS} digits, for example prefix=%2B4969`,
    { parameter: 'prefix' },
  )
}

export function checkKept(fromUs: number, config: SeenDeps['config'], nowUs: number): void {
  const keptUs = keptFromS(keptOf(config.retention), Math.floor(nowUs / 1e6)).attempts * 1e6
  if (fromUs >= keptUs) return
  throw new ApiError(
    'TRUNKSCOPE_API_BAD_RANGE',
    `from=${isoOf(fromUs)}: attempts are kept from ${isoOf(keptUs)} on; write from=${isoOf(keptUs)} or later`,
    { parameter: 'from' },
  )
}

/** A prefix, or the kind of what has none; no prefix looks like a kind. */
const PLACE = `multiIf(destination != '', destination,
      called_number = '', 'none',
      match(called_number, '^[+]?[0-9]*[*#][0-9*#]*$'), 'service_code',
      match(called_number, '^[0-9]{1,6}$'), 'short_code',
      match(called_number, '^[+]?[0-9]+$'), 'not_possible', 'name') AS place`

type Row = Record<string, unknown>

export async function readDestinations(deps: SeenDeps, query: DestinationQuery): Promise<DestinationsAnswer> {
  const { readers, config } = deps
  await checkKnown(readers, query, config)
  const rows = await readPlaces(deps, query)
  const groups = new Map<string, Counted>()
  for (const row of rows) {
    const found = destinationOfPlace(row.place)
    if (query.country !== '' && found.country !== query.country) continue
    const counted = {
      by: byOf(query, row, found),
      found: query.by === undefined ? EVERYWHERE : found,
      sums: row.sums,
    }
    const known = groups.get(keyOf(counted))
    if (known === undefined) groups.set(keyOf(counted), { ...counted, sums: addSums(emptySums(), row.sums) })
    else addSums(known.sums, row.sums)
  }
  const sorted = [...groups.values()].sort(
    (a, b) => anyAttempts(b.sums) - anyAttempts(a.sums) || (keyOf(a) < keyOf(b) ? -1 : 1),
  )
  return {
    from: isoOf(query.fromUs),
    to: isoOf(query.toUs),
    groups: sorted.slice(0, GROUPS_MAX).map(({ by, found, sums }) => ({
      by,
      kind: found.kind,
      name: found.name,
      calling_code: found.callingCode,
      attempts: countOf(sums, 'attempts'),
      open: countOf(sums, 'open'),
      incomplete: countOf(sums, 'incomplete'),
      kpis: kpiValuesOf(query.kpis, sums) as Record<string, KpiValue>,
    })),
    is_cut: sorted.length > GROUPS_MAX,
    left_over: rows.length < ROWS_MAX ? 0 : await leftOver(deps, query, rows),
  }
}

const EVERYWHERE: Destination = { kind: 'none', country: '', callingCode: '', name: 'all destinations' }

interface Counted {
  by: Record<string, string>
  found: Destination
  sums: Sums
}

const keyOf = ({ by, found }: Counted) => JSON.stringify([by, found.kind, found.name])

function byOf(
  query: DestinationQuery,
  { by, place, sums }: Place,
  { country }: Destination,
): Record<string, string> {
  if (query.by === undefined) return by
  if (query.by === 'country') return { ...by, country }
  // Of few attempts the country may be told, the prefix is not.
  const isNamed = /^\+?\d/.test(place) && anyAttempts(sums) >= PREFIX_ATTEMPTS_MIN
  return { ...by, country, prefix: isNamed ? place : '' }
}

/** A text of `PLACE`. */
export function destinationOfPlace(place: string): Destination {
  if (/^\+?\d/.test(place)) return destinationOfPrefix(place)
  return OF_KIND[place as DestinationKind] ?? destinationOf('')
}

/** One of each kind, for its name. */
const OF_KIND: Partial<Record<DestinationKind, Destination>> = {
  none: destinationOf(''),
  service_code: destinationOf('*'),
  short_code: destinationOf('112'),
  not_possible: destinationOf('+1'),
  name: destinationOf('name'),
}

interface Place {
  by: Record<string, string>
  place: string
  sums: Sums
}

async function readPlaces({ readers }: SeenDeps, query: DestinationQuery): Promise<Place[]> {
  const columns = columnsFor(query)
  const rows = await readers.selectMasked<Row, Row>(
    `SELECT ${[...query.groupBy, 'place', ...columns.map((column) => `${column.aggregate} AS sum_${column.name}`)].join(',\n  ')}
FROM (${measuresOf(query)})
GROUP BY ${[...query.groupBy, 'place'].join(', ')}
ORDER BY sum_attempts + sum_open + sum_incomplete DESC, place LIMIT ${ROWS_MAX}`,
    statementParameters(query),
    (row) => row,
    (row) => row, // No number leaves: a prefix lacks its last four digits, a kind is a word.
  )
  return rows.map((row) => ({
    by: Object.fromEntries(query.groupBy.map((name) => [name, String(row[name]) || 'unknown'])),
    place: String(row.place),
    sums: sumsOfRow(row, columns),
  }))
}

async function leftOver(
  { readers }: SeenDeps,
  query: DestinationQuery,
  rows: readonly Place[],
): Promise<number> {
  const [all] = await readers.selectMasked<{ attempts: string }, { attempts: string }>(
    `SELECT countIf(counted = 'start') AS attempts FROM (${measuresOf(query)})`,
    statementParameters(query),
    (row) => row,
    (row) => row, // A count.
  )
  return Math.max(0, Number(all?.attempts ?? 0) - rows.reduce((sum, { sums }) => sum + anyAttempts(sums), 0))
}

function measuresOf(query: DestinationQuery): string {
  const conditions = [
    conditionsOf(query),
    ...startsOf(query).map((_, at) => `startsWith(destination, {starts_${at}:String})`),
  ]
    .filter((text) => text !== '')
    .join(' AND ')
  const within = (column: string) =>
    `${column} >= toDateTime({from_s:UInt32}, 'UTC') AND ${column} < toDateTime({to_s:UInt32}, 'UTC')`
  return attemptMeasures(
    `${within('minute')} AND ${conditions}`,
    `${within('end_minute')} AND ${conditions}`,
    [...query.groupBy, PLACE],
    'call_attempts',
    judgedAttempts({ minutes: within('minute'), where: conditions }),
  )
}

/** What a prefix of an answer begins with; the country itself is told apart afterwards. */
function startsOf({ country, prefix }: DestinationQuery): string[] {
  return [prefix, country === '' ? '' : `+${callingCodeOf(country)}`].filter((text) => text !== '')
}

function statementParameters(query: DestinationQuery): Row {
  return {
    ...parametersOf(query),
    ...Object.fromEntries(startsOf(query).map((text, at) => [`starts_${at}`, text])),
    from_s: Math.floor(query.fromUs / 1e6),
    to_s: Math.ceil(query.toUs / 1e6),
  }
}
