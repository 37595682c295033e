/**
 * CSV that a spreadsheet opens and does not run (RFC 4180): a text that begins like a formula gets a leading apostrophe and
 * quotes. Numbers of ours are written as numbers, the negative ones too.
 *
 * Takes    rows of texts, numbers, and null for an empty cell.
 * Returns  text with CRLF, as the RFC has it. Control characters become visible, so that no cell hides what it says.
 */
import { visible } from '../page/html.js'

export type Cell = string | number | boolean | null | undefined

/** = + - @, tab and line ends; and the wide forms that some programs read alike. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/

export function csvOf(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => `${row.map(cellText).join(',')}\r\n`).join('')
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : ''
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no'
  const isFormula = FORMULA.test(cell)
  const text = visible(isFormula ? `'${cell}` : cell)
  return isFormula || /[",\r\n;\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
