import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ERRORS_LISTED_MAX,
  type InventoryReport,
  readInventory,
} from '../../../bin/connect/inventory-file.js'

const CARRIERS = new Set(['alpha', 'beta'])
const BOUNDS = { rowsMax: 5_000, bytesMax: 1_000_000 }
const HEADER = 'number,country,type,carrier'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-numbers-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function read(
  content: string | Buffer,
  carriers: ReadonlySet<string> | null = CARRIERS,
): Promise<InventoryReport> {
  const path = join(folder, 'numbers.csv')
  writeFileSync(path, content)
  return readInventory(path, carriers ?? undefined, BOUNDS)
}

const rows = (...lines: string[]) =>
  read([HEADER, '+14155550100,US,geographic,alpha', ...lines, ''].join('\n'))

describe('the inventory file', () => {
  test('a number a row, with its carrier, country and type', async () => {
    const { inventory, rows, errors, notes } = await read(
      `${HEADER}\n+14155550100,US,geographic,alpha\n+44 (20) 7946-0000,gb,,beta\n`,
    )
    expect([rows, errors, notes]).toEqual([2, [], []])
    expect(inventory.find('+14155550100')).toEqual({ carrier: 'alpha', country: 'US', type: 'geographic' })
    expect(inventory.find('+442079460000')).toEqual({ carrier: 'beta', country: 'GB', type: '' })
  })

  test('a block of numbers stands in one row', async () => {
    const { inventory, errors } = await rows('+1415555[0200-0299],,block,beta')
    expect(errors).toEqual([])
    expect(inventory.numbers).toBe(101)
    expect(inventory.find('+14155550200')).toEqual({ carrier: 'beta', country: 'US', type: 'block' })
    expect(inventory.find('+14155550300')).toBeUndefined()
  })

  test.each([
    ['a mark of UTF-8 and CRLF', `\ufeff${HEADER}\r\n+14155550100,US,geographic,alpha\r\n`],
    ['quotes', `"number","country","type","carrier"\n"+14155550100","US","geographic","alpha"\n`],
    ['quoted separators and line ends', `${HEADER},remark\n+14155550100,US,geographic,alpha,"a, ""b""\nc"\n`],
    ['old line ends', `${HEADER}\r+14155550100,US,geographic,alpha\r`],
    ['semicolons', `${HEADER.replaceAll(',', ';')}\n+14155550100;US;geographic;alpha\n`],
    ['tabs', `${HEADER.replaceAll(',', '\t')}\n+14155550100\tUS\tgeographic\talpha\n`],
    [
      'another order and other columns',
      'Carrier,id,NUMBER,type,country\nalpha,7,+14155550100,geographic,US\n',
    ],
    ['blanks and empty rows', `\n${HEADER}\n\n , , , \n,,,\n +14155550100 , US , geographic , alpha \n\n`],
    ['no last line end', `${HEADER}\n+14155550100,US,geographic,alpha`],
  ])('%s are read', async (_, content) => {
    const { inventory, errors, rows } = await read(content)
    expect(errors).toEqual([])
    expect(rows).toBe(1)
    expect(inventory.find('+14155550100')).toEqual({ carrier: 'alpha', country: 'US', type: 'geographic' })
  })

  test('what is read in another way than expected is said', async () => {
    const semicolons = await read('number;carrier;remark\n+14155550100;alpha;x\n')
    expect(semicolons.notes).toEqual([
      'read with semicolons between the columns, as the header row has them',
      'left alone: "remark"',
    ])
  })

  test.each([
    ['4155550100,US,,alpha', 'bad_number', 'number', /has no \+; write it with \+ and country code/],
    ['14155550199,US,,alpha', 'bad_number', 'number', /write \+14155550199, if that is/],
    ['0014155550199,US,,alpha', 'bad_number', 'number', /write \+14155550199, if that is/],
    ['01114155550199,US,,alpha', 'bad_number', 'number', /write \+14155550199, if that is/],
    ['1.41556E+10,US,,alpha', 'bad_number', 'number', /a spreadsheet has rounded/],
    ['+1415555010,US,,alpha', 'bad_number', 'number', /not a possible number/],
    ['+999123456789,,,alpha', 'bad_number', 'number', /not a possible number/],
    ['alice,US,,alpha', 'bad_number', 'number', /is no number/],
    [',US,,alpha', 'bad_number', 'number', /is missing/],
    ['=HYPERLINK("x"),US,,alpha', 'bad_number', 'number', /is no number/],
    ['+1415555[0200-199],US,,alpha', 'bad_block', 'number', /differ in length/],
    ['+1415555[0299-0200],US,,alpha', 'bad_block', 'number', /write \[0200-0299\]/],
    ['+1415555[02xx],US,,alpha', 'bad_block', 'number', /is no block/],
    ['+1415555[020-029],US,,alpha', 'bad_number', 'number', /not a possible number/],
    ['+14155550199,USA,,alpha', 'bad_country', 'country', /US is United States/],
    ['+442079460000,UK,,alpha', 'bad_country', 'country', /GB is United Kingdom/],
    [
      '+14155550199,DE,,alpha',
      'country_mismatch',
      'country',
      /DE has \+49, and the number begins with \+1 \(US\)/,
    ],
    [`+14155550199,US,${'x'.repeat(33)},alpha`, 'bad_type', 'type', /at most 32/],
    ['+14155550199,US,,', 'missing_carrier', 'carrier', /is missing/],
    ['+14155550199,US,,alpa', 'unknown_carrier', 'carrier', /did you mean alpha\?/],
    ['+14155550199,US,,nobody', 'unknown_carrier', 'carrier', /write one of alpha, beta/],
    ['+14155550199,US', 'columns', 'type', /has 2 of 4 columns/],
  ])('%s is %s in column %s', async (line, kind, column, problem) => {
    const { errors, counts, inventory } = await rows(line)
    expect(errors).toEqual([{ line: 3, kind, column, problem: expect.stringMatching(problem) }])
    expect(counts[kind as keyof typeof counts]).toBe(1)
    expect(inventory.numbers).toBe(1)
  })

  test('a country that shares the code of the number, and toll-free ones, are taken', async () => {
    const { errors, inventory } = await rows(
      '+447924123456,IM,mobile,alpha',
      '+18005550100,US,toll-free,beta',
      '+80012345678,,uifn,beta',
    )
    expect(errors).toEqual([])
    expect(inventory.find('+447924123456')?.country).toBe('IM')
    expect(inventory.find('+80012345678')?.country).toBe('')
  })

  test('lines are those of the file, whatever stands between them', async () => {
    const { errors } = await read(
      `\ufeff${HEADER},remark\r\n+14155550100,US,,alpha,\r\n\r\n,,,,\r\nx,US,,alpha,\r\n+14155550101,US,,alpha,"two\r\nlines"\r\ny,US,,alpha,\r\n`,
    )
    expect(errors.map(({ line, problem }) => [line, problem.slice(0, 3)])).toEqual([
      [5, '"x"'],
      [8, '"y"'],
    ])
  })

  test('duplicates and contradicting carriers name both lines', async () => {
    const { errors, counts, inventory } = await rows(
      '+14155550100,US,,alpha',
      '+14155550101,US,,alpha',
      '+14155550101,US,,beta',
    )
    expect(errors.map(({ line, kind }) => [line, kind])).toEqual([
      [3, 'duplicate'],
      [4, 'contradiction'],
      [5, 'contradiction'],
    ])
    expect(errors[1]!.problem).toBe(
      'is a number of alpha here and of beta on line 5; both are left out until one of them is right',
    )
    expect(counts).toMatchObject({ duplicate: 1, contradiction: 2 })
    expect(inventory.find('+14155550101')).toBeUndefined()
  })

  test('without a configuration carriers are not compared', async () => {
    const { errors, inventory } = await read(`${HEADER}\n+14155550100,US,,anybody\n`, null)
    expect(errors).toEqual([])
    expect(inventory.find('+14155550100')?.carrier).toBe('anybody')
  })

  test('all errors are counted, the first ones listed', async () => {
    const bad = Array.from({ length: 2_500 }, (_, at) =>
      at % 2 === 0 ? `x${at},,,alpha` : `+1415555${1000 + at},,,nobody`,
    )
    const { errors, counts } = await rows(...bad)
    expect([counts.bad_number, counts.unknown_carrier]).toEqual([1_250, 1_250])
    expect(errors).toHaveLength(ERRORS_LISTED_MAX)
    expect(errors.map(({ line }) => line)).toEqual(
      Array.from({ length: ERRORS_LISTED_MAX }, (_, at) => at + 3),
    )
  })

  test.each([
    ['an empty file', '', /holds no row; begin with number,country,type,carrier/],
    ['only blank lines', '\n\n', /holds no row/],
    ['a header row alone', `${HEADER}\n`, /nothing below it/],
    [
      'no header row',
      '+14155550100,US,,alpha\n',
      /no header row; write number,country,type,carrier above it/,
    ],
    ['no column carrier', 'number,country,type,carier\n', /has no column carrier .*; rename carier/],
    ['no column number', 'telephone,carrier\n', /has no column number/],
    ['a column twice', 'number,carrier,number\n', /has the column number twice/],
    [
      'no row that is right',
      `${HEADER}\nx,,,alpha\n`,
      /has not one row that is right; the first: line 2: "x" is no number/,
    ],
    ['a quote that does not end', `${HEADER}\n"+14155550100,US,,alpha\n`, /has a quote that does not end/],
    ['a row without end', `${HEADER}\n${'x'.repeat(20_000)}\n`, /row of more than 8192 bytes/],
    [
      'more rows than are read',
      `${HEADER}\n${'+14155550100,,,alpha\n'.repeat(5_001)}`,
      /has more than 5000 rows; write .* blocks/,
    ],
    ['more bytes than are read', `${HEADER}\n${'x'.repeat(1_000_001)}`, /at most 1000000 are read/],
    ['UTF-16', Buffer.from(`\ufeff${HEADER}\n`, 'utf16le'), /is not UTF-8/],
  ])('%s is an error of the file, with what to do', async (_, content, problem) => {
    await expect(read(content)).rejects.toMatchObject({
      code: 'TRUNKSCOPE_CONFIG_NUMBERS_FILE',
      message: expect.stringMatching(problem),
    })
  })

  test('a file that is none, or a folder, is an error of the file', async () => {
    for (const path of [join(folder, 'missing.csv'), folder]) {
      await expect(readInventory(path, CARRIERS, BOUNDS)).rejects.toMatchObject({
        code: 'TRUNKSCOPE_CONFIG_NUMBERS_FILE',
      })
    }
  })

  test('any bytes give an inventory or an error of the file, and any row a range or a reason', async () => {
    const cell = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('+14155550100', '+1415555[0-9]', 'US', 'alpha', '"', '""', ',', '\r\n', '[', '0x1'),
    )
    const content = fc.oneof(
      fc
        .array(
          fc.array(cell, { maxLength: 6 }).map((cells) => cells.join(',')),
          { maxLength: 8 },
        )
        .map((lines) => Buffer.from(`${HEADER}\n${lines.join('\n')}`)),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    )
    await fc.assert(
      fc.asyncProperty(content, async (bytes) => {
        const answer = await read(bytes).catch((error: { code?: string }) => error)
        if ('code' in answer) expect(answer.code).toBe('TRUNKSCOPE_CONFIG_NUMBERS_FILE')
        else {
          const { errors, counts, rows } = answer as InventoryReport
          expect(errors).toHaveLength(Object.values(counts).reduce((sum, count) => sum + count, 0))
          expect(rows).toBeGreaterThan(0)
          for (const { line, problem } of errors) {
            expect(line).toBeGreaterThan(1)
            expect(problem).not.toMatch(/[\x00-\x1f]/)
          }
        }
      }),
      { numRuns: 200 },
    )
  })
})
