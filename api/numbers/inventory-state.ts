/** What a process holds of the number inventory, as it is answered: rows are shown to who may see numbers. */
import { z } from 'zod'
import { isAtLeast } from '../../schemas/tokens.js'
import type { SeenDeps } from '../deps.js'
import { isoOf } from '../time-span.js'

export const inventoryState = z
  .object({
    is_configured: z.boolean(),
    file: z.string().describe('As it is configured; "" without one, and for who is held to carriers.'),
    loaded_at: z.string().nullable(),
    rows: z.number().describe('Without the header row.'),
    numbers: z.number().describe('Those that are right, blocks with all their numbers.'),
    ranges: z.number(),
    bytes: z.number(),
    wrong_rows: z.number().describe('Left out.'),
    error_counts: z.record(z.string(), z.number()),
    errors: z
      .array(z.object({ line: z.number(), kind: z.string(), column: z.string(), problem: z.string() }))
      .describe('The first wrong rows; for the role investigator, because they hold numbers.'),
    notes: z.array(z.string()),
    problem: z
      .string()
      .describe('Why the file as it is now was not taken, and that of before holds; "" when it was.'),
  })
  .meta({ title: 'Number inventory' })

export type InventoryState = z.output<typeof inventoryState>

const NO_INVENTORY: InventoryState = {
  is_configured: false,
  file: '',
  loaded_at: null,
  rows: 0,
  numbers: 0,
  ranges: 0,
  bytes: 0,
  wrong_rows: 0,
  error_counts: {},
  errors: [],
  notes: [],
  problem: '',
}

/** Who is held to carriers learns that there is an inventory, and nothing of what is in it: it is that of all carriers. */
export function inventoryStateOf({
  numbers,
  principal,
}: Pick<SeenDeps, 'numbers' | 'principal'>): InventoryState {
  const loaded = numbers?.()
  if (loaded === undefined) return NO_INVENTORY
  if (principal.carriers !== 'all') return { ...NO_INVENTORY, is_configured: true }
  const { errorCounts, errors, file, inventory, loadedAtUs, notes, problem, rows } = loaded
  const seesNumbers = isAtLeast(principal.role, 'investigator')
  return {
    is_configured: true,
    file,
    loaded_at: isoOf(Math.floor(loadedAtUs / 1e6) * 1e6),
    rows,
    numbers: inventory.numbers,
    ranges: inventory.ranges,
    bytes: inventory.bytes,
    wrong_rows: Object.values(errorCounts).reduce((sum, count) => sum + count, 0),
    error_counts: { ...errorCounts },
    errors: seesNumbers ? [...errors] : [],
    notes: [...notes],
    // It quotes the first wrong row where none is right.
    problem:
      problem === '' || seesNumbers
        ? problem
        : 'the file cannot be taken over; the role investigator sees why',
  }
}
