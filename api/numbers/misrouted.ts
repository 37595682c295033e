/**
 * Calls that arrive on a carrier that does not own the called number: the number was bought from another one (the inventory says
 * so), and somebody routes it past them. Looked for when somebody asks, over the inbound attempts of the range: nothing of it
 * is done while calls are stored.
 *
 * Takes    the attempts of carriers' legs towards us, by carrier and called number (the Request-URI's), in as many statements as
 *          it takes to keep each small.
 * Returns  one entry a carrier and number whose owner is another carrier, those with the most attempts first. Numbers that are
 *          not in the inventory are counted and judged no further.
 * Throws   TRUNKSCOPE_API_QUERY_LIMIT with more than a million carriers and numbers in the range, and what the readers throw.
 * Source   design.md §5 (numbers); a decision of ours.
 *
 * Who is held to carriers sees calls on these only, and of the owner only whether it is one of them.
 */
import { z } from 'zod'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { ApiError } from '../errors.js'
import { maskedNumber } from '../masking.js'
import type { Readers } from '../readers.js'
import { isoOf, isoUsOf, type Span } from '../time-span.js'
import type { NumberInventory } from './inventory.js'

/** Carriers and numbers that one statement answers, and one question. */
export const PAIRS_MAX = 100_000
export const PAIRS_OF_QUESTION_MAX = 1_000_000
export const LISTED_MAX = 500

const entry = z.object({
  number: z.string().describe('Masked for who may not see numbers.'),
  carrier: z.string().describe('That it arrived on.'),
  owner: z.string().nullable().describe('By the inventory; null: a carrier that may not be seen.'),
  country: z.string(),
  type: z.string(),
  attempts: z.number(),
  answered: z.number(),
  first_at: z.string(),
  last_at: z.string(),
  attempt_id: z.string().describe('The newest of them.'),
})

export const misroutedAnswer = z
  .object({
    from: z.string(),
    to: z.string(),
    is_configured: z.boolean().describe('Whether there is an inventory: `numbers` of the configuration.'),
    inbound: z.object({
      attempts: z.number().describe('Inbound attempts of carriers in the range.'),
      numbers: z.number().describe('Carriers and called numbers together.'),
    }),
    owned: z.number().describe('Attempts on the carrier that owns the number.'),
    misrouted: z.number().describe('Attempts on another carrier.'),
    not_in_inventory: z.number().describe('Attempts to numbers that are not in it.'),
    misrouted_numbers: z.number().describe('Entries, listed or not.'),
    numbers: z.array(entry),
    is_cut: z.boolean().describe(`There are more than ${LISTED_MAX}: those with the most attempts are here.`),
  })
  .meta({ title: 'Numbers on the wrong carrier' })

export type MisroutedAnswer = z.output<typeof misroutedAnswer>

/** What an alert rule needs: attempts and numbers by the carrier they arrived on. */
export interface MisroutedCount {
  carrier: string
  attempts: number
  numbers: number
}

interface Row {
  carrier: string
  number: string
  attempts: string
  answered: string
  first_s: number
  last_s: number
  attempt_id: string
}

interface Found extends Row {
  owner: string
  country: string
  type: string
}

interface Judged {
  attempts: number
  pairs: number
  owned: number
  notInInventory: number
  found: Found[]
}

const INBOUND = `call_attempts FINAL
  WHERE minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')
    AND party = 'carrier' AND direction = 'inbound' AND state != 'fragment' AND called_number != ''`

export async function readMisrouted(
  readers: Readers,
  config: TrunkscopeConfig,
  inventory: NumberInventory | undefined,
  span: Span,
  sees: 'numbers' | 'masked',
): Promise<MisroutedAnswer> {
  const { attempts, found, notInInventory, owned, pairs } = await judge(readers, inventory, span)
  const seen = new Set(config.carriers.map(({ id }) => id))
  const isAll = readers.principal.carriers === 'all'
  found.sort(
    (a, b) =>
      Number(b.attempts) - Number(a.attempts) ||
      (a.number < b.number ? -1 : a.number > b.number ? 1 : a.carrier < b.carrier ? -1 : 1),
  )
  return {
    from: isoOf(span.fromUs),
    to: isoOf(span.toUs),
    is_configured: inventory !== undefined,
    inbound: { attempts, numbers: pairs },
    owned,
    misrouted: sumOf(found),
    not_in_inventory: notInInventory,
    misrouted_numbers: found.length,
    numbers: found.slice(0, LISTED_MAX).map((row) => ({
      number: sees === 'numbers' ? row.number : maskedNumber(row.number),
      carrier: row.carrier,
      owner: isAll || seen.has(row.owner) ? row.owner : null,
      country: row.country,
      type: row.type,
      attempts: Number(row.attempts),
      answered: Number(row.answered),
      first_at: isoUsOf(row.first_s * 1e6),
      last_at: isoUsOf(row.last_s * 1e6),
      attempt_id: row.attempt_id,
    })),
    is_cut: found.length > LISTED_MAX,
  }
}

