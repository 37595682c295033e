import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { csvOf } from '../../../api/scorecards/csv.js'

/** RFC 4180 as a spreadsheet reads it. */
function cellsOf(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n|$)/g)) {
    if (quoted === undefined && plain === '' && end === '') break
    rows.at(-1)!.push((quoted?.replaceAll('""', '"') ?? plain)!)
    if (end === '\r\n') rows.push([])
  }
  return rows.filter((row) => row.length > 0)
}

describe('CSV for spreadsheets', () => {
  it.each(['=1+1', '+49', '-2+3', '@SUM(A1)', '\tx', '\r=1', '\n=1', '\uff1d1'])(
    '%j runs nothing',
    (text) => {
      const [line] = csvOf([[text]]).split('\r\n')
      expect(line).toMatch(/^"'/)
      expect(cellsOf(csvOf([[text]]))[0]![0]!.startsWith("'")).toBe(true)
    },
  )

  it('numbers stay numbers, the negative ones too; null is an empty cell', () => {
    expect(csvOf([[-0.25, 12, null, undefined, true, Number.NaN]])).toBe('-0.25,12,,,yes,\r\n')
  })

  it('quotes what would end a cell, and shows what would hide', () => {
    expect(csvOf([['a,b', 'say "a"', 'a\u0000b', 'a;b']])).toBe('"a,b","say ""a""",a\u2400b,"a;b"\r\n')
  })

  it('any texts come back as they were, and none begins a formula', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ unit: 'grapheme-ascii' }), { minLength: 2, maxLength: 4 }), {
          minLength: 1,
          maxLength: 4,
        }),
        (rows) => {
          const read = cellsOf(csvOf(rows))
          expect(read).toEqual(
            rows.map((row) => row.map((text) => (/^[=+\-@]/.test(text) ? `'${text}` : text))),
          )
          expect(read.flat().some((cell) => /^[=+\-@\t\r]/.test(cell))).toBe(false)
        },
      ),
    )
  })
})
