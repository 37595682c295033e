/**
 * `trunkscope numbers check`: reads an inventory as `start` and `api` would, and lists what is wrong with it.
 *
 * Throws   TRUNKSCOPE_CONFIG_NUMBERS_FILE for a file of which nothing can be taken, TRUNKSCOPE_NUMBERS_WRONG_ROWS when some rows
 *          are wrong: the exit code is 1 in both.
 */
import type { NumbersCheckOptions } from '../commands/numbers.js'
import { type InventoryReport, readInventory } from '../connect/inventory-file.js'

export async function runNumbersCheck(
  { file, carriers, json }: NumbersCheckOptions,
  write: (text: string) => void,
): Promise<void> {
  const report = await readInventory(file, carriers === undefined ? undefined : new Set(carriers))
  const wrong = Object.values(report.counts).reduce((sum, count) => sum + count, 0)
  write(json ? jsonOf(report) : textOf(file, report, wrong, carriers === undefined))
  if (wrong === 0) return
  throw Object.assign(
    new Error(`${wrong} of ${report.rows} rows of ${file} are wrong and would be left out`),
    {
      code: 'TRUNKSCOPE_NUMBERS_WRONG_ROWS',
      fix: 'Each of them is listed with its line, and with what to write instead',
    },
  )
}

function textOf(file: string, report: InventoryReport, wrong: number, isCarrierless: boolean): string {
  const { inventory, rows, errors, counts, notes } = report
  const lines = [
    ...notes.map((note) => `note: ${note}`),
    ...(isCarrierless
      ? ['note: without --config carriers are not compared with those of the configuration']
      : []),
    ...errors.map(
      ({ line, column, problem }) => `${file}:${line}: ${column === '' ? '' : `${column}: `}${problem}`,
    ),
    ...(errors.length < wrong ? [`… and ${wrong - errors.length} more`] : []),
    ...Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([kind, count]) => `${String(count).padStart(9)}  ${kind}`),
    `${rows} rows: ${inventory.numbers} numbers in ${inventory.ranges} ranges, ${Math.ceil(inventory.bytes / 1_024)} KiB of memory`,
  ]
  return `${lines.join('\n')}\n`
}

function jsonOf({ inventory, rows, errors, counts, notes }: InventoryReport): string {
  const { numbers, ranges, bytes } = inventory
  return `${JSON.stringify({ rows, numbers, ranges, bytes, notes, counts, errors }, null, 2)}\n`
}