/** For alert rules and metrics: carriers on which numbers of others arrive, by name. */
export async function readMisroutedCounts(
  readers: Readers,
  inventory: NumberInventory | undefined,
  span: Span,
): Promise<MisroutedCount[]> {
  const { found } = await judge(readers, inventory, span)
  const carriers = new Map<string, MisroutedCount>()
  for (const { carrier, attempts } of found) {
    const count = carriers.get(carrier) ?? { carrier, attempts: 0, numbers: 0 }
    carriers.set(carrier, {
      carrier,
      attempts: count.attempts + Number(attempts),
      numbers: count.numbers + 1,
    })
  }
  return [...carriers.values()].sort((a, b) => (a.carrier < b.carrier ? -1 : 1))
}

async function judge(readers: Readers, inventory: NumberInventory | undefined, span: Span): Promise<Judged> {
  const judged: Judged = { attempts: 0, pairs: 0, owned: 0, notInInventory: 0, found: [] }
  if (inventory === undefined) return judged
  const parameters = { from_s: Math.floor(span.fromUs / 1e6), to_s: Math.ceil(span.toUs / 1e6) }
  const parts = await partsOf(readers, parameters)
  for (let part = 0; part < parts; part++) {
    for (const row of await readPart(readers, parameters, parts, part)) {
      const attempts = Number(row.attempts)
      judged.attempts += attempts
      judged.pairs++
      const owner = inventory.find(row.number)
      if (owner === undefined) judged.notInInventory += attempts
      else if (owner.carrier === row.carrier) judged.owned += attempts
      else judged.found.push({ ...row, owner: owner.carrier, country: owner.country, type: owner.type })
    }
  }
  return judged
}

/** Statements among which carriers and numbers are shared out, so that none answers more than `PAIRS_MAX` rows. */
async function partsOf(readers: Readers, parameters: Record<string, number>): Promise<number> {
  const [row] = await readers.selectMasked<{ pairs: string }, number>(
    `SELECT uniq(carrier, called_number) AS pairs FROM ${INBOUND}`,
    parameters,
    ({ pairs }) => Number(pairs),
    (pairs) => pairs, // A count.
  )
  const pairs = row ?? 0
  if (pairs > PAIRS_OF_QUESTION_MAX) {
    throw new ApiError(
      'TRUNKSCOPE_API_QUERY_LIMIT',
      `about ${pairs} numbers were called in this range, at most ${PAIRS_OF_QUESTION_MAX} are looked at; ask for a shorter range`,
      { parameter: 'from' },
    )
  }
  // `uniq` is within a few percent: room to spare.
  return Math.max(1, Math.ceil((pairs * 1.2) / PAIRS_MAX))
}

function readPart(
  readers: Readers,
  parameters: Record<string, number>,
  parts: number,
  part: number,
): Promise<Row[]> {
  // Not masked here: the number is looked up in the inventory first, and masked where it leaves.
  const whole = (row: Row) => row
  return readers.selectMasked<Row, Row>(
    `SELECT carrier, called_number AS number, count() AS attempts, countIf(disposition = 'ANSWERED') AS answered,
      toUInt32(min(minute)) AS first_s, toUInt32(max(minute)) AS last_s,
      lower(hex(argMax(attempt_id, (minute, invited_at_us, attempt_id)))) AS attempt_id
    FROM (SELECT carrier, called_number, disposition, minute, invited_at_us, attempt_id FROM ${INBOUND}
      AND cityHash64(called_number) % {parts:UInt32} = {part:UInt32})
    GROUP BY carrier, called_number`,
    { ...parameters, parts, part },
    whole,
    whole,
  )
}

const sumOf = (rows: readonly { attempts: string }[]) =>
  rows.reduce((sum, { attempts }) => sum + Number(attempts), 0)
