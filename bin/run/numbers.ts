/**
 * The number inventory of a process that answers questions: read at the start, and again by SIGHUP.
 *
 * Throws   at the start what `readInventory` throws. Later a file that cannot be taken leaves the one of before: the notice
 *          says why, and so do /v1/numbers and the page at /numbers.
 */
import type { LoadedInventory } from '../../api/numbers/inventory.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { readInventory } from '../connect/inventory-file.js'

type NumbersConfig = Pick<TrunkscopeConfig, 'numbers' | 'carriers'>

export interface Numbers {
  /** undefined: no file is configured. */
  loaded(): LoadedInventory | undefined
  /** Resolves with what an operator has to know. */
  reload(config: NumbersConfig): Promise<string[]>
}

export async function openNumbers(config: NumbersConfig, nowMs = Date.now): Promise<Numbers> {
  let held = await load(config, nowMs)
  return {
    loaded: () => held,
    reload: async (next) => {
      try {
        held = await load(next, nowMs)
        return noticesOf(held)
      } catch (error) {
        const problem = (error as Error).message
        if (held === undefined) return [`${problem}; there is no inventory`]
        held = { ...held, problem }
        return [`${problem}; the inventory of before still holds`]
      }
    },
  }
}

async function load(
  { numbers, carriers }: NumbersConfig,
  nowMs: () => number,
): Promise<LoadedInventory | undefined> {
  if (numbers === undefined) return undefined
  const { inventory, rows, errors, counts, notes } = await readInventory(
    numbers,
    new Set(carriers.map(({ id }) => id)),
  )
  return {
    inventory,
    file: numbers,
    loadedAtUs: nowMs() * 1_000,
    rows,
    errorCounts: Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    errors,
    notes,
    problem: '',
  }
}

export function noticesOf(loaded: LoadedInventory | undefined): string[] {
  if (loaded === undefined) return []
  const { errorCounts, file } = loaded
  const wrong = Object.values(errorCounts).reduce((sum, count) => sum + count, 0)
  return wrong === 0
    ? []
    : [`numbers: ${wrong} rows of ${file} are wrong: trunkscope numbers check ${file} --config … lists them`]
}
